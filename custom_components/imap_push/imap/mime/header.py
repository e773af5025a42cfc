"""Convert header fields and BODYSTRUCTURE of any octets into a `Mail` of limited size."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import chain, islice
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
from .encoded_words import decode_encoded_words
from .lexemes import lexemes, unquoted
from .parameters import MAX_FIELD, unfold

HEADER_FIELDS: Final = (
    "FROM TO CC REPLY-TO SUBJECT DATE MESSAGE-ID LIST-ID PRECEDENCE AUTO-SUBMITTED"
    " AUTHENTICATION-RESULTS DELIVERED-TO X-ORIGINAL-TO"
)
# Fields of HEADER_FIELDS in which servers write to whom they delivered a message: an alias, a
# member of a list, or a recipient in Bcc.
_ALIASES: Final = (b"delivered-to", b"x-original-to")
# Octets of the header that are requested.
MAX_HEADER: Final = 65_536
# The items of FETCH; UID comes first, so that it is known even if the rest cannot be parsed.
FETCH_ITEMS: Final = (
    "(UID FLAGS INTERNALDATE RFC822.SIZE"
    f" BODY.PEEK[HEADER.FIELDS ({HEADER_FIELDS})]<0.{MAX_HEADER}> BODYSTRUCTURE)"
)
# The items for a message whose structure or header the server cannot return.
BARE_ITEMS: Final = "(UID FLAGS INTERNALDATE RFC822.SIZE)"
# The items for the newest message of a folder: those that an entity shows, and its Message-ID,
# which identifies it after UIDVALIDITY changed.
NEWEST_ITEMS: Final = (
    "(UID FLAGS INTERNALDATE RFC822.SIZE"
    " BODY.PEEK[HEADER.FIELDS (FROM SUBJECT DATE MESSAGE-ID)]<0.8192>)"
)

_FIELD: Final = re.compile(
    rb"^[ \t\r\v\f]*+(%b)[ \t\r\v\f]*+:([^\n]*+)"
    % HEADER_FIELDS.replace(" ", "|").encode(),
    re.MULTILINE | re.IGNORECASE,
)

# Limits for To and, separately, for Cc: addresses that filters use, and octets that are parsed.
MAX_RECIPIENTS: Final = 2_000
_MAX_RECIPIENT_OCTETS: Final = 65_536

# Limits of the fields in octets of JSON; together they keep an event far below 32 KB.
_MAX_SUBJECT: Final = 2_000
_MAX_NAME: Final = 500
_MAX_ADDRESS: Final = 400
_MAX_ADDRESSES: Final = 4_000
_MAX_MESSAGE_ID: Final = 1_000
_MAX_FLAGS: Final = 2_000

# Fields that `parse_headers` returns, and octets that it decodes.
MAX_FIELDS: Final = 500
_MAX_DECODED: Final = 131_072

_BULK_PRECEDENCE: Final = frozenset({"bulk", "list", "junk"})
# A keyword or system flag (RFC 3501 9); some servers have keywords that are not ASCII.
_FLAG: Final = re.compile(r'\\?[^\s(){%*"\\]+')


def parse_mail(
    folder: str, uid_validity: int, uid: int, items: Mapping[str, Value]
) -> Mail:
    """Convert the items of a FETCH response into a `Mail`.

    The header in `BODY` may consist of several sections in a row. The header uses the budget
    first, the attachments use the rest.
    """
    budget = Budget()
    structure = parse_structure(items.get("BODYSTRUCTURE"), budget)
    if structure:
        budget.set_fallback(partial(codecs_of, structure))
    header = _Header(items.get("BODY"), budget)
    authors = [*header.mailboxes(b"from", MAX_FIELD)]
    sender = _sender(authors, header)
    to = _recipients(header, b"to", _MAX_RECIPIENT_OCTETS)
    cc = _recipients(header, b"cc", _MAX_RECIPIENT_OCTETS)
    reply_to = _recipients(header, b"reply-to", MAX_FIELD)
    aliases = (_recipients(header, name, MAX_FIELD) for name in _ALIASES)
    return Mail(
        folder=folder,
        uid_validity=uid_validity,
        uid=uid,
        message_id=budget.text(header.line(b"message-id"), _MAX_MESSAGE_ID) or None,
        sender=_address(sender.address, budget),
        sender_name=budget.text(decode_encoded_words(sender.name, budget), _MAX_NAME),
        to=budget.items(to, _MAX_ADDRESSES),
        cc=budget.items(cc, _MAX_ADDRESSES),
        reply_to=budget.items(reply_to, _MAX_ADDRESSES),
        recipients=(*to, *cc, *chain.from_iterable(aliases)),
        subject=budget.text(
            decode_encoded_words(header.octets(b"subject"), budget), _MAX_SUBJECT
        ),
        date=parse_date(header.octets(b"date")),
        received=parse_internal_date(items.get("INTERNALDATE")),
        size=parse_number(items.get("RFC822.SIZE")),
        flags=budget.items(_flags(items.get("FLAGS")), _MAX_FLAGS),
        bulk=_is_bulk(header),
        authentication=_authentication(header, len(authors)),
        attachments=attachments_of(structure, budget),
        # Without BODYSTRUCTURE, which may be too large to fetch, attachments are unknown.
        truncated=budget.truncated or "BODYSTRUCTURE" not in items,
    )


def parse_headers(header: bytes) -> tuple[tuple[str, str], ...]:
    """Return name and text of each field in order (RFC 5322 2.2). Accepts any octets."""
    budget = Budget(_MAX_DECODED)
    fields: list[tuple[str, str]] = []
    for line in unfold(header).split(b"\n"):
        name, colon, value = line[:MAX_FIELD].partition(b":")
        if colon and len(fields) < MAX_FIELDS:
            text = decode_encoded_words(value, budget)
            fields.append((one_line(budget.decode(name)), text))
    return tuple((name, text) for name, text in fields if name)


class _Header:
    """The fields of a header by lower-case name, each limited in size."""

    def __init__(self, raw: Value, budget: Budget) -> None:
        self._budget = budget
        self._fields: dict[bytes, list[bytes]] = {}
        # The value of the last field if the header is truncated.
        self._cut: bytes | None = None
        header = raw if isinstance(raw, bytes) else b""
        is_cut = len(header) == MAX_HEADER
        if is_cut:
            # The header has the maximum length, so its last line may be incomplete.
            header = budget.cut(header, MAX_HEADER - 1, b"\n")
        # A CR alone is not a line end: a Subject could inject a From field with it.
        for name, value in _FIELD.findall(unfold(header)):
            self._cut = value.strip()
            self._fields.setdefault(name.lower(), []).append(self._cut)
        if not is_cut:
            self._cut = None

    def octets(self, name: bytes, separator: bytes = b" ") -> bytes:
        """Return the topmost field with this name; a long one is cut at a separator."""
        if not (fields := self._fields.get(name)):
            return b""
        field = fields[0]
        is_long = len(field) > MAX_FIELD
        return self._budget.cut(field, MAX_FIELD, separator) if is_long else field

    def line(self, name: bytes) -> str:
        """Return the topmost field with this name as one line, without RFC 2047 decoding."""
        if name not in self._fields:
            return ""
        return self._budget.line_counted(self._budget.spend(self.octets(name)))

    def complete(self, name: bytes) -> bytes:
        """Return the topmost field with this name, b"" if it is too long or truncated."""
        field = self._fields.get(name, [b""])[0]
        return b"" if self._is_cut(field, MAX_FIELD) else field

    def _is_cut(self, field: bytes, limit: int) -> bool:
        return field is self._cut or len(field) > limit

    def mailboxes(self, name: bytes, limit: int) -> Iterable[Mailbox]:
        """Return the mailboxes of all fields with this name, up to `limit` octets in total."""
        if not (fields := self._fields.get(name)):
            return ()
        if len(fields) != 1 or self._is_cut(fields[0], limit):
            return self._mailboxes(fields, limit)
        return mailboxes(fields[0])

    def _mailboxes(self, fields: Iterable[bytes], limit: int) -> Iterator[Mailbox]:
        for field in fields:
            kept = field[:limit]
            if self._is_cut(field, limit):
                self._budget.truncated = True
                kept = complete_entries(kept)
            limit -= len(kept)
            # Each field separately: an unclosed quote must not affect the next one.
            yield from mailboxes(kept)


def _sender(authors: list[Mailbox], header: _Header) -> Mailbox:
    """Return the first author with a domain, or the first author, or the raw field as a name."""
    for author in authors:
        if "@" in author.address:
            return author
    if authors:
        return authors[0]
    # A truncated field could end with the address of another person.
    field = header.complete(b"from")
    # The null path of `MAILER DAEMON <>` and enclosing quotes are not part of the name.
    name = field.removesuffix(b"<>").strip()
    quoted = [octets for kind, octets in lexemes(name) if kind == "quoted"]
    return Mailbox(unquoted(name) if quoted == [name] else name or field, "")


def _address(address: str, budget: Budget) -> str:
    """Return an address; of one that is too long, only its end, which has the domain."""
    # A short one fits: a character takes up to six octets of JSON.
    while len(address) > _MAX_ADDRESS // 7 and json_size(address) > _MAX_ADDRESS:
        budget.truncated = True
        address = address[-_MAX_ADDRESS:][len(address) // 4 :]
    return address


def _recipients(header: _Header, name: bytes, limit: int) -> tuple[str, ...]:
    found = header.mailboxes(name, limit)
    return tuple(box.address for box in islice(found, MAX_RECIPIENTS))


def _authentication(header: _Header, authors: int) -> Authentication | None:
    """Return the topmost results, as a server adds its own above all others (RFC 8601 5).

    DMARC evaluates a single author: if there are several, the result is left out.
    """
    if not (field := header.octets(b"authentication-results", b";")):
        return None
    found = parse_authentication(field)
    return found._replace(dmarc=None) if found and authors > 1 else found


def _flags(value: Value) -> Iterator[str]:
    """Yield the valid flags: a string in the response may contain any characters."""
    return (
        flag
        for flag in parse_strings(value)
        if _FLAG.fullmatch(flag) and visible(flag) == flag
    )


def _is_bulk(header: _Header) -> bool:
    """Return True if a mailing list or a program sent the message (RFC 2919, RFC 3834)."""
    automatic = header.line(b"auto-submitted").partition(";")[0].strip().lower()
    return (
        bool(header.line(b"list-id"))
        or header.line(b"precedence").lower() in _BULK_PRECEDENCE
        or automatic not in {"", "no"}
    )
