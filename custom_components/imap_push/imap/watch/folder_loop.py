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
import math
from typing import Final, Never, Protocol

from ..errors import CommandRefused, ImapError
from ..limits import Loan
from ..models import PushMode
from ..session.select import examine_command
from ..session.session import Session
from ..session.sync import SyncRequest
from ..wire.command import Command
from ..wire.parser import Data
from .folder import Folder
from .folder_sync import FolderSync, Progress
from .notify import Notify
from .schedule import Reason, SyncSchedule
from .statistics import Statistics
from .status_poll import StatusPoller, process_unsolicited
from .wait_strategy import MIN_IDLE_SECONDS, StrategyChooser

# Waits shorter than this do not count as missed mail: EXISTS may still be on its way.
MIN_WAIT_SECONDS: Final = 2.0


class Observer(Progress, Protocol):
    """Receives the progress of a loop."""

    def on_watching(self, uncovered: frozenset[Folder]) -> None:
        """Report that all folders are in sync; `uncovered` are polled although push works."""


class FolderLoop:
    """Syncs and watches folders on one session until it ends."""

    def __init__(
        self,
        session: Session,
        folders: tuple[Folder, ...],
        chooser: StrategyChooser,
        poll_interval: float,
        statistics: Statistics,
        observer: Observer,
    ) -> None:
        """Watch these folders; `assign` replaces them."""
        self.is_waiting = False
        self._session, self._connection = session, session.connection
        self._folders = folders
        self._chooser = chooser
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._strategy = chooser.best(session.capabilities)
        self._notify = Notify()
        self._loans: deque[Loan[Session]] = deque()
        self._sync = FolderSync(session, self._notify, statistics, observer)
        self._schedule = SyncSchedule()
        self._poller = StatusPoller(session, poll_interval)
        self._counts: list[tuple[int | None, int | None]] = []  # after the last cycle
        self._examines = True  # Select the folder again in the next cycle.
        # The commands of the last write by folder, None for NOTIFY, in the order of sending.
        self._sent: list[tuple[Folder | None, Command]] = []
        self._synced_at = self._loop.time()  # when the selected folder was opened again
        self._idle_since = math.inf
        # The last wait ended an IDLE of MIN_IDLE_SECONDS; one of this session was completed.
        self._ends_idle = self._has_idled = False
        # The server had announced what the next sync finds, or had no time to do so.
        self._is_announced = True
        for folder in folders:
            folder.begin_session(session.capabilities)

    def assign(self, folders: tuple[Folder, ...]) -> None:
        """Watch these folders from now on."""
        self._folders = folders
        self.wake()

    def lend(self, loan: Loan[Session]) -> None:
        """Lend the session before the next cycle."""
        self._loans.append(loan)
        self.wake()

    def wake(self) -> None:
        """End the wait if a folder is due."""
        self._connection.unsolicited.wake()

    async def run(self) -> Never:
        """Sync and wait until the session ends; raise the ImapError that ended it."""
        try:
            while True:
                while self._loans:
                    await self._sync.lend(self._loans.popleft())
                    self._examines = True
                await self._cycle()
                if self._due_at() > self._loop.time():
                    self.is_waiting = True
                    self._report()
                    await self._wait()
                    self.is_waiting = False
        except ImapError as error:
            self._blame(error)
            raise
        finally:
            for loan in self._loans:
                loan.refuse()

    @property
    def _selected(self) -> Folder | None:
        """Return the folder that is selected while the loop waits."""
        return next((folder for folder in self._folders if folder.is_openable), None)

    @property
    def _unselected(self) -> list[Folder]:
        selected = self._selected
        return [folder for folder in self._folders if folder is not selected]

    @property
    def _unselected_names(self) -> list[str]:
        return [folder.name for folder in self._unselected]

    @property
    def _is_push(self) -> bool:
        return self._strategy.mode is not PushMode.POLL

    @property
    def _uncovered(self) -> list[Folder]:
        """Return the folders that the server does not announce."""
        return [item for item in self._unselected if not self._is_covered(item)]

    def _is_covered(self, folder: Folder) -> bool:
        """Return whether NOTIFY announces a folder that is not selected."""
        is_notify = self._strategy.mode is PushMode.NOTIFY
        return is_notify and folder.name in self._notify.covered

    def _report(self) -> None:
        """Report that all folders are in sync."""
        is_silent = self._chooser.is_silent
        for folder in filter(lambda item: item.is_openable, self._folders):
            folder.set_mode(self._mode_of(folder), is_silent=is_silent)
        uncovered = [folder for folder in self._uncovered if folder.is_openable]
        self._observer.on_watching(frozenset(uncovered if self._is_push else ()))

    async def _cycle(self) -> None:
        """Sync all folders that are due, and the selected one, in one write."""
        await self._process_unsolicited()
        if self._examines:
            self._synced_at = self._loop.time()
        self._strategy = self._chooser.best(self._session.capabilities)
        selected = self._selected
        due = [folder for folder in self._unselected if folder.is_due]
        suspects = [folder for folder in due if folder.is_suspect]
        others = [folder for folder in due if not folder.is_suspect]
        has_growth = self._connection.selected.growth > 0
        has_changes = self._schedule.begin_cycle() or has_growth
        is_due = any(folder.is_due for folder in self._folders)
        requests = {
            folder: self._sync.request(folder, examines=True) for folder in others
        }
        if selected is not None:
            requests[selected] = self._request_selected(
                selected, others, has_changes=has_changes
            )
        await self._send(requests, selected)
        results = {
            folder: await self._sync.read(folder, request, self._mode_of(folder))
            for folder, request in requests.items()
        }
        if self._connection.pipelining_failed:
            self._connection.stop_pipelining()
            for folder in requests:
                folder.request_sync()
            return
        if self._ends_idle:
            self._chooser.record_idle(self._strategy.mode)
            self._ends_idle, self._has_idled = False, True
        if selected is not None and requests[selected].examine is not None:
            self._connection.selected.set_synced(selected.synced)
        statuses = await self._read_status()
        newest = {
            folder: await self._sync.update(
                folder, results[folder], self._mode_of(folder)
            )
            for folder in requests
        }
        self._observer.on_changed()
        found = {
            folder: await self._sync.apply(
                folder, result, newest[folder], self._mode_of(folder)
            )
            for folder, result in results.items()
        }
        for status in statuses:
            process_unsolicited(status, self._unselected)
            await asyncio.sleep(0)
        for folder in suspects:
            self._sent = []
            found[folder] = await self._sync.sync_alone(folder, self._mode_of(folder))
        self._end_cycle(
            found=any(found.values()),
            reasons={
                Reason.MAIL: has_growth,
                Reason.FOLDER: is_due,
                Reason.CHANGE: has_changes and not (has_growth or is_due),
            },
        )
        if selected is not None and found[selected] and self._is_push:
            mode = self._strategy.mode
            self._chooser.record_sync(mode, announced=self._is_announced)
            self._is_announced = True
        self._sent = [item for item in self._sent if not item[1].is_answered]
        self._session.release()

    def _end_cycle(self, *, found: bool, reasons: dict[Reason, bool]) -> None:
        """Record whether a cycle found new messages, or other counts than the last cycle."""
        states = [folder.state for folder in self._folders]
        counts = [(state.messages, state.unread) for state in states]
        if found or counts != self._counts:
            self._schedule.record_found()
        else:
            self._schedule.record_empty(
                reason for reason, is_one in reasons.items() if is_one
            )
        self._counts = counts

    def _request_selected(
        self, selected: Folder, others: list[Folder], *, has_changes: bool
    ) -> SyncRequest:
        """Return the commands for the folder that is selected while the loop waits.

        Without a reason to sync, for example after a poll of the other folders, it is only
        selected.
        """
        # NOOP does not show new mail on every server, but EXAMINE does.
        verifies = self._examines or selected.verifies or not self._is_push
        self._examines = False
        is_elsewhere = bool(others) or self._session.folder != selected.name
        if selected.is_due or ((verifies or has_changes) and not selected.is_waiting):
            return self._sync.request(selected, examines=verifies or is_elsewhere)
        examine = examine_command(selected.name) if is_elsewhere else None
        return SyncRequest(selected.name, selected.delivery.mark, examine)

    async def _send(
        self, requests: dict[Folder, SyncRequest], selected: Folder | None
    ) -> None:
        """Send all commands of a cycle in one write; those for the selected folder are last."""
        opens = any(request.examine for request in requests.values())
        # Without a mark, the next cycle follows at once.
        is_marked = selected is not None and requests[selected].mark is not None
        notifies = self._strategy.mode is PushMode.NOTIFY and is_marked
        clears = self._notify.clear() if opens or not notifies else []
        notify: list[Command] = []
        if notifies and selected is not None:
            notify = self._notify.set(self._unselected_names, selected.text)
        # NOTIFY SET STATUS reports the state of all folders that it covers.
        polls = self._poller.commands([] if notify else self._uncovered)
        sent: list[tuple[Folder | None, Command]] = [(None, c) for c in clears]
        sent += polls.items()
        for folder, request in requests.items():
            if folder is not selected:
                sent += [(folder, command) for command in request.commands]
        if selected is not None:
            request = requests[selected]
            if request.examine is not None:
                sent.append((selected, request.examine))
            sent += [(None, command) for command in notify]
            sent += [(selected, command) for command in request.commands_in_folder]
        self._sent = sent
        idles = self._strategy.uses_idle and is_marked
        await self._session.send((command for _, command in sent), idle=idles)
        self._idle_since = self._loop.time() if idles else math.inf

    async def _read_status(self) -> list[Data]:
        """Read the replies to polls and NOTIFY; return the STATUS responses to NOTIFY."""
        await self._poller.read_replies()
        statuses: list[Data] = []
        try:
            statuses = await self._notify.read_reply()
        except CommandRefused:
            self._chooser.record_refused(PushMode.NOTIFY)
        if self._notify.try_utf8():
            self._schedule.record_change()
        if self._connection.idle_is_refused:
            self._chooser.record_refused(self._strategy.mode)
        return statuses

    async def _wait(self) -> None:
        """Wait until a cycle is due, delivering the messages that NOTIFY brings."""
        started = self._loop.time()
        while True:
            await self._process_unsolicited()
            now = self._loop.time()
            refresh_at = self._synced_at + self._strategy.seconds
            due_at = min(refresh_at, self._due_at())
            if due_at <= now:
                break
            await self._connection.wait_for_unsolicited(due_at - now)
        age = self._loop.time() - self._idle_since
        if self._connection.idle_is_over:
            if age < MIN_IDLE_SECONDS:
                self._chooser.record_miss(self._strategy.mode)
        else:
            self._ends_idle = MIN_IDLE_SECONDS <= age < math.inf
        short = started + min(self._strategy.seconds, MIN_WAIT_SECONDS)
        self._is_announced = self._schedule.has_changes or self._loop.time() < short
        self._examines |= now >= refresh_at

    def _due_at(self) -> float:
        """Return the time of the event loop at which the next cycle is due."""
        if self._loans:
            return -math.inf
        schedule, selected = self._schedule, self._selected
        due_at = min((folder.due_at for folder in self._folders), default=math.inf)
        due_at = max(due_at, schedule.not_before(Reason.FOLDER))
        if self._uncovered:
            due_at = min(due_at, self._poller.due_at)
        if selected is None:
            return due_at
        is_idle = self._connection.has_idle and self._session.folder == selected.name
        if self._is_push and not is_idle:
            return schedule.not_before(Reason.FOLDER)
        if self._connection.idle_is_over:
            return min(due_at, schedule.not_before(Reason.CHANGE))
        is_notify = self._strategy.mode is PushMode.NOTIFY
        has_growth = self._connection.selected.growth > 0
        changes_at = schedule.due_at(has_growth=has_growth, is_mail_pushed=is_notify)
        return min(due_at, changes_at)

    async def _process_unsolicited(self) -> None:
        """Process unsolicited responses: deliver pushed mail, record all other changes."""
        unsolicited = self._connection.unsolicited.take()
        if not unsolicited:
            return
        if unsolicited.overflowed:
            self._notify.mark_expired()
            self._chooser.record_miss(self._strategy.mode)
        # To select a folder again means to request NOTIFY again, with the STATUS of all folders.
        self._examines |= unsolicited.dropped
        if unsolicited.changed:
            self._schedule.record_change()
        name = unsolicited.folder.name if unsolicited.folder else None
        changed = next((item for item in self._folders if item.name == name), None)
        if changed is not None and unsolicited.folder is not None:
            changed.on_unsolicited(unsolicited, unsolicited.folder)
        for status in unsolicited.statuses:
            for folder in process_unsolicited(status, self._unselected):
                folder.mark_changed()
            await asyncio.sleep(0)
        if changed is not None:
            names = self._unselected_names
            for data in unsolicited.mails:
                if await self._sync.deliver_pushed(changed, data, names):
                    self._schedule.record_found()
                    self._chooser.record_sync(PushMode.NOTIFY, announced=True)
                await asyncio.sleep(0)  # A burst must not block the event loop.
        if unsolicited.statuses:
            self._observer.on_changed()

    def _mode_of(self, folder: Folder) -> PushMode:
        """Return how new mail in a folder becomes known."""
        if folder is self._selected or self._is_covered(folder):
            return self._strategy.mode
        return PushMode.POLL

    def _blame(self, error: ImapError) -> None:
        """Find what the session was doing when it ended, and be careful with that next time."""
        mode, age = self._strategy.mode, max(0.0, self._loop.time() - self._idle_since)
        unanswered = [item for item in self._sent if not item[1].is_answered]
        if self._connection.idle_is_unanswered and not self._has_idled:
            self._chooser.record_loss(mode, age)
        elif unanswered:
            folder, command = unanswered[0]
            if folder is None:
                self._chooser.record_loss(PushMode.NOTIFY, 0.0)
            else:
                folder.mark_lost(error, command.name)
        elif not self._sync.mark_lost(error):
            if self._idle_since < math.inf and not self._has_idled:
                self._chooser.record_loss(mode, age)
