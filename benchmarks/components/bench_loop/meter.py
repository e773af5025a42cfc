"""A timer that fires every millisecond and measures how late it is."""

import asyncio
import time
from typing import Final

TICK_SECONDS: Final = 0.001
LONG_SECONDS: Final = 0.020


class LoopMeter:
    """Measures for how long an event loop is blocked.

    Two figures: by the clock, which includes the time of other processes, and by the
    processor time of the loop's thread, which does not.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Measure this loop, which is the running one."""
        self._loop = loop
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Start the timer."""
        self._ticks = 0
        self._blocks = 0
        self._longest = 0.0
        self._longest_busy = 0.0
        self._next()

    def stop(self) -> dict[str, float]:
        """Stop the timer and return the figures, in milliseconds."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        return {
            "longest": self._longest * 1000,
            "longest_busy": self._longest_busy * 1000,
            "blocks": self._blocks,
            "ticks": self._ticks,
        }

    def _next(self) -> None:
        """Schedule the next tick."""
        self._due = time.perf_counter() + TICK_SECONDS
        self._busy_before = time.thread_time()
        self._handle = self._loop.call_later(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        """Record how late this tick is."""
        late = time.perf_counter() - self._due
        busy = time.thread_time() - self._busy_before - TICK_SECONDS
        self._ticks += 1
        self._blocks += late > LONG_SECONDS
        self._longest = max(self._longest, late)
        self._longest_busy = max(self._longest_busy, busy)
        self._next()
