"""All requests of the client on real servers, also while another client changes the mailbox."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from functools import partial
from imaplib import IMAP4
import itertools
import logging
from pathlib import Path
import random
import re
import time
from typing import Any, Self

import pytest

from custom_components.imap_push.imap import (
    Client,
    Criteria,
    CriteriaRefused,
    FlagRefused,
    FolderNotFound,
    FolderRenumbered,
    FolderRole,
    ImapError,
    Mail,
    MailNotFound,
    PartNotFound,
    Unsupported,
)

from ..conftest import account

from tests.required import require
from tests.rig import dovecot, pymap_server
from tests.rig.certificate import make_certificate
from tests.rig.mails import plain, with_attachment
from tests.rig.ports import LOOPBACK

_LOGGER = logging.getLogger(__name__)

FOLDER = "Eingang/Größe & more"
FOLDER_AS_WRITTEN = '"Eingang/Gr&APYA3w-e &- more"'


@dataclass(frozen=True)
class Server:
    """A mailbox on a real server, with its credentials."""

    user: str
    password: str
    port: int

    def client(self) -> Client:
        """Return the client under test."""
        return Client(account(self.port, username=self.user, password=self.password))

    def other(self) -> IMAP4:
        """Return another client, logged in."""
        other = IMAP4(LOOPBACK, self.port)
        other.login(self.user, self.password)
        return other

    async def do[T](self, act: Callable[[IMAP4], T]) -> T:
        """Run a function with another client, in a thread."""

        def run() -> T:
            with self.other() as other:
                return act(other)

        return await asyncio.to_thread(run)

    async def message_ids(self, folder: str) -> dict[str, set[str]]:
        """Return the flags of each message in a folder by its Message-ID."""
        return await self.do(lambda other: message_ids(other, folder))


def message_ids(other: IMAP4, folder: str) -> dict[str, set[str]]:
    """Return the flags of each message in a folder by its Message-ID, read by another client."""
    status, [messages] = other.select(folder, readonly=True)
    if status != "OK" or messages == b"0":
        return {}
    found: dict[str, set[str]] = {}
    for line in other.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")[1]:
        if isinstance(line, tuple):
            flags = re.search(rb"FLAGS \(([^)]*)\)", line[0])
            message_id = re.search(rb"<[^>]+>", line[1])
            assert flags
            assert message_id
            names = set(flags[1].decode().split()) - {"\\Recent"}
            found[message_id[0].decode()] = names
    return found


def append(other: IMAP4, folder: str, mail: EmailMessage) -> bool:
    """Append a message with another client; return True if the server accepted it."""
    return other.append(folder, "", "", bytes(mail))[0] == "OK"


class Dovecots:
    """A Dovecot for each set of capabilities, started at the first use; each test has a new user."""

    def __init__(self, folder: Path) -> None:
        """Create the certificate; start no server."""
        self._certificate = make_certificate(folder)
        self._running: dict[str, dovecot.Dovecot] = {}
        self._users = (f"user{number}@example.org" for number in itertools.count())

    def server(self, without: str) -> Server:
        """Return an empty mailbox on a Dovecot without these capabilities."""
        require(dovecot.Dovecot.available(), "Dovecot 2.3")
        if without not in self._running:
            users = {f"user{number}@example.org": "secret" for number in range(500)}
            self._running[without] = dovecot.Dovecot(
                self._certificate, users=users, without=tuple(without.split())
            )
            self._running[without].start()
        return Server(next(self._users), "secret", self._running[without].imap_port)

    def close(self) -> None:
        """Stop all servers."""
        for running in self._running.values():
            running.close()


@pytest.fixture(scope="module")
def dovecots(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dovecots]:
    """Yield the Dovecots of this module."""
    dovecots = Dovecots(tmp_path_factory.mktemp("certificate"))
    yield dovecots
    dovecots.close()


ALL = ""
# RFC 3501 and UIDPLUS remain.
WITHOUT_EXTENSIONS = "MOVE ESEARCH LITERAL+ CONDSTORE QRESYNC SPECIAL-USE LIST-EXTENDED"
ON_PYMAP = None


@pytest.fixture(
    params=[
        pytest.param(ALL, id="Dovecot", marks=pytest.mark.dovecot),
        pytest.param(WITHOUT_EXTENSIONS, id="plain Dovecot", marks=pytest.mark.dovecot),
        pytest.param(ON_PYMAP, id="pymap", marks=pytest.mark.pymap),
    ]
)
async def server(
    request: pytest.FixtureRequest, dovecots: Dovecots, socket_enabled: None
) -> AsyncIterator[Server]:
    """Yield an empty mailbox on each real server."""
    if request.param is not ON_PYMAP:
        yield dovecots.server(request.param)
        return
    async with pymap_server.PymapServer() as pymap:
        yield Server(pymap_server.USER, pymap_server.PASSWORD, pymap.port)


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    """Yield a client, and close it after the test."""
    client = server.client()
    yield client
    await client.close()


@pytest.fixture
async def filled(server: Server) -> list[EmailMessage]:
    """Append five messages to FOLDER, and create two more folders."""
    mails = [
        plain("Bericht 1", text="Grüße aus Köln\n"),
        plain("Größe", sender="Jürgen <j@example.org>"),
        with_attachment("with a file", 700_000),
        plain("list", headers={"List-Id": "<x>"}),
        plain("Bericht 2"),
    ]

    def fill(other: IMAP4) -> None:
        other.create("Trash")
        other.create("Archive")
        other.create(FOLDER_AS_WRITTEN)
        for mail in mails:
            append(other, FOLDER_AS_WRITTEN, mail)

    await server.do(fill)
    return mails


async def uids_in(client: Client, folder: str = FOLDER) -> tuple[int, list[int]]:
    """Return UIDVALIDITY and all UIDs, oldest first."""
    found = await client.search(folder, Criteria(), limit=1000)
    return found.uid_validity, list(reversed(found.uids))


async def test_folders(client: Client, filled: object) -> None:
    """Folders have their decoded names and their roles."""
    folders = await client.folders()
    assert folders[0].name == "INBOX"
    by_name = {folder.name: folder.role for folder in folders}
    assert by_name.pop("Eingang", None) is None
    assert by_name == {
        "INBOX": FolderRole.INBOX,
        "Archive": FolderRole.ARCHIVE,
        "Trash": FolderRole.TRASH,
        FOLDER: None,
    }


@pytest.mark.parametrize(
    ("criteria", "found"),
    [
        pytest.param(Criteria(), [5, 4, 3, 2, 1], id="all"),
        pytest.param(Criteria(subject="bericht"), [5, 1], id="subject"),
        pytest.param(Criteria(subject="Größe"), [2], id="subject not ASCII"),
        pytest.param(
            Criteria(sender="Jürgen", text="hello"), [2], id="sender and text"
        ),
        pytest.param(Criteria(text="Köln", subject="e"), [1], id="text not ASCII"),
        pytest.param(
            Criteria(recipient="user@example.org", unread=True),
            [5, 4, 3, 2, 1],
            id="to",
        ),
        pytest.param(Criteria(flagged=True), [], id="flagged"),
        pytest.param(Criteria(flagged=False, unread=False), [], id="read"),
        pytest.param(Criteria(larger_than=500_000, newer_than=1), [3], id="larger"),
        pytest.param(Criteria(has_attachment=True), [3], id="with a file"),
        pytest.param(Criteria(has_attachment=False), [5, 4, 2, 1], id="without a file"),
        pytest.param(
            Criteria(raw='OR SUBJECT "Bericht 1" (SUBJECT "Größe" UNSEEN)'),
            [2, 1],
            id="raw",
        ),
    ],
)
async def test_search(
    client: Client, filled: object, criteria: Criteria, found: list[int]
) -> None:
    """All criteria must match; the newest messages come first."""
    _, uids = await uids_in(client)
    answer = await client.search(FOLDER, criteria, limit=10)
    assert answer.uids == tuple(uids[number - 1] for number in found)
    assert answer.total == len(found)
    first = await client.search(FOLDER, criteria, limit=1)
    assert first.uids == answer.uids[:1]
    assert first.total == len(found)


async def test_search_for_messages_that_are_one_attachment(
    server: Server, client: Client
) -> None:
    """A message whose own content type is not text has an attachment."""
    types = ("application/pdf", "image/jpeg", "audio/wav", "video/mp4", "text/calendar")

    def fill(other: IMAP4) -> None:
        other.create(FOLDER_AS_WRITTEN)
        for content_type in types:
            mail = EmailMessage()
            mail["Subject"] = content_type
            mail.set_content(b"content", *content_type.split("/"))
            append(other, FOLDER_AS_WRITTEN, mail)
        append(other, FOLDER_AS_WRITTEN, plain("text"))

    await server.do(fill)
    for has_attachment, total in ((True, len(types)), (False, 1)):
        criteria = Criteria(has_attachment=has_attachment)
        assert (await client.search(FOLDER, criteria, limit=10)).total == total


async def test_refused_criteria(client: Client, filled: object) -> None:
    """CriteriaRefused is raised, and the next search works."""
    for raw in (
        "BOGUS",
        "OR SUBJECT",
        'SUBJECT "',
        "ALL\r\nA1 DELETE Trash",
        "UID {3}",
    ):
        with pytest.raises(CriteriaRefused):
            await client.search(FOLDER, Criteria(raw=raw), limit=1)
    assert (await client.search(FOLDER, Criteria(), limit=1)).total == 5
    with pytest.raises(FolderNotFound):
        await client.search("nowhere", Criteria(), limit=1)


async def test_many_searches_in_a_missing_folder(client: Client) -> None:
    """FolderNotFound is raised; the server does not close the connection after many failures."""
    with pytest.raises(FolderNotFound):
        await client.count("nowhere", [Criteria()] * 40, among=[1])


async def test_count(client: Client, filled: object) -> None:
    """Several searches are sent together; a refused one does not affect the others."""
    _, uids = await uids_in(client)
    searches = [
        Criteria(),
        Criteria(raw="BOGUS"),
        Criteria(subject="Größe"),
        Criteria(subject="nothing"),
        Criteria(raw='"'),
    ]
    counted = await client.count(FOLDER, searches, among=[uids[1], uids[4], 9999])
    totals = [getattr(each, "total", None) for each in counted]
    assert totals == [5, None, 1, 0, None]
    matching = [getattr(each, "matching", None) for each in counted]
    assert matching == [{uids[1], uids[4]}, None, {uids[1]}, frozenset(), None]
    assert isinstance(counted[1], CriteriaRefused)


async def test_reading_does_not_set_seen(
    client: Client, filled: list[EmailMessage]
) -> None:
    """Messages, text and attachments are returned completely, and all messages stay unread."""
    validity, uids = await uids_in(client)
    mails = await client.mails(FOLDER, validity, [uids[4], 9999, uids[0]])
    assert [mail.subject for mail in mails] == ["Bericht 2", "Bericht 1"]
    content = await client.content(FOLDER, validity, uids[0], text_size=1000)
    assert (content.text, content.truncated) == ("Grüße aus Köln", False)
    assert ("Subject", "Bericht 1") in content.headers
    content = await client.content(FOLDER, validity, uids[2], text_size=3)
    assert (content.text, content.truncated) == ("Hel", True)
    file = await client.attachment(FOLDER, validity, uids[2], "2")
    assert file.content_type == "application/pdf"
    pieces = [piece async for piece in client.read_part(FOLDER, validity, uids[2], "2")]
    [attached] = filled[2].iter_attachments()
    assert b"".join(pieces) == attached.get_content()
    assert len(pieces) > 2
    for part in ("3", "1.1", "x", "1]"):
        with pytest.raises(PartNotFound):
            await client.attachment(FOLDER, validity, uids[2], part)
    with pytest.raises(MailNotFound):
        await client.content(FOLDER, validity, 9999, text_size=10)
    assert (await client.search(FOLDER, Criteria(unread=True), limit=1)).total == 5


async def test_flags(
    client: Client, server: Server, filled: list[EmailMessage]
) -> None:
    """Flags are set and removed; missing UIDs are returned; invalid flags raise FlagRefused."""
    validity, uids = await uids_in(client)
    done = await client.set_flags(
        FOLDER, validity, [9999, uids[1], uids[0]], add=["\\seen", "\\Flagged"]
    )
    assert (done.uids, done.missing) == ((uids[1], uids[0]), (9999,))
    done = await client.set_flags(FOLDER, validity, uids[:1], remove=["\\Flagged"])
    flags = await server.message_ids(FOLDER_AS_WRITTEN)
    assert flags[filled[0]["Message-ID"]] == {"\\Seen"}
    assert flags[filled[1]["Message-ID"]] == {"\\Seen", "\\Flagged"}
    assert sum(map(len, flags.values())) == 3
    with pytest.raises(MailNotFound):
        await client.set_flags(FOLDER, validity, [9999], add=["\\Seen"])
    for flag in ("a b", "\\Recent", "", "x)", "ü", "a\r\nb"):
        with pytest.raises(FlagRefused):
            await client.set_flags(FOLDER, validity, uids, add=[flag])


async def test_moving_and_deleting(
    client: Client, server: Server, filled: list[EmailMessage]
) -> None:
    r"""Only these messages are moved or deleted; other messages with \Deleted stay."""
    validity, uids = await uids_in(client)
    await client.set_flags(FOLDER, validity, uids[4:], add=["\\Deleted"])
    ids = [mail["Message-ID"] for mail in filled]
    done = await client.move(FOLDER, validity, [uids[0], 9999], "Archive")
    assert (done.uids, done.missing) == ((uids[0],), (9999,))
    assert (await client.delete(FOLDER, validity, [uids[1]])).uids == (uids[1],)
    done = await client.delete(FOLDER, validity, [uids[2], 9999], permanently=True)
    assert (done.uids, done.missing) == ((uids[2],), (9999,))
    assert [*await server.message_ids("Archive")] == ids[:1]
    assert [*await server.message_ids("Trash")] == ids[1:2]
    assert [*await server.message_ids(FOLDER_AS_WRITTEN)] == ids[3:]
    with pytest.raises(FolderNotFound, match="Nowhere"):
        await client.move(FOLDER, validity, uids[3:], "Nowhere")
    with pytest.raises(MailNotFound):
        await client.move(FOLDER, validity, uids[:1], "Archive")
    validity, [trashed] = await uids_in(client, "Trash")
    with pytest.raises(Unsupported):
        await client.delete("Trash", validity, [trashed])
    with pytest.raises(Unsupported):
        await client.move("Trash", validity, [trashed], "Trash")
    await client.delete("Trash", validity, [trashed], permanently=True)
    assert await server.message_ids("Trash") == {}


def renumber(other: IMAP4, folder: str) -> None:
    """Delete and recreate a folder, with other messages that have the same UIDs."""
    other.delete(folder)
    other.create(folder)
    for number in range(5):
        append(other, folder, plain(f"other {number}"))


REQUESTS: list[Any] = [
    pytest.param(lambda c, v, u: c.mails(FOLDER, v, u), id="mails"),
    pytest.param(lambda c, v, u: c.content(FOLDER, v, u[0], text_size=9), id="content"),
    pytest.param(lambda c, v, u: c.attachment(FOLDER, v, u[2], "2"), id="attachment"),
    pytest.param(
        lambda c, v, u: c.set_flags(FOLDER, v, u, add=["\\Seen"]), id="set_flags"
    ),
    pytest.param(lambda c, v, u: c.move(FOLDER, v, u, "Archive"), id="move"),
    pytest.param(lambda c, v, u: c.delete(FOLDER, v, u), id="delete"),
    pytest.param(
        lambda c, v, u: c.delete(FOLDER, v, u, permanently=True),
        id="delete permanently",
    ),
]


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("is_writable", [False, True], ids=["read before", "written"])
async def test_uidvalidity_changed_while_the_folder_is_open(
    client: Client,
    server: Server,
    filled: object,
    request_: Callable[..., Any],
    is_writable: bool,
) -> None:
    """FolderRenumbered is raised, and the messages that have the UIDs now are not changed."""
    validity, uids = await uids_in(client)
    if is_writable:
        await client.set_flags(FOLDER, validity, uids[:1], add=["\\Answered"])
    await server.do(lambda other: renumber(other, FOLDER_AS_WRITTEN))
    with pytest.raises(FolderRenumbered):
        await request_(client, validity, uids)
    flags = await server.message_ids(FOLDER_AS_WRITTEN)
    assert len(flags) == 5
    assert not any(flags.values())
    assert await server.message_ids("Archive") == {}


# Dovecot names the index files of a folder by the second of their creation. If a folder is
# recreated within the same second, Dovecot confuses the old messages with the new ones.
RENUMBER_INTERVAL_SECONDS = 1.2


class ConcurrentClient:
    """A client that changes the folder all the time, and records the messages it removes."""

    def __init__(self, server: Server) -> None:
        """Use a fixed seed, so that a failure is likely to happen again."""
        self._server = server
        self._random = random.Random(5)
        self._numbers = itertools.count()
        self._is_stopped = False
        self.appended: set[str] = set()
        self.removed: set[str] = set()
        self.renumbered = 0
        self._created_at = time.monotonic()

    async def __aenter__(self) -> Self:
        """Start to change the folder."""
        self._task = asyncio.create_task(asyncio.to_thread(self._run))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop and wait for the thread."""
        self._is_stopped = True
        await self._task

    def _run(self) -> None:
        while not self._is_stopped:
            try:
                with self._server.other() as other:
                    while not self._is_stopped:
                        self._act(other)
            except IMAP4.error, OSError:
                continue

    def _act(self, other: IMAP4) -> None:
        if time.monotonic() - self._created_at > RENUMBER_INTERVAL_SECONDS:
            self._renumber(other)
        match self._random.randrange(12):
            case 1 | 2:
                self._remove(other, "move")
            case 3 | 4:
                self._remove(other, "expunge")
            case 5:
                other.select(FOLDER_AS_WRITTEN)
                other.store("1:*", "+FLAGS", "(\\Seen)")
            case _:
                self._append(other)

    def _append(self, other: IMAP4) -> None:
        mail = plain(f"mail {next(self._numbers)}")
        if append(other, FOLDER_AS_WRITTEN, mail):
            self.appended.add(mail["Message-ID"])

    def _remove(self, other: IMAP4, action: str) -> None:
        other.select(FOLDER_AS_WRITTEN)
        uids = other.uid("SEARCH", "ALL")[1][0].split()
        if not uids:
            return
        uid = self._random.choice(uids).decode()
        header = "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"
        [found, *_] = other.uid("FETCH", uid, header)[1]
        if not isinstance(found, tuple):
            return
        self.removed.add(found[1].decode().partition(":")[2].strip())
        if action == "move":
            other.uid("COPY", uid, "Elsewhere")
        other.uid("STORE", uid, "+FLAGS.SILENT", "(\\Deleted)")
        other.uid("EXPUNGE", uid)

    def _renumber(self, other: IMAP4) -> None:
        self.removed.update(message_ids(other, FOLDER_AS_WRITTEN))
        other.select("Elsewhere")
        other.delete(FOLDER_AS_WRITTEN)
        other.create(FOLDER_AS_WRITTEN)
        self._created_at = time.monotonic()
        self.renumbered += 1
        for _ in range(4):
            self._append(other)


