"""Turn HTML into the text that a browser shows without JavaScript and images."""

from collections.abc import Iterable
import re
from typing import Final, NamedTuple

from .budget import Budget, BudgetSpent
from .characters import visible
from .html_tokenizer import Token, attributes_of, tokens
from .open_elements import (
    BLOCKS,
    CELLS,
    IMPLIED,
    LISTS,
    PARAGRAPHS,
    VOID,
    Element,
    OpenElements,
    Style,
)
from .style_sheet import StyleSheet
from .text_layout import TextIsFull, TextLayout

# Elements whose content a browser does not show.
_HIDDEN: Final = frozenset(
    {"annotation", "annotation-xml", "audio", "datalist", "desc", "iframe", "metadata", "meter",
     "noembed", "noframes", "progress", "rp", "script", "style", "template", "textarea", "title",
     "video"}
)  # fmt: skip
_PREFORMATTED: Final = frozenset({"listing", "plaintext", "pre", "xmp"})

# Targets of links that are of use outside of a browser, and the longest one that is given.
_LINK: Final = re.compile(r"(?:https?://|mailto:|tel:)[^\s<>]{1,2000}", re.IGNORECASE)
_SCHEME: Final = re.compile(r"(?:https?://|mailto:|tel:)", re.IGNORECASE)
_IN_NUMBERS: Final = dict.fromkeys(map(ord, " ()-"))  # of telephones
_LETTER: Final = re.compile(r"(?<![\w'’])\w")


def text_of_html(
    html: str, size: int, budget: Budget | None = None, *, links: bool = False
) -> tuple[str, bool]:
    """Return at most `size` characters of the text of HTML, and whether there is more.

    The text is that of a browser's innerText, with "- " before list items, a space between table
    cells and no more than one blank line outside of preformatted text. Text of size zero is left
    out. With `links`, a target follows its text, as in "Confirm <https://example.com/>", unless
    the text is the same address (http, https, mailto, tel); an image is its alternative text, as
    in "[Logo]", unless it is in a link that has text.

    Total on any text. If there are more tags and attributes than the budget allows, the text up
    to there is returned.
    """
    reader = _Reader(size, budget or Budget(), links=links)
    try:
        reader.read(html)
    except BudgetSpent, TextIsFull:
        return reader.layout.text()[:size], True
    return reader.layout.text(), False


class _Start(NamedTuple):
    """What a start tag means wherever it is; None is inherited."""

    attributes: dict[str, str]
    breaks: int  # line ends before and after it
    is_item: bool
    is_plain: bool  # all that follows is inherited
    is_hidden: bool = False
    is_invisible: bool | None = None
    is_tiny: bool | None = None
    white_space: str | None = None
    transform: str | None = None

    def style(self, parent: Style) -> Style:
        """Return the style within a parent."""
        if self.is_plain or parent.is_hidden:
            return parent
        return Style(
            self.is_hidden,
            parent.is_invisible if self.is_invisible is None else self.is_invisible,
            parent.is_tiny if self.is_tiny is None else self.is_tiny,
            self.white_space or parent.white_space,
            self.transform or parent.transform,
        )


