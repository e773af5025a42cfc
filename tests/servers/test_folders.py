"""Folders: recreated ones, unusual names, eleven at a time, unread counts."""

import asyncio
from collections.abc import Callable
from typing import Final

import pytest

from custom_components.imap_push.imap import (
    Client,
    Criteria,
    Quirks,
    WatchOptions,
    quirks,
)

from .mailbox import Mailbox, account, quoted
from .watching import all_arrive, happens, watch_options, watching

from tests.rig.mails import plain
from tests.rig.ports import LOOPBACK
from tests.rig.servers import MailServer

REFRESH_SECONDS: Final = 5.0
# For so long, there is no folder of the old name.
GAP_SECONDS: Final = 3.5
POLL_SECONDS: Final = 3.0
AT_ONCE_SECONDS: Final = 5.0


@pytest.fixture
def short_refresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let these servers be a provider that needs IDLE to be renewed every few seconds."""
    known = Quirks(idle_refresh=REFRESH_SECONDS)
    monkeypatch.setitem(quirks._BY_DOMAIN, LOOPBACK, known)


@pytest.mark.parametrize("others", [[], ["INBOX"]], ids=["alone", "with INBOX"])
@pytest.mark.parametrize("how", ["renamed", "deleted"])
@pytest.mark.usefixtures("short_refresh")
async def test_recreated(
    server: MailServer, mailbox: Mailbox, how: str, others: list[str]
) -> None:
    """Mail in the new folder of the old name is delivered within one refresh."""
    folder = mailbox.new_folder(f"Recreated {how}")
    first, *more = (plain(f"recreated {number}") for number in range(3))
    options = WatchOptions(poll_interval=REFRESH_SECONDS)
    async with watching(account(server), [folder, *others], options) as recorder:
        mailbox.append(first, folder)
        # If Courier still counts the connections of the last test, the folder is polled.
        await all_arrive(
            recorder, [first["Message-ID"]], REFRESH_SECONDS + AT_ONCE_SECONDS
        )
        if how == "renamed":
            mailbox.do(mailbox.imap.rename, quoted(folder), quoted(folder + " old"))
        else:
            mailbox.do(mailbox.imap.delete, quoted(folder))
        await asyncio.sleep(GAP_SECONDS)
        mailbox.do(mailbox.imap.create, quoted(folder))
        for message in more:
            mailbox.append(message, folder)
        wanted = [message["Message-ID"] for message in (first, *more)]
        await all_arrive(recorder, wanted, REFRESH_SECONDS + AT_ONCE_SECONDS)
        new = [arrival.mail for arrival in recorder.arrivals[1:]]
    validity = mailbox.status("UIDVALIDITY", folder)
    assert {mail.uid_validity for mail in new} == {validity}


# The name, and the same in modified UTF-7 (RFC 3501 5.1.3).
NAMES: Final = {
    "umlaut": ("Größe", "Gr&APYA3w-e"),
    "ampersand": ("R&D", "R&-D"),
    "quotes": ('Quo"te', 'Quo"te'),
    "blank": ("Two words", "Two words"),
    "kanji": ("日本語", "&ZeVnLIqe-"),
}


REFUSED: Final = {"quotes": ("cyrus-3.6", "cyrus-3.12")}


@pytest.mark.parametrize("kind", NAMES)
async def test_name(server: MailServer, mailbox: Mailbox, kind: str) -> None:
    """A folder with an unusual name is listed, and watched by push."""
    name, encoded = NAMES[kind]
    folder, wire = server.full_name(name), server.full_name(encoded)
    if mailbox.imap.create(quoted(wire))[0] != "OK":
        assert server.name in REFUSED.get(kind, ())
        pytest.skip("the server refuses this name")
    client = Client(account(server))
    listed = [info.name for info in await client.folders()]
    await client.close()
    assert folder in listed
    message = plain(f"to {kind}")
    options = watch_options(server)
    async with watching(account(server), ["INBOX", folder], options) as recorder:
        mailbox.append(message, wire)
        await all_arrive(recorder, [message["Message-ID"]], AT_ONCE_SECONDS)
        assert recorder.arrivals[0].mail.folder == folder


async def test_eleven_folders(
    server: MailServer, mailbox: Mailbox, note: Callable[[str, object], None]
) -> None:
    """All are watched, by push or polled, and an action finds a connection."""
    folders = ["INBOX", *(mailbox.new_folder("Eleven") for _ in range(10))]
    options = WatchOptions(poll_interval=POLL_SECONDS)
    client = Client(account(server))
    async with watching(account(server), folders, options) as recorder:
        await asyncio.sleep(POLL_SECONDS)
        sent = {folder: plain(f"for {folder}") for folder in folders}
        for folder, message in sent.items():
            mailbox.append(message, folder)
        wanted = [message["Message-ID"] for message in sent.values()]
        took = await all_arrive(recorder, wanted, 2 * POLL_SECONDS + AT_ONCE_SECONDS)
        by_folder = {a.mail.folder: a.mail.message_id for a in recorder.arrivals}
        assert by_folder == {name: m["Message-ID"] for name, m in sent.items()}
        note("connections", recorder.state.connections)
        async with asyncio.timeout(AT_ONCE_SECONDS):
            found = await client.search("INBOX", Criteria(), limit=5)
        assert found.total == 2
    await client.close()
    note("took", f"{took:.1f} s")


@pytest.mark.parametrize("which", ["INBOX", "another"])
async def test_unread(server: MailServer, mailbox: Mailbox, which: str) -> None:
    """The count follows what other clients do, by push."""
    other = mailbox.new_folder("Unread")
    folder = "INBOX" if which == "INBOX" else other
    mailbox.empty(folder)
    for number in range(4):
        mailbox.append(plain(f"unread {number}"), folder)
    folders, options = ["INBOX", other], watch_options(server)
    async with watching(account(server), folders, options) as recorder:

        async def expect(unread: int, step: str) -> None:
            def agrees() -> bool:
                return recorder.state.folders[folder].unread == unread

            ok = await happens(recorder, agrees, AT_ONCE_SECONDS)
            assert ok, (step, unread, recorder.state.folders[folder].unread)

        await expect(4, "start")
        mailbox.select(folder)
        mailbox.store(1, "+", "\\Seen")
        mailbox.store(2, "+", "\\Seen")
        mailbox.settle(folder)
        await expect(2, "read two")
        mailbox.store(1, "-", "\\Seen")
        mailbox.settle(folder)
        await expect(3, "one is unread again")
        mailbox.expunge(4)
        mailbox.settle(folder)
        await expect(2, "an unread one is expunged")
        mailbox.append(plain("read already"), folder, "\\Seen")
        mailbox.append(plain("new"), folder)
        await expect(3, "a read one and a new one")
