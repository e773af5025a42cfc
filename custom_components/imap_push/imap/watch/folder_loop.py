"""The work of one session: rounds of sweeps over folders, and the waiting between them."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
import math
from typing import Final, Never

from ..errors import CommandRefused, ConnectionLost, FolderNotFound
from ..mime.preview import batch_size
from ..models import PushMode
from ..session.fetch_items import read_fetch
from ..session.message_reader import pushed_message
from ..session.recover import complete_batch, sync_by_search
from ..session.session import Session
from ..session.sync import SyncBatch, SyncRequest
from ..wire.command import Command
from ..wire.mailbox_name import is_folder
from ..wire.parser import Data, parse_status
from .folder import Folder
from .notify_state import NotifyState
from .resync import Resync
from .schedule import MAX_FRUITLESS, PACE, SyncSchedule
from .statistics import Statistics
from .status_poll import StatusPoller
from .wait_strategy import NotifyWait, StrategyChooser, WaitStrategy

# Seconds that a server keeps an IDLE up at the least, unless there is something wrong with it.
SHORTEST_IDLE: Final = 10.0
# Seconds of waiting that tell nothing of a server, unless it was to be no longer: its word may
# still be on the way when a folder beside the open one ends the wait.
TOO_SHORT: Final = 2.0


class FolderLoop:
    """Watches folders on one session.

    The first folder, the home, is open while we wait. The others are guests: the server tells
    of them (NOTIFY), or it is asked now and then; where one has news, it is visited.
    """

    def __init__(
        self,
        session: Session,
        folders: list[Folder],
        choice: StrategyChooser,
        statistics: Statistics,
        publish: Callable[[], None],
        watching: Callable[[WaitStrategy], None],
    ) -> None:
        """Watch the folders in this list; guests may leave it and join it.

        Those that are removed leave it between two rounds. `watching` is called when all is
        known and a time of waiting begins, `publish` when a folder's state has changed meanwhile.
        """
        self._session = session
        self._folders = folders
        self._choice = choice
        self._statistics = statistics
        self._publish = publish
        self._watching = watching
        self._loop = asyncio.get_running_loop()
        self._push = choice.best(session.capabilities)
        self._armed = NotifyState()
        # What has to be done alone, once the answers of a round are all there.
        self._afterwards: list[Callable[[], Awaitable[int]]] = []
        self._fetching: dict[Folder, Command] = {}  # in this round
        self._reasons = SyncSchedule()
        self._questions = StatusPoller(session)
        self._settling = Resync(session, self._armed, self._vanished, self._mode_of)

    @property
    def _home(self) -> Folder:
        return self._folders[0]

    @property
    def _guests(self) -> list[Folder]:
        return self._folders[1:]

    async def run(self) -> Never:
        """Sweep and wait, for ever; raise what ends the session."""
        try:
            await self._run()
        except ConnectionLost as error:
            for folder, fetch in self._fetching.items():
                # One that was not answered at all says nothing of the folder's mail.
                if fetch.collected and not fetch.is_complete:
                    folder.stumbled(error)
            raise

    async def _run(self) -> Never:
        if self._push.tells_of_guests:
            # It begins with how things are.
            self._questions.due_at += self._push.seconds
        if "CONDSTORE" not in self._session.capabilities:
            for folder in self._folders:
                folder.changed()  # As far as anyone could tell.
        announced, restless = True, 0
        while True:
            self._let_go()
            self._revise_push()
            was_due, self._home.is_due = self._home.is_due, True
            found = await self._round(was_due=was_due)
            self._session.answered()
            if not self._reasons.must_sweep:
                self._push.learn(found, announced=announced)
                self._revise_push()
                announced = True
            restless = 0 if found else restless + 1
            is_done = not (self._is_due(self._folders) or self._reasons.must_sweep)
            # One folder that is never done with must not keep the others from being told of.
            is_limited = any(folder.state.rate_limited for folder in self._folders)
            is_endless = restless > MAX_FRUITLESS or is_limited
            if is_done or is_endless:
                self._watching(self._push)
            if is_done:
                restless = 0
                self._settling.calm()
                announced = await self._wait()
            elif restless > MAX_FRUITLESS:
                # Nor must it make a storm.
                await asyncio.sleep(PACE)

    def _let_go(self) -> None:
        """Let go of the folders that are removed, but for the last: its link ends anyway."""
        kept = [folder for folder in self._folders if not folder.is_removed]
        if kept and kept[0] is not self._home:
            self._reasons.must_sweep = True
        self._folders[:] = kept or self._folders

    @staticmethod
    def _is_due(folders: list[Folder]) -> bool:
        """Return if there is something to do at once."""
        return any(folder.is_due or folder.is_removed for folder in folders)

    def _revise_push(self) -> None:
        """Take another way to wait where this one fails, or a better one is to be tried."""
        if self._session.idle_is_refused:
            self._push.refused()
        self._push = self._choice.revised(self._push, self._session.capabilities)

    async def _round(self, *, was_due: bool) -> int:
        """Sweep home, and the guests that are due; return how many mails were new at home.

        `was_due`: the server has told that there is something new at home.
        """
        await self._hear()
        home, visited = self._home, [it for it in self._guests if it.is_due]
        is_fresh = home.needs_settling
        if unsettled := [it for it in (*visited, home) if it.needs_settling]:
            self._reasons.must_sweep = True
            if not await self._settling.settle_all(unsettled):
                return 0
        session, idles = self._session, self._push.idles
        looks = [self._look(it, opens=True) for it in visited]
        # NOOP does not show new mail on every server, but EXAMINE does.
        moves = bool(looks) or session.folder != home.name or not (idles or is_fresh)
        peek = not (moves or home.has_more or self._reasons.expects_mail)
        # Only a range with an end is sure to be no larger than a batch.
        batch = batch_size(home.text, home.usual_batch)
        is_small = not home.has_more and 0 < self._reasons.growth <= batch
        grows = is_small and not (moves or peek)
        has_grown = self._reasons.begin()
        looks.append(self._look(home, opens=moves, is_peek=peek, is_growth=grows))
        folders = (*visited, home)
        self._fetching = {
            folder: look.fetch
            for folder, look in zip(folders, looks, strict=True)
            if look.fetch is not None
        }
        for fetch in self._fetching.values():
            self._statistics.sweeps.measure(fetch)
        interval = self._choice.interval(self._push)
        questions = self._questions.commands(self._guests, interval)
        await session.send(self._commands(looks, questions), idle=idles)
        found = in_all = 0
        for folder, look in zip(folders, looks, strict=True):
            found = await self._take(folder, look)
            in_all += found
        await self._take_answers()
        if self._afterwards:
            while self._afterwards:
                in_all += await self._afterwards.pop(0)()
            await self._come_home()
        self._fetching = {}
        had_reason = was_due or has_grown or bool(visited)
        self._reasons.end(found=in_all, had_reason=had_reason)
        return found

    def _look(
        self,
        folder: Folder,
        *,
        opens: bool,
        is_peek: bool = False,
        is_growth: bool = False,
    ) -> SyncRequest:
        """Return what to ask of a folder; one that needs care is only opened."""
        return self._session.look(
            folder.name,
            folder.mark,
            opens=opens,
            is_peek=is_peek,
            is_growth=is_growth,
            fetches=is_peek or folder.batch is None,
            shows_newest=not (is_growth or (is_peek and folder.state.last_mail)),
            batch=folder.usual_batch,
            text=folder.text,
        )

    def _commands(
        self, looks: list[SyncRequest], questions: list[Command] | None = None
    ) -> list[Command]:
        """Return all commands of a round, in the order in which they make sense."""
        *visits, look = looks
        armed, wish = self._armed, self._wish()
        moves = look.examine is not None
        commands = armed.disarm() if moves else armed.disarm_unless(wish)
        commands += questions or ()
        for visit in visits:
            commands += visit.commands
        if look.examine is not None:
            commands.append(look.examine)
        commands += armed.arm(wish)
        commands += look.questions
        return commands

    def _wish(self) -> str:
        """Return what NOTIFY is to ask for, "" if nothing."""
        if not isinstance(self._push, NotifyWait):
            return ""
        return NotifyWait.wish((it.name for it in self._guests), self._home.text)

    async def _come_home(self) -> None:
        """Wait as usual after what had to be done alone, unless another round does that."""
        home = self._home
        if self._reasons.must_sweep or any(guest.is_due for guest in self._guests):
            return
        opens = self._session.folder != home.name
        look = self._session.look(home.name, None, opens=opens)
        await self._session.send(self._commands([look]), idle=self._push.idles)
        try:
            opened = await self._session.opened(look)
        except FolderNotFound as error:
            self._vanished(home, error)
            return
        if opens and not home.is_seen(opened):
            home.is_due = self._reasons.must_sweep = True

    async def _take(self, folder: Folder, look: SyncRequest) -> int:
        """Deliver what a look found; return how many mails were new."""
        session = self._session
        try:
            opened = await session.opened(look)
        except FolderNotFound as error:
            self._vanished(folder, error)
            return 0
        folder.exists()
        if look.examine is not None:
            folder.learn(opened.numbers)
        if look.examine is not None and not folder.is_continued_by(opened):
            self._afterwards.append(partial(self._renumber, folder))
            return 0
        try:
            if look.is_peek:
                return await self._take_peek(folder, look)
            sweep = await session.swept(look) if look.fetch else None
            sweep = sweep and await sweep.with_previews()
            if sweep and session.told_of_flags:
                folder.changed()
        except CommandRefused as error:
            if error.status != "NO":
                raise
            sweep = None
        found = 0
        if sweep is None or (sweep.is_empty and not sweep.complete):
            self._afterwards.append(partial(self._sweep_otherwise, folder, None))
        elif sweep.is_incomplete:
            self._afterwards.append(partial(self._sweep_otherwise, folder, sweep))
        else:
            found = await folder.take(sweep, self._mode_of(folder), opened)
        folder.counted(await session.counted(look))
        return found

    async def _take_peek(self, folder: Folder, look: SyncRequest) -> int:
        """Take the count, or find out that a peek is not enough."""
        last_uid = await self._session.peeked(look)
        if self._session.told_of_flags:
            folder.changed()
        if folder.knows(last_uid):
            folder.is_due = False
            folder.counted(await self._session.counted(look))
        else:
            self._reasons.must_sweep = True
        return 0

    async def _take_answers(self) -> None:
        """Take what the server says to all that was asked beside the sweeps."""
        await self._questions.take_answers(self._vanished)
        try:
            for data in await self._armed.told():
                self._tell(data)
                await asyncio.sleep(0)
        except CommandRefused:
            self._push.refused()
        await self._hear()

    async def _renumber(self, folder: Folder) -> int:
        """Give a folder another mark whose own means nothing any more."""
        self._reasons.must_sweep = True
        await self._settling.renumber(folder)
        return 0

    async def _sweep_otherwise(self, folder: Folder, sweep: SyncBatch | None) -> int:
        """Fetch the rest of a sweep, or sweep by a search; return how many mails were new."""
        assert folder.mark is not None
        opens = self._session.folder != folder.name
        try:
            opened = await self._settling.open(folder)
        except FolderNotFound as error:
            self._vanished(folder, error)
            return 0
        if opens and not folder.is_continued_by(opened):
            # What is known of its messages is about other ones by now.
            return await self._renumber(folder)
        try:
            if sweep is None:
                sweep = await sync_by_search(
                    self._session, folder.name, folder.mark, folder.batch, folder.text
                )
                sweep = await sweep.with_previews()
            if sweep.is_incomplete:
                more = folder.is_more_fetched
                sweep = await complete_batch(self._session, sweep, fetches_more=more)
        except ConnectionLost as error:
            folder.stumbled(error)
            raise
        return await folder.take(sweep, self._mode_of(folder), opened)

    def _vanished(self, folder: Folder, error: FolderNotFound) -> None:
        """Note that a folder is missing; raise if there is none left."""
        folder.vanished()
        if all(it.state.missing for it in self._folders):
            raise error
        if folder is self._home:
            self._folders.append(self._folders.pop(0))
            self._home.is_due = True

    async def _wait(self) -> bool:
        """Wait until a sweep is due, delivering what is pushed.

        Return false if a server that announces mail had the time to announce what there is.
        """
        started = self._loop.time()
        deadline = started + self._push.seconds
        while True:
            await self._hear()
            due = min(deadline, self._due_at())
            seconds = due - self._loop.time()
            if seconds <= 0:
                self._learn_of_idle(started)
                waited = self._loop.time() - started
                was_short = waited < min(self._push.seconds, TOO_SHORT)
                return self._reasons.has_news or was_short
            await self._session.wait_for_news(seconds)

    def _learn_of_idle(self, started: float) -> None:
        """Learn from an IDLE that the server did not keep up."""
        was_short = self._loop.time() - started < SHORTEST_IDLE
        if self._session.idle_is_over and was_short:
            self._push.stumbled()

    def _due_at(self) -> float:
        """Return the loop's time at which the next round is due."""
        reasons = self._reasons
        if self._is_due(self._folders):
            return reasons.paced_at if reasons.is_paced else -math.inf
        asks_at = self._questions.due_at if self._guests else math.inf
        if self._session.idle_is_over:
            return min(asks_at, reasons.paced_at)
        brings_mail = self._push.mode is PushMode.NOTIFY
        return min(asks_at, reasons.due_at(brings_mail=brings_mail))

    async def _hear(self) -> None:
        """Take the news: deliver pushed mail, note what else there is."""
        news = self._session.news.take()
        if not news:
            return
        if news.overflowed:
            self._armed.lapse()
            self._push.stumbled()
        if news.overflowed or news.dropped:
            self._questions.ask_now()
        self._reasons.hear(news)
        if news.changed:
            self._home_changed()
        for status in news.statuses:
            for folder in self._tell(status):
                folder.changed()
            await asyncio.sleep(0)
        pushed = 0
        # What was pushed before more text was wanted has too little.
        is_wished = bool(news.mails) and self._armed.grants(self._wish())
        for data in news.mails if is_wished else ():
            pushed += await self._take_pushed(data)
            await asyncio.sleep(0)  # A burst must not hold up the event loop.
        if pushed:
            self._reasons.pushed()
            self._push.learn(pushed, announced=True)
        if news.statuses or pushed:
            self._publish()

    def _home_changed(self) -> None:
        """Note that something in the home has changed, and how many mails are in it."""
        home = self._home
        home.changed()
        if self._session.folder == home.name:
            home.learn({"MESSAGES": self._session.news.exists})

    def _tell(self, data: Data) -> list[Folder]:
        """Tell a folder what STATUS says of it unasked; return whom that was about."""
        name, numbers = parse_status(data)
        folders = [it for it in self._folders if is_folder(name, it.name)]
        for folder in folders:
            folder.told(numbers, asked=False)
        return folders

    async def _take_pushed(self, data: Data) -> bool:
        """Deliver a mail that NOTIFY brought, if it is the next one."""
        home = self._home
        if home.mark is None or self._session.folder != home.name:
            return False
        found = await read_fetch(data)
        if found.cut is not None:
            return False
        mail = await pushed_message(home.name, home.mark, found.items, home.text)
        return mail is not None and await home.take_pushed(mail)

    def _mode_of(self, folder: Folder) -> PushMode:
        return self._push.mode if folder is self._home else self._push.guest_mode
