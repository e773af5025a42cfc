"""Work on one folder outside the usual sync cycle: a new mark, or a sync by SEARCH."""

from typing import Final, Protocol

from ..errors import ConnectionLost, FolderNotFound, ImapError, Unavailable
from ..models import PushMode
from ..session.recover import complete_batch, sync_by_search
from ..session.select import SelectResult
from ..session.session import Session
from ..session.sync import SyncBatch
from .folder import Folder
from .notify_state import NotifyState
from .schedule import SyncSchedule

# Changes of UIDVALIDITY that are handled between two waits.
MAX_RENUMBERINGS: Final = 3


class Folders(Protocol):
    """The folders of a loop."""

    def mark_missing(self, folder: Folder, error: FolderNotFound) -> None:
        """Mark a folder as missing; raise `error` if all folders are missing."""

    def push_mode_of(self, folder: Folder) -> PushMode:
        """Return how new mail in a folder becomes known."""


class Resync:
    """Selects folders outside the usual cycle, and replaces marks that are no longer valid."""

    def __init__(
        self,
        session: Session,
        notify: NotifyState,
        schedule: SyncSchedule,
        folders: Folders,
    ) -> None:
        """Use this session; `folders` are those of the loop."""
        self._session = session
        self._notify = notify
        self._schedule = schedule
        self._folders = folders
        self._renumberings = 0

    def reset(self) -> None:
        """Reset the counter of UIDVALIDITY changes: all folders are in sync."""
        self._renumberings = 0

    async def resync_all(self, folders: list[Folder]) -> bool:
        """Give folders a valid mark, with one write for all; return whether all exist."""
        session = self._session
        requests = [
            session.sync_request(folder.name, None, opens=True) for folder in folders
        ]
        examines = [command for request in requests for command in request.commands]
        await session.send([*self._notify.clear(), *examines])
        all_exist = True
        without_uid_next: list[Folder] = []
        for folder, request in zip(folders, requests, strict=True):
            try:
                examined = await session.read_selected(request)
            except FolderNotFound as error:
                self._folders.mark_missing(folder, error)
                all_exist = False
                continue
            if examined.uid_next is None:
                # The mark needs the UID of the last message: select the folder again to fetch it.
                without_uid_next.append(folder)
            else:
                await self._resync_selected(folder)
        for folder in without_uid_next:
            all_exist &= await self._resync(folder)
        return all_exist

    async def renumber(self, folder: Folder) -> int:
        """Replace the mark of a folder whose UIDVALIDITY changed.

        Returns 0, the number of new messages: the full sync that follows finds them. Raises
        ImapError if UIDVALIDITY changes repeatedly.
        """
        self._schedule.needs_full_sync = True
        self._renumberings += 1
        if self._renumberings > MAX_RENUMBERINGS:
            raise ImapError("the UIDVALIDITY of a folder changes again and again")
        await self._resync(folder)
        return 0

    async def sync_alone(self, folder: Folder, batch: SyncBatch | None) -> int:
        """Fetch the rest of a batch, or sync by SEARCH; return the number of new messages."""
        assert folder.mark is not None
        session = self._session
        is_selected = session.folder == folder.name
        try:
            examined = await self._select(folder)
        except FolderNotFound as error:
            self._folders.mark_missing(folder, error)
            return 0
        if not (is_selected or folder.is_continued_by(examined)):
            # The messages of `batch` belong to the previous UIDVALIDITY.
            return await self.renumber(folder)
        try:
            if batch is None:
                batch = await sync_by_search(
                    session,
                    folder.name,
                    folder.mark,
                    folder.reduced_batch,
                    folder.text,
                    waits=folder.waits_for_refusals,
                )
                batch = await batch.with_previews()
            if batch.is_incomplete:
                more = folder.fetches_more
                batch = await complete_batch(
                    session, batch, fetches_more=more, waits=folder.waits_for_refusals
                )
        except (ConnectionLost, Unavailable) as error:
            folder.mark_fetch_failed(error)
            raise
        return await folder.deliver(batch, self._folders.push_mode_of(folder), examined)

    async def _select(self, folder: Folder) -> SelectResult:
        if self._session.folder != folder.name:
            if commands := self._notify.clear():
                await self._session.send(commands)
            await self._session.examine(folder.name)
        return self._session.selected

    async def _resync(self, folder: Folder) -> bool:
        """Select a folder and give it a valid mark; return False if the folder is missing."""
        try:
            await self._select(folder)
        except FolderNotFound as error:
            self._folders.mark_missing(folder, error)
            return False
        await self._resync_selected(folder)
        return True

    async def _resync_selected(self, folder: Folder) -> None:
        await folder.resync(self._session, self._folders.push_mode_of(folder))
        folder.needs_sync = True
