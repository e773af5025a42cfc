"""What Home Assistant is to the engine: it takes mail, keeps marks and reloads its entry."""

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
# Seconds that a watcher gets to end.
STOP_SECONDS: Final = 5.0
# Seconds until a reload that waits for a hand-over happens without one.
RELOAD_PATIENCE: Final = 0.5
# Seconds that a hand-over may take: Home Assistant may not be fully started.
MOST_HESITATION: Final = 0.02


class Moment(StrEnum):
    """When an entry is reloaded, as a mail sees it whose hand-over is under way."""

    BEFORE = "before"  # it has not fired yet, and fires after the reload
    AFTER = "after"  # it has fired, and never does again
    ANY = "any"


class Home(Running):
    """A listener that starts one watcher after another, each from the marks that it kept."""

    def __init__(
        self,
        account: Account,
        folders: Iterable[str],
        options: WatchOptions,
        dice: Random,
    ) -> None:
        """Watch these folders from what comes next on."""
        self.fired: defaultdict[str, list[Mail]] = defaultdict(list)
        self.pushes: Counter[PushMode] = Counter()
        self.reloads: Counter[Moment] = Counter()
        self.refused = 0
        self.has_ended = False
        self._account = account
        self._options = options
        self._dice = dice
        self._marks: dict[str, Mark | None] = dict.fromkeys(folders)
        self._reload_at: Moment | None = None

    @property
    def marks(self) -> dict[str, Mark]:
        """Return from where on each folder is watched."""
        return {folder: mark for folder, mark in self._marks.items() if mark}

    @override
    async def start(self) -> None:
        """Start a watcher and wait until it knows what is new."""
        self._load()
        async with asyncio.timeout(START_SECONDS):
            while len(self.marks) < len(self._marks):
                await asyncio.sleep(0.01)

    @override
    async def stop(self) -> None:
        """Let the watcher log out."""
        self.has_ended |= self._task.done() and not self._task.cancelled()
        self._task.cancel()
        await asyncio.wait([self._task], timeout=STOP_SECONDS)
        assert self._task.done(), "the watcher does not end"

    async def reload(self) -> None:
        """Cancel the watcher, at a moment of fate's choice, and start another."""
        moment = self._dice.choice(tuple(Moment))
        if moment is not Moment.ANY:
            self._reload_at = moment
            await asyncio.wait([self._task], timeout=RELOAD_PATIENCE)
        if self._reload_at is not None:
            self._reload_at, moment = None, Moment.ANY
        self.reloads[moment] += 1
        await self.stop()
        self._load()

    def state_changed(self, state: AccountState) -> None:
        """Take no interest."""

    async def mail_arrived(self, arrival: Arrival) -> None:
        """Fire, as late as Home Assistant may."""
        if self._is_time_to_reload(Moment.BEFORE):
            await asyncio.sleep(STOP_SECONDS)
        if self._dice.random() < 0.1:
            await asyncio.sleep(self._dice.uniform(0, MOST_HESITATION))
        self.fired[arrival.mail.folder].append(arrival.mail)
        self.pushes[arrival.push] += 1
        self._is_time_to_reload(Moment.AFTER)

    def mark_moved(self, folder: str, mark: Mark) -> None:
        """Keep the mark."""
        self._marks[folder] = mark

    def alerted(self, text: str) -> None:
        """Take no interest."""

    def pipelining_failed(self) -> None:
        """Take no notice: where all breaks, it is no wonder."""

    def login_refused(self) -> None:
        """Count: no fault is a wrong password."""
        self.refused += 1

    def _load(self) -> None:
        folders = {name: WatchedFolder(mark=it) for name, it in self._marks.items()}
        watcher = AccountWatcher(self._account, folders, self._options, self)
        self._task = asyncio.create_task(watcher.run())

    def _is_time_to_reload(self, moment: Moment) -> bool:
        """Cancel the watcher if it is to happen at this very moment."""
        if self._reload_at is not moment:
            return False
        self._reload_at = None
        self._task.cancel()
        return True
