r"""Split a byte stream into IMAP responses (RFC 3501 4.3, 7) of bounded size.

    * 1 FETCH (UID 7 BODY[TEXT] {5}\r\n    line, announces a literal of 5 octets
    hello                                   literal
     FLAGS (\Seen))\r\n                    line, ends the response

A response that is too large does not end the connection: its octets are skipped as they
arrive, and only its beginning is kept.

Lines end with CRLF. Some servers send CR CR LF, or a bare LF in all lines. A bare LF ends a line
only if it ends the first line of the connection, the greeting: in another line it may be text.

Some servers send a line break inside a FETCH response, in a quoted file name (GreenMail#498) or
after a literal (imapclient#162), or literals that are longer than announced. Lines that follow
and do not look like a response are appended to it or, if it seems to be complete, dropped.
"""

from collections.abc import Iterator, Mapping
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
    b"": MAX_OTHER,
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
_NAME: Final = re.compile(
    rb"\*[ \t]++(?:\d{1,10}[ \t]++)?([A-Z]{5,7})(?![A-Z])", re.IGNORECASE
)
_FETCH: Final = re.compile(rb"\*[ \t]++\d++[ \t]++FETCH(?![A-Z])", re.IGNORECASE)
# The beginning of a response; "[": a code alone (see parser.py).
_RESPONSE: Final = re.compile(
    rb"\*[ \t]|\+|[A-Za-z0-9]+[ \t]+(?:OK|NO|BAD)(?![A-Z])|\[[A-Z-]+[ \]]",
    re.IGNORECASE,
)
# Lines that are appended to one response, each to less than MAX_OTHER octets: appending copies.
_MAX_APPENDED: Final = 50
_CR: Final = ord("\r")


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

    def __init__(self, limits: Mapping[bytes, int] = _LIMITS) -> None:
        """Start with an empty buffer; `limits` has octets by response name, b"" for others."""
        self._limits = limits
        self._least_limit = limits[b""]
        self._buffer = bytearray()
        self._scanned = (
            0  # octets of the buffer that are known to contain no end of line
        )
        self._parts: Parts = []
        self._size = 0  # octets that the parts so far take
        self._literal: int | None = None  # octets of the literal that are still missing
        self._is_cut = False  # the response is too large; its octets are skipped
        self._line_end = b""  # that of the first line
        # Whether the parts are a FETCH that is not closed: the next line may be appended.
        self._is_held = False
        self._appended = 0  # lines
        self._follows_fetch = False  # no other response since the last FETCH

    @property
    def holds_more(self) -> bool:
        """Return True if the buffer holds an incomplete response."""
        return bool(self._buffer or self._parts)

    def feed(self, data: bytes) -> Iterator[Framed]:
        """Add a chunk and yield each response that it completes.

        Raises ProtocolError when a response has more than MAX_SKIPPED octets.
        """
        self._buffer += data
        position = 0
        try:
            while True:
                is_line = self._literal is None
                find_end = self._end_of_line if is_line else self._end_of_literal
                if (end := find_end(position)) is None:
                    return
                if self._is_held and _RESPONSE.match(self._buffer, position):
                    yield self._complete(is_fetch=True)
                line = self._take(position, end, is_line=is_line)
                position = end + len(self._line_end) if is_line else end
                is_announced = is_line and line.endswith(b"}")
                self._literal = literal_size(line) if is_announced else None
                if is_line and self._literal is None:
                    is_fetch = _FETCH.match(self._parts[0]) is not None
                    self._is_held = is_fetch and self._is_incomplete(line)
                    if not self._is_held:
                        yield self._complete(is_fetch=is_fetch)
        finally:
            del self._buffer[:position]
            self._scanned = max(0, self._scanned - position)

    def _is_incomplete(self, line: bytes) -> bool:
        """Return whether the next line belongs to a FETCH response that ends with this line."""
        has_room = self._appended < _MAX_APPENDED and len(self._parts[-1]) < MAX_OTHER
        return has_room and not self._is_cut and not line.rstrip().endswith(b")")

    def _end_of_literal(self, start: int) -> int | None:
        assert self._literal is not None
        if self._size + self._literal > self._least_limit:
            self._check_size(start, self._literal)
        if self._is_cut:
            skipped = min(self._literal, len(self._buffer) - start)
            self._skip(start, start + skipped)
            self._literal -= skipped
            return None if self._literal else start
        end = start + self._literal
        return end if end <= len(self._buffer) else None

    def _end_of_line(self, start: int) -> int | None:
        scanned = max(start, self._scanned)
        if self._line_end:
            end = self._buffer.find(self._line_end, scanned)
        elif (end := self._buffer.find(b"\n", scanned)) >= 0:
            has_cr = end > start and self._buffer[end - 1] == _CR
            self._line_end = b"\r\n" if has_cr else b"\n"
            end -= has_cr
        if end >= 0:
            if self._size + end - start > self._least_limit:
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

    def _take(self, start: int, end: int, *, is_line: bool) -> bytes:
        """Keep and return a part; of a skipped one, only return the end, for a literal's size."""
        if self._is_cut:
            start = max(start, end - _TAIL)
        part = memoryview(self._buffer)[start:end].tobytes()
        if is_line and part.endswith(b"\r"):
            part = part.rstrip(b"\r")
        if self._is_cut:
            return part
        self._size += len(part) + PART_OVERHEAD
        if self._is_held:
            self._parts[-1] += b"\r\n" + part
            self._is_held = False
            self._appended += 1
        else:
            self._parts.append(part)
        return part

    def _complete(self, *, is_fetch: bool) -> Framed:
        response = Framed(self._parts, self._is_cut)
        if self._follows_fetch and not is_fetch:
            self._follows_fetch = not _RESPONSE.match(self._parts[0])
            if self._follows_fetch:
                response = Framed([b""], False)  # the rest of the FETCH
        elif is_fetch:
            self._follows_fetch = True
        self._parts, self._size, self._is_cut = [], 0, False
        self._is_held, self._appended = False, 0
        return response

    def _check_size(self, start: int, more: int) -> None:
        """Start to skip the response if it exceeds its limit with `more` octets."""
        size = self._size + more
        if size <= self._least_limit:
            return
        if size > MAX_SKIPPED:
            raise ProtocolError(f"a response of more than {MAX_SKIPPED} octets")
        if self._is_cut:
            return
        line, start = (self._parts[0], 0) if self._parts else (self._buffer, start)
        beginning = bytes(line[start : start + MAX_BEGINNING])
        name = _NAME.match(beginning)
        key = name[1].upper() if name else b""
        if size > self._limits.get(key, self._least_limit):
            self._parts, self._is_cut = [beginning], True
