"""The text of a mail: found among its parts, decoded, made readable; total on any bytes."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
import re
from typing import Final

from .budget import Budget
from .characters import visible
from .charset import decode
from .html import text_of_html
from .parameters import mime_fields, parameter_octets, parse_field
from .transfer_encoding import decoder_for

# Octets that one text takes at the most, however many characters are wanted.
MAX_TEXT_OCTETS: Final = 1_048_576
# Octets that stand before the first word: pictures' names, styles, other parts' headers.
_OVERHEAD: Final = 32_768
# Octets of one header that are looked at, and of all MIME fields in headers.
_MAX_HEADER: Final = 65_536
_MAX_FIELDS: Final = 65_536
# Parts of a mail, multiparts in one another, and lines of one that may begin a part.
_MAX_PARTS: Final = 200
_MAX_DEPTH: Final = 10
_MAX_DELIMITERS: Final = 1_000
# Octets and characters that are worked on in one call: a call holds the interpreter lock.
_CHUNK: Final = 16_384
_END_OF_HEADER: Final = re.compile(rb"\r?\n\r?\n|\A\r?\n")
_END_OF_DELIMITER: Final = re.compile(rb"(--)?[ \t]{0,100}+(?:\r?\n|\Z)")
_END_OF_LINE: Final = re.compile(r"\r\n?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How octets are to be read: what they are, and how they were encoded for transfer."""

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
    `whole`, its beginning. Read large ones off the event loop.
    """
    budget = Budget(_MAX_FIELDS)
    walk = _walk(_Part(header, body, budget, whole=whole), budget)
    parts = list(islice(walk, _MAX_PARTS))
    texts = [part for part in parts if part.is_text]
    for part in sorted(texts, key=lambda part: part.kind.is_html):
        text, is_cut = readable(
            part.kind, part.body, size, whole=part.whole, budget=budget
        )
        if text:
            return text, is_cut
    return "", not whole or budget.truncated or len(parts) == _MAX_PARTS


def readable(
    kind: Kind,
    octets: bytes,
    size: int,
    *,
    whole: bool = True,
    budget: Budget | None = None,
) -> tuple[str, bool]:
    """Return at most `size` characters of a part's text, and whether there is more."""
    budget = budget or Budget()
    whole = whole and len(octets) <= MAX_TEXT_OCTETS
    decoded = b"".join(_without_encoding(kind.encoding, octets[:MAX_TEXT_OCTETS]))
    text = decode(decoded, budget.codec(kind.charset), budget.others, whole=whole)
    if kind.is_html:
        text, is_cut = text_of_html(text, size, budget)
    else:
        text, is_cut = _plain(text, size)
    return text, is_cut or not whole


def _without_encoding(encoding: str, octets: bytes) -> Iterator[bytes]:
    decoder = decoder_for(encoding)
    for start in range(0, len(octets), _CHUNK):
        yield decoder.decode(octets[start : start + _CHUNK])
    yield decoder.end()


def _plain(text: str, size: int) -> tuple[str, bool]:
    """Return at most `size` characters of plain text, and whether there is more."""
    text = text.lstrip()
    found: list[str] = []
    left, position = size, 0
    while position < len(text) and left >= 0:
        # Between lines, so that what belongs together is looked at together.
        end = text.rfind("\n", position, position + _CHUNK) + 1 or position + _CHUNK
        piece = visible(_END_OF_LINE.sub("\n", text[position:end]))
        found.append(piece if found else piece.lstrip())
        left -= len(found[-1])
        position = end
    readable = "".join(found).strip()
    return readable[:size], len(readable) > size or position < len(text)


class _Part:
    """A part of a mail, as far as it is there."""

    def __init__(
        self, header: bytes, body: bytes, budget: Budget, *, whole: bool
    ) -> None:
        found = mime_fields(header[:_MAX_HEADER])
        fields = {name: budget.take(field) for name, field in found.items()}
        media_type, self._parameters = parse_field(fields.get(b"type", b""))
        # A broken field is as good as none (RFC 2045 5.2).
        self.content_type = media_type if media_type.count("/") == 1 else "text/plain"
        charset, _ = parameter_octets(self._parameters, b"charset", budget)
        disposition, _ = parse_field(fields.get(b"disposition", b""))
        self.is_text = (
            self.content_type in {"text/plain", "text/html"}
            and disposition != "attachment"
        )
        self.kind = Kind(
            is_html=self.content_type == "text/html",
            charset=charset.decode("ascii", "replace"),
            encoding=fields.get(b"transfer-encoding", b"").decode("ascii", "replace"),
        )
        self.body = body
        self.whole = whole

    def parts(self, budget: Budget) -> Iterator[_Part]:
        """Yield the parts of a multipart (RFC 2046 5.1.1)."""
        boundary, _ = parameter_octets(self._parameters, b"boundary", budget)
        if not boundary:
            return
        start = None
        for end, following in _delimiters(self.body, b"--" + boundary.rstrip()):
            if start is not None:
                yield _part(self.body[start:end], budget, whole=True)
            if following is None:
                return
            start = following
        if start is not None:
            yield _part(self.body[start:], budget, whole=self.whole)


def _delimiters(body: bytes, delimiter: bytes) -> Iterator[tuple[int, int | None]]:
    """Yield where a part ends and where the next one begins, None behind the last one."""
    found = -1
    for _ in range(_MAX_DELIMITERS):
        found = body.find(delimiter, found + 1)
        if found < 0:
            return
        end = _END_OF_DELIMITER.match(body, found + len(delimiter))
        if end and body[found - 1 : found] in {b"", b"\n"}:
            line_end = 2 if body[found - 2 : found] == b"\r\n" else 1
            yield max(0, found - line_end), None if end[1] else end.end()


def _part(octets: bytes, budget: Budget, *, whole: bool) -> _Part:
    end = _END_OF_HEADER.search(octets, 0, _MAX_HEADER)
    if end is None:
        return _Part(octets, b"", budget, whole=whole)
    return _Part(octets[: end.start()], octets[end.end() :], budget, whole=whole)


def _walk(part: _Part, budget: Budget, depth: int = 0) -> Iterator[_Part]:
    """Yield a part and those in it, in order; the parts of a mail inside it are not its own."""
    yield part
    if depth < _MAX_DEPTH and part.content_type.startswith("multipart/"):
        for child in part.parts(budget):
            yield from _walk(child, budget, depth + 1)
