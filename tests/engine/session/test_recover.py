"""A sync by a search, if one FETCH does not return all messages; messages found by date."""

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import batched
from typing import Any

import pytest

from custom_components.imap_push.imap import (
    CommandRefused,
    ImapError,
    Mark,
    Throttled,
    Unavailable,
)
from custom_components.imap_push.imap.mime.preview import TextRequest
from custom_components.imap_push.imap.session.fetch_items import MAX_FOUND
from custom_components.imap_push.imap.session.recover import (
    complete,
    received_since,
    sync_by_search,
)
from custom_components.imap_push.imap.session.session import Session
from custom_components.imap_push.imap.session.sync import (
    BATCH,
    Outcome,
    SyncBatch,
    SyncRequest,
    SyncResult,
    read_sync,
    sync_request,
)
from custom_components.imap_push.imap.wire.parser import Value

from ..scripted import Peer, mail
from .support import InboxSession, Reply, flags, replying

MARK = Mark(1, 5)
REQUEST = SyncRequest("INBOX", MARK)
OK = b"OK done"
CANNOT = b"NO [SERVERBUG] cannot"


async def searched(
    session: Session,
    *,
    synced: int | None = 4,
    known: dict[int, dict[str, Value]] | None = None,
    **options: Any,
) -> SyncResult:
    """Sync INBOX by a search."""
    request = sync_request(
        session, "INBOX", MARK, examines=False, synced=synced, **options
    )
    return await sync_by_search(session, request, known=known)


@dataclass(kw_only=True)
class Search:
    """The replies to a search from UID 5 on and to the FETCH of what it found."""

    search: bytes = b"* SEARCH 5 6 7\r\n"
    fetch: bytes = mail(5, 5) + mail(6, 6) + mail(7, 7)
    exists: int = 7
    synced: int | None = 4
    outcome: Outcome = Outcome.DONE
    uids: tuple[int, ...] = ()
    next_uid: int = 8
    unshown: int = 0
    next_synced: int | None = None


ALL = (5, 6, 7)
SEARCHES = {
    "all": Search(uids=ALL, next_synced=7),
    "below the mark": Search(
        search=b"* SEARCH 4\r\n",
        fetch=b"",
        exists=4,
        next_uid=5,
        next_synced=4,
    ),
    "not announced": Search(exists=6, uids=ALL, next_synced=6),
    "far apart": Search(
        search=b"* SEARCH 5 70000\r\n",
        fetch=mail(5, 5) + mail(6, 70_000),
        exists=6,
        uids=(5, 70_000),
        next_uid=70_001,
        next_synced=6,
    ),
    "expunged after the search": Search(
        fetch=mail(5, 5) + mail(6, 7),
        outcome=Outcome.NOT_SHOWN,
        uids=(5,),
        next_uid=6,
    ),
    "without data": Search(
        fetch=mail(5, 5) + flags(6, 6) + mail(7, 7),
        outcome=Outcome.NOT_SHOWN,
        uids=(5,),
        next_uid=6,
    ),
    "the first one without data": Search(
        fetch=flags(5, 5) + mail(6, 6) + mail(7, 7),
        outcome=Outcome.NOT_SHOWN,
        next_uid=5,
    ),
    "announced, but not found": Search(
        exists=8, outcome=Outcome.NOT_SHOWN, next_uid=5, unshown=1
    ),
    "unknown number of old ones": Search(
        exists=8, synced=None, uids=ALL, next_synced=8
    ),
}


@pytest.mark.parametrize("case", SEARCHES.values(), ids=list(SEARCHES))
async def test_messages_found_by_a_search(case: Search) -> None:
    """They are returned in order, up to the first that is not shown."""
    replies: dict[str, Reply | list[Reply]] = {
        "search": (case.search, OK),
        "fetch": (case.fetch, OK),
    }
    async with InboxSession(replying(replies), exists=case.exists) as session:
        result = await searched(session, synced=case.synced)
    assert result.batch is not None
    assert (result.outcome, result.unshown) == (case.outcome, case.unshown)
    assert tuple(result.batch.uids) == case.uids
    assert (result.batch.next_uid, result.synced) == (case.next_uid, case.next_synced)


