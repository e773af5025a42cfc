"""An account as a whole: its folders, shared among as few connections as make all of them push."""

import asyncio
from collections.abc import Mapping
import logging
from typing import Final

from ..auth.login_limiter import LoginLimiter
from ..errors import FolderNotFound, ImapError
from ..mime.preview import TextRequest
from ..models import Account, AccountState, PushMode, WatchOptions
from ..wire.pipelining import Pipelining
from .context import Context
from .folder import Folder, WatchedFolder
from .listener import Listener
from .statistics import Statistics
from .supervisor import ConnectionSupervisor
from .wait_strategy import WORST_FIRST

_LOGGER = logging.getLogger(__name__)

# Connections of an account at the most: providers allow as few as five or ten, and a user has
# other clients.
MAX_LINKS: Final = 5
# Seconds for which we do with the connections that the server allowed.
LIMIT_MEMORY: Final = 3600.0


class AccountWatcher:
    """Watches the folders of one account until it is cancelled.

    All begin on one connection. Where that can only wait for one of them (IDLE), the others get
    connections of their own, as long as the server allows more; the rest are asked for.
    """

    def __init__(
        self,
        account: Account,
        folders: Mapping[str, WatchedFolder],
        options: WatchOptions,
        listener: Listener,
    ) -> None:
        """Watch these folders, and those that are added."""
        self.statistics = Statistics()
        self._listener = listener
        self._shared = Context(
            account=account,
            options=options,
            listener=listener,
            logins=LoginLimiter(connections=1),
            pipelining=Pipelining(options.pipeline, listener.pipelining_failed),
            statistics=self.statistics,
        )
        self._folders: dict[str, Folder] = {}
        self._links: dict[ConnectionSupervisor, asyncio.Task[None]] = {}
        self._tasks: asyncio.TaskGroup | None = None  # while it runs
        self._limited_until = 0.0  # the loop's time
        for name, watched in folders.items():
            self.add(name, watched)

    async def run(self) -> None:
        """Connect, deliver, wait, reconnect: ends only by being cancelled (it logs out then)."""
        async with asyncio.TaskGroup() as self._tasks:
            try:
                if self._folders:
                    self._start(list(self._folders.values()))
                await asyncio.get_running_loop().create_future()
            finally:
                self._tasks = None

    def add(self, name: str, watched: WatchedFolder) -> None:
        """Watch one more folder; those that are watched already hear nothing of it."""
        if name in self._folders:
            raise ValueError("the folder is watched already")
        folder = self._folders[name] = Folder(name, watched, self._shared)
        self._shared.logins.allow_for(min(len(self._folders), MAX_LINKS))
        if self._tasks is None:
            return
        links = sorted(self._links, key=lambda link: not link.is_watching)
        if links:
            links[0].adopt([folder])
        else:
            self._start([folder])
        self._publish()

    def remove(self, name: str) -> None:
        """Watch a folder no more: from now on nothing of it is delivered, and no mark moves."""
        folder = self._folders.pop(name)
        folder.is_removed = True
        if (link := self._link_of(folder)) is None:
            return
        if all(it.is_removed for it in link.folders):
            self._links.pop(link).cancel()  # It logs out.
        else:
            link.wake()
        self._publish()

    def set_text(self, name: str, size: int, *, links: bool = False) -> None:
        """Change how much text is delivered with a folder's mail, without losing or repeating any."""
        folder = self._folders[name]
        folder.text = TextRequest(size, links)
        folder.is_due = True
        if link := self._link_of(folder):
            link.wake()

    def check_now(self) -> None:
        """Sweep all folders at once; where there is no connection, try to connect at once."""
        for link in self._links:
            link.check_now()

    def _link_of(self, folder: Folder) -> ConnectionSupervisor | None:
        """Return who cares for a folder; nobody does before it all runs."""
        return next((it for it in self._links if folder in it.folders), None)

    def _start(self, folders: list[Folder]) -> ConnectionSupervisor:
        """Watch folders on a connection of their own."""
        assert self._tasks is not None
        link = ConnectionSupervisor(
            folders, self._shared, self._publish, self._spread, self._surrender
        )
        name = f"imap_push {folders[0].name}"
        self._links[link] = self._tasks.create_task(link.run(), name=name)
        return link

    def _spread(self, link: ConnectionSupervisor) -> None:
        """Give guests of a link connections of their own."""
        if asyncio.get_running_loop().time() < self._limited_until:
            return
        if self._tasks is None or any(it.is_removed for it in link.folders):
            return
        # While a link waits for its login, nobody cares for its folder.
        room = min(MAX_LINKS - len(self._links), self._shared.logins.spare)
        guests = [it for it in link.folders[1:] if not it.state.missing]
        for folder in guests[: max(room, 0)]:
            link.folders.remove(folder)
            # Until that connection is there, the folder is as well cared for as before.
            self._start([folder]).mode = PushMode.POLL

    def _surrender(self, link: ConnectionSupervisor, error: ImapError) -> bool:
        """Let another link care for the folders of one that has no use for its connection."""
        others = (other for other in self._links if other is not link)
        if (heir := next((it for it in others if it.is_watching), None)) is None:
            return False
        # What is logged in elsewhere is not refused for its password.
        self._shared.logins.reset()
        del self._links[link]
        heir.adopt([folder for folder in link.folders if not folder.is_removed])
        if not isinstance(error, FolderNotFound):
            _LOGGER.info("The server allows %d connections for now", len(self._links))
            self._limited_until = asyncio.get_running_loop().time() + LIMIT_MEMORY
        return True

    def _publish(self) -> None:
        """Tell the listener what all folders together amount to."""
        connected = [link for link in self._links if link.mode is not PushMode.OFF]
        states = {name: folder.state for name, folder in self._folders.items()}
        modes = {state.push_mode for state in states.values()}
        offered = {link.capabilities for link in self._links}
        state = AccountState(
            connected=bool(connected),
            push_mode=next((it for it in WORST_FIRST if it in modes), PushMode.OFF),
            connections=len(connected),
            capabilities=offered.pop()
            if len(offered) == 1
            else frozenset().union(*offered),
            folders=states,
            error=next((link.error for link in self._links if link.error), None),
        )
        try:
            self._listener.state_changed(state)
        except Exception:
            _LOGGER.exception("Error while telling of a new state")
