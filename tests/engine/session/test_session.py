"""Sessions: sync, search and UIDVALIDITY of the open folder."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import batched

import pytest

from custom_components.imap_push.imap import ConnectionLost, FolderNotFound, Mark
from custom_components.imap_push.imap.session.fetch_items import MAX_FOUND
from custom_components.imap_push.imap.session.recover import (
    received_since,
    sync_by_search,
)
from custom_components.imap_push.imap.session.select import SelectResult
from custom_components.imap_push.imap.session.session import Session
from custom_components.imap_push.imap.session.sync import BATCH, SyncBatch
from custom_components.imap_push.imap.wire.parser import Value

from ..conftest import account
from ..loop import EngineLoop
from ..scripted import BrokenItems, Peer, ScriptedServer, mail


class InboxSession:
    """A session that has INBOX open on a scripted server."""

    def __init__(
        self, serve: Callable[[Peer], Awaitable[None]], **examined: int
    ) -> None:
        """Set the response to EXAMINE, and the script that runs after it."""
        self._serve = serve
        self._examined = examined

    async def __aenter__(self) -> Session:
        """Start the server and open INBOX."""

        async def script(peer: Peer) -> None:
            await peer.log_in()
            await peer.examine(**self._examined)
            await self._serve(peer)

        self._server = ScriptedServer(script)
        await self._server.__aenter__()
        self._session = await Session.open(account(self._server.port))
        await self._session.examine("INBOX")
        return self._session

    async def __aexit__(self, *args: object) -> None:
        """Log out and stop the server."""
        await self._session.close()
        await self._server.__aexit__(*args)  # type: ignore[arg-type]


async def sync_folder(
    session: Session, mark: Mark, *, shows_newest: bool = False
) -> tuple[SyncBatch, int | None]:
    """Sync the open folder; return the batch and the number of unread messages."""
    request = session.sync_request(
        "INBOX", mark, opens=False, shows_newest=shows_newest
    )
    await session.send(request.commands)
    batch = await session.read_batch(request)
    assert batch is not None
    return batch, await session.read_unread(request)


@pytest.mark.parametrize(
    ("found", "new", "next_uid", "newest"),
    [
        ([], [], 5, None),
        ([4], [], 5, 4),
        ([5, 6, 9], [5, 6, 9], 10, 9),
        ([9, 5, 6], [5, 6, 9], 10, 9),
        ([5, 5], [5], 6, 5),
    ],
    ids=[
        "empty folder",
        "the last one is old",
        "three new",
        "in any order",
        "reported twice",
    ],
)
async def test_sync(
    found: list[int], new: list[int], next_uid: int, newest: int | None
) -> None:
    """Each new message is returned one time, by ascending UID, with the first UID of the next sync."""

    async def serve(peer: Peer) -> None:
        command = await peer.sync(*found, unread=3)
        assert b"UID FETCH 5:504 " in command
        assert b"BODY.PEEK" in command

    async with InboxSession(serve, uid_next=5) as session:
        batch, unread = await sync_folder(session, Mark(1, 5), shows_newest=True)
    assert [mail.uid async for mail in batch.mails()] == new
    assert batch.next_uid == next_uid
    last = await batch.newest_mail()
    assert (last and last.uid) == newest
    assert (unread, batch.complete) == (3, True)


async def test_flag_change_of_the_newest_message_during_a_sync() -> None:
    """The unsolicited FETCH response does not replace the fields of the newest message."""

    async def serve(peer: Peer) -> None:
        tag = await peer.expect("UID FETCH 5:")
        newest = await peer.expect("UID FETCH 4294967295:")
        count = await peer.expect("UID SEARCH")
        peer.say(b"* 1 FETCH (UID 4 FLAGS (\\Seen))", tag + b" OK")
        peer.say_raw(mail(1, 4, "Lunch"))
        peer.say(newest + b" OK", b"* ESEARCH UID", count + b" OK")

    async with InboxSession(serve) as session:
        batch, _ = await sync_folder(session, Mark(1, 5), shows_newest=True)
    newest = await batch.newest_mail()
    assert newest is not None
    assert newest.subject == "Lunch"


async def test_flag_change_is_not_new_mail() -> None:
    """An unsolicited FETCH response with flags is no message; a UID above the mark is pending."""

    async def serve(peer: Peer) -> None:
        tag = await peer.expect("UID FETCH")
        count = await peer.expect("UID SEARCH")
        peer.say(b"* 9 FETCH (FLAGS ())", b"* 1 FETCH (UID 3 FLAGS (\\Seen))")
        peer.say(b"* 3 FETCH (UID 30 FLAGS (\\Seen))")
        peer.say_raw(mail(1, 5))
        peer.say(tag + b" OK", b"* ESEARCH UID", count + b" OK")

    async with InboxSession(serve) as session:
        batch, unread = await sync_folder(session, Mark(1, 5))
    assert [mail.uid async for mail in batch.mails()] == [5]
    assert (batch.next_uid, batch.pending_uid) == (30, 30)
    assert unread == 0


@pytest.mark.parametrize(
    "cut", [b"", b"A1 NO failed\r\n"], ids=["connection lost", "refused"]
)
async def test_sync_without_a_tagged_ok_fails(cut: bytes) -> None:
    """A response that ends early raises an error, and is no empty result."""

    async def serve(peer: Peer) -> None:
        tag = await peer.expect("UID FETCH")
        await peer.expect("UID SEARCH")
        peer.say_raw(mail(1, 5))
        if cut:
            peer.say(tag + b" NO failed")
        peer.close()

    async with InboxSession(serve) as session:
        with pytest.raises(Exception, match="failed|closed"):
            await sync_folder(session, Mark(1, 5))


async def test_refused_count_does_not_delay_mail() -> None:
    """The message is returned, and the number of unread messages is unknown."""

    async def serve(peer: Peer) -> None:
        tag = await peer.expect("UID FETCH")
        count = await peer.expect("UID SEARCH")
        peer.say_raw(mail(1, 5))
        peer.say(count + b" NO [SERVERBUG] no", tag + b" OK")

    async with InboxSession(serve) as session:
        batch, unread = await sync_folder(session, Mark(1, 5))
    assert [mail.uid async for mail in batch.mails()] == [5]
    assert unread is None


async def test_exception_while_a_message_is_parsed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The message is reported without its fields, and the exception is logged."""
    messages: dict[int, dict[str, Value]] = {
        5: BrokenItems("BODY"),
        6: {"BODY": b"Subject: a\r\n"},
    }
    batch = SyncBatch("INBOX", Mark(1, 5), 7, messages=messages)
    found = [(mail.uid, mail.subject) async for mail in batch.mails()]
    assert found == [(5, ""), (6, "a")]
    assert caplog.text.count("cannot be read") == 1


