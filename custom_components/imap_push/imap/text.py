"""The text of a mail: found among its parts, decoded, made readable; total on any bytes."""

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from itertools import islice
import re
from typing import Final

from .hypertext import text_of_html
from .transfer import decoder_for

# Octets that one text takes at the most, however many characters are wanted.
MAX_TEXT_OCTETS: Final = 1_048_576
# Octets that stand before the first word: pictures' names, styles, other parts' headers.
_OVERHEAD: Final = 32_768
# Octets of a part's header that are looked at, parts of a mail, and multiparts in one another.
_MAX_HEADER: Final = 8_192
_MAX_PARTS: Final = 200
_MAX_DEPTH: Final = 10
# Codecs that are no charsets of mails, and slow.
_NO_CHARSETS: Final = frozenset(
    {"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape"}
)
_UNPRINTABLE: Final = re.compile(r"[\0-\x08\x0b-\x1f\x7f]+")
_END_OF_HEADER: Final = re.compile(rb"\r?\n\r?\n|\A\r?\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How octets are to be read: what they are, and how they were made fit for the way."""

    is_html: bool = False
    charset: str = ""
    encoding: str = ""


def octets_for(size: int) -> int:
    """Return how many octets of a mail to ask for to get so many characters of its text."""
    return min(size * 4 + _OVERHEAD, MAX_TEXT_OCTETS)


def text_of(
    header: bytes, body: bytes, size: int, *, whole: bool = True
) -> tuple[str, bool]:
    """Return at most `size` characters of a mail's text, and whether there is more.

    `header` holds Content-Type and Content-Transfer-Encoding; `body` is BODY[TEXT] or, not
    `whole`, its beginning. Large ones are better read beside the event loop.
    """
    parts = islice(_walk(_Part(header, body, whole=whole)), _MAX_PARTS)
    texts = [part for part in parts if part.is_text]
    for part in sorted(texts, key=lambda part: part.kind.is_html):
        text, is_cut = readable(part.kind, part.body, size, whole=part.whole)
        if text:
            return text, is_cut
    return "", not whole


def readable(
    kind: Kind, octets: bytes, size: int, *, whole: bool = True
) -> tuple[str, bool]:
    """Return at most `size` characters of a part's text, and whether there is more."""
    whole = whole and len(octets) <= MAX_TEXT_OCTETS
    decoder = decoder_for(kind.encoding)
    decoded = decoder.decode(octets[:MAX_TEXT_OCTETS])
    text = _without_charset(kind.charset, decoded + decoder.end())
    if not whole:
        text = text.rstrip("\ufffd")  # Half a character.
    if kind.is_html:
        text = text_of_html(text)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    # What charsets such as UTF-7 can smuggle in cannot be written.
    text = _UNPRINTABLE.sub("", text).encode("utf-8", "replace").decode().strip()
    return text[:size], len(text) > size or not whole


class _Part:
    """A part of a mail, as far as it is there."""

    def __init__(self, header: bytes, body: bytes, *, whole: bool) -> None:
        self.header: Message = BytesParser().parsebytes(
            header[:_MAX_HEADER], headersonly=True
        )
        self.body = body
        self.whole = whole

    @property
    def content_type(self) -> str:
        return _safe(self.header.get_content_type) or "text/plain"

    @property
    def kind(self) -> Kind:
        return Kind(
            is_html=self.content_type == "text/html",
            charset=_safe(self.header.get_content_charset),
            encoding=_safe(lambda: self.header.get("Content-Transfer-Encoding")),
        )

    @property
    def is_text(self) -> bool:
        """Return if it is a text to be read, and no file."""
        if self.content_type not in {"text/plain", "text/html"}:
            return False
        return _safe(self.header.get_content_disposition) != "attachment"

    def parts(self) -> Iterator[_Part]:
        """Yield the parts of a multipart."""
        text = _safe(self.header.get_boundary)
        if not text:
            return
        boundary = text.encode("utf-8", "surrogatepass")
        line = rb"(?:\A|\r?\n)--%b(--)?[ \t]*(?:\r?\n|\Z)" % re.escape(boundary)
        pieces = re.split(line, self.body, maxsplit=_MAX_PARTS)
        # Text, "--" or None, text, ...: the first text is before all parts.
        for index in range(2, len(pieces), 2):
            if pieces[index - 1] is not None:
                return
            is_last = index + 1 >= len(pieces)
            yield _part(pieces[index], whole=self.whole or not is_last)


def _part(octets: bytes, *, whole: bool) -> _Part:
    end = _END_OF_HEADER.search(octets)
    if end is None:
        return _Part(octets, b"", whole=whole)
    return _Part(octets[: end.start()] + b"\r\n", octets[end.end() :], whole=whole)


def _walk(part: _Part, depth: int = 0) -> Iterator[_Part]:
    """Yield a part and those in it, in order; the parts of a mail inside it are not its own."""
    yield part
    if depth < _MAX_DEPTH and part.content_type.startswith("multipart/"):
        for child in part.parts():
            yield from _walk(child, depth + 1)


def _safe(get: Callable[[], object]) -> str:
    """Return what the library makes of a header field; "" where it stumbles over it."""
    try:
        return str(get() or "").strip()
    except Exception:  # noqa: BLE001
        return ""


def _without_charset(charset: str, octets: bytes) -> str:
    """Return octets as text: as they say, else UTF-8 if they can be, else Western European."""
    try:
        name = codecs.lookup(charset or "ascii").name
        if name != "ascii" and name not in _NO_CHARSETS:
            return octets.decode(name, "replace")
    except Exception:  # noqa: BLE001
        # Not all codecs keep to ValueError.
        pass
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(octets)
    except UnicodeDecodeError:
        return octets.decode("cp1252", "replace")
