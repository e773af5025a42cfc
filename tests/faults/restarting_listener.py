"""A listener that does what RestartingListener Assistant does: store marks, accept mail, reload the entry."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable
from enum import StrEnum
from random import Random
from typing import Final, override

from custom_components.imap_push.imap import (
    Account,
    AccountState,
    AccountWatcher,
    Arrival,
    Mail,
    Mark,
    PushMode,
    WatchedFolder,
    WatchOptions,
)

from tests.rig.running import Running

START_SECONDS: Final = 5.0
# Seconds within which a cancelled watcher has to end.
STOP_SECONDS: Final = 5.0
# Seconds that a reload waits for a mail to be delivered before it happens anyway.
RELOAD_WAIT_SECONDS: Final = 0.5
# Most seconds that the delivery of a mail takes, as in a RestartingListener Assistant that is still starting.
MAX_DELIVERY_SECONDS: Final = 0.02


class Moment(StrEnum):
    """When the entry is reloaded, relative to a mail that is being delivered."""

    BEFORE = "before"  # the mail has not fired; it has to fire after the reload
    AFTER = "after"  # the mail has fired; it must not fire again
    ANY = "any"


class RestartingListener(Running):
    """A listener that runs a watcher and replaces it on reload, starting from the stored marks."""

    def __init__(
        self,
        account: Account,
        folders: Iterable[str],
        options: WatchOptions,
        rng: Random,
    ) -> None:
        """Watch these folders, starting with the next mail."""
        self.fired: defaultdict[str, list[Mail]] = defaultdict(list)
        self.pushes: Counter[PushMode] = Counter()
        self.reloads: Counter[Moment] = Counter()
        self.state = AccountState()
        self.refused = 0
        self.has_ended = False
        self._account = account
        self._options = options
        self._rng = rng
        self._marks: dict[str, Mark | None] = dict.fromkeys(folders)
        self._reload_at: Moment | None = None

    @override
    async def start(self) -> None:
        """Start a watcher and wait until every folder, each with a message, has a mark with a date."""
        self._load()
        async with asyncio.timeout(START_SECONDS):
            while not all(mark and mark.last_received for mark in self._marks.values()):
                await asyncio.sleep(0.01)

    @override
    async def stop(self) -> None:
        """Cancel the watcher and wait until it has ended."""
        self.has_ended |= self._task.done() and not self._task.cancelled()
        self._task.cancel()
        await asyncio.wait([self._task], timeout=STOP_SECONDS)
        assert self._task.done(), "the watcher did not end"

    async def reload(self) -> None:
        """Cancel the watcher at a random moment and start another one."""
        moment = self._rng.choice(tuple(Moment))
        if moment is not Moment.ANY:
            self._reload_at = moment
            await asyncio.wait([self._task], timeout=RELOAD_WAIT_SECONDS)
        if self._reload_at is not None:
            self._reload_at, moment = None, Moment.ANY
        self.reloads[moment] += 1
        await self.stop()
        self._load()

    def state_changed(self, state: AccountState) -> None:
        """Store it."""
        self.state = state

    async def mail_arrived(self, arrival: Arrival) -> None:
        """Record the mail, sometimes after a delay or with a reload before or after it."""
        if self._reload_if_due(Moment.BEFORE):
            await asyncio.sleep(STOP_SECONDS)
        if self._rng.random() < 0.1:
            await asyncio.sleep(self._rng.uniform(0, MAX_DELIVERY_SECONDS))
        self.fired[arrival.mail.folder].append(arrival.mail)
        self.pushes[arrival.push] += 1
        self._reload_if_due(Moment.AFTER)

    def mark_moved(self, folder: str, mark: Mark) -> None:
        """Store the mark."""
        self._marks[folder] = mark

    def alerted(self, text: str) -> None:
        """Ignore it."""

    def login_refused(self) -> None:
        """Count it: no fault may look like a wrong password."""
        self.refused += 1

    def _load(self) -> None:
        folders = {name: WatchedFolder(mark=mark) for name, mark in self._marks.items()}
        watcher = AccountWatcher(self._account, folders, self._options, self)
        self._task = asyncio.create_task(watcher.run())

    def _reload_if_due(self, moment: Moment) -> bool:
        """Cancel the watcher and return True if a reload is due at this moment."""
        if self._reload_at is not moment:
            return False
        self._reload_at = None
        self._task.cancel()
        return True
