"""The stack of open elements (HTML Standard 13.2.4.2), as far as it decides about text.

Each operation takes constant time, or time for the elements that it closes.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final, NamedTuple

# Elements with a blank line around them, and all that begin and end a line.
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
# Start tags that end open elements, and which.
IMPLIED: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(BLOCKS, ("p",)),
    **dict.fromkeys(CELLS, ("td", "th", "caption")),
    **dict.fromkeys(("dd", "dt"), ("p", "dd", "dt")),
    **dict.fromkeys(_SECTIONS, ("tr", *_SECTIONS)),
    "a": ("a",),
    "li": ("p", "li"),
    "tr": ("tr", "caption"),
}


class Style(NamedTuple):
    """The properties of an element that elements in it inherit."""

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
    """The elements that are open at one place of a document."""

    def __init__(self) -> None:
        """Begin a document."""
        self._elements: list[Element] = [("", INITIAL, 0)]
        self._places: defaultdict[str, list[int]] = defaultdict(list)

    @property
    def current(self) -> Element:
        """Return the innermost element."""
        return self._elements[-1]

    def is_open(self, tag: str) -> bool:
        """Return whether an element with this tag is open."""
        return bool(self._places[tag])

    def inherited(self, tag: str) -> Style:
        """Return the style that an element which is opened here inherits."""
        parent, style, _ = self._elements[-1]
        # The summary is shown if the details are not.
        if tag == "summary" and parent == "details":
            return self._elements[-2][1]
        # Without a document type, which much mail omits, a table has a size of its own.
        return style._replace(is_tiny=False) if tag == "table" else style

    def open(self, tag: str, style: Style, breaks: int) -> None:
        """Add an element that can have content; parts of a table only within one."""
        if tag in _TABLE_PARTS and not self._places["table"]:
            return
        self._places[tag].append(len(self._elements))
        self._elements.append((tag, style, breaks))

    def end_before(self, tag: str) -> Sequence[Element]:
        """Remove and return what a start tag ends (HTML Standard 13.2.6.4)."""
        floor = self._last("table")
        if tag == "li":
            floor = max(floor, *map(self._last, LISTS))
        places = [place for name in IMPLIED[tag] if (place := self._last(name)) > floor]
        return self._pop(min(places)) if places else ()

    def close(self, tag: str) -> Sequence[Element]:
        """Remove and return the innermost element with this tag, and those in it.

        An end tag within a table does not end what is outside of the table.
        """
        place = self._last(tag)
        floor = 0 if tag == "table" else self._last("table")
        # What follows "</body>" is read as if it were before it.
        return self._pop(place) if place > floor and tag not in {"body", "html"} else ()

    def close_all(self) -> Sequence[Element]:
        """Remove and return all elements."""
        return self._pop(1)

    def _last(self, tag: str) -> int:
        places = self._places[tag]
        return places[-1] if places else 0

    def _pop(self, place: int) -> Sequence[Element]:
        """Remove and return elements, the innermost first."""
        removed = self._elements[: place - 1 : -1]
        del self._elements[place:]
        for tag, _, _ in removed:
            self._places[tag].pop()
        return removed
