"""Make text/plain readable: flowed lines (RFC 3676) are joined, invisible characters removed."""

from collections.abc import Iterator
from io import StringIO
import re
from typing import Final

from .characters import visible

# Characters that are worked on in one call: a call holds the interpreter lock.
_CHUNK: Final = 16_384
_END_OF_LINE: Final = re.compile(r"\r\n?")
_SIGNATURE: Final = "-- "


def plain_text(text: str, size: int) -> tuple[str, bool]:
    """Return at most `size` visible characters of plain text, and whether there is more."""
    text = text.lstrip()
    found: list[str] = []
    left, position = size, 0
    while position < len(text) and left >= 0:
        # Between lines, so that characters that belong together are looked at together.
        end = text.rfind("\n", position, position + _CHUNK) + 1 or position + _CHUNK
        piece = visible(_END_OF_LINE.sub("\n", text[position:end]))
        found.append(piece if found else piece.lstrip())
        left -= len(found[-1])
        position = end
    readable = "".join(found).strip()
    return readable[:size], len(readable) > size or position < len(text)


def unwrap_flowed(text: str, *, delete_space: bool) -> Iterator[str]:
    """Yield the paragraphs of format=flowed text (RFC 3676 4), without line ends.

    `delete_space` is the parameter DelSp: the space that marks a wrapped line is not part of
    the text. Mailers use it for languages without spaces between words.
    """
    paragraph: list[str] = []
    depth = 0
    for line in StringIO(text):
        line = line.rstrip("\r\n")
        content = line.lstrip(">")
        line_depth = len(line) - len(content)
        content = content.removeprefix(" ")  # space-stuffing, RFC 3676 4.4
        is_signature = content == _SIGNATURE
        if paragraph and (line_depth != depth or is_signature):
            yield _quoted(paragraph, depth)
            paragraph = []
        depth = line_depth
        is_flowed = content.endswith(" ") and not is_signature
        paragraph.append(content[:-1] if is_flowed and delete_space else content)
        if not is_flowed:
            yield _quoted(paragraph, depth)
            paragraph = []
    if paragraph:
        yield _quoted(paragraph, depth)


def _quoted(paragraph: list[str], depth: int) -> str:
    text = "".join(paragraph)
    return f"{'>' * depth} {text}" if depth else text
