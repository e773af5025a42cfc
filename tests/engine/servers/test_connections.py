"""A server that allows few connections to an address: the watcher leaves one to the actions."""

import asyncio
from collections.abc import Iterable
import contextlib

import pytest

from custom_components.imap_push.imap import (
    AccountWatcher,
    Client,
    Criteria,
    WatchedFolder,
    WatchOptions,
)

from ..conftest import account
from ..light import served
from ..virtual import VirtualLoop, run
from .scenario import CAPABILITIES, EVERY_MODE, POLLED, TimedRecorder, case

from tests.rig.light_client import Event

FOLDERS = ("INBOX", *(f"Folder {number}" for number in range(8)))
# Seconds within which an action is done.
ACTION = 30.0
GREETING, LOGIN = (b"GREETING",), (b"LOGIN", b"AUTHENTICATE")
REFUSALS = {
    "closed": (GREETING, ()),
    "BYE": (GREETING, (b"* BYE Too many connections from your address",)),
    "BYE [LIMIT]": (GREETING, (b"* BYE [LIMIT] maximum number of connections",)),
    "closed at LOGIN": (LOGIN, ()),
    "NO [LIMIT]": (LOGIN, (b"<tag> NO [LIMIT] Too many simultaneous connections",)),
    "NO [ALERT]": (LOGIN, (b"<tag> NO [ALERT] Too many simultaneous connections.",)),
}


class Limit:
    """A hook that refuses connections above a limit, and counts them."""

    def __init__(self, limit: int, refusal: str) -> None:
        """Refuse in this way."""
        self._limit = limit
        self._names, self._lines = REFUSALS[refusal]
        self.refused = 0

    def __call__(self, event: Event) -> Iterable[bytes] | None:
        """Return the refusal, None if the connection is allowed."""
        if event.name not in self._names or len(event.store.clients) <= self._limit:
            return None
        self.refused += 1
        if not self._lines or event.name == b"GREETING":
            event.client.hang_up()
        return [line.replace(b"<tag>", event.tag) for line in self._lines]


@pytest.mark.parametrize(
    ("limit", "refusal", "mode"),
    [
        case(f"F5 {limit} {name} {mode}", limit, name, mode)
        for limit in (4, 2, 1)
        for name in REFUSALS
        for mode in EVERY_MODE
    ],
)
def test_actions_at_a_connection_limit(limit: int, refusal: str, mode: str) -> None:
    """Actions work while nine folders are watched, and no message is late because of them.

    Courier allows four connections per address by default and closes others without a word
    (couriertcpd, MAXPERIP).
    """

    async def main(loop: VirtualLoop) -> None:
        hook = Limit(limit, refusal)
        server = served(loop, *FOLDERS, capabilities=CAPABILITIES[mode], hooks=[hook])
        for name in FOLDERS:
            server.slip_in(3, name)
        recorder = TimedRecorder(server)
        # Both use the same account, so that they can share what they know about it.
        shared = account(993)
        folders = {name: WatchedFolder() for name in FOLDERS}
        watcher = AccountWatcher(shared, folders, WatchOptions(), recorder)
        client = Client(shared)
        task = asyncio.create_task(watcher.run(), name="imap_push watcher")
        try:
            await asyncio.sleep(300)
            for _ in range(3):
                async with asyncio.timeout(ACTION):
                    result = await client.search("INBOX", Criteria(), limit=1)
                assert result.uid_validity
                await asyncio.sleep(10)
            await asyncio.sleep(600)
            async with asyncio.timeout(ACTION):
                await client.search(FOLDERS[3], Criteria(), limit=1)
            delivered_at = recorder.seconds
            for name in FOLDERS:
                server.deliver(1, name)
            await asyncio.sleep(120)
            assert sorted(recorder.numbers) == sorted((name, 4) for name in FOLDERS)
            assert max(recorder.arrived_at) - delivered_at <= POLLED + 10
            assert recorder.state.connected
            assert all(folder.available for folder in recorder.state.folders.values())
            # The limit is learned, and tried again once in an hour at the most.
            assert hook.refused <= 3
        finally:
            await client.close()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    run(main)
