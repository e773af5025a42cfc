"""Gives folders the marks that they need."""

from collections.abc import Callable
from typing import Final

from ..errors import FolderNotFound, ImapError
from ..models import PushMode
from ..session.select import SelectResult
from ..session.session import Session
from .folder import Folder
from .notify_state import NotifyState

# Times that a folder may be numbered anew between two times of waiting.
MAX_RENUMBERED: Final = 3


class Resync:
    """Opens folders beside the usual round, and gives those a mark whose own does not serve."""

    def __init__(
        self,
        session: Session,
        armed: NotifyState,
        vanished: Callable[[Folder, FolderNotFound], None],
        mode_of: Callable[[Folder], PushMode],
    ) -> None:
        """Open folders on this session; `vanished` hears of those that are not there."""
        self._session = session
        self._armed = armed
        self._vanished = vanished
        self._mode_of = mode_of
        self._renumbered = 0

    def calm(self) -> None:
        """Note that all folders are known: what is numbered anew from now on is another matter."""
        self._renumbered = 0

    async def open(self, folder: Folder) -> SelectResult:
        """Open a folder."""
        if self._session.folder != folder.name:
            if commands := self._armed.disarm():
                await self._session.send(commands)
            await self._session.examine(folder.name)
        return self._session.selected

    async def settle_all(self, folders: list[Folder]) -> bool:
        """Settle folders, asked for in one write; return if all of them are there."""
        session = self._session
        looks = [session.look(folder.name, None, opens=True) for folder in folders]
        examines = [command for look in looks for command in look.commands]
        await session.send([*self._armed.disarm(), *examines])
        are_there = True
        silent: list[Folder] = []
        for folder, look in zip(folders, looks, strict=True):
            try:
                opened = await session.opened(look)
            except FolderNotFound as error:
                self._vanished(folder, error)
                are_there = False
                continue
            if opened.uid_next is None:
                silent.append(folder)  # It has to be asked for while it is open.
            else:
                await self._settle_open(folder)
        for folder in silent:
            are_there &= await self.settle(folder)
        return are_there

    async def settle(self, folder: Folder) -> bool:
        """Settle a folder; return if it is there."""
        try:
            await self.open(folder)
        except FolderNotFound as error:
            self._vanished(folder, error)
            return False
        await self._settle_open(folder)
        return True

    async def renumber(self, folder: Folder) -> None:
        """Settle a folder whose mark means nothing any more."""
        self._renumbered += 1
        if self._renumbered > MAX_RENUMBERED:
            raise ImapError("the server numbers a folder anew again and again")
        await self.settle(folder)

    async def _settle_open(self, folder: Folder) -> None:
        await folder.settle(self._session, self._mode_of(folder))
        folder.is_due = True
