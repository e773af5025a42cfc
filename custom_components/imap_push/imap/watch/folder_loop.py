"""The loop of one session: sync the folders of the connection, wait for a change, sync again.

                 assigned, connected
                         |
                         v
          +---------> sync cycle: one write for all folders that are due
          |              |
          |              | for each folder: read_sync() -> SyncResult
          |              v
          |    DONE, MORE     deliver the messages
          |    NOT_SHOWN      deliver those before it, sync again soon
          |    BY_SEARCH      search, fetch, then as above
          |    RENUMBERED     find the new messages by date
          |    MISSING        wait until STATUS shows it
          |    REFUSED        try again later
          |              |
          |              v  nothing is due
          +---------- wait: NOTIFY, IDLE or until the next poll

The first folder that can be opened is selected while the loop waits. Of the other folders, NOTIFY
announces some, and all others are polled with STATUS. What is wrong with a message or a folder
never ends the session.
"""

import asyncio
from collections import deque
from dataclasses import replace
import math
from typing import Final

from ..errors import ImapError
from ..limits import Loan
from ..models import PushMode
from ..session.select import examine_command
from ..session.session import Session
from ..session.sync import SyncRequest
from ..wire.command import Command
from ..wire.folder_responses import parse_status
from ..wire.mailbox_name import is_folder
from ..wire.parser import Data
from .context import Context
from .folder import Folder
from .folder_sync import FolderSync, Observer
from .schedule import Reason, SyncSchedule
from .wait_strategy import MIN_IDLE_SECONDS, StrategyChooser

# Waits shorter than this do not count as missed mail: EXISTS may still be on its way.
MIN_WAIT_SECONDS: Final = 2.0


