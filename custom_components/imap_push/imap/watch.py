"""The work of one session: rounds of sweeps over folders, and the waiting between them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
import math
from typing import Final, Never

from .command import Command
from .errors import CommandRefused, ConnectionLost, FolderNotFound, ImapError
from .folder import Folder
from .models import PushMode
from .names import is_folder
from .push import Notify, Push, PushChoice
from .reasons import MAX_FRUITLESS, PACE, Reasons
from .refusals import is_missing_folder
from .responses import Data, parse_status
from .session import Session, pushed_mail, status_command
from .sweep import Look, Opened

# Times that a folder may be numbered anew between two times of waiting.
MAX_SETTLED: Final = 3
# Seconds that a server keeps an IDLE up at the least, unless there is something wrong with it.
SHORTEST_IDLE: Final = 10.0

_STATUS_ITEMS: Final = "UIDNEXT UIDVALIDITY UNSEEN"


class Watch:
    """Watches folders on one session.

    The first folder, the home, is open while we wait. The others are guests: the server tells
    of them (NOTIFY), or it is asked now and then; where one has news, it is visited.
    """

    def __init__(
        self,
        session: Session,
        folders: list[Folder],
        choice: PushChoice,
        publish: Callable[[], None],
        watching: Callable[[Push], None],
    ) -> None:
        """Watch the folders in this list; guests may leave it and join it.

        `watching` is called when all is known and a time of waiting begins, `publish` when a
        folder's state has changed meanwhile.
        """
        self._session = session
        self._folders = folders
        self._choice = choice
        self._publish = publish
        self._watching = watching
        self._loop = asyncio.get_running_loop()
        self._push = choice.best(session.capabilities)
        self._armed: Command | None = None  # the NOTIFY that is in force
        self._asked: dict[str, Command] = {}  # the STATUS of each guest in this round
        # What has to be done alone, once the answers of a round are all there.
        self._afterwards: list[Callable[[], Awaitable[int]]] = []
        self._fetching: dict[Folder, Command] = {}  # in this round
        self._settled = 0
        self._reasons = Reasons()
        self._ask_at = self._loop.time()  # when the guests are asked for

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
            self._ask_at += self._push.seconds
        announced, restless = True, 0
        while True:
            self._revise_push()
            self._home.is_due = True
            found = await self._round()
            self._session.answered()
            if not self._reasons.must_sweep:
                self._push.learn(found, announced=announced)
                self._revise_push()
                announced = True
            restless = 0 if found else restless + 1
            is_due = any(folder.is_due for folder in self._folders)
            is_done = not (is_due or self._reasons.must_sweep)
            # One folder that is never done with must not keep the others from being told of.
            if is_done or restless > MAX_FRUITLESS:
                self._watching(self._push)
            if is_done:
                restless = self._settled = 0
                announced = await self._wait()
            elif restless > MAX_FRUITLESS:
                # Nor must it make a storm.
                await asyncio.sleep(PACE)

    def _revise_push(self) -> None:
        """Take another way to wait where this one fails, or a better one is to be tried."""
        if self._session.idle_is_refused:
            self._push.refused()
        self._push = self._choice.revised(self._push, self._session.capabilities)

    async def _round(self) -> int:
        """Sweep home, and the guests that are due; return how many mails were new at home."""
        await self._hear()
        home, visited = self._home, [it for it in self._guests if it.is_due]
        is_fresh = home.needs_settling
        for folder in (*visited, home):
            if folder.needs_settling and not await self._settle(folder):
                return 0
        session, idles = self._session, self._push.idles
        looks = [self._look(it, opens=True) for it in visited]
        # NOOP does not show new mail on every server, but EXAMINE does.
        moves = bool(looks) or session.folder != home.name or not (idles or is_fresh)
        peek = not (moves or self._reasons.expects_mail)
        has_grown = self._reasons.begin()
        looks.append(self._look(home, opens=moves, is_peek=peek))
        folders = (*visited, home)
        self._fetching = {
            folder: look.fetch
            for folder, look in zip(folders, looks, strict=True)
            if look.fetch is not None
        }
        await session.send(self._commands(looks), idle=idles)
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
        self._reasons.end(found=in_all, had_reason=has_grown or bool(visited))
        return found

    def _look(self, folder: Folder, *, opens: bool, is_peek: bool = False) -> Look:
        """Return what to ask of a folder; one that needs care is only opened."""
        return self._session.look(
            folder.name,
            folder.mark,
            opens=opens,
            is_peek=is_peek,
            fetches=is_peek or folder.batch is None,
        )

    def _commands(self, looks: list[Look]) -> list[Command]:
        """Return all commands of a round, in the order in which they make sense."""
        *visits, look = looks
        notifies = isinstance(self._push, Notify)
        commands: list[Command] = []
        if self._armed is not None and (look.examine is not None or not notifies):
            self._armed = None
            commands.append(Notify.disarm())
        commands += self._questions()
        for visit in visits:
            commands += visit.commands
        if look.examine is not None:
            commands.append(look.examine)
        if notifies and self._armed is None:
            self._armed = Notify.arm([guest.name for guest in self._guests])
            commands.append(self._armed)
        commands += filter(None, (look.fetch, look.count))
        return commands

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

    def _questions(self) -> Iterator[Command]:
        """Yield a STATUS for each guest if it is time to ask."""
        self._asked.clear()
        now = self._loop.time()
        if now < self._ask_at:
            return
        self._ask_at = now + self._choice.interval(self._push)
        for guest in self._guests:
            if not guest.is_due:
                command = status_command(guest.name, _STATUS_ITEMS)
                self._asked[guest.name] = command
                yield command

    async def _take(self, folder: Folder, look: Look) -> int:
        """Deliver what a look found; return how many mails were new."""
        session = self._session
        try:
            opened = await session.opened(look)
        except FolderNotFound as error:
            self._vanished(folder, error)
            return 0
        folder.exists()
        if look.examine is not None and not folder.is_continued_by(opened):
            self._afterwards.append(lambda: self._renumber(folder))
            return 0
        try:
            if look.is_peek:
                return await self._take_peek(folder, look)
            sweep = await session.swept(look) if look.fetch else None
        except CommandRefused as error:
            if error.status != "NO":
                raise
            sweep = None
        found = 0
        if sweep is None or (sweep.is_empty and not sweep.complete):
            self._afterwards.append(lambda: self._sweep_sparse(folder))
        else:
            found = await folder.take(sweep, self._mode_of(folder), opened)
        folder.counted(await session.counted(look))
        return found

    async def _take_peek(self, folder: Folder, look: Look) -> int:
        """Take the count, or find out that a peek is not enough."""
        if folder.knows(await self._session.peeked(look)):
            folder.is_due = False
            folder.counted(await self._session.counted(look))
        else:
            self._reasons.must_sweep = True
        return 0

    async def _take_answers(self) -> None:
        """Take what the server says to all that was asked beside the sweeps."""
        for guest in self._guests:
            if (command := self._asked.get(guest.name)) is None:
                continue
            try:
                numbers = await self._session.told(command, guest.name)
            except CommandRefused as error:
                if is_missing_folder(error):
                    self._vanished(guest, FolderNotFound(error.text))
            else:
                guest.told(numbers, asked=True)
        if self._armed is not None:
            await self._armed.settled()
            if self._armed.error is not None:
                self._armed = None
                self._push.refused()
        await self._hear()

    async def _settle(self, folder: Folder) -> bool:
        """Give a folder the mark that it needs; return if there is such a folder."""
        try:
            await self._open(folder)
        except FolderNotFound as error:
            self._vanished(folder, error)
            return False
        await folder.settle(self._session, self._mode_of(folder))
        folder.is_due = self._reasons.must_sweep = True
        return True

    async def _renumber(self, folder: Folder) -> int:
        """Give a folder another mark whose own means nothing any more."""
        self._settled += 1
        if self._settled > MAX_SETTLED:
            raise ImapError("the server numbers a folder anew again and again")
        await self._settle(folder)
        return 0

    async def _sweep_sparse(self, folder: Folder) -> int:
        """Sweep a folder whose new mail a FETCH of a batch cannot bring."""
        assert folder.mark is not None
        opened = await self._open(folder)
        try:
            sweep = await self._session.sweep_sparse(
                folder.name, folder.mark, folder.batch
            )
        except ConnectionLost as error:
            folder.stumbled(error)
            raise
        return await folder.take(sweep, self._mode_of(folder), opened)

    async def _open(self, folder: Folder) -> Opened:
        """Open a folder beside the usual round."""
        if self._session.folder != folder.name:
            if self._armed is not None:
                self._armed = None
                await self._session.send([Notify.disarm()])
            await self._session.examine(folder.name)
        return self._session.last_opened

    def _vanished(self, folder: Folder, error: FolderNotFound) -> None:
        """Note that a folder is missing; raise if there is none left."""
        folder.vanished()
        if all(it.state.missing for it in self._folders):
            raise error
        if folder is self._home:
            self._folders.append(self._folders.pop(0))
            self._home.is_due = True

    async def _wait(self) -> bool:
        """Wait until a sweep is due, delivering what is pushed; return if there is a reason."""
        started = self._loop.time()
        deadline = started + self._push.seconds
        while True:
            await self._hear()
            due = min(deadline, self._due_at())
            seconds = due - self._loop.time()
            if seconds <= 0:
                self._learn_of_idle(started)
                return self._reasons.has_news
            await self._session.wait_for_news(seconds)

    def _learn_of_idle(self, started: float) -> None:
        """Learn from an IDLE that the server did not keep up."""
        was_short = self._loop.time() - started < SHORTEST_IDLE
        if self._session.idle_is_over and was_short:
            self._push.stumbled()

    def _due_at(self) -> float:
        """Return the loop's time at which the next round is due."""
        reasons = self._reasons
        if any(guest.is_due for guest in self._guests):
            return reasons.paced_at if reasons.is_paced else -math.inf
        asks_at = self._ask_at if self._guests else math.inf
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
            self._armed = None
            self._push.stumbled()
        if news.overflowed or news.dropped:
            self._ask_at = self._loop.time()
        self._reasons.hear(news)
        for status in news.statuses:
            self._tell(status)
        pushed = 0
        for data in news.mails:
            pushed += await self._take_pushed(data)
            await asyncio.sleep(0)  # A burst must not hold up the event loop.
        if pushed:
            self._reasons.pushed()
            self._push.learn(pushed, announced=True)
        if news.statuses or pushed:
            self._publish()

    def _tell(self, data: Data) -> None:
        """Tell a folder what STATUS says of it unasked."""
        name, numbers = parse_status(data)
        for folder in self._folders:
            if is_folder(name, folder.name):
                folder.told(numbers, asked=False)

    async def _take_pushed(self, data: Data) -> bool:
        """Deliver a mail that NOTIFY brought, if it is the next one."""
        home = self._home
        if home.mark is None:
            return False
        mail = await pushed_mail(home.name, home.mark, data)
        return mail is not None and await home.take_pushed(mail)

    def _mode_of(self, folder: Folder) -> PushMode:
        return self._push.mode if folder is self._home else self._push.guest_mode
