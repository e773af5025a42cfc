"""A session that is opened for the first request and closed when it is idle."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Concatenate, Final

from ..errors import (
    CommandRefused,
    ConnectionLost,
    LoginRefused,
    Throttled,
    TooManyConnections,
)
from ..models import Account
from ..session.session import Session
from ..wire.command import Command
from ..wire.response_codes import temporary_refusal

# Seconds without a request after which the session is closed, or tested before the next request.
CLOSE_AFTER_SECONDS: Final = 300.0
PROBE_AFTER_SECONDS: Final = 60.0
PROBE_TIMEOUT_SECONDS: Final = 5.0
# Seconds after a refused login, unless the server names another time.
REFUSAL_PAUSE_SECONDS: Final = 60.0


class PersistentSession:
    """Runs one task at a time, in the order of arrival."""

    def __init__(
        self, account: Account, on_alert: Callable[[str], None] | None = None
    ) -> None:
        """Connect at the first task."""
        self._account = account
        self._on_alert = on_alert
        self._pipelines = True
        self._lock = asyncio.Lock()
        self._session: Session | None = None
        self._used_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None
        self._refusal: LoginRefused | Throttled | None = None
        self._refused_until = 0.0  # time of the event loop
        self._is_closed = False

    async def close(self) -> None:
        """Log out. Tasks that are still waiting raise ConnectionLost."""
        self._is_closed = True
        if self._lock.locked() and self._session is not None:
            self._session.connection.abort()
        self._close_session()
        if self._closing is not None:
            await self._closing

    async def run[**P, T](
        self,
        task: Callable[Concatenate[Session, P], Awaitable[T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run a task; if the open connection is lost and the task is repeatable, run it again."""
        async with self._lock:
            self._stop_timer()
            try:
                return await self._run_or_retry(
                    lambda session: task(session, *args, **kwargs)
                )
            except CommandRefused as error:
                if passing := temporary_refusal(error):
                    raise passing from error
                raise
            finally:
                self._start_timer()

    async def _run_or_retry[T](self, task: Callable[[Session], Awaitable[T]]) -> T:
        session = self._session
        if session is not None and await self._is_alive(session):
            session.is_not_repeatable = False
            try:
                return await self._run(task, session)
            except ConnectionLost:
                if session.is_not_repeatable:
                    raise
        if (session := await self._open_or_share()) is not None:
            return await self._run(task, session)
        async with self._account.connections.borrow() as shared:
            return await task(shared)

    async def _open_or_share(self) -> Session | None:
        """Open a session, or return None to borrow one: the server allows no more connections."""
        if self._account.connections.total == 1:
            return None
        try:
            return await self._open()
        except ConnectionLost, TooManyConnections:
            if not self._account.connections.record_refusal():
                raise
            return None

    async def _run[T](
        self, task: Callable[[Session], Awaitable[T]], session: Session
    ) -> T:
        try:
            return await task(session)
        except ConnectionLost:
            self._pipelines = not session.connection.pipelining_failed
            await session.close()
            raise

    async def _is_alive(self, session: Session) -> bool:
        """Return True if the session seems to be usable."""
        if not (session.connection.is_open and await self._is_drained(session)):
            return False
        if asyncio.get_running_loop().time() - self._used_at < PROBE_AFTER_SECONDS:
            return True
        try:
            await self._run(_probe, session)
        except ConnectionLost:
            return False
        return True

    async def _is_drained(self, session: Session) -> bool:
        """Wait for the replies to a cancelled request; return False on timeout.

        Reconnecting instead would cost a login for each automation that restarts.
        """
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
                await session.drain()
        except ConnectionLost:
            return False
        except TimeoutError:
            session.connection.abort()
            return False
        return True

    async def _open(self) -> Session:
        self._raise_refusal()
        try:
            self._session = await Session.open(
                self._account, self._on_alert, pipelines=self._pipelines
            )
        except (LoginRefused, Throttled) as error:
            pause = error.retry_after or REFUSAL_PAUSE_SECONDS
            self._refusal = error
            self._refused_until = asyncio.get_running_loop().time() + pause
            raise
        if self._is_closed:
            self._session.connection.abort()
        return self._session

    def _raise_refusal(self) -> None:
        """Raise the last refusal during its pause: repeated refused logins lock accounts."""
        if self._is_closed:
            raise ConnectionLost("closed by us")
        if self._refusal is None:
            return
        if asyncio.get_running_loop().time() < self._refused_until:
            raise self._refusal.with_traceback(None)
        self._refusal = None

    def _start_timer(self) -> None:
        loop = asyncio.get_running_loop()
        self._used_at = loop.time()
        if self._session is not None and not self._session.connection.is_open:
            self._session = None
        if self._session is not None:
            self._timer = loop.call_later(CLOSE_AFTER_SECONDS, self._close_session)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close_session(self) -> None:
        self._stop_timer()
        session, self._session = self._session, None
        if session is not None:
            self._closing = asyncio.create_task(session.close(), name="imap_push close")


async def _probe(session: Session) -> None:
    await session.run(Command("NOOP", deadline=PROBE_TIMEOUT_SECONDS))
