"""Keeps one connection of an account running: connects, watches, reconnects, reports outages.

                     +------------ pause <------------+
                     v                                |
    start --> CONNECTING ---------- error ---------> LOST --> the owner ends the connection
                     |                                ^
                     | logged in                      |
                     v                                |
                  SYNCING ----- the session ends -----+
                     |  ^                             |
         all folders |  | a change, or a refresh      |
         are in sync |  | or poll is due              |
                     v  |                             |
                  WATCHING ---- the session ends -----+

CONNECTING: waits for the login limiter, then TCP, TLS and LOGIN.
SYNCING, WATCHING: `FolderLoop`. WATCHING is NOTIFY, IDLE, or waiting for the next poll.
LOST: an outage is reported after OUTAGE_GRACE_SECONDS, or immediately if the user has to act.
pause: the backoff and the time that the server requested; skipped if it was unreachable.
"""

import asyncio
import contextlib
from enum import Enum, auto
import logging
import math
from typing import Final, NamedTuple, Never, Protocol

from ..auth.login_limiter import Backoff
from ..errors import (
    ImapError,
    LoginDisabled,
    LoginRefused,
    TokenRevoked,
    TooManyConnections,
    Unreachable,
)
from ..limits import Loan
from ..models import PushMode
from ..quirks import quirks_of
from ..session.session import Session
from .context import Context
from .folder import Folder
from .folder_loop import FolderLoop
from .wait_strategy import StrategyChooser

_LOGGER = logging.getLogger(__name__)

# Most outages are shorter than this. They are not reported.
OUTAGE_GRACE_SECONDS: Final = 30.0
# Consecutive sessions that ended before all folders were in sync. After these, another
# connection gets the folders. One is enough if this connection was never in sync.
MAX_FAILURES: Final = 3

# Another login can succeed only if the settings of the server or the account have changed.
LOGIN_DISABLED_PAUSE_SECONDS: Final = 900.0


class ConnectionState(Enum):
    """What a connection is doing."""

    CONNECTING = auto()
    SYNCING = auto()
    WATCHING = auto()
    LOST = auto()


class Report(NamedTuple):
    """A change of a connection or of its folders.

    `is_synced`: all folders are in sync. `unusable` is why the connection does not work, if
    another one should get its folders.
    """

    is_synced: bool = False
    unusable: ImapError | None = None


class Owner(Protocol):
    """Decides which connection has which folders."""

    def report(self, connection: ConnectionSupervisor, report: Report) -> None:
        """Process a report. The owner may assign other folders, or end the connection."""


