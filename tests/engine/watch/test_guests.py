"""Several folders where the server tells of one at a time: who gets a connection, who is asked for."""

import asyncio

import pytest

from custom_components.imap_push.imap import Mark, PushMode, WatchOptions
from custom_components.imap_push.imap.watch.account_watcher import (
    LIMIT_MEMORY_SECONDS,
    MAX_CONNECTIONS,
)

from ..light import HOUR, IDLE, MINUTE, NOTIFY, POLL, each, served
from ..recorder import Recorder
from ..virtual import VirtualLoop, run, watched

from tests.rig.light_folder import UID_VALIDITY

THREE = ("INBOX", "Work", "News")
EIGHT = ("INBOX", *(f"Folder {number}" for number in range(7)))


def modes(recorder: Recorder) -> list[PushMode]:
    """Return how the folders' new mail becomes known."""
    return [state.push_mode for state in recorder.state.folders.values()]


def test_every_folder_gets_a_connection() -> None:
    """See all of them told of at once."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *THREE)
        async with watched(dict.fromkeys(THREE)) as recorder:
            await asyncio.sleep(MINUTE)
            assert recorder.state.connections == server.connections == 3
            assert modes(recorder) == [PushMode.IDLE] * 3
            for name in THREE:
                server.deliver(2, name)
            await asyncio.sleep(0.1)
            assert recorder.told == each(THREE, [1, 2])

    run(main)


def test_no_more_connections_than_are_decent() -> None:
    """See the folders beyond them asked for each minute, and their mail told once."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *EIGHT)
        async with watched(dict.fromkeys(EIGHT)) as recorder:
            await asyncio.sleep(MINUTE)
            assert recorder.state.connections == server.connections == MAX_CONNECTIONS
            assert modes(recorder).count(PushMode.IDLE) == MAX_CONNECTIONS
            assert recorder.state.push_mode is PushMode.POLL
            for name in EIGHT:
                server.deliver(2, name)
            await asyncio.sleep(MINUTE + 1)
            assert recorder.told == each(EIGHT, [1, 2])
            await asyncio.sleep(HOUR)
            assert len(recorder.arrivals) == 2 * len(EIGHT)

    run(main)


@pytest.mark.parametrize("limit", [1, 2])
def test_server_that_allows_few_connections(limit: int) -> None:
    """See the limit learned, the rest asked for, and more tried when it may have changed."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *THREE, limit=limit)
        async with watched(dict.fromkeys(THREE)) as recorder:
            await asyncio.sleep(MINUTE)
            assert recorder.state.connections == limit
            assert recorder.state.connected
            assert modes(recorder).count(PushMode.POLL) == 3 - limit
            assert recorder.refused == 0
            for name in THREE:
                server.deliver(1, name)
            await asyncio.sleep(MINUTE + 1)
            assert recorder.told == each(THREE, [1])

            logins = server.logins
            await asyncio.sleep(LIMIT_MEMORY_SECONDS / 2)
            assert server.logins == logins
            server.habits.limit = None
            await asyncio.sleep(LIMIT_MEMORY_SECONDS / 2 + 10 * MINUTE)
            assert modes(recorder) == [PushMode.IDLE] * 3
            for name in THREE:
                server.deliver(1, name)
            await asyncio.sleep(0.1)
            assert recorder.told == each(THREE, [1, 2])

    run(main)


@pytest.mark.parametrize("push", [True, False], ids=["no IDLE", "push switched off"])
def test_polling_needs_one_connection(push: bool) -> None:
    """See all folders asked for on the same one."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *THREE, capabilities=POLL if push else NOTIFY)
        options = WatchOptions(push=push)
        async with watched(dict.fromkeys(THREE), options) as recorder:
            await asyncio.sleep(MINUTE)
            for name in THREE:
                server.deliver(3, name)
            server.read(1, "Work")
            await asyncio.sleep(MINUTE + 1)
            assert recorder.told == each(THREE, [1, 2, 3])
            assert modes(recorder) == [PushMode.POLL] * 3
            unread = [state.unread for state in recorder.state.folders.values()]
            assert unread == [3, 2, 3]
            assert server.logins == 1

    run(main)


