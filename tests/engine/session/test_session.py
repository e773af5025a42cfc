"""Sessions: opening a folder, the first mark, counting unread messages, waiting."""

import pytest

from custom_components.imap_push.imap import ConnectionLost, FolderNotFound, Mark
from custom_components.imap_push.imap.session.select import SelectResult
from custom_components.imap_push.imap.session.session import Session
from custom_components.imap_push.imap.session.sync import read_sync, sync_request
from custom_components.imap_push.imap.wire.command import Command

from ..conftest import account
from ..loop import EngineLoop
from ..scripted import Peer, ScriptedServer, mail
from .support import InboxSession, Reply, replying

OK = b"OK done"
ESEARCH = "UID SEARCH RETURN (COUNT) UNSEEN"
STATUS = 'STATUS "INBOX" (UNSEEN)'
SEARCH = "UID SEARCH UNSEEN"


@pytest.mark.parametrize(
    ("capabilities", "replies", "counted"),
    [
        pytest.param(
            b"IMAP4rev1 ESEARCH",
            {"count": (b"* ESEARCH (TAG x) UID COUNT 3\r\n", OK)},
            [(ESEARCH, 3), (ESEARCH, 3)],
            id="ESEARCH",
        ),
        pytest.param(
            b"IMAP4rev1 ESEARCH",
            {"count": (b"* SEARCH 3 4 9\r\n", OK)},
            [(ESEARCH, 3), (ESEARCH, 3)],
            id="ESEARCH answered with SEARCH",
        ),
        pytest.param(
            b"IMAP4rev1 ESEARCH",
            {"count": (b"", OK), "status": (b"* STATUS INBOX (UNSEEN 3)\r\n", OK)},
            [(ESEARCH, None), (STATUS, 3), (STATUS, 3)],
            id="ESEARCH without an answer",
        ),
        pytest.param(
            b"IMAP4rev1 ESEARCH",
            {
                "count": [(b"", b"BAD what"), (b"* SEARCH 3 4 9\r\n", OK)],
                "status": (b"", b"NO not while it is open"),
            },
            [(ESEARCH, None), (STATUS, None), (SEARCH, 3), (SEARCH, 3)],
            id="ESEARCH and STATUS refused",
        ),
        pytest.param(
            b"IMAP4rev1",
            {"status": (b"* STATUS INBOX (UNSEEN 3)\r\n", OK)},
            [(STATUS, 3), (STATUS, 3)],
            id="STATUS",
        ),
        pytest.param(
            b"IMAP4rev1",
            {
                "status": (b"* STATUS INBOX (MESSAGES 3)\r\n", OK),
                "count": (b"", OK),
            },
            [(STATUS, None), (SEARCH, 0)],
            id="STATUS without UNSEEN",
        ),
        pytest.param(
            b"IMAP4rev1",
            {
                "status": (b"* STATUS Other (UNSEEN 3)\r\n", OK),
                "count": (b"* SEARCH\r\n", OK),
            },
            [(STATUS, None), (SEARCH, 0)],
            id="STATUS of another folder",
        ),
        pytest.param(
            b"IMAP4rev1",
            {"status": (b"", b"NO no"), "count": (b"", b"NO no")},
            [(STATUS, None), (SEARCH, None), (SEARCH, None)],
            id="no way works",
        ),
    ],
)
async def test_ways_to_count_unread_messages(
    capabilities: bytes,
    replies: dict[str, Reply | list[Reply]],
    counted: list[tuple[str, int | None]],
) -> None:
    """Each sync counts, and the next way is used after one that did not work."""
    async with InboxSession(replying(replies), capabilities) as session:
        for sent, unread in counted:
            count = session.count_command("INBOX")
            assert f"{count.name} {count.arguments}" == sent
            await session.connection.send(count)
            assert await session.read_unread(count, "INBOX") == unread


async def test_count_of_two_folders_in_one_write() -> None:
    """If both fail the same way, only one way is skipped."""
    async with InboxSession(replying({"count": (b"", b"NO no")})) as session:
        counts = [session.count_command(name) for name in ("A", "B")]
        await session.connection.send(*counts)
        for count, name in zip(counts, "AB", strict=True):
            assert await session.read_unread(count, name) is None
        assert session.count_command("INBOX").name == "STATUS"


async def test_way_to_count_is_kept_if_pipelining_fails() -> None:
    """A server that answers BAD to all but the first command may support ESEARCH."""
    bad = (b"", b"BAD one at a time")
    async with InboxSession(replying({"old": bad, "count": bad})) as session:
        request = sync_request(session, "INBOX", Mark(1, 5), examines=False)
        await session.connection.send(*request.commands)
        assert (await read_sync(session, request)).unread is None
        assert session.connection.pipelining_failed
        assert session.count_command("INBOX").arguments == "RETURN (COUNT) UNSEEN"


