"""The results: for people, for programs and for docs/performance.md."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
import json
from pathlib import Path
from typing import Final

from .bars import Bar
from .table import Table

BAR_TITLES: Final = ("bar", "measured", "wanted", "")
SMOKE: Final = "A smoke run: the figures mean nothing."


@dataclass(frozen=True)
class Report:
    """Everything about one run."""

    command: str
    machine: dict[str, str]
    is_quick: bool
    tables: dict[str, Table]
    bars: list[Bar]

    def write(self, folder: Path) -> None:
        """Write JSON and Markdown."""
        (folder / "results.json").write_text(self.as_json())
        (folder / "results.md").write_text(self.as_markdown())

    def as_json(self) -> str:
        """Return all values."""
        content = {
            "command": self.command,
            "machine": self.machine,
            "quick": self.is_quick,
            "parts": {name: table.values for name, table in self.tables.items()},
            "bars": [asdict(bar) for bar in self.bars],
        }
        return json.dumps(content, indent=2) + "\n"

    def as_markdown(self) -> str:
        """Return what goes into docs/performance.md."""
        parts = [f"## Figures\n\n`{self.command}`"]
        if self.is_quick:
            parts.append(SMOKE)
        parts.append(_markdown(("on", "what"), self.machine.items()))
        parts.append("### Bars")
        parts.append(_markdown(BAR_TITLES, map(_cells, self.bars)))
        for table in self.tables.values():
            parts += [f"### {table.title}", table.meaning, table.markdown()]
        return "\n\n".join(parts) + "\n"

    def plain_bars(self) -> str:
        """Return the bars for a terminal."""
        lines = [
            f"  {bar.verdict:6}  {bar.what}: {bar.measured} (wanted: {bar.bar})"
            for bar in self.bars
        ]
        if self.is_quick:
            lines.append(f"  {SMOKE}")
        return "\n".join(lines)


def _cells(bar: Bar) -> tuple[str, ...]:
    """Return a row of the table of bars."""
    return bar.what, bar.measured, bar.bar, bar.verdict


def _markdown(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table of texts."""
    lines = [titles, ("---",) * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
