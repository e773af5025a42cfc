"""Servers that do not stand several commands in one write, and networks that look like it."""

import asyncio
import random

import pytest

from custom_components.imap_push.imap import WatchOptions
from custom_components.imap_push.imap.wire.pipelining import Pipelining as Belief, Write

from ..light import HOUR, IDLE, MINUTE, NOTIFY, POLL, each, served
from ..virtual import VirtualLoop, run, watched

from tests.rig.light_client import Pipelining

TWO = ("INBOX", "Work")
EVERY_WAY = pytest.mark.parametrize(
    "capabilities", [NOTIFY, IDLE, POLL], ids=["notify", "idle", "poll"]
)


@EVERY_WAY
@pytest.mark.parametrize(
    "habit",
    [Pipelining.ANSWERS_BAD, Pipelining.HANGS_UP, Pipelining.FALLS_SILENT],
    ids=lambda habit: habit.name,
)
def test_server_that_does_not_stand_it(habit: Pipelining, capabilities: bytes) -> None:
    """See it found out, told once, and no mail lost meanwhile or repeated later."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=capabilities, pipelining=habit)
        async with watched(dict.fromkeys(TWO)) as recorder:
            for minute in range(30):
                await asyncio.sleep(MINUTE)
                server.deliver(1, TWO[minute % 2])
            await asyncio.sleep(2 * MINUTE)
            assert recorder.state.connected
            assert recorder.serial == 1
            # A connection of its own that did not come about is tried again after an hour.
            await asyncio.sleep(2 * HOUR)
            logins = server.logins
            await asyncio.sleep(10 * HOUR)
            assert server.logins == logins
            server.deliver(1)
            server.deliver(1, "Work")
            await asyncio.sleep(MINUTE + 1)
            for name in TWO:
                uids = recorder.told[name]
                assert uids == list(range(uids[0], server.folder(name).last + 1))
            assert recorder.serial == 1

    run(main)


@pytest.mark.parametrize("capabilities", [NOTIFY, IDLE], ids=["notify", "idle"])
def test_server_that_forgets_what_comes_behind_done(capabilities: bytes) -> None:
    """See it found out though it stands all other writes, and no mail lost."""

    async def main(loop: VirtualLoop) -> None:
        habit = Pipelining.FORGETS_AFTER_DONE
        server = served(loop, *TWO, capabilities=capabilities, pipelining=habit)
        async with watched(dict.fromkeys(TWO)) as recorder:
            for minute in range(60):
                await asyncio.sleep(MINUTE)
                server.deliver(1, TWO[minute % 2])
            await asyncio.sleep(10 * MINUTE)
            assert recorder.serial == 1
            assert recorder.state.connected
            assert recorder.told == each(TWO, list(range(1, 31)))
            logins = server.logins
            await asyncio.sleep(10 * HOUR)
            assert server.logins == logins

    run(main)


@EVERY_WAY
def test_server_that_is_known_not_to_stand_it(capabilities: bytes) -> None:
    """See commands sent one by one from the beginning, and every mail told."""

    async def main(loop: VirtualLoop) -> None:
        habit = Pipelining.ANSWERS_BAD
        server = served(loop, *TWO, capabilities=capabilities, pipelining=habit)
        options = WatchOptions(pipeline=False)
        async with watched(dict.fromkeys(TWO), options) as recorder:
            await asyncio.sleep(MINUTE)
            for _ in range(10):
                server.deliver(2)
                server.deliver(1, "Work")
                await asyncio.sleep(MINUTE + 1)
            assert recorder.told == {
                "INBOX": list(range(1, 21)),
                "Work": list(range(1, 11)),
            }
            assert all(write.count(b"\r\n") == 1 for write in loop.written)
            assert recorder.serial == 0
            assert len(loop.connected_at) == recorder.state.connections

    run(main)


@EVERY_WAY
@pytest.mark.parametrize("seed", range(5))
def test_network_that_breaks_all_the_time(capabilities: bytes, seed: int) -> None:
    """See nobody blamed where connections are cut at random for an hour, and no mail lost."""
    chance = random.Random(seed)

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=capabilities)
        async with watched(dict.fromkeys(TWO)) as recorder:
            await asyncio.sleep(1)
            end = loop.time() + HOUR
            while loop.time() < end:
                loop.limits = [chance.randrange(2000)]
                loop.ends_at_limit = chance.random() < 0.7
                await asyncio.sleep(chance.expovariate(1 / 20))
                server.deliver(chance.randrange(3), chance.choice(TWO))
                if chance.random() < 0.3:
                    chance.choice((server.reset_all, server.close_all))()
            loop.limits = []
            await asyncio.sleep(10 * MINUTE)
            assert recorder.serial == 0
            assert recorder.state.connected
            expected = {it: list(range(1, server.folder(it).last + 1)) for it in TWO}
            assert recorder.told == expected

    random.seed(seed)
    run(main)


@pytest.mark.parametrize(
    ("events", "is_on", "blamed"),
    [
        ("fff", False, 0),
        ("ffwff", True, 0),
        ("fffW", True, 0),
        ("fffWfW", True, 0),
        ("fffWfWfW", False, 1),
        ("fffF", True, 0),
        ("fffWfFff", True, 0),
        ("fffw", False, 0),
        ("wfffff", True, 0),
        ("w" + 20 * "f" + "W", True, 0),
        ("w" + 20 * "f", False, 0),
    ],
    ids=[
        "one by one is tried",
        "only after failures in a row, without one that worked",
        "it works: may be luck",
        "twice",
        "three times: the server is to blame",
        "one by one fails as well: it was the network",
        "and all begins anew",
        "another connection's write says nothing of one by one",
        "what was proven is trusted longer",
        "and tried again",
        "though not for ever",
    ],
)
def test_what_is_learnt(events: str, is_on: bool, blamed: int) -> None:
    """See f(ailures) and w(orking) writes, one by one in capitals, lead to a verdict."""
    blames: list[bool] = []
    pipelining = Belief(on_blame=lambda: blames.append(True))
    for event in events:
        learn = pipelining.failed if event in "fF" else pipelining.worked
        learn(Write.PLAIN, is_serial=event.isupper())
    assert (pipelining.is_on, len(blames)) == (is_on, blamed)
