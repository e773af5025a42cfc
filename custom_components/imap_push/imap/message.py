"""Header fields and BODYSTRUCTURE -> `Mail`: total on any bytes, bounded in size."""

import binascii
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import groupby, takewhile
import json
import re
from typing import Final
from urllib.parse import unquote_to_bytes

from .models import Attachment, Mail
from .responses import Value, parse_internal_date, parse_number, parse_strings

HEADER_FIELDS: Final = (
    "FROM TO CC REPLY-TO SUBJECT DATE MESSAGE-ID LIST-ID PRECEDENCE AUTO-SUBMITTED"
)
# Octets of the header that are asked for, and of one field of it that are looked at.
MAX_HEADER: Final = 65_536
MAX_FIELD: Final = 6_000
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
_MAX_ATTACHMENTS: Final = 6_000
# Parts of a mail that are looked at.
_MAX_PARTS: Final = 1_000

_BULK_PRECEDENCE: Final = frozenset({"bulk", "list", "junk"})
FOLD: Final = re.compile(rb"\r?\n[ \t]+")
SPACES: Final = re.compile(r"[\s\0-\x1f\x7f\u2028\u2029]+")
_LAST_CHARACTER: Final = re.compile(rb"[\xc0-\xff][\x80-\xbf]*$")

# An encoded word, its charset perhaps with a language (RFC 2047, RFC 2231 5), and a run of them.
_WORD: Final = re.compile(
    r"=\?([^?*\s]+)(?:\*[^?\s]*)?\?([bq])\?(.*?)\?=", re.IGNORECASE
)
_WORDS: Final = re.compile(rf"{_WORD.pattern}(?:\s*{_WORD.pattern})*+", re.IGNORECASE)

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
    re.VERBOSE | re.DOTALL,
)
_PARENTHESIS: Final = re.compile(r"\\.|[()]")
_ESCAPED: Final = re.compile(r"\\(.)")
_ADDRESS: Final = re.compile(r'(?:"(?:[^"\\]|\\.)*+"|[^\s"@<>]+)@[^\s"@<>]+')
_PARAMETER: Final = re.compile(rb"([^*]*)(?:\*(\d{1,3}))?(\*)?")


def parse_mail(
    folder: str, uid_validity: int, uid: int, items: Mapping[str, Value]
) -> Mail:
    """Return the mail that the items of a FETCH response tell of."""
    cut = _Cutter()
    header = _Header(items.get("BODY"), cut)
    sender_name, sender = _sender(header)
    return Mail(
        folder=folder,
        uid_validity=uid_validity,
        uid=uid,
        message_id=cut.text(header.text(b"message-id"), _MAX_MESSAGE_ID) or None,
        sender=cut.text(sender, _MAX_ADDRESS),
        sender_name=cut.text(sender_name, _MAX_NAME),
        to=cut.items(_addresses(header, b"to"), _MAX_ADDRESSES),
        cc=cut.items(_addresses(header, b"cc"), _MAX_ADDRESSES),
        reply_to=cut.items(_addresses(header, b"reply-to"), _MAX_ADDRESSES),
        subject=cut.text(decode_words(header.text(b"subject")), _MAX_SUBJECT),
        date=_date(header),
        received=parse_internal_date(items.get("INTERNALDATE")),
        size=parse_number(items.get("RFC822.SIZE")),
        flags=cut.items(parse_strings(items.get("FLAGS")), _MAX_FLAGS),
        attachments=_attachments(items.get("BODYSTRUCTURE"), cut),
        bulk=_is_bulk(header),
        truncated=cut.truncated,
    )


def fitting(text: str, limit: int) -> tuple[str, bool]:
    """Return as much of a text as fits into so many octets of JSON, and whether it was cut."""
    cut = _Cutter()
    return cut.text(text, limit), cut.truncated


class _Cutter:
    """Keeps fields within their size and remembers if one had to be cut."""

    def __init__(self) -> None:
        self.truncated = False

    def octets(self, octets: bytes, limit: int, separator: bytes) -> bytes:
        """Return as much as fits, up to a separator: half an address is worse than none."""
        if len(octets) <= limit:
            return octets
        self.truncated = True
        head, found, tail = octets[:limit].rpartition(separator)
        return head if found else _LAST_CHARACTER.sub(b"", tail)

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


