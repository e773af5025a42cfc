"""HTML -> plain text, as a reader would see it without pictures and colours."""

from html.parser import HTMLParser
import re
from typing import Final, override

# Elements that begin a line, and those whose content nobody sees.
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
_SPACES: Final = re.compile(r"[\s\u200b\u200c\ufeff]+")
_MANY_LINES: Final = re.compile(r"\n{3,}")


def text_of_html(html: str) -> str:
    """Return the text of HTML, however broken it is."""
    reader = _Reader()
    try:
        reader.feed(html)
        reader.close()
    except Exception:  # noqa: BLE001
        # The library asserts what a mail need not keep to; what was read so far is good.
        pass
    return reader.text()


class _Reader(HTMLParser):
    """Collects what is to be seen."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[str] = []
        self._unseen = ""  # the element that is open whose content nobody sees

    def text(self) -> str:
        """Return what was collected, without needless space."""
        lines = "".join(self._pieces).split("\n")
        tidied = "\n".join(_SPACES.sub(" ", line).strip() for line in lines)
        return _MANY_LINES.sub("\n\n", tidied).strip()

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a line where a block begins."""
        if tag in _UNSEEN:
            self._unseen = self._unseen or tag
            return
        if tag in _BLOCKS:
            self._break(tag)
        if tag == "li":
            self._pieces.append("- ")
        elif tag in _CELLS:
            self._pieces.append(" ")

    @override
    def handle_endtag(self, tag: str) -> None:
        """End a line where a block ends."""
        if tag == self._unseen:
            self._unseen = ""
        elif tag in _BLOCKS and tag not in _SINGLE:
            self._break(tag)

    @override
    def handle_data(self, data: str) -> None:
        """Take text; line ends in it mean nothing."""
        if not self._unseen:
            self._pieces.append(_SPACES.sub(" ", data))

    def _break(self, tag: str) -> None:
        self._pieces.append("\n\n" if tag in _APART else "\n")
