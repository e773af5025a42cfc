"""Days of random events in virtual time. Each message is delivered in order and without duplicates."""

import asyncio
from collections.abc import Callable
import random

import pytest

from ..light import HOUR, IDLE, MINUTE, NOTIFY, POLL, served
from ..virtual import VirtualLoop, run, watched

from tests.rig.light_client import Pipelining
from tests.rig.light_folder import LightFolder
from tests.rig.light_server import LightServer

pytestmark = pytest.mark.once

FOLDERS = ("INBOX", "Work", "News")


class RandomEvents:
    """Causes random events on a server and on the network, and repairs them from time to time."""

    def __init__(self, loop: VirtualLoop, server: LightServer, seed: int) -> None:
        """Use this seed."""
        self._loop = loop
        self._server = server
        self._random = random.Random(seed)
        self._removed: list[LightFolder] = []

    async def act(self, times: int) -> None:
        """Cause so many events."""
        actions: list[Callable[[str], object]] = [
            self._deliver,
            self._deliver,
            self._deliver,
            self._slip_in,
            self._read,
            self._hide,
            self._remove,
            self._break,
            self._disconnect_network,
            self._change_habits,
        ]
        for _ in range(times):
            self._random.choice(actions)(self._random.choice(FOLDERS))
            await asyncio.sleep(self._random.choice((0, 0.01, 1, 10, MINUTE)))
            if self._random.random() < 0.5:
                self.repair()

    def repair(self) -> None:
        """End all faults."""
        self._loop.is_blackhole = self._loop.is_nameless = False
        self._loop.limits = []
        while self._removed:
            self._server.restore(self._removed.pop())
        for name in FOLDERS:
            self._server.folder(name).hidden.clear()
        habits = self._server.habits
        habits.limit = None
        habits.refuses_idle = habits.refuses_notify = False
        habits.is_silent_in_idle = habits.is_silent_in_notify = False

    def _deliver(self, name: str) -> None:
        if not self._removed:
            self._server.deliver(self._random.choice((1, 1, 2, 5)), name)

    def _slip_in(self, name: str) -> None:
        if not self._removed:
            self._server.slip_in(1, name)

    def _read(self, name: str) -> None:
        if not self._removed and (last := self._server.folder(name).last):
            self._server.read(self._random.randint(1, last), name)

    def _hide(self, name: str) -> None:
        if not self._removed:
            folder = self._server.folder(name)
            folder.hidden.add(folder.last + 1)
            self._server.deliver(2, name)
            self._loop.call_later(1, folder.hidden.clear)

    def _remove(self, name: str) -> None:
        if not self._removed:
            self._removed.append(self._server.remove(name))

    def _break(self, _name: str) -> None:
        self._loop.limits = [self._random.randrange(3000)]
        self._loop.ends_at_limit = self._random.random() < 0.5
        server = self._server
        ends = (server.reset_all, server.close_all, server.dismiss_all, server.overflow)
        self._random.choice(ends)()

    def _disconnect_network(self, _name: str) -> None:
        self._loop.is_blackhole = True
        self._loop.is_nameless = self._random.random() < 0.5

    def _change_habits(self, _name: str) -> None:
        habits = self._server.habits
        match self._random.randrange(5):
            case 0:
                habits.limit = self._random.choice((1, 2))
            case 1:
                habits.refuses_idle = True
            case 2:
                habits.refuses_notify = True
            case 3:
                habits.is_silent_in_idle = True
            case 4:
                habits.is_silent_in_notify = True


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    "pipelining",
    [Pipelining.SUPPORTED, Pipelining.ANSWERS_BAD],
    ids=["pipelined", "serial"],
)
@pytest.mark.parametrize(
    "capabilities", [NOTIFY, IDLE, POLL], ids=["notify", "idle", "poll"]
)
def test_random_events(capabilities: bytes, pipelining: Pipelining, seed: int) -> None:
    """All messages are delivered in order and without duplicates, and at the end all folders are watched."""

    async def main(loop: VirtualLoop) -> None:
        server = served(
            loop, *FOLDERS, capabilities=capabilities, pipelining=pipelining
        )
        events = RandomEvents(loop, server, seed)
        async with watched(dict.fromkeys(FOLDERS)) as recorder:
            await asyncio.sleep(MINUTE)
            await events.act(200)
            events.repair()
            await asyncio.sleep(HOUR)
            for name in FOLDERS:
                server.deliver(1, name)
            await asyncio.sleep(6 * MINUTE)
            expected = {
                name: list(range(1, server.folder(name).last + 1)) for name in FOLDERS
            }
            assert recorder.uids_by_folder == expected
            assert all(state.available for state in recorder.state.folders.values())
            assert recorder.refused == 0

    random.seed(seed)
    run(main)
