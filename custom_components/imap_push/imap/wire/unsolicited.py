"""Responses that belong to no command (RFC 3501 5.2, 7), queued until they are read."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Final

from ..limits import ReceiveBudget, ReceiveQuota
from .parser import Data

# Octets of memory for queued responses. If they need more, all of them are dropped, and a sync
# finds the mail.
MAX_WAITING: Final = 4 * 1024 * 1024


@dataclass(slots=True)
class Unsolicited:
    """The unsolicited responses since the last `take`.

    `changed`: the selected folder changed. `newest_removed`: perhaps its last message.
    `shrunk`: it lost messages without EXPUNGE. `mails`: FETCH responses with message data (NOTIFY,
    RFC 5465 5.2). `statuses`: STATUS responses.
    `overflowed`: the server lost notifications and sends no more of them (NOTIFICATIONOVERFLOW,
    RFC 5465 5.8). `dropped`: responses were dropped because of our own limit.
    """

    changed: bool = False
    newest_removed: bool = False
    shrunk: bool = False
    overflowed: bool = False
    dropped: bool = False
    mails: list[Data] = field(default_factory=list)
    statuses: list[Data] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Return True if there are any."""
        return self.changed or bool(self.mails or self.statuses)


class UnsolicitedQueue:
    """A bounded queue of unsolicited responses that wakes one waiting task."""

    def __init__(self, budget: ReceiveBudget | None = None) -> None:
        """Start empty; `budget` limits the memory of all connections of the account."""
        self._pending = Unsolicited()
        self._held = ReceiveQuota(budget or ReceiveBudget(), MAX_WAITING)
        self._exists = 0
        self._synced = 0
        self._waiter: asyncio.Future[None] | None = None

    def put(self, data: Data) -> None:
        """Add one untagged response that belongs to no command."""
        pending = self._pending
        match data.name:
            case "STATUS":
                self._keep(data, pending.statuses)
            case "EXISTS":
                exists = data.number or 0
                if exists == self._exists:
                    return  # Some servers repeat it whenever IDLE begins.
                pending.changed = True
                pending.shrunk |= exists < self._exists
                self._exists, self._synced = exists, min(self._synced, exists)
            case "EXPUNGE":
                pending.changed = True
                self._expunge(data.number or 0)
            case "FETCH":
                pending.changed = True
                # FETCH responses without message data only report changed flags.
                if data.cut or b"BODY[" in data.parts[0]:
                    self._keep(data, pending.mails)
            case "VANISHED":
                pending.changed = pending.newest_removed = True
            case _:
                return
        self.wake()

    @property
    def exists(self) -> int:
        """Return the number of messages in the selected folder (RFC 3501 7.3.1)."""
        return self._exists

    @property
    def growth(self) -> int:
        """Return how many messages are in the selected folder that no sync has covered."""
        return self._exists - self._synced

    @property
    def synced(self) -> int:
        """Return how many messages of the selected folder are below the mark."""
        return self._synced

    def set_exists(self, exists: int) -> None:
        """Set the number of messages in a folder that is being selected."""
        self._exists = self._synced = exists

    def set_synced(self, count: int | None) -> None:
        """Set how many messages of the selected folder are below the mark; None: all of them."""
        self._synced = self._exists if count is None else min(count, self._exists)

    def _expunge(self, number: int) -> None:
        """Remove the message with this sequence number (RFC 3501 7.4.1)."""
        self._pending.newest_removed |= number >= self._exists
        self._synced -= number <= self._synced
        self._exists = max(0, self._exists - 1)

    def discard_mails(self) -> None:
        """Drop the mails of a folder that is no longer selected.

        FETCH responses do not name their folder, so they would count as mails of the next one.
        """
        self._pending.mails.clear()

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
