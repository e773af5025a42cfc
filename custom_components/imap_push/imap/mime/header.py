"""Header fields and BODYSTRUCTURE -> `Mail`: total on any bytes, bounded in size."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
import re
from typing import Final

from ..models import Mail
from ..responses import Value, parse_internal_date, parse_number, parse_strings
from .body_structure import attachments_of
from .budget import Budget
from .characters import one_line, visible
from .encoded_words import decode_words
from .parameters import MAX_FIELD, unfold

HEADER_FIELDS: Final = (
    "FROM TO CC REPLY-TO SUBJECT DATE MESSAGE-ID LIST-ID PRECEDENCE AUTO-SUBMITTED"
)
# Octets of the header that are asked for.
MAX_HEADER: Final = 65_536
# What FETCH asks for; UID first, so that it is known whatever the rest looks like.
FETCH_ITEMS: Final = (
    "(UID FLAGS INTERNALDATE RFC822.SIZE"
    f" BODY.PEEK[HEADER.FIELDS ({HEADER_FIELDS})]<0.{MAX_HEADER}> BODYSTRUCTURE)"
)

# What it asks for where the server cannot show the structure or the header of a message.
BARE_ITEMS: Final = "(UID FLAGS INTERNALDATE RFC822.SIZE)"
# What it asks for of a folder's newest message: no more than what is shown of it.
NEWEST_ITEMS: Final = (
    "(UID FLAGS INTERNALDATE RFC822.SIZE"
    " BODY.PEEK[HEADER.FIELDS (FROM SUBJECT DATE)]<0.8192>)"
)

# Octets of JSON that a field may take; together they keep an event far below 32 KB.
_MAX_SUBJECT: Final = 2_000
_MAX_NAME: Final = 500
_MAX_ADDRESS: Final = 400
_MAX_ADDRESSES: Final = 4_000
_MAX_MESSAGE_ID: Final = 1_000
_MAX_FLAGS: Final = 2_000

_BULK_PRECEDENCE: Final = frozenset({"bulk", "list", "junk"})
# A keyword or system flag (RFC 3501 9); some servers have keywords that are not ASCII.
_FLAG: Final = re.compile(r'\\?[^\s(){%*"\\]+')

# Each alternative ends where it stops matching, so that no octet is looked at again and again.
_LEXEME: Final = re.compile(
    r"""
      (?P<quoted>"(?:[^"\\]|\\.)*+"?)
    | (?P<comment>\()
    | <(?P<angle>(?:"(?:[^"\\]|\\.)*+"?|[^<>"])*+)>?
    | (?P<group>:)
    | (?P<end>[,;])
    | (?P<text>=\?[^?\s]*\?[bqBQ]\?[^?\s]*\?=|\[[^][<>"(]*\]|\\.|[^]["(<:,;=\\]+|.)
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_BLANKS: Final = " \t\r\n\f\v"
_PARENTHESIS: Final = re.compile(r"\\.|[()]")
_ESCAPED: Final = re.compile(r"\\(.)")
_ADDRESS: Final = re.compile(r'(?:"(?:[^"\\]|\\.)*+"|[^\s"@<>]+)@[^\s"@<>]+', re.ASCII)


def parse_mail(
    folder: str, uid_validity: int, uid: int, items: Mapping[str, Value]
) -> Mail:
    """Return the mail that the items of a FETCH response tell of.

    The header comes first: what it leaves of the budget is for the attachments.
    """
    budget = Budget()
    header = _Header(items.get("BODY"), budget)
    sender_name, sender = _sender(header, budget)
    return Mail(
        folder=folder,
        uid_validity=uid_validity,
        uid=uid,
        message_id=budget.text(header.line(b"message-id"), _MAX_MESSAGE_ID) or None,
        sender=budget.text(sender, _MAX_ADDRESS),
        sender_name=budget.text(sender_name, _MAX_NAME),
        to=budget.items(_addresses(header, b"to", budget), _MAX_ADDRESSES),
        cc=budget.items(_addresses(header, b"cc", budget), _MAX_ADDRESSES),
        reply_to=budget.items(_addresses(header, b"reply-to", budget), _MAX_ADDRESSES),
        subject=budget.text(
            decode_words(header.octets(b"subject"), budget), _MAX_SUBJECT
        ),
        date=_date(header),
        received=parse_internal_date(items.get("INTERNALDATE")),
        size=parse_number(items.get("RFC822.SIZE")),
        flags=budget.items(_flags(items.get("FLAGS")), _MAX_FLAGS),
        bulk=_is_bulk(header),
        attachments=attachments_of(items.get("BODYSTRUCTURE"), budget),
        # A structure that is too large is not fetched: the message may have attachments.
        truncated=budget.truncated or "BODYSTRUCTURE" not in items,
    )


class _Header:
    """The fields of a header by lower-case name; the first of a name counts."""

    def __init__(self, raw: Value, budget: Budget) -> None:
        self._budget = budget
        self._fields: dict[bytes, bytes] = {}
        header = raw if isinstance(raw, bytes) else b""
        # What is as long as was asked for at the most may go on.
        header = unfold(budget.cut(header, MAX_HEADER - 1, b"\n"))
        # A lone CR ends no line: a subject could bring a From with it.
        for line in header.split(b"\n"):
            name, colon, value = line.partition(b":")
            if colon:
                self._fields.setdefault(name.strip().lower(), value.strip())

    def octets(self, name: bytes, separator: bytes = b" ") -> bytes:
        """Return a field; where it is cut, only what a separator ends is kept."""
        return self._budget.cut(self._fields.get(name, b""), MAX_FIELD, separator)

    def line(self, name: bytes) -> str:
        """Return a field without encoded words as one line."""
        return one_line(self._budget.decode(self.octets(name)))


def _flags(value: Value) -> Iterator[str]:
    """Yield the valid flags: a server may put anything into a string."""
    return (
        flag
        for flag in parse_strings(value)
        if _FLAG.fullmatch(flag) and visible(flag) == flag
    )


def _addresses(header: _Header, name: bytes, budget: Budget) -> Iterator[str]:
    field = budget.take(header.octets(name, b","))
    return (address for _, address in _mailboxes(field, budget))


def _sender(header: _Header, budget: Budget) -> tuple[str, str]:
    """Return display name and address of From, or its text as the name if it has no address."""
    field = header.octets(b"from", b",")
    name, address = next(_mailboxes(field, budget), (field, ""))
    return decode_words(name, budget), address


def _mailboxes(field: bytes, budget: Budget) -> Iterator[tuple[bytes, str]]:
    """Yield display name, not decoded, and address of each mailbox (RFC 5322 3.4).

    One with an invisible character is skipped: without it, it would be the address of another.
    The library takes `a@b` in `a@b <c@d>` for the address or, strict, refuses the whole field.
    """
    name = bare = comment = angle = ""
    for kind, text in _lexemes(field.decode("latin-1")):
        match kind:
            case "comment":
                comment = text
            case "angle":
                angle = text.strip(_BLANKS)
            case "group":
                name = bare = ""
            case "end":
                address = angle or bare.strip(_BLANKS)
                shown = name.strip(_BLANKS) if angle else ""
                if _ADDRESS.fullmatch(address):
                    address = budget.decode_counted(address.encode("latin-1"))
                    if visible(address) == address:
                        yield (shown or comment).encode("latin-1"), address
                # The comma of an unquoted `Doe, John <john@example.com>`.
                goes_on = text == "," and not angle and "@" not in bare
                name = name.strip(_BLANKS) if goes_on else ""
                name = name and f"{name}, "
                bare = comment = angle = ""
            case "quoted":
                name += _ESCAPED.sub(r"\1", text[1:].removesuffix('"'))
                bare += text
            case _:
                name += text
                bare += text


def _lexemes(field: str) -> Iterator[tuple[str, str]]:
    """Cut an address field into lexemes; the last one is an "end"."""
    position = 0
    while match := _LEXEME.match(field, position):
        kind = match.lastgroup or "text"
        start, position = match.span(kind)
        position = match.end()
        if kind == "comment":
            position = _end_of_comment(field, position)
            yield kind, field[start + 1 : position - 1]
        else:
            yield kind, match[kind]
    yield "end", ""


def _end_of_comment(field: str, position: int) -> int:
    """Return where the comment ends that is open here; comments nest."""
    depth = 1
    for match in _PARENTHESIS.finditer(field, position):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    return len(field)


def _date(header: _Header) -> datetime | None:
    try:
        date = parsedate_to_datetime(header.line(b"date"))
        # -0000 is a time whose zone is not known (RFC 5322 3.3).
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        date.astimezone(UTC)
    except IndexError, OverflowError, TypeError, ValueError:
        return None
    return date


def _is_bulk(header: _Header) -> bool:
    """Return if a list or a machine sent it (RFC 2919, RFC 3834)."""
    automatic = header.line(b"auto-submitted").partition(";")[0].strip().lower()
    return (
        bool(header.line(b"list-id"))
        or header.line(b"precedence").lower() in _BULK_PRECEDENCE
        or automatic not in {"", "no"}
    )
