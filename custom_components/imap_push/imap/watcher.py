"""The life of an account: connect, catch up, wait, deliver, reconnect; it never ends by itself."""

import asyncio
from collections.abc import Callable, Mapping
import dataclasses
import logging
import random
from typing import Final, Protocol

from .errors import ImapError, LoginRefused
from .models import (
    Account,
    AccountState,
    Arrival,
    FolderState,
    Mail,
    Mark,
    PushMode,
    WatchOptions,
)
from .push import choose_push
from .session import Session

_LOGGER = logging.getLogger(__name__)

# Refusals in a row after which the user is asked: a server's hiccup can look like one.
MAX_REFUSALS: Final = 3

# Seconds
BACKOFF_BASE: Final = 1.0
BACKOFF_LIMIT: Final = 300.0
STABLE_LIFE: Final = 300.0
REFUSAL_PAUSE: Final = 30.0

_SLOWEST_FIRST: Final = (PushMode.OFF, PushMode.POLL, PushMode.IDLE, PushMode.NOTIFY)


class Listener(Protocol):
    """Who is told what a watcher sees."""

    def state_changed(self, state: AccountState) -> None:
        """Take the account's new state."""

    async def mail_arrived(self, arrival: Arrival) -> None:
        """Take one new mail; the mark moves past it when this returns."""

    def mark_moved(self, folder: str, mark: Mark) -> None:
        """Keep the mark: a later watcher is to start from it."""

    def login_refused(self) -> None:
        """Ask for new credentials; the watcher tries no further login."""


class Backoff:
    """How long to stay away: 0, then up to 1 s, doubling to 5 minutes, with full jitter.

    Only a connection that survived resets it: a server that takes logins and drops them at
    once would otherwise be stormed.
    """

    def __init__(self) -> None:
        """Start as if all had been well."""
        self._failures = 0

    def delay(self, lived: float) -> float:
        """Return the seconds to wait after a connection that lived so many seconds."""
        if lived >= STABLE_LIFE:
            self._failures = 0
        self._failures += 1
        if self._failures == 1:
            return 0.0
        limit = min(BACKOFF_LIMIT, BACKOFF_BASE * 2 ** min(self._failures - 2, 16))
        return random.uniform(0, limit)


class Watcher:
    """Watches the folders of one account until it is cancelled."""

    def __init__(
        self,
        account: Account,
        folders: Mapping[str, Mark | None],
        options: WatchOptions,
        listener: Listener,
    ) -> None:
        """Watch these folders from these marks on; None: from what comes next."""
        self._listener = listener
        self._watches = [
            _FolderWatch(account, folder, mark, options, listener, self._publish)
            for folder, mark in folders.items()
        ]

    async def run(self) -> None:
        """Connect, deliver, wait, reconnect: ends only by being cancelled (it logs out then)."""
        async with asyncio.TaskGroup() as tasks:
            for watch in self._watches:
                tasks.create_task(watch.run(), name=f"imap_push {watch.folder}")

    def _publish(self) -> None:
        """Tell the listener what all folders together amount to."""
        modes = {watch.mode for watch in self._watches}
        state = AccountState(
            connected=PushMode.OFF not in modes,
            push_mode=next(mode for mode in _SLOWEST_FIRST if mode in modes),
            capabilities=frozenset().union(
                *(watch.capabilities for watch in self._watches)
            ),
            folders={watch.folder: watch.state for watch in self._watches},
            error=next((watch.error for watch in self._watches if watch.error), None),
        )
        try:
            self._listener.state_changed(state)
        except Exception:
            _LOGGER.exception("Error while telling of a new state")


class _FolderWatch:
    """Watches one folder on a connection of its own."""

    def __init__(
        self,
        account: Account,
        folder: str,
        mark: Mark | None,
        options: WatchOptions,
        listener: Listener,
        publish: Callable[[], None],
    ) -> None:
        self.folder = folder
        self.state = FolderState()
        self.mode = PushMode.OFF
        self.capabilities: frozenset[str] = frozenset()
        self.error: ImapError | None = None
        self._account = account
        self._mark = mark
        self._options = options
        self._listener = listener
        self._publish = publish
        self._refusals = 0  # of the login, in a row
        # Mail above a mark of an earlier life came while nobody watched.
        self._catch_up = mark is not None

    async def run(self) -> None:
        """Live one connection after another."""
        backoff = Backoff()
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            try:
                await self._live()
            except LoginRefused as error:
                self._disconnected(error)
                self._refusals += 1
            except ImapError as error:
                self._disconnected(error)
            except Exception as error:
                _LOGGER.exception("Unexpected error while watching a folder")
                self._disconnected(ImapError(repr(error)))
            if self._refusals == MAX_REFUSALS:
                self._listener.login_refused()
                await loop.create_future()
            delay = backoff.delay(loop.time() - started)
            await asyncio.sleep(max(delay, REFUSAL_PAUSE if self._refusals else 0.0))

    async def _live(self) -> None:
        """Open a session and watch until something ends it."""
        session = await Session.open(self._account, self.folder)
        try:
            self._refusals = 0
            push = choose_push(session.capabilities, self._options)
            self.capabilities = session.capabilities
            while True:
                await self._sweep(session, push.mode)
                await push.wait(session)
        finally:
            await session.close()

    async def _sweep(self, session: Session, mode: PushMode) -> None:
        """Deliver all that is new, then tell the state."""
        mark = await self._settled_mark(session)
        complete = False
        while not complete:
            sweep = await session.sweep(mark)
            for mail in sweep.mails():
                await self._deliver(mail, mode)
                await asyncio.sleep(0)  # A burst must not hold up the event loop.
            mark, complete = sweep.mark, sweep.complete
            self._move_mark(mark)
        self._catch_up = False
        self.mode, self.error = mode, None
        self.state = FolderState(
            available=True, unread=sweep.unread, last_mail=sweep.newest()
        )
        self._publish()

    async def _settled_mark(self, session: Session) -> Mark:
        """Return the mark to sweep from: ours, or a new one where ours means nothing any more."""
        if self._mark is None or not session.continues(self._mark):
            if self._mark is not None:
                _LOGGER.warning(
                    "The server numbered a folder anew; its mail counts as known"
                )
            self._move_mark(await session.first_mark())
            self._catch_up = False
        assert self._mark is not None
        return self._mark

    async def _deliver(self, mail: Mail, mode: PushMode) -> None:
        """Hand a mail over and move the mark past it; a listener's error is its own."""
        try:
            await self._listener.mail_arrived(
                Arrival(mail=mail, push=mode, catch_up=self._catch_up)
            )
        except Exception:
            _LOGGER.exception("Error while handing a mail over")
        self._move_mark(Mark(mail.uid_validity, mail.uid + 1))

    def _move_mark(self, mark: Mark) -> None:
        if mark != self._mark:
            self._mark = mark
            self._listener.mark_moved(self.folder, mark)

    def _disconnected(self, error: ImapError) -> None:
        self.mode, self.error = PushMode.OFF, error
        self.state = dataclasses.replace(self.state, available=False)
        self._publish()
