"""The reported state of folders, and the statistics."""

import asyncio
from collections.abc import Callable

import pytest

from custom_components.imap_push.imap import FolderState

from ..light import HOUR, IDLE, MINUTE, NOTIFY, POLL, served
from ..virtual import VirtualLoop, run, watched
from .support import EVERY_MODE, POLLED, TWO

from tests.rig.light_server import LightServer


@pytest.mark.parametrize("capabilities", [NOTIFY, IDLE, POLL], ids=["N", "I", "P"])
@pytest.mark.parametrize("name", TWO)
@pytest.mark.parametrize(
    ("happen", "messages"),
    [
        (lambda server, name: server.deliver(2, name), 5),
        (lambda server, name: server.expunge(1, name), 2),
        (lambda server, name: server.read(1, name), 3),
        (lambda server, name: server.flag(1, name), 3),
    ],
    ids=["new mail", "deleted", "read", "flagged"],
)
def test_changes_are_counted(
    capabilities: bytes,
    name: str,
    happen: Callable[[LightServer, str], None],
    messages: int,
) -> None:
    """The number of messages is right, and `changes` grows, wherever the server reports it."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=capabilities + b" CONDSTORE", limit=1)
        for item in TWO:
            server.slip_in(3, item)
        async with watched(dict.fromkeys(TWO)) as recorder:

            def state(folder: str) -> FolderState:
                return recorder.state.folders[folder]

            await asyncio.sleep(2 * MINUTE)
            before = {item: state(item).changes for item in TWO}
            assert [state(item).messages for item in TWO] == [3, 3]
            happen(server, name)
            await asyncio.sleep(POLLED)
            assert state(name).changes > before[name]
            assert state(name).messages == messages
            [other] = set(TWO) - {name}
            changes = state(name).changes
            await asyncio.sleep(HOUR)
            assert state(name).changes == changes
            assert state(other).messages == 3

    run(main)


@EVERY_MODE
def test_changes_stay_the_same_without_changes(capabilities: bytes) -> None:
    """`changes` does not grow by itself."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=capabilities)
        server.slip_in(3)
        async with watched(dict.fromkeys(TWO)) as recorder:
            await asyncio.sleep(2 * MINUTE)
            before = {item: s.changes for item, s in recorder.state.folders.items()}
            await asyncio.sleep(50 * MINUTE)
            after = {item: s.changes for item, s in recorder.state.folders.items()}
            assert after == before

    run(main)


def test_statistics() -> None:
    """Deliveries, syncs and sessions are counted, and so are the causes of losses."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=NOTIFY)
        async with watched(dict.fromkeys(TWO)) as recorder:
            statistics = recorder.watcher.statistics
            assert statistics.syncs.as_dict()["mean"] is None
            await asyncio.sleep(1)
            count_before = statistics.syncs.count
            assert count_before >= 2
            server.deliver(3)
            server.deliver(2, "Work")
            await asyncio.sleep(1)
            assert (statistics.mails, statistics.sessions) == (5, 1)
            assert statistics.syncs.count > count_before
            server.close_all()
            await asyncio.sleep(MINUTE)
            assert statistics.sessions == 2
            assert statistics.losses == {"ConnectionLost": 1}
            syncs = statistics.syncs
            assert 0 <= syncs.total / syncs.count <= syncs.longest
            syncs.add(3.0)
            assert (syncs.last, syncs.longest) == (3.0, 3.0)

    run(main)