# Actions in the test below, and how long they may take. After an error, wait a moment.
MIN_ACTIONS = 30
MAX_SECONDS = 60
ERROR_SECONDS = 0.05
ACTIONS = ("flag", "move", "read", "trash", "remove")


class User:
    """Searches for messages, acts on them, and records which ones they are."""

    def __init__(self, client: Client, concurrent: ConcurrentClient) -> None:
        """Start without records."""
        self._client = client
        self._concurrent = concurrent
        self._known: dict[tuple[int, int], set[str | None]] = {}
        # How often the folder had been recreated when a UID was found first.
        self._first_seen: dict[tuple[int, int], int] = {}
        self.intended: dict[str, set[str]] = {
            action: set() for action in ("flag", "move", "trash", "remove")
        }
        self.done: dict[str, set[str]] = {action: set() for action in self.intended}

    async def act(self, action: str) -> None:
        """Find some messages, wait a short time, and act on them."""
        try:
            found = await self._client.search(FOLDER, Criteria(), limit=3)
            mails = await self._client.mails(FOLDER, found.uid_validity, found.uids)
            await asyncio.sleep(random.random() / 50)
            for mail in mails:
                self._recognize(mail)
            if mails:
                await self._act(
                    action, found.uid_validity, [mail.uid for mail in mails]
                )
        except ImapError as error:
            _LOGGER.info("%s: %r", action, error)
            await asyncio.sleep(ERROR_SECONDS)

    async def _act(self, action: str, validity: int, uids: list[int]) -> None:
        client = self._client
        if action == "read":
            content = await client.content(FOLDER, validity, uids[0], text_size=99)
            self._recognize(content.mail)
            return
        self.intended[action] |= self._ids(validity, uids)
        match action:
            case "flag":
                add = ["\\Flagged"]
                done = await client.set_flags(FOLDER, validity, uids, add=add)
            case "move":
                done = await client.move(FOLDER, validity, uids, "Archive")
            case "trash":
                done = await client.delete(FOLDER, validity, uids)
            case _:
                done = await client.delete(FOLDER, validity, uids, permanently=True)
        assert set(done.uids) | set(done.missing) == set(uids)
        # If two messages had this UID, it is unknown which one was changed.
        for uid in done.uids:
            if len(ids := self._ids(validity, [uid])) == 1:
                self.done[action] |= ids

    def _recognize(self, mail: Mail) -> None:
        """Check that this UID still names the same message.

        A busy Dovecot can give a recreated folder an earlier UIDVALIDITY, which no client can
        detect: after the folder was recreated, another message is accepted.
        """
        identity = mail.uid_validity, mail.uid
        known = self._known.setdefault(identity, {mail.message_id})
        first_seen = self._first_seen.setdefault(identity, self._concurrent.renumbered)
        assert mail.message_id in known or first_seen < self._concurrent.renumbered
        known.add(mail.message_id)

    def _ids(self, validity: int, uids: Iterable[int]) -> set[str]:
        return {
            message_id or ""
            for uid in uids
            for message_id in self._known[validity, uid]
        }


