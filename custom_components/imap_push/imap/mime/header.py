"""Header fields and BODYSTRUCTURE -> `Mail`: total on any bytes, bounded in size."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache, partial
from itertools import islice
import re
from typing import Final

from ..models import Authentication, Mail
from ..wire.parser import Value, parse_internal_date, parse_number, parse_strings
from .addresses import Mailbox, complete_entries, mailboxes
from .attachments import attachments_of
from .authentication import parse_authentication
from .body_structure import parse_structure
from .body_text import codecs_of
from .budget import Budget, json_size
from .characters import one_line, visible
from .dates import parse_date
from .encoded_words import decode_words
from .lexemes import content, lexemes
from .parameters import MAX_FIELD, unfold

HEADER_FIELDS: Final = (
    "FROM TO CC REPLY-TO SUBJECT DATE MESSAGE-ID LIST-ID PRECEDENCE AUTO-SUBMITTED"
    " AUTHENTICATION-RESULTS"
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

_FIELD_NAMES: Final = frozenset(HEADER_FIELDS.lower().encode().split())

# Addresses of To, and of Cc, that filters see, and octets that are read of all To fields
# together, and of all Cc fields.
MAX_RECIPIENTS: Final = 2_000
_MAX_RECIPIENT_OCTETS: Final = 65_536

# Octets of JSON that a field may take; together they keep an event far below 32 KB.
_MAX_SUBJECT: Final = 2_000
_MAX_NAME: Final = 500
_MAX_ADDRESS: Final = 400
_MAX_ADDRESSES: Final = 4_000
_MAX_MESSAGE_ID: Final = 1_000
_MAX_FLAGS: Final = 2_000

# Fields that `parse_headers` returns, and octets that it decodes: the header, of up to 64 KB, and
# encoded words once more.
MAX_FIELDS: Final = 500
_MAX_DECODED: Final = 131_072

_BULK_PRECEDENCE: Final = frozenset({"bulk", "list", "junk"})
# A keyword or system flag (RFC 3501 9); some servers have keywords that are not ASCII.
_FLAG: Final = re.compile(r'\\?[^\s(){%*"\\]+')


def parse_mail(
    folder: str, uid_validity: int, uid: int, items: Mapping[str, Value]
) -> Mail:
    """Return the mail that the items of a FETCH response describe.

    The header in `BODY` may be several sections in a row. It comes first: what it leaves of the
    budget is for the attachments.
    """
    budget = Budget()
    structure = parse_structure(items.get("BODYSTRUCTURE"), budget)
    if structure:
        budget.others = cache(partial(codecs_of, structure))
    header = _Header(items.get("BODY"), budget)
    authors = [*header.mailboxes(b"from", MAX_FIELD)]
    sender = _sender(authors, header)
    to, cc = (_recipients(header, name) for name in (b"to", b"cc"))
    reply_to = islice(header.mailboxes(b"reply-to", MAX_FIELD), MAX_RECIPIENTS)
    return Mail(
        folder=folder,
        uid_validity=uid_validity,
        uid=uid,
        message_id=budget.text(header.line(b"message-id"), _MAX_MESSAGE_ID) or None,
        sender=_address(sender.address, budget),
        sender_name=budget.text(decode_words(sender.name, budget), _MAX_NAME),
        to=budget.items(to, _MAX_ADDRESSES),
        cc=budget.items(cc, _MAX_ADDRESSES),
        reply_to=budget.items((box.address for box in reply_to), _MAX_ADDRESSES),
        recipients=to + cc,
        subject=budget.text(
            decode_words(header.octets(b"subject"), budget), _MAX_SUBJECT
        ),
        date=parse_date(header.octets(b"date")),
        received=parse_internal_date(items.get("INTERNALDATE")),
        size=parse_number(items.get("RFC822.SIZE")),
        flags=budget.items(_flags(items.get("FLAGS")), _MAX_FLAGS),
        bulk=_is_bulk(header),
        authentication=_authentication(header, len(authors)),
        attachments=attachments_of(structure, budget),
        # A structure that is too large is not fetched: the message may have attachments.
        truncated=budget.truncated or "BODYSTRUCTURE" not in items,
    )


def parse_headers(header: bytes) -> tuple[tuple[str, str], ...]:
    """Return name and text of each field in order (RFC 5322 2.2); total on any bytes."""
    budget = Budget(_MAX_DECODED)
    fields: list[tuple[str, str]] = []
    for line in unfold(header).split(b"\n"):
        name, colon, value = line[:MAX_FIELD].partition(b":")
        if colon and len(fields) < MAX_FIELDS:
            text = decode_words(value, budget)
            fields.append((one_line(budget.decode(name)), text))
    return tuple((name, text) for name, text in fields if name)


class _Header:
    """The fields of a header by lower-case name, each with its own bound."""

    def __init__(self, raw: Value, budget: Budget) -> None:
        self._budget = budget
        self._fields: dict[bytes, list[bytes]] = {}
        # The value of the field in which the header is cut.
        self._cut: bytes | None = None
        header = raw if isinstance(raw, bytes) else b""
        is_cut = len(header) == MAX_HEADER
        if is_cut:
            # As long as what was asked for: the last line may be cut.
            header = budget.cut(header, MAX_HEADER - 1, b"\n")
        # A lone CR ends no line: a subject could bring a From with it.
        for line in unfold(header).split(b"\n"):
            name, colon, value = line.partition(b":")
            name = name.strip().lower()
            if colon and name in _FIELD_NAMES:
                value = value.strip()
                self._fields.setdefault(name, []).append(value)
                self._cut = value if is_cut else None

    def octets(self, name: bytes, separator: bytes = b" ") -> bytes:
        """Return the topmost field of a name; if it is cut, then at a separator."""
        fields = self._fields.get(name)
        return self._budget.cut(fields[0], MAX_FIELD, separator) if fields else b""

    def line(self, name: bytes) -> str:
        """Return the topmost field of a name, without encoded words, as one line."""
        octets = self.octets(name)
        return one_line(self._budget.decode(octets)) if octets else ""

    def whole(self, name: bytes) -> bytes:
        """Return the topmost field of a name, b"" if it would be cut."""
        field = self._fields.get(name, [b""])[0]
        return b"" if self._is_cut(field, MAX_FIELD) else field

    def _is_cut(self, field: bytes, limit: int) -> bool:
        return field is self._cut or len(field) > limit

    def mailboxes(self, name: bytes, limit: int) -> Iterator[Mailbox]:
        """Yield the mailboxes of all fields of a name, which may have `limit` octets together."""
        for field in self._fields.get(name, ()):
            kept = field[:limit]
            if self._is_cut(field, limit):
                self._budget.truncated = True
                kept = complete_entries(kept)
            limit -= len(kept)
            # Each on its own: a quote that is open in one does not change the next.
            yield from mailboxes(kept)


def _sender(authors: list[Mailbox], header: _Header) -> Mailbox:
    """Return the first author with a domain, or the first, or From as a name without an address."""
    for author in authors:
        if "@" in author.address:
            return author
    if authors:
        return authors[0]
    # What is left of a field that is cut could be the address of someone else.
    field = header.whole(b"from")
    # The null path of `MAILER DAEMON <>` is not part of the name, nor are quotes around it.
    name = field.removesuffix(b"<>").strip()
    quoted = [octets for kind, octets in lexemes(name) if kind == "quoted"]
    return Mailbox(content(name) if quoted == [name] else name or field, "")


def _address(address: str, budget: Budget) -> str:
    """Return an address; of one that is too long the end, so that the domain is the real one."""
    while json_size(address) > _MAX_ADDRESS:
        budget.truncated = True
        address = address[-_MAX_ADDRESS:][len(address) // 4 :]
    return address


def _recipients(header: _Header, name: bytes) -> tuple[str, ...]:
    found = header.mailboxes(name, _MAX_RECIPIENT_OCTETS)
    return tuple(box.address for box in islice(found, MAX_RECIPIENTS))


def _authentication(header: _Header, authors: int) -> Authentication | None:
    """Return the topmost results: a server adds its own above all others (RFC 8601 5).

    DMARC is about one author: with several, it would be unclear which one it is.
    """
    found = parse_authentication(header.octets(b"authentication-results", b";"))
    return replace(found, dmarc=None) if found and authors > 1 else found


def _flags(value: Value) -> Iterator[str]:
    """Yield the valid flags: a server may put anything into a string."""
    return (
        flag
        for flag in parse_strings(value)
        if _FLAG.fullmatch(flag) and visible(flag) == flag
    )


def _is_bulk(header: _Header) -> bool:
    """Return if a list or a machine sent it (RFC 2919, RFC 3834)."""
    automatic = header.line(b"auto-submitted").partition(";")[0].strip().lower()
    return (
        bool(header.line(b"list-id"))
        or header.line(b"precedence").lower() in _BULK_PRECEDENCE
        or automatic not in {"", "no"}
    )
