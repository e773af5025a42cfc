"""Waiting with IDLE (RFC 2177): refresh, silence, refusals, storms of changes."""

import asyncio

import pytest

from custom_components.imap_push.imap import PushMode

from ..light import HOUR, IDLE, MINUTE, NOTIFY, served
from ..scripted import Peer
from ..virtual import VirtualLoop, run, watched
from .support import NEW, POLLED, PUSH_MODES, THREE, watched_inbox

from tests.rig.light_server import LightServer


def count_requests(server: LightServer) -> int:
    """Return how often the number of unread messages was requested."""
    return server.asked[b"UID SEARCH"] + server.asked[b"STATUS"]


def test_refresh_finds_what_was_not_announced() -> None:
    """IDLE is refreshed within five minutes, with a sync in the same write."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, capabilities=IDLE)
        async with watched({"INBOX": None}) as recorder:
            await asyncio.sleep(MINUTE)
            server.slip_in(1)
            await asyncio.sleep(5 * MINUTE)
            assert recorder.uids == [1]

    run(main)


def test_silent_idle_is_replaced_by_polling() -> None:
    """The state reports it, and IDLE is tried again after an hour."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, capabilities=IDLE, is_silent_in_idle=True)
        async with watched({"INBOX": None}) as recorder:
            await asyncio.sleep(MINUTE)
            for _ in range(20):
                server.slip_in(1)
                await asyncio.sleep(5 * MINUTE)
                if recorder.state.push_mode is PushMode.POLL:
                    break
            assert len(recorder.uids) == 3
            assert recorder.state.folders["INBOX"].push_is_silent
            server.slip_in(1)
            await asyncio.sleep(MINUTE)
            assert recorder.uids == [1, 2, 3, 4]
            modes = [recorder.state.push_mode]
            await asyncio.sleep(HOUR)
            modes.append(recorder.state.push_mode)
            assert modes == [PushMode.POLL, PushMode.IDLE]
            assert not recorder.state.folders["INBOX"].push_is_silent

    run(main)


def test_refused_idle_is_replaced_by_polling() -> None:
    """The server announces IDLE and refuses the command."""

    async def refusing(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_next=1)
        await peer.sync()
        await peer.answer("IDLE", ok=b"NO not for you")
        while True:
            await peer.examine(uid_next=1)
            await peer.sync()

    async def main(loop: VirtualLoop) -> None:
        loop.after_last = refusing
        async with watched_inbox() as recorder:
            await asyncio.sleep(10 * MINUTE)
            assert recorder.states[-1].push_mode is PushMode.POLL
            assert len(loop.connected_at) == 1

    run(main)


@PUSH_MODES
def test_server_that_ends_idle_immediately(capabilities: bytes) -> None:
    """IDLE is tried three times an hour, and mail is found by polling."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, capabilities=capabilities)

        def end(line: bytes) -> list[bytes] | None:
            tag, _, command = line.partition(b" ")
            return [b"+ idling", tag + b" OK over"] if command == b"IDLE" else None

        server.habits.twist = end
        async with watched({"INBOX": None}) as recorder:
            await asyncio.sleep(10)
            tries = 3 if capabilities is IDLE else 6
            assert server.asked[b"IDLE"] == tries
            assert recorder.state.push_mode is PushMode.POLL
            assert recorder.state.folders["INBOX"].push_is_silent
            server.deliver(1)
            await asyncio.sleep(POLLED)
            assert recorder.uids == [1]
            await asyncio.sleep(HOUR)
            assert server.asked[b"IDLE"] <= 2 * tries
            assert server.asked[b"EXAMINE"] < 70
            server.habits.twist = None
            await asyncio.sleep(HOUR + MINUTE)
            server.deliver(1)
            await asyncio.sleep(0.1)
            assert recorder.uids == [1, 2]

    run(main)


@PUSH_MODES
@pytest.mark.parametrize("storm", ["read", "expunge"])
def test_storm_of_changes(capabilities: bytes, storm: str) -> None:
    """At most two counts per second; new mail is delivered immediately; the last count is right."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, capabilities=capabilities)
        server.slip_in(5000)
        async with watched({"INBOX": None}) as recorder:
            await asyncio.sleep(MINUTE)
            before, began = count_requests(server), loop.time()
            for uid in range(1, 5001):
                getattr(server, storm)(uid)
                await asyncio.sleep(0.004)
                if uid % 500 == 0:
                    server.deliver(1)
                    await asyncio.sleep(0.001)
                    assert recorder.uids[-1] == server.folder().last
            # One count for each new message is expected.
            asked = count_requests(server) - before - len(recorder.uids)
            assert asked <= 2 * (loop.time() - began) + 1
            await asyncio.sleep(2)
            assert recorder.state.folders["INBOX"].unread == 10
            assert recorder.uids == list(range(5001, 5011))
            assert len(loop.connected_at) == 1

    run(main)


@PUSH_MODES
def test_storm_of_changes_in_an_unselected_folder(capabilities: bytes) -> None:
    """The folder is not selected, and its number of unread messages is right."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, "INBOX", "Work", capabilities=capabilities, limit=1)
        server.slip_in(1000, "Work")
        async with watched({"INBOX": None, "Work": None}) as recorder:
            await asyncio.sleep(2 * MINUTE)
            opened = server.asked[b"EXAMINE"]
            for uid in range(1, 1001):
                server.read(uid, "Work")
                await asyncio.sleep(0.01)
            await asyncio.sleep(MINUTE)
            assert server.asked[b"EXAMINE"] == opened
            assert recorder.state.folders["Work"].unread == 0

    run(main)


@pytest.mark.parametrize(
    ("seconds", "is_silent"), [(1.0, False), (3.0, True)], ids=["no time", "time"]
)
def test_short_wait_does_not_count_as_silence(seconds: float, is_silent: bool) -> None:
    """Push stays in use although syncs for other folders find the mail first."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *THREE, capabilities=NOTIFY, is_silent_in_notify=True)
        async with watched(dict.fromkeys(THREE)) as recorder:
            await asyncio.sleep(MINUTE)
            for name in ("Work", "News") * 3:
                server.deliver(1)
                await asyncio.sleep(seconds)
                recorder.watcher.remove(name)
                await asyncio.sleep(0.1)
                recorder.watcher.add(name, NEW)
                await asyncio.sleep(0.1)
            inbox = recorder.state.folders["INBOX"]
            assert recorder.uids_by_folder == {"INBOX": [1, 2, 3, 4, 5, 6]}
            assert inbox.push_is_silent is is_silent

    run(main)
