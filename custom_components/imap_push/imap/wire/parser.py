"""Parse framed responses into typed objects (RFC 3501 7; ESEARCH: RFC 4731).

    A1 OK [READ-WRITE] done           Status(b"A1", "OK", "READ-WRITE", ...)
    * 2 FETCH (UID 9 ...)             Data("FETCH", 2, [b"(UID 9 ...)"])
    + idling                          Continuation(b"idling")

IMAPClient's response_parser is not used: nested parentheses raise a RecursionError, a FETCH
takes three times as long, and INTERNALDATE loses its time zone. This parser never raises
because of the contents of a message.
"""

from collections.abc import Iterator
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
# STATUS, LIST and FLAGS have less than 500.
MAX_TOKENS: Final = 4_000
# Tokens of STATUS and of ESEARCH with COUNT: a server may send many of these responses.
MAX_NUMBERS: Final = 200
# Octets of a list of capabilities that are read: no server sends a quarter of it.
MAX_CAPABILITIES: Final = 4_096

# A single match holds the GIL, so its length is bounded: a string ends after at most 10,000
# escapes, and a run of spaces is one match. Possessive quantifiers avoid backtracking.
# `raw` is a string whose last character is a backslash that the server did not escape
# (MailKit#422): read as an escape, the string would end at a quote that begins another one.
_TOKEN: Final = re.compile(
    rb"""
      (?P<open>\() | (?P<close>\)) | (?P<spaces>[ \t\r\n]{2,}+)
    | "(?P<quoted>[^"\\]*+)"
    | "(?P<raw>[^"\\]{0,200}+(?:\\[^"\\][^"\\]{0,200}+){0,20}+\\)"
        (?=[ )][^"\\]{0,500}+(?:"[^\s()"]|\Z))
    | "(?P<escaped>[^"\\]*+(?:\\.[^"\\]*+){0,10000}+)(?:"|\\?\Z)?
    | (?P<atom>(?:BODY|BINARY)(?:\.PEEK)?\[[^][]*\](?:<[\d.]+>)? | [^ \t\r\n()"]+)
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_NIL: Final = frozenset({b"NIL", b"nil", b"Nil"})
_ANNOUNCEMENT: Final = re.compile(rb"~?\{\d{1,10}\+?\}\Z")
# A response code and the text after it. The longest registered code has 26 characters (RFC 5530
# and the IANA registry). "]" does not end the arguments inside a list, a pair of brackets or a
# string: servers have keywords like OIB-Seen-[Gmail]/Important (rust-imap#106) and [css3-page]
# (emailjs-imap-handler#6).
_CODE: Final = rb"""\[ ([A-Z0-9.\-]{1,40}) (?: [ \t]++ (
        \( [^)]*+ (?: \) (?![ \t]*+\]) [^)]*+ )*+ \) (?=[ \t]*+\])
      | (?: [^][(")]++ | "(?:[^"\\]++|\\.)*+" | \[[^][]*+\] | [()] )*+ (?=\])
      | [^][]*+
    ) )?+ [ \t]*+ \] [ \t]*+"""
_FLAGS: Final = re.VERBOSE | re.IGNORECASE | re.DOTALL
_STATUS: Final = re.compile(
    rb"(?:\*|([A-Z0-9]++)) [ \t]++ (OK|NO|BAD|BYE|PREAUTH) (?:[ \t]++|(?=\[)|\Z)"
    rb"(?:%b)?+ (.*+)" % _CODE,
    _FLAGS,
)
# Some servers send several spaces, or tabs (DavMail).
_DATA: Final = re.compile(
    rb"\*[ \t]++(?:(\d{1,10})(?:[ \t]++|\Z))?+(?!\[[A-Z.-]++(?:[ \t][^]]*+)?\])([^ \t(]*+)[ \t]*+",
    re.DOTALL | re.IGNORECASE,
)
# A code without "* OK" or "OK": Exchange and home.pl send COPYUID this way (MailKit#115).
_BARE_CODE: Final = re.compile(rb"(?:\*[ \t]++)?+ (?=\[[A-Z]) %b (.*+)" % _CODE, _FLAGS)
# date-month (RFC 3501 9)
MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip
_RANGE: Final = re.compile(rb"[^,]+")
_WORD: Final = re.compile(rb"[^ \t]+")
_OVERHEAD: Final = 300  # octets of memory of a response in addition to its parts
_MAX_BEGINNING: Final = 200  # octets kept of a response that does not fit
_MAX_NAME: Final = 40  # characters of a response's name
_SEARCH_TAG: Final = re.compile(rb'\(TAG[ \t]++"?([A-Za-z0-9]+)"?\)', re.IGNORECASE)
_INTERNALDATE: Final = re.compile(
    rb" ?(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)$"
)
# The zero time of Unix, in any time zone, is before this date.
_FIRST_DATE: Final = datetime(1970, 1, 2, tzinfo=UTC)


class Atom(bytes):
    """An atom that is not inside a nested list: it may be the name of a FETCH item."""

    __slots__ = ()


class Values(NamedTuple):
    """The values of a response.

    `tokens` is their number, `limit` + 1 if there are more. `is_unclosed`: a list inside the
    outermost one was not closed.
    """

    values: tuple[Value, ...]
    tokens: int
    is_unclosed: bool


class Status(NamedTuple):
    """OK, NO, BAD, BYE or PREAUTH, tagged or (tag None) untagged (RFC 3501 7.1).

    `code` is the response code in upper case, `code_args` the text after it in the brackets. `text`
    is "" if the response was cut: a secret that is cut in two could not be redacted.
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


