"""Keeps one connection of an account running: connects, watches, reconnects, reports outages.

                  +------------- pause <-------------+
                  v                                  |
    start --> connecting -------- error ---------> lost --> released --> end
                  |                                  ^
                  | logged in                        |
                  v                                  |
               syncing ------ the session ends ------+
                  |  ^                               |
      all folders |  | a change, or a refresh        |
      are in sync |  | or poll is due                |
                  v  |                               |
               watching ----- the session ends ------+

connecting: waits for the login limiter, then TCP, TLS and LOGIN.
syncing, watching: `FolderLoop`. watching is IDLE, NOTIFY, or waiting for the next poll.
lost: an outage is reported after OUTAGE_GRACE_SECONDS, or immediately if the user has to act.
pause: the backoff and the time that the server requested; skipped if it was unreachable.
released: this connection was refused or failed repeatedly, and another connection of the
account, which is watching, gets the folders.
"""

import asyncio
import contextlib
import dataclasses
import logging
import math
from typing import Final, Protocol

from ..auth.login_limiter import Backoff
from ..errors import (
    FolderNotFound,
    ImapError,
    LoginRefused,
    TokenRevoked,
    TooManyConnections,
    Unreachable,
)
from ..models import PushMode
from ..quirks import quirks_of
from ..session.session import Session
from .context import Context
from .folder import Folder
from .folder_loop import FolderLoop
from .wait_strategy import StrategyChooser, WaitStrategy

_LOGGER = logging.getLogger(__name__)

# Most outages are shorter than this. They are not reported.
OUTAGE_GRACE_SECONDS: Final = 30.0
# Consecutive sessions that ended before all folders were in sync. After these, another
# connection gets the folders. One is enough if this connection was never in sync.
MAX_FAILURES: Final = 3


class Owner(Protocol):
    """Decides which connection has which folders."""

    def publish(self) -> None:
        """Report the state: a public attribute or the state of a folder has changed."""

    def distribute(self, supervisor: ConnectionSupervisor) -> None:
        """Give folders connections of their own: IDLE covers only the first one."""

    def release(self, supervisor: ConnectionSupervisor, error: ImapError) -> bool:
        """Give the folders to another connection; return True if there is one."""


class ConnectionSupervisor:
    """Watches a list of folders in one session after another."""

    def __init__(
        self,
        folders: list[Folder],
        context: Context,
        owner: Owner,
    ) -> None:
        """Watch these folders. While waiting, the first is selected in IMAP."""
        self.folders = folders
        self.mode = PushMode.OFF
        self.capabilities: frozenset[str] = frozenset()
        self.error: ImapError | None = None
        self._context = context
        self._owner = owner
        quirks = quirks_of(context.account.host)
        self._chooser = StrategyChooser(context.options, quirks)
        # The time of the event loop at which the session was opened.
        self._opened_at = math.inf
        self._failures = 0  # consecutive
        self.has_watched = False
        self._outage: asyncio.TimerHandle | None = None
        self._session: Session | None = None
        self._retry_now = asyncio.Event()  # ends the pause between two sessions

    @property
    def is_watching(self) -> bool:
        """Return whether the connection works and its folders have been in sync."""
        return self.has_watched and self.error is None

    def assign(self, folders: list[Folder]) -> None:
        """Watch more folders."""
        for folder in folders:
            folder.needs_sync = True
        self.folders.extend(folders)
        self.wake()

    def wake(self) -> None:
        """End the wait of the session: a folder has to be synced or dropped."""
        if self._session is not None:
            self._session.connection.unsolicited.wake()

    def check_now(self) -> None:
        """Sync all folders now, or connect now."""
        for folder in self.folders:
            folder.needs_sync = True
        self.wake()
        self._retry_now.set()

    async def run(self) -> None:
        """Run sessions until cancelled, or until another connection gets the folders."""
        backoff = Backoff()
        loop = asyncio.get_running_loop()
        try:
            while True:
                self._opened_at = math.inf
                error = await self._run_session()
                self._context.statistics.losses[type(error).__name__] += 1
                self._failures += 1
                is_released = self._is_unusable(error) and self._owner.release(
                    self, error
                )
                if not is_released:
                    self._handle_loss(error)
                self._request_credentials(error)
                if is_released:
                    return
                # `Session.open` retries until the server can be reached, so no pause is needed.
                if not isinstance(error, Unreachable):
                    delay = backoff.delay(loop.time() - self._opened_at)
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
                self._session = session = await Session.open(
                    context.account,
                    context.listener.alerted,
                    context.pipelining,
                    retry=self.error is not None,
                )
            context.statistics.sessions += 1
            self._opened_at = asyncio.get_running_loop().time()
            self.capabilities = session.capabilities
            loop = FolderLoop(
                session,
                self.folders,
                self._chooser,
                context.statistics,
                self,
            )
            try:
                await loop.run()
            finally:
                await session.close()
        except ImapError as error:
            return error
        except Exception as error:
            _LOGGER.exception("Unexpected error while watching an account")
            # The text of the exception may contain the password.
            return ImapError(type(error).__name__)

    def _is_unusable(self, error: ImapError) -> bool:
        """Return whether another connection should get the folders, if there is one."""
        if isinstance(error, TooManyConnections | FolderNotFound | TokenRevoked):
            return True
        return self._failures >= (MAX_FAILURES if self.has_watched else 1)

    def _request_credentials(self, error: ImapError) -> None:
        """Request new credentials if logins were refused too often or the token was revoked.

        A revoked token is reported even if other connections still work: they cannot reconnect.
        """
        logins = self._context.logins
        is_refused = (
            isinstance(error, LoginRefused) and logins.has_just_reached_refusal_limit
        )
        if is_refused or isinstance(error, TokenRevoked):
            try:
                self._context.listener.login_refused()
            except Exception:
                _LOGGER.exception("Error in the listener for refused logins")

    def on_folders_changed(self) -> None:
        """Report that the state of a folder has changed during a wait."""
        self._owner.publish()

    def on_watching(self, strategy: WaitStrategy) -> None:
        """Report that all folders are watched."""
        self._cancel_outage()
        self._failures, self.has_watched = 0, True
        self.mode, self.error = strategy.mode, None
        self._update_folder_states(strategy)
        self._owner.publish()
        if strategy.mode is PushMode.IDLE and len(self.folders) > 1:
            self._owner.distribute(self)

    def _handle_loss(self, error: ImapError) -> None:
        """Report an outage, after a delay unless push is off already or the user has to act."""
        self.error = error
        is_missing = isinstance(error, FolderNotFound)
        if self.mode is PushMode.OFF or is_missing or isinstance(error, LoginRefused):
            self._report_outage()
        elif self._outage is None:
            loop = asyncio.get_running_loop()
            self._outage = loop.call_later(OUTAGE_GRACE_SECONDS, self._report_outage)

    def _report_outage(self) -> None:
        self._cancel_outage()
        self.mode = PushMode.OFF
        self._update_folder_states(None)
        self._owner.publish()

    def _update_folder_states(self, strategy: WaitStrategy | None) -> None:
        """Update what depends on the connection in the folder states; None: no connection."""
        for folder in self.folders:
            mode = PushMode.OFF
            if strategy is not None and not folder.state.missing:
                is_selected = folder is self.folders[0]
                mode = strategy.mode if is_selected else strategy.unselected_mode
            folder.state = dataclasses.replace(
                folder.state,
                available=mode is not PushMode.OFF,
                push_mode=mode,
                push_is_silent=self._chooser.is_silent,
            )

    def _cancel_outage(self) -> None:
        if self._outage is not None:
            self._outage.cancel()
            self._outage = None
