"""A folder that is not there is its own affair."""

import asyncio

from ..light import IDLE, MINUTE, served
from ..virtual import VirtualLoop, run, watched


def test_the_others_come_back_at_once() -> None:
    """However often the missing one was looked for, a login is left for the inbox."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, "INBOX", capabilities=IDLE)
        async with watched({"INBOX": None, "Nowhere": None}) as recorder:
            await asyncio.sleep(10 * MINUTE)
            assert recorder.state.folders["Nowhere"].missing

            server.reset_all()
            server.deliver(1)
            await asyncio.sleep(5)
            assert recorder.uids == [1]

    run(main)
