"""Days of whatever can happen, in any order: each mail is told once, and in order."""

import asyncio
from collections.abc import Callable
import random

import pytest

from custom_components.imap_push.imap import WatchOptions

from ..light import HOUR, IDLE, MINUTE, NOTIFY, POLL, served
from ..virtual import VirtualLoop, run, watched

from tests.rig.light_folder import LightFolder
from tests.rig.light_server import LightServer

pytestmark = pytest.mark.once

FOLDERS = ("INBOX", "Work", "News")


class Fate:
    """Does one thing after the other to a server and the way to it; what is broken is mended."""

    def __init__(self, loop: VirtualLoop, server: LightServer, seed: int) -> None:
        """Let chance begin with this seed."""
        self._loop = loop
        self._server = server
        self._chance = random.Random(seed)
        self._removed: list[LightFolder] = []

    async def act(self, times: int) -> None:
        """Do so many things."""
        happenings: list[Callable[[str], object]] = [
            self._deliver,
            self._deliver,
            self._deliver,
            self._slip_in,
            self._read,
            self._hide,
            self._remove,
            self._break,
            self._darken,
            self._annoy,
        ]
        for _ in range(times):
            self._chance.choice(happenings)(self._chance.choice(FOLDERS))
            await asyncio.sleep(self._chance.choice((0, 0.01, 1, 10, MINUTE)))
            if self._chance.random() < 0.5:
                self.mend()

    def mend(self) -> None:
        """Make all well."""
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
            self._server.deliver(self._chance.choice((1, 1, 2, 5)), name)

    def _slip_in(self, name: str) -> None:
        if not self._removed:
            self._server.slip_in(1, name)

    def _read(self, name: str) -> None:
        if not self._removed and (last := self._server.folder(name).last):
            self._server.read(self._chance.randint(1, last), name)

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
        self._loop.limits = [self._chance.randrange(3000)]
        self._loop.ends_at_limit = self._chance.random() < 0.5
        server = self._server
        ends = (server.reset_all, server.close_all, server.dismiss_all, server.overflow)
        self._chance.choice(ends)()

    def _darken(self, _name: str) -> None:
        self._loop.is_blackhole = True
        self._loop.is_nameless = self._chance.random() < 0.5

    def _annoy(self, _name: str) -> None:
        habits = self._server.habits
        match self._chance.randrange(5):
            case 0:
                habits.limit = self._chance.choice((1, 2))
            case 1:
                habits.refuses_idle = True
            case 2:
                habits.refuses_notify = True
            case 3:
                habits.is_silent_in_idle = True
            case 4:
                habits.is_silent_in_notify = True


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("pipeline", [True, False], ids=["pipelined", "serial"])
@pytest.mark.parametrize(
    "capabilities", [NOTIFY, IDLE, POLL], ids=["notify", "idle", "poll"]
)
def test_whatever_happens(capabilities: bytes, pipeline: bool, seed: int) -> None:
    """See all mails told once and in order, and all folders watched in the end."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *FOLDERS, capabilities=capabilities)
        fate = Fate(loop, server, seed)
        options = WatchOptions(pipeline=pipeline)
        async with watched(dict.fromkeys(FOLDERS), options) as recorder:
            await asyncio.sleep(MINUTE)
            await fate.act(200)
            fate.mend()
            await asyncio.sleep(HOUR)
            for name in FOLDERS:
                server.deliver(1, name)
            await asyncio.sleep(6 * MINUTE)
            expected = {
                it: list(range(1, server.folder(it).last + 1)) for it in FOLDERS
            }
            assert recorder.told == expected
            assert all(it.available for it in recorder.state.folders.values())
            assert recorder.serial == recorder.refused == 0

    random.seed(seed)
    run(main)