class _Reader:
    """Reads one document."""

    def __init__(self, size: int, budget: Budget, *, links: bool) -> None:
        self.layout = TextLayout(size)
        self._budget = budget
        self._links = links
        self._elements = OpenElements()
        self._sheet = StyleSheet(budget)
        self._css: list[str] = []
        self._media = ""
        self._starts: dict[tuple[str, str], _Start] = {}
        self._alt = ""  # of an image in a link without text so far
        self._is_first = False  # right behind <pre>

    def read(self, html: str) -> None:
        """Collect the text; raise TextIsFull, BudgetSpent."""
        for kind, name, attributes in tokens(html):
            self._budget.take_tag()
            if kind is Token.TEXT:
                self._add(name)
            elif kind is Token.START:
                self._open(name, attributes)
            elif kind is Token.END:
                self._close(name)
            elif name.startswith("doctype"):
                self._elements.is_quirky = False
        self._end(self._elements.close_all())

    def _open(self, tag: str, attributes: str) -> None:
        start = self._starts.get((tag, attributes))
        if start is None:
            start = self._starts[tag, attributes] = self._start(tag, attributes)
        elements = self._elements
        if start.breaks or tag in IMPLIED:
            self._end(elements.end_before(tag))
        if tag == "style":
            self._media = start.attributes.get("media", "")
        style = start.style(elements.inherited(tag))
        breaks = 0
        if not style.is_hidden:
            breaks = start.breaks
            if breaks:
                if tag in LISTS and any(map(elements.innermost, LISTS)):
                    breaks = 1
                self.layout.separate(breaks)
            self._begin(tag, start, style)
        if tag not in VOID:
            href = (
                start.attributes.get("href", "") if self._links and tag == "a" else ""
            )
            elements.open(Element(tag, style, breaks, href, self.layout.position))

    def _start(self, tag: str, attributes: str) -> _Start:
        """Return the meaning of a start tag, which is often repeated."""
        given = attributes_of(attributes) if attributes else {}
        self._budget.take_tag(len(given))
        found = self._sheet.declarations(tag, given)
        display = found.pop("display", None)
        is_hidden = tag not in {"body", "html"} and (
            display == "none"
            or tag in _HIDDEN
            or ("hidden" in given and display is None)
            or (tag == "object" and "data" in given)
            or (tag in {"details", "dialog"} and "open" not in given)
        )
        if display is None:
            is_block = tag in BLOCKS
        else:
            is_block = not display.startswith(("inline", "contents", "table-cell"))
        breaks = is_block + (is_block and tag in PARAGRAPHS)
        is_item = tag == "li" and display in {None, "list-item"}
        if tag in _PREFORMATTED:
            found.setdefault("white-space", "pre")
        if not found and not is_hidden:
            return _Start(given, breaks, is_item, is_plain=True)
        visibility, size = found.get("visibility"), found.get("font-size")
        return _Start(
            given,
            breaks,
            is_item,
            is_plain=False,
            is_hidden=is_hidden,
            is_invisible=None if visibility is None else visibility != "visible",
            is_tiny=None if size is None else size == "0",
            white_space=found.get("white-space"),
            transform=found.get("text-transform"),
        )

    def _begin(self, tag: str, start: _Start, style: Style) -> None:
        """Prepare for the content of an element that is not hidden."""
        if tag == "br":
            self.layout.end_line()
        elif tag in CELLS:
            self.layout.space()
        elif start.is_item:
            self.layout.begin_item()
        elif tag in _PREFORMATTED:
            self._is_first = True
        elif self._links and tag == "a":
            self._alt = ""
        elif self._links and tag == "img" and style.is_shown:
            self._add_image(start.attributes.get("alt", ""))

    def _close(self, tag: str) -> None:
        if tag == "style":
            self._read_style()
        ended = self._elements.close(tag)
        self._end(ended)
        # Browsers read "</br>" as "<br>", and "</p>" alone as "<p></p>".
        if tag == "br" or (tag == "p" and not ended):
            self._open(tag, "")
            self._end(self._elements.close(tag))

    def _end(self, elements: Iterable[Element]) -> None:
        """Finish elements that are closed."""
        for element in elements:
            if element.tag == "li":
                self.layout.end_item()
            elif element.href and element.style.is_shown:
                self._add_link(element)
            if element.breaks:
                self.layout.separate(element.breaks)

    def _read_style(self) -> None:
        self._sheet.add("".join(self._css), self._media)
        self._css.clear()
        self._starts.clear()

    def _add(self, text: str) -> None:
        element = self._elements.current
        style = element.style
        if element.tag == "style":
            self._css.append(text)
        if style.is_hidden or style.is_invisible or style.is_tiny:
            return
        if style.white_space not in {"normal", "nowrap"}:
            self._add_preformatted(text, style)
            return
        text = visible(text)
        if style.transform != "none":
            text = _transformed(text, style.transform)
        self.layout.add(text)

    def _add_preformatted(self, text: str, style: Style) -> None:
        text = text.replace("\r\n", "\n")
        if self._is_first:
            text = text.removeprefix("\n")
            self._is_first = False
        text = _transformed(visible(text), style.transform)
        if style.white_space == "pre-line":
            self.layout.add_lines(text)
        else:
            self.layout.add_preformatted(text)

    def _add_image(self, alt: str) -> None:
        """Add the alternative text of an image, in a link only if nothing else is in it."""
        alt = " ".join(visible(alt).split())
        if not alt:
            return
        link = self._elements.innermost("a")
        if link is None or not link.href:
            self.layout.add(f"[{alt}]")
        elif link.position == self.layout.position:
            self._alt = f"[{alt}]"

    def _add_link(self, link: Element) -> None:
        """Add the target of a link that ends here."""
        if link.position == self.layout.position:
            self.layout.add(self._alt)
        self._alt = ""
        href = "".join(visible(link.href).strip().split("\n")).replace(" ", "%20")
        text = self.layout.text(link.position).strip().removeprefix("- ")
        if not _LINK.fullmatch(href) or _compared(text) == _compared(href):
            return
        if text:
            self.layout.append(f"<{href}>")
        else:
            self.layout.add(f"<{href}>")


def _transformed(text: str, transform: str) -> str:
    if transform == "uppercase":
        return text.upper()
    if transform == "lowercase":
        return text.lower()
    if transform == "none":
        return text
    return _LETTER.sub(lambda letter: letter[0].upper(), text)


def _compared(address: str) -> str:
    """Return what two forms of an address have in common."""
    address = _SCHEME.sub("", address.casefold(), count=1)
    return address.rstrip("/").translate(_IN_NUMBERS)
