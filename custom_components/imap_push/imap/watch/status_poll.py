"""Polls folders that are neither selected nor announced with STATUS (RFC 3501 6.3.10)."""

import asyncio
from collections.abc import Iterable
from typing import Final

from ..errors import CommandRefused
from ..session.session import Session, status_command
from ..wire.command import Command
from ..wire.folder_responses import parse_status
from ..wire.mailbox_name import is_folder
from ..wire.parser import Data
from ..wire.response_codes import is_missing_folder
from .folder import Folder

_ITEMS: Final = "MESSAGES UIDNEXT UIDVALIDITY UNSEEN"


class StatusPoller:
    """Polls folders with STATUS. `due_at` is the time of the event loop of the next poll."""

    def __init__(self, session: Session, interval: float) -> None:
        """Poll on this session every `interval` seconds, starting with the first cycle."""
        self._session = session
        self._interval = interval
        self._loop = asyncio.get_running_loop()
        self.due_at = self._loop.time()
        self._sent: dict[Folder, Command] = {}
        # HIGHESTMODSEQ increases with every change, also of flags (RFC 7162 3.1.2).
        self._requests_modseq = "CONDSTORE" in session.capabilities

    def poll_now(self) -> None:
        """Poll in the next cycle."""
        self.due_at = self._loop.time()

    def commands(self, folders: Iterable[Folder]) -> dict[Folder, Command]:
        """Return a STATUS for each folder that is not due anyway, {} if no poll is due.

        A folder for which STATUS failed is opened instead.
        """
        self._sent = {}
        now = self._loop.time()
        if now < self.due_at:
            return {}
        self.due_at = now + self._interval
        items = f"{_ITEMS} HIGHESTMODSEQ" if self._requests_modseq else _ITEMS
        for folder in folders:
            if folder.status_fails:
                folder.request_sync()
            elif not (folder.is_due or folder.is_blocked):
                self._sent[folder] = status_command(folder.name, items)
        return self._sent

    async def read_replies(self) -> None:
        """Update the polled folders."""
        for folder, command in self._sent.items():
            try:
                numbers = await self._session.status(command, folder.name)
            except CommandRefused as error:
                if is_missing_folder(error):
                    folder.mark_missing()
                elif self._requests_modseq:
                    # Some servers announce CONDSTORE and refuse HIGHESTMODSEQ in STATUS.
                    self._requests_modseq = False
                    self.poll_now()
                else:
                    folder.mark_status_refused(error)
            else:
                folder.on_status(numbers, is_requested=True)


def process_unsolicited(data: Data, folders: Iterable[Folder]) -> list[Folder]:
    """Update and return the folders that an unsolicited STATUS response names."""
    name, numbers = parse_status(data)
    found = [folder for folder in folders if is_folder(name, folder.name)]
    for folder in found:
        folder.on_status(numbers, is_requested=False)
    return found
