"""Lay out text in lines and words, as a browser does."""

from typing import Final

from .characters import visible

# Line ends in a row, outside of preformatted text: one blank line.
_MAX_BREAKS: Final = 2


class TextIsFull(Exception):
    """The text is longer than the requested size."""


class TextLayout:
    """Collects text up to a size; white space is added only between what is shown."""

    def __init__(self, size: int) -> None:
        """Take text until it has more than `size` characters."""
        self._left = size
        self._pieces: list[str] = []
        self._breaks = 0  # line ends since the last text
        self._gap = ""  # white space since then
        self._marker = ""  # of a list item without text so far

    @property
    def position(self) -> int:
        """Return the position of what comes next."""
        return len(self._pieces)

    def text(self, position: int = 0) -> str:
        """Return the text from a position on."""
        return "".join(self._pieces[position:])

    def end_line(self) -> None:
        """End a line (`<br>`), which leaves a blank line if nothing is on it."""
        if not self._marker:
            self._breaks = max(self._breaks, min(self._breaks + 1, _MAX_BREAKS))
            self._gap = ""

    def separate(self, breaks: int) -> None:
        """Make sure that there are so many line ends; not between a marker and its item."""
        if breaks and not self._marker:
            self._breaks = max(self._breaks, breaks)
            self._gap = ""

    def space(self) -> None:
        """Make sure that there is white space, but not at the beginning of a line."""
        if self._pieces and not self._breaks:
            self._gap = self._gap or " "

    def begin_item(self) -> None:
        """Put a marker before the next text."""
        self._marker = "- "

    def end_item(self) -> None:
        """Drop the marker of an item without text."""
        self._marker = ""

    def add(self, text: str) -> None:
        """Add text with single spaces; raise TextIsFull."""
        if not text.isascii():
            text = visible(text)
        words = " ".join(text.split())
        if not words.isprintable():
            words = " ".join(visible(words).split())
        if not words:
            if text:
                self.space()
            return
        if text[0].isspace():
            self.space()
        self._write(words)
        self._gap = " " if text[-1].isspace() else ""

    def add_preformatted(self, text: str) -> None:
        """Add text with all its lines and spaces, but those at a line's end; raise TextIsFull."""
        for number, line in enumerate(visible(text).split("\n")):
            if number:
                self._breaks += 1
                self._gap = ""
            words = line.strip()
            before, _, after = line.partition(words) if words else (line, "", "")
            # No more than fits: pieces of nothing but spaces would take quadratic time.
            gap = self._gap + before.replace("\xa0", " ")
            self._gap = gap[: self._left + 1]
            if words:
                self._write(words.replace("\xa0", " "))
                self._gap = after.replace("\xa0", " ")

    def append(self, text: str) -> None:
        """Add text to the line that was last written to; raise TextIsFull, without the text."""
        if len(text) >= self._left:
            raise TextIsFull
        breaks, self._breaks = self._breaks, 0
        self.space()
        self._write(text)
        self._breaks = breaks

    def _write(self, words: str) -> None:
        """Add words, after the line ends and the white space that are before them."""
        breaks = "\n" * self._breaks if self._pieces else ""
        self._pieces.append(breaks + self._gap + self._marker + words)
        self._breaks = 0
        self._gap = self._marker = ""
        self._left -= len(self._pieces[-1])
        if self._left < 0:
            raise TextIsFull
