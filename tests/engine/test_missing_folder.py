"""A folder that is not there is its own affair."""

import asyncio
from typing import Final

from custom_components.imap_push.imap import Watcher, WatchOptions

from .conftest import account
from .recorder import Recorder

from tests.rig.light_server import LightServer

# In this time a folder that is missing was looked for several times.
WHILE_SECONDS: Final = 3.0


async def test_the_others_come_back_at_once() -> None:
    """However often the missing one was looked for, a login is left for the inbox."""
    recorder = Recorder()
    folders = {"INBOX": None, "Nowhere": None}
    async with LightServer() as server:
        watcher = Watcher(account(server.port), folders, WatchOptions(), recorder)
        task = asyncio.create_task(watcher.run())
        try:
            await recorder.until(lambda: server.is_watched)
            await asyncio.sleep(WHILE_SECONDS)
            assert recorder.states[-1].folders["Nowhere"].missing

            server.reset_all()
            server.deliver(1)
            await recorder.until(lambda: recorder.uids == [1])
        finally:
            task.cancel()
            await asyncio.wait([task])
