"""Split HTML into tags and text (HTML Standard 13.2.5). Accepts any text, in linear time.

Unlike `html.parser`, attributes are parsed only on request, and no regular expression processes
more than `_WINDOW` characters, as a call does not release the GIL.
"""

from collections.abc import Iterator
from html import unescape
import re
from typing import Final

_WINDOW: Final = 16_384
# Length of the longest character reference, and of the longest end of markup, in characters.
_MAX_REFERENCE: Final = 40
_MAX_END: Final = 16

_SPACE: Final = r"[\t\n\f\r ]"
_ATTRIBUTES: Final = rf"(?:[^>=]++|={_SPACE}*+(?:\"[^\"]*+\"|'[^']*+'|(?=[^\"'])))*+"
_TAG: Final = re.compile(rf"<(/?+[a-zA-Z][^\t\n\f\r />]*+)({_ATTRIBUTES})>")
_SOME_ATTRIBUTES: Final = re.compile(_ATTRIBUTES)
_OPEN_QUOTE: Final = re.compile(rf"={_SPACE}*+([\"'])")
_ATTRIBUTE: Final = re.compile(
    r"([^\t\n\f\r />][^\t\n\f\r />=]*+)"
    rf"(?:{_SPACE}*+={_SPACE}*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\t\n\f\r >]*+)))?+"
)
_END_OF_COMMENT: Final = re.compile(r"--!?>")
_END_OF_TAG: Final = re.compile(">")
_QUOTES: Final = {quote: re.compile(quote) for quote in "\"'"}
# Elements that end only at their own end tag, without and with character references.
_RAW_TEXT: Final = ("iframe", "noembed", "noframes", "script", "style", "xmp")
_ESCAPABLE_RAW_TEXT: Final = ("textarea", "title")
_END_OF_ELEMENT: Final = {
    name: re.compile(rf"</{name}(?=[\t\n\f\r />])", re.IGNORECASE | re.ASCII)
    for name in (*_RAW_TEXT, *_ESCAPABLE_RAW_TEXT)
}


def tokens(html: str) -> Iterator[tuple[str, str]]:
    """Yield pairs: "" and text, "p" and the source of the attributes, or "/p" and "".

    Comments, declarations and tags of more than 16,384 characters are left out. Long text is
    split into several pairs.
    """
    position = 0
    while position < len(html):
        start = html.find("<", position, position + _WINDOW)
        if start != position:
            end = _end_of_text(html, position) if start < 0 else start
            text = html[position:end]
            yield "", unescaped(text) if "&" in text else text
            position = end
            if start < 0:
                continue
        tag = _TAG.match(html, start, start + _WINDOW)
        if tag is None:
            position = _end_of_markup(html, start)
            yield "", "<" if position == start + 1 else ""
            continue
        position = tag.end()
        name, attributes = tag.groups()
        name = name.lower()
        yield name, attributes
        if name not in _END_OF_ELEMENT and name != "plaintext":
            continue
        # `plaintext` has no end tag.
        pattern = _END_OF_ELEMENT.get(name)
        end = _find(pattern, html, position)[0] if pattern else len(html)
        for piece in range(position, end, _WINDOW):
            text = html[piece : min(piece + _WINDOW, end)]
            yield "", unescaped(text) if name in _ESCAPABLE_RAW_TEXT else text
        position = end


def attributes_of(text: str) -> dict[str, str]:
    """Return the attributes of a start tag; those without a value are empty."""
    found: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(text):
        value = double or single or bare
        found.setdefault(name.lower(), unescaped(value) if "&" in value else value)
    return found


def unescaped(text: str) -> str:
    """Replace the character references in a text."""
    try:
        return unescape(text)
    except ValueError:
        return text  # Python does not convert a number of more than 4,300 digits.


def _end_of_text(html: str, start: int) -> int:
    """Return where to split text without a tag: not within a reference or a line end."""
    end = start + _WINDOW
    if end >= len(html):
        return len(html)
    reference = html.rfind("&", end - _MAX_REFERENCE, end)
    if reference > start and ";" not in html[reference:end]:
        return reference
    return end + (html[end - 1 : end + 1] == "\r\n")


def _end_of_markup(html: str, start: int) -> int:
    """Return the end of a comment, a declaration or a long tag; start + 1 if it is text."""
    if html.startswith("<!--", start):
        if html.startswith((">", "->"), start + 4):
            return html.index(">", start) + 1
        return _find(_END_OF_COMMENT, html, start + 4)[1]
    following = html[start + 1 : start + 2]
    if following in {"!", "?"} or (
        following == "/" and not html[start + 2 : start + 3].isalpha()
    ):
        return _find(_END_OF_TAG, html, start)[1]
    if following == "/" or (following.isascii() and following.isalpha()):
        return _end_of_tag(html, start)
    return start + 1


def _end_of_tag(html: str, position: int) -> int:
    """Return the end of a tag that is longer than _WINDOW, or has an unclosed quote."""
    while position < len(html):
        found = _SOME_ATTRIBUTES.match(html, position, position + _WINDOW)
        end = found.end() if found else position
        if html.startswith(">", end):
            return end + 1
        if end == position:
            quote = _OPEN_QUOTE.match(html, position, position + _WINDOW)
            if quote is None:
                return len(html)
            end = _find(_QUOTES[quote[1]], html, quote.end())[1]
        position = end
    return position


def _find(pattern: re.Pattern[str], html: str, start: int) -> tuple[int, int]:
    """Return the start and the end of the first match; the end of the text for both if none."""
    while start < len(html):
        if found := pattern.search(html, start, start + _WINDOW):
            return found.span()
        start += _WINDOW - _MAX_END
    return len(html), len(html)
