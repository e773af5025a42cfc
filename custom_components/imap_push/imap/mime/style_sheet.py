"""The few properties of CSS that decide which text of a message is shown, and how."""

from collections.abc import Iterator, Mapping
import re
import string
from typing import Final, NamedTuple

from .budget import Budget

# A screen of this width, JavaScript off, light colors.
_WIDTH_PIXELS: Final = 800
# Characters that one regular expression works on: a call holds the interpreter lock.
_CHUNK: Final = 16_384
# The specificity of inline styles.
_INLINE: Final = 1_000_000
# Rules and inline styles longer than this are read up to here.
_MAX_TEXT: Final = 4_096

_TOKEN: Final = re.compile(r"/\*|\*/|[{}]")
_DECLARATION: Final = re.compile(
    r"(display|visibility|white-space|text-transform|font(?:-size)?)\s*+:([^;!]*+)(!?)"
)
_SELECTOR: Final = re.compile(r"([a-z][\w-]*+|\*)?((?:[.#][\w-]++)*+)")
_SIMPLE: Final = re.compile(r"[.#][\w-]++")
_MEDIA_WORD: Final = re.compile(r"\([^()]*+\)|[^\s()]++")
_MEDIA_FEATURE: Final = re.compile(
    r"\(\s*+(?:-webkit-)?(min-|max-)(?:device-)?(width|pixel-ratio)\s*+:\s*+"
    r"([\d.]++)(px|r?em)?\s*+\)"
)
_PIXELS: Final = {"px": 1, "em": 16, "rem": 16}

_VALUES: Final = {
    "visibility": {"visible", "hidden", "collapse"},
    "white-space": {
        "normal", "nowrap", "pre", "pre-wrap", "pre-line", "break-spaces"
    },
    "text-transform": {"none", "uppercase", "lowercase", "capitalize"},
    "display": {
        "none", "inline", "inline-block", "inline-table", "inline-flex", "inline-grid", "contents",
        "block", "flow-root", "flex", "grid", "list-item", "table", "table-row", "table-cell",
        "table-caption", "table-row-group", "table-header-group", "table-footer-group",
        "-webkit-box", "-webkit-flex", "-ms-flexbox", "inherit", "initial", "unset",
    },
}  # fmt: skip
_NAME_CHARACTERS: Final = frozenset({"-", "_", *string.ascii_lowercase, *string.digits})
# Sizes that leave text at size zero as it is.
_RELATIVE: Final = ("em", "ex", "ch", "%", "inherit", "unset", "larger", "smaller")
_NO_SIZE: Final = re.compile(r"(?:^|\s)[+-]?0*+\.?0*+(?:px|pt|em|rem|ex|%)?(?=$|[\s/])")


class _Rule(NamedTuple):
    """What one selector matches, and the declarations for it."""

    tag: str  # "" for any
    names: frozenset[str]  # ".class" and "#id"
    specificity: int
    order: int
    declarations: list[tuple[str, str, bool]]