@pytest.mark.parametrize("case", SEARCHES.values(), ids=list(SEARCHES))
async def test_hidden_messages_that_are_accepted(case: Search) -> None:
    """They are returned without their fields, and the mark moves past them."""
    replies: dict[str, Reply | list[Reply]] = {
        "search": (case.search, OK),
        "fetch": (case.fetch, OK),
    }
    async with InboxSession(replying(replies), exists=case.exists) as session:
        result = await searched(session, synced=case.synced, accepts=True)
    assert result.batch is not None
    assert (result.outcome, result.synced) == (Outcome.DONE, case.exists)
    found = [int(uid) for uid in case.search.split()[2:] if int(uid) >= 5]
    assert result.batch.uids == found
    mails = [await result.batch.mail(uid) for uid in found]
    assert [bool(mail.subject) for mail in mails] == [
        b"Subject: mail %d\r" % uid in case.fetch for uid in found
    ]
    assert result.batch.next_uid == max(found, default=4) + 1


@pytest.mark.parametrize(
    ("care", "items"),
    [
        (1, b" BODYSTRUCTURE)"),
        (2, b"BODY.PEEK"),
        (3, b"(UID FLAGS INTERNALDATE RFC822.SIZE)"),
        (4, None),
        (9, None),
    ],
)
async def test_careful_fetch(care: int, items: bytes | None) -> None:
    """One message at a time is fetched, with fewer items each time, in the end none."""
    inbox = InboxSession(
        replying({"search": (b"* SEARCH 5 6\r\n", OK), "fetch": (mail(5, 5), OK)}),
        exists=6,
    )
    async with inbox as session:
        result = await searched(session, care=care)
    assert result.batch is not None
    assert (result.outcome, result.batch.uids) == (Outcome.MORE, [5])
    fetches = [line for line in inbox.commands if line.startswith(b"UID FETCH")]
    if items is None:
        assert fetches == []
        assert result.batch.messages == {5: {}}
    else:
        [fetch] = fetches
        assert fetch.startswith(b"UID FETCH 5 (")
        assert items in fetch
        assert (b"BODYSTRUCTURE" in fetch) is (care == 1)


async def test_known_messages_are_not_fetched_again() -> None:
    """Only the message of which the first FETCH returned no data is fetched."""
    inbox = InboxSession(
        replying({"search": (b"* SEARCH 5 6 7\r\n", OK), "fetch": (mail(6, 6), OK)}),
        exists=7,
    )
    known: dict[int, dict[str, Value]] = {
        uid: {"BODY": b"Subject: known\r\n"} for uid in (3, 5, 7)
    }
    known[6] = {"UID": b"6", "FLAGS": ()}
    async with inbox as session:
        result = await searched(session, known=known)
    assert result.batch is not None
    assert result.batch.uids == [5, 6, 7]
    subjects = [(await result.batch.mail(uid)).subject for uid in (5, 6, 7)]
    assert subjects == ["known", "mail 6", "known"]
    [fetch] = [line for line in inbox.commands if line.startswith(b"UID FETCH")]
    assert fetch.startswith(b"UID FETCH 6 (")


@pytest.mark.parametrize(
    ("replies", "error"),
    [
        ({"search": (b"", b"BAD no UID"), "all": (b"* SEARCH 3 5\r\n", OK)}, None),
        ({"search": (b"", b"NO no"), "all": (b"", b"NO no")}, None),
        ({"search": (b"", b"NO [UNAVAILABLE] later")}, Unavailable),
        ({"search": (b"", b"BAD Request is throttled")}, Throttled),
        (
            {
                "search": (b"", b"NO no"),
                "all": (b"", b"NO no"),
                "fetch": (b"", b"NO no"),
            },
            CommandRefused,
        ),
    ],
    ids=["BAD to UID", "all refused", "for now", "throttled", "FETCH refused, too"],
)
async def test_refused_search(
    replies: dict[str, Reply | list[Reply]], error: type[ImapError] | None
) -> None:
    """Other commands find the same messages, unless the refusal is temporary."""
    known: dict[str, Reply | list[Reply]] = {"fetch": (mail(4, 3) + mail(5, 5), OK)}
    async with InboxSession(replying(known | replies), exists=5) as session:
        if error is not None:
            with pytest.raises(error):
                await searched(session)
            return
        result = await searched(session)
    assert result.batch is not None
    assert (result.outcome, result.batch.uids) == (Outcome.DONE, [5])


