"""All actions, and what another client sees of them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Final

import pytest

from custom_components.imap_push.imap import (
    Client,
    CommandRefused,
    Criteria,
    CriteriaRefused,
    FlagRefused,
    FolderNotFound,
    FolderRenumbered,
    ImapError,
    MailNotFound,
    SearchCount,
    Unsupported,
)

from .mailbox import Mailbox, account

from tests.rig.mails import plain, with_attachment
from tests.rig.servers import MailServer


@dataclass(frozen=True)
class Given:
    """A folder with known messages, and the client under test."""

    client: Client
    mailbox: Mailbox
    folder: str
    validity: int
    uids: list[int]
    mails: list[EmailMessage]

    def there(self, folder: str = "") -> set[int]:
        """Return the numbers of the messages that another client sees in a folder."""
        found = self.mailbox.messages(folder or self.folder)
        ids = [mail["Message-ID"] for mail in self.mails]
        return {ids.index(message.message_id) for message in found}

    def flags(self, number: int) -> set[str]:
        """Return the flags that another client sees, in lower case."""
        uid = self.uids[number]
        found = self.mailbox.messages(self.folder)
        return {flag.lower() for it in found if it.uid == uid for flag in it.flags}


@pytest.fixture
async def given(server: MailServer, mailbox: Mailbox) -> AsyncIterator[Given]:
    """Yield a folder with six messages."""
    folder = mailbox.new_folder("Actions")
    mails = [
        plain("Plain one", text="needle in the text\n"),
        plain("Größe", sender="Jürgen Ä <j@example.com>", text="Grüße aus Köln\n"),
        with_attachment("With file", 70_000, filename="ärger.pdf"),
        plain('a "quoted" \\ word'),
        plain("to Carol", headers={"Cc": "carol@example.net"}),
        plain("read and flagged"),
    ]
    for mail in mails[:-1]:
        mailbox.append(mail, folder)
    mailbox.append(mails[-1], folder, "\\Seen \\Flagged")
    client = Client(account(server))
    found = await client.search(folder, Criteria(), limit=50)
    assert found.total == len(mails)
    uids = sorted(found.uids)
    yield Given(client, mailbox, folder, found.uid_validity, uids, mails)
    await client.close()


SEARCHES: Final = {
    "sender": (Criteria(sender="j@example.com"), {1}),
    "recipient": (Criteria(recipient="carol@example.net"), {4}),
    "subject": (Criteria(subject="plain ONE"), {0}),
    "subject not ASCII": (Criteria(subject="Größe"), {1}),
    "subject quoted": (Criteria(subject='"quoted" \\'), {3}),
    "text": (Criteria(text="needle"), {0}),
    "text not ASCII": (Criteria(text="Köln"), {1}),
    "unread": (Criteria(unread=True), {0, 1, 2, 3, 4}),
    "flagged": (Criteria(flagged=True), {5}),
    "larger": (Criteria(larger_than=60_000), {2}),
    "attachment": (Criteria(has_attachment=True), {2}),
    "newer": (Criteria(newer_than=1), {0, 1, 2, 3, 4, 5}),
    "raw": (Criteria(raw='OR SUBJECT "Plain one" SUBJECT "Carol"'), {0, 4}),
    "all of them": (Criteria(sender="ada", text="hello", unread=False), {5}),
}


# What a server does not find, or refuses to search for.
NOT_FOUND: Final = {
    "mailutils": {"subject quoted"},
    # The store of WildDuck's tests compares raw headers, and knows no sizes.
    "wildduck": {"larger", "subject not ASCII", "text not ASCII"},
}


async def test_search(given: Given) -> None:
    """Each search finds what it should."""
    wrong = set()
    for name, (criteria, expected) in SEARCHES.items():
        try:
            found = await given.client.search(given.folder, criteria, limit=50)
        except CriteriaRefused:
            wrong.add(name)
            continue
        numbers = {given.uids.index(uid) for uid in found.uids}
        if numbers != expected or found.total != len(expected):
            wrong.add(name)
    assert wrong == NOT_FOUND.get(given.mailbox.server.name, set())


async def test_read(given: Given) -> None:
    """Messages are listed, read and saved without being marked as read."""
    client, folder, validity, uids = (
        given.client,
        given.folder,
        given.validity,
        given.uids,
    )
    mails = await client.mails(folder, validity, uids)
    assert [mail.subject for mail in mails] == [it["Subject"] for it in given.mails]
    content = await client.content(folder, validity, uids[1], text_size=1000)
    assert content.text.strip() == "Grüße aus Köln"
    [attachment] = mails[2].attachments
    assert attachment.filename == "ärger.pdf"
    found = await client.attachment(folder, validity, uids[2], attachment.part)
    assert found.filename == "ärger.pdf"
    pieces = client.read_part(folder, validity, uids[2], attachment.part)
    [original] = given.mails[2].iter_attachments()
    assert b"".join([piece async for piece in pieces]) == original.get_content()
    unread, needle = await client.count(
        folder, [Criteria(unread=True), Criteria(text="needle")], among=uids[:3]
    )
    assert isinstance(unread, SearchCount)
    assert isinstance(needle, SearchCount)
    assert unread.total == 5
    assert needle.matching == {uids[0]}
    assert not any("\\seen" in given.flags(number) for number in range(5))


# imap4d stores no keywords: its PERMANENTFLAGS are the five system flags.
NO_KEYWORDS: Final = {"mailutils"}


async def test_flags(given: Given) -> None:
    """Flags and keywords are set and removed."""
    client, folder, validity = given.client, given.folder, given.validity
    keywords = ["$Work"]
    if given.mailbox.server.name in NO_KEYWORDS:
        with pytest.raises(FlagRefused):
            await client.set_flags(folder, validity, given.uids[:2], add=keywords)
        keywords = []
    for flag in ("\\Seen", "\\Flagged", *keywords):
        for change in ("add", "remove"):
            options = {change: [flag]}
            done = await client.set_flags(folder, validity, given.uids[:2], **options)
            assert done.uids == tuple(given.uids[:2])
            is_set = flag.lower() in given.flags(0) & given.flags(1)
            assert is_set == (change == "add"), (flag, change)


# imap4d has neither MOVE nor UIDPLUS. The store of WildDuck's tests offers MOVE without having it.
CANNOT_MOVE: Final = {"mailutils": Unsupported, "wildduck": CommandRefused}


async def test_move(given: Given) -> None:
    """Messages move to another folder or to Trash; if not, nothing changes."""
    client, folder, validity = given.client, given.folder, given.validity
    target = given.mailbox.new_folder("Target")
    given.mailbox.provide("Trash")
    if error := CANNOT_MOVE.get(given.mailbox.server.name):
        with pytest.raises(error):
            await client.move(folder, validity, given.uids[:1], target)
        with pytest.raises(ImapError):
            await client.delete(folder, validity, given.uids[:1])
        assert given.there() == set(range(6))
        return
    moved = await client.move(folder, validity, [given.uids[0], 999_999], target)
    assert (moved.uids, moved.missing) == ((given.uids[0],), (999_999,))
    assert given.there(target) == {0}
    trashed = await client.delete(folder, validity, [given.uids[1]])
    assert trashed.uids == (given.uids[1],)
    assert given.there() == {2, 3, 4, 5}
    nowhere = given.mailbox.server.full_name("No such")
    with pytest.raises(FolderNotFound):
        await client.move(folder, validity, given.uids[2:3], nowhere)
    assert given.there() == {2, 3, 4, 5}


async def test_delete(given: Given) -> None:
    """A message is gone for good; one that another client has marked as deleted stays."""
    client, folder, validity = given.client, given.folder, given.validity
    given.mailbox.select(folder)
    given.mailbox.store(6, "+", "\\Deleted")
    given.mailbox.settle(folder)
    gone = [given.uids[2]]
    if given.mailbox.server.name == "mailutils":
        with pytest.raises(Unsupported):
            await client.delete(folder, validity, gone, permanently=True)
        assert given.there() == set(range(6))
        return
    done = await client.delete(folder, validity, gone, permanently=True)
    assert done.uids == tuple(gone)
    assert given.there() == {0, 1, 3, 4, 5}


async def test_refusals(given: Given) -> None:
    """Nothing changes, and the error is the true one."""
    client, folder, validity = given.client, given.folder, given.validity
    nowhere = given.mailbox.server.full_name("No such")
    with pytest.raises(FolderNotFound):
        await client.search(nowhere, Criteria(), limit=1)
    with pytest.raises(FolderRenumbered):
        await client.mails(folder, validity + 1, given.uids)
    with pytest.raises(MailNotFound):
        await client.content(folder, validity, 999_999, text_size=10)
    assert given.there() == set(range(6))
