"""What a session reads out of a folder."""

from collections.abc import Awaitable, Callable

import pytest

from custom_components.imap_push.imap import (
    ConnectionLost,
    FolderNotFound,
    Mark,
    session as session_module,
)
from custom_components.imap_push.imap.session import Session

from .conftest import account
from .scripted import Peer, ScriptedServer, mail


class Opened:
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
        self._session = await Session.open(account(self._server.port), "INBOX")
        return self._session

    async def __aexit__(self, *args: object) -> None:
        """Log out."""
        await self._session.close()
        await self._server.__aexit__(*args)  # type: ignore[arg-type]


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
        asked = await peer.sweep(*found, unread=3)
        assert b"UID FETCH 5:* " in asked
        assert b"BODY.PEEK" in asked

    async with Opened(serve, uid_next=5) as session:
        sweep = await session.sweep(Mark(1, 5))
    assert [mail.uid for mail in sweep.mails()] == new
    assert sweep.next_uid == next_uid
    last = sweep.newest()
    assert (last and last.uid) == newest
    assert (sweep.unread, sweep.complete) == (3, True)


async def test_flags_that_changed_are_no_mail() -> None:
    """See an unasked FETCH of flags between the answers passed over."""

    async def serve(peer: Peer) -> None:
        tag = await peer.expect("UID FETCH")
        count = await peer.expect("UID SEARCH")
        peer.say(b"* 9 FETCH (FLAGS ())", b"* 3 FETCH (UID 30 FLAGS (\\Seen))")
        peer.say_raw(mail(1, 5))
        peer.say(tag + b" OK", b"* ESEARCH UID", count + b" OK")

    async with Opened(serve) as session:
        sweep = await session.sweep(Mark(1, 5))
    assert [mail.uid for mail in sweep.mails()] == [5]
    assert sweep.next_uid == 6
    assert sweep.unread == 0


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

    async with Opened(serve) as session:
        with pytest.raises(Exception, match="failed|closed"):
            await session.sweep(Mark(1, 5))


async def test_count_that_is_refused_holds_no_mail_back() -> None:
    """See the mail, and an unknown number."""

    async def serve(peer: Peer) -> None:
        tag = await peer.expect("UID FETCH")
        count = await peer.expect("UID SEARCH")
        peer.say_raw(mail(1, 5))
        peer.say(count + b" NO [SERVERBUG] no", tag + b" OK")

    async with Opened(serve) as session:
        sweep = await session.sweep(Mark(1, 5))
    assert [mail.uid for mail in sweep.mails()] == [5]
    assert sweep.unread is None


async def test_mail_that_cannot_be_read_is_told_of_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """See a defect of ours cost a log line, never a mail or the watcher."""

    def broken(*_args: object) -> None:
        raise OverflowError("ours")

    monkeypatch.setattr(session_module, "parse_mail", broken)

    async def serve(peer: Peer) -> None:
        await peer.sweep(5)

    async with Opened(serve) as session:
        sweep = await session.sweep(Mark(1, 5))
        assert [(mail.uid, mail.subject) for mail in sweep.mails()] == [(5, "")]
    assert "cannot be read" in caplog.text


async def test_count_without_esearch() -> None:
    """See SEARCH UNSEEN counted where the server has no ESEARCH."""

    async def serve(peer: Peer) -> None:
        await peer.log_in(b"IMAP4rev1")
        await peer.examine()
        tag = await peer.expect("UID FETCH")
        count = await peer.expect("UID SEARCH UNSEEN$")
        peer.say(b"* SEARCH 3 4 9", count + b" OK", tag + b" OK")

    async with ScriptedServer(serve) as server:
        session = await Session.open(account(server.port), "INBOX")
        assert (await session.sweep(Mark(1, 1))).unread == 3
        await session.close()


async def test_folder_that_does_not_exist() -> None:
    """See the folder named as the reason."""

    async def serve(peer: Peer) -> None:
        await peer.log_in()
        await peer.answer("EXAMINE", ok=b"NO [NONEXISTENT] no such folder")

    async with ScriptedServer(serve) as server:
        with pytest.raises(FolderNotFound, match="no such folder"):
            await Session.open(account(server.port), "INBOX")


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

    async with Opened(serve, uid_next=0, uid_validity=7) as session:
        assert await session.first_mark() == Mark(7, next_uid)


async def test_first_mark() -> None:
    """See what is in the folder left out."""

    async def serve(_peer: Peer) -> None:
        pass

    async with Opened(serve, uid_next=43, uid_validity=7) as session:
        assert await session.first_mark() == Mark(7, 43)
        assert session.continues(Mark(7, 43))
        assert session.continues(Mark(7, 40))
        assert not session.continues(Mark(6, 43))
        assert not session.continues(Mark(7, 44))


async def test_long_absence_is_caught_up_in_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """See no FETCH asked for more than a batch, and nothing left out."""
    monkeypatch.setattr(session_module, "BATCH", 2)

    async def serve(peer: Peer) -> None:
        await peer.answer("UID SEARCH UID 10:", b"* SEARCH 30 10 20 9 40 50")
        assert b"10:20" in await peer.sweep(10, 20)
        await peer.answer("UID SEARCH UID 21:", b"* SEARCH 30 40 50")
        assert b"21:40" in await peer.sweep(30, 40)
        await peer.answer("UID SEARCH UID 41:", b"* SEARCH 50")
        assert b"41:*" in await peer.sweep(50)
        assert b"51:*" in await peer.sweep(50)

    async with Opened(serve, uid_next=51) as session:
        mark, uids, complete = Mark(1, 10), [], False
        while not complete:
            sweep = await session.sweep(mark)
            uids += [mail.uid for mail in sweep.mails()]
            mark, complete = mark.at(sweep.next_uid), sweep.complete
        assert uids == [10, 20, 30, 40, 50]
        assert mark == Mark(1, 51)
        assert list((await session.sweep(mark)).mails()) == []


async def test_news_during_a_sweep_ends_the_next_wait_at_once() -> None:
    """See EXISTS inside another command's answer remembered."""

    async def serve(peer: Peer) -> None:
        tag = await peer.expect("UID FETCH")
        count = await peer.expect("UID SEARCH")
        peer.say(tag + b" OK", b"* 9 EXISTS", count + b" OK")

    async with Opened(serve) as session:
        await session.sweep(Mark(1, 5))
        await session.pause(60)


async def test_connection_lost_while_pausing() -> None:
    """See a pause end with the connection."""

    async def serve(peer: Peer) -> None:
        peer.close()

    async with Opened(serve) as session:
        with pytest.raises(ConnectionLost):
            await session.pause(60)
