"""Watches the folders of one account, with push for all, on as few connections as possible."""

import asyncio
from collections.abc import Mapping
import logging

from ..auth.login_limiter import LoginLimiter
from ..limits import MAX_WATCHING, Loan
from ..mime.preview import TextRequest
from ..models import Account, AccountState, PushMode, WatchOptions
from ..session.session import Session
from .context import Context, Listener, WatchedFolder
from .folder import Folder
from .statistics import Statistics
from .supervisor import (
    Changed,
    ConnectionState,
    ConnectionSupervisor,
    Lost,
    Report,
    Watching,
)
from .wait_strategy import WORST_FIRST

_LOGGER = logging.getLogger(__name__)


class AccountWatcher:
    """Watches the folders of one account until it is cancelled.

    All folders start on one connection. If the server supports only IDLE, which covers one
    folder, each other folder gets a connection of its own, as far as the server allows. Folders
    without a connection of their own are polled.
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
            statistics=self.statistics,
        )
        self._folders: dict[str, Folder] = {}
        self._connections: dict[ConnectionSupervisor, asyncio.Task[None]] = {}
        self._tasks: asyncio.TaskGroup | None = None  # while it runs
        self._budget = account.connections
        self._state = AccountState()  # that was reported last
        for name, watched in folders.items():
            self.add(name, watched)

    async def run(self) -> None:
        """Connect, sync, wait and reconnect until cancelled; then log out."""
        async with asyncio.TaskGroup() as self._tasks:
            try:
                self._budget.set_lender(self)
                if self._folders:
                    self._start(tuple(self._folders.values()))
                await asyncio.get_running_loop().create_future()
            finally:
                self._budget.set_lender(None)
                self._tasks = None

    def add(self, name: str, watched: WatchedFolder) -> None:
        """Watch another folder without interrupting the others; ValueError if already watched."""
        if name in self._folders:
            raise ValueError("the folder is watched already")
        folder = self._folders[name] = Folder(name, watched, self._context)
        self._context.logins.allow_for(min(len(self._folders), MAX_WATCHING))
        if self._tasks is None:
            return
        connections = sorted(self._connections, key=lambda item: not item.is_watching)
        if connections:
            connections[0].assign((*connections[0].folders, folder))
        else:
            self._start((folder,))
        self._publish()

    def remove(self, name: str) -> None:
        """Stop watching a folder. From now on, no mail is delivered and no mark is stored."""
        folder = self._folders.pop(name)
        folder.delivery.is_stopped = True
        for connection in list(self._connections):
            if folder in connection.folders:
                rest = tuple(item for item in connection.folders if item is not folder)
                if rest:
                    connection.assign(rest)
                else:
                    self._end(connection)
        self._publish()

    def set_text(self, name: str, size: int, *, links: bool = False) -> None:
        """Change how much text is delivered with mail. No message is lost or repeated."""
        folder = self._folders[name]
        folder.set_text(TextRequest(size, links))
        for connection in self._connections:
            if folder in connection.folders:
                connection.wake()

    def check_now(self) -> None:
        """Sync all folders now. A connection that is lost is opened again now."""
        for connection in self._connections:
            connection.check_now()

    @property
    def connections(self) -> int:
        """Return the number of connections that are logged in."""
        return sum(connection.is_logged_in for connection in self._connections)

    def lend(self, loan: Loan[Session]) -> bool:
        """Lend the session of a connection to an action; return False if there is none."""
        return any(connection.lend(loan) for connection in self._connections)

    def report(self, connection: ConnectionSupervisor, report: Report) -> None:
        """Process the report of a connection."""
        match report:
            case Watching():
                self._distribute()
            case Lost(is_unusable=True):
                self._release(connection, report)
                self._distribute()
            case Changed() | Lost():
                pass
        self._publish()

    def _start(self, folders: tuple[Folder, ...]) -> None:
        """Start another connection."""
        assert self._tasks is not None
        connection = ConnectionSupervisor(folders, self._context, self)
        name = f"imap_push {len(self._connections) + 1}"
        task = self._tasks.create_task(connection.run(), name=name)
        self._connections[connection] = task

    def _end(self, connection: ConnectionSupervisor) -> None:
        """End a connection; a session logs out."""
        self._connections.pop(connection).cancel()

    def _distribute(self) -> None:
        """Give folders that no push covers connections of their own, as far as allowed.

        A folder stays where it is until its new connection has logged in. It can be moved only
        while its connection waits, and not in the middle of a sync.
        """
        waiting = [
            connection
            for connection in self._connections
            if connection.state is ConnectionState.WATCHING
        ]
        spare = [
            connection for connection in self._connections if not connection.folders
        ]
        ready = [connection for connection in spare if connection in waiting]
        uncovered = [
            (connection, folder)
            for connection in waiting
            for folder in connection.folders
            if folder in connection.uncovered
        ]
        for new, (old, folder) in zip(ready, uncovered, strict=False):
            old.assign(tuple(item for item in old.folders if item is not folder))
            new.assign((folder,))
        # One at a time: a server that refuses it has told its limit.
        if not spare and uncovered and self._may_start:
            self._start(())
        for connection in ready[len(uncovered) :]:
            self._end(connection)
        self._keep_to_limit(waiting)

    @property
    def _may_start(self) -> bool:
        """Return whether a connection may be added now."""
        is_free = len(self._connections) < self._budget.for_watching
        # A connection must not wait for the login limiter.
        return self._tasks is not None and is_free and self._context.logins.spare > 0

    def _keep_to_limit(self, waiting: list[ConnectionSupervisor]) -> None:
        """End a connection that is one too many: actions need one, too."""
        if len(self._connections) <= self._budget.for_watching or len(waiting) < 2:
            return
        first, *_, last = waiting
        self._merge(last, first)

    def _merge(
        self, connection: ConnectionSupervisor, successor: ConnectionSupervisor
    ) -> None:
        """End a connection, and move its folders to another one."""
        folders = connection.folders
        connection.assign(())
        self._end(connection)
        successor.assign((*successor.folders, *folders))

    def _release(self, connection: ConnectionSupervisor, report: Lost) -> None:
        """Move all folders of a connection that does not work to one that is watching."""
        others = (item for item in self._connections if item is not connection)
        successor = next((item for item in others if item.is_watching), None)
        if successor is None:
            return
        # Another connection is logged in, so the password is not the problem.
        self._context.logins.reset()
        self._merge(connection, successor)
        count = len(self._connections)
        _LOGGER.info("The server allows %d connections: %s", count, report.error)
        self._budget.limit_to(count)

    def _publish(self) -> None:
        """Report the combined state of all folders and connections, if it has changed."""
        if self._tasks is None:
            return
        connections = self._connections
        states = {name: folder.state for name, folder in self._folders.items()}
        modes = {state.push_mode for state in states.values()}
        offered = {connection.capabilities for connection in connections}
        state = AccountState(
            connected=any(connection.is_connected for connection in connections),
            push_mode=next(
                (mode for mode in WORST_FIRST if mode in modes), PushMode.OFF
            ),
            connections=self.connections,
            # The same set object is kept while all connections have the same capabilities.
            capabilities=offered.pop()
            if len(offered) == 1
            else frozenset().union(*offered),
            folders=states,
            error=next(
                (item.error for item in connections if not item.is_connected), None
            ),
        )
        if state == self._state:
            return
        self._state = state
        try:
            self._listener.state_changed(state)
        except Exception:
            _LOGGER.exception("Error in the listener for states")
