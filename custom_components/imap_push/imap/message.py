"""Header fields and BODYSTRUCTURE -> `Mail`: total on any bytes, bounded in size."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header
from email.utils import getaddresses, parsedate_to_datetime
import json
import re
from typing import Final
from urllib.parse import unquote_to_bytes

from .models import Attachment, Mail
from .responses import Value, parse_internal_date, parse_number, parse_strings

HEADER_FIELDS: Final = (
    "FROM TO CC REPLY-TO SUBJECT DATE MESSAGE-ID LIST-ID PRECEDENCE AUTO-SUBMITTED"
)
# What FETCH asks for; UID first, so that it is known whatever the rest looks like.
FETCH_ITEMS: Final = (
    "(UID FLAGS INTERNALDATE RFC822.SIZE"
    f" BODY.PEEK[HEADER.FIELDS ({HEADER_FIELDS})] BODYSTRUCTURE)"
)

# Octets of JSON that a field may take; together they keep an event far below 32 KB.
_SUBJECT: Final = 2_000
_NAME: Final = 500
_ADDRESS: Final = 400
_ADDRESSES: Final = 4_000
_MESSAGE_ID: Final = 1_000
_FLAGS: Final = 2_000
_ATTACHMENTS: Final = 6_000
# Octets of the header, and of one field of it, that are looked at.
_MAX_HEADER: Final = 65_536
_MAX_FIELD: Final = 6_000
_MAX_DEPTH: Final = 20

_BULK_PRECEDENCE: Final = frozenset({"bulk", "list", "junk"})
_FOLD: Final = re.compile(rb"\r?\n[ \t]+")
_SPACES: Final = re.compile(r"[\s\0-\x1f\x7f\u2028\u2029]+")


def parse_mail(
    folder: str, uid_validity: int, uid: int, items: Mapping[str, Value]
) -> Mail:
    """Return the mail that the items of a FETCH response tell of."""
    cut = _Cutter()
    header = _fields(items.get("BODY"), cut)
    sender_name, sender = _sender(header)
    return Mail(
        folder=folder,
        uid_validity=uid_validity,
        uid=uid,
        message_id=cut.text(_decoded(header, "message-id"), _MESSAGE_ID) or None,
        sender=cut.text(sender, _ADDRESS),
        sender_name=cut.text(sender_name, _NAME),
        to=cut.items(_addresses(header, "to"), _ADDRESSES),
        cc=cut.items(_addresses(header, "cc"), _ADDRESSES),
        reply_to=cut.items(_addresses(header, "reply-to"), _ADDRESSES),
        subject=cut.text(_decoded(header, "subject"), _SUBJECT),
        date=_date(header),
        received=parse_internal_date(items.get("INTERNALDATE")),
        size=parse_number(items.get("RFC822.SIZE")),
        flags=cut.items(parse_strings(items.get("FLAGS")), _FLAGS),
        attachments=_attachments(items.get("BODYSTRUCTURE"), cut),
        bulk=_is_bulk(header),
        truncated=cut.truncated,
    )


class _Cutter:
    """Keeps fields within their size and remembers if one had to be cut."""

    def __init__(self) -> None:
        self.truncated = False

    def text(self, text: str, limit: int) -> str:
        """Return as much of a text as fits."""
        text = _writable(text)
        # A character takes up to six octets.
        if len(text) <= limit // 6 or _json_size(text) <= limit:
            return text
        self.truncated = True
        text = text[:limit]
        while _json_size(text) > limit:
            text = text[: len(text) * 3 // 4]
        return text

    def items(self, texts: Iterable[str], limit: int) -> tuple[str, ...]:
        """Return as many of the texts, from the first on, as fit."""
        kept: list[str] = []
        for candidate in texts:
            text = _writable(candidate)
            limit -= _json_size(text) + 2
            if limit < 0:
                self.truncated = True
                break
            kept.append(text)
        return tuple(kept)


def _writable(text: str) -> str:
    """Return a text without the lone surrogates that charsets such as UTF-7 can smuggle in."""
    return text.encode("utf-8", "replace").decode()


def _json_size(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode())


def _fields(raw: Value, cut: _Cutter) -> dict[str, str]:
    """Return the fields of a header, unfolded, by lower-case name; the first of a name counts."""
    header = raw[:_MAX_HEADER] if isinstance(raw, bytes) else b""
    fields: dict[str, str] = {}
    for line in _FOLD.sub(b" ", header).splitlines():
        name, colon, value = line.partition(b":")
        if colon:
            cut.truncated |= len(value) > _MAX_FIELD
            text = _SPACES.sub(" ", _to_text(value[:_MAX_FIELD])).strip()
            fields.setdefault(name.decode("latin-1").strip().lower(), text)
    return fields


def _to_text(octets: bytes, charset: str = "utf-8") -> str:
    """Return octets as text: in their charset, else UTF-8, else Latin-1."""
    for candidate in (charset, "utf-8"):
        try:
            return octets.decode(candidate)
        except LookupError, ValueError:
            continue
    return octets.decode("latin-1")


def _decode_words(text: str) -> str:
    """Return a text with its encoded words decoded (RFC 2047); what cannot be stays as it is."""
    if "=?" not in text:
        return text
    try:
        chunks = decode_header(text)
    except HeaderParseError, ValueError:
        return text
    decoded = "".join(
        # The library hands the text between encoded words over in this escape.
        chunk
        if isinstance(chunk, str)
        else _to_text(chunk, charset or "raw-unicode-escape")
        for chunk, charset in chunks
    )
    return _SPACES.sub(" ", decoded).strip()


def _decoded(header: Mapping[str, str], name: str) -> str:
    return _decode_words(header.get(name, ""))


def _pairs(header: Mapping[str, str], name: str) -> Iterator[tuple[str, str]]:
    """Yield (display name, address) for each address of a field."""
    for display_name, address in _split_addresses(header.get(name, "")):
        if address:
            yield _decode_words(display_name), _decode_words(address)


def _split_addresses(field: str) -> list[tuple[str, str]]:
    # Strict parsing gives nothing at all for a field with one bad address in it.
    for strict in (True, False):
        try:
            pairs = getaddresses([field], strict=strict) if field else []
        except IndexError, RecursionError, ValueError:
            continue
        if any(address for _, address in pairs):
            return pairs
    return []


def _addresses(header: Mapping[str, str], name: str) -> Iterator[str]:
    return (address for _, address in _pairs(header, name))


def _sender(header: Mapping[str, str]) -> tuple[str, str]:
    """Return display name and address of From, or its text as the name if it has no address."""
    pairs = list(_pairs(header, "from"))
    for display_name, address in pairs:
        if "@" in address:
            return display_name, address
    return _decoded(header, "from"), ""


def _date(header: Mapping[str, str]) -> datetime | None:
    try:
        date = parsedate_to_datetime(header.get("date", ""))
        # -0000 is a time whose zone is not known (RFC 5322 3.3).
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        date.astimezone(UTC)
    except IndexError, OverflowError, TypeError, ValueError:
        return None
    return date


def _is_bulk(header: Mapping[str, str]) -> bool:
    """Return if a list or a machine sent it (RFC 2919, RFC 3834)."""
    automatic = header.get("auto-submitted", "").lower()
    return (
        bool(header.get("list-id"))
        or header.get("precedence", "").lower() in _BULK_PRECEDENCE
        or automatic not in {"", "no"}
    )


def _attachments(structure: Value, cut: _Cutter) -> tuple[Attachment, ...]:
    """Return the files among the parts of a BODYSTRUCTURE (RFC 3501 7.4.2)."""
    attachments: list[Attachment] = []
    limit = _ATTACHMENTS
    for number, part in _parts(structure):
        attachment = _attachment(number, part, cut)
        if attachment is None:
            continue
        limit -= 80 + _json_size(
            f"{attachment.filename}{attachment.content_type}{number}"
        )
        if limit < 0:
            cut.truncated = True
            break
        attachments.append(attachment)
    return tuple(attachments)


def _parts(structure: Value) -> Iterator[tuple[str, tuple[Value, ...]]]:
    """Yield part number and structure of each part that is no multipart, in order."""
    pending: list[tuple[str, Value, int]] = [("", structure, 0)]
    while pending:
        number, part, depth = pending.pop()
        if not isinstance(part, tuple) or not part or depth > _MAX_DEPTH:
            continue
        if not isinstance(part[0], tuple):
            yield number or "1", part
            continue
        prefix = f"{number}." if number else ""
        children = [
            child for child in part if isinstance(child, tuple) and _is_body(child)
        ]
        numbered = [
            (f"{prefix}{index}", child, depth + 1)
            for index, child in enumerate(children, 1)
        ]
        pending.extend(reversed(numbered))


def _is_body(part: tuple[Value, ...]) -> bool:
    """Return if a list in a multipart is one of its parts, and not a parameter or disposition."""
    return bool(part) and (isinstance(part[0], tuple) or len(part) >= 7)


def _attachment(
    number: str, part: tuple[Value, ...], cut: _Cutter
) -> Attachment | None:
    """Return the part as an attachment if it is one: it says so, or it has a file name."""
    fields = (*part, *(None,) * 7)
    media_type = f"{_string(fields[0])}/{_string(fields[1])}".lower()
    kind, disposition = _disposition(part)
    parameters = _parameters(fields[2])
    filename = disposition.get("filename") or parameters.get("name")
    if kind != "attachment" and not filename and media_type != "message/rfc822":
        return None
    return Attachment(
        part=number,
        filename=cut.text(filename, _NAME) if filename else None,
        content_type=cut.text(media_type, _NAME),
        size=parse_number(fields[6]),
    )


def _disposition(part: tuple[Value, ...]) -> tuple[str, dict[str, str]]:
    """Return kind and parameters of a part's Content-Disposition (RFC 2183)."""
    for value in part[7:]:
        if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], bytes):
            kind, parameters = value
            if isinstance(parameters, tuple) or parameters is None:
                return _string(kind).lower(), _parameters(parameters)
    return "", {}


