"""A process that watches folders of a malicious server and measures its memory.

usage: python -m tests.engine.memory_child PORT SECONDS FOLDERS

Prints the maximum growth of its resident memory in octets.
"""

import asyncio
import contextlib
from functools import partial
import gc
from pathlib import Path
import re
import sys

from custom_components.imap_push.imap import (
    AccountState,
    AccountWatcher,
    Arrival,
    Client,
    Criteria,
    ImapError,
    Mark,
    WatchedFolder,
    WatchOptions,
)

from .conftest import account

_PROC = Path("/proc/self")


class NullListener:
    """A listener that ignores all calls."""

    def state_changed(self, state: AccountState) -> None:
        """Ignore the call."""

    async def mail_arrived(self, arrival: Arrival) -> None:
        """Ignore the call."""

    def mark_moved(self, folder: str, mark: Mark) -> None:
        """Ignore the call."""

    def login_refused(self) -> None:
        """Ignore the call."""

    def alerted(self, text: str) -> None:
        """Ignore the call."""


def memory(name: str) -> int:
    """Return VmRSS or VmHWM (the peak of VmRSS) in octets."""
    found = re.search(rf"{name}:\s+(\d+) kB", (_PROC / "status").read_text())
    assert found
    return int(found[1]) * 1024


async def send_requests(client: Client) -> None:
    """Send all kinds of requests in an endless loop."""
    while True:
        for request in (
            client.folders,
            partial(client.search, "INBOX", Criteria(), limit=500),
            partial(client.mails, "INBOX", 1, range(2, 502)),
            partial(client.content, "INBOX", 1, 2, text_size=100_000),
        ):
            with contextlib.suppress(ImapError):
                await request()
            await asyncio.sleep(0.01)


async def main(port: int, seconds: float, folders: int) -> None:
    """Watch folders, and send requests if there are several, for so many seconds."""
    shared = account(port)
    folders_to_watch = {
        name: WatchedFolder(mark=Mark(1, 2), text_size=2_000)
        for name in ("INBOX", "A", "B", "C", "D")[:folders]
    }
    tasks = [
        AccountWatcher(
            shared, folders_to_watch, WatchOptions(poll_interval=1), NullListener()
        ).run()
    ]
    if folders > 1:
        tasks.append(send_requests(Client(shared)))
    gc.collect()
    (_PROC / "clear_refs").write_text("5")  # resets the peak
    before = memory("VmRSS")
    running = [asyncio.ensure_future(task) for task in tasks]
    await asyncio.sleep(seconds)
    print(memory("VmHWM") - before)  # noqa: T201
    for task in running:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])))
