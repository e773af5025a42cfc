"""Watches the folders of one account, with push for all, on as few connections as possible."""

import asyncio
from collections.abc import Mapping
import logging

from ..auth.login_limiter import LoginLimiter
from ..errors import ImapError
from ..limits import MAX_WATCHING, Loan
from ..mime.preview import TextRequest
from ..models import Account, AccountState, PushMode, Statistics, WatchOptions
from ..session.session import Session
from .context import Context, Listener, WatchedFolder
from .folder import Folder
from .supervisor import ConnectionState, ConnectionSupervisor, Report
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
        folder.delivery.stop()
        for connection in list(self._connections):
            if folder in connection.folders:
                rest = tuple(item for item in connection.folders if item is not folder)
                if rest:
                    connection.assign(rest)
                else:
                    self._connections.pop(connection).cancel()
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
        if report.unusable is not None:
            self._release(connection, report.unusable)
        if report.unusable is not None or report.is_synced:
            self._distribute()
        self._publish()

    def _start(self, folders: tuple[Folder, ...]) -> None:
        """Start another connection."""
        assert self._tasks is not None
        connection = ConnectionSupervisor(folders, self._context, self)
        name = f"imap_push {len(self._connections) + 1}"
        task = self._tasks.create_task(connection.run(), name=name)
        self._connections[connection] = task

    def _distribute(self) -> None:
        """Give folders that no push covers connections of their own, as far as allowed.

        A folder stays where it is until its new connection has logged in. It can be moved only
        while its connection waits, and not in the middle of a sync.
        """
        if self._tasks is None:
            return
        watching = ConnectionState.WATCHING
        waiting = [item for item in self._connections if item.state is watching]
        spare = [item for item in self._connections if not item.folders]
        ready = [item for item in spare if item in waiting]
        uncovered = [
            (item, folder)
            for item in waiting
            for folder in item.folders
            if folder in item.uncovered
        ]
        for new, (old, folder) in zip(ready, uncovered, strict=False):
            old.assign(tuple(item for item in old.folders if item is not folder))
            new.assign((folder,))
        # A connection must not wait for the login limiter.
        limit, may_log_in = self._budget.for_watching, self._context.logins.spare > 0
        # One at a time: a server that refuses it has told its limit.
        if uncovered and not spare and may_log_in and len(self._connections) < limit:
            self._start(())
        if ready and not any(item.folders for item in waiting):
            # Some servers end the oldest session when there are too many.
            self._budget.limit_to(len(self._connections) - 1)
        for connection in ready[len(uncovered) :]:
            self._connections.pop(connection).cancel()
        # Actions need a connection, too.
        if len(self._connections) > limit and len(waiting) > 1:
            self._merge(waiting[-1], waiting[0])

    def _merge(self, old: ConnectionSupervisor, new: ConnectionSupervisor) -> None:
        """End a connection, and move its folders to another one."""
        folders = old.folders
        old.assign(())
        self._connections.pop(old).cancel()
        new.assign((*new.folders, *folders))

    def _release(self, connection: ConnectionSupervisor, error: ImapError) -> None:
        """Move all folders of a connection that does not work to one that is watching."""
        others = (item for item in self._connections if item is not connection)
        successor = next((item for item in others if item.is_watching), None)
        if successor is None:
            return
        # Another connection is logged in, so the password is not the problem.
        self._context.logins.reset()
        self._merge(connection, successor)
        count = len(self._connections)
        _LOGGER.info("The server allows %d connections: %s", count, error)
        self._budget.limit_to(count)

    def _publish(self) -> None:
        """Report the combined state of all folders and connections, if it has changed."""
        if self._tasks is None:
            return
        connections = self._connections
        states = {name: folder.state for name, folder in self._folders.items()}
        modes = {state.push_mode for state in states.values()}
        offered = {connection.capabilities for connection in connections}
        errors = (item.error for item in connections if not item.is_connected)
        state = AccountState(
            connected=any(connection.is_connected for connection in connections),
            push_mode=next(filter(modes.__contains__, WORST_FIRST), PushMode.OFF),
            connections=sum(connection.is_logged_in for connection in connections),
            # Usually all have the same capabilities, and then also share the set.
            capabilities=offered.pop()
            if len(offered) == 1
            else frozenset().union(*offered),
            folders=states,
            error=next(errors, None),
        )
        if state == self._state:
            return
        self._state = state
        try:
            self._listener.state_changed(state)
        except Exception:
            _LOGGER.exception("Error in the listener for states")
