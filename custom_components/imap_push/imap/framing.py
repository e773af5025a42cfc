"""A byte stream cut into IMAP responses (RFC 3501 4.3 and 7)."""

from collections.abc import Iterator
import re
from typing import Final

from .errors import ProtocolError

# A response may hold a bounded piece of a mail or a list of 200,000 UIDs, never more.
MAX_RESPONSE_SIZE: Final = 16 * 1024 * 1024  # octets
_PART_OVERHEAD: Final = 40  # octets that a part takes in memory besides its own

# A framed response: line, literal, line, literal, ..., line; lines without their CRLF.
type Parts = list[bytes]

_LITERAL: Final = re.compile(rb"\{(\d{1,10})\+?\}$")


def literal_size(line: bytes) -> int | None:
    """Return the size in octets of the literal that a line announces, if it does."""
    if not line.endswith(b"}"):
        return None
    match = _LITERAL.search(line)
    return int(match[1]) if match else None


class Framer:
    """Turns chunks of bytes, however they are split, into framed responses.

    Every octet is copied once into the buffer and once out of it; nothing is scanned twice.
    """

    def __init__(self) -> None:
        """Start with nothing received."""
        self._buffer = bytearray()
        self._scanned = 0  # how far the buffer holds no end of line
        self._parts: Parts = []
        self._size = 0  # octets that the parts so far take
        self._literal: int | None = None  # size of the literal that comes next

    @property
    def holds_more(self) -> bool:
        """Return if there is a beginning of a response."""
        return bool(self._buffer or self._parts)

    def feed(self, data: bytes) -> Iterator[Parts]:
        """Take a chunk and yield each response that it completes.

        Raises ProtocolError when a response outgrows MAX_RESPONSE_SIZE, and ever after.
        """
        self._check_size(0)
        self._buffer += data
        position = 0
        try:
            while (end := self._end_of_part(position)) is not None:
                part = self._take(position, end)
                if self._literal is not None:
                    self._literal = None
                    position = end
                    continue
                position = end + 2
                self._literal = literal_size(part)
                if self._literal is None:
                    parts, self._parts, self._size = self._parts, [], 0
                    yield parts
        finally:
            del self._buffer[:position]
            self._scanned = max(0, self._scanned - position)

    def _end_of_part(self, start: int) -> int | None:
        """Return where the line or literal that starts here ends, or None if it is not all there."""
        if self._literal is not None:
            self._check_size(self._literal)
            end = start + self._literal
            return end if end <= len(self._buffer) else None
        end = self._buffer.find(b"\r\n", max(start, self._scanned))
        if end >= 0:
            self._check_size(end - start)
            return end
        # A lone CR at the end may be the first half of a CRLF.
        self._scanned = max(start, len(self._buffer) - 1)
        self._check_size(self._scanned - start)
        return None

    def _take(self, start: int, end: int) -> bytes:
        with memoryview(self._buffer) as view, view[start:end] as octets:
            part = bytes(octets)
        self._parts.append(part)
        self._size += len(part) + _PART_OVERHEAD
        return part

    def _check_size(self, more: int) -> None:
        if self._size + more > MAX_RESPONSE_SIZE:
            # There is no telling where the next response begins.
            self._size = MAX_RESPONSE_SIZE + 1
            self._parts.clear()
            self._buffer.clear()
            raise ProtocolError(f"a response of more than {MAX_RESPONSE_SIZE} octets")
