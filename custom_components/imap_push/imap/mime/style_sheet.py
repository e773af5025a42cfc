"""Apply the CSS properties that determine which text of a message is shown, and how."""

from collections.abc import Iterator, Mapping
import re
from typing import Final, NamedTuple

from .budget import Budget

# The width of the assumed screen.
_WIDTH_PIXELS: Final = 800
# Characters that one regular expression processes, as a call does not release the GIL.
_CHUNK: Final = 16_384
# The specificity of inline styles, above that of all selectors.
_INLINE: Final = 1_000_000
# Characters that are parsed of a rule and of an inline style.
_MAX_TEXT: Final = 4_096

_TOKEN: Final = re.compile(r"/\*|\*/|[{}]")
_SELECTOR: Final = re.compile(r"([a-z][\w-]*+|\*)?((?:[.#][\w-]++)*+)")
_SIMPLE: Final = re.compile(r"[.#][\w-]++")
_MEDIA_TERM: Final = re.compile(r"\([^()]*+\)|[^\s()]++")
_MEDIA_WIDTH: Final = re.compile(r"\(\s*+(min|max)-width\s*+:\s*+(\d{1,6})px\s*+\)")

_PROPERTIES: Final = frozenset(
    {"display", "visibility", "white-space", "text-transform"}
)
# Units and values that are relative to the inherited size: an inherited size of zero stays zero.
_RELATIVE: Final = ("em", "ex", "ch", "%", "inherit", "unset", "larger", "smaller")
_ZERO_SIZE: Final = re.compile(
    r"(?:^|\s)[+-]?0*+\.?0*+(?:px|pt|em|rem|ex|%)?(?=$|[\s/])"
)

# (name, is_important) -> value.
type _Declarations = dict[tuple[str, bool], str]


class _Rule(NamedTuple):
    tag: str  # "" for any
    names: frozenset[str]  # ".class" and "#id"
    specificity: int
    order: int
    declarations: _Declarations


class StyleSheet:
    """The style sheets of one document, in document order.

    Supported are compound selectors of a tag, classes and IDs, and lists of them; other selectors
    match nothing. `@media` is evaluated for a screen of 800 pixels; other at-rules are ignored.
    """

    def __init__(self, budget: Budget) -> None:
        """Count rules and matches in the budget of a message."""
        self._budget = budget
        self._rules: dict[str, list[_Rule]] = {}
        self._order = 0

    def add(self, css: str, media: str = "") -> None:
        """Add the content of a `<style>` element; raise BudgetSpent."""
        if media and not _applies(media):
            return
        # The end of the style sheet closes an open block.
        for selectors, text in _rules(css + "}"):
            self._budget.spend_tag()
            declarations = _declarations(text)
            if not declarations:
                continue
            self._order += 1
            for selector in selectors.lower().split(","):
                self._budget.spend_tag()
                self._add(selector.strip(), declarations)

    def _add(self, selector: str, declarations: _Declarations) -> None:
        found = _SELECTOR.fullmatch(selector)
        if not selector or not found:
            return
        tag = (found[1] or "").replace("*", "")
        names = _SIMPLE.findall(found[2])
        specificity = sum(100 if name[0] == "#" else 10 for name in names) + bool(tag)
        rule = _Rule(tag, frozenset(names), specificity, self._order, declarations)
        self._rules.setdefault(names[-1] if names else tag, []).append(rule)

    def declarations(self, tag: str, attributes: Mapping[str, str]) -> dict[str, str]:
        """Return the cascaded value of each property (CSS Cascade 4, 6); raise BudgetSpent."""
        rules = [*self._matching(tag, attributes)]
        if style := attributes.get("style"):
            rules.append(_Rule("", frozenset(), _INLINE, 0, _declarations(style)))
        found = sorted(
            (is_important, rule.specificity, rule.order, name, value)
            for rule in rules
            for (name, is_important), value in rule.declarations.items()
        )
        return {name: value for *_, name, value in found}

    def _matching(self, tag: str, attributes: Mapping[str, str]) -> Iterator[_Rule]:
        if not self._rules:
            return
        names = {f".{name}" for name in attributes.get("class", "").lower().split()}
        if identifier := attributes.get("id"):
            names.add(f"#{identifier.lower()}")
        for key in ("", tag, *names):
            rules = self._rules.get(key, ())
            self._budget.spend_tag(len(rules))
            for rule in rules:
                if rule.tag in {"", tag} and rule.names <= names:
                    yield rule


def _declarations(text: str) -> _Declarations:
    """Return the supported declarations; the last one of each property counts.

    The value of a font size is "0", or "1" for any other size.
    """
    found: _Declarations = {}
    for declaration in text[:_MAX_TEXT].lower().split(";"):
        name, _, rest = declaration.partition(":")
        value, important, _ = rest.partition("!")
        name, value = name.strip(), value.strip()
        if name in _PROPERTIES:
            found[name, bool(important)] = value
        elif name in {"font", "font-size"} and (size := _font_size(name, value)):
            found["font-size", bool(important)] = size
    return found


def _font_size(name: str, value: str) -> str:
    """Return "0" for size zero, "" for a size relative to the inherited one, "1" for others."""
    if _ZERO_SIZE.search(value):
        return "0"
    is_relative = value.endswith(_RELATIVE) and not value.endswith("rem")
    return "" if is_relative and name == "font-size" else "1"


def _rules(css: str) -> Iterator[tuple[str, str]]:
    """Yield selectors and declarations of the rules that apply (CSS Syntax 3, 5)."""
    applies = [True]
    selectors = text = ""
    is_comment = False
    start = position = 0
    while position < len(css):
        token = _TOKEN.search(css, position, position + _CHUNK)
        if token is None:
            position += _CHUNK - 1  # The last character may be the first of a token.
            continue
        position = token.end()
        if is_comment:
            is_comment = token[0] != "*/"
            start = position
            continue
        text += css[start : token.start()][-_MAX_TEXT:]
        start = position
        if token[0] == "/*":
            is_comment = True
        elif token[0] == "{":
            selectors = text.rpartition(";")[2].replace("<!--", "").strip()
            text = ""
            applies.append(applies[-1] and _is_open(selectors))
        elif token[0] == "}":
            if selectors and applies[-1] and not selectors.startswith("@"):
                yield selectors.replace("-->", ""), text
            # A "}" without an open block belongs to the next selector and makes it invalid.
            selectors, text = "", "" if len(applies) > 1 else "}"
            if len(applies) > 1:
                applies.pop()


def _is_open(selectors: str) -> bool:
    """Return whether the rules in a block of selectors or of an at-rule apply."""
    if not selectors.startswith("@"):
        return True
    name = selectors[:6].lower()
    return name == "@media" and _applies(selectors[len(name) :])


def _applies(media: str) -> bool:
    """Evaluate a media query list; media types and widths are supported (Media Queries 4)."""
    return any(map(_query_applies, media[:_MAX_TEXT].lower().split(",")))


def _query_applies(query: str) -> bool:
    terms = [term for term in _MEDIA_TERM.findall(query) if term not in {"and", "only"}]
    return bool(terms) and all(map(_term_applies, terms))


def _term_applies(term: str) -> bool:
    feature = _MEDIA_WIDTH.fullmatch(term)
    if feature is None:
        return term in {"all", "screen"}
    width = int(feature[2])
    return width <= _WIDTH_PIXELS if feature[1] == "min" else width >= _WIDTH_PIXELS