class Data(NamedTuple):
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


class Continuation(NamedTuple):
    """`+ text`: the server waits for the next line of a command (RFC 3501 7.5)."""

    text: bytes


type Response = Status | Data | Continuation


def parse_response(parts: Parts, *, is_cut: bool = False) -> Response:
    """Parse a framed response; raise ProtocolError if it is not IMAP."""
    line = parts[0]
    if match := _STATUS.match(line):
        tag, status, code, code_args, text = match.groups()
        return _status(tag, status, code, code_args, b"" if is_cut else text)
    if match := _DATA.match(line):
        number, name = match.groups()
        return Data(
            name[:_MAX_NAME].decode("ascii", "replace").upper(),
            int(number) if number else None,
            [line[match.end() :], *parts[1:]],
            Cut.TOO_LARGE if is_cut else None,
        )
    if line.startswith(b"+"):
        return Continuation(line[1:].lstrip())
    if match := _BARE_CODE.match(line):
        code, code_args, text = match.groups()
        return _status(None, b"OK", code, code_args, b"" if is_cut else text)
    # Without the response's text: it may be that of a message, and errors are logged.
    raise ProtocolError("not an IMAP response")


def _status(
    tag: bytes | None,
    status: bytes,
    code: bytes | None,
    code_args: bytes | None,
    text: bytes,
) -> Status:
    return Status(
        tag,
        status.decode().upper(),
        code.decode().upper() if code else None,
        code_args or b"",
        text.decode(errors="replace"),
    )


def parse_values(parts: Parts, limit: int = MAX_TOKENS) -> tuple[Value, ...]:
    """Parse lines and literals into values, reading at most `limit` tokens; never raises."""
    return read_values(parts, limit).values


def read_values(parts: Parts, limit: int) -> Values:
    """Read lines and literals, at most `limit` tokens.

    An unclosed list ends with the response, a surplus parenthesis is ignored.
    """
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
        elif skipped:
            continue
        elif kind == "atom":
            if octets in _NIL:
                values.append(None)
            else:
                values.append(octets if len(outer) > 1 else Atom(octets))
        else:
            values.append(octets if kind != "escaped" else _unescape(octets))
    is_unclosed = len(outer) > 1
    while outer:
        outer[-1].append(tuple(values))
        values = outer.pop()
    return Values(tuple(values), count, is_unclosed)


def _tokens(parts: Parts) -> Iterator[tuple[str, bytes]]:
    for index in range(0, len(parts), 2):
        line, end = parts[index], len(parts[index])
        literal = parts[index + 1] if index + 1 < len(parts) else None
        if literal is not None and (found := _ANNOUNCEMENT.search(line, end - 14)):
            # Also without a space before it (GreenMail#187) and after an unclosed quote.
            end = found.start()
        for match in _TOKEN.finditer(line, 0, end):
            kind = match.lastgroup or "atom"
            if kind != "spaces":
                yield kind, match[kind]
        if literal is not None:
            yield "literal", literal


def _unescape(octets: bytes) -> bytes:
    if b"\\" not in octets:
        return octets
    # NUL is not allowed in a quoted string (RFC 3501 9).
    octets = octets.replace(b"\\\\", b"\0").replace(b"\\", b"")
    return octets.replace(b"\0", b"\\")


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
    match = _SEARCH_TAG.match(data.parts[0])
    return match[1] if match else b""


def parse_search_count(data: Data) -> int:
    """Return the number of messages in a SEARCH response, or COUNT of an ESEARCH response."""
    if data.name == "SEARCH":
        # "(MODSEQ n)" may follow the numbers (RFC 7162 3.1.5).
        octets = data.parts[0].partition(b"(")[0].strip()
        if b"  " in octets or b"\t" in octets:
            octets = b" ".join(octets.split())
        return octets.count(b" ") + 1 if octets else 0
    values = parse_values(data.parts, MAX_NUMBERS)
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
