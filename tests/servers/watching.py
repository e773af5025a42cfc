"""Watch folders of a real server, and wait for what users see."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
import contextlib
import time
from typing import Final

from custom_components.imap_push.imap import (
    Account,
    AccountWatcher,
    WatchedFolder,
    WatchOptions,
)

from tests.engine.recorder import Recorder
from tests.rig.servers import MailServer

READY_SECONDS: Final = 15.0
# imap4d announces mail only when IDLE ends. So it is refreshed, and polled, every second.
SILENT: Final = {"mailutils"}
SILENT_SECONDS: Final = 1.0


def watch_options(server: MailServer) -> WatchOptions:
    """Return the default options, but a short interval for a server without announcements."""
    if server.name in SILENT:
        return WatchOptions(poll_interval=SILENT_SECONDS)
    return WatchOptions()


@contextlib.asynccontextmanager
async def watching(
    account: Account,
    folders: Sequence[str],
    options: WatchOptions,
) -> AsyncIterator[Recorder]:
    """Watch folders from their next message on; raise AssertionError if that is not possible."""
    recorder = Recorder()
    recorder.watcher = AccountWatcher(
        account,
        dict.fromkeys(folders, WatchedFolder()),
        options,
        recorder,
    )
    task = asyncio.create_task(recorder.watcher.run())

    def is_ready() -> bool:
        states = recorder.state.folders if recorder.states else {}
        return set(folders) <= set(recorder.moved) and all(
            folder in states and states[folder].available for folder in folders
        )

    try:
        if not await happens(recorder, is_ready, READY_SECONDS):
            error = recorder.state.error if recorder.states else None
            raise AssertionError(f"not watched: {error!r}")
        yield recorder
    finally:
        task.cancel()
        await asyncio.wait([task])


async def happens(
    recorder: Recorder, condition: Callable[[], object], seconds: float
) -> bool:
    """Return whether a condition becomes true within this time."""
    try:
        await recorder.until(condition, seconds)
    except TimeoutError:
        return False
    return True


def message_ids(recorder: Recorder) -> list[str | None]:
    """Return the Message-IDs of all arrivals, in order."""
    return [arrival.mail.message_id for arrival in recorder.arrivals]


async def all_arrive(
    recorder: Recorder, wanted: Sequence[str], seconds: float
) -> float:
    """Wait until these messages have arrived; return how long that took.

    Raises AssertionError if one is missing, or if a message arrives twice.
    """
    began = time.monotonic()
    await happens(recorder, lambda: set(wanted) <= set(message_ids(recorder)), seconds)
    took = time.monotonic() - began
    arrived = message_ids(recorder)
    missing = [n for n, wanted_id in enumerate(wanted, 1) if wanted_id not in arrived]
    assert not missing, f"not delivered within {seconds} s: {missing} of {len(wanted)}"
    assert len(arrived) == len(set(arrived)), "a message was delivered twice"
    return took
