"""Limits of the memory and processing time that servers can cause, and of connections."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

from .errors import TooManyConnections

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

# Maximum number of connections that watch. Some providers allow only five or ten for all clients
# of the user.
MAX_WATCHING: Final = 5
# How long a limit is remembered after the server has refused a connection.
LIMIT_SECONDS: Final = 3600.0


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
        now = self._clock()
        added = (now - self._filled_at) * self._per_second
        self._tokens = min(self._capacity, self._tokens + added) - tokens
        self._filled_at = now
        return max(0.0, -self._tokens / self._per_second)

    def try_take(self) -> bool:
        """Take one token if there is one; return whether there was one."""
        has_one = not self.take(1)
        self._tokens += not has_one
        return has_one


def doubled(seconds: float, times: int, most: float) -> float:
    """Return a pause that was doubled so many times, at most `most` seconds."""
    return min(seconds * 2.0 ** min(times, 16), most)


class Loan[S]:
    """A session that is requested, in use, or returned."""

    def __init__(self) -> None:
        """Request a session."""
        self.session: asyncio.Future[S] = asyncio.get_running_loop().create_future()
        self.returned = asyncio.Event()

    def refuse(self) -> None:
        """End a loan that cannot be fulfilled: `session` raises TooManyConnections."""
        if not self.session.done():
            self.session.set_exception(TooManyConnections("no connection for actions"))


class Lender(Protocol):
    """Has connections that watch."""

    @property
    def connections(self) -> int:
        """Return the number of connections that are logged in."""

    def lend(self, loan: Loan[Any]) -> bool:
        """Fulfill a loan as soon as possible; return False if no connection is logged in."""


class ConnectionBudget:
    """The connections of one account: a limit that is learned, and who can lend a session.

    Some servers allow few connections per user or address and close others without a word
    (Courier: four by default). The watcher leaves one to the actions. Where only one is allowed,
    an action borrows the session of the watcher between two of its waits:

        Client                       ConnectionBudget            FolderLoop
        connection is refused  -->   total = 1
        borrow()               -->   Lender.lend(loan)     -->   ends IDLE
        runs its commands      <--------- session ------------
        returns it             ---------------------------->     selects its folder, IDLE
    """

    def __init__(self) -> None:
        """Start without a known limit."""
        self._lender: Lender | None = None
        self._limit = MAX_WATCHING + 1
        self._limited_until = 0.0  # time of the event loop

    @property
    def total(self) -> int:
        """Return how many connections the server allows, as far as known."""
        if asyncio.get_running_loop().time() >= self._limited_until:
            return MAX_WATCHING + 1
        return self._limit

    @property
    def for_watching(self) -> int:
        """Return how many connections may watch: one is left to the actions."""
        return max(1, self.total - 1)

    def set_lender(self, lender: Lender | None) -> None:
        """Set the watcher that can lend a session; None after it has ended."""
        self._lender = lender

    def limit_to(self, total: int) -> None:
        """Record that the server refused a connection in addition to this number."""
        self._limit = max(1, total)
        self._limited_until = asyncio.get_running_loop().time() + LIMIT_SECONDS

    def record_refusal(self) -> bool:
        """Record that a connection for actions was refused; return whether one can be borrowed."""
        if self._lender is None or not self._lender.connections:
            return False
        self.limit_to(self._lender.connections)
        return True

    @asynccontextmanager
    async def borrow(self) -> AsyncIterator[Any]:
        """Use the session of a connection that watches; raise TooManyConnections without one."""
        loan = Loan[Any]()
        if self._lender is None or not self._lender.lend(loan):
            loan.refuse()
        try:
            yield await loan.session
        finally:
            loan.session.cancel()
            loan.returned.set()
