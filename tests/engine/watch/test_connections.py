"""Several folders with IDLE: which get a connection of their own, and which are polled."""

import asyncio
import contextlib

import pytest

from custom_components.imap_push.imap import (
    AccountWatcher,
    Client,
    Criteria,
    PushMode,
    TooManyConnections,
    WatchedFolder,
    WatchOptions,
)
from custom_components.imap_push.imap.limits import LIMIT_SECONDS, MAX_WATCHING

from ..conftest import account
from ..light import HOUR, IDLE, MINUTE, each, served
from ..recorder import Recorder
from ..virtual import VirtualLoop, run, watched
from .support import NEW, POLLED, THREE, TWO, folder_modes

EIGHT = ("INBOX", *(f"Folder {number}" for number in range(7)))


def test_each_folder_gets_a_connection() -> None:
    """Mail of all folders is delivered immediately."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *THREE)
        async with watched(dict.fromkeys(THREE)) as recorder:
            await asyncio.sleep(MINUTE)
            assert recorder.state.connections == server.connections == 3
            assert folder_modes(recorder) == [PushMode.IDLE] * 3
            for name in THREE:
                server.deliver(2, name)
            await asyncio.sleep(0.1)
            assert recorder.uids_by_folder == each(THREE, [1, 2])

    run(main)


def test_at_most_five_connections() -> None:
    """The other folders are polled each minute, and their mail is delivered without duplicates."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *EIGHT)
        async with watched(dict.fromkeys(EIGHT)) as recorder:
            await asyncio.sleep(MINUTE)
            assert recorder.state.connections == server.connections == MAX_WATCHING
            assert folder_modes(recorder).count(PushMode.IDLE) == MAX_WATCHING
            assert recorder.state.push_mode is PushMode.POLL
            for name in EIGHT:
                server.deliver(2, name)
            await asyncio.sleep(MINUTE + 1)
            assert recorder.uids_by_folder == each(EIGHT, [1, 2])
            await asyncio.sleep(HOUR)
            assert len(recorder.arrivals) == 2 * len(EIGHT)

    run(main)


@pytest.mark.parametrize("limit", [1, 2])
def test_server_that_allows_few_connections(limit: int) -> None:
    """The other folders are polled, and more connections are tried again later."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *THREE, limit=limit)
        async with watched(dict.fromkeys(THREE)) as recorder:
            await asyncio.sleep(MINUTE)
            watching = max(1, limit - 1)  # One is left to the actions.
            assert recorder.state.connections == watching
            assert recorder.state.connected
            assert folder_modes(recorder).count(PushMode.POLL) == 3 - watching
            assert recorder.refused == 0
            for name in THREE:
                server.deliver(1, name)
            await asyncio.sleep(MINUTE + 1)
            assert recorder.uids_by_folder == each(THREE, [1])

            logins = server.logins
            await asyncio.sleep(LIMIT_SECONDS / 2)
            assert server.logins == logins
            server.habits.limit = None
            await asyncio.sleep(LIMIT_SECONDS / 2 + 10 * MINUTE)
            assert folder_modes(recorder) == [PushMode.IDLE] * 3
            for name in THREE:
                server.deliver(1, name)
            await asyncio.sleep(0.1)
            assert recorder.uids_by_folder == each(THREE, [1, 2])

    run(main)


def test_session_ends_before_it_is_lent() -> None:
    """The action fails with an error. It is not cancelled."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, capabilities=IDLE)
        shared = account(1)
        client = Client(shared)
        watcher = AccountWatcher(
            shared, {"INBOX": WatchedFolder()}, WatchOptions(), Recorder()
        )
        task = asyncio.create_task(watcher.run(), name="imap_push watcher")
        await asyncio.sleep(MINUTE)
        shared.connections.limit_to(1)
        # The watcher waits for this answer, and the action for the watcher.
        server.habits.twist = lambda line: () if b" UID FETCH " in line else None
        server.deliver(1)
        await asyncio.sleep(1)
        search = asyncio.create_task(client.search("INBOX", Criteria(), limit=1))
        await asyncio.sleep(1)
        server.reset_all()
        with pytest.raises(TooManyConnections, match="no connection for actions"):
            await search
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await client.close()

    run(main)


@pytest.mark.parametrize("dismissal", [b"NO [AUTHENTICATIONFAILED] no", b"* BYE away"])
@pytest.mark.parametrize("has_watched", [False, True])
def test_second_connection_is_refused(dismissal: bytes, has_watched: bool) -> None:
    """The folder is polled on the first connection, and no credentials are requested."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=IDLE)

        def refuse(line: bytes) -> list[bytes] | None:
            tag, _, command = line.partition(b" ")
            if not command.startswith(b"LOGIN") or server.connections < 2:
                return None
            return [dismissal if dismissal.startswith(b"*") else tag + b" " + dismissal]

        if not has_watched:
            server.habits.twist = refuse
        async with watched(dict.fromkeys(TWO)) as recorder:
            await asyncio.sleep(10 * MINUTE)
            if has_watched:
                assert server.connections == 2
                server.habits.twist = refuse
                server.reset_all()
                await asyncio.sleep(10 * MINUTE)
            assert server.connections == 1
            assert all(item.available for item in recorder.state.folders.values())
            assert recorder.state.push_mode is PushMode.POLL
            for name in TWO:
                server.deliver(1, name)
            await asyncio.sleep(POLLED)
            assert recorder.uids_by_folder == each(TWO, [1])
            # More connections are tried from time to time. Failures must not add up.
            await asyncio.sleep(5 * HOUR)
            for name in TWO:
                server.deliver(1, name)
            await asyncio.sleep(POLLED)
            assert recorder.uids_by_folder == each(TWO, [1, 2])
            assert recorder.refused == 0
            assert recorder.state.connected
            assert server.logins < 20

    run(main)


def test_folder_is_polled_while_its_login_would_have_to_wait() -> None:
    """Its mail is delivered within the polling interval."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *THREE, capabilities=IDLE)
        options = WatchOptions(poll_interval=5)
        async with watched({"INBOX": None}, options) as recorder:
            await asyncio.sleep(1)
            for _ in range(8):
                recorder.watcher.add("Work", NEW)
                await asyncio.sleep(3)
                recorder.watcher.remove("Work")
                await asyncio.sleep(0)
            recorder.watcher.add("News", NEW)
            await asyncio.sleep(3)
            server.deliver(1, "News")
            await asyncio.sleep(6)
            assert recorder.uids_by_folder == {"News": [1]}

    run(main)
