"""Convert HTML to the text that a browser shows without JavaScript and images."""

from collections.abc import Iterable, Mapping
import re
from typing import Any, Final, NamedTuple

from .budget import Budget, BudgetSpent
from .characters import visible
from .html_tokenizer import attributes_of, tokens
from .open_elements import (
    BLOCKS,
    CELLS,
    IMPLIED_END_TAGS,
    INITIAL,
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
# Prefixes of the values of `display` that do not start a new line.
_INLINE_DISPLAYS: Final = ("contents", "initial", "inline", "table-cell", "unset")
_KEEPS_LINES: Final = frozenset({"break-spaces", "pre", "pre-line", "pre-wrap"})
# Elements whose start tag has an effect besides the line break.
_WITH_EFFECT: Final = _PREFORMATTED | CELLS | {"a", "br", "img", "li"}

# Link targets that are useful outside of a browser, up to a maximum length.
_LINK: Final = re.compile(r"(?:https?://|mailto:|tel:)[^\s<>]{1,2000}", re.IGNORECASE)
_SCHEME: Final = re.compile(r"(?:https?://|mailto:|tel:)", re.IGNORECASE)
_PHONE_SEPARATORS: Final = dict.fromkeys(map(ord, " ()-"))
_LETTER: Final = re.compile(r"(?<![\w'’])\w")


def text_of_html(
    html: str, size: int, budget: Budget | None = None, *, links: bool = False
) -> tuple[str, bool]:
    """Return at most `size` characters of the text of HTML, and whether it was shortened.

    The text is the innerText of a browser, with "- " before list items, a space between table
    cells and at most one blank line outside of preformatted text. Text with font size zero is left
    out. With `links`, the target of a link follows its text ("Confirm <https://example.com/>"),
    unless the text is the same address (http, https, mailto, tel); an image becomes its
    alternative text ("[Logo]"), unless it is in a link that has text.

    Accepts any text. If it has more tags and attributes than the budget allows, the rest of the
    text is left out.
    """
    converter = _Converter(size, budget or Budget(), links=links)
    try:
        converter.convert(html)
    except BudgetSpent, TextIsFull:
        return converter.layout.text()[:size], True
    return converter.layout.text(), False


class _StartTag(NamedTuple):
    """The properties of a start tag that do not depend on its position."""

    attributes: dict[str, str]
    breaks: int  # line ends before and after the element
    is_item: bool
    style: dict[str, Any]  # the fields of `Style` that are not inherited


class _Converter:
    def __init__(self, size: int, budget: Budget, *, links: bool) -> None:
        self.layout = TextLayout(size)
        self._budget = budget
        self._links = links
        self._elements = OpenElements()
        self._sheet = StyleSheet(budget)
        self._css: list[str] = []
        self._media = ""
        self._start_tags: dict[tuple[str, str], _StartTag] = {}
        self._href = ""  # of the open link
        self._link_start = 0  # position of its text
        self._alt = ""  # of an image in the open link, which has no text yet
        self._is_first = False  # directly after <pre>

    def convert(self, html: str) -> None:
        """Write the text to the layout; raise TextIsFull, BudgetSpent."""
        for name, content in tokens(html):
            self._budget.spend_tag()
            if not name:
                self._add(content)
            elif name[0] == "/":
                self._close(name[1:])
            else:
                self._open(name, content)
        self._end(self._elements.close_all())

    def _open(self, tag: str, attributes: str) -> None:
        start = self._start_tags.get((tag, attributes))
        if start is None:
            start = self._start_tags[tag, attributes] = self._start_tag(tag, attributes)
        elements = self._elements
        if tag in IMPLIED_END_TAGS and (ended := elements.close_implied(tag)):
            self._end(ended)
        if tag == "style":
            self._media = start.attributes.get("media", "")
        style = elements.inherited(tag)
        if start.style and not style.is_hidden:
            style = style._replace(**start.style)
            style = INITIAL if style == INITIAL else style
        breaks = 0
        if not style.is_hidden:
            breaks = start.breaks
            if breaks:
                if tag in LISTS and any(map(elements.is_open, LISTS)):
                    breaks = 1
                self.layout.separate(breaks)
            if tag in _WITH_EFFECT:
                self._begin(tag, start, style)
        if tag not in VOID:
            elements.open(tag, style, breaks)

    def _start_tag(self, tag: str, attributes: str) -> _StartTag:
        given = attributes_of(attributes) if attributes else {}
        self._budget.spend_tag(len(given))
        found = self._sheet.declarations(tag, given)
        display = found.pop("display", None)
        is_hidden = tag not in {"body", "html"} and (
            display == "none"
            or tag in _HIDDEN
            or ("hidden" in given and display is None)
            or (tag in {"details", "dialog"} and "open" not in given)
        )
        if display is None:
            is_block = tag in BLOCKS
        else:
            is_block = not display.startswith(_INLINE_DISPLAYS)
        breaks = is_block + (is_block and tag in PARAGRAPHS)
        is_item = tag == "li" and display in {None, "list-item"}
        style = _style(tag, found, is_hidden=is_hidden)
        return _StartTag(given, breaks, is_item, style)

    def _begin(self, tag: str, start: _StartTag, style: Style) -> None:
        """Apply the effect of the start tag of an element that is not hidden."""
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
            self._href = start.attributes.get("href", "") if style.is_shown else ""
            self._link_start = self.layout.position
        elif self._links and tag == "img" and style.is_shown:
            self._add_image(start.attributes.get("alt", ""))

    def _close(self, tag: str) -> None:
        if tag == "style":
            self._sheet.add("".join(self._css), self._media)
            self._css.clear()
            self._start_tags.clear()
        if ended := self._elements.close(tag):
            self._end(ended)
        # Browsers parse "</br>" as "<br>", and "</p>" without an open p as "<p></p>".
        elif tag in {"br", "p"}:
            self._open(tag, "")
            self._end(self._elements.close(tag))

    def _end(self, elements: Iterable[Element]) -> None:
        """Apply the effect of the end of elements."""
        for tag, _, breaks in elements:
            if tag == "li":
                self.layout.end_item()
            elif tag == "a" and self._href:
                self._add_link()
            if breaks:
                self.layout.separate(breaks)

    def _add(self, text: str) -> None:
        tag, style, _ = self._elements.current
        if tag == "style":
            self._css.append(text)
        if style is INITIAL:
            self.layout.add(text)
        elif not style.is_shown:
            return
        elif style.is_preformatted:
            text = _transformed(text, style.transform).replace("\r\n", "\n")
            self.layout.add_preformatted(
                text.removeprefix("\n") if self._is_first else text
            )
            self._is_first = False
        else:
            self.layout.add(_transformed(text, style.transform))

    def _add_image(self, alt: str) -> None:
        """Add the alternative text of an image; in a link only if the link has no text."""
        alt = " ".join(visible(alt).split())
        if not alt:
            return
        if not self._href:
            self.layout.add(f"[{alt}]")
        elif self._link_start == self.layout.position:
            self._alt = f"[{alt}]"

    def _add_link(self) -> None:
        if self._alt and self._link_start == self.layout.position:
            self.layout.add(self._alt)
        href = "".join(visible(self._href).strip().split("\n")).replace(" ", "%20")
        self._href = self._alt = ""
        text = self.layout.text(self._link_start).strip().removeprefix("- ")
        if not _LINK.fullmatch(href) or _normalized(text) == _normalized(href):
            return
        if text:
            self.layout.append(f"<{href}>")
        else:
            self.layout.add(f"<{href}>")


def _style(tag: str, found: Mapping[str, str], *, is_hidden: bool) -> dict[str, Any]:
    """Return the fields of `Style` that an element with these declarations sets."""
    style: dict[str, Any] = {}
    if is_hidden:
        style["is_hidden"] = True
    if (visibility := found.get("visibility")) in {"visible", "hidden", "collapse"}:
        style["is_invisible"] = visibility != "visible"
    if size := found.get("font-size"):
        style["is_tiny"] = size == "0"
    if white_space := found.get("white-space"):
        style["is_preformatted"] = white_space in _KEEPS_LINES
    elif tag in _PREFORMATTED:
        style["is_preformatted"] = True
    if transform := found.get("text-transform"):
        style["transform"] = transform
    return style


def _transformed(text: str, transform: str) -> str:
    match transform:
        case "uppercase":
            return text.upper()
        case "lowercase":
            return text.lower()
        case "capitalize":
            return _LETTER.sub(lambda letter: letter[0].upper(), text)
        case _:
            return text


def _normalized(address: str) -> str:
    """Return a web, mail or phone address without scheme and separators, to compare it."""
    address = _SCHEME.sub("", address.casefold(), count=1)
    return address.rstrip("/").translate(_PHONE_SEPARATORS)
