"""The life of one connection: connect, watch, notice its end, connect again."""

import asyncio
from collections.abc import Callable
import contextlib
import dataclasses
import logging
import math
from typing import Final

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

# Seconds that an outage may last before it is told: most are over by then.
GRACE: Final = 30.0
# Sessions in a row that did not come to watching, until another connection takes the folders.
MAX_FAILURES: Final = 3


class ConnectionSupervisor:
    """One connection after another that watches the same folders."""

    def __init__(
        self,
        folders: list[Folder],
        shared: Context,
        publish: Callable[[], None],
        spread: Callable[[ConnectionSupervisor], None],
        surrender: Callable[[ConnectionSupervisor, ImapError], bool],
    ) -> None:
        """Watch these folders; one of them is open while we wait, the others are its guests.

        `publish` is called when the attributes without underscore, or the folders' states, have
        changed; `spread` when the guests had better have connections of their own; `surrender`
        when the server allows no such connection, or has no such folder: it returns if the
        folders are cared for.
        """
        self.folders = folders
        self.mode = PushMode.OFF
        self.capabilities: frozenset[str] = frozenset()
        self.error: ImapError | None = None
        self._shared = shared
        self._publish = publish
        self._spread = spread
        self._surrender = surrender
        self._choice = StrategyChooser(shared.options, quirks_of(shared.account.host))
        self._opened_at = math.inf  # the loop's time at which the session came about
        self._failures = 0  # in a row
        self.has_watched = False
        self._outage: asyncio.TimerHandle | None = None
        self._session: Session | None = None
        self._hurry = asyncio.Event()  # ends a pause between sessions

    @property
    def is_watching(self) -> bool:
        """Return if all is well with its connection."""
        return self.has_watched and self.error is None

    def adopt(self, folders: list[Folder]) -> None:
        """Care for more folders, from now on."""
        for folder in folders:
            folder.is_due = True
        self.folders.extend(folders)
        self.wake()

    def wake(self) -> None:
        """End a time of waiting for news: there is something to do in the folders."""
        if self._session is not None:
            self._session.unsolicited.wake()

    def check_now(self) -> None:
        """Look at all folders at once, or connect at once."""
        for folder in self.folders:
            folder.is_due = True
        self.wake()
        self._hurry.set()

    async def run(self) -> None:
        """Live one session after another, until cancelled, or until others care for the folders."""
        backoff = Backoff()
        loop = asyncio.get_running_loop()
        try:
            while True:
                self._opened_at = math.inf
                error = await self._live()
                self._shared.statistics.losses[type(error).__name__] += 1
                self._failures += 1
                is_cared_for = self._is_useless(error) and self._surrender(self, error)
                if not is_cared_for:
                    self._lost(error)
                if self._needs_login(error):
                    self._ask_for_login()
                if is_cared_for:
                    return
                # Where nobody answers dialling is patient, and asks nothing of the server.
                if not isinstance(error, Unreachable):
                    delay = backoff.delay(loop.time() - self._opened_at)
                    await self._pause(delay, error.retry_after or 0.0)
        finally:
            self._end_outage()

    async def _pause(self, seconds: float, at_least: float) -> None:
        """Stay away; the user may end that, but for what the server asked for."""
        await asyncio.sleep(at_least)
        self._hurry.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds - at_least)):
                await self._hurry.wait()

    async def _live(self) -> ImapError:
        """Watch until something ends it; return what."""
        shared = self._shared
        try:
            async with shared.logins.attempt():
                self._session = session = await Session.open(
                    shared.account,
                    shared.listener.alerted,
                    shared.pipelining,
                    retry=self.error is not None,
                )
            shared.statistics.sessions += 1
            self._opened_at = asyncio.get_running_loop().time()
            self.capabilities = session.capabilities
            watch = FolderLoop(
                session,
                self.folders,
                self._choice,
                shared.statistics,
                self._publish,
                self._watching,
            )
            try:
                await watch.run()
            finally:
                await session.close()
        except ImapError as error:
            return error
        except Exception as error:
            _LOGGER.exception("Unexpected error while watching an account")
            return ImapError(type(error).__name__)  # Its words may hold the password.

    def _is_useless(self, error: ImapError) -> bool:
        """Return if the folders had better be watched by another connection, if there is one."""
        if isinstance(error, TooManyConnections | FolderNotFound | TokenRevoked):
            return True
        return self._failures >= (MAX_FAILURES if self.has_watched else 1)

    def _needs_login(self, error: ImapError) -> bool:
        """Return if the user has to act; without new tokens that is so even if others still live."""
        if isinstance(error, TokenRevoked):
            return True
        logins = self._shared.logins
        return isinstance(error, LoginRefused) and logins.has_reached_refusal_limit

    def _ask_for_login(self) -> None:
        try:
            self._shared.listener.login_refused()
        except Exception:
            _LOGGER.exception("Error while asking for a login")

    def _watching(self, push: WaitStrategy) -> None:
        """Tell that all folders are being watched, and what is in them."""
        self._end_outage()
        self._failures, self.has_watched = 0, True
        self.mode, self.error = push.mode, None
        self._tell_folders(push)
        self._publish()
        if push.mode is PushMode.IDLE and len(self.folders) > 1:
            self._spread(self)

    def _lost(self, error: ImapError) -> None:
        """Tell that nothing is watched: at once if the user can do something about it."""
        self.error = error
        missing = isinstance(error, FolderNotFound)
        if self.mode is PushMode.OFF or missing or isinstance(error, LoginRefused):
            self._tell_outage()
        elif self._outage is None:
            loop = asyncio.get_running_loop()
            self._outage = loop.call_later(GRACE, self._tell_outage)

    def _tell_outage(self) -> None:
        self._end_outage()
        self.mode = PushMode.OFF
        self._tell_folders(None)
        self._publish()

    def _tell_folders(self, push: WaitStrategy | None) -> None:
        """Set what the folders' states have from their connection; None is without one."""
        for folder in self.folders:
            mode = PushMode.OFF
            if push is not None and not folder.state.missing:
                is_home = folder is self.folders[0]
                mode = push.mode if is_home else push.guest_mode
            folder.state = dataclasses.replace(
                folder.state,
                available=mode is not PushMode.OFF,
                push_mode=mode,
                push_is_silent=self._choice.is_silent,
            )

    def _end_outage(self) -> None:
        if self._outage is not None:
            self._outage.cancel()
            self._outage = None