@pytest.mark.parametrize("refused", [False, True], ids=["STATUS", "SEARCH"])
async def test_count_without_esearch(refused: bool) -> None:
    """STATUS counts unread messages without ESEARCH; if it is refused, UID SEARCH does."""

    async def serve(peer: Peer) -> None:
        await peer.log_in(b"IMAP4rev1")
        await peer.examine()
        fetch = await peer.expect("UID FETCH")
        count = await peer.expect(r'STATUS "INBOX" \(UNSEEN\)')
        answer = b" NO not while it is open" if refused else b" OK"
        peer.say(b"* STATUS INBOX (UNSEEN 3)", fetch + b" OK", count + answer)
        fetch = await peer.expect("UID FETCH")
        if refused:
            count = await peer.expect("UID SEARCH UNSEEN$")
            peer.say(b"* SEARCH 3 4 9", fetch + b" OK", count + b" OK")
        else:
            count = await peer.expect("STATUS")
            peer.say(fetch + b" OK", count + b" OK")

    async with ScriptedServer(serve) as server:
        session = await Session.open(account(server.port))
        await session.examine("INBOX")
        assert (await sync_folder(session, Mark(1, 1)))[1] == (None if refused else 3)
        assert (await sync_folder(session, Mark(1, 1)))[1] == (3 if refused else None)
        await session.close()


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
        assert await session.first_mark() == Mark(7, next_uid)


async def test_too_many_messages_since_a_date() -> None:
    """None is returned, as for a mailbox restored from a backup, and the session stays open."""
    uids = [b" %d" % uid for uid in range(1, MAX_FOUND + 2)]

    async def serve(peer: Peer) -> None:
        responses = (
            b"* SEARCH" + b"".join(some) for some in batched(uids, 99_999, strict=False)
        )
        await peer.answer("UID SEARCH SINCE", *responses)

    async with InboxSession(serve) as session:
        received = received_since(session, datetime(2026, 1, 2, tzinfo=UTC))
        assert [mail async for mail in received] == []


async def test_first_mark() -> None:
    """The mark is at UIDNEXT, so messages that are in the folder are not new."""

    async def serve(_peer: Peer) -> None:
        pass

    async with InboxSession(serve, uid_next=43, uid_validity=7) as session:
        assert await session.first_mark() == Mark(7, 43)


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


