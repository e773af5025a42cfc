"""A framed response -> typed objects (RFC 3501 7; ESEARCH: RFC 4731).

IMAPClient's response_parser was measured for this and is unfit: nested parentheses end it
with a RecursionError, it takes three times as long for a FETCH, and it throws away the zone of
INTERNALDATE. This parser never raises on what a mail can make a server say.
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

# Deeper lists are dropped: no real structure is so deep.
MAX_DEPTH: Final = 100
# Tokens that are read of one response. A value takes up to 25 times the memory of its octets. A
# structure of 1,000 parts has about 20,000; STATUS, LIST and FLAGS have less than 500.
MAX_TOKENS: Final = 4_000
MAX_FETCH_TOKENS: Final = 50_000
# Of STATUS and of an ESEARCH that counts: a server may send many of them.
_MAX_NUMBERS: Final = 200
_MIN_TOKENS: Final = 20  # enough for UID
# Octets of a list of capabilities that are read: no server sends a quarter of it.
MAX_CAPABILITIES: Final = 4_096

# One match holds the interpreter lock: a string ends after so many escapes at the latest, and
# spaces are not tried one by one. Each position is looked at once.
_TOKEN: Final = re.compile(
    rb"""
      (?P<open>\() | (?P<close>\)) | (?P<spaces>[ ]{2,}+)
    | "(?P<quoted>[^"\\]*+(?:\\.[^"\\]*+){0,10000}+)(?:"|\\?\Z)?
    | (?P<literal>\{\d{1,10}\+?\})\Z
    | (?P<atom>(?:BODY|BINARY)(?:\.PEEK)?\[[^][]*\](?:<\d+>)? | [^ ()"]+)
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
# The longest response code that is registered has 26 characters (RFC 5530 and its registry).
_STATUS: Final = re.compile(
    rb"(OK|NO|BAD|BYE|PREAUTH)(?: (?:\[([A-Z0-9.\-]{1,40})(?: ([^\]]*+))?\] ?)?(.*))?$",
    re.IGNORECASE | re.DOTALL,
)
# As dates name them (RFC 3501 date-month).
MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip
_RANGE: Final = re.compile(rb"[^,]+")
_WORD: Final = re.compile(rb"[^ ]+")
# Octets that the objects of a response take in addition to its parts, and of the first line
# that are kept where there is no room for more.
_OVERHEAD: Final = 300
_MAX_BEGINNING: Final = 200
_MAX_NAME: Final = 40  # characters of a response's name
_SEARCH_TAG: Final = re.compile(rb'\(TAG "?([A-Za-z0-9]+)"?\)', re.IGNORECASE)
_INTERNALDATE: Final = re.compile(
    rb" ?(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)$"
)


@dataclass(frozen=True, slots=True)
class Status:
    """OK, NO, BAD, BYE or PREAUTH, tagged or (tag None) untagged.

    `code` is the response code in upper case and `code_args` what follows it in its brackets.
    """

    tag: bytes | None
    status: str
    code: str | None
    code_args: bytes
    text: str


class Cut(Enum):
    """Why only the beginning of a response is kept: it is too large, or others are."""

    TOO_LARGE = auto()
    NO_ROOM = auto()


@dataclass(frozen=True, slots=True)
class Data:
    """An untagged response that is no status: `* number NAME ...` or `* NAME ...`.

    `parts` is what follows the name; see `framing.Parts`. If the response is `cut`, it is the
    beginning of the first line.
    """

    name: str
    number: int | None
    parts: Parts
    cut: Cut | None = None

    @property
    def memory(self) -> int:
        """Return about how many octets of memory it takes."""
        return _OVERHEAD + sum(len(part) + PART_OVERHEAD for part in self.parts)

    def beginning(self) -> Data:
        """Return what tells of which message it is: the beginning of the first line."""
        line = self.parts[0][:_MAX_BEGINNING]
        return Data(self.name, self.number, [line], Cut.NO_ROOM)


@dataclass(frozen=True, slots=True)
class Continuation:
    """`+ text`: the server wants the next piece of a command."""

    text: bytes


type Response = Status | Data | Continuation


def parse_response(parts: Parts, *, is_cut: bool = False) -> Response:
    """Return what a framed response is; raise ProtocolError if it is not IMAP."""
    line = parts[0]
    if line.startswith(b"* "):
        cut = Cut.TOO_LARGE if is_cut else None
        return _parse_untagged(line[2:], parts[1:], cut)
    if line.startswith(b"+"):
        return Continuation(line[1:].lstrip())
    tag, _, rest = line.partition(b" ")
    if tag.isalnum() and (status := _parse_status(tag, rest, is_cut=is_cut)):
        return status
    # What a server sends may repeat a password, and an error gets into logs.
    raise ProtocolError("something that is not an IMAP response")


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
    """Return a status; one that is cut has no text, as that may end within a secret."""
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


def parse_values(parts: Parts, most: int = MAX_TOKENS) -> tuple[Value, ...]:
    """Read values out of lines and literals, out of at most so many tokens.

    Total: a list that nobody closes ends at the end, a parenthesis too many is passed over.
    """
    return _read_values(parts, most)[0]


def _read_values(parts: Parts, most: int) -> tuple[tuple[Value, ...], int]:
    """Return the values, and the number of tokens, `most` + 1 if there are more than that."""
    outer: list[list[Value]] = []
    values: list[Value] = []
    skipped = count = 0
    for kind, octets in _tokens(parts):
        count += 1
        if count > most:
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
    """The items of a FETCH response by name, upper case, or of one that is cut only UID.

    `BODY` is the header fields: those of several sections, one after another. Other sections
    have their names, such as `BODY[TEXT]` and `BODY[1.2]`. `tokens` is how many were read.
    """

    items: dict[str, Value]
    tokens: int
    cut: Cut | None = None


def parse_fetch(data: Data, most: int = MAX_FETCH_TOKENS) -> FetchItems:
    """Return the items of a FETCH response (RFC 3501 7.4.2), of at most so many tokens."""
    most = min(max(most, _MIN_TOKENS), MAX_FETCH_TOKENS)
    values, tokens = _read_values(data.parts, most)
    items = values[0] if values and isinstance(values[0], tuple) else ()
    cut = data.cut
    if tokens > MAX_FETCH_TOKENS:
        cut = Cut.TOO_LARGE
    elif tokens > most:
        cut = Cut.NO_ROOM
    if cut is None:
        return FetchItems(_named(items), tokens)
    # The last value may be the beginning of one.
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
    """Return folder name, as the server writes it, and numbers of a STATUS (RFC 3501 7.2.4)."""
    name, items = (*parse_values(data.parts, _MAX_NUMBERS), None, None)[:2]
    numbers = items if isinstance(items, tuple) else ()
    return name if isinstance(name, bytes) else b"", {
        key.decode("ascii", "replace").upper(): parse_number(number)
        for key, number in zip(numbers[::2], numbers[1::2], strict=False)
        if isinstance(key, bytes)
    }


def parse_number(value: Value, default: int = 0) -> int:
    """Return a number of up to 63 bits, or the default for what is none."""
    if isinstance(value, bytes) and len(value) <= 18 and value.isdigit():
        return int(value)
    return default


def parse_ranges(octets: bytes) -> Iterator[tuple[int, int]]:
    """Yield the ranges of a sequence-set that names UIDs (RFC 3501 9), lower end first."""
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
    """Return the strings in a list, such as flags."""
    if not isinstance(value, tuple):
        return ()
    return tuple(
        item.decode("utf-8", "replace") for item in value if isinstance(item, bytes)
    )


def parse_internal_date(value: Value) -> datetime | None:
    """Return INTERNALDATE (RFC 3501 date-time) with its zone, or None if it is none."""
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
        # What UTC has no year for is no use to anyone.
        date.astimezone(UTC)
    except OverflowError, ValueError:
        return None
    return date


def search_tag(data: Data) -> bytes:
    """Return the tag of the command that an ESEARCH response is for (RFC 4466 2.6.2)."""
    match = _SEARCH_TAG.match(data.parts[0]) if data.name == "ESEARCH" else None
    return match[1] if match else b""


def parse_search_count(data: Data) -> int:
    """Return how many messages a SEARCH or ESEARCH response tells of."""
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
    """Return what a server speaks whose greeting is not IMAP's."""
    for start, name in ((b"+OK", "POP3"), (b"220", "SMTP"), (b"HTTP/", "HTTP")):
        if first_line.startswith(start):
            return name
    return None
