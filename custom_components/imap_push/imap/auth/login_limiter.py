"""The logins of one account: how many, how often, and what refusals mean."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from ..errors import (
    CannotConnect,
    LoginRefused,
    TokenNotRenewed,
    TokenRefused,
    TokenRevoked,
    TokenUnavailable,
)

BURST: Final = 3
# Seconds
INTERVAL: Final = 60.0  # until one more login is allowed
REFUSAL_PAUSE: Final = 31.0  # after a refusal
# After the user was asked: a server that refuses good tokens has trouble of its own, which
# passes, and no account is locked for them.
TOKEN_PAUSE: Final = 900.0

# Refusals in a row after which the user is asked: a server's hiccup can look like one, and a
# login that is tried again and again gets an account locked.
MAX_REFUSALS: Final = 3


class LoginLimiter:
    """Lets one login at a time pass: three at once, then one a minute, none after refusals.

    An account with several connections gets its first logins on top.
    """

    def __init__(self, connections: int) -> None:
        """Start with a full bucket of tokens."""
        self._capacity = BURST + max(0, connections - 1)
        self._tokens = float(self._capacity)
        self._filled = asyncio.get_running_loop().time()
        self._refusals = 0
        self._by_token = False
        self._lock = asyncio.Lock()

    @property
    def are_refused(self) -> bool:
        """Return if hardly any login makes sense before the user has acted."""
        return self._refusals >= MAX_REFUSALS

    @property
    def have_just_been_refused(self) -> bool:
        """Return if it was the last login that made it clear."""
        return self._refusals == MAX_REFUSALS

    @property
    def spare(self) -> int:
        """Return how many logins would not have to wait."""
        self._fill()
        return 0 if self._refusals else int(self._tokens)

    def allow_for(self, connections: int) -> None:
        """Allow the first logins of so many connections; what was allowed once is not again."""
        capacity = BURST + max(0, connections - 1)
        if capacity > self._capacity:
            self._fill()
            self._tokens += capacity - self._capacity
            self._capacity = capacity

    def forgive(self) -> None:
        """Forget refusals: another connection is logged in with the same password."""
        self._refusals = 0

    @asynccontextmanager
    async def attempt(self) -> AsyncIterator[None]:
        """Wait until a login is allowed and learn from how it ends; wait for ever if refused."""
        async with self._lock:
            if self.are_refused and not self._by_token:
                await asyncio.get_running_loop().create_future()
            await self._take_token()
            if self._refusals:
                await asyncio.sleep(TOKEN_PAUSE if self.are_refused else REFUSAL_PAUSE)
            try:
                yield
            except TokenNotRenewed:
                raise
            except CannotConnect, TokenUnavailable:
                self._tokens += 1  # It did not come to a login.
                raise
            except TokenRevoked:
                self._refusals = MAX_REFUSALS  # There is no doubt about it.
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
            await asyncio.sleep((1 - self._tokens) * INTERVAL)
            self._fill()
        self._tokens -= 1

    def _fill(self) -> None:
        now = asyncio.get_running_loop().time()
        self._tokens += (now - self._filled) / INTERVAL
        self._tokens = min(self._tokens, self._capacity)
        self._filled = now