async def test_status_of_another_folder_is_unsolicited() -> None:
    """It is kept for the wait, and the one of the folder is returned."""
    status = b"* STATUS Other (UNSEEN 3)\r\n* STATUS inbox (UNSEEN 2)\r\n"
    async with InboxSession(replying({"status": (status, OK)})) as session:
        command = Command("STATUS", '"INBOX" (UNSEEN)', frozenset({"STATUS"}))
        await session.connection.send(command)
        assert await session.status(command, "INBOX") == {"UNSEEN": 2}
        assert len(session.connection.unsolicited.take().statuses) == 1


async def test_folder_that_does_not_exist() -> None:
    """FolderNotFound is raised with the text of the server."""

    async def serve(peer: Peer) -> None:
        await peer.log_in()
        await peer.answer("EXAMINE", ok=b"NO [NONEXISTENT] no such folder")

    async with ScriptedServer(serve) as server:
        session = await Session.open(account(server.port))
        with pytest.raises(FolderNotFound, match="no such folder"):
            await session.examine("INBOX")
        await session.close()


@pytest.mark.parametrize(
    ("last", "next_uid"), [([41], 42), ([], 1)], ids=["last UID known", "empty folder"]
)
async def test_first_mark_without_uidnext(last: list[int], next_uid: int) -> None:
    """The mark is above the UID of the last message."""

    async def serve(peer: Peer) -> None:
        tag = await peer.expect(r"UID FETCH \* \(UID\)")
        peer.say(*(b"* 7 FETCH (UID %d)" % uid for uid in last), tag + b" OK")

    async with InboxSession(serve, uid_next=0, uid_validity=7) as session:
        assert await session.first_mark(session.selected) == Mark(7, next_uid)


async def test_first_mark() -> None:
    """The mark is at UIDNEXT, so messages that are in the folder are not new."""

    async def serve(_peer: Peer) -> None:
        pass

    async with InboxSession(serve, uid_next=43, uid_validity=7) as session:
        assert await session.first_mark(session.selected) == Mark(7, 43)


@pytest.mark.parametrize(
    ("mark", "continues"),
    [
        (Mark(7, 43), True),
        (Mark(7, 40), True),
        (Mark(6, 43), False),
        (Mark(7, 44), False),
    ],
    ids=["nothing new", "something new", "another UIDVALIDITY", "backwards"],
)
def test_mark_is_still_valid(mark: Mark, continues: bool) -> None:
    """A mark is valid if UIDVALIDITY is the same and UIDNEXT is not below the mark."""
    assert SelectResult(7, 43).continues(mark) is continues
    assert SelectResult(7, None).continues(Mark(7, 99))


async def test_fetch_that_is_refused_after_some_messages() -> None:
    """Scalix sends the messages that it can show, and NO: the others are requested again."""
    reply = (mail(5, 5), b"NO some messages cannot be shown")
    async with InboxSession(replying({"fetch": reply})) as session:
        found = await session.fetch([5, 6], "(UID)")
    assert (list(found.messages), found.has_unknown) == ([5], True)


async def test_exists_during_a_sync_ends_the_next_wait() -> None:
    """EXISTS among the responses to another command is kept for the next wait."""

    async def serve(peer: Peer) -> None:
        tag = await peer.expect("UID FETCH")
        count = await peer.expect("UID SEARCH")
        peer.say(tag + b" OK", b"* 9 EXISTS", count + b" OK")

    async with InboxSession(serve) as session:
        request = sync_request(session, "INBOX", Mark(1, 5), examines=False, synced=4)
        await session.connection.send(*request.commands)
        await read_sync(session, request)
        await session.connection.wait_for_unsolicited(60)


async def test_connection_lost_during_a_wait() -> None:
    """The wait raises ConnectionLost at the end of the connection."""

    async def serve(peer: Peer) -> None:
        peer.close()

    async with InboxSession(serve) as session:
        with pytest.raises(ConnectionLost):
            await session.connection.wait_for_unsolicited(60)


async def test_provider_that_requires_id(to_loopback: EngineLoop) -> None:
    """ID (RFC 2971) is sent before the first EXAMINE if the provider requires it."""

    async def serve(peer: Peer) -> None:
        await peer.log_in()
        await peer.answer(r'ID \("name" "IMAP Push"\)$', b"* ID NIL")
        await peer.examine()
        await peer.leave()

    async with ScriptedServer(serve) as server:
        session = await Session.open(account(server.port, host="imap.163.com"))
        await session.examine("INBOX")
        await session.close()
    assert to_loopback.lookups == [("imap.163.com", server.port)]
