"""Forty folders on a real Dovecot, also added and removed while mail arrives."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
import contextlib
import imaplib
import time

import pytest

from custom_components.imap_push.imap import (
    Account,
    AccountWatcher,
    PushMode,
    Security,
    WatchedFolder,
    WatchOptions,
)

from ..recorder import Recorder

from tests.rig.dovecot import PASSWORD, USER, Dovecot
from tests.rig.lmtp import LmtpSender
from tests.rig.mails import plain
from tests.rig.ports import LOOPBACK

pytestmark = pytest.mark.dovecot

FORTY = ("INBOX", *(f"Folder{number}" for number in range(39)))
TWELVE = FORTY[:12]
STAYING = TWELVE[:4]
DEADLINE = 60.0  # seconds
MODES = {
    PushMode.NOTIFY: WatchOptions(),
    PushMode.IDLE: WatchOptions(notify=False, poll_interval=2),
}


class Postman:
    """Delivers messages to folders and counts them."""

    def __init__(self, sender: LmtpSender) -> None:
        """Deliver on this LMTP connection."""
        self._sender = sender
        self.delivered: Counter[str] = Counter()
        self.is_done = False

    async def deliver(self, folder: str) -> None:
        """Deliver one message."""
        self.delivered[folder] += 1
        user, _, domain = USER.partition("@")
        address = USER if folder == "INBOX" else f"{user}+{folder}@{domain}"
        await self._sender.send(address, plain(f"for {folder}"))

    async def deliver_to_each(self, folders: Iterable[str]) -> None:
        """Deliver one message to each folder. Dovecot creates a missing folder."""
        for folder in folders:
            await self.deliver(folder)

    async def keep_delivering(self, folders: Sequence[str]) -> None:
        """Deliver to one folder after the other until `is_done`."""
        while not self.is_done:
            await self.deliver_to_each(folders)


@contextlib.asynccontextmanager
async def watching(
    server: Dovecot, folders: dict[str, WatchedFolder], options: WatchOptions
) -> AsyncIterator[Recorder]:
    """Watch folders of the test user."""
    account = Account(
        host=LOOPBACK,
        port=server.imap_port,
        username=USER,
        password=PASSWORD,
        security=Security.NONE,
    )
    recorder = Recorder()
    recorder.watcher = AccountWatcher(account, folders, options, recorder)
    task = asyncio.create_task(recorder.watcher.run())
    try:
        yield recorder
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture
async def postman(server: Dovecot) -> AsyncIterator[Postman]:
    """Return the sender of messages."""
    async with LmtpSender(server.lmtp_port) as sender:
        yield Postman(sender)


@pytest.mark.parametrize("mode", MODES)
async def test_forty_folders(
    server: Dovecot,
    postman: Postman,
    mode: PushMode,
    record_property: Callable[[str, object], None],
) -> None:
    """All are watched soon, on few connections, and an added folder interrupts none of them."""
    await postman.deliver_to_each(FORTY)
    folders = dict.fromkeys(FORTY, WatchedFolder())
    began = time.monotonic()
    async with watching(server, folders, MODES[mode]) as recorder:

        def is_watched() -> bool:
            folders = recorder.state.folders if recorder.states else {}
            return bool(folders) and all(state.available for state in folders.values())

        await recorder.until(is_watched, DEADLINE)
        record_property("seconds", time.monotonic() - began)
        most = 1 if mode is PushMode.NOTIFY else 5
        await recorder.until(lambda: recorder.state.connections == most, DEADLINE)
        record_property("seconds until all push", time.monotonic() - began)
        inbox = recorder.state.folders["INBOX"]
        assert inbox.messages == postman.delivered["INBOX"]
        await postman.deliver_to_each(FORTY)
        await recorder.until(lambda: len(recorder.arrivals) == 40, DEADLINE)
        assert recorder.uids_by_folder == {
            it: [n] for it, n in postman.delivered.items()
        }
        assert recorder.watcher.statistics.losses == {}
        assert recorder.watcher.statistics.sessions == most


@pytest.mark.parametrize("mode", MODES)
async def test_folders_added_and_removed_while_mail_arrives(
    server: Dovecot, postman: Postman, mode: PushMode
) -> None:
    """Mail of the other folders is delivered in order and without duplicates, without a reconnect."""
    await postman.deliver_to_each(TWELVE)
    staying = dict.fromkeys(STAYING, WatchedFolder())
    async with watching(server, staying, MODES[mode]) as recorder:
        await recorder.until(lambda: recorder.states, DEADLINE)
        before = postman.delivered.copy()
        delivering = asyncio.create_task(postman.keep_delivering(TWELVE[:8]))
        for folder in TWELVE[4:] * 6:
            recorder.watcher.add(folder, WatchedFolder(text_size=20))
            await asyncio.sleep(0.02)
            recorder.watcher.remove(folder)
        # The selected folder is removed, too, and added again with its mark.
        for _ in range(10):
            selected = STAYING[0]
            mark = recorder.watcher._folders[selected].delivery.mark
            recorder.watcher.remove(selected)
            recorder.watcher.add(selected, WatchedFolder(mark=mark))
            await asyncio.sleep(0.1)
        postman.is_done = True
        await delivering
        await recorder.until(
            lambda: all(
                recorder.uids_by_folder[folder][-1] == postman.delivered[folder]
                for folder in STAYING
            ),
            DEADLINE,
        )
        for folder in STAYING:
            last = postman.delivered[folder]
            assert recorder.uids_by_folder[folder] == list(
                range(before[folder] + 1, last + 1)
            )
        assert recorder.watcher.statistics.losses == {}


@pytest.mark.parametrize("mode", MODES)
async def test_text_and_changes(
    server: Dovecot, postman: Postman, mode: PushMode
) -> None:
    """Text is delivered and changed flags are counted, in selected and unselected folders."""
    folders = dict.fromkeys(FORTY[:2], WatchedFolder(text_size=100))
    await postman.deliver_to_each(folders)
    async with watching(server, folders, MODES[mode]) as recorder:
        await recorder.until(lambda: recorder.states, DEADLINE)
        await asyncio.sleep(0.5)
        await postman.deliver_to_each(folders)
        await recorder.until(lambda: len(recorder.arrivals) == 2, DEADLINE)
        texts = {arrival.mail.text for arrival in recorder.arrivals}
        assert None not in texts
        assert "" not in texts
        await asyncio.sleep(1)
        for folder in folders:
            before = recorder.state.folders[folder].changes
            await asyncio.to_thread(_flag, server, folder)

            def has_changed(folder: str = folder, before: int = before) -> bool:
                return recorder.state.folders[folder].changes > before

            await recorder.until(has_changed, DEADLINE)


def _flag(server: Dovecot, folder: str) -> None:
    """Flag the first message, as another client does."""
    with imaplib.IMAP4(LOOPBACK, server.imap_port) as client:
        client.login(USER, PASSWORD)
        client.select(folder)
        client.store("1", "FLAGS", "(\\Flagged)")
