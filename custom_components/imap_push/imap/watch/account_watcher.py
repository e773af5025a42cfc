"""Watches the folders of one account, with push for all, on as few connections as possible."""

import asyncio
from collections.abc import Mapping
import logging
from typing import Final

from ..auth.login_limiter import LoginLimiter
from ..errors import FolderNotFound, ImapError
from ..mime.preview import TextRequest
from ..models import Account, AccountState, PushMode, WatchOptions
from ..wire.pipelining import Pipelining
from .context import Context, Listener
from .folder import Folder, WatchedFolder
from .statistics import Statistics
from .supervisor import ConnectionSupervisor
from .wait_strategy import WORST_FIRST

_LOGGER = logging.getLogger(__name__)

# Maximum number of connections per account. Some providers allow only five or ten for all
# clients of the user.
MAX_CONNECTIONS: Final = 5
# After the server has refused a connection, none is added for this long.
LIMIT_MEMORY_SECONDS: Final = 3600.0


class AccountWatcher:
    """Watches the folders of one account until it is cancelled.

    All folders start on one connection. If the server supports only IDLE, which covers one
    folder, each other folder gets a connection of its own, up to MAX_CONNECTIONS and as the
    server allows. Folders without a connection of their own are polled.
    """

    def __init__(
        self,
        account: Account,
        folders: Mapping[str, WatchedFolder],
        options: WatchOptions,
        listener: Listener,
    ) -> None:
        """Watch these folders. More can be added later."""
        self.statistics = Statistics()
        self._listener = listener
        self._context = Context(
            account=account,
            options=options,
            listener=listener,
            logins=LoginLimiter(connections=1),
            pipelining=Pipelining(options.pipeline, listener.pipelining_failed),
            statistics=self.statistics,
        )
        self._folders: dict[str, Folder] = {}
        self._supervisors: dict[ConnectionSupervisor, asyncio.Task[None]] = {}
        self._tasks: asyncio.TaskGroup | None = None  # while it runs
        self._limited_until = 0.0  # time of the event loop
        for name, watched in folders.items():
            self.add(name, watched)

    async def run(self) -> None:
        """Connect, sync, wait and reconnect until cancelled; then log out."""
        async with asyncio.TaskGroup() as self._tasks:
            try:
                if self._folders:
                    self._start(list(self._folders.values()))
                await asyncio.get_running_loop().create_future()
            finally:
                self._tasks = None

    def add(self, name: str, watched: WatchedFolder) -> None:
        """Watch another folder without interrupting the others; ValueError if already watched."""
        if name in self._folders:
            raise ValueError("the folder is watched already")
        folder = self._folders[name] = Folder(name, watched, self._context)
        self._context.logins.allow_for(min(len(self._folders), MAX_CONNECTIONS))
        if self._tasks is None:
            return
        supervisors = sorted(self._supervisors, key=lambda item: not item.is_watching)
        if supervisors:
            supervisors[0].assign([folder])
        else:
            self._start([folder])
        self.publish()

    def remove(self, name: str) -> None:
        """Stop watching a folder. From now on, no mail is delivered and no mark is stored."""
        folder = self._folders.pop(name)
        folder.is_unsubscribed = True
        if (supervisor := self._supervisor_of(folder)) is None:
            return
        if all(other.is_unsubscribed for other in supervisor.folders):
            self._supervisors.pop(supervisor).cancel()  # This logs out.
        else:
            supervisor.wake()
        self.publish()

    def set_text(self, name: str, size: int, *, links: bool = False) -> None:
        """Change how much text is delivered with mail. No message is lost or repeated."""
        folder = self._folders[name]
        folder.text = TextRequest(size, links)
        folder.needs_sync = True
        if supervisor := self._supervisor_of(folder):
            supervisor.wake()

    def check_now(self) -> None:
        """Sync all folders now. A connection that is lost is opened again now."""
        for supervisor in self._supervisors:
            supervisor.check_now()

    def _supervisor_of(self, folder: Folder) -> ConnectionSupervisor | None:
        """Return the supervisor of a folder, None if the watcher does not run yet."""
        found = (item for item in self._supervisors if folder in item.folders)
        return next(found, None)

    def _start(self, folders: list[Folder]) -> ConnectionSupervisor:
        """Watch folders on a connection of their own."""
        assert self._tasks is not None
        supervisor = ConnectionSupervisor(folders, self._context, self)
        name = f"imap_push {folders[0].name}"
        task = self._tasks.create_task(supervisor.run(), name=name)
        self._supervisors[supervisor] = task
        return supervisor

    def distribute(self, supervisor: ConnectionSupervisor) -> None:
        """Start a connection for each folder that IDLE on this connection does not cover."""
        if asyncio.get_running_loop().time() < self._limited_until:
            return
        folders = supervisor.folders
        if self._tasks is None or any(folder.is_unsubscribed for folder in folders):
            return
        # A folder is not watched while its connection waits for the login limiter.
        free = MAX_CONNECTIONS - len(self._supervisors)
        free = max(0, min(free, self._context.logins.spare))
        unselected = [folder for folder in folders[1:] if not folder.state.missing]
        for folder in unselected[:free]:
            folders.remove(folder)
            # The state of the folder stays as it is until the connection is open.
            self._start([folder]).mode = PushMode.POLL

    def release(self, supervisor: ConnectionSupervisor, error: ImapError) -> bool:
        """Move all folders of a connection that does not work to one that is watching.

        Returns False if no other connection is watching.
        """
        others = (item for item in self._supervisors if item is not supervisor)
        successor = next((item for item in others if item.is_watching), None)
        if successor is None:
            return False
        # Another connection is logged in, so the password is not the problem.
        self._context.logins.reset()
        del self._supervisors[supervisor]
        folders = [item for item in supervisor.folders if not item.is_unsubscribed]
        successor.assign(folders)
        if not isinstance(error, FolderNotFound):
            count = len(self._supervisors)
            _LOGGER.info("The server allows %d connections for now", count)
            now = asyncio.get_running_loop().time()
            self._limited_until = now + LIMIT_MEMORY_SECONDS
        return True

    def publish(self) -> None:
        """Report the combined state of all folders and connections."""
        supervisors = self._supervisors
        connected = [item for item in supervisors if item.mode is not PushMode.OFF]
        states = {name: folder.state for name, folder in self._folders.items()}
        modes = {state.push_mode for state in states.values()}
        offered = {supervisor.capabilities for supervisor in supervisors}
        state = AccountState(
            connected=bool(connected),
            push_mode=next(
                (mode for mode in WORST_FIRST if mode in modes), PushMode.OFF
            ),
            connections=len(connected),
            # The same set object is kept while all connections have the same capabilities.
            capabilities=offered.pop()
            if len(offered) == 1
            else frozenset().union(*offered),
            folders=states,
            error=next((item.error for item in supervisors if item.error), None),
        )
        try:
            self._listener.state_changed(state)
        except Exception:
            _LOGGER.exception("Error in the listener for states")
