"""The results of a part as a table."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Column[RowT]:
    """A column: its title, and a function that returns its text for a row."""

    title: str
    text: Callable[[RowT], str]


@dataclass(frozen=True)
class Table:
    """The rows of a part, as values and as texts."""

    title: str
    meaning: str
    titles: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]
    rows: tuple[Any, ...]

    @property
    def values(self) -> list[dict[str, Any]]:
        """Return the rows for JSON."""
        return [asdict(row) for row in self.rows]

    def plain(self) -> str:
        """Return the table for a terminal."""
        lines = [self.titles, *self.texts]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(f"  {_aligned(line, widths)}" for line in lines)

    def markdown(self) -> str:
        """Return the table for a document."""
        rule = ("---", *("---:" for _ in self.titles[1:]))
        lines = [self.titles, rule, *self.texts]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def make_table[RowT](
    title: str,
    meaning: str,
    columns: Sequence[Column[RowT]],
    rows: Sequence[RowT],
) -> Table:
    """Return the table of these rows."""
    return Table(
        title,
        meaning,
        tuple(column.title for column in columns),
        tuple(tuple(column.text(row) for column in columns) for row in rows),
        tuple(rows),
    )


def _aligned(line: tuple[str, ...], widths: list[int]) -> str:
    """Align the name to the left and figures to the right."""
    name, *figures = map(str.ljust, line, widths, strict=True)
    return "  ".join(
        [name, *(figure.rstrip().rjust(len(figure)) for figure in figures)]
    ).rstrip()