async def test_message_that_the_server_cannot_return() -> None:
    """The other messages are complete, and this one has the items that the server can return."""

    async def serve(peer: Peer) -> None:
        await peer.answer("UID SEARCH UID 5:", b"* SEARCH 5 6 7")
        await peer.answer("UID FETCH 5,6,7 ", ok=CANNOT)
        fetch = await peer.expect("UID FETCH 5 ")
        peer.say_raw(mail(1, 5))
        peer.say(fetch + b" OK")
        await peer.answer("UID FETCH 6,7 ", ok=CANNOT)
        await peer.answer(r"UID FETCH 6 .*STRUCTURE", ok=CANNOT)
        await peer.answer(r"UID FETCH 6 .*HEADER", ok=CANNOT)
        await peer.answer(
            r"UID FETCH 6 \(UID FLAGS INTERNALDATE RFC822.SIZE\)$",
            b"* 2 FETCH (UID 6 FLAGS (x) RFC822.SIZE 9)",
        )
        for _ in range(3):
            await peer.answer(r"UID FETCH 7 ", ok=CANNOT)

    async with InboxSession(serve, exists=7) as session:
        result = await searched(session)
    batch = result.batch
    assert batch is not None
    mails = [await batch.mail(uid) for uid in batch.uids]
    assert [(mail.uid, mail.subject, mail.size) for mail in mails] == [
        (5, "mail 5", 100),
        (6, "", 9),
        (7, "", 0),
    ]
    assert (batch.next_uid, result.outcome) == (8, Outcome.DONE)


async def test_catch_up_in_batches() -> None:
    """No FETCH requests more than a batch, and no message is left out."""
    found = [*range(3_001, 3_002 + BATCH)]
    last = found[-1]

    async def serve(peer: Peer) -> None:
        assert b" 10:509 " in await peer.sync(10, 11, 511, *found)
        assert b" 12:511 " in await peer.sync(511, *found)
        assert b" 512:1011 " in await peer.sync(*found)
        search = b"* SEARCH 9" + b"".join(b" %d" % uid for uid in reversed(found))
        await peer.answer("UID SEARCH UID 512:", search)
        fetch = await peer.expect(f"UID FETCH {','.join(map(str, found[:-1]))} ")
        peer.say_raw(b"".join(mail(uid - 2_997, uid) for uid in found[:-1]))
        peer.say(fetch + b" OK")
        assert b" %d:" % last in await peer.sync(last)

    async with InboxSession(serve, uid_next=last + 1, exists=504) as session:
        mark, uids, synced = Mark(1, 10), list[int](), 0
        outcomes = []

        async def sync_once() -> SyncBatch:
            request = sync_request(
                session, "INBOX", mark, examines=False, synced=synced
            )
            await session.connection.send(*request.commands)
            result = await read_sync(session, request)
            if result.outcome is Outcome.NOT_SHOWN:
                result = await sync_by_search(session, request)
            outcomes.append(result.outcome)
            assert result.batch is not None
            return result.batch

        for _ in range(4):
            batch = await sync_once()
            uids += [(await batch.mail(uid)).uid for uid in batch.uids]
            mark = mark.at(batch.next_uid)
            synced = len(uids)
    assert outcomes == [*[Outcome.MORE] * 3, Outcome.DONE]
    assert uids == [10, 11, 511, *found]


