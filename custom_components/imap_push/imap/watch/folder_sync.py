"""Syncs one folder on a session: what each outcome of a sync asks for."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from ..errors import (
    CommandRefused,
    FolderNotFound,
    ImapError,
    ResponseTooLarge,
    Unavailable,
)
from ..limits import Loan
from ..models import Mail, PushMode
from ..session.recover import complete_batch, sync_by_search
from ..session.select import SelectResult
from ..session.session import Session
from ..session.sync import Outcome, SyncRequest, SyncResult, read_sync, sync_request
from ..wire.command import Command
from ..wire.parser import Data
from .folder import Folder
from .notify import Notify
from .statistics import Statistics


class Progress(Protocol):
    """Receives the progress of a sync."""

    def on_changed(self) -> None:
        """Report the state of the folders: it has changed."""


class FolderSync:
    """Syncs folders on one session."""

    def __init__(
        self,
        session: Session,
        notify: Notify,
        statistics: Statistics,
        progress: Progress,
    ) -> None:
        """Use this session."""
        # The folder for which commands are sent in writes of their own, and the last write.
        self._busy: Folder | None = None
        self._sent: list[Command] = []
        self._session = session
        self._notify = notify
        self._statistics = statistics
        self._progress = progress

    def request(self, folder: Folder, *, examines: bool) -> SyncRequest:
        """Return the commands for a folder; `examines`: open it."""
        selected = self._session.connection.selected
        request = sync_request(
            self._session,
            folder.name,
            None if folder.delivery.needs_start else folder.delivery.mark,
            examines=examines,
            fetches=folder.fetches_range,
            newest=folder.needs_newest,
            growth=0 if examines else selected.growth,
            batch=folder.batch,
            text=folder.text,
            synced=folder.synced if examines else selected.synced,
        )
        folder.begin_sync(examines=examines)
        if request.fetch is not None:
            self._statistics.syncs.measure(request.fetch)
        return request

    async def read(
        self, folder: Folder, request: SyncRequest, mode: PushMode
    ) -> SyncResult:
        """Read the replies to a request. `mode` is how new mail in the folder is detected."""
        waits = folder.waits_for_refusals
        result = await read_sync(self._session, request, waits=waits)
        if result.outcome is Outcome.RENUMBERED and folder.delivery.mark is None:
            assert result.selected is not None
            if result.selected.uid_next is not None:
                # At once: what arrives from now on is new, even if the session ends soon.
                await self._renumber(folder, result.selected, mode)
                return SyncResult(Outcome.DONE, result.selected, is_opened=True)
        return result

    async def update(
        self, folder: Folder, result: SyncResult, mode: PushMode
    ) -> Mail | None:
        """Store the counts of a result; return the last message of the folder, if known."""
        newest = await result.batch.newest_mail() if result.batch else None
        folder.update(result, mode, newest)
        return newest

    async def apply(
        self, folder: Folder, result: SyncResult, newest: Mail | None, mode: PushMode
    ) -> int:
        """Deliver what a sync returned, or do what its outcome asks for; return new messages."""
        self._busy = folder
        found = 0
        try:
            if result.outcome is Outcome.BY_SEARCH:
                result = await self._sync_by_search(folder, result)
                newest = await self.update(folder, result, mode)
            match result.outcome:
                case Outcome.DONE | Outcome.MORE | Outcome.NOT_SHOWN:
                    found = await self._deliver(folder, result, newest, mode)
                case Outcome.RENUMBERED:
                    assert result.selected is not None
                    await self._renumber(folder, result.selected, mode)
                case Outcome.MISSING:
                    folder.mark_missing()
                case _:
                    assert result.error is not None
                    folder.mark_refused(result.error)
        except FolderNotFound:
            folder.mark_missing()
        except (CommandRefused, Unavailable, ResponseTooLarge) as error:
            self._session.raise_if_lost()
            folder.mark_refused(error)
        self._busy = None
        return found

    async def sync_alone(self, folder: Folder, mode: PushMode) -> int:
        """Sync a folder that may end the session, after all other folders."""
        if commands := self._notify.clear():
            await self._session.send(commands)
        request = self.request(folder, examines=True)
        self._busy, self._sent = folder, request.commands
        await self._session.send(request.commands)
        result = await self.read(folder, request, mode)
        newest = await self.update(folder, result, mode)
        self._progress.on_changed()
        return await self.apply(folder, result, newest, mode)

    async def deliver_pushed(
        self, folder: Folder, data: Data, others: Sequence[str]
    ) -> bool:
        """Deliver a message that NOTIFY sent; return False if it is left to the next sync.

        `others` are the names of the folders that are not selected.
        """
        # After the user has increased the text size, older responses have too little text.
        if folder.is_due or not self._notify.is_set_to(others, folder.text):
            return False
        mail = await folder.delivery.read_pushed(data, folder.text)
        if mail is None:
            return False
        selected = self._session.connection.selected
        selected.set_synced(selected.synced + 1)
        folder.on_pushed(mail, selected.synced)
        self._progress.on_changed()
        await folder.delivery.deliver_pushed(mail)
        return True

    async def lend(self, loan: Loan[Session]) -> None:
        """Lend the session to an action; afterwards another folder may be selected."""
        if loan.session.done():
            return  # The action was cancelled.
        if commands := self._notify.clear():
            await self._session.send(commands)
        loan.session.set_result(self._session)
        await loan.returned.wait()

    def mark_lost(self, error: ImapError) -> bool:
        """Record the end of the session; return whether a folder may be the cause."""
        if self._busy is None:
            return False
        unanswered = (item for item in self._sent if not item.is_answered)
        command = next(unanswered, None)
        self._busy.mark_lost(error, command.name if command else "UID FETCH")
        return True

    async def _deliver(
        self, folder: Folder, result: SyncResult, newest: Mail | None, mode: PushMode
    ) -> int:
        """Deliver the messages of a result; return how many there are."""
        batch = result.batch
        assert result.selected is not None
        if batch is None:  # The folder was only selected.
            folder.check_uid_next(result.selected)
            return 0
        if batch.is_partial:
            if not await self._open(folder):
                await self._renumber(folder, self._session.selected, mode)
                return 0
            batch = await complete_batch(
                self._session,
                batch,
                fetches_more=not folder.care,
                waits=folder.waits_for_refusals,
            )
            newest = await self.update(folder, replace(result, batch=batch), mode)
            self._progress.on_changed()
        is_done = result.outcome is Outcome.DONE
        found = await folder.delivery.deliver(batch, newest, mode, is_last=is_done)
        if result.outcome is Outcome.NOT_SHOWN:
            folder.retry_unshown()
            return found
        folder.mark_working(is_complete=is_done, uid_next=result.selected.uid_next)
        if result.unshown and is_done:
            folder.delivery.warn(
                "%d messages below UID %d were announced, but the server does not show them",
                result.unshown,
                batch.next_uid,
            )
        folder.synced = result.synced
        if self._session.folder == folder.name:
            self._session.connection.selected.set_synced(result.synced)
        return found

    async def _sync_by_search(self, folder: Folder, result: SyncResult) -> SyncResult:
        if not await self._open(folder):
            return SyncResult(Outcome.RENUMBERED, self._session.selected)
        request = self.request(folder, examines=False)
        found = await sync_by_search(
            self._session,
            replace(request, synced=folder.synced),
            known=None if result.batch is None else result.batch.complete_messages,
            care=folder.care,
            accepts=folder.accepts_unshown,
            waits=folder.waits_for_refusals,
        )
        return replace(found, unread=result.unread)

    async def _renumber(
        self, folder: Folder, selected: SelectResult, mode: PushMode
    ) -> None:
        """Give a folder a valid mark; the next cycle finds its new messages."""
        if folder.delivery.needs_open_folder(selected):
            await self._open(folder)
            selected = self._session.selected
        await folder.delivery.start(
            self._session,
            selected,
            folder.text,
            mode,
            all_new=folder.has_only_new_mail,
        )
        folder.mark_renumbered(selected)

    async def _open(self, folder: Folder) -> bool:
        """Select a folder unless it is selected; return whether its mark is valid."""
        if self._session.folder == folder.name:
            return True
        if commands := self._notify.clear():
            await self._session.send(commands)
        selected, mark = await self._session.examine(folder.name), folder.delivery.mark
        return mark is not None and selected.continues(mark)
