"""Lay out text with line breaks and white space like a browser."""

from typing import Final

from .characters import visible

# Consecutive line ends outside of preformatted text: at most one blank line.
_MAX_BREAKS: Final = 2


class TextIsFull(Exception):
    """The text is longer than the requested size."""


class TextLayout:
    """Collects text up to a size, without line ends at the start and white space at the end."""

    def __init__(self, size: int) -> None:
        """Accept text until it has more than `size` characters."""
        self._remaining = size
        self._pieces: list[str] = []
        self._breaks = 0  # line ends after the last text
        self._gap = ""  # white space after the last line end
        self._marker = ""  # of a list item that has no text yet

    @property
    def position(self) -> int:
        """Return the position of the next text."""
        return len(self._pieces)

    def text(self, position: int = 0) -> str:
        """Return the text from a position on."""
        return "".join(self._pieces[position:])

    def end_line(self) -> None:
        """End the line (`<br>`); an empty line becomes a blank line."""
        if not self._marker:
            self._breaks = max(self._breaks, min(self._breaks + 1, _MAX_BREAKS))
            self._gap = ""

    def separate(self, breaks: int) -> None:
        """Add line ends up to this number, but not between a marker and its item."""
        if breaks and not self._marker:
            self._breaks = max(self._breaks, breaks)
            self._gap = ""

    def space(self) -> None:
        """Add a space, unless there is one or a line starts."""
        if self._pieces and not self._breaks:
            self._gap = self._gap or " "

    def begin_item(self) -> None:
        """Add a list marker before the next text."""
        self._marker = "- "

    def end_item(self) -> None:
        """Drop the marker of an item without text."""
        self._marker = ""

    def add(self, text: str) -> None:
        """Add text with its white space collapsed; raise TextIsFull."""
        if not text.isascii():
            text = visible(text)
        collapsed = " ".join(text.split())
        if not collapsed.isprintable():
            collapsed = " ".join(visible(collapsed).split())
        if not collapsed:
            if text:
                self.space()
            return
        if text[0].isspace():
            self.space()
        self._write(collapsed)
        self._gap = " " if text[-1].isspace() else ""

    def add_preformatted(self, text: str) -> None:
        """Add text with all lines and spaces, except trailing spaces; raise TextIsFull."""
        for number, line in enumerate(visible(text).split("\n")):
            if number:
                self._breaks += 1
                self._gap = ""
            stripped = line.strip()
            before, _, after = line.partition(stripped) if stripped else (line, "", "")
            # Limited in length: many texts of only spaces would need quadratic time.
            gap = self._gap + before.replace("\xa0", " ")
            self._gap = gap[: self._remaining + 1]
            if stripped:
                self._write(stripped.replace("\xa0", " "))
                self._gap = after.replace("\xa0", " ")

    def append(self, text: str) -> None:
        """Add text to the end of the last line; raise TextIsFull and add nothing if it is full."""
        if len(text) >= self._remaining:
            raise TextIsFull
        breaks, self._breaks = self._breaks, 0
        self.space()
        self._write(text)
        self._breaks = breaks

    def _write(self, text: str) -> None:
        """Add the pending line ends, white space and marker, and the text."""
        breaks = "\n" * self._breaks if self._pieces else ""
        self._pieces.append(breaks + self._gap + self._marker + text)
        self._breaks = 0
        self._gap = self._marker = ""
        self._remaining -= len(self._pieces[-1])
        if self._remaining < 0:
            raise TextIsFull
