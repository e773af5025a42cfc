"""Convert text/plain: join flowed lines (RFC 3676) and remove invisible characters."""

from collections.abc import Iterator
from io import StringIO
import re
from typing import Final

from .characters import visible

# Characters that are processed in one call, as a call does not release the GIL.
_CHUNK: Final = 16_384
_END_OF_LINE: Final = re.compile(r"\r\n?")
_SIGNATURE: Final = "-- "


def plain_text(text: str, size: int) -> tuple[str, bool]:
    """Return at most `size` visible characters of plain text, and whether it was shortened."""
    text = text.lstrip()
    found: list[str] = []
    remaining, position = size, 0
    while position < len(text) and remaining >= 0:
        # Split after a line end if possible, so that a sequence of characters is not split.
        end = text.rfind("\n", position, position + _CHUNK) + 1 or position + _CHUNK
        piece = visible(_END_OF_LINE.sub("\n", text[position:end]))
        found.append(piece if found else piece.lstrip())
        remaining -= len(found[-1])
        position = end
    readable = "".join(found).strip()
    return readable[:size], len(readable) > size or position < len(text)


def unwrap_flowed(text: str, *, delete_space: bool) -> Iterator[str]:
    """Yield the paragraphs of format=flowed text (RFC 3676 4), without line ends.

    `delete_space` is the parameter DelSp: the space at the end of a flowed line is not part of the
    text. Mailers use it for languages that are written without spaces.
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