class StyleSheet:
    """The style sheets of one document, in the order in which they are read.

    Understood are selectors of one element by tag, classes and ID, and lists of them; others
    match nothing. `@media` counts if it applies to a screen of 800 pixels.
    """

    def __init__(self, budget: Budget) -> None:
        """Count rules and matches in a message's budget."""
        self._budget = budget
        self._rules: dict[str, list[_Rule]] = {}
        self._order = 0

    def add(self, css: str, media: str = "") -> None:
        """Read the content of one `<style>` element; raise BudgetSpent."""
        if not _applies(media):
            return
        for selectors, text in _rules(css):
            self._budget.take_tag()
            declarations = _declarations(text)
            if not declarations:
                continue
            self._order += 1
            for selector in selectors.lower().split(","):
                self._budget.take_tag()
                self._add(selector.strip(), declarations)

    def _add(self, selector: str, declarations: list[tuple[str, str, bool]]) -> None:
        found = _SELECTOR.fullmatch(selector)
        if not selector or not found:
            return
        tag = (found[1] or "").replace("*", "")
        names = _SIMPLE.findall(found[2])
        specificity = sum(100 if name[0] == "#" else 10 for name in names) + bool(tag)
        rule = _Rule(tag, frozenset(names), specificity, self._order, declarations)
        self._rules.setdefault(names[-1] if names else tag, []).append(rule)

    def declarations(self, tag: str, attributes: Mapping[str, str]) -> dict[str, str]:
        """Return an element's value of each property (CSS Cascade 4, 6); raise BudgetSpent."""
        found: list[tuple[bool, int, int, str, str]] = []
        if self._rules:
            for rule in self._matching(tag, attributes):
                found.extend(
                    (is_important, rule.specificity, rule.order, name, value)
                    for name, value, is_important in rule.declarations
                )
        if style := attributes.get("style"):
            found.extend(
                (is_important, _INLINE, number, name, value)
                for number, (name, value, is_important) in enumerate(
                    _declarations(style)
                )
            )
        return {name: value for *_, name, value in sorted(found)}

    def _matching(self, tag: str, attributes: Mapping[str, str]) -> Iterator[_Rule]:
        names = {f".{name}" for name in attributes.get("class", "").lower().split()}
        if identifier := attributes.get("id"):
            names.add(f"#{identifier.lower()}")
        for key in ("", tag, *names):
            rules = self._rules.get(key, ())
            self._budget.take_tag(len(rules))
            for rule in rules:
                if rule.tag in {"", tag} and rule.names <= names:
                    yield rule


def _declarations(text: str) -> list[tuple[str, str, bool]]:
    """Return the valid ones of the declarations that matter: name, value, whether important.

    Of several of one property, the last one counts.
    """
    found: dict[tuple[str, bool], str] = {}
    text = text[:_MAX_TEXT].lower()
    for declaration in _DECLARATION.finditer(text):
        # A look-behind in the expression would take three times as long.
        start = declaration.start()
        if start and text[start - 1] in _NAME_CHARACTERS:
            continue
        name, value, important = declaration.groups()
        value = value.strip()
        if name in _VALUES:
            if value in _VALUES[name]:
                found[name, bool(important)] = value
        elif _NO_SIZE.search(value):
            found["font-size", bool(important)] = "0"
        elif name == "font" or not value.endswith(_RELATIVE) or value.endswith("rem"):
            found["font-size", bool(important)] = "1"
    return [(name, value, important) for (name, important), value in found.items()]


def _rules(css: str) -> Iterator[tuple[str, str]]:
    """Yield selectors and declarations of the rules that apply (CSS Syntax 3, 5)."""
    applies = [True]
    selectors = text = ""
    is_comment = False
    start = position = 0
    while position < len(css):
        token = _TOKEN.search(css, position, position + _CHUNK)
        if token is None:
            position += _CHUNK - 1  # Half of a token may be at the end.
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
            selectors = text = ""
            if len(applies) > 1:
                applies.pop()


def _is_open(selectors: str) -> bool:
    """Return whether what a block holds applies."""
    if not selectors.startswith("@"):
        return True
    name, _, condition = selectors.lower().partition(" ")
    name, opening, rest = name.partition("(")
    return name == "@supports" or (
        name == "@media" and _applies(opening + rest + " " + condition)
    )


def _applies(media: str) -> bool:
    """Return whether a media query list applies (Media Queries 4)."""
    queries = media[:_MAX_TEXT].lower().split(",")
    return not media.strip() or any(map(_query_applies, queries))


def _query_applies(query: str) -> bool:
    words = [word for word in _MEDIA_WORD.findall(query) if word not in {"and", "only"}]
    is_negated = words[:1] == ["not"]
    if is_negated:
        del words[0]
    return bool(words) and all(map(_feature_applies, words)) != is_negated


def _feature_applies(word: str) -> bool:
    if not word.startswith("("):
        return word in {"all", "screen"}
    feature = _MEDIA_FEATURE.fullmatch(word)
    if feature is None:
        return "".join(word.split()) == "(prefers-color-scheme:light)"
    actual = _WIDTH_PIXELS if feature[2] == "width" else 1
    try:
        value = float(feature[3]) * _PIXELS.get(feature[4], 1)
    except ValueError:
        return False
    return actual >= value if feature[1] == "min-" else actual <= value
