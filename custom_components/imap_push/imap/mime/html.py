"""HTML -> plain text, as a reader would see it without pictures and colors."""

from html.parser import HTMLParser
import re
from typing import Final, override

from .budget import Budget, BudgetSpent
from .characters import visible

# Elements that begin a line, and those whose content is not shown.
_APART: Final = frozenset(
    {"blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul"}
)
_BLOCKS: Final = _APART | {
    "address", "article", "aside", "body", "br", "center", "dd", "div", "dl", "dt", "fieldset",
    "figure", "footer", "form", "header", "hr", "li", "main", "nav", "section", "tr",
}  # fmt: skip
_SINGLE: Final = frozenset({"br", "hr", "li"})  # which begin a line, and end none
_UNSEEN: Final = frozenset({"script", "style", "template", "title"})
_CELLS: Final = frozenset({"td", "th"})

# Characters that are parsed in one go: the expressions of the parser hold the interpreter lock.
_CHUNK: Final = 16_384
# Characters that may be open; of a longer tag or comment, only the end is looked for.
_MAX_PENDING: Final = 32_768
_END_OF_TAG: Final = re.compile(">")
_END_OF_COMMENT: Final = re.compile("--!?>")
# Characters of an end that two chunks may divide.
_MAX_END: Final = 16


def text_of_html(
    html: str, size: int, budget: Budget | None = None, *, links: bool = False
) -> tuple[str, bool]:
    """Return at most `size` characters of the text of HTML, and whether there is more.

    Total on any text. Of more than the budget's tags and attributes, the first ones are read.
    """
    reader = _Reader(size, budget or Budget())
    try:
        for start in range(0, len(html), _CHUNK):
            reader.read(html[start : start + _CHUNK])
        reader.close()
    except BudgetSpent, _Enough:
        return reader.text[:size], True
    except Exception:  # noqa: BLE001
        # The library asserts what a mail need not keep to; what was read so far is good.
        pass
    return reader.text, False


class _Enough(Exception):
    """There is as much text as was asked for."""


class _Reader(HTMLParser):
    """Collects what is to be seen."""

    def __init__(self, size: int, budget: Budget) -> None:
        super().__init__()
        self._left = size
        self._budget = budget
        self._pieces: list[str] = []
        self._breaks = 0  # line ends since the last text
        self._is_spaced = False  # white space since then
        self._unseen = ""  # the open element whose content is not shown
        self._end: re.Pattern[str] | None = None  # of what is skipped
        self._skipped = ""

    @property
    def text(self) -> str:
        """Return what was collected."""
        return "".join(self._pieces)

    def read(self, html: str) -> None:
        """Take some HTML; raise _Enough, BudgetSpent."""
        if self._end is not None:
            html = self._skipped + html
            end = self._end.search(html)
            if end is None:
                self._skipped = html[-_MAX_END:]
                return
            self._end = None
            html = html[end.end() :]
        self.feed(html)
        if len(self.rawdata) > _MAX_PENDING:
            self._shorten()

    def _shorten(self) -> None:
        """Drop a long open tag or comment, take long text: the parser would scan it repeatedly."""
        if self.rawdata.startswith("<") and not self.cdata_elem:
            is_comment = self.rawdata.startswith("<!--")
            self._end = _END_OF_COMMENT if is_comment else _END_OF_TAG
            self._skipped = self.rawdata[-_MAX_END:]
            self.reset()
            return
        # Text, in an element that only its own end tag ends, or with an open reference.
        kept = self.rawdata[-_MAX_END:] if self.cdata_elem else ""
        self.rawdata = self.rawdata.removesuffix(kept)
        self.close()
        self.rawdata = kept

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a line where a block begins."""
        self._budget.take_tag(len(attrs))
        if tag in _UNSEEN:
            self._unseen = self._unseen or tag
            return
        if tag in _BLOCKS:
            self._break(tag)
        if tag == "li":
            self._add("- ")
        elif tag in _CELLS:
            self._add(" ")

    @override
    def handle_endtag(self, tag: str) -> None:
        """End a line where a block ends."""
        self._budget.take_tag()
        if tag == self._unseen:
            self._unseen = ""
        elif tag in _BLOCKS and tag not in _SINGLE:
            self._break(tag)

    @override
    def handle_data(self, data: str) -> None:
        """Take text; line ends in it mean nothing."""
        self._budget.take_tag()
        if not self._unseen:
            self._add(visible(data))

    @override
    def handle_comment(self, data: str) -> None:
        """Count what is not to be seen."""
        self._budget.take_tag()

    @override
    def handle_decl(self, decl: str) -> None:
        """Count what is not to be seen."""
        self._budget.take_tag()

    @override
    def handle_pi(self, data: str) -> None:
        """Count what is not to be seen."""
        self._budget.take_tag()

    @override
    def unknown_decl(self, data: str) -> None:
        """Count what is not to be seen."""
        self._budget.take_tag()

    def _break(self, tag: str) -> None:
        self._breaks += 2 if tag in _APART else 1
        self._is_spaced = False

    def _add(self, text: str) -> None:
        """Add text with single spaces; what is before it becomes a space or line ends, if any."""
        words = " ".join(text.split())
        if not words:
            self._is_spaced |= bool(text)
            return
        if self._pieces and self._breaks:
            words = "\n" * min(self._breaks, 2) + words
        elif self._pieces and (self._is_spaced or text[0].isspace()):
            words = f" {words}"
        self._breaks = 0
        self._is_spaced = text[-1].isspace()
        self._pieces.append(words)
        self._left -= len(words)
        if self._left < 0:
            raise _Enough
