"""The stack of open elements (HTML Standard 13.2.4.2), as far as it decides about text.

Each operation takes constant time, or time for the elements that it closes.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
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
LISTS: Final = frozenset({"dir", "menu", "ol", "ul"})
CELLS: Final = frozenset({"td", "th"})
_SECTIONS: Final = ("tbody", "thead", "tfoot", "caption")
_TABLE_PARTS: Final = {*CELLS, *_SECTIONS, "tr"}
VOID: Final = frozenset(
    {"area", "base", "basefont", "bgsound", "br", "col", "embed", "frame", "hr", "img", "input",
     "keygen", "link", "meta", "param", "source", "track", "wbr"}
)  # fmt: skip
# Elements in which an end tag does not end what is outside of them.
_SCOPES: Final = CELLS | {"caption", "object", "table", "template"}
_SPECIAL: Final = _SCOPES | BLOCKS - {"dialog", "legend", "optgroup", "option", "svg"}
# Elements that end even if blocks in them do not; other inline elements go on.
_FORMATTING: Final = frozenset(
    {"a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt",
     "u"}
)  # fmt: skip
# Start tags that end open elements, and which.
IMPLIED: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(BLOCKS, ("p",)),
    **dict.fromkeys(("td", "th"), ("td", "th", "caption")),
    **dict.fromkeys(("dd", "dt"), ("p", "dd", "dt")),
    **dict.fromkeys(_SECTIONS, ("tr", *_SECTIONS)),
    "a": ("a",),
    "li": ("p", "li"),
    "optgroup": ("option", "optgroup"),
    "option": ("option",),
    "tr": ("tr", "caption"),
}


class Style(NamedTuple):
    """The inherited properties of an element."""

    is_hidden: bool = False
    is_invisible: bool = False
    is_tiny: bool = False
    white_space: str = "normal"
    transform: str = "none"

    @property
    def is_shown(self) -> bool:
        """Return whether text is shown."""
        return not (self.is_hidden or self.is_invisible or self.is_tiny)


INITIAL: Final = Style()

# The tag of an open element, its style, and the line ends after it.
type Element = tuple[str, Style, int]


class OpenElements:
    """The elements that are open at a place of a document."""

    def __init__(self) -> None:
        """Begin a document without a document type."""
        self.is_quirky = True
        self._elements: list[Element] = [("", INITIAL, 0)]
        self._places: defaultdict[str, list[int]] = defaultdict(list)
        self._scopes = [0]
        self._special = [0]

    @property
    def current(self) -> Element:
        """Return the innermost element."""
        return self._elements[-1]

    def is_open(self, tag: str) -> bool:
        """Return whether an element with this tag is open."""
        return bool(self._places[tag])

    def inherited(self, tag: str) -> Style:
        """Return the style that an element inherits which is opened here."""
        parent, style, _ = self._elements[-1]
        if style is INITIAL:
            return style
        if tag == "summary" and parent == "details":
            return self._elements[-2][1]
        if tag == "table" and self.is_quirky:
            return style._replace(is_tiny=False, white_space="normal")
        return style

    def open(self, tag: str, style: Style, breaks: int) -> None:
        """Add an element that can have content; parts of a table only within one."""
        if tag in _TABLE_PARTS and not self._places["table"]:
            return
        place = len(self._elements)
        self._places[tag].append(place)
        if tag in _SPECIAL:
            self._special.append(place)
            if tag in _SCOPES:
                self._scopes.append(place)
        self._elements.append((tag, style, breaks))

    def end_before(self, tag: str) -> Sequence[Element]:
        """Remove and return what a start tag ends (HTML Standard 13.2.6.4)."""
        ended = [name for name in IMPLIED.get(tag, ()) if self._places[name]]
        if not ended or (tag == "table" and self.is_quirky):
            return ()
        if tag in _TABLE_PARTS:
            floor = self._last("table")
        elif tag == "li":
            floor = max(self._scopes[-1], *map(self._last, LISTS))
        else:
            floor = self._scopes[-1]
        places = [place for place in map(self._last, ended) if place > floor]
        return self._pop(min(places)) if places else ()

    def close(self, tag: str) -> Sequence[Element]:
        """Remove and return the innermost element with this tag, and those in it."""
        place = self._last(tag)
        # What follows "</body>" is read as if it were before it.
        if not place or tag in {"body", "html"}:
            return ()
        if place == len(self._elements) - 1:
            return self._pop(place)
        if place <= self._floor(tag):
            return ()
        element = self._elements[place]
        style = self._elements[place - 1][1]
        if tag in _FORMATTING and place < self._special[-1] and element[1] == style:
            self._places[tag].pop()
            self._places[""].append(place)
            self._elements[place] = ("", style, 0)
            return (element,)
        return self._pop(place)

    def close_all(self) -> Sequence[Element]:
        """Remove and return all elements."""
        return self._pop(1)

    def _floor(self, tag: str) -> int:
        """Return the place of the innermost element that an end tag does not end."""
        if tag in _TABLE_PARTS:
            return self._last("table")
        if tag in _SCOPES:
            return 0
        is_ending = tag in _SPECIAL or tag in _FORMATTING
        return (self._scopes if is_ending else self._special)[-1]

    def _last(self, tag: str) -> int:
        places = self._places[tag]
        return places[-1] if places else 0

    def _pop(self, place: int) -> Sequence[Element]:
        """Remove and return elements, the innermost first."""
        removed = self._elements[: place - 1 : -1]
        del self._elements[place:]
        for tag, _, _ in removed:
            self._places[tag].pop()
            if tag in _SPECIAL:
                self._special.pop()
                if tag in _SCOPES:
                    self._scopes.pop()
        return removed
