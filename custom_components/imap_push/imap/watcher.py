"""An account as a whole: its folders, shared among as few connections as make all of them push."""

import asyncio
from collections.abc import Mapping
import logging
from typing import Final

from .errors import FolderNotFound, ImapError
from .folder import Folder
from .link import Link
from .listener import Listener
from .logins import Logins
from .mark import Mark
from .models import Account, AccountState, PushMode, WatchOptions
from .pipelining import Pipelining
from .push import WORST_FIRST
from .shared import Shared

_LOGGER = logging.getLogger(__name__)

# Connections of an account at the most: providers allow as few as five or ten, and a user has
# other clients.
MAX_LINKS: Final = 5
# Seconds for which we do with the connections that the server allowed.
LIMIT_MEMORY: Final = 3600.0


class Watcher:
    """Watches the folders of one account until it is cancelled.

    All begin on one connection. Where that can only wait for one of them (IDLE), the others get
    connections of their own, as long as the server allows more; the rest are asked for.
    """

    _tasks: asyncio.TaskGroup

    def __init__(
        self,
        account: Account,
        folders: Mapping[str, Mark | None],
        options: WatchOptions,
        listener: Listener,
    ) -> None:
        """Watch these folders from these marks on; None: from what comes next."""
        self._folders = [
            Folder(name, mark, options, listener) for name, mark in folders.items()
        ]
        self._listener = listener
        self._shared = Shared(
            account=account,
            options=options,
            listener=listener,
            logins=Logins(connections=min(len(folders), MAX_LINKS)),
            pipelining=Pipelining(options.pipeline, listener.pipelining_failed),
        )
        self._links: list[Link] = []
        self._limited_until = 0.0  # the loop's time

    async def run(self) -> None:
        """Connect, deliver, wait, reconnect: ends only by being cancelled (it logs out then)."""
        async with asyncio.TaskGroup() as self._tasks:
            if self._folders:
                self._start(list(self._folders))
            await asyncio.get_running_loop().create_future()

    def _start(self, folders: list[Folder]) -> Link:
        """Watch folders on a connection of their own."""
        link = Link(folders, self._shared, self._publish, self._spread, self._surrender)
        self._links.append(link)
        self._tasks.create_task(link.run(), name=f"imap_push {folders[0].name}")
        return link

    def _spread(self, link: Link) -> None:
        """Give guests of a link connections of their own."""
        if asyncio.get_running_loop().time() < self._limited_until:
            return
        for folder in [it for it in link.folders[1:] if not it.state.missing]:
            if len(self._links) >= MAX_LINKS:
                return
            link.folders.remove(folder)
            # Until that connection is there, the folder is as well cared for as before.
            self._start([folder]).mode = PushMode.POLL

    def _surrender(self, link: Link, error: ImapError) -> bool:
        """Let another link care for the folders of one that has no use for its connection."""
        others = (other for other in self._links if other is not link)
        connected = (it for it in others if it.has_watched and it.error is None)
        if (heir := next(connected, None)) is None:
            return False
        # What is logged in elsewhere is not refused for its password.
        self._shared.logins.forgive()
        self._links.remove(link)
        heir.adopt(link.folders)
        if not isinstance(error, FolderNotFound):
            _LOGGER.info("The server allows %d connections for now", len(self._links))
            self._limited_until = asyncio.get_running_loop().time() + LIMIT_MEMORY
        return True

    def _publish(self) -> None:
        """Tell the listener what all folders together amount to."""
        connected = [link for link in self._links if link.mode is not PushMode.OFF]
        states = {folder.name: folder.state for folder in self._folders}
        modes = {state.push_mode for state in states.values()}
        capabilities = (link.capabilities for link in self._links)
        state = AccountState(
            connected=bool(connected),
            push_mode=next((it for it in WORST_FIRST if it in modes), PushMode.OFF),
            connections=len(connected),
            capabilities=frozenset().union(*capabilities),
            folders=states,
            error=next((link.error for link in self._links if link.error), None),
        )
        try:
            self._listener.state_changed(state)
        except Exception:
            _LOGGER.exception("Error while telling of a new state")
