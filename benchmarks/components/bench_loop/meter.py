"""A tick every millisecond, which sees how late it is."""

import asyncio
import time
from typing import Final

TICK_SECONDS: Final = 0.001
LONG_SECONDS: Final = 0.020


class LoopMeter:
    """What everybody else on an event loop has to wait for.

    Two figures: by the clock, which includes other processes that took the processor
    away, and by the processor time of the loop's thread, which does not.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Measure this loop, which is the running one."""
        self._loop = loop
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to tick."""
        self._ticks = 0
        self._blocks = 0
        self._longest = 0.0
        self._longest_busy = 0.0
        self._next()

    def stop(self) -> dict[str, float]:
        """End, and return what was seen, in milliseconds."""
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
        """Have the next tick called."""
        self._due = time.perf_counter() + TICK_SECONDS
        self._busy_before = time.thread_time()
        self._handle = self._loop.call_later(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        """See how long it took until now."""
        late = time.perf_counter() - self._due
        busy = time.thread_time() - self._busy_before - TICK_SECONDS
        self._ticks += 1
        self._blocks += late > LONG_SECONDS
        self._longest = max(self._longest, late)
        self._longest_busy = max(self._longest_busy, busy)
        self._next()
