"""A framed response -> typed objects (RFC 3501 7; ESEARCH: RFC 4731).

IMAPClient's response_parser was measured for this and is unfit: nested parentheses end it
with a RecursionError, it takes three times as long for a FETCH, and it throws away the zone of
INTERNALDATE. This parser never raises on what a mail can make a server say.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
import re
from typing import Final

from .errors import ProtocolError
from .framing import Parts

# An atom, number, string or literal; None is NIL; a tuple is a parenthesized list.
type Value = bytes | tuple[Value, ...] | None

# Deeper lists are dropped: no real structure is so deep, and a mail must not fill the memory.
_MAX_DEPTH: Final = 100
_MAX_VALUES: Final = 50_000

_TOKEN: Final = re.compile(
    rb"""
      (?P<open>\() | (?P<close>\))
    | "(?P<quoted>[^"\\]*+(?:\\.[^"\\]*+)*+)(?:"|\\?\Z)
    | (?P<literal>\{\d{1,10}\+?\})\Z
    | (?P<atom>(?:BODY|BINARY)(?:\.PEEK)?\[[^][]*\](?:<\d+>)? | [^ ()"]+)
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)
_STATUS: Final = re.compile(
    rb"(OK|NO|BAD|BYE|PREAUTH)(?: (?:\[([A-Z0-9.\-]+)(?: ([^\]]*))?\] ?)?(.*))?$",
    re.IGNORECASE | re.DOTALL,
)
# As dates name them (RFC 3501 date-month).
MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip
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


@dataclass(frozen=True, slots=True)
class Data:
    """An untagged response that is no status: `* number NAME ...` or `* NAME ...`.

    `parts` is what follows the name; see `framing.Parts`.
    """

    name: str
    number: int | None
    parts: Parts


@dataclass(frozen=True, slots=True)
class Continuation:
    """`+ text`: the server wants the next piece of a command."""

    text: bytes


type Response = Status | Data | Continuation


def parse_response(parts: Parts) -> Response:
    """Tell what a framed response is; raise ProtocolError if it is not IMAP."""
    line = parts[0]
    if line.startswith(b"* "):
        return _parse_untagged(line[2:], parts)
    if line.startswith(b"+"):
        return Continuation(line[1:].lstrip())
    tag, _, rest = line.partition(b" ")
    if tag.isalnum() and (status := _parse_status(tag, rest)):
        return status
    # What a server sends may repeat a password, and an error gets into logs.
    raise ProtocolError("something that is not an IMAP response")


def _parse_untagged(line: bytes, parts: Parts) -> Response:
    if status := _parse_status(None, line):
        return status
    first, _, rest = line.partition(b" ")
    number = None
    if first.isdigit() and len(first) <= 10:
        number = int(first)
        first, _, rest = rest.partition(b" ")
    return Data(first.decode("ascii", "replace").upper(), number, [rest, *parts[1:]])


def _parse_status(tag: bytes | None, line: bytes) -> Status | None:
    match = _STATUS.match(line)
    if not match:
        return None
    status, code, code_args, text = match.groups()
    return Status(
        tag,
        status.decode().upper(),
        code.decode().upper() if code else None,
        code_args or b"",
        (text or b"").decode(errors="replace"),
    )


def parse_values(parts: Parts) -> tuple[Value, ...]:
    """Read values out of lines and literals.

    Total: a list that nobody closes ends at the end, a parenthesis too many is passed over.
    """
    outer: list[list[Value]] = []
    values: list[Value] = []
    skipped = count = 0
    for kind, octets in _tokens(parts):
        count += 1
        if kind == "open":
            if skipped or len(outer) >= _MAX_DEPTH:
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
        elif not skipped and (count < _MAX_VALUES or len(outer) <= 1):
            values.append(_value(kind, octets))
    while outer:
        outer[-1].append(tuple(values))
        values = outer.pop()
    return tuple(values)


def _tokens(parts: Parts) -> Iterator[tuple[str, bytes]]:
    for index in range(0, len(parts), 2):
        for match in _TOKEN.finditer(parts[index]):
            kind = match.lastgroup or "atom"
            if kind == "literal" and index + 1 < len(parts):
                yield kind, parts[index + 1]
            else:
                yield kind, match[kind]


def _value(kind: str, octets: bytes) -> Value:
    if kind == "atom":
        return None if octets.upper() == b"NIL" else octets
    if kind == "quoted" and b"\\" in octets:
        return _ESCAPED.sub(rb"\1", octets)
    return octets


def parse_fetch(data: Data) -> dict[str, Value]:
    """Return the items of a FETCH response by name, upper case (RFC 3501 7.4.2).

    `BODY[...]` stands without what is between its brackets: only one section is ever asked for.
    """
    values = parse_values(data.parts)
    items = values[0] if values else None
    if not isinstance(items, tuple):
        return {}
    pairs = zip(items[::2], items[1::2], strict=False)
    return {
        name.partition(b"[")[0].decode("ascii", "replace").upper(): value
        for name, value in pairs
        if isinstance(name, bytes)
    }


def parse_status(data: Data) -> tuple[bytes, dict[str, int]]:
    """Return folder name, as the server writes it, and numbers of a STATUS (RFC 3501 7.2.4)."""
    name, items = (*parse_values(data.parts), None, None)[:2]
    numbers = items if isinstance(items, tuple) else ()
    return name if isinstance(name, bytes) else b"", {
        key.decode("ascii", "replace").upper(): parse_number(number)
        for key, number in zip(numbers[::2], numbers[1::2], strict=False)
        if isinstance(key, bytes)
    }


def parse_number(value: Value, default: int = 0) -> int:
    """Return a number of up to 63 bits, or the default for what is none."""
    if isinstance(value, bytes) and value.isdigit() and len(value) <= 18:
        return int(value)
    return default


def parse_ranges(octets: bytes) -> list[tuple[int, int]]:
    """Return the ranges of a sequence-set that names UIDs (RFC 3501 9), lower end first."""
    ranges: list[tuple[int, int]] = []
    for piece in octets.split(b","):
        first, _, last = piece.partition(b":")
        ends = sorted((parse_number(first), parse_number(last or first)))
        if ends[0]:
            ranges.append((ends[0], ends[1]))
    return ranges


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
        return len(data.parts[0].split())
    values = parse_values(data.parts)
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