class _Header:
    """The fields of a header by lower-case name; the first of a name counts."""

    def __init__(self, raw: Value, cut: _Cutter) -> None:
        self._cut = cut
        self._fields: dict[bytes, bytes] = {}
        header = raw if isinstance(raw, bytes) else b""
        # What is as long as was asked for at the most may go on.
        unfolded = FOLD.sub(b" ", cut.octets(header, MAX_HEADER - 1, b"\n"))
        # A lone CR ends no line: a subject could bring a From with it.
        for line in unfolded.split(b"\n"):
            name, colon, value = line.partition(b":")
            if colon:
                self._fields.setdefault(name.strip().lower(), value.strip())

    def text(self, name: bytes, separator: bytes = b" ") -> str:
        """Return a field as one line; where it is cut, only what a separator ends is kept."""
        octets = self._fields.get(name, b"")
        text = to_text(self._cut.octets(octets, MAX_FIELD, separator))
        return SPACES.sub(" ", text).strip()


def to_text(octets: bytes, charset: str = "utf-8") -> str:
    """Return octets as text: in their charset, else UTF-8, else Latin-1."""
    for candidate in (charset, "utf-8"):
        try:
            return octets.decode(candidate)
        except Exception:  # noqa: BLE001
            # Not all codecs keep to ValueError: punycode raises OverflowError.
            continue
    return octets.decode("latin-1")


def decode_words(text: str) -> str:
    """Return a text with its encoded words decoded (RFC 2047); what cannot be stays as it is."""
    return SPACES.sub(" ", _WORDS.sub(_decode_run, text)).strip()


def _decode_run(run: re.Match[str]) -> str:
    """Return adjacent words as text: one may end within a character that the next completes."""
    words = _WORD.finditer(run[0])
    return "".join(
        to_text(b"".join(map(_word_octets, group)), charset)
        for charset, group in groupby(words, key=lambda word: word[1].lower())
    )


def _word_octets(word: re.Match[str]) -> bytes:
    payload = word[3].encode()
    if word[2] in "qQ":
        return binascii.a2b_qp(payload, header=True)
    try:
        return binascii.a2b_base64(payload + b"==")
    except binascii.Error:
        return word[0].encode()


def _addresses(header: _Header, name: bytes) -> Iterator[str]:
    return (address for _, address in _mailboxes(header.text(name, b",")))


def _sender(header: _Header) -> tuple[str, str]:
    """Return display name and address of From, or its text as the name if it has no address."""
    field = header.text(b"from", b",")
    name, address = next(_mailboxes(field), (field, ""))
    return decode_words(name), address


def _mailboxes(field: str) -> Iterator[tuple[str, str]]:
    """Yield display name, its words not decoded, and address of each mailbox (RFC 5322 3.4).

    The library takes `a@b` in `a@b <c@d>` for the address or, strict, refuses the whole field.
    """
    name = bare = comment = angle = ""
    for kind, text in _lexemes(field):
        match kind:
            case "comment":
                comment = text
            case "angle":
                angle = text.strip()
            case "group":
                name = bare = ""
            case "end":
                address = angle or bare.strip()
                if _ADDRESS.fullmatch(address):
                    yield (name.strip() if angle else "") or comment, address
                # The comma of an unquoted `Doe, John <john@example.com>`.
                goes_on = text == "," and not angle and "@" not in bare
                name = f"{name.strip()}, " if goes_on and name.strip() else ""
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
        date = parsedate_to_datetime(header.text(b"date"))
        # -0000 is a time whose zone is not known (RFC 5322 3.3).
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        date.astimezone(UTC)
    except IndexError, OverflowError, TypeError, ValueError:
        return None
    return date


def _is_bulk(header: _Header) -> bool:
    """Return if a list or a machine sent it (RFC 2919, RFC 3834)."""
    automatic = header.text(b"auto-submitted").partition(";")[0].strip().lower()
    return (
        bool(header.text(b"list-id"))
        or header.text(b"precedence").lower() in _BULK_PRECEDENCE
        or automatic not in {"", "no"}
    )


