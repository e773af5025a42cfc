"""format=flowed text (RFC 3676): lines that a mail program wrapped are joined again."""

from collections.abc import Iterator
from io import StringIO
from typing import Final

_SIGNATURE: Final = "-- "


def unwrap(text: str, *, delete_space: bool) -> Iterator[str]:
    """Yield the paragraphs of flowed text, without line ends.

    `delete_space` is the parameter delsp: the space that marks a wrapped line is not part of
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