async def test_catch_up_in_batches() -> None:
    """No FETCH requests more than a batch, and no message is left out."""
    found = [*range(3_001, 3_002 + BATCH)]
    last = found[-1]

    async def serve(peer: Peer) -> None:
        assert b" 10:509 " in await peer.sync(10, 11, last)
        assert b" 12:511 " in await peer.sync(511, last)
        assert b" 512:1011 " in await peer.sync(last)
        search = b"* SEARCH 9" + b"".join(b" %d" % uid for uid in reversed(found))
        await peer.answer("UID SEARCH UID 512:", search)
        fetch = await peer.expect(f"UID FETCH {','.join(map(str, found[:-1]))} ")
        peer.say_raw(b"".join(mail(uid, uid) for uid in found[:-1]))
        peer.say(fetch + b" OK")
        assert b" %d:" % last in await peer.sync(last)

    async with InboxSession(serve, uid_next=last + 1) as session:
        mark, uids = Mark(1, 10), []
        for empty in (False, False, True):
            batch, _ = await sync_folder(session, mark)
            assert (batch.is_empty, batch.complete) == (empty, False)
            uids += [mail.uid async for mail in batch.mails()]
            mark = mark.at(batch.next_uid)
        batch = await sync_by_search(session, "INBOX", mark)
        assert not batch.complete
        uids += [mail.uid async for mail in batch.mails()]
        assert uids == [10, 11, 511, *found[:-1]]
        await sync_folder(session, mark.at(batch.next_uid))


async def test_message_that_the_server_cannot_return() -> None:
    """The other messages are complete, and this one has the items that the server can return."""

    async def serve(peer: Peer) -> None:
        await peer.answer("UID SEARCH UID 5:", b"* SEARCH 5 6 7")
        await peer.answer("UID FETCH 5,6,7 ", ok=b"NO [SERVERBUG] cannot")
        fetch = await peer.expect("UID FETCH 5 ")
        peer.say_raw(mail(1, 5))
        peer.say(fetch + b" OK")
        await peer.answer("UID FETCH 6,7 ", ok=b"NO [SERVERBUG] cannot")
        await peer.answer(r"UID FETCH 6 .*STRUCTURE", ok=b"NO [SERVERBUG] cannot")
        await peer.answer(r"UID FETCH 6 .*HEADER", ok=b"NO [SERVERBUG] cannot")
        await peer.answer(
            r"UID FETCH 6 \(UID FLAGS INTERNALDATE RFC822.SIZE\)$",
            b"* 2 FETCH (UID 6 FLAGS (x) RFC822.SIZE 9)",
        )
        for _ in range(3):
            await peer.answer(r"UID FETCH 7 ", ok=b"NO [SERVERBUG] cannot")

    async with InboxSession(serve) as session:
        batch = await sync_by_search(session, "INBOX", Mark(1, 5))
    mails = [(mail.uid, mail.subject, mail.size) async for mail in batch.mails()]
    assert mails == [(5, "mail 5", 100), (6, "", 9), (7, "", 0)]
    assert (batch.next_uid, batch.complete) == (8, True)


@pytest.mark.parametrize(
    ("bare", "uids", "next_uid"),
    [(5, [], 5), (6, [5], 6), (7, [5, 6], 7)],
    ids=["the first", "between", "the last"],
)
async def test_message_announced_before_it_is_available(
    bare: int, uids: list[int], next_uid: int
) -> None:
    """It is pending, and later messages wait for it so that the order is kept."""

    async def serve(peer: Peer) -> None:
        fetch = await peer.expect("UID FETCH")
        count = await peer.expect("UID SEARCH")
        for uid in range(5, 8):
            whole = mail(uid, uid)
            peer.say_raw(whole if uid != bare else b"* 9 FETCH (UID %d)\r\n" % uid)
        peer.say(fetch + b" OK", count + b" OK")

    async with InboxSession(serve) as session:
        batch, _ = await sync_folder(session, Mark(1, 5))
    assert [mail.uid async for mail in batch.mails()] == uids
    assert (batch.pending_uid, batch.next_uid) == (bare, next_uid)


async def test_exists_during_a_sync_ends_the_next_wait() -> None:
    """EXISTS among the responses to another command is kept for the next wait."""

    async def serve(peer: Peer) -> None:
        tag = await peer.expect("UID FETCH")
        count = await peer.expect("UID SEARCH")
        peer.say(tag + b" OK", b"* 9 EXISTS", count + b" OK")

    async with InboxSession(serve) as session:
        await sync_folder(session, Mark(1, 5))
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
