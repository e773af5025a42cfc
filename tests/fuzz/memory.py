"""How much memory a call takes, and how much it never gives back."""

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
# By how much the memory of the process has to grow until it is worth a look.
_RISE: Final = 8 * MEGABYTE
_REPEATS: Final = 4

_STATUS: Final = Path("/proc/self/status")
_CLEAR: Final = Path("/proc/self/clear_refs")


@dataclass(frozen=True, slots=True)
class Usage:
    """Octets that a call takes at the most, and that stay taken after each further call."""

    peak: int
    retained: int


def high_water_mark() -> int:
    """Return the most octets that this process has had in memory."""
    try:
        status = _STATUS.read_text()
    except OSError:
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return used if sys.platform == "darwin" else used * 1024
    # Unlike ru_maxrss, this does not count the process that started this one.
    _, _, rest = status.partition("VmHWM:")
    return int(rest.split(maxsplit=1)[0]) * 1024


def reset_high_water_mark() -> int:
    """Make the mark what is in use now, where the system can do that; return it."""
    with contextlib.suppress(OSError):
        _CLEAR.write_text("5")  # see proc_pid_clear_refs(5)
    return high_water_mark()


class Gauge:
    """Says when the process has become so much larger that the last call may be the reason."""

    def __init__(self) -> None:
        """Compare with what the process takes now."""
        self._mark = reset_high_water_mark()

    def has_risen(self) -> bool:
        """Return if memory has grown by a step since the last rise, perhaps for a moment."""
        mark = high_water_mark()
        if mark - self._mark < _RISE:
            return False
        self._mark = mark
        return True


def measure(call: Callable[[], object]) -> Usage:
    """Run a call several times and trace what it allocates: this is slow.

    What only the first call leaves behind, such as a filled cache, is not counted.
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
