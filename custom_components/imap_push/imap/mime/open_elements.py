"""The stack of open elements (HTML Standard 13.2.4.2), limited to what affects the text.

Each operation takes constant time, or linear time in the number of elements that it closes.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple

# Elements with a blank line before and after them, and all elements that start on a new line.
PARAGRAPHS: Final = frozenset(
    {"blockquote", "dl", "h1", "h2", "h3", "h4", "h5", "h6", "listing", "ol", "p", "plaintext",
     "pre", "ul", "xmp"}
)  # fmt: skip
BLOCKS: Final = PARAGRAPHS | {
    "address", "article", "aside", "body", "caption", "center", "dd", "details", "dialog", "dir",
    "div", "dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hgroup", "hr",
    "legend", "li", "main", "menu", "nav", "optgroup", "option", "search", "section", "select",
    "summary", "svg", "table", "tbody", "tfoot", "thead", "tr",
}  # fmt: skip
LISTS: Final = ("dir", "menu", "ol", "ul")
CELLS: Final = frozenset({"td", "th"})
_SECTIONS: Final = ("tbody", "thead", "tfoot", "caption")
_TABLE_PARTS: Final = {*CELLS, *_SECTIONS, "tr"}
VOID: Final = frozenset(
    {"area", "base", "basefont", "bgsound", "br", "col", "embed", "frame", "hr", "img", "input",
     "keygen", "link", "meta", "param", "source", "track", "wbr"}
)  # fmt: skip
# The open elements that a start tag closes.
IMPLIED_END_TAGS: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(BLOCKS, ("p",)),
    **dict.fromkeys(CELLS, ("td", "th", "caption")),
    **dict.fromkeys(("dd", "dt"), ("p", "dd", "dt")),
    **dict.fromkeys(_SECTIONS, ("tr", *_SECTIONS)),
    "a": ("a",),
    "li": ("p", "li"),
    "tr": ("tr", "caption"),
}


class Style(NamedTuple):
    """The properties that an element inherits from its parent."""

    is_hidden: bool = False
    is_invisible: bool = False
    is_tiny: bool = False
    is_preformatted: bool = False
    transform: str = "none"

    @property
    def is_shown(self) -> bool:
        """Return whether text is shown."""
        return not (self.is_hidden or self.is_invisible or self.is_tiny)


INITIAL: Final = Style()

# The tag of an open element, its style, and the line ends after it.
type Element = tuple[str, Style, int]


class OpenElements:
    """The elements that are open at the current position in a document."""

    def __init__(self) -> None:
        """Start with the document itself, which has no tag."""
        self._elements: list[Element] = [("", INITIAL, 0)]
        self._positions: defaultdict[str, list[int]] = defaultdict(list)

    @property
    def current(self) -> Element:
        """Return the innermost element."""
        return self._elements[-1]

    def is_open(self, tag: str) -> bool:
        """Return whether an element with this tag is open."""
        return bool(self._positions[tag])

    def inherited(self, tag: str) -> Style:
        """Return the style that a new element with this tag inherits."""
        parent, style, _ = self._elements[-1]
        # A summary is shown even if its details element is closed.
        if tag == "summary" and parent == "details":
            return self._elements[-2][1]
        # In quirks mode (no document type, as in most mail), a table does not inherit the size.
        return style._replace(is_tiny=False) if tag == "table" else style

    def open(self, tag: str, style: Style, breaks: int) -> None:
        """Add an element that can have content; parts of a table are ignored outside of one."""
        if tag in _TABLE_PARTS and not self._positions["table"]:
            return
        self._positions[tag].append(len(self._elements))
        self._elements.append((tag, style, breaks))

    def close_implied(self, tag: str) -> Sequence[Element]:
        """Remove and return the elements that a start tag closes (HTML Standard 13.2.6.4)."""
        floor = self._last("table")
        if tag == "li":
            floor = max(floor, *map(self._last, LISTS))
        positions = [
            position
            for name in IMPLIED_END_TAGS[tag]
            if (position := self._last(name)) > floor
        ]
        return self._pop(min(positions)) if positions else ()

    def close(self, tag: str) -> Sequence[Element]:
        """Remove and return the innermost element with this tag, and the elements in it.

        An end tag within a table does not close elements outside of the table.
        """
        position = self._last(tag)
        floor = 0 if tag == "table" else self._last("table")
        # Text after "</body>" still belongs to the body.
        if position <= floor or tag in {"body", "html"}:
            return ()
        return self._pop(position)

    def close_all(self) -> Sequence[Element]:
        """Remove and return all elements."""
        return self._pop(1)

    def _last(self, tag: str) -> int:
        positions = self._positions[tag]
        return positions[-1] if positions else 0

    def _pop(self, position: int) -> Sequence[Element]:
        """Remove and return the elements from a position on, the innermost first."""
        removed = self._elements[: position - 1 : -1]
        del self._elements[position:]
        for tag, _, _ in removed:
            self._positions[tag].pop()
        return removed
