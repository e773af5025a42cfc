r"""Split a byte stream into IMAP responses (RFC 3501 4.3, 7) of bounded size.

    * 1 FETCH (UID 7 BODY[TEXT] {5}\r\n    line, announces a literal of 5 octets
    hello                                   literal
     FLAGS (\Seen))\r\n                    line, ends the response

A response that is too large does not end the connection: its octets are skipped as they
arrive, and only its beginning is kept.
"""

from collections.abc import Iterator
import re
from typing import Final, NamedTuple

from ..errors import ProtocolError
from ..limits import MAX_FETCH

# Octets of one response, including the overhead of its parts. SEARCH and ESEARCH contain up to
# 200,000 UIDs. The largest others that real servers send, except FETCH, have a few KB: COPYUID
# for 500 messages, CAPABILITY.
MAX_SEARCH: Final = 2 * 1024 * 1024
MAX_OTHER: Final = 64 * 1024
_LIMITS: Final = {
    b"FETCH": MAX_FETCH,
    b"SEARCH": MAX_SEARCH,
    b"ESEARCH": MAX_SEARCH,
}
PART_OVERHEAD: Final = (
    60  # octets of memory that a part takes in addition to its contents
)

# Octets of one response that are skipped before the connection ends with an error.
MAX_SKIPPED: Final = 1024 * 1024 * 1024

# Octets that are kept of a response that is too large: name, and UID or response code.
MAX_BEGINNING: Final = 1_024
# Octets at the end of a line that can announce a literal, and a CR.
_TAIL: Final = len(b"{1234567890+}\r")

# A framed response: line, literal, line, literal, ..., line; lines without their CRLF.
type Parts = list[bytes]

_LITERAL: Final = re.compile(rb"\{(\d{1,10})\+?\}$")
_NAME: Final = re.compile(rb"\* (?:\d{1,10} )?([A-Z]{5,7})(?![A-Z])", re.IGNORECASE)


class Framed(NamedTuple):
    """A framed response.

    If it is too large, `is_cut` is True and `parts` is the beginning of its first line.
    """

    parts: Parts
    is_cut: bool


def literal_size(line: bytes) -> int | None:
    """Return the octets of the literal that a line announces, or None (RFC 3501 4.3)."""
    if not line.endswith(b"}"):
        return None
    match = _LITERAL.search(line)
    return int(match[1]) if match else None


class Framer:
    """Turns chunks of bytes into framed responses; chunks may end anywhere.

    Work is linear: each octet is copied into the buffer, scanned and copied out one time. At
    most one response of the largest size is held.
    """

    def __init__(self) -> None:
        """Start with an empty buffer."""
        self._buffer = bytearray()
        self._scanned = (
            0  # octets of the buffer that are known to contain no end of line
        )
        self._parts: Parts = []
        self._size = 0  # octets that the parts so far take
        self._literal: int | None = None  # octets of the literal that are still missing
        self._is_cut = False  # the response is too large; its octets are skipped

    @property
    def holds_more(self) -> bool:
        """Return True if the buffer holds an incomplete response."""
        return bool(self._buffer or self._parts)

    def feed(self, data: bytes) -> Iterator[Framed]:
        """Add a chunk and yield each response that it completes.

        Raises ProtocolError when a response has more than MAX_SKIPPED octets.
        """
        if self._is_whole_lines(data):
            for line in data[:-2].split(b"\r\n"):
                yield Framed([line], is_cut=False)
            return
        self._buffer += data
        position = 0
        try:
            while (end := self._end_of_part(position)) is not None:
                is_line = self._literal is None
                line = self._take(position, end)
                position = end + 2 if is_line else end
                self._literal = literal_size(line) if is_line else None
                if is_line and self._literal is None:
                    yield self._complete()
        finally:
            del self._buffer[:position]
            self._scanned = max(0, self._scanned - position)

    def _is_whole_lines(self, data: bytes) -> bool:
        """Return True for the usual chunk: whole responses of one line, so nothing to keep."""
        return (
            data.endswith(b"\r\n")
            and b"}\r\n" not in data
            and len(data) <= MAX_OTHER
            and self._literal is None
            and not self._is_cut
            and not self.holds_more
        )

    def _end_of_part(self, start: int) -> int | None:
        """Return the end of the line or literal that starts here, or None if incomplete."""
        if self._literal is None:
            return self._end_of_line(start)
        self._check_size(start, self._literal)
        if self._is_cut:
            skipped = min(self._literal, len(self._buffer) - start)
            self._skip(start, start + skipped)
            self._literal -= skipped
            return None if self._literal else start
        end = start + self._literal
        return end if end <= len(self._buffer) else None

    def _end_of_line(self, start: int) -> int | None:
        end = self._buffer.find(b"\r\n", max(start, self._scanned))
        if end >= 0:
            self._check_size(start, end - start)
            return end
        # A lone CR at the end may be the first half of a CRLF.
        self._scanned = max(start, len(self._buffer) - 1)
        self._check_size(start, self._scanned - start)
        if self._is_cut:
            self._skip(start, len(self._buffer) - _TAIL)
            self._scanned = max(start, len(self._buffer) - 1)
        return None

    def _skip(self, start: int, end: int) -> None:
        if end > start:
            del self._buffer[start:end]
            self._size += end - start

    def _take(self, start: int, end: int) -> bytes:
        """Keep and return a part; of a skipped one, only return the end, for a literal's size."""
        if self._is_cut:
            start = max(start, end - _TAIL)
        with memoryview(self._buffer) as view, view[start:end] as octets:
            part = bytes(octets)
        if not self._is_cut:
            self._parts.append(part)
            self._size += len(part) + PART_OVERHEAD
        return part

    def _complete(self) -> Framed:
        response = Framed(self._parts, self._is_cut)
        self._parts, self._size, self._is_cut = [], 0, False
        return response

    def _check_size(self, start: int, more: int) -> None:
        """Start to skip the response if it exceeds its limit with `more` octets."""
        size = self._size + more
        if size <= MAX_OTHER:
            return
        if size > MAX_SKIPPED:
            raise ProtocolError(f"a response of more than {MAX_SKIPPED} octets")
        if self._is_cut:
            return
        line, start = (self._parts[0], 0) if self._parts else (self._buffer, start)
        beginning = bytes(line[start : start + MAX_BEGINNING])
        name = _NAME.match(beginning)
        if size > _LIMITS.get(name[1].upper() if name else b"", MAX_OTHER):
            self._parts, self._is_cut = [beginning], True
