"""Limits of the memory and of the processing time that servers can cause."""

import asyncio
from collections.abc import Callable
from typing import Final

# Octets of one FETCH response, with the overhead of its Python objects: it contains up to 1 MiB of
# the text of a message, or its structure.
MAX_FETCH: Final = 2 * 1024 * 1024
# Octets of FETCH responses, with the overhead of their objects, that are buffered for one
# connection and for all connections of an account. 500 ordinary messages need 2 MB.
MAX_OF_CONNECTION: Final = 8 * 1024 * 1024
MAX_OF_ACCOUNT: Final = 10 * 1024 * 1024
# Octets that each connection may always buffer, so that the FETCH of a single message never fails
# because of other connections.
RESERVED: Final = MAX_FETCH + 64 * 1024

# Octets of untagged data other than FETCH that the running commands may collect: 10,000 LIST
# responses take 4 MB.
MAX_COLLECTED: Final = 6 * 1024 * 1024
# Untagged responses other than FETCH and LIST that one command may collect: EXAMINE has ten.
MAX_RESPONSES: Final = 1_000
# FETCH responses beyond the limit that one command may collect, each cut to its beginning.
MAX_CUT: Final = 10_000

# Steps of the event loop (a read, a response) that a server may cause: the burst, and the rate
# after it. 1,000 messages cause 3,000 steps. A step takes a few microseconds, so an endless stream
# uses a few percent of a core.
MAX_STEPS: Final = 200_000
STEPS_PER_SECOND: Final = 5_000.0
MIN_PAUSE_SECONDS: Final = 0.05


class ReceiveBudget:
    """The octets that all connections of one account may still buffer."""

    def __init__(self, octets: int = MAX_OF_ACCOUNT) -> None:
        """Start with `octets` free octets."""
        self.free = octets


class ReceiveQuota:
    """The octets that one connection buffers, limited by `limit` and by the account's budget.

    Up to `reserved` octets are allowed even if the budget is used up.
    """

    def __init__(self, budget: ReceiveBudget, limit: int, *, reserved: int = 0) -> None:
        """Start with an empty buffer."""
        self._budget = budget
        self._limit = limit
        self._reserved = reserved
        self._used = 0

    def acquire(self, octets: int) -> bool:
        """Add octets to the count; return False, and add nothing, if they exceed a limit."""
        used = self._used + octets
        if used > self._limit or octets > max(
            self._budget.free, self._reserved - self._used
        ):
            return False
        self._used = used
        self._budget.free -= octets
        return True

    def release(self) -> None:
        """Return all octets to the budget."""
        self._budget.free += self._used
        self._used = 0

    def close(self) -> None:
        """Release all octets and allow no more: a closed connection would never release them."""
        self.release()
        self._limit = self._reserved = 0


class ReadThrottle:
    """Pauses reading for a while if a server sends data continuously."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start with a full burst of steps."""
        self._loop = loop
        self._steps = TokenBucket(MAX_STEPS, STEPS_PER_SECOND, loop.time)
        self._resumption: asyncio.TimerHandle | None = None

    def spend(self, steps: int, transport: asyncio.ReadTransport) -> None:
        """Count steps; pause reading if there were too many."""
        pause = self._steps.take(steps)
        # Ignore shorter pauses, so that not every response starts a timer.
        if pause >= MIN_PAUSE_SECONDS and transport.is_reading():
            transport.pause_reading()
            self._resumption = self._loop.call_later(pause, transport.resume_reading)

    def close(self) -> None:
        """Cancel the timer that resumes reading."""
        if self._resumption is not None:
            self._resumption.cancel()


class TokenBucket:
    """A token bucket that may be overdrawn: it allows a burst, then a constant rate."""

    def __init__(
        self, capacity: float, per_second: float, clock: Callable[[], float]
    ) -> None:
        """Start full; `clock` returns seconds, like the event loop's `time`."""
        self._capacity = capacity
        self._per_second = per_second
        self._clock = clock
        self._tokens = capacity
        self._filled_at = clock()

    def take(self, tokens: float) -> float:
        """Take tokens; return the seconds until the bucket is no longer overdrawn."""
        self._fill()
        self._tokens -= tokens
        return max(0.0, -self._tokens / self._per_second)

    def try_take(self) -> bool:
        """Take one token if there is one; return whether there was one."""
        self._fill()
        has_one = self._tokens >= 1
        self._tokens -= has_one
        return has_one

    def _fill(self) -> None:
        now = self._clock()
        added = (now - self._filled_at) * self._per_second
        self._tokens = min(self._capacity, self._tokens + added)
        self._filled_at = now
