"""What a server tells unasked, kept until somebody takes it."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Final

from ..limits import ReceiveBudget, ReceiveQuota
from .parser import Data

# Octets of memory for pushed mail that waits; more is dropped, and a sweep finds it again.
MAX_WAITING: Final = 4 * 1024 * 1024


@dataclass(slots=True)
class Unsolicited:
    """What the server told unasked since the last `take`.

    `changed`: the open folder changed. `grown`: so many messages more than before. `mails`:
    FETCH responses that bring a whole mail (NOTIFY, RFC 5465 5.2). `statuses`: STATUS
    responses. `overflowed`: there was more than the server is ready to hold, and it tells of
    nothing more (RFC 5465 5.8). `dropped`: there was more than we are ready to hold.
    """

    changed: bool = False
    grown: int = 0
    overflowed: bool = False
    dropped: bool = False
    mails: list[Data] = field(default_factory=list)
    statuses: list[Data] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Return if there are any."""
        return self.changed or bool(self.mails or self.statuses)


class UnsolicitedQueue:
    """Takes news in as they come; whoever waits for them is woken."""

    def __init__(self, budget: ReceiveBudget | None = None) -> None:
        """Start without news; `budget` is what the account's connections may hold together."""
        self._news = Unsolicited()
        self._waiting = ReceiveQuota(budget or ReceiveBudget(), MAX_WAITING)
        self._exists = 0
        self._waiter: asyncio.Future[None] | None = None

    def put(self, data: Data) -> None:
        """Take one untagged response that belongs to no command."""
        news = self._news
        match data.name:
            case "STATUS":
                self._keep(data, news.statuses)
            case "EXISTS":
                news.changed = True
                news.grown += max(0, (data.number or 0) - self._exists)
                self.opened(data.number or 0)
            case "EXPUNGE":
                news.changed = True
                self._exists -= 1
            case "FETCH":
                news.changed = True
                # All others tell of changed flags only.
                if data.cut or b"BODY[" in data.parts[0]:
                    self._keep(data, news.mails)
            case "VANISHED":
                news.changed = True
            case _:
                return
        self.wake()

    @property
    def exists(self) -> int:
        """Return how many messages the folder has that is open now, as far as it was told."""
        return self._exists

    def opened(self, exists: int) -> None:
        """Take how many messages the folder has that is open now."""
        self._exists = exists

    def left(self) -> None:
        """Forget mail of the folder that was open until now: it must not pass for another's."""
        self._news.mails.clear()

    def overflow(self) -> None:
        """Note that the server has lost news, and will tell of no more (RFC 5465 5.8)."""
        self._news = Unsolicited(changed=True, overflowed=True)
        self._waiting.release()
        self.wake()

    def close(self) -> None:
        """Count what waits as used, and keep nothing more: the connection has ended."""
        self._waiting.close()

    def take(self) -> Unsolicited:
        """Return the news and start anew."""
        news, self._news = self._news, Unsolicited()
        self._waiting.release()
        return news

    async def wait(self, seconds: float) -> None:
        """Wait for news, for `wake`, or until the time is over."""
        if self._news:
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
        if self._waiting.acquire(data.memory):
            kept.append(data)
        else:
            overflowed = self._news.overflowed
            self._news = Unsolicited(changed=True, overflowed=overflowed, dropped=True)
            self._waiting.release()
