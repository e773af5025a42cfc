"""`AccountWatcher.check_now`."""

import asyncio

from ..light import HOUR, MINUTE, each, served
from ..virtual import VirtualLoop, run, watched
from .support import EVERY_MODE, TWO


@EVERY_MODE
def test_unannounced_mail_is_found_at_once(capabilities: bytes) -> None:
    """In all folders, in each push mode."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=capabilities, limit=1)
        async with watched(dict.fromkeys(TWO)) as recorder:
            await asyncio.sleep(MINUTE + 30)
            for name in TWO:
                server.slip_in(2, name)
            recorder.watcher.check_now()
            await asyncio.sleep(0.1)
            assert recorder.uids_by_folder == each(TWO, [1, 2])
            assert recorder.state.connected

    run(main)


def test_pause_between_sessions_ends() -> None:
    """A login is tried immediately, but not if the server requested the pause, nor too often."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, greeting=b"BYE")
        async with watched({"INBOX": None}) as recorder:
            await asyncio.sleep(HOUR)
            server.habits.greeting = b"OK"
            recorder.watcher.check_now()
            await asyncio.sleep(1)
            assert recorder.state.connected
            server.habits.twist = lambda line: (
                [b"* BYE not now"] if b"EXAMINE" in line else None
            )
            server.close_all()
            logins = server.logins
            for _ in range(600):
                recorder.watcher.check_now()
                await asyncio.sleep(0.1)
            assert server.logins - logins <= 5

    run(main)


def test_no_folders() -> None:
    """Nothing happens."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop)
        async with watched({}) as recorder:
            await asyncio.sleep(1)
            recorder.watcher.check_now()
            await asyncio.sleep(1)
            assert server.logins == 0

    run(main)
