"""The kept connection: opened when something is asked, left when nothing is for a while."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Concatenate, Final

from ..auth.login import open_logged_in
from ..errors import CommandRefused, ConnectionLost, LoginRefused, Throttled
from ..models import Account
from ..session.desk import Desk
from ..wire.command import Command
from ..wire.pipelining import Pipelining
from ..wire.response_codes import temporary_refusal

# Seconds
KEPT: Final = 300.0  # without a request, until the connection is left
PROBE_AFTER: Final = 60.0  # without a request, until it is asked whether it still lives
PROBE_DEADLINE: Final = 5.0
REFUSAL_PAUSE: Final = (
    60.0  # after a refused login, unless the server names another time
)


class PersistentSession:
    """Does one task at a time, in the order in which they come."""

    def __init__(
        self, account: Account, on_alert: Callable[[str], None] | None = None
    ) -> None:
        """Connect only for a task."""
        self._account = account
        self._on_alert = on_alert
        self._pipelining = Pipelining()
        self._lock = asyncio.Lock()
        self._desk: Desk | None = None
        self._used_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._refusal: LoginRefused | Throttled | None = None
        self._refused_until = 0.0  # the loop's time
        self._is_closed = False

    def do_without_pipelining(self) -> None:
        """Send one command at a time from now on."""
        self._pipelining = Pipelining(allowed=False)

    async def close(self) -> None:
        """Log out; who still waits for something is told that the connection is closed."""
        self._is_closed = True
        if self._lock.locked() and self._desk is not None:
            self._desk.abort()
        self._leave()
        if self._leaving is not None:
            await self._leaving

    async def do[**P, T](
        self,
        task: Callable[Concatenate[Desk, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Do a task; once more on a new connection if the kept one turns out to be dead."""
        async with self._lock:
            self._stop_timer()
            try:
                return await self._do(lambda desk: task(desk, *args, **kwargs))
            except CommandRefused as error:
                if passing := temporary_refusal(error):
                    raise passing from error
                raise
            finally:
                self._rest()

    async def _do[T](self, task: Callable[[Desk], Awaitable[T]]) -> T:
        desk = self._desk
        if desk is not None and await self._is_alive(desk):
            desk.is_committed = False
            try:
                return await self._attempt(task, desk)
            except ConnectionLost:
                if desk.is_committed:
                    raise
        return await self._attempt(task, await self._open())

    async def _attempt[T](self, task: Callable[[Desk], Awaitable[T]], desk: Desk) -> T:
        try:
            return await task(desk)
        except ConnectionLost:
            await desk.close()
            raise

    async def _is_alive(self, desk: Desk) -> bool:
        """Return if the connection can be used, as far as one can tell."""
        if not (desk.is_open and await self._is_idle(desk)):
            return False
        if asyncio.get_running_loop().time() - self._used_at < PROBE_AFTER:
            return True
        try:
            await self._attempt(_probe, desk)
        except ConnectionLost:
            return False
        return True

    async def _is_idle(self, desk: Desk) -> bool:
        """Wait for the answers that who was cancelled left behind; return if all came.

        A new connection in their place would be a login for each automation that starts anew.
        """
        try:
            async with asyncio.timeout(PROBE_DEADLINE):
                await desk.idle()
        except ConnectionLost:
            return False
        except TimeoutError:
            desk.abort()
            return False
        return True

    async def _open(self) -> Desk:
        self._raise_refusal()
        try:
            connection = await open_logged_in(
                self._account, self._on_alert, self._pipelining
            )
        except (LoginRefused, Throttled) as error:
            pause = error.retry_after or REFUSAL_PAUSE
            self._refusal = error
            self._refused_until = asyncio.get_running_loop().time() + pause
            raise
        self._desk = Desk(connection)
        if self._is_closed:
            self._desk.abort()
        return self._desk

    def _raise_refusal(self) -> None:
        """Raise why none may be opened: accounts get locked by logins that are refused."""
        if self._is_closed:
            raise ConnectionLost("closed by us")
        if self._refusal is None:
            return
        if asyncio.get_running_loop().time() < self._refused_until:
            raise self._refusal.with_traceback(None)
        self._refusal = None

    def _rest(self) -> None:
        loop = asyncio.get_running_loop()
        self._used_at = loop.time()
        if self._desk is not None and not self._desk.is_open:
            self._desk = None
        if self._desk is not None:
            self._timer = loop.call_later(KEPT, self._leave)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _leave(self) -> None:
        self._stop_timer()
        desk, self._desk = self._desk, None
        if desk is not None:
            self._leaving = asyncio.create_task(desk.close(), name="imap_push leave")


async def _probe(desk: Desk) -> None:
    await desk.run(Command("NOOP", deadline=PROBE_DEADLINE))
