"""Limits of what servers can make an account hold in memory, and of how fast it is read."""

import asyncio
from collections.abc import Callable
from typing import Final

# Octets of one FETCH response, with the overhead of its parts: it holds a piece of a message (up to
# 1 MiB of text) or its structure.
MAX_FETCH: Final = 2 * 1024 * 1024
# Octets of FETCH responses, with the overhead of their objects, that are kept for one
# connection and for all connections of an account. Those of 500 ordinary messages take 2 MB.
MAX_OF_CONNECTION: Final = 8 * 1024 * 1024
MAX_OF_ACCOUNT: Final = 10 * 1024 * 1024
# What each connection may always hold, so that a message that is asked for alone is never
# refused because of what other connections hold.
RESERVED: Final = MAX_FETCH + 64 * 1024

# Steps of the event loop (a read, a response) that a server may cause at once, and per second
# from then on. A burst of 1,000 messages takes 3,000. A step takes some microseconds, so that a
# stream without an end takes a few hundredths of a core.
MAX_STEPS: Final = 200_000
STEPS_PER_SECOND: Final = 5_000.0
SHORTEST_PAUSE: Final = 0.05  # seconds


class ReceiveBudget:
    """Octets that the connections of one account may hold together."""

    def __init__(self, octets: int = MAX_OF_ACCOUNT) -> None:
        """Allow so many octets."""
        self.free = octets


class Holding:
    """What one connection holds, within its own limit and its account's budget.

    Up to `reserved` octets are held even if the budget is used up.
    """

    def __init__(self, budget: ReceiveBudget, limit: int, *, reserved: int = 0) -> None:
        """Hold nothing yet."""
        self._budget = budget
        self._limit = limit
        self._reserved = reserved
        self._held = 0

    def take(self, octets: int) -> bool:
        """Hold so many octets more, if there is room; return if there is."""
        held = self._held + octets
        if held > self._limit or octets > max(
            self._budget.free, self._reserved - self._held
        ):
            return False
        self._held = held
        self._budget.free -= octets
        return True

    def release(self) -> None:
        """Hold nothing any more."""
        self._budget.free += self._held
        self._held = 0

    def close(self) -> None:
        """Hold nothing from now on: nobody would release it."""
        self.release()
        self._limit = self._reserved = 0


class ReadingPace:
    """Stops reading for a while where a server keeps the event loop busy without an end."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Allow a burst of steps."""
        self._loop = loop
        self._steps = TokenBucket(MAX_STEPS, STEPS_PER_SECOND, loop.time)
        self._resumption: asyncio.TimerHandle | None = None

    def spend(self, steps: int, transport: asyncio.ReadTransport) -> None:
        """Count steps; stop reading until more are allowed."""
        pause = self._steps.take(steps)
        # Not a timer for every response.
        if pause >= SHORTEST_PAUSE and transport.is_reading():
            transport.pause_reading()
            self._resumption = self._loop.call_later(pause, transport.resume_reading)

    def close(self) -> None:
        """Forget the transport."""
        if self._resumption is not None:
            self._resumption.cancel()


class TokenBucket:
    """Allows a burst at once and a rate from then on. It may be in debt."""

    def __init__(
        self, capacity: float, per_second: float, clock: Callable[[], float]
    ) -> None:
        """Start full; `clock` returns seconds, such as the event loop's time."""
        self._capacity = capacity
        self._per_second = per_second
        self._clock = clock
        self._tokens = capacity
        self._filled_at = clock()

    def take(self, tokens: float) -> float:
        """Take tokens; return the seconds until there is no debt."""
        self._fill()
        self._tokens -= tokens
        return max(0.0, -self._tokens / self._per_second)

    def try_take(self) -> bool:
        """Take one token if there is one; return if there was."""
        self._fill()
        has_one = self._tokens >= 1
        self._tokens -= has_one
        return has_one

    def _fill(self) -> None:
        now = self._clock()
        gained = (now - self._filled_at) * self._per_second
        self._tokens = min(self._capacity, self._tokens + gained)
        self._filled_at = now