def _parameters(value: Value) -> dict[str, str]:
    """Return parameters by lower-case name, with continuations joined (RFC 2231)."""
    if not isinstance(value, tuple):
        return {}
    pieces: dict[str, list[tuple[int, bool, bytes]]] = {}
    for key, octets in zip(value[::2], value[1::2], strict=False):
        name = _string(key).lower()
        base, _, order = name.rstrip("*").partition("*")
        if isinstance(octets, bytes):
            number = int(order) if order.isdecimal() and len(order) < 4 else 0
            piece = (number, name.endswith("*"), octets)
            pieces.setdefault(base, []).append(piece)
    return {name: _join(sorted(parts)) for name, parts in pieces.items()}


def _join(pieces: list[tuple[int, bool, bytes]]) -> str:
    """Join (order, encoded, octets) to a text; encoded is `charset'language'percent-encoded`."""
    charset, joined = "utf-8", b""
    for index, (_, encoded, octets) in enumerate(pieces):
        if encoded and index == 0 and octets.count(b"'") >= 2:
            name, _, octets = octets.split(b"'", 2)
            charset = name.decode("ascii", "replace") or charset
        joined += unquote_to_bytes(octets) if encoded else octets
    text = _decode_words(_to_text(joined[:_MAX_FIELD], charset))
    return _SPACES.sub(" ", text).strip()


def _string(value: Value) -> str:
    return _to_text(value[:_MAX_FIELD]) if isinstance(value, bytes) else ""
