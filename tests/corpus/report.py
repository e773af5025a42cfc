"""What a run prints: a table by field, the bars, and the differences."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from .compare import FIELDS, ONE_AUTHOR, Agreement, Comparison
from .reading import Value

# Percent of the fields on which two parsers agree, and we may differ.
MAX_DIFFERENT: Final = 1.0
# Percent of the HTML documents that have to be equal to what Chromium shows.
MIN_EQUAL_HTML: Final = 97.0
_HEADINGS: Final = (
    "field", "read", "same as all", "same as one", "agreed", "we differ", "%", "one author", "alone",
)  # fmt: skip
# Characters that are shown of a value: before the first difference, and after it.
_BEFORE: Final = 40
_AFTER: Final = 120


def table(comparisons: Iterable[Comparison]) -> Iterator[str]:
    """Yield the lines of the table by field.

    "agreed": at least two independent parsers read the same, and of these "we differ". "one
    author": only the two parsers of one author agree, and we differ. "alone": no two agree, and
    we read it like none.
    """
    rows = {field: Counter[str]() for field in FIELDS}
    for it in comparisons:
        row = rows[it.field]
        same = len(it.same)
        row["read"] += 1
        row["same as all"] += same == len(it.theirs)
        row["same as one"] += same > 0
        row["agreed"] += bool(set(it.pairs) - {ONE_AUTHOR})
        row["we differ"] += it.agreement is Agreement.AGAINST_US
        row["one author"] += it.agreement is Agreement.ONE_AUTHOR
        row["alone"] += it.agreement is Agreement.NONE
    rows["all"] = sum(rows.values(), Counter())
    yield " | ".join(_HEADINGS)
    yield " | ".join("---" for _ in _HEADINGS)
    for field, row in rows.items():
        if row["read"]:
            cells = {
                **row,
                "field": field,
                "%": percent(row["we differ"], row["agreed"]),
            }
            yield " | ".join(str(cells.get(it, 0)) for it in _HEADINGS)


def summary(comparisons: Sequence[Comparison], lost: int) -> tuple[list[str], bool]:
    """Return the last lines of a run, and whether all bars are kept."""
    lines, is_good = [], not lost
    if lost:
        lines.append(f"{lost} messages were not delivered")
    agreed = Counter(pair for it in comparisons for pair in it.pairs)
    different = Counter(pair for it in comparisons for pair in it.differs_from)
    for pair in sorted(agreed):
        share = percent(different[pair], agreed[pair])
        bar = "one author" if pair == ONE_AUTHOR else f"bar: below {MAX_DIFFERENT} %"
        lines.append(
            f"{' and '.join(pair)}: agree on {agreed[pair]} fields,"
            f" we differ on {different[pair]} ({share} %, {bar})"
        )
        is_below = different[pair] * 100 < MAX_DIFFERENT * agreed[pair]
        is_good &= is_below or pair == ONE_AUTHOR
    html = [it for it in comparisons if it.field == "html"]
    if html:
        equal = sum(bool(it.same) for it in html)
        lines.append(
            f"HTML: {equal} of {len(html)} documents as Chromium shows them"
            f" ({percent(equal, len(html))} %, bar: at least {MIN_EQUAL_HTML} %)"
        )
        is_good &= equal * 100 >= MIN_EQUAL_HTML * len(html)
    return lines, is_good


def differences(
    comparisons: Iterable[Comparison], field: str | None = None
) -> Iterator[str]:
    """Yield the lines about what we read like no other parser, or unlike two that agree."""
    for it in comparisons:
        if it.agreement is Agreement.WITH_US or field not in {None, it.field}:
            continue
        yield f"{it.message}: {it.field} ({it.agreement})"
        yield f"    {'ours':<12} {_shown(it.ours, next(iter(it.theirs.values())))}"
        for name, theirs in it.theirs.items():
            shown = "the same" if name in it.same else _shown(theirs, it.ours)
            yield f"    {name:<12} {shown}"


def percent(part: int, whole: int) -> str:
    """Return a share in percent with two decimals."""
    return f"{part * 100 / whole:.2f}" if whole else "0.00"


def _shown(value: Value, other: Value) -> str:
    """Return a value around the place where it begins to differ from another."""
    text, other_text = _text(value), _text(other)
    common = 0
    while text[common : common + 1] == other_text[common : common + 1] != "":
        common += 1
    start = max(0, common - _BEFORE)
    end = common + _AFTER
    return f"{'…' if start else ''}{text[start:end]!r}{'…' if end < len(text) else ''}"


def _text(value: Value) -> str:
    return value if isinstance(value, str) else " | ".join(map(str, value))