class ConnectionSupervisor:
    """Watches folders in one session after another.

    `folders` are those that the owner assigned: while waiting, the first that can be opened is
    selected. `uncovered` are polled although push works: IDLE announces one folder only.
    `is_connected` is False after an outage was reported.
    """

    def __init__(
        self, folders: tuple[Folder, ...], context: Context, owner: Owner
    ) -> None:
        """Watch these folders; without any, log in and wait for `assign`."""
        self.folders = folders
        self.state = ConnectionState.CONNECTING
        self.uncovered: frozenset[Folder] = frozenset()
        self.is_connected = False
        self.capabilities: frozenset[str] = frozenset()
        self.error: ImapError | None = None
        self._context = context
        self._owner = owner
        quirks = quirks_of(context.account.host)
        self._chooser = StrategyChooser(context.options, quirks)
        self._opened_at = math.inf  # the session; time of the event loop
        self._failures = 0  # consecutive
        self._has_watched = False
        # RFC 3501 5.5; off for one session after one that ended within a write.
        self._pipelines = True
        self._outage: asyncio.TimerHandle | None = None
        self._loop: FolderLoop | None = None
        self._retry_now = asyncio.Event()  # ends the pause between two sessions

    @property
    def is_logged_in(self) -> bool:
        """Return whether there is a session."""
        return self._loop is not None

    @property
    def is_watching(self) -> bool:
        """Return whether the connection works and its folders have been in sync."""
        return self._has_watched and self.error is None

    def assign(self, folders: tuple[Folder, ...]) -> None:
        """Watch these folders from now on."""
        for folder in set(folders).difference(self.folders):
            folder.request_sync()
        self.folders = folders
        self.uncovered &= frozenset(folders)
        if self._loop is not None:
            self._loop.assign(folders)

    def lend(self, loan: Loan[Session]) -> bool:
        """Lend the session between two waits; return False if there is none."""
        if self._loop is None:
            return False
        self._loop.lend(loan)
        return True

    def wake(self) -> None:
        """End the wait of the session: a folder is due."""
        if self._loop is not None:
            self._loop.wake()

    def check_now(self) -> None:
        """Sync all folders now, or connect now."""
        for folder in self.folders:
            folder.check_now()
        self.wake()
        self._retry_now.set()

    async def run(self) -> None:
        """Run sessions until cancelled."""
        backoff = Backoff()
        loop = asyncio.get_running_loop()
        try:
            while True:
                self.state, self._opened_at = ConnectionState.CONNECTING, math.inf
                error = await self._run_session()
                self._handle_loss(error)
                # `Session.open` retries until the server can be reached, so no pause is needed.
                if not isinstance(error, Unreachable):
                    delay = backoff.delay(loop.time() - self._opened_at)
                    if isinstance(error, LoginDisabled):
                        delay = LOGIN_DISABLED_PAUSE_SECONDS
                    await self._pause(delay, error.retry_after or 0.0)
        finally:
            self._cancel_outage()

    async def _pause(self, seconds: float, at_least: float) -> None:
        """Pause; `check_now` ends the pause, except for the time that the server requested."""
        await asyncio.sleep(at_least)
        self._retry_now.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds - at_least)):
                await self._retry_now.wait()

    async def _run_session(self) -> ImapError:
        """Open a session and watch until it ends; return the error that ended it."""
        context = self._context
        try:
            async with context.logins.attempt():
                session = await Session.open(
                    context.account,
                    context.listener.alerted,
                    pipelines=self._pipelines,
                    retry=self.error is not None,
                )
            context.statistics.sessions += 1
            self._opened_at = asyncio.get_running_loop().time()
            self.capabilities = session.capabilities
            loop = FolderLoop(session, self.folders, self._chooser, context, self)
            try:
                self._loop = loop
                await self._watch(loop)
            except ImapError as error:
                loop.blame(error)
                raise
            finally:
                self._loop = None
                loop.close()
                self._pipelines = not session.connection.pipelining_failed
                await session.close()
        except ImapError as error:
            return error
        except Exception as error:
            _LOGGER.exception("Unexpected error while watching an account")
            # The text of the exception may contain the password.
            return ImapError(type(error).__name__)

    async def _watch(self, loop: FolderLoop) -> Never:
        """Sync and wait until the session ends; raise the ImapError that ended it."""
        while True:
            self.state = ConnectionState.SYNCING
            await loop.cycle()
            if loop.due_at > asyncio.get_running_loop().time():
                self.state = ConnectionState.WATCHING
                self.uncovered = loop.set_modes()
                self._failures, self._has_watched = 0, True
                self.on_progress(is_synced=True)
                await loop.wait()

    def on_progress(self, *, is_synced: bool = False) -> None:
        """Report that the state of a folder has changed."""
        self._cancel_outage()
        self.is_connected, self.error = True, None
        self._owner.report(self, Report(is_synced=is_synced))

    def _handle_loss(self, error: ImapError) -> None:
        """Record and report that the session ended or could not be opened."""
        context = self._context
        self.state, self.error = ConnectionState.LOST, error
        self._failures += 1
        context.statistics.losses[type(error).__name__] += 1
        is_refused = isinstance(error, LoginRefused)
        if is_refused or not self.is_connected:
            self._report_outage()
        elif self._outage is None:
            loop = asyncio.get_running_loop()
            self._outage = loop.call_later(OUTAGE_GRACE_SECONDS, self._report_outage)
        is_limit = is_refused and context.logins.has_just_reached_refusal_limit
        # With a revoked token, other connections may still work, but cannot reconnect.
        if is_limit or isinstance(error, TokenRevoked):
            try:
                context.listener.login_refused()
            except Exception:
                _LOGGER.exception("Error in the listener for refused logins")
        is_last = self._failures >= (MAX_FAILURES if self._has_watched else 1)
        is_unusable = is_last or isinstance(error, TooManyConnections | TokenRevoked)
        self._owner.report(self, Report(unusable=error if is_unusable else None))

    def _report_outage(self) -> None:
        self._cancel_outage()
        self.is_connected = False
        for folder in self.folders:
            folder.set_mode(PushMode.OFF)
        self._owner.report(self, Report())

    def _cancel_outage(self) -> None:
        if self._outage is not None:
            self._outage.cancel()
            self._outage = None