def test_missing_inbox_where_commands_go_one_by_one() -> None:
    """See nothing asked of a folder that could not be opened."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *THREE, capabilities=POLL)
        mark = Mark(UID_VALIDITY, 1)
        server.remove("INBOX")
        options = WatchOptions(pipeline=False)
        async with watched(dict.fromkeys(THREE, mark), options) as recorder:
            for name in THREE[1:]:
                server.deliver(1, name)
            await asyncio.sleep(5 * MINUTE)
            assert recorder.told == each(THREE[1:], [1])
            assert recorder.state.folders["INBOX"].missing

    run(main)


@pytest.mark.parametrize("capabilities", [NOTIFY, IDLE, POLL], ids=["N", "I", "P"])
class TestMissing:
    """A folder that is not there is its own affair; the others go on."""

    @pytest.mark.parametrize("name", THREE)
    def test_missing_from_the_start(self, capabilities: bytes, name: str) -> None:
        """See it told, the others watched, and its mail told once it is made."""

        async def main(loop: VirtualLoop) -> None:
            server = served(loop, *THREE, capabilities=capabilities)
            folder = server.remove(name)
            others = [it for it in THREE if it != name]
            async with watched(dict.fromkeys(THREE)) as recorder:
                await asyncio.sleep(10 * MINUTE)
                assert recorder.state.folders[name].missing
                assert not recorder.state.folders[name].available
                assert all(recorder.state.folders[it].available for it in others)
                for other in others:
                    server.deliver(1, other)
                await asyncio.sleep(2 * MINUTE)
                assert recorder.told == each(others, [1])
                assert server.logins <= 10
                server.restore(folder)
                await asyncio.sleep(6 * MINUTE)
                assert not recorder.state.folders[name].missing
                assert recorder.state.folders[name].available
                server.deliver(1, name)
                await asyncio.sleep(6 * MINUTE)
                assert recorder.told == each(THREE, [1])

        run(main)

    @pytest.mark.parametrize("name", THREE)
    def test_vanishing(self, capabilities: bytes, name: str) -> None:
        """See it told when it goes, and what came meanwhile when it is back."""

        async def main(loop: VirtualLoop) -> None:
            server = served(loop, *THREE, capabilities=capabilities)
            async with watched(dict.fromkeys(THREE)) as recorder:
                await asyncio.sleep(MINUTE)
                server.deliver(1, name)
                await asyncio.sleep(2 * MINUTE)
                folder = server.remove(name)
                await asyncio.sleep(10 * MINUTE)
                assert recorder.state.folders[name].missing
                folder.last += 1
                server.restore(folder)
                await asyncio.sleep(6 * MINUTE)
                assert not recorder.state.folders[name].missing
                server.deliver(1, name)
                await asyncio.sleep(2 * MINUTE)
                assert recorder.told == {name: [1, 2, 3]}

        run(main)

    def test_none_left(self, capabilities: bytes) -> None:
        """See all of them told, no storm of logins, and everything well when they are back."""

        async def main(loop: VirtualLoop) -> None:
            server = served(loop, *THREE, capabilities=capabilities)
            async with watched(dict.fromkeys(THREE)) as recorder:
                await asyncio.sleep(MINUTE)
                folders = [server.remove(name) for name in THREE]
                await asyncio.sleep(HOUR)
                assert all(it.missing for it in recorder.state.folders.values())
                assert server.logins < 80
                for folder in folders:
                    server.restore(folder)
                await asyncio.sleep(10 * MINUTE)
                assert all(it.available for it in recorder.state.folders.values())
                for name in THREE:
                    server.deliver(1, name)
                await asyncio.sleep(2 * MINUTE)
                assert recorder.told == each(THREE, [1])

        run(main)
