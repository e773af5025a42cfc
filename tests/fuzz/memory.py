"""Measure how much memory a call uses and how much it does not free."""

from collections.abc import Callable
import contextlib
from dataclasses import dataclass
import gc
from itertools import pairwise
from pathlib import Path
import resource
import sys
import tracemalloc
from typing import Final

MEGABYTE: Final = 1024 * 1024
# Octets by which the process has to grow before an execution is checked.
_RISE: Final = 8 * MEGABYTE
_REPEATS: Final = 4

_STATUS: Final = Path("/proc/self/status")
_CLEAR: Final = Path("/proc/self/clear_refs")


@dataclass(frozen=True, slots=True)
class Usage:
    """Peak octets of a call, and octets that each repetition does not free."""

    peak: int
    retained: int


def high_water_mark() -> int:
    """Return the peak memory of this process in octets."""
    try:
        status = _STATUS.read_text()
    except OSError:
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return used if sys.platform == "darwin" else used * 1024
    # Unlike ru_maxrss, this does not include the parent process.
    _, _, rest = status.partition("VmHWM:")
    return int(rest.split(maxsplit=1)[0]) * 1024


def reset_high_water_mark() -> int:
    """Reset the peak to the current memory, if the system can do that; return the peak."""
    with contextlib.suppress(OSError):
        _CLEAR.write_text("5")  # see proc_pid_clear_refs(5)
    return high_water_mark()


class Gauge:
    """Detects that the memory of the process has grown."""

    def __init__(self) -> None:
        """Start with the current memory of the process."""
        self._mark = reset_high_water_mark()

    def has_risen(self) -> bool:
        """Return whether the peak has grown by a step since the last time it did."""
        mark = high_water_mark()
        if mark - self._mark < _RISE:
            return False
        self._mark = mark
        return True


def measure(call: Callable[[], object]) -> Usage:
    """Run a call several times and trace its allocations, which is slow.

    Memory that only the first call keeps, for example in a cache, does not count.
    """
    sizes: list[int] = []
    tracemalloc.start()
    try:
        for _ in range(_REPEATS):
            call()
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
        peak = tracemalloc.get_traced_memory()[1] - min(sizes)
    finally:
        tracemalloc.stop()
    grown = [after - before for before, after in pairwise(sizes)]
    return Usage(peak=peak, retained=min(grown))
