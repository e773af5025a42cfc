"""The loop of one session: sync cycles over its folders, and the waits between them.

At most one folder is selected in IMAP. The first folder of a loop is selected while it waits.
The others are unselected: the server announces their changes (NOTIFY), or they are polled with
STATUS. A cycle syncs the selected folder and each unselected folder that needs it, in one write:

    DONE
    for each unselected folder that needs a sync:  EXAMINE, UID FETCH, count of unread
    EXAMINE of the selected folder, if another folder was selected in between
    UID FETCH, count of unread
    IDLE

`wait_strategy` shows what a server answers.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
import math
from typing import Final, Never, Protocol

from ..errors import CommandRefused, ConnectionLost, FolderNotFound
from ..mime.preview import batch_size
from ..models import PushMode
from ..session.session import Session
from ..session.sync import SyncRequest
from ..wire.command import Command
from ..wire.response_codes import fetch_error
from .folder import Folder
from .notify_state import NotifyState
from .resync import Resync
from .schedule import CYCLE_INTERVAL_SECONDS, MAX_EMPTY_CYCLES, SyncSchedule
from .statistics import Statistics
from .status_poll import StatusPoller, process_unsolicited
from .wait_strategy import NotifyWait, StrategyChooser, WaitStrategy

# A server that ends IDLE earlier than this has a problem.
MIN_IDLE_SECONDS: Final = 10.0
# A shorter wait without EXISTS does not show that IDLE is silent: the EXISTS may still be in
# transit when another folder ends the wait.
MIN_WAIT_SECONDS: Final = 2.0


class Observer(Protocol):
    """Is notified of the progress of a loop."""

    def on_watching(self, strategy: WaitStrategy) -> None:
        """All folders are watched: they are in sync, or at least one syncs continuously."""

    def on_folders_changed(self) -> None:
        """The state of a folder has changed during a wait."""


class FolderLoop:
    """Watches folders on one session. The first folder of the list is the selected one."""

    def __init__(
        self,
        session: Session,
        folders: list[Folder],
        chooser: StrategyChooser,
        statistics: Statistics,
        observer: Observer,
    ) -> None:
        """Watch the folders of this list, which the caller may change."""
        self._session, self._connection = session, session.connection
        self._folders = folders
        self._chooser = chooser
        self._statistics = statistics
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self._strategy = chooser.best(session.capabilities)
        self._notify = NotifyState()
        # Work that needs a write of its own, after all replies of a cycle were read.
        self._deferred: list[Callable[[], Awaitable[int]]] = []
        self._fetching: dict[Folder, Command] = {}  # in this cycle
        self._schedule = SyncSchedule()
        self._poller = StatusPoller(session)
        self._resync = Resync(session, self._notify, self._schedule, self)

    @property
    def _selected(self) -> Folder:
        return self._folders[0]

    @property
    def _unselected(self) -> list[Folder]:
        return self._folders[1:]

    async def run(self) -> Never:
        """Sync and wait until the session ends; raise the ImapError that ended it."""
        try:
            await self._run()
        except ConnectionLost as error:
            for folder, fetch in self._fetching.items():
                # A FETCH without any response does not indicate a problem with the mail.
                if fetch.collected and not fetch.is_complete:
                    folder.mark_fetch_failed(error)
            raise

    async def _run(self) -> Never:
        if self._strategy.covers_unselected:
            # NOTIFY SET STATUS reports the current state, so no poll is needed.
            self._poller.due_at += self._strategy.seconds
        if "CONDSTORE" not in self._session.capabilities:
            for folder in self._folders:
                # Without HIGHESTMODSEQ, changes since the last session cannot be excluded.
                folder.mark_changed()
        announced, busy_cycles = True, 0
        while True:
            self._drop_unsubscribed()
            self._update_strategy()
            was_due, self._selected.needs_sync = self._selected.needs_sync, True
            found = await self._sync_cycle(was_due=was_due)
            self._session.release()
            if not self._schedule.needs_full_sync:
                self._strategy.record_sync(found, announced=announced)
                self._update_strategy()
                announced = True
            busy_cycles = 0 if found else busy_cycles + 1
            is_done = not (self._is_sync_needed() or self._schedule.needs_full_sync)
            # A folder that always needs another sync must not delay the state of the others.
            is_limited = any(folder.state.rate_limited for folder in self._folders)
            is_endless = busy_cycles > MAX_EMPTY_CYCLES or is_limited
            if is_done or is_endless:
                self._observer.on_watching(self._strategy)
            if is_done:
                busy_cycles = 0
                self._resync.reset()
                announced = await self._wait()
            elif busy_cycles > MAX_EMPTY_CYCLES:
                await asyncio.sleep(CYCLE_INTERVAL_SECONDS)

    def _drop_unsubscribed(self) -> None:
        """Drop unsubscribed folders. If no other is left, keep them: the loop is cancelled soon."""
        kept = [folder for folder in self._folders if not folder.is_unsubscribed]
        if kept and kept[0] is not self._selected:
            self._schedule.needs_full_sync = True
        self._folders[:] = kept or self._folders

    def _is_sync_needed(self) -> bool:
        """Return whether the next cycle is to start immediately."""
        return any(f.needs_sync or f.is_unsubscribed for f in self._folders)

    def _update_strategy(self) -> None:
        """Replace a strategy that does not work, or is no longer the best one."""
        if self._connection.idle_is_refused:
            self._strategy.mark_refused()
        capabilities = self._session.capabilities
        self._strategy = self._chooser.update(self._strategy, capabilities)

    async def _sync_cycle(self, *, was_due: bool) -> int:
        """Sync the selected folder and the unselected folders that need it.

        `was_due`: the selected folder needed a sync. Returns the number of its new messages.
        """
        await self._process_unsolicited()
        selected = self._selected
        others = [folder for folder in self._unselected if folder.needs_sync]
        folders = (*others, selected)
        is_fresh = selected.needs_resync
        if outdated := [folder for folder in folders if folder.needs_resync]:
            self._schedule.needs_full_sync = True
            if not await self._resync.resync_all(outdated):
                return 0
        session, uses_idle = self._session, self._strategy.uses_idle
        # NOOP does not show new mail on every server, but EXAMINE does.
        is_elsewhere = bool(others) or session.folder != selected.name
        examines = is_elsewhere or not (uses_idle or is_fresh)
        # The response to a UID check is much smaller than that to a full sync.
        expects_mail = selected.has_more or self._schedule.expects_mail
        is_uid_check = not (examines or expects_mail)
        # `mark:*` may return more than a batch, unless EXISTS limits it.
        batch = batch_size(selected.text, selected.normal_batch)
        is_small = not selected.has_more and 0 < self._schedule.growth <= batch
        is_growth = is_small and not (examines or is_uid_check)
        has_grown = self._schedule.begin_cycle()
        requests = [self._sync_request(folder, opens=True) for folder in others]
        requests.append(
            self._sync_request(
                selected, opens=examines, is_uid_check=is_uid_check, is_growth=is_growth
            )
        )
        for folder, request in zip(folders, requests, strict=True):
            if request.fetch is not None:
                self._fetching[folder] = request.fetch
                self._statistics.syncs.measure(request.fetch)
        interval = self._chooser.status_interval(self._strategy)
        polls = self._poller.commands(self._unselected, interval)
        await session.send(self._commands(requests, polls), idle=uses_idle)
        found = total = 0
        for folder, request in zip(folders, requests, strict=True):
            found = await self._process_reply(folder, request)
            total += found
        await self._process_status()
        if self._deferred:
            while self._deferred:
                total += await self._deferred.pop(0)()
            await self._reselect()
        self._fetching = {}
        had_reason = was_due or has_grown or bool(others)
        self._schedule.end_cycle(found=total, had_reason=had_reason)
        return found

    def _sync_request(
        self,
        folder: Folder,
        *,
        opens: bool,
        is_uid_check: bool = False,
        is_growth: bool = False,
    ) -> SyncRequest:
        """Return the commands for a folder, without FETCH if `sync_alone` will fetch its mail."""
        return self._session.sync_request(
            folder.name,
            folder.mark,
            opens=opens,
            is_uid_check=is_uid_check,
            is_growth=is_growth,
            fetches=is_uid_check or folder.reduced_batch is None,
            shows_newest=not (is_growth or (is_uid_check and folder.state.last_mail)),
            batch=folder.normal_batch,
            text=folder.text,
        )

    def _commands(
        self, requests: list[SyncRequest], polls: Iterable[Command] = ()
    ) -> list[Command]:
        """Return all commands of a cycle in order; the last request is for the selected folder."""
        *others, last = requests
        notify, spec = self._notify, self._notify_spec()
        is_unchanged = last.examine is None and notify.is_set_to(spec)
        commands = [] if is_unchanged else notify.clear()
        commands += polls
        for other in others:
            commands += other.commands
        if last.examine is not None:
            commands.append(last.examine)
        commands += notify.set(spec)
        commands += last.commands_in_folder
        return commands

    def _notify_spec(self) -> str:
        """Return the arguments of NOTIFY, "" if it is not used."""
        if not isinstance(self._strategy, NotifyWait):
            return ""
        return NotifyWait.spec((f.name for f in self._unselected), self._selected.text)

    async def _reselect(self) -> None:
        """Select the first folder again after deferred work, unless another cycle follows."""
        selected = self._selected
        others_need_sync = any(folder.needs_sync for folder in self._unselected)
        if self._schedule.needs_full_sync or others_need_sync:
            return
        opens = self._session.folder != selected.name
        request = self._session.sync_request(selected.name, None, opens=opens)
        commands = self._commands([request])
        await self._session.send(commands, idle=self._strategy.uses_idle)
        try:
            examined = await self._session.read_selected(request)
        except FolderNotFound as error:
            self.mark_missing(selected, error)
            return
        if opens and not selected.has_no_new_mail(examined):
            selected.needs_sync = self._schedule.needs_full_sync = True

    async def _process_reply(self, folder: Folder, request: SyncRequest) -> int:
        """Read the responses to a request and deliver; return the number of new messages."""
        session = self._session
        try:
            examined = await session.read_selected(request)
        except FolderNotFound as error:
            self.mark_missing(folder, error)
            return 0
        folder.mark_present()
        if request.examine is not None:
            folder.update_counts(examined.numbers)
            if not folder.is_continued_by(examined):
                self._deferred.append(partial(self._resync.renumber, folder))
                return 0
        found = 0
        try:
            if request.is_uid_check:
                last_uid = await session.read_last_uid(request)
                if session.flags_changed:
                    folder.mark_changed()
                if folder.is_newest(last_uid):
                    folder.needs_sync = False
                    folder.update_unread(await session.read_unread(request))
                else:
                    self._schedule.needs_full_sync = True
                return 0
            batch = await session.read_batch(request) if request.fetch else None
            if batch is not None:
                batch = await batch.with_previews()
                if session.flags_changed:
                    folder.mark_changed()
        except CommandRefused as refusal:
            if failure := fetch_error(refusal, waits=folder.waits_for_refusals):
                folder.mark_fetch_failed(failure)
                raise failure from refusal
            batch = None
        if batch is None or (batch.is_empty and not batch.complete):
            self._deferred.append(partial(self._resync.sync_alone, folder, None))
        elif batch.is_incomplete:
            self._deferred.append(partial(self._resync.sync_alone, folder, batch))
        else:
            found = await folder.deliver(batch, self.push_mode_of(folder), examined)
        folder.update_unread(await session.read_unread(request))
        return found

    async def _process_status(self) -> None:
        """Read the STATUS responses to polls and NOTIFY, and what arrived unsolicited."""
        await self._poller.process_replies(self.mark_missing)
        try:
            for data in await self._notify.take_initial_status():
                process_unsolicited(data, self._folders)
                await asyncio.sleep(0)
        except CommandRefused:
            self._strategy.mark_refused()
        await self._process_unsolicited()

    def mark_missing(self, folder: Folder, error: FolderNotFound) -> None:
        """Mark a folder as missing; raise `error` if all folders are missing."""
        folder.mark_missing()
        if all(other.state.missing for other in self._folders):
            raise error
        if folder is self._selected:
            self._folders.append(self._folders.pop(0))
            self._selected.needs_sync = True

    async def _wait(self) -> bool:
        """Wait until a cycle is due, delivering the messages that NOTIFY brings.

        Returns False if the server had enough time to announce new mail but did not.
        """
        started = self._loop.time()
        deadline = started + self._strategy.seconds
        while True:
            await self._process_unsolicited()
            seconds = min(deadline, self._due_at()) - self._loop.time()
            if seconds <= 0:
                break
            await self._connection.wait_for_unsolicited(seconds)
        waited = self._loop.time() - started
        if self._connection.idle_is_over and waited < MIN_IDLE_SECONDS:
            self._strategy.count_miss()
        was_short = waited < min(self._strategy.seconds, MIN_WAIT_SECONDS)
        return self._schedule.has_changes or was_short

    def _due_at(self) -> float:
        """Return the time of the event loop at which the next cycle is due."""
        schedule = self._schedule
        if self._is_sync_needed():
            is_limited = schedule.is_rate_limited
            return schedule.rate_limited_until if is_limited else -math.inf
        poll_at = self._poller.due_at if self._unselected else math.inf
        if self._connection.idle_is_over:
            return min(poll_at, schedule.rate_limited_until)
        is_notify = self._strategy.mode is PushMode.NOTIFY
        return min(poll_at, schedule.due_at(is_mail_pushed=is_notify))

    async def _process_unsolicited(self) -> None:
        """Process unsolicited responses: deliver pushed mail, record all other changes."""
        unsolicited = self._connection.unsolicited.take()
        if not unsolicited:
            return
        if unsolicited.overflowed:
            self._notify.mark_expired()
            self._strategy.count_miss()
        if unsolicited.overflowed or unsolicited.dropped:
            self._poller.poll_now()
        self._schedule.record(unsolicited)
        selected = self._selected
        is_selected = self._session.folder == selected.name
        if unsolicited.changed:
            selected.mark_changed()
            if is_selected:
                exists = self._connection.unsolicited.exists
                selected.update_counts({"MESSAGES": exists})
        for status in unsolicited.statuses:
            for folder in process_unsolicited(status, self._folders):
                folder.mark_changed()
            await asyncio.sleep(0)
        pushed = 0
        # After the user has increased the text size, older responses have too little text.
        is_current = is_selected and self._notify.is_set_to(self._notify_spec())
        for data in unsolicited.mails if is_current else ():
            pushed += await selected.deliver_pushed(data)
            await asyncio.sleep(0)  # A burst must not block the event loop.
        if pushed:
            self._schedule.mark_pushed()
            self._strategy.record_sync(pushed, announced=True)
        if unsolicited.statuses or pushed:
            self._observer.on_folders_changed()

    def push_mode_of(self, folder: Folder) -> PushMode:
        """Return how new mail in a folder becomes known."""
        is_selected = folder is self._selected
        return self._strategy.mode if is_selected else self._strategy.unselected_mode
