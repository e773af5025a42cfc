"""Servers that do not support pipelining, and networks whose failures look the same."""

import asyncio
import random

from custom_components.imap_push.imap.wire.pipelining import (
    Pipelining as Detector,
    Write,
)
import pytest

from custom_components.imap_push.imap import WatchOptions

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
def test_server_without_pipelining_is_detected(
    habit: Pipelining, capabilities: bytes
) -> None:
    """The server is detected and reported one time, and no mail is lost or repeated."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=capabilities, pipelining=habit)
        async with watched(dict.fromkeys(TWO)) as recorder:
            for minute in range(30):
                await asyncio.sleep(MINUTE)
                server.deliver(1, TWO[minute % 2])
            await asyncio.sleep(2 * MINUTE)
            assert recorder.state.connected
            assert recorder.serial == 1
            # A failed additional connection is retried after an hour.
            await asyncio.sleep(2 * HOUR)
            logins = server.logins
            await asyncio.sleep(10 * HOUR)
            assert server.logins == logins
            server.deliver(1)
            server.deliver(1, "Work")
            await asyncio.sleep(MINUTE + 1)
            for name in TWO:
                uids = recorder.uids_by_folder[name]
                assert uids == list(range(uids[0], server.folder(name).last + 1))
            assert recorder.serial == 1

    run(main)


@pytest.mark.parametrize("capabilities", [NOTIFY, IDLE], ids=["notify", "idle"])
def test_server_that_drops_commands_after_done(capabilities: bytes) -> None:
    """The server is detected though all other pipelining works, and no mail is lost."""

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
            assert recorder.uids_by_folder == each(TWO, list(range(1, 31)))
            logins = server.logins
            await asyncio.sleep(10 * HOUR)
            assert server.logins == logins

    run(main)


@EVERY_WAY
def test_pipelining_turned_off(capabilities: bytes) -> None:
    """Commands are sent one at a time from the start, and all mail is reported."""

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
            assert recorder.uids_by_folder == {
                "INBOX": list(range(1, 21)),
                "Work": list(range(1, 11)),
            }
            assert all(write.count(b"\r\n") == 1 for write in loop.written)
            assert recorder.serial == 0
            assert len(loop.connected_at) == recorder.state.connections

    run(main)


@EVERY_WAY
@pytest.mark.parametrize("seed", range(5))
def test_unreliable_network_is_not_blamed_on_the_server(
    capabilities: bytes, seed: int
) -> None:
    """Random connection failures for an hour do not turn off pipelining, and no mail is lost."""
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
            expected = {
                name: list(range(1, server.folder(name).last + 1)) for name in TWO
            }
            assert recorder.uids_by_folder == expected

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
        "one at a time is tried",
        "only after failures in a row",
        "it works: may be chance",
        "twice",
        "three times: the server is the cause",
        "one at a time fails too: the network is the cause",
        "counters are reset",
        "a pipelined write of another connection does not count",
        "after success more failures are allowed",
        "and one at a time is tried again",
        "but not without a limit",
    ],
)
def test_failures_turn_off_pipelining(events: str, is_on: bool, blamed: int) -> None:
    """(f)ailed and (w)orking writes, in capitals one command at a time, decide about pipelining."""
    blames: list[bool] = []
    pipelining = Detector(on_blame=lambda: blames.append(True))
    for event in events:
        record = pipelining.failed if event in "fF" else pipelining.worked
        record(Write.PLAIN, is_serial=event.isupper())
    assert (pipelining.is_on, len(blames)) == (is_on, blamed)
