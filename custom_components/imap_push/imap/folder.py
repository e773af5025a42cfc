"""The life of one watched folder, on a connection of its own."""

import asyncio
from collections.abc import Callable
import dataclasses
from datetime import UTC, datetime, timedelta
import logging
import math
from typing import Final, Never

from .backoff import Backoff
from .errors import FolderNotFound, ImapError, LoginRefused
from .listener import Listener
from .logins import Logins
from .mark import Mark
from .models import Account, Arrival, CatchUp, FolderState, Mail, PushMode, WatchOptions
from .push import SILENCE, Idle, Poll
from .quirks import quirks_of
from .session import Session

_LOGGER = logging.getLogger(__name__)

# Seconds that an outage may last before it is told: most are over by then.
GRACE: Final = 30.0

# Seconds between sweeps that find no mail.
PACE: Final = 0.5

_A_DAY: Final = timedelta(days=1)


class FolderWatch:
    """Watches one folder: one session after another, until it is cancelled."""

    def __init__(
        self,
        folder: str,
        mark: Mark | None,
        account: Account,
        options: WatchOptions,
        logins: Logins,
        listener: Listener,
        publish: Callable[[], None],
    ) -> None:
        """Watch a folder from its mark on; None: from what comes next.

        `publish` is called when the attributes without underscore have changed.
        """
        self.folder = folder
        self.state = FolderState()
        self.mode = PushMode.OFF
        self.capabilities: frozenset[str] = frozenset()
        self.error: ImapError | None = None
        self._mark = mark
        self._account = account
        self._options = options
        self._logins = logins
        self._listener = listener
        self._publish = publish
        # Mail above a mark of an earlier life came while nobody watched.
        self._catch_up = mark is not None
        # After a renumbering, UIDs above the mark may be of mail that was delivered.
        self._renumbered = False
        self._opened = math.inf  # the loop's time at which the session came about
        self._idle_after = 0.0  # the loop's time from which IDLE may be tried
        self._outage: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Live one session after another."""
        backoff = Backoff()
        loop = asyncio.get_running_loop()
        try:
            while True:
                self._opened = math.inf
                error = await self._live()
                self._lost(error)
                if isinstance(error, LoginRefused) and self._logins.are_refused:
                    self._listener.login_refused()
                delay = backoff.delay(loop.time() - self._opened)
                await asyncio.sleep(max(delay, error.retry_after or 0.0))
        finally:
            self._end_outage()

    async def _live(self) -> ImapError:
        """Watch until something ends it; return what."""
        try:
            async with self._logins.attempt():
                session = await Session.open(
                    self._account, self.folder, self._listener.alerted
                )
            self._opened = asyncio.get_running_loop().time()
            try:
                await self._watch(session)
            finally:
                await session.close()
        except ImapError as error:
            return error
        except Exception as error:
            _LOGGER.exception("Unexpected error while watching a folder")
            return ImapError(repr(error))

    async def _watch(self, session: Session) -> Never:
        """Sweep and wait, for ever."""
        self.capabilities = session.capabilities
        push = self._choose_push()
        loop = asyncio.get_running_loop()
        waited = math.inf
        while True:
            found = await self._sweep(session, push.mode)
            push = self._learn(push, found)
            self._watching(push.mode)
            if not found and waited < PACE:
                # A server that always has news, and never new mail, must not be stormed.
                await asyncio.sleep(PACE)
            started = loop.time()
            await push.wait(session)
            waited = loop.time() - started

    def _choose_push(self) -> Idle | Poll:
        """Return the best way to wait that the server offers and the user wants."""
        quirks = quirks_of(self._account.host)
        offered = "IDLE" in self.capabilities and not quirks.idle_is_deaf
        may_try = asyncio.get_running_loop().time() >= self._idle_after
        if self._options.push and offered and may_try:
            return Idle(quirks.idle_refresh)
        return Poll(self._options.poll_interval)

    def _learn(self, push: Idle | Poll, found: int) -> Idle | Poll:
        """Return how to wait after a sweep that found so many mails."""
        if isinstance(push, Poll):
            better = self._choose_push()
            return better if isinstance(better, Idle) else push
        push.learn(found)
        if not push.is_silent:
            return push
        _LOGGER.warning("IDLE announces no new mail; it is tried again in an hour")
        self._idle_after = asyncio.get_running_loop().time() + SILENCE
        return self._choose_push()

    async def _sweep(self, session: Session, mode: PushMode) -> int:
        """Deliver all that is new, then take the folder's state; return how many were new."""
        mark = await self._settled_mark(session, mode)
        found, complete = 0, False
        while not complete:
            sweep = await session.sweep(mark)
            for mail in sweep.mails():
                if not (self._renumbered and mark.knows(mail)):
                    await self._deliver(mail, mode)
                    found += 1
                mark = self._move(mark.passed(mail))
                await asyncio.sleep(0)  # A burst must not hold up the event loop.
            mark = self._move(mark.at(sweep.next_uid))
            complete = sweep.complete
        self._catch_up = self._renumbered = False
        newest = sweep.newest()
        self._move(mark.seeing(newest))
        self.state = FolderState(available=True, unread=sweep.unread, last_mail=newest)
        return found

    async def _settled_mark(self, session: Session, mode: PushMode) -> Mark:
        """Return the mark to sweep from: ours, or a new one where ours does not serve."""
        mark = self._mark
        pass_over = self._catch_up and self._options.catch_up is CatchUp.NONE
        if mark is not None and session.continues(mark) and not pass_over:
            return mark
        first = await session.first_mark()
        if mark is None:
            return self._move(first)
        if not pass_over:
            mark = await self._recover(session, mark, first, mode)
        return self._move(mark.renumbered(first))

    async def _recover(
        self, session: Session, mark: Mark, first: Mark, mode: PushMode
    ) -> Mark:
        """Deliver what is new in a folder whose UIDs mean nothing any more.

        That is what arrived after the last delivered mail and is none of those remembered.
        """
        _LOGGER.warning("The server numbered a folder anew; going by dates for once")
        if mark.last_received is None:
            return mark
        self._renumbered = True
        for mail in await session.received_since(mark.last_received):
            if mail.uid < first.next_uid and not mark.knows(mail):
                await self._deliver(mail, mode)
                mark = self._move(mark.remembering(mail))
                await asyncio.sleep(0)
        return mark

    async def _deliver(self, mail: Mail, mode: PushMode) -> None:
        """Hand a mail over; a listener's error is its own."""
        if self._catch_up and self._is_too_old(mail):
            return
        arrival = Arrival(mail=mail, push=mode, catch_up=self._catch_up)
        try:
            await self._listener.mail_arrived(arrival)
        except Exception:
            _LOGGER.exception("Error while handing a mail over")

    def _is_too_old(self, mail: Mail) -> bool:
        """Return if the user does not want to hear of it any more."""
        if self._options.catch_up is not CatchUp.LAST_DAY or mail.received is None:
            return False
        return mail.received < datetime.now(UTC) - _A_DAY

    def _move(self, mark: Mark) -> Mark:
        """Take a mark and have it kept."""
        if mark != self._mark:
            self._mark = mark
            self._listener.mark_moved(self.folder, mark)
        return mark

    def _watching(self, mode: PushMode) -> None:
        """Tell that the folder is being watched, and what is in it."""
        self._end_outage()
        silent = asyncio.get_running_loop().time() < self._idle_after
        self.state = dataclasses.replace(self.state, idle_is_silent=silent)
        self.mode, self.error = mode, None
        self._publish()

    def _lost(self, error: ImapError) -> None:
        """Tell that the folder is not watched: at once if the user can do something about it."""
        self.error = error
        missing = isinstance(error, FolderNotFound)
        self.state = dataclasses.replace(self.state, missing=missing)
        if self.mode is PushMode.OFF or missing or isinstance(error, LoginRefused):
            self._tell_outage()
        elif self._outage is None:
            loop = asyncio.get_running_loop()
            self._outage = loop.call_later(GRACE, self._tell_outage)

    def _tell_outage(self) -> None:
        self._end_outage()
        self.mode = PushMode.OFF
        self.state = dataclasses.replace(self.state, available=False)
        self._publish()

    def _end_outage(self) -> None:
        if self._outage is not None:
            self._outage.cancel()
            self._outage = None
