"""Find the text parts of a message, decode them and convert them to plain text."""

from collections.abc import Iterator
from functools import partial
from typing import Final, NamedTuple

from .budget import Budget
from .charset import decode
from .html import text_of_html
from .html_charset import html_charset
from .part import Part, Role, roles
from .plain_text import plain_text, unwrap_flowed
from .transfer_encoding import decoder_for

# Maximum number of octets that are decoded of one part.
MAX_TEXT_OCTETS: Final = 1_048_576
# Octets that are decoded in one call, as a call does not release the GIL.
_CHUNK: Final = 16_384
_BETWEEN_PARTS: Final = "\n\n"
_ALTERNATIVE: Final = "multipart/alternative"


class Text(NamedTuple):
    """A text, and whether it was shortened."""

    text: str = ""
    is_cut: bool = False


def text_of(root: Part, size: int, budget: Budget, *, links: bool = False) -> Text:
    """Return at most `size` characters of the text of a message. Accepts any octets.

    The text consists of all text parts in order. Of a multipart/alternative, the plain text is
    used, or the HTML if the plain text is blank. `links` adds link targets and descriptions of
    images. Call this in a thread for large messages.
    """
    collector = _TextCollector(root, size, budget, links=links)
    text = collector.collect(root)
    if text.text:
        return text
    return Text(is_cut=text.is_cut or budget.truncated or not root.is_whole)


def text_parts(root: Part, budget: Budget) -> list[Part]:
    """Return all text parts in order; if there are none, text files that are not attachments."""
    found = list(roles(root, budget))
    texts = [part for part, role in found if role is Role.TEXT]
    return texts or [part for part, _ in found if part.is_text_file]


def preferred_parts(root: Part, budget: Budget) -> list[Part]:
    """Return the parts that `text_of` uses if none of them is blank, in order."""
    numbers = {part.number for part in text_parts(root, budget)}
    return _preferred(root, numbers)


def codecs_of(root: Part) -> tuple[str, ...]:
    """Return the codecs of the declared charsets of the text parts."""
    budget = Budget()
    labels = (part.parameter(b"charset", budget) for part in text_parts(root, budget))
    codecs = (budget.codec(label) for label in labels if label)
    return tuple(dict.fromkeys(filter(None, codecs)))


def decode_text(part: Part, budget: Budget) -> Text:
    """Return the fetched content of a part decoded to text, including any markup."""
    octets = part.octets or b""
    is_whole = part.is_whole and len(octets) <= MAX_TEXT_OCTETS
    decoded = b"".join(_decoded(part.encoding, octets[:MAX_TEXT_OCTETS]))
    codec = budget.codec(part.parameter(b"charset", budget))
    if codec is None and part.is_html:
        codec = budget.codec(html_charset(decoded))
    text = decode(decoded, codec, budget.fallback_codecs, is_whole=is_whole)
    return Text(text, not is_whole)


def text_of_part(part: Part, size: int, budget: Budget, *, links: bool) -> Text:
    """Return at most `size` characters of the fetched content of a part as plain text."""
    content = decode_text(part, budget)
    if part.is_html:
        text, is_cut = text_of_html(content.text, size, budget, links=links)
    else:
        text = content.text
        if part.parameter(b"format", budget).lower() == "flowed":
            delete_space = part.parameter(b"delsp", budget).lower() == "yes"
            text = "\n".join(unwrap_flowed(text, delete_space=delete_space))
        text, is_cut = plain_text(text, size)
    return Text(text, is_cut or content.is_cut)


def source_of_part(part: Part, size: int, budget: Budget) -> Text:
    """Return at most `size` characters of the source of a part."""
    content = decode_text(part, budget)
    # UTF-7 and other charsets can encode lone surrogates, which JSON cannot represent.
    source = content.text[:size].encode("utf-8", "replace").decode()
    return Text(source, content.is_cut or len(content.text) > size)


class _TextCollector:
    """Collects the text of the parts of a message up to a number of characters."""

    def __init__(self, root: Part, size: int, budget: Budget, *, links: bool) -> None:
        self._size = size
        self._budget = budget
        self._links = links
        self._numbers = {part.number for part in text_parts(root, budget)}
        budget.set_fallback(partial(codecs_of, root))

    def collect(self, part: Part, length: int = 0) -> Text:
        """Return the text of a part; the parts before it have `length` characters."""
        if not part.children:
            if part.number not in self._numbers:
                return Text()
            if part.octets is None:
                return Text(is_cut=True)
            size = max(self._size - length, 0)
            return text_of_part(part, size, self._budget, links=self._links)
        texts: list[str] = []
        is_cut = False
        for child in _ordered(part):
            found = self.collect(child, length)
            is_cut |= found.is_cut
            if found.text and part.content_type == _ALTERNATIVE:
                return found
            if found.text:
                texts.append(found.text)
                length += len(found.text) + len(_BETWEEN_PARTS)
        text = _BETWEEN_PARTS.join(texts)
        return Text(text[: self._size], is_cut or len(text) > self._size)


def _preferred(part: Part, numbers: set[str]) -> list[Part]:
    if not part.children:
        return [part] if part.number in numbers else []
    found = [_preferred(child, numbers) for child in _ordered(part)]
    found = list(filter(None, found))
    if part.content_type == _ALTERNATIVE:
        found = found[:1]
    return [leaf for leaves in found for leaf in leaves]


def _ordered(part: Part) -> list[Part]:
    """Return the parts of a multipart in order of preference: alternatives with HTML come last."""
    if part.content_type == _ALTERNATIVE:
        return sorted(part.children, key=_is_html)
    return list(part.children)


def _is_html(part: Part) -> bool:
    """Return True if the first leaf of a part is HTML."""
    # The first part of a multipart/related or multipart/mixed is its text.
    while part.children:
        part = part.children[0]
    return part.is_html


def _decoded(encoding: str, octets: bytes) -> Iterator[bytes]:
    decoder = decoder_for(encoding)
    for start in range(0, len(octets), _CHUNK):
        yield decoder.decode(octets[start : start + _CHUNK])
    yield decoder.end()
