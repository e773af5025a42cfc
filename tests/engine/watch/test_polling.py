"""Polling with EXAMINE and STATUS where the server announces nothing."""

import asyncio
from collections.abc import Iterator

import pytest

from custom_components.imap_push.imap import PushMode, WatchOptions

from ..light import MINUTE, NOTIFY, POLL, each, served
from ..scripted import CAPABILITIES, Peer
from ..virtual import VirtualLoop, run, watched
from .support import (
    EVERY_MODE,
    MOST_OF_AN_HOUR,
    POLLED,
    THREE,
    TWO,
    count_examines,
    folder_modes,
    watching,
)


@pytest.mark.parametrize(
    ("capabilities", "options"),
    [
        (b"IMAP4rev1 ESEARCH", WatchOptions(poll_interval=0.3)),
        (CAPABILITIES, WatchOptions(push=False, poll_interval=0.3)),
    ],
    ids=["no IDLE", "push switched off"],
)
async def test_polling(capabilities: bytes, options: WatchOptions) -> None:
    """New mail is found within the polling interval."""

    async def serve(peer: Peer) -> None:
        await peer.log_in(capabilities)
        await peer.examine(uid_next=5)
        await peer.sync()
        await peer.examine(uid_next=6)
        await peer.sync(5)
        await peer.leave()

    async with watching(serve, options=options) as recorder:
        await recorder.until(lambda: recorder.arrivals)
    assert [(a.mail.uid, a.push) for a in recorder.arrivals] == [(5, PushMode.POLL)]
    assert recorder.states[-1].push_mode is PushMode.POLL


@pytest.mark.parametrize("push", [True, False], ids=["no IDLE", "push switched off"])
def test_polling_needs_one_connection(push: bool) -> None:
    """All folders are polled on the same connection."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *THREE, capabilities=POLL if push else NOTIFY)
        options = WatchOptions(push=push)
        async with watched(dict.fromkeys(THREE), options) as recorder:
            await asyncio.sleep(MINUTE)
            for name in THREE:
                server.deliver(3, name)
            server.read(1, "Work")
            await asyncio.sleep(MINUTE + 1)
            assert recorder.uids_by_folder == each(THREE, [1, 2, 3])
            assert folder_modes(recorder) == [PushMode.POLL] * 3
            unread = [state.unread for state in recorder.state.folders.values()]
            assert unread == [3, 2, 3]
            assert server.logins == 1

    run(main)


@EVERY_MODE
def test_unread_counts_by_status(capabilities: bytes) -> None:
    """Both counts are right, and no folder is selected without a reason."""

    async def main(loop: VirtualLoop) -> None:
        without = capabilities.replace(b" ESEARCH", b"")
        server = served(loop, *TWO, capabilities=without, limit=1)
        server.slip_in(5)
        server.slip_in(3, "Work")
        server.read(1, "Work")
        async with watched(dict.fromkeys(TWO)) as recorder:
            await asyncio.sleep(1)
            assert recorder.state.connected
            unread = [item.unread for item in recorder.state.folders.values()]
            assert unread == [5, 2]
            before = count_examines(loop, "Work")
            assert before <= 3
            await asyncio.sleep(MOST_OF_AN_HOUR)
            assert count_examines(loop, "Work") == before
            server.deliver(1)
            server.deliver(1, "Work")
            await asyncio.sleep(POLLED)
            assert recorder.uids_by_folder == {"INBOX": [6], "Work": [4]}
            unread = [item.unread for item in recorder.state.folders.values()]
            assert unread == [6, 3]

    run(main)


def test_status_refuses_highestmodseq() -> None:
    """The next STATUS does not request HIGHESTMODSEQ, and mail is delivered."""

    def twist(line: bytes) -> Iterator[bytes] | None:
        tag, _, command = line.partition(b" ")
        if command.startswith(b"STATUS") and b"HIGHESTMODSEQ" in command:
            return iter([tag + b" BAD what is HIGHESTMODSEQ"])
        return None

    async def main(loop: VirtualLoop) -> None:
        capabilities = POLL + b" CONDSTORE"
        server = served(loop, *TWO, capabilities=capabilities, twist=twist)
        async with watched(dict.fromkeys(TWO)) as recorder:
            await asyncio.sleep(MINUTE)
            for name in TWO:
                server.deliver(1, name)
            await asyncio.sleep(2 * MINUTE + 2)
            assert recorder.uids_by_folder == each(TWO, [1])
            assert server.logins == 1

    run(main)
