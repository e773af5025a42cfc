"""What a session reads out of a folder."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from custom_components.imap_push.imap import ConnectionLost, FolderNotFound, Mark
from custom_components.imap_push.imap.auth import login as auth
from custom_components.imap_push.imap.quirks import Quirks
from custom_components.imap_push.imap.session import (
    fetch_items as fetching_module,
    message_reader,
    sync,
)
from custom_components.imap_push.imap.session.recover import (
    received_since,
    sync_by_search,
)
from custom_components.imap_push.imap.session.select import SelectResult
from custom_components.imap_push.imap.session.session import Session
from custom_components.imap_push.imap.session.sync import SyncBatch

from ..conftest import account
from ..scripted import Peer, ScriptedServer, mail


class OnServer:
    """A session on a server that plays one script after EXAMINE."""

    def __init__(
        self, serve: Callable[[Peer], Awaitable[None]], **examined: int
    ) -> None:
        """Open INBOX on a server that plays this after EXAMINE told this."""
        self._serve = serve
        self._examined = examined

    async def __aenter__(self) -> Session:
        """Open."""

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
        """Log out."""
        await self._session.close()
        await self._server.__aexit__(*args)  # type: ignore[arg-type]


async def sweep(
    session: Session, mark: Mark, *, shows_newest: bool = False
) -> tuple[SyncBatch, int | None]:
    """Sweep the open folder and count."""
    request = session.sync_request(
        "INBOX", mark, opens=False, shows_newest=shows_newest
    )
    await session.send(request.commands)
    swept = await session.read_batch(request)
    assert swept is not None
    return swept, await session.read_unread(request)


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
        "told twice",
    ],
)
async def test_sweep(
    found: list[int], new: list[int], next_uid: int, newest: int | None
) -> None:
    """See each new mail once, in the order of UIDs, and where the next sweep starts."""

    async def serve(peer: Peer) -> None:
        asked = await peer.sync(*found, unread=3)
        assert b"UID FETCH 5:504 " in asked
        assert b"BODY.PEEK" in asked

    async with OnServer(serve, uid_next=5) as session:
        swept, unread = await sweep(session, Mark(1, 5), shows_newest=True)
    assert [mail.uid async for mail in swept.mails()] == new
    assert swept.next_uid == next_uid
    last = await swept.newest_mail()
    assert (last and last.uid) == newest
    assert (unread, swept.complete) == (3, True)


async def test_flags_of_the_newest_message_that_changed_meanwhile() -> None:
    """See what is shown of the newest message all the same."""

    async def serve(peer: Peer) -> None:
        tag = await peer.expect("UID FETCH 5:")
        newest = await peer.expect("UID FETCH 4294967295:")
        count = await peer.expect("UID SEARCH")
        peer.say(b"* 1 FETCH (UID 4 FLAGS (\\Seen))", tag + b" OK")
        peer.say_raw(mail(1, 4, "Lunch"))
        peer.say(newest + b" OK", b"* ESEARCH UID", count + b" OK")

    async with OnServer(serve) as session:
        swept, _ = await sweep(session, Mark(1, 5), shows_newest=True)
    newest = await swept.newest_mail()
    assert newest is not None
    assert newest.subject == "Lunch"


async def test_flags_that_changed_are_no_mail() -> None:
    """See an unasked FETCH of flags tell of no mail, though perhaps of one to come."""

    async def serve(peer: Peer) -> None:
        tag = await peer.expect("UID FETCH")
        count = await peer.expect("UID SEARCH")
        peer.say(b"* 9 FETCH (FLAGS ())", b"* 1 FETCH (UID 3 FLAGS (\\Seen))")
        peer.say(b"* 3 FETCH (UID 30 FLAGS (\\Seen))")
        peer.say_raw(mail(1, 5))
        peer.say(tag + b" OK", b"* ESEARCH UID", count + b" OK")

    async with OnServer(serve) as session:
        swept, unread = await sweep(session, Mark(1, 5))
    assert [mail.uid async for mail in swept.mails()] == [5]
    assert (swept.next_uid, swept.pending_uid) == (30, 30)
    assert unread == 0


@pytest.mark.parametrize(
    "cut", [b"", b"A1 NO failed\r\n"], ids=["connection lost", "refused"]
)
async def test_a_sweep_without_its_ok_is_no_sweep(cut: bytes) -> None:
    """See an error, never an empty result, when the answer ends early."""

    async def serve(peer: Peer) -> None:
        tag = await peer.expect("UID FETCH")
        await peer.expect("UID SEARCH")
        peer.say_raw(mail(1, 5))
        if cut:
            peer.say(tag + b" NO failed")
        peer.close()

    async with OnServer(serve) as session:
        with pytest.raises(Exception, match="failed|closed"):
            await sweep(session, Mark(1, 5))


async def test_count_that_is_refused_holds_no_mail_back() -> None:
    """See the mail, and an unknown number."""

    async def serve(peer: Peer) -> None:
        tag = await peer.expect("UID FETCH")
        count = await peer.expect("UID SEARCH")
        peer.say_raw(mail(1, 5))
        peer.say(count + b" NO [SERVERBUG] no", tag + b" OK")

    async with OnServer(serve) as session:
        swept, unread = await sweep(session, Mark(1, 5))
    assert [mail.uid async for mail in swept.mails()] == [5]
    assert unread is None


async def test_mail_that_cannot_be_read_is_told_of_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """See a defect of ours cost a log line, never a mail or the watcher."""

    def broken(*_args: object) -> None:
        raise OverflowError("ours")

    monkeypatch.setattr(message_reader, "parse_mail", broken)

    async def serve(peer: Peer) -> None:
        await peer.sync(5)

    async with OnServer(serve) as session:
        swept, _ = await sweep(session, Mark(1, 5))
        assert [(mail.uid, mail.subject) async for mail in swept.mails()] == [(5, "")]
    assert "cannot be read" in caplog.text


@pytest.mark.parametrize("refused", [False, True], ids=["STATUS", "SEARCH"])
async def test_count_without_esearch(refused: bool) -> None:
    """See STATUS asked where the server has no ESEARCH, and a list only where it has neither."""

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
        assert (await sweep(session, Mark(1, 1)))[1] == (None if refused else 3)
        assert (await sweep(session, Mark(1, 1)))[1] == (3 if refused else None)
        await session.close()


async def test_folder_that_does_not_exist() -> None:
    """See the folder named as the reason."""

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
async def test_first_mark_where_uidnext_is_not_told(
    last: list[int], next_uid: int
) -> None:
    """See the mark above the last message."""

    async def serve(peer: Peer) -> None:
        tag = await peer.expect(r"UID FETCH \* \(UID\)")
        peer.say(*(b"* 7 FETCH (UID %d)" % uid for uid in last), tag + b" OK")

    async with OnServer(serve, uid_next=0, uid_validity=7) as session:
        assert await session.first_mark() == Mark(7, next_uid)


async def test_more_mail_by_date_than_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """See none of it delivered, as if it was a restored mailbox, and the session go on."""
    monkeypatch.setattr(fetching_module, "MAX_FOUND", 3)

    async def serve(peer: Peer) -> None:
        await peer.answer("UID SEARCH SINCE", b"* SEARCH 1 2 3 4")

    async with OnServer(serve) as session:
        received = received_since(session, datetime(2026, 1, 2, tzinfo=UTC))
        assert [mail async for mail in received] == []


async def test_first_mark() -> None:
    """See what is in the folder left out."""

    async def serve(_peer: Peer) -> None:
        pass

    async with OnServer(serve, uid_next=43, uid_validity=7) as session:
        assert await session.first_mark() == Mark(7, 43)


@pytest.mark.parametrize(
    ("mark", "continues"),
    [
        (Mark(7, 43), True),
        (Mark(7, 40), True),
        (Mark(6, 43), False),
        (Mark(7, 44), False),
    ],
    ids=["nothing new", "something new", "numbered anew", "backwards"],
)
def test_continues(mark: Mark, continues: bool) -> None:
    """See if UIDs still mean what they meant."""
    assert SelectResult(7, 43).continues(mark) is continues
    assert SelectResult(7, None).continues(Mark(7, 99))


async def test_long_absence_is_caught_up_in_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """See no FETCH ask for more than a batch, and nothing left out."""
    monkeypatch.setattr(sync, "BATCH", 2)

    async def serve(peer: Peer) -> None:
        assert b" 10:11 " in await peer.sync(10, 11, 50)
        assert b" 12:13 " in await peer.sync(13, 50)
        assert b" 14:15 " in await peer.sync(50)
        await peer.answer("UID SEARCH UID 14:", b"* SEARCH 30 20 9 40 50")
        fetch = await peer.expect("UID FETCH 20,30 ")
        peer.say_raw(mail(3, 20) + mail(4, 30))
        peer.say(fetch + b" OK")
        assert b" 31:32 " in await peer.sync(50)

    async with OnServer(serve, uid_next=51) as session:
        mark, uids = Mark(1, 10), []
        for empty in (False, False, True):
            swept, _ = await sweep(session, mark)
            assert (swept.is_empty, swept.complete) == (empty, False)
            uids += [mail.uid async for mail in swept.mails()]
            mark = mark.at(swept.next_uid)
        swept = await sync_by_search(session, "INBOX", mark)
        assert not swept.complete
        uids += [mail.uid async for mail in swept.mails()]
        assert uids == [10, 11, 13, 20, 30]
        await sweep(session, mark.at(swept.next_uid))


async def test_message_that_the_server_cannot_show() -> None:
    """See the others whole, and what there is of that one."""

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

    async with OnServer(serve) as session:
        swept = await sync_by_search(session, "INBOX", Mark(1, 5))
    told = [(mail.uid, mail.subject, mail.size) async for mail in swept.mails()]
    assert told == [(5, "mail 5", 100), (6, "", 9), (7, "", 0)]
    assert (swept.next_uid, swept.complete) == (8, True)


@pytest.mark.parametrize(
    ("bare", "uids", "next_uid"),
    [(5, [], 5), (6, [5], 6), (7, [5, 6], 7)],
    ids=["the first", "between", "the last"],
)
async def test_mail_that_is_announced_and_not_shown(
    bare: int, uids: list[int], next_uid: int
) -> None:
    """See it held back, and all behind it, for the sake of the order."""

    async def serve(peer: Peer) -> None:
        fetch = await peer.expect("UID FETCH")
        count = await peer.expect("UID SEARCH")
        for uid in range(5, 8):
            whole = mail(uid, uid)
            peer.say_raw(whole if uid != bare else b"* 9 FETCH (UID %d)\r\n" % uid)
        peer.say(fetch + b" OK", count + b" OK")

    async with OnServer(serve) as session:
        swept, _ = await sweep(session, Mark(1, 5))
    assert [mail.uid async for mail in swept.mails()] == uids
    assert (swept.pending_uid, swept.next_uid) == (bare, next_uid)


async def test_news_during_a_sweep_ends_the_next_wait_at_once() -> None:
    """See EXISTS inside another command's answer remembered."""

    async def serve(peer: Peer) -> None:
        tag = await peer.expect("UID FETCH")
        count = await peer.expect("UID SEARCH")
        peer.say(tag + b" OK", b"* 9 EXISTS", count + b" OK")

    async with OnServer(serve) as session:
        await sweep(session, Mark(1, 5))
        await session.connection.wait_for_unsolicited(60)


async def test_connection_lost_while_pausing() -> None:
    """See a pause end with the connection."""

    async def serve(peer: Peer) -> None:
        peer.close()

    async with OnServer(serve) as session:
        with pytest.raises(ConnectionLost):
            await session.connection.wait_for_unsolicited(60)


async def test_provider_that_wants_to_know_who_we_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """See us named before the first folder is opened, where that is asked for."""
    monkeypatch.setattr(auth, "quirks_of", lambda _: Quirks(wants_id=True))

    async def serve(peer: Peer) -> None:
        await peer.log_in()
        await peer.answer(r'ID \("name" "IMAP Push"\)$', b"* ID NIL")
        await peer.examine()
        await peer.leave()

    async with ScriptedServer(serve) as server:
        session = await Session.open(account(server.port))
        await session.examine("INBOX")
        await session.close()
