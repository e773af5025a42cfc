"""What is asked of folders that are not open: STATUS, now and then."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from ..errors import CommandRefused, FolderNotFound
from ..session.session import Session, status_command
from ..wire.command import Command
from ..wire.response_codes import is_missing_folder
from .folder import Folder

_ITEMS: Final = "MESSAGES UIDNEXT UIDVALIDITY UNSEEN"


class StatusPoller:
    """Asks for folders by STATUS; `due_at` is the loop's time at which that is to be done."""

    def __init__(self, session: Session) -> None:
        """Ask on this session."""
        self._session = session
        self._loop = asyncio.get_running_loop()
        self.due_at = self._loop.time()
        self._asked: dict[Folder, Command] = {}
        # It grows with every change, of flags too (RFC 7162 3.1.2).
        self._asks_for_modseq = "CONDSTORE" in session.capabilities

    def ask_now(self) -> None:
        """Let the folders be asked for in the next round."""
        self.due_at = self._loop.time()

    def commands(self, folders: Iterable[Folder], interval: float) -> list[Command]:
        """Return a STATUS for each folder that is not looked at anyway, if it is time to ask."""
        self._asked.clear()
        now = self._loop.time()
        if now < self.due_at:
            return []
        self.due_at = now + interval
        items = f"{_ITEMS} HIGHESTMODSEQ" if self._asks_for_modseq else _ITEMS
        for folder in folders:
            if not folder.is_due:
                self._asked[folder] = status_command(folder.name, items)
        return list(self._asked.values())

    async def take_answers(
        self, vanished: Callable[[Folder, FolderNotFound], None]
    ) -> None:
        """Let the folders know what was told of them."""
        for folder, command in self._asked.items():
            try:
                numbers = await self._session.status(command, folder.name)
            except CommandRefused as error:
                self._refused(folder, error, vanished)
            else:
                folder.told(numbers, asked=True)

    def _refused(
        self,
        folder: Folder,
        error: CommandRefused,
        vanished: Callable[[Folder, FolderNotFound], None],
    ) -> None:
        if is_missing_folder(error):
            vanished(folder, FolderNotFound(error.text))
        elif self._asks_for_modseq:
            # Not everyone who offers CONDSTORE tells of it here.
            self._asks_for_modseq = False
            self.ask_now()