async def test_batch_is_completed() -> None:
    """A message that is too large is fetched with fewer items, one with long text again."""
    inbox = InboxSession(
        replying(
            {
                "fetch": (
                    b"* 5 FETCH (UID 5 BODY[HEADER] {14}\r\nSubject: big\r\n)\r\n",
                    OK,
                )
            }
        ),
        exists=6,
    )
    six: dict[str, Value] = {"UID": b"6", "BODY": b"Subject: six\r\n"}
    start = SyncBatch(
        "INBOX", MARK, 7, messages={6: six}, too_large=(5,), text=TextRequest()
    )
    assert start.is_partial
    async with inbox as session:
        request = sync_request(session, "INBOX", MARK, examines=False)
        result = await complete(session, request, SyncResult(Outcome.DONE, batch=start))
    batch = result.batch
    assert batch is not None
    assert not batch.is_partial
    assert result.newest == await batch.mail(6)
    assert batch.uids == [5, 6]
    subjects = [(await batch.mail(uid)).subject for uid in batch.uids]
    assert subjects == ["big", "six"]
    [fetch] = [line for line in inbox.commands if line.startswith(b"UID FETCH")]
    assert b"BODYSTRUCTURE" not in fetch


def _dated(uid: int, date: bytes) -> bytes:
    return b'* %d FETCH (UID %d INTERNALDATE "%b")\r\n' % (uid, uid, date)


@pytest.mark.parametrize(
    ("moment", "criteria"),
    [
        (datetime(2026, 11, 20, 12, tzinfo=UTC), b"UID SEARCH SINCE 19-Nov-2026"),
        (datetime(2026, 1, 1, tzinfo=UTC), b"UID SEARCH SINCE 31-Dec-2025"),
        (datetime(1969, 1, 1, tzinfo=UTC), b"UID SEARCH ALL"),
        (None, b"UID SEARCH ALL"),
    ],
)
async def test_messages_since_a_moment(
    moment: datetime | None, criteria: bytes
) -> None:
    """They are yielded by the time at which they were received."""
    dates = (
        _dated(7, b"20-Nov-2026 13:00:00 +0000"),
        _dated(8, b"20-Nov-2026 11:00:00 +0000"),
        _dated(9, b"20-Nov-2026 12:30:00 +0000"),
    )

    async def serve(peer: Peer) -> None:
        await peer.answer("UID SEARCH", b"* SEARCH 7 9 8")
        fetch = await peer.expect(r"UID FETCH 7,8,9 \(UID INTERNALDATE\)$")
        peer.say_raw(b"".join(dates))
        peer.say(fetch + b" OK")
        fetch = await peer.expect("UID FETCH ")
        peer.say_raw(b"".join(mail(uid, uid) for uid in (7, 8, 9)))
        peer.say(fetch + b" OK")

    inbox = InboxSession(serve, exists=9)
    async with inbox as session:
        uids = [mail.uid async for mail in received_since(session, moment, REQUEST)]
    assert inbox.commands[0] == criteria
    recent = moment is not None and moment.month == 11
    assert uids == ([9, 7] if recent else [8, 9, 7])


@pytest.mark.parametrize("found", [b"", b" 7"], ids=["nothing found", "no date"])
async def test_no_dates_since_a_moment(found: bytes) -> None:
    """Nothing is yielded if there is nothing, or no message has a date."""
    replies: dict[str, Reply | list[Reply]] = {
        "all": (b"* SEARCH" + found + b"\r\n", OK),
        "count": (b"* SEARCH" + found + b"\r\n", OK),
    }
    async with InboxSession(replying(replies), exists=9) as session:
        moment = datetime(2026, 11, 20, tzinfo=UTC)
        assert [mail async for mail in received_since(session, moment, REQUEST)] == []


async def test_too_many_messages_since_a_date() -> None:
    """Nothing is yielded, as for a mailbox restored from a backup; the session stays open."""
    uids = [b" %d" % uid for uid in range(1, MAX_FOUND + 2)]

    async def serve(peer: Peer) -> None:
        responses = (
            b"* SEARCH" + b"".join(some) for some in batched(uids, 99_999, strict=False)
        )
        await peer.answer("UID SEARCH SINCE", *responses)

    async with InboxSession(serve) as session:
        received = received_since(session, datetime(2026, 1, 2, tzinfo=UTC), REQUEST)
        assert [mail async for mail in received] == []
        assert session.connection.is_open
