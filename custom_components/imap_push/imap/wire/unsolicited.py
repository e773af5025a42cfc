"""Unsolicited responses (RFC 3501 5.2, 7), queued until they are read."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Final

from ..limits import ReceiveBudget, ReceiveQuota
from .parser import Data
from .receiver import Change, FolderStatus, SelectedFolder

# Octets of memory for queued responses. If they need more, all of them are dropped, and a sync
# finds the mail.
MAX_WAITING: Final = 4 * 1024 * 1024


@dataclass(slots=True)
class Unsolicited:
    """The unsolicited responses since the last `take`.

    `folder` changed, None if no folder did that is still selected. `newest_removed`: perhaps its
    last message. `shrunk`: it lost messages without EXPUNGE. `mails`: FETCH responses with message
    data of it. `statuses`: STATUS responses. `changed`: a sync is needed. `overflowed`: the server
    lost notifications and sends no more of them (NOTIFICATIONOVERFLOW, RFC 5465 5.8). `dropped`:
    responses were dropped because of our own limit.
    """

    folder: SelectedFolder | None = None
    changed: bool = False
    newest_removed: bool = False
    shrunk: bool = False
    overflowed: bool = False
    dropped: bool = False
    mails: list[Data] = field(default_factory=list)
    statuses: list[Data] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Return True if there are any."""
        return self.changed or bool(self.statuses)


class UnsolicitedQueue:
    """A bounded queue of unsolicited responses that wakes one waiting task."""

    def __init__(self, budget: ReceiveBudget | None = None) -> None:
        """Start empty; `budget` limits the memory of all connections of the account."""
        self._pending = Unsolicited()
        self._held = ReceiveQuota(budget or ReceiveBudget(), MAX_WAITING)
        self._waiter: asyncio.Future[None] | None = None

    def put(self, event: Change | FolderStatus) -> None:
        """Add one event."""
        if isinstance(event, FolderStatus):
            self._keep(event.data, self._pending.statuses)
        else:
            self.select(event.folder)
            pending = self._pending
            pending.folder, pending.changed = event.folder, True
            pending.newest_removed |= event.newest_removed
            pending.shrunk |= event.shrunk
            if event.mail is not None:
                self._keep(event.mail, pending.mails)
        self.wake()

    def select(self, folder: SelectedFolder) -> None:
        """Forget what changed in the folder that was selected before this one.

        The folder itself still counts as changed, so that a sync follows.
        """
        pending = self._pending
        if pending.folder is not None and pending.folder is not folder:
            pending.folder = None
            pending.newest_removed = pending.shrunk = False
            pending.mails.clear()

    def overflow(self) -> None:
        """Record NOTIFICATIONOVERFLOW: the server lost notifications (RFC 5465 5.8)."""
        self._pending = Unsolicited(changed=True, overflowed=True)
        self._held.release()
        self.wake()

    def close(self) -> None:
        """Release the memory and accept no more data: the connection has ended."""
        self._held.close()

    def take(self) -> Unsolicited:
        """Return all responses since the last call, and empty the queue."""
        taken, self._pending = self._pending, Unsolicited()
        self._held.release()
        return taken

    async def wait(self, seconds: float) -> None:
        """Wait for a response, for `wake`, or until the time is over."""
        if self._pending:
            return
        self._waiter = asyncio.get_running_loop().create_future()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._waiter

    def wake(self) -> None:
        """End `wait` now."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _keep(self, data: Data, kept: list[Data]) -> None:
        if self._held.acquire(data.memory):
            kept.append(data)
        else:
            overflowed = self._pending.overflowed
            self._pending = Unsolicited(
                changed=True, overflowed=overflowed, dropped=True
            )
            self._held.release()
