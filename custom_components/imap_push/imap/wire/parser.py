"""Parse framed responses into typed objects (RFC 3501 7; ESEARCH: RFC 4731).

    A1 OK [READ-WRITE] done           Status(b"A1", "OK", "READ-WRITE", ...)
    * 2 FETCH (UID 9 ...)             Data("FETCH", 2, [b"(UID 9 ...)"])
    + idling                          Continuation(b"idling")

IMAPClient's response_parser is not used: nested parentheses raise a RecursionError, a FETCH
takes three times as long, and INTERNALDATE loses its time zone. This parser never raises
because of the contents of a message.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from functools import lru_cache
from itertools import pairwise
import re
from typing import Final, NamedTuple

from ..errors import ProtocolError
from .framing import PART_OVERHEAD, Parts

# An atom, number, string or literal; None is NIL; a tuple is a parenthesized list.
type Value = bytes | tuple[Value, ...] | None

# Deeper lists are dropped: no real BODYSTRUCTURE nests so deep.
MAX_DEPTH: Final = 100
# Tokens that are read of one response. A value takes up to 25 times the memory of its octets.
# BODYSTRUCTURE of 1,000 parts has about 20,000; STATUS, LIST and FLAGS have less than 500.
MAX_TOKENS: Final = 4_000
MAX_FETCH_TOKENS: Final = 50_000
# Tokens of STATUS and of ESEARCH with COUNT: a server may send many of these responses.
_MAX_NUMBERS: Final = 200
_MIN_TOKENS: Final = 20  # enough for UID
# Octets of a list of capabilities that are read: no server sends a quarter of it.
MAX_CAPABILITIES: Final = 4_096

# A single match holds the GIL, so its length is bounded: a string ends after at most 10,000
# escapes, and a run of spaces is one match. Possessive quantifiers avoid backtracking.
_TOKEN: Final = re.compile(
    rb"""
      (?P<open>\() | (?P<close>\)) | (?P<spaces>[ ]{2,}+)
    | "(?P<quoted>[^"\\]*+(?:\\.[^"\\]*+){0,10000}+)(?:"|\\?\Z)?
    | (?P<literal>\{\d{1,10}\+?\})\Z
    | (?P<atom>(?:BODY|BINARY)(?:\.PEEK)?\[[^][]*\](?:<\d+>)? | [^ ()"]+)
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
# The longest registered response code has 26 characters (RFC 5530 and the IANA registry).
_STATUS: Final = re.compile(
    rb"(OK|NO|BAD|BYE|PREAUTH)(?: (?:\[([A-Z0-9.\-]{1,40})(?: ([^\]]*+))?\] ?)?(.*))?$",
    re.IGNORECASE | re.DOTALL,
)
# date-month (RFC 3501 9)
MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip
_RANGE: Final = re.compile(rb"[^,]+")
_WORD: Final = re.compile(rb"[^ ]+")
_OVERHEAD: Final = 300  # octets of memory of a response in addition to its parts
_MAX_BEGINNING: Final = 200  # octets kept of a response that does not fit
_MAX_NAME: Final = 40  # characters of a response's name
_SEARCH_TAG: Final = re.compile(rb'\(TAG "?([A-Za-z0-9]+)"?\)', re.IGNORECASE)
_INTERNALDATE: Final = re.compile(
    rb" ?(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)$"
)
# The zero time of Unix, in any time zone, is before this date.
_FIRST_DATE: Final = datetime(1970, 1, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Status:
    """OK, NO, BAD, BYE or PREAUTH, tagged or (tag None) untagged (RFC 3501 7.1).

    `code` is the response code in upper case, `code_args` the text after it in the brackets.
    """

    tag: bytes | None
    status: str
    code: str | None
    code_args: bytes
    text: str


class Cut(Enum):
    """Why only the beginning of a response is kept.

    TOO_LARGE: it alone exceeds a limit. NO_ROOM: it does only together with other responses.
    """

    TOO_LARGE = auto()
    NO_ROOM = auto()


@dataclass(frozen=True, slots=True)
class Data:
    """An untagged response other than a status: `* number NAME ...` or `* NAME ...`.

    `parts` is what follows the name; see `framing.Parts`. If `cut` is set, `parts` contains only
    the beginning of the first line. A response code of an untagged status can also be collected
    as Data: `name` is then the code.
    """

    name: str
    number: int | None
    parts: Parts
    cut: Cut | None = None

    @property
    def memory(self) -> int:
        """Return the approximate octets of memory of the response."""
        return _OVERHEAD + sum(len(part) + PART_OVERHEAD for part in self.parts)

    def beginning(self) -> Data:
        """Return the response cut to the beginning of its first line, which contains the UID."""
        line = self.parts[0][:_MAX_BEGINNING]
        return Data(self.name, self.number, [line], Cut.NO_ROOM)


@dataclass(frozen=True, slots=True)
class Continuation:
    """`+ text`: the server waits for the next line of a command (RFC 3501 7.5)."""

    text: bytes


type Response = Status | Data | Continuation


def parse_response(parts: Parts, *, is_cut: bool = False) -> Response:
    """Parse a framed response; raise ProtocolError if it is not IMAP."""
    line = parts[0]
    if line.startswith(b"* "):
        cut = Cut.TOO_LARGE if is_cut else None
        return _parse_untagged(line[2:], parts[1:], cut)
    if line.startswith(b"+"):
        return Continuation(line[1:].lstrip())
    tag, _, rest = line.partition(b" ")
    if tag.isalnum() and (status := _parse_status(tag, rest, is_cut=is_cut)):
        return status
    # Without the response's text: it may repeat a password, and errors are logged.
    raise ProtocolError("not an IMAP response")


def _parse_untagged(line: bytes, more: Parts, cut: Cut | None) -> Response:
    if status := _parse_status(None, line, is_cut=cut is not None):
        return status
    first, _, rest = line.partition(b" ")
    number = None
    if first.isdigit() and len(first) <= 10:
        number = int(first)
        first, _, rest = rest.partition(b" ")
    name = first[:_MAX_NAME].decode("ascii", "replace").upper()
    return Data(name, number, [rest, *more], cut)


def _parse_status(tag: bytes | None, line: bytes, *, is_cut: bool) -> Status | None:
    """Return a status or None. A cut text is dropped: a secret cut in two is not redacted."""
    match = _STATUS.match(line)
    if not match:
        return None
    status, code, code_args, text = match.groups()
    return Status(
        tag,
        status.decode().upper(),
        code.decode().upper() if code else None,
        code_args or b"",
        "" if is_cut else (text or b"").decode(errors="replace"),
    )


def parse_values(parts: Parts, limit: int = MAX_TOKENS) -> tuple[Value, ...]:
    """Parse lines and literals into values, reading at most `limit` tokens.

    Never raises: an unclosed list ends with the response, a surplus parenthesis is ignored.
    """
    return _read_values(parts, limit)[0]


def _read_values(parts: Parts, limit: int) -> tuple[tuple[Value, ...], int]:
    """Return the values and the number of tokens, which is `limit` + 1 if there are more."""
    outer: list[list[Value]] = []
    values: list[Value] = []
    skipped = count = 0
    for kind, octets in _tokens(parts):
        count += 1
        if count > limit:
            break
        if kind == "open":
            if skipped or len(outer) >= MAX_DEPTH:
                skipped += 1
                continue
            outer.append(values)
            values = []
        elif kind == "close":
            if skipped:
                skipped -= 1
            elif outer:
                outer[-1].append(tuple(values))
                values = outer.pop()
        elif not skipped:
            values.append(_value(kind, octets))
    while outer:
        outer[-1].append(tuple(values))
        values = outer.pop()
    return tuple(values), count


def _tokens(parts: Parts) -> Iterator[tuple[str, bytes]]:
    for index in range(0, len(parts), 2):
        for match in _TOKEN.finditer(parts[index]):
            kind = match.lastgroup or "atom"
            if kind == "spaces":
                continue
            if kind == "literal" and index + 1 < len(parts):
                yield kind, parts[index + 1]
            else:
                yield kind, match[kind]


def _value(kind: str, octets: bytes) -> Value:
    if kind == "atom":
        return None if octets.upper() == b"NIL" else octets
    if kind == "quoted" and b"\\" in octets:
        # NUL is not allowed in a quoted string (RFC 3501 9).
        octets = octets.replace(b"\\\\", b"\0").replace(b"\\", b"")
        return octets.replace(b"\0", b"\\")
    return octets


class FetchItems(NamedTuple):
    """The items of a FETCH response by name, upper case; only UID if it is cut.

    `BODY` contains the header fields; those of several sections are joined. Other sections keep
    their names, for example `BODY[TEXT]` and `BODY[1.2]`. `tokens` is the number of tokens read.
    """

    items: dict[str, Value]
    tokens: int
    cut: Cut | None = None


def parse_fetch(data: Data, limit: int = MAX_FETCH_TOKENS) -> FetchItems:
    """Return the items of a FETCH response (RFC 3501 7.4.2), reading at most `limit` tokens."""
    limit = min(max(limit, _MIN_TOKENS), MAX_FETCH_TOKENS)
    values, tokens = _read_values(data.parts, limit)
    items = values[0] if values and isinstance(values[0], tuple) else ()
    cut = data.cut
    if tokens > MAX_FETCH_TOKENS:
        cut = Cut.TOO_LARGE
    elif tokens > limit:
        cut = Cut.NO_ROOM
    if cut is None:
        return FetchItems(_named(items), tokens)
    # Without the last value, which may be cut itself.
    first = _named(items[:-1])
    return FetchItems({name: first[name] for name in ("UID",) if name in first}, 0, cut)


def _named(items: tuple[Value, ...]) -> dict[str, Value]:
    named: dict[str, Value] = {}
    headers: list[bytes] = []
    for name, value in zip(items[::2], items[1::2], strict=False):
        if isinstance(name, bytes):
            item = _item_name(name)
            named[item] = value
            if item == "BODY" and isinstance(value, bytes):
                headers.append(value)
    if headers:
        # A server may send NIL for a section without fields.
        named["BODY"] = b"\r\n".join(headers)
    return named


def _item_name(name: bytes) -> str:
    item, _, section = name.decode("ascii", "replace").upper().partition("[")
    section = section.partition("]")[0]
    is_fields = not section or section.startswith("HEADER.FIELDS")
    return item if is_fields else f"{item}[{section}]"


def parse_status(data: Data) -> tuple[bytes, dict[str, int]]:
    """Return the encoded folder name and the numbers of a STATUS (RFC 3501 7.2.4)."""
    name, items = (*parse_values(data.parts, _MAX_NUMBERS), None, None)[:2]
    numbers = items if isinstance(items, tuple) else ()
    return name if isinstance(name, bytes) else b"", {
        key.decode("ascii", "replace").upper(): parse_number(number)
        for key, number in zip(numbers[::2], numbers[1::2], strict=False)
        if isinstance(key, bytes)
    }


def parse_number(value: Value, default: int = 0) -> int:
    """Return a number of at most 18 digits, or the default if the value is not one."""
    if isinstance(value, bytes) and len(value) <= 18 and value.isdigit():
        return int(value)
    return default


def parse_ranges(octets: bytes) -> Iterator[tuple[int, int]]:
    """Yield the ranges of a sequence-set of UIDs (RFC 3501 9) as (low, high)."""
    for piece in _RANGE.finditer(octets):
        first, _, last = piece[0].partition(b":")
        low, high = sorted((parse_number(first), parse_number(last or first)))
        if low:
            yield low, high


def parse_capabilities(words: bytes) -> frozenset[str]:
    """Return capabilities, upper case, out of at most MAX_CAPABILITIES octets."""
    return _parse_capabilities(words[:MAX_CAPABILITIES])


# Cached so that all connections to one server share one set.
@lru_cache(maxsize=16)
def _parse_capabilities(words: bytes) -> frozenset[str]:
    return frozenset(words.decode("ascii", "replace").upper().split())


def parse_search(data: Data) -> Iterator[int]:
    """Yield the numbers of a SEARCH response (RFC 3501 7.2.5)."""
    return filter(
        None, (parse_number(word[0]) for word in _WORD.finditer(data.parts[0]))
    )


def parse_strings(value: Value) -> tuple[str, ...]:
    """Return the strings in a list, for example flags."""
    if not isinstance(value, tuple):
        return ()
    return tuple(
        item.decode("utf-8", "replace") for item in value if isinstance(item, bytes)
    )


def parse_internal_date(value: Value) -> datetime | None:
    """Return INTERNALDATE (RFC 3501 date-time) with its time zone, or None if it is no date.

    Some servers report a zero time for an unknown date: in the year 1 (Go) or 1970 (Unix).
    """
    if not isinstance(value, bytes) or not (match := _INTERNALDATE.match(value)):
        return None
    month = match[2].decode().capitalize()
    if month not in MONTHS:
        return None
    number = MONTHS.index(month) + 1
    day, year, clock = match[1].decode(), match[3].decode(), value[-14:].decode()
    try:
        date = datetime.fromisoformat(
            f"{year}-{number:02}-{int(day):02}T{clock.replace(' ', '')}"
        )
        # A date that overflows in UTC cannot be used later.
        if date.astimezone(UTC) < _FIRST_DATE:
            return None
    except OverflowError, ValueError:
        return None
    return date


def search_tag(data: Data) -> bytes:
    """Return the tag in an ESEARCH response (RFC 4466 2.6.2), or b""."""
    match = _SEARCH_TAG.match(data.parts[0]) if data.name == "ESEARCH" else None
    return match[1] if match else b""


def parse_search_count(data: Data) -> int:
    """Return the number of messages in a SEARCH response, or COUNT of an ESEARCH response."""
    if data.name == "SEARCH":
        octets = data.parts[0].strip()
        if b"  " in octets:
            octets = b" ".join(octets.split())
        return octets.count(b" ") + 1 if octets else 0
    values = parse_values(data.parts, _MAX_NUMBERS)
    for name, value in pairwise(values):
        if isinstance(name, bytes) and name.upper() == b"COUNT":
            return parse_number(value)
    return 0


def name_of_protocol(first_line: bytes) -> str | None:
    """Return the protocol of a greeting that is not IMAP, or None if unknown."""
    for start, name in ((b"+OK", "POP3"), (b"220", "SMTP"), (b"HTTP/", "HTTP")):
        if first_line.startswith(start):
            return name
    return None