def _attachments(structure: Value, cut: _Cutter) -> tuple[Attachment, ...]:
    """Return the files among the parts of a BODYSTRUCTURE (RFC 3501 7.4.2)."""
    attachments: list[Attachment] = []
    limit = _MAX_ATTACHMENTS
    for number, part in parts_of(structure):
        attachment, is_file = describe_part(number, part, cut)
        if not is_file:
            continue
        limit -= 80 + _json_size(
            f"{attachment.filename}{attachment.content_type}{number}"
        )
        if limit < 0:
            cut.truncated = True
            break
        attachments.append(attachment)
    return tuple(attachments)


def parts_of(structure: Value) -> Iterator[tuple[str, tuple[Value, ...]]]:
    """Yield number and structure of each part that is no multipart, in order, up to _MAX_PARTS.

    A message/rfc822 is one part: those inside it belong to another mail.
    """
    pending: list[tuple[str, Value]] = [("", structure)]
    left = _MAX_PARTS
    while pending and left:
        number, part = pending.pop()
        if not isinstance(part, tuple) or not part:
            continue
        if not isinstance(part[0], tuple):
            left -= 1
            yield number or "1", part
            continue
        prefix = f"{number}." if number else ""
        children = takewhile(lambda value: isinstance(value, tuple), part)
        numbered = [
            (f"{prefix}{index}", child) for index, child in enumerate(children, 1)
        ]
        pending.extend(reversed(numbered))


def describe_part(
    number: str, part: tuple[Value, ...], cut: _Cutter | None = None
) -> tuple[Attachment, bool]:
    """Return the part as an attachment, and if it is one: it says so, or it has a file name."""
    cut = cut or _Cutter()
    fields = (*part, *(None,) * 7)
    media_type = f"{_string(fields[0])}/{_string(fields[1])}".lower()
    kind, disposition = _disposition(part)
    filename = _parameter(disposition, b"filename", cut) or _parameter(
        fields[2], b"name", cut
    )
    attachment = Attachment(
        part=number,
        filename=cut.text(filename, _MAX_NAME) if filename else None,
        content_type=cut.text(media_type, _MAX_NAME),
        size=parse_number(fields[6]),
    )
    is_named = bool(filename) or media_type == "message/rfc822"
    return attachment, kind == "attachment" or is_named


def _disposition(part: tuple[Value, ...]) -> tuple[str, Value]:
    """Return kind and parameters of a part's Content-Disposition (RFC 2183)."""
    for value in part[7:]:
        if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], bytes):
            kind, parameters = value
            if isinstance(parameters, tuple) or parameters is None:
                return _string(kind).lower(), parameters
    return "", None


def _parameter(parameters: Value, name: bytes, cut: _Cutter) -> str:
    """Return a parameter: the one with a charset, else its continuations, else the plain one.

    Some mailers send several forms of one for the sake of old clients (RFC 2231).
    """
    if not isinstance(parameters, tuple):
        return ""
    forms: tuple[dict[int, tuple[bool, bytes]], ...] = ({}, {}, {})
    for key, octets in zip(parameters[::2], parameters[1::2], strict=False):
        match = _PARAMETER.fullmatch(key) if isinstance(key, bytes) else None
        if match and match[1].lower() == name and isinstance(octets, bytes):
            _, order, encoded = match.groups()
            form = forms[1 if order else 0 if encoded else 2]
            form.setdefault(int(order or 0), (bool(encoded), octets))
    pieces: dict[int, tuple[bool, bytes]] = next(filter(None, forms), {})
    return _join([pieces[order] for order in sorted(pieces)], cut)


def _join(pieces: list[tuple[bool, bytes]], cut: _Cutter) -> str:
    """Join (encoded, octets) to a text; encoded is `charset'language'percent-encoded`."""
    charset, joined = "utf-8", b""
    for index, (encoded, octets) in enumerate(pieces):
        if encoded and index == 0 and octets.count(b"'") >= 2:
            name, _, octets = octets.split(b"'", 2)
            charset = name.decode("ascii", "replace") or charset
        octets = cut.octets(octets, MAX_FIELD, b" ")
        joined += unquote_to_bytes(octets) if encoded else octets
        if len(joined) > MAX_FIELD:
            break
    return decode_words(to_text(cut.octets(joined, MAX_FIELD, b" "), charset))


def _string(value: Value) -> str:
    return to_text(value[:MAX_FIELD]) if isinstance(value, bytes) else ""
