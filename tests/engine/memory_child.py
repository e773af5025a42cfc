"""A process that watches folders of a hostile server, and says what memory that took.

usage: python -m tests.engine.memory_child PORT SECONDS FOLDERS

Prints by how many octets its resident memory grew at the most.
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


class Nobody:
    """A listener that keeps nothing."""

    def state_changed(self, state: AccountState) -> None:
        """Forget."""

    async def mail_arrived(self, arrival: Arrival) -> None:
        """Forget."""

    def mark_moved(self, folder: str, mark: Mark) -> None:
        """Forget."""

    def login_refused(self) -> None:
        """Forget."""

    def alerted(self, text: str) -> None:
        """Forget."""

    def pipelining_failed(self) -> None:
        """Forget."""


def memory(name: str) -> int:
    """Return VmRSS or VmHWM (its peak), in octets."""
    found = re.search(rf"{name}:\s+(\d+) kB", (_PROC / "status").read_text())
    assert found
    return int(found[1]) * 1024


async def ask(client: Client) -> None:
    """Ask for everything, again and again."""
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
    """Watch and ask for so long."""
    shared = account(port)
    watched = {
        name: WatchedFolder(mark=Mark(1, 2), text_size=2_000)
        for name in ("INBOX", "A", "B", "C", "D")[:folders]
    }
    tasks = [
        AccountWatcher(shared, watched, WatchOptions(poll_interval=1), Nobody()).run()
    ]
    if folders > 1:
        tasks.append(ask(Client(shared)))
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
