"""Syncs, polls and delivers the folders of one session: what each outcome asks for."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
import math
from typing import Protocol

from ..errors import (
    CommandRefused,
    FolderNotFound,
    ImapError,
    ResponseTooLarge,
    Unavailable,
)
from ..session.recover import complete
from ..session.select import SelectResult
from ..session.session import Session
from ..session.sync import Outcome, SyncBatch, SyncRequest, SyncResult, read_sync
from ..wire.command import Command
from .folder import Folder


class Observer(Protocol):
    """Receives the progress of a session."""

    def on_progress(self) -> None:
        """Report the state of the folders: it has changed."""


class FolderSync:
    """Syncs folders on one session.

    Folders that are neither selected nor announced are polled with STATUS (RFC 3501 6.3.10).
    `poll_at` is the time of the event loop of the next poll.
    """

    def __init__(self, session: Session, interval: float, observer: Observer) -> None:
        """Use this session, and poll every `interval` seconds."""
        self._session = session
        self._interval = interval
        self._observer = observer
        self._loop = asyncio.get_running_loop()
        self.poll_at = self._loop.time()

    async def read(self, folder: Folder, request: SyncRequest) -> SyncResult:
        """Read the replies to a request."""
        result = await read_sync(self._session, request)
        selected, mark = result.selected, folder.delivery.mark
        if selected is None or selected.uid_next is None or mark is not None:
            return result
        # At once: what arrives from now on is new, even if the session ends soon.
        await self._renumber(folder, request, selected)
        return SyncResult(Outcome.DONE, selected, is_opened=True)

    async def apply(
        self, folder: Folder, request: SyncRequest, result: SyncResult
    ) -> int:
        """Deliver what a sync returned, or do what its outcome asks for; return new messages."""
        try:
            batch, is_by_search = result.batch, result.outcome is Outcome.BY_SEARCH
            if is_by_search or (batch is not None and batch.is_partial):
                request = replace(request, synced=folder.synced)
                result = await complete(self._session, request, result)
                folder.update(result, folder.mode)
                self._observer.on_progress()
            match result:
                case SyncResult(
                    outcome=Outcome.RENUMBERED, selected=SelectResult() as selected
                ):
                    await self._renumber(folder, request, selected)
                    return await self._sync_open(folder) if request.mark else 0
                case SyncResult(outcome=Outcome.MISSING):
                    folder.mark_missing()
                case SyncResult(error=ImapError() as error):
                    folder.mark_refused(error)
                case SyncResult(batch=SyncBatch() as batch):
                    return await self._deliver(folder, result, batch)
        except FolderNotFound:
            folder.mark_missing()
        except (CommandRefused, Unavailable, ResponseTooLarge) as error:
            self._session.connection.raise_error()
            folder.mark_refused(error)
        return 0

    def polls(self, folders: Iterable[Folder]) -> dict[Folder, Command]:
        """Return a STATUS for each folder that will not be synced anyway, {} if no poll is due.

        A folder for which STATUS failed is opened instead.
        """
        polls: dict[Folder, Command] = {}
        if (now := self._loop.time()) < self.poll_at:
            return polls
        self.poll_at = now + self._interval
        for folder in folders:
            if folder.status_fails:
                folder.request_sync()
            elif folder.due_at == math.inf:
                polls[folder] = self._session.status_command(folder.name)
        return polls

    async def read_poll(self, folder: Folder, command: Command) -> None:
        """Update a polled folder."""
        try:
            numbers = await self._session.read_status(command, folder.name)
        except FolderNotFound:
            folder.mark_missing()
        except CommandRefused as error:
            folder.mark_status_refused(error)
        else:
            if numbers is None:
                self.poll_at = self._loop.time()
            else:
                folder.on_status(numbers, is_requested=True)

    async def _deliver(
        self, folder: Folder, result: SyncResult, batch: SyncBatch
    ) -> int:
        """Deliver the messages of a result; return how many there are."""
        found = await folder.delivery.deliver(result, batch, folder.mode)
        folder.mark_synced(result)
        if result.outcome is Outcome.NOT_SHOWN:
            return found
        if result.unshown and result.outcome is Outcome.DONE:
            folder.delivery.warn(
                "%d messages below UID %d were announced, but the server does not show them",
                result.unshown,
                batch.next_uid,
            )
        if self._session.folder == folder.name:
            self._session.connection.selected.set_synced(result.synced)
        return found

    async def _sync_open(self, folder: Folder) -> int:
        """Sync a folder that got another mark, if it is open; return new messages.

        Servers that cannot store UIDs report another UIDVALIDITY at each EXAMINE.
        """
        if self._session.folder != folder.name or folder.due_at > self._loop.time():
            return 0
        request = folder.request(self._session, examines=False)
        await self._session.connection.send(*request.commands)
        result = await self.read(folder, request)
        folder.update(result, folder.mode)
        return await self.apply(folder, request, result)

    async def _renumber(
        self, folder: Folder, request: SyncRequest, selected: SelectResult
    ) -> None:
        """Give a folder a valid mark; the next cycle finds its new messages."""
        session, delivery = self._session, folder.delivery
        is_behind = delivery.mark is not None and selected.is_behind(delivery.mark)
        if selected.uid_next is None or is_behind or not delivery.needs_start:
            if session.folder != folder.name:
                await session.examine(folder.name)
            if is_behind and not await session.check_uid_next():
                delivery.warn("UIDNEXT is not above the last UID: it is ignored")
                folder.request_sync()
                return
            selected = session.selected
        await delivery.start(
            session,
            selected,
            request,
            folder.mode,
            all_new=folder.has_only_new_mail,
        )
        folder.mark_renumbered(selected)
