"""Memory and processor time of a process, from Linux's /proc."""

from dataclasses import dataclass
import os
from pathlib import Path
from typing import Final, Self

TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Memory:
    """Memory in KiB: resident (RSS), and not shared with other processes (USS)."""

    resident: int
    unique: int

    @classmethod
    def of(cls, pid: int) -> Self:
        """Return the memory of a running process."""
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
        sizes = {name: int(rest.split()[0]) for name, rest in _pairs(lines)}
        unique = sizes["Private_Clean"] + sizes["Private_Dirty"]
        return cls(sizes["Rss"], unique)


def processor_seconds(pid: int) -> float:
    """Return the processor time of all threads of a process so far."""
    # The program's name, in parentheses, may contain spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _pairs(lines: list[str]) -> list[tuple[str, str]]:
    """Return name and rest of each line."""
    return [(name, rest) for name, _, rest in (line.partition(":") for line in lines)]
