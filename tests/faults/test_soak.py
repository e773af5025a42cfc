"""Many mails and reconnects in one process leave no memory, task, socket or timer."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
import gc
import itertools
import logging
import os
from pathlib import Path
import sys
from typing import Any, Final, Self

import pytest

from custom_components.imap_push.imap import (
    Account,
    AccountState,
    AccountWatcher,
    Arrival,
    Mark,
    Security,
    WatchedFolder,
    WatchOptions,
)
from custom_components.imap_push.imap.auth import login_limiter
from custom_components.imap_push.imap.auth.login_limiter import Backoff
from custom_components.imap_push.imap.watch import delivery, wait_strategy

from tests.rig.light_server import LightServer
from tests.rig.ports import LOOPBACK

pytestmark = pytest.mark.usefixtures("socket_enabled", "no_pauses", "no_logging")

MAILS: Final = 20_000
RECONNECTS: Final = 1_000
WARM_UP: Final = 100  # reconnects, with their mails
MAX_GROWTH: Final = 5_000_000  # octets
# Memory blocks: far fewer than one per mail, or than a few per reconnect.
MAX_BLOCKS_GROWTH: Final = 2_000
WAIT_SECONDS: Final = 10.0
CHECK_SECONDS: Final = 0.001


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the pauses between reconnects and the limit for a burst of mail.

    The connection always ends early: that is no reason to give up IDLE.
    """
    monkeypatch.setattr(wait_strategy, "MAX_FAILURES", 2 * RECONNECTS)
    monkeypatch.setattr(delivery, "MAX_BURST", MAILS)
    monkeypatch.setattr(login_limiter, "LOGIN_INTERVAL_SECONDS", 0.001)
    monkeypatch.setattr(Backoff, "delay", lambda *_: 0.0)


@pytest.fixture
def no_logging() -> Iterator[None]:
    """Disable logging, because pytest would keep every line in memory."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


class Counter:
    """A listener that counts mails and does not keep them."""

    def __init__(self) -> None:
        """Start at zero."""
        self.delivered = 0
        self.wrong = 0

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until a condition holds."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not condition():
                await asyncio.sleep(CHECK_SECONDS)

    def state_changed(self, state: AccountState) -> None:
        """Ignore it."""

    async def mail_arrived(self, arrival: Arrival) -> None:
        """Count; on this server the UID of the n-th mail is n."""
        self.delivered += 1
        self.wrong += arrival.mail.uid != self.delivered

    def mark_moved(self, folder: str, mark: Mark) -> None:
        """Ignore it."""

    def login_refused(self) -> None:
        """Count it as wrong."""
        self.wrong += 1

    def alerted(self, text: str) -> None:
        """Count it as wrong."""
        self.wrong += 1


async def test_twenty_thousand_mails_and_a_thousand_reconnects_leave_nothing_behind(
    record_property: Callable[[str, object], None],
) -> None:
    """Memory does not grow after the warm-up; at the end no task, socket or timer is left."""
    before = _Leftovers.now()
    counter = Counter()
    async with LightServer() as server:
        task = asyncio.create_task(_watcher(server, counter).run())
        try:
            await counter.until(lambda: server.is_watched)
            await _soak(server, counter, WARM_UP)
            warm = _Memory.now()
            await _soak(server, counter, RECONNECTS - WARM_UP)
            worn = _Memory.now()
        finally:
            task.cancel()
            await asyncio.wait([task])
        await counter.until(lambda: not server.connections)

    record_property("mails", counter.delivered)
    record_property("logins", server.logins)
    record_property("octets more", worn.octets - warm.octets)
    record_property("blocks more", worn.blocks - warm.blocks)
    assert (counter.delivered, counter.wrong) == (MAILS, 0)
    assert server.logins > RECONNECTS
    assert worn.octets - warm.octets < MAX_GROWTH
    assert worn.blocks - warm.blocks < MAX_BLOCKS_GROWTH
    assert _Leftovers.now() == before


def _watcher(server: LightServer, listener: Counter) -> AccountWatcher:
    """Return a watcher of the server's only folder."""
    account = Account(
        host=LOOPBACK,
        port=server.port,
        username="user",
        password="secret",
        security=Security.NONE,
    )
    return AccountWatcher(account, {"INBOX": WatchedFolder()}, WatchOptions(), listener)


async def _soak(server: LightServer, counter: Counter, reconnects: int) -> None:
    """Break the connection; half of the mail arrives before, half while it is down."""
    half = MAILS // RECONNECTS // 2
    ends = itertools.cycle((server.reset_all, server.close_all, server.dismiss_all))
    for end, _ in zip(ends, range(reconnects), strict=False):
        server.deliver(half)
        await counter.until(lambda: counter.delivered == server.exists)
        end()
        server.deliver(half)
        await counter.until(lambda: counter.delivered == server.exists)


@dataclass(frozen=True)
class _Memory:
    """Memory of this process after garbage collection."""

    octets: int
    blocks: int

    @classmethod
    def now(cls) -> Self:
        """Measure without tracemalloc, which would take a minute and a half."""
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return cls(pages * os.sysconf("SC_PAGE_SIZE"), sys.getallocatedblocks())


@dataclass(frozen=True)
class _Leftovers:
    """Resources that a watcher could leave open."""

    tasks: int
    timers: int
    open_files: int  # sockets are files

    @classmethod
    def now(cls) -> Self:
        """Count them; cancelled timers do not count."""
        gc.collect()
        loop: Any = asyncio.get_running_loop()
        return cls(
            tasks=len(asyncio.all_tasks()),
            timers=sum(not timer.cancelled() for timer in loop._scheduled),
            open_files=len(list(Path("/dev/fd").iterdir())),
        )
