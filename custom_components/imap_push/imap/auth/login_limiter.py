"""How often an account may log in, and how long to wait before the next connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import random
from typing import Final

from ..errors import (
    CannotConnect,
    LoginRefused,
    TokenNotRenewed,
    TokenRefused,
    TokenRevoked,
    TokenUnavailable,
)
from ..limits import doubled

BURST: Final = 3
LOGIN_INTERVAL_SECONDS: Final = 60.0  # until one more login is allowed
REFUSAL_PAUSE_SECONDS: Final = 31.0  # before the next login after a refusal
# Before the next login with a token after MAX_REFUSALS: a server that refuses valid tokens has a
# temporary problem, and refused tokens lock no account.
TOKEN_PAUSE_SECONDS: Final = 900.0

# Refusals in a row before reauthentication: a temporary error of the server can look like a
# refusal, and repeated logins with a wrong password lock the account.
MAX_REFUSALS: Final = 3

BACKOFF_BASE_SECONDS: Final = 1.0
BACKOFF_LIMIT_SECONDS: Final = 300.0
# A connection that lasted this long resets the backoff.
STABLE_SECONDS: Final = 300.0
# If the upper bound of the delay is greater than this, the lower bound is three quarters of the
# upper one (instead of 0), so that random short delays do not add up to many connections.
NARROW_JITTER_SECONDS: Final = 60.0


class LoginLimiter:
    """A token bucket for logins, one at a time: three at once, then one per minute.

    Each additional connection adds one login. After MAX_REFUSALS in a row, no login with a
    password is allowed, and logins with a token are TOKEN_PAUSE_SECONDS apart.
    """

    def __init__(self, connections: int) -> None:
        """Start with a full bucket."""
        self._capacity = BURST + max(0, connections - 1)
        self._tokens = float(self._capacity)
        self._filled_at = asyncio.get_running_loop().time()
        self._refusals = 0
        self._by_token = False
        self._lock = asyncio.Lock()

    @property
    def needs_reauth(self) -> bool:
        """Return True if the user must act: the limit of refusals in a row is reached."""
        return self._refusals >= MAX_REFUSALS

    @property
    def has_just_reached_refusal_limit(self) -> bool:
        """Return True if the last login reached the limit of refusals."""
        return self._refusals == MAX_REFUSALS

    @property
    def spare(self) -> int:
        """Return the number of logins that are allowed without waiting."""
        self._fill()
        return 0 if self._refusals else int(self._tokens)

    def allow_for(self, connections: int) -> None:
        """Allow one more login for each connection above the highest number so far."""
        capacity = BURST + max(0, connections - 1)
        if capacity > self._capacity:
            self._fill()
            self._tokens += capacity - self._capacity
            self._capacity = capacity

    def reset(self) -> None:
        """Forget refusals: another connection has logged in with the same password."""
        self._refusals = 0

    @asynccontextmanager
    async def attempt(self) -> AsyncIterator[None]:
        """Wait until a login is allowed; record whether the body of the `async with` succeeds.

        Waits forever if the user must act, but for a token only TOKEN_PAUSE_SECONDS.
        """
        async with self._lock:
            if self.needs_reauth and not self._by_token:
                await asyncio.get_running_loop().create_future()
            await self._take_token()
            if self._refusals:
                await asyncio.sleep(
                    TOKEN_PAUSE_SECONDS if self.needs_reauth else REFUSAL_PAUSE_SECONDS
                )
            try:
                yield
            except TokenNotRenewed:
                raise
            except CannotConnect, TokenUnavailable:
                self._tokens += 1  # No login was sent.
                raise
            except TokenRevoked:
                self._refusals = MAX_REFUSALS  # Another login cannot succeed.
                self._by_token = False
                raise
            except LoginRefused as error:
                self._refusals += 1
                self._by_token = isinstance(error, TokenRefused)
                raise
            self._refusals = 0

    async def _take_token(self) -> None:
        self._fill()
        if self._tokens < 1:
            await asyncio.sleep((1 - self._tokens) * LOGIN_INTERVAL_SECONDS)
            self._fill()
        self._tokens -= 1

    def _fill(self) -> None:
        now = asyncio.get_running_loop().time()
        self._tokens += (now - self._filled_at) / LOGIN_INTERVAL_SECONDS
        self._tokens = min(self._tokens, self._capacity)
        self._filled_at = now


class Backoff:
    """The delay before the next connection: 0, then up to 1 s, doubling to 5 minutes.

    The delay is random (jitter). Only a connection of STABLE_SECONDS resets it: a server that
    accepts a login and closes the connection would otherwise get a login every second.
    """

    def __init__(self) -> None:
        """Start without failures."""
        self._failures = 0

    def delay(self, lasted: float) -> float:
        """Return the seconds to wait after a connection that lasted this number of seconds."""
        if lasted >= STABLE_SECONDS:
            self._failures = 0
        self._failures += 1
        if self._failures == 1:
            return 0.0
        times = self._failures - 2
        limit = doubled(BACKOFF_BASE_SECONDS, times, BACKOFF_LIMIT_SECONDS)
        least = limit * 0.75 if limit > NARROW_JITTER_SECONDS else 0
        return random.uniform(least, limit)
