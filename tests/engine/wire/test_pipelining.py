"""Servers that do not support pipelining, and networks whose failures look the same."""

import asyncio
import random

import pytest

from ..light import HOUR, IDLE, MINUTE, NOTIFY, POLL, each, served
from ..virtual import VirtualLoop, run, watched

from tests.rig.light_client import Pipelining

TWO = ("INBOX", "Work")
EVERY_WAY = pytest.mark.parametrize(
    "capabilities", [NOTIFY, IDLE, POLL], ids=["notify", "idle", "poll"]
)


def sends_one_at_a_time(loop: VirtualLoop) -> bool:
    """Return whether each write had one line: a command, or DONE."""
    return all(write.count(b"\r\n") == 1 for write in loop.written)


@EVERY_WAY
@pytest.mark.parametrize(
    "habit",
    [Pipelining.ANSWERS_BAD, Pipelining.HANGS_UP, Pipelining.FALLS_SILENT],
    ids=lambda habit: habit.name,
)
def test_server_without_pipelining(habit: Pipelining, capabilities: bytes) -> None:
    """It gets one command at a time, and no mail is lost or repeated."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=capabilities, pipelining=habit)
        async with watched(dict.fromkeys(TWO)) as recorder:
            for minute in range(30):
                await asyncio.sleep(MINUTE)
                server.deliver(1, TWO[minute % 2])
            await asyncio.sleep(2 * MINUTE)
            assert recorder.state.connected
            # A failed additional connection is retried after an hour.
            await asyncio.sleep(2 * HOUR)
            logins = server.logins
            loop.written.clear()
            await asyncio.sleep(10 * HOUR)
            assert server.logins == logins
            server.deliver(1)
            server.deliver(1, "Work")
            await asyncio.sleep(MINUTE + 1)
            for name in TWO:
                uids = recorder.uids_by_folder[name]
                assert uids == list(range(uids[0], server.folder(name).last + 1))
            assert loop.written
            assert sends_one_at_a_time(loop)

    run(main)


@pytest.mark.parametrize("capabilities", [NOTIFY, IDLE], ids=["notify", "idle"])
def test_server_that_drops_commands_after_done(capabilities: bytes) -> None:
    """No mail is lost, and after a while the connections last."""

    async def main(loop: VirtualLoop) -> None:
        habit = Pipelining.FORGETS_AFTER_DONE
        server = served(loop, *TWO, capabilities=capabilities, pipelining=habit)
        async with watched(dict.fromkeys(TWO)) as recorder:
            for minute in range(60):
                await asyncio.sleep(MINUTE)
                server.deliver(1, TWO[minute % 2])
            await asyncio.sleep(10 * MINUTE)
            assert recorder.state.connected
            assert recorder.uids_by_folder == each(TWO, list(range(1, 31)))
            logins = server.logins
            loop.written.clear()
            await asyncio.sleep(10 * HOUR)
            assert server.logins == logins
            assert sends_one_at_a_time(loop)

    run(main)


@EVERY_WAY
@pytest.mark.parametrize("seed", range(5))
def test_unreliable_network_is_not_blamed_on_the_server(
    capabilities: bytes, seed: int
) -> None:
    """After an hour of random connection failures all mail is there, and pipelining is used."""
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
            assert recorder.state.connected
            expected = {
                name: list(range(1, server.folder(name).last + 1)) for name in TWO
            }
            assert recorder.uids_by_folder == expected
            # One session at most is serial after the last failure.
            server.close_all()
            loop.written.clear()
            await asyncio.sleep(10 * MINUTE)
            assert not sends_one_at_a_time(loop)
            assert recorder.uids_by_folder == expected

    random.seed(seed)
    run(main)
