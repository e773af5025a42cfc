"""The results as text, as JSON and as Markdown for docs/performance.md."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
import json
from pathlib import Path
from typing import Final

from .table import Table
from .targets import Target

TARGET_TITLES: Final = ("target", "measured", "required", "")
SMOKE: Final = "A smoke test: the figures are useless."


@dataclass(frozen=True)
class Report:
    """Everything about one run."""

    command: str
    machine: dict[str, str]
    is_quick: bool
    tables: dict[str, Table]
    targets: list[Target]

    def write(self, folder: Path) -> None:
        """Write JSON and Markdown."""
        (folder / "results.json").write_text(self.as_json())
        (folder / "results.md").write_text(self.as_markdown())

    def as_json(self) -> str:
        """Return all values as JSON."""
        content = {
            "command": self.command,
            "machine": self.machine,
            "quick": self.is_quick,
            "parts": {name: table.values for name, table in self.tables.items()},
            "targets": [asdict(target) for target in self.targets],
        }
        return json.dumps(content, indent=2) + "\n"

    def as_markdown(self) -> str:
        """Return the chapter Figures of docs/performance.md."""
        parts = [f"## Figures\n\n`{self.command}`"]
        if self.is_quick:
            parts.append(SMOKE)
        parts.append(_markdown(("property", "value"), self.machine.items()))
        parts.append("### Targets")
        parts.append(_markdown(TARGET_TITLES, map(_cells, self.targets)))
        for table in self.tables.values():
            parts += [f"### {table.title}", table.meaning, table.markdown()]
        return "\n\n".join(parts) + "\n"

    @property
    def missed(self) -> int:
        """Return the number of missed targets."""
        return sum(not target.is_met for target in self.targets)

    def plain_targets(self) -> str:
        """Return the targets for a terminal, the missed ones last."""
        ordered = sorted(self.targets, key=lambda target: not target.is_met)
        lines = _plain(TARGET_TITLES, map(_cells, ordered))
        lines.append(f"{self.missed} of {len(self.targets)} targets missed")
        if self.is_quick:
            lines.append(SMOKE)
        return "\n".join(f"  {line}" for line in lines)


def _cells(target: Target) -> tuple[str, ...]:
    """Return a row of the table of targets."""
    return target.what, target.measured, target.target, target.verdict


def _plain(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Return the lines of an aligned table."""
    lines = [titles, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(map(str.ljust, line, widths, strict=True)).rstrip() for line in lines
    ]


def _markdown(titles: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [titles, ("---",) * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