class FolderLoop:
    """Syncs and watches folders on one session until it ends."""

    def __init__(
        self,
        session: Session,
        folders: tuple[Folder, ...],
        chooser: StrategyChooser,
        context: Context,
        observer: Observer,
    ) -> None:
        """Watch these folders; `assign` replaces them."""
        self._session, self._connection = session, session.connection
        self._unsolicited = session.connection.unsolicited
        self._chooser = chooser
        self._statistics = context.statistics
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._strategy = chooser.best(session.capabilities)
        self._notify = session.notify
        self._loans: deque[Loan[Session]] = deque()
        self._sync = FolderSync(session, context.options.poll_interval, observer)
        self._schedule = SyncSchedule()
        self._counts: list[tuple[int | None, int | None]] = []  # after the last cycle
        self._examines = True  # Select the folder again in the next cycle.
        # The commands of the last write, in the order of sending, and their folders.
        self._sent: list[tuple[Folder | None, Command]] = []
        self._busy: Folder | None = None  # the one that is synced after that write
        self._synced_at = self._loop.time()  # when the selected folder was opened again
        self._idle_since = math.inf
        # Seconds of the IDLE that the last wait ended, and of the longest one; 0 if it was short.
        self._ended_idle = self._longest_idle = 0.0
        # The server had announced what the next sync finds, or had no time to do so.
        self._is_announced = True
        self._folders = folders
        for folder in folders:
            folder.begin_session(session.capabilities)
            if folder.status_fails:
                session.stop_counting_by_status()
        self._choose()

    def assign(self, folders: tuple[Folder, ...]) -> None:
        """Watch these folders from now on."""
        self._folders = folders
        self._choose()
        self.wake()

    def lend(self, loan: Loan[Session]) -> None:
        """Lend the session before the next cycle."""
        self._loans.append(loan)
        self.wake()

    def wake(self) -> None:
        """End the wait if a folder is due."""
        self._unsolicited.wake()

    def close(self) -> None:
        """Refuse the session to actions: it has ended."""
        for loan in self._loans:
            loan.refuse()

    def _choose(self) -> None:
        """Choose the folder that is selected while the loop waits."""
        openable = (folder for folder in self._folders if folder.is_openable)
        self._selected = selected = next(openable, None)
        self._others = [folder for folder in self._folders if folder is not selected]
        self._names = tuple(folder.name for folder in self._others)

    @property
    def _uncovered(self) -> list[Folder]:
        """Return the folders that are not selected and that the server does not announce."""
        if self._strategy.mode is not PushMode.NOTIFY:
            return self._others
        return [item for item in self._others if item.name not in self._notify.covered]

    def set_modes(self) -> frozenset[Folder]:
        """Store how mail becomes known in each folder, as all are in sync.

        Returns the folders that are polled although push works.
        """
        mode, is_silent = self._strategy.mode, self._chooser.is_silent
        uncovered = frozenset(item for item in self._uncovered if item.is_openable)
        for folder in filter(lambda item: item.is_openable, self._folders):
            is_polled = folder in uncovered
            folder.set_mode(PushMode.POLL if is_polled else mode, is_silent=is_silent)
        return uncovered if mode is not PushMode.POLL else frozenset()

    async def cycle(self) -> None:
        """Sync all folders that are due, and the selected one."""
        while self._loans:
            self._examines = True  # Afterwards another folder may be selected.
            await self._session.lend(self._loans[0])
            self._loans.popleft()
        await self._process_unsolicited()
        now = self._loop.time()
        if self._examines:
            self._synced_at = now
        self._strategy = self._chooser.best(self._session.capabilities)
        self._choose()
        selected = self._selected
        due = [folder for folder in self._folders if folder.due_at <= now]
        has_changes = self._schedule.begin_cycle(
            has_growth=self._connection.selected.growth > 0, is_due=bool(due)
        )
        others = [folder for folder in due if folder is not selected]
        suspects = [folder for folder in others if folder.is_suspect]
        requests = {
            folder: folder.request(self._session, examines=True)
            for folder in others
            if folder not in suspects
        }
        if selected is not None:
            is_elsewhere = bool(requests) or self._session.folder != selected.name
            requests[selected] = self._request_selected(
                selected, is_elsewhere=is_elsewhere, has_changes=has_changes
            )
        found = await self._sync_all(requests, selected)
        for folder in suspects:
            request = folder.request(self._session, examines=True)
            found |= await self._sync_all({folder: request}, None)
        states = [folder.state for folder in self._folders]
        counts = [(state.messages, state.unread) for state in states]
        self._schedule.end_cycle(found=any(found.values()) or counts != self._counts)
        self._counts = counts
        mode = self._strategy.mode
        if selected and found.get(selected) and mode is not PushMode.POLL:
            self._chooser.record_sync(mode, announced=self._is_announced)
            self._is_announced = True
        self._sent = [item for item in self._sent if not item[1].is_answered]
        self._connection.release()
        self._choose()

    def _request_selected(
        self, selected: Folder, *, is_elsewhere: bool, has_changes: bool
    ) -> SyncRequest:
        """Return the commands for the folder that is selected while the loop waits.

        Without a reason to sync, for example after a poll of the other folders, it is only
        selected.
        """
        # NOOP does not show new mail on every server, but EXAMINE does.
        is_poll = self._strategy.mode is PushMode.POLL
        verifies = self._examines or selected.verifies or is_poll
        self._examines = False
        # A finite time in the future is that of the next try for a hidden message.
        has_reason = (verifies or has_changes) and selected.due_at == math.inf
        if has_reason or selected.due_at <= self._loop.time():
            return selected.request(self._session, examines=verifies or is_elsewhere)
        examine = examine_command(selected.name) if is_elsewhere else None
        return SyncRequest(
            selected.name,
            selected.delivery.mark,
            examine,
            text=selected.text,
            waits=selected.waits,
            care=selected.care,
        )

    async def _sync_all(
        self, requests: dict[Folder, SyncRequest], selected: Folder | None
    ) -> dict[Folder, int]:
        """Sync folders in one write, and do what the outcomes ask for.

        Returns how many new messages each has. The selected one is the last.
        """
        polls = await self._send(requests, selected)
        results = {
            folder: await self._sync.read(folder, request)
            for folder, request in requests.items()
        }
        if self._connection.pipelining_failed:
            self._connection.stop_pipelining()
            for folder in requests:
                folder.request_sync()
            return {}
        if self._ended_idle and not self._connection.idle_is_unanswered:
            self._chooser.record_idle(self._strategy.mode, self._ended_idle)
            self._longest_idle = max(self._longest_idle, self._ended_idle)
            self._ended_idle = 0.0
        if selected is not None and requests[selected].examine is not None:
            self._connection.selected.set_synced(selected.synced)
        for folder, command in polls.items():
            await self._sync.read_poll(folder, command)
        statuses = await self._read_notify()
        uncovered, mode = self._uncovered, self._strategy.mode
        for folder, result in results.items():
            folder.update(result, PushMode.POLL if folder in uncovered else mode)
            if result.seconds is not None:
                self._statistics.syncs.add(result.seconds)
        self._observer.on_progress()
        found: dict[Folder, int] = {}
        for folder, result in results.items():
            self._busy = folder
            found[folder] = await self._sync.apply(folder, requests[folder], result)
        self._busy = None
        for status in statuses:
            self._process_status(status, is_change=False)
            await asyncio.sleep(0)
        return found

    async def _send(
        self, requests: dict[Folder, SyncRequest], selected: Folder | None
    ) -> dict[Folder, Command]:
        """Send all commands in one write, the selected folder last; return those that poll."""
        # Without a mark, the next cycle follows at once.
        waits = selected is not None and requests[selected].mark is not None
        notifies = self._strategy.mode is PushMode.NOTIFY and waits
        opens = any(request.examine for request in requests.values())
        clears = self._notify.clear() if opens or not notifies else []
        polled = self._uncovered
        if notifies and selected is not None:
            notify = self._notify.set(self._names, selected.text)
            requests[selected] = replace(requests[selected], notify=tuple(notify))
            if notify:
                polled = []  # NOTIFY SET STATUS reports the state of all that it covers.
        polls = self._sync.polls(polled)
        sent: list[tuple[Folder | None, Command]] = [(None, item) for item in clears]
        sent += polls.items()
        for folder, request in requests.items():
            sent += [(folder, command) for command in request.commands]
        self._sent = sent
        idles = self._strategy.mode is not PushMode.POLL and waits
        await self._connection.send(*(command for _, command in sent), idle=idles)
        self._idle_since = self._loop.time() if idles else math.inf
        return polls

    async def _read_notify(self) -> list[Data]:
        """Read the reply to NOTIFY, and whether IDLE was refused; return STATUS responses."""
        statuses = await self._notify.read_reply()
        if statuses is None:
            self._chooser.record_refused(PushMode.NOTIFY)
        if self._notify.try_utf8():
            self._schedule.record_change()
        if self._connection.idle_is_refused:
            self._chooser.record_refused(self._strategy.mode)
        return statuses or []

    async def wait(self) -> None:
        """Wait until a cycle is due, delivering the messages that NOTIFY brings."""
        started = self._loop.time()
        while True:
            await self._process_unsolicited()
            now = self._loop.time()
            refresh_at = self._synced_at + self._strategy.seconds
            due_at = min(refresh_at, self.due_at)
            if due_at <= now:
                break
            await self._connection.wait_for_unsolicited(due_at - now)
        age = self._loop.time() - self._idle_since
        if self._connection.idle_is_over:
            if age < MIN_IDLE_SECONDS:
                self._chooser.record_miss(self._strategy.mode)
        else:
            self._ended_idle = age if MIN_IDLE_SECONDS <= age < math.inf else 0.0
        short = started + min(self._strategy.seconds, MIN_WAIT_SECONDS)
        self._is_announced = self._schedule.has_changes or self._loop.time() < short
        self._examines |= now >= refresh_at

    @property
    def due_at(self) -> float:
        """Return the time of the event loop at which the next cycle is due."""
        if self._loans:
            return -math.inf
        schedule, selected = self._schedule, self._selected
        due_at = min((folder.due_at for folder in self._folders), default=math.inf)
        due_at = max(due_at, schedule.not_before(Reason.FOLDER))
        if self._uncovered:
            due_at = min(due_at, self._sync.poll_at)
        if selected is None:
            return due_at
        is_idle = self._connection.has_idle and self._session.folder == selected.name
        if self._strategy.mode is not PushMode.POLL and not is_idle:
            # IDLE was ended, for example by a search. Begin it again.
            return schedule.restart_at
        if self._connection.idle_is_over:
            return min(due_at, schedule.not_before(Reason.CHANGE))
        is_notify = self._strategy.mode is PushMode.NOTIFY
        has_growth = self._connection.selected.growth > 0
        changes_at = schedule.due_at(has_growth=has_growth, is_mail_pushed=is_notify)
        return min(due_at, changes_at)

    async def _process_unsolicited(self) -> None:
        """Process unsolicited responses: deliver pushed mail, record all other changes."""
        changes = self._unsolicited.take()
        if not changes:
            return
        if changes.overflowed:
            self._notify.mark_expired()
            self._chooser.record_miss(self._strategy.mode)
        # To select a folder again means to request NOTIFY again, with the STATUS of all folders.
        self._examines |= changes.dropped
        if changes.changed:
            self._schedule.record_change()
        folder = None
        if (opened := changes.folder) is not None:
            named = (item for item in self._folders if item.name == opened.name)
            if folder := next(named, None):
                folder.on_unsolicited(changes, opened)
        for status in changes.statuses:
            for other in self._process_status(status, is_change=True):
                other.mark_changed()
            await asyncio.sleep(0)
        if folder is not None:
            for data in changes.mails:
                await self._deliver_pushed(folder, data)
                await asyncio.sleep(0)  # A burst must not block the event loop.
        if changes.statuses:
            self._observer.on_progress()

    def _process_status(self, data: Data, *, is_change: bool) -> list[Folder]:
        """Update and return the folders that a STATUS response of NOTIFY names."""
        name, numbers = parse_status(data)
        found = [folder for folder in self._others if is_folder(name, folder.name)]
        for folder in found:
            folder.on_status(numbers, is_change=is_change)
        return found

    async def _deliver_pushed(self, folder: Folder, data: Data) -> None:
        """Deliver a message that NOTIFY sent, unless it is left to the next sync."""
        # After the user has increased the text size, older responses have too little text.
        is_set = self._notify.is_set_to(self._names, folder.text)
        if folder.due_at <= self._loop.time() or not is_set:
            return
        mail = await folder.delivery.read_pushed(data, folder.text)
        if mail is None:
            return
        selected = self._connection.selected
        selected.set_synced(selected.synced + 1)
        folder.on_pushed(mail, selected.synced)
        self._observer.on_progress()
        await folder.delivery.deliver_pushed(mail)
        self._schedule.end_cycle(found=True)
        self._chooser.record_sync(PushMode.NOTIFY, announced=True)

    def blame(self, error: ImapError) -> None:
        """Find what the session was doing when it ended, and be careful with that next time."""
        mode, age = self._strategy.mode, max(0.0, self._loop.time() - self._idle_since)
        unanswered = [item for item in self._sent if not item[1].is_answered]
        folder, name = self._busy, "UID FETCH"
        if unanswered:
            folder, name = unanswered[0][0], unanswered[0][1].name
        if self._connection.idle_is_unanswered and not self._longest_idle:
            self._chooser.record_loss(mode, age)
        elif name == "NOTIFY":
            self._chooser.record_loss(PushMode.NOTIFY, 0.0)
        elif folder is not None:
            folder.mark_lost(error, name)
        elif self._idle_since < math.inf and self._longest_idle <= age:
            self._chooser.record_drop(mode, age)