async def test_only_the_intended_messages_are_changed(
    client: Client, server: Server
) -> None:
    """No other message is changed, even if another client changes the folder at the same time."""
    folders = ("Archive", "Trash", "Elsewhere", FOLDER_AS_WRITTEN)
    for folder in folders:
        await server.do(partial(IMAP4.create, mailbox=folder))
    concurrent = ConcurrentClient(server)
    user = User(client, concurrent)
    # Only after the server sent COPYUID is a move without it known to have moved nothing.
    for action in ("move", "trash"):
        await server.do(concurrent._append)
        await user.act(action)
    async with concurrent, asyncio.timeout(MAX_SECONDS):
        for number in itertools.count():
            await user.act(ACTIONS[number % len(ACTIONS)])
            has_seen_all = concurrent.renumbered > 1 and all(user.done.values())
            if has_seen_all and number > MIN_ACTIONS:
                break
    there = {folder: await server.message_ids(folder) for folder in folders}
    flagged = {
        message_id
        for mails in there.values()
        for message_id, flags in mails.items()
        if "\\Flagged" in flags
    }
    gone = concurrent.appended.difference(*there.values())
    assert flagged <= user.intended["flag"]
    for done, folder in (("move", "Archive"), ("trash", "Trash")):
        assert not user.done[done] - there[folder].keys()
        assert not there[folder].keys() - user.intended[done]
    assert gone <= concurrent.removed | user.intended["remove"]
    assert concurrent.removed
