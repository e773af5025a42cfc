"""A sync of one folder: which outcome follows from the replies to its commands."""

from dataclasses import dataclass
from typing import Any

import pytest

from custom_components.imap_push.imap import (
    CommandRefused,
    ConnectionLost,
    FolderNotFound,
    ImapError,
    Mark,
    Throttled,
    Unavailable,
)
from custom_components.imap_push.imap.session.select import SelectResult
from custom_components.imap_push.imap.session.sync import (
    Outcome,
    SyncBatch,
    SyncResult,
    read_sync,
    sync_request,
)
from custom_components.imap_push.imap.wire.parser import Value

from ..scripted import BrokenItems, mail
from .support import InboxSession, Reply, flags, replying

MARK = Mark(1, 5)
OK = b"OK done"


async def synced(
    replies: dict[str, Reply | list[Reply]],
    *,
    exists: int = 4,
    mark: Mark | None = MARK,
    examines: bool = False,
    **options: Any,
) -> tuple[SyncResult, list[bytes]]:
    """Sync INBOX with these replies; return the result and the commands that were sent."""
    inbox = InboxSession(replying(replies), exists=exists)
    async with inbox as session:
        request = sync_request(session, "INBOX", mark, examines=examines, **options)
        await session.connection.send(*request.commands)
        result = await read_sync(session, request)
    return result, inbox.commands[:-1]


@dataclass(kw_only=True)
class Sync:
    """The reply to the FETCH of a folder, of which four messages are below the mark.

    `unshown` is the number of messages that are announced but not returned. `synced` is how many
    are known to be below the mark.
    """

    fetch: bytes = b""
    exists: int
    synced: int | None = 4
    growth: int = 0
    outcome: Outcome
    uids: tuple[int, ...] = ()
    next_uid: int = 5
    unshown: int = 0
    next_synced: int | None = None


SYNCS = {
    "nothing new": Sync(exists=4, outcome=Outcome.DONE, next_synced=4),
    "three new": Sync(
        exists=7,
        fetch=mail(5, 5) + mail(6, 6) + mail(7, 9),
        outcome=Outcome.DONE,
        uids=(5, 6, 9),
        next_uid=10,
        next_synced=7,
    ),
    "in any order": Sync(
        exists=7,
        fetch=mail(7, 9) + mail(5, 5) + mail(6, 6),
        outcome=Outcome.DONE,
        uids=(5, 6, 9),
        next_uid=10,
        next_synced=7,
    ),
    "reported twice": Sync(
        exists=5,
        fetch=mail(5, 5) + mail(5, 5),
        outcome=Outcome.DONE,
        uids=(5,),
        next_uid=6,
        next_synced=5,
    ),
    "the first one is missing": Sync(
        exists=7,
        fetch=mail(6, 6) + mail(7, 7),
        outcome=Outcome.BY_SEARCH,
        uids=(6, 7),
        next_uid=8,
        unshown=1,
        next_synced=7,
    ),
    "one between is missing": Sync(
        exists=7,
        fetch=mail(5, 5) + mail(7, 7),
        outcome=Outcome.BY_SEARCH,
        uids=(5, 7),
        next_uid=8,
        unshown=1,
        next_synced=7,
    ),
    "the last one is missing": Sync(
        exists=7,
        fetch=mail(5, 5) + mail(6, 6),
        outcome=Outcome.MORE,
        uids=(5, 6),
        next_uid=7,
        unshown=1,
        next_synced=6,
    ),
    "all are missing": Sync(
        exists=7, outcome=Outcome.NOT_SHOWN, unshown=3, next_synced=4
    ),
    "the first one has no data yet": Sync(
        exists=7,
        fetch=flags(5, 5) + mail(6, 6) + mail(7, 7),
        outcome=Outcome.NOT_SHOWN,
        unshown=3,
        next_synced=4,
    ),
    "one between has no data yet": Sync(
        exists=7,
        fetch=mail(5, 5) + flags(6, 6) + mail(7, 7),
        outcome=Outcome.MORE,
        uids=(5,),
        next_uid=6,
        unshown=2,
        next_synced=5,
    ),
    "the last one has no data yet": Sync(
        exists=7,
        fetch=mail(5, 5) + mail(6, 6) + flags(7, 7),
        outcome=Outcome.MORE,
        uids=(5, 6),
        next_uid=7,
        unshown=1,
        next_synced=6,
    ),
    "flags and data in two responses": Sync(
        exists=6,
        fetch=flags(5, 5) + mail(6, 6) + mail(5, 5),
        outcome=Outcome.DONE,
        uids=(5, 6),
        next_uid=7,
        next_synced=6,
    ),
    "UID in a response of its own": Sync(
        exists=5,
        fetch=mail(5, 5).replace(b"UID 5 ", b"") + b"* 5 FETCH (UID 5)\r\n",
        outcome=Outcome.DONE,
        uids=(5,),
        next_uid=6,
        next_synced=5,
    ),
    "a message without a UID": Sync(
        exists=6,
        fetch=mail(5, 5) + mail(6, 6).replace(b"UID 6 ", b""),
        outcome=Outcome.BY_SEARCH,
    ),
    "flags without a UID": Sync(
        exists=5,
        fetch=b"* 3 FETCH (FLAGS (\\Seen))\r\n" + mail(5, 5),
        outcome=Outcome.DONE,
        uids=(5,),
        next_uid=6,
        next_synced=5,
    ),
    "one more arrives meanwhile": Sync(
        exists=5,
        fetch=mail(5, 5) + b"* 6 EXISTS\r\n",
        outcome=Outcome.MORE,
        uids=(5,),
        next_uid=6,
        unshown=1,
        next_synced=5,
    ),
    "one is expunged meanwhile": Sync(
        exists=6,
        fetch=b"* 1 EXPUNGE\r\n" + mail(4, 5) + mail(5, 6),
        outcome=Outcome.DONE,
        uids=(5, 6),
        next_uid=7,
        next_synced=5,
    ),
    "the one before the mark for *": Sync(
        exists=4, growth=1, fetch=mail(4, 4), outcome=Outcome.DONE, next_synced=4
    ),
    "a new one for *": Sync(
        exists=5,
        growth=1,
        fetch=mail(5, 70_000),
        outcome=Outcome.DONE,
        uids=(70_000,),
        next_uid=70_001,
        next_synced=5,
    ),
    "an announced one is missing for *": Sync(
        exists=5,
        growth=1,
        fetch=mail(4, 4),
        outcome=Outcome.NOT_SHOWN,
        unshown=1,
        next_synced=4,
    ),
    "above the range": Sync(
        exists=6,
        fetch=mail(5, 504) + mail(6, 505),
        outcome=Outcome.MORE,
        uids=(504,),
        next_uid=505,
        unshown=1,
        next_synced=5,
    ),
    "not all fit into memory": Sync(
        exists=9,
        fetch=b"".join(
            b"* %d FETCH (UID %d X (%b) BODY[] {1}\r\na)\r\n"
            % (uid, uid, b"a " * 30_000)
            for uid in range(5, 10)
        ),
        outcome=Outcome.MORE,
        uids=(5, 6, 7),
        next_uid=8,
        unshown=2,
        next_synced=7,
    ),
    "unknown number of old ones, nothing new": Sync(
        exists=4, synced=None, outcome=Outcome.BY_SEARCH
    ),
    "unknown number of old ones, all new": Sync(
        exists=6,
        synced=None,
        fetch=mail(5, 5) + mail(6, 6),
        outcome=Outcome.DONE,
        uids=(5, 6),
        next_uid=7,
        next_synced=6,
    ),
    "unknown number of old ones, the last one missing": Sync(
        exists=6,
        synced=None,
        fetch=mail(5, 5),
        outcome=Outcome.MORE,
        uids=(5,),
        next_uid=6,
        next_synced=5,
    ),
    "unknown number of old ones, nothing for *": Sync(
        exists=5, synced=None, growth=1, outcome=Outcome.DONE, next_synced=5
    ),
}


@pytest.mark.parametrize("case", SYNCS.values(), ids=list(SYNCS))
async def test_fetched_messages(case: Sync) -> None:
    """New messages are returned in order, up to the first one that is not shown."""
    result, commands = await synced(
        # A server without RETURN (COUNT) for the old messages.
        {
            "fetch": (case.fetch, OK),
            "old": (b"", b"NO no"),
            "count": (b"* ESEARCH (TAG x) UID COUNT 3\r\n", OK),
        },
        exists=case.exists,
        synced=case.synced,
        growth=case.growth,
    )
    uids = "5:*" if case.growth else "5:504"
    assert commands[0].startswith(f"UID FETCH {uids} ".encode())
    assert b"BODY.PEEK" in commands[0]
    assert (result.outcome, result.unread) == (case.outcome, 3)
    if result.batch is None:
        assert case.uids == ()
        return
    assert tuple(result.batch.uids) == case.uids
    assert [(await result.batch.mail(uid)).uid for uid in case.uids] == list(case.uids)
    assert result.batch.next_uid == case.next_uid
    assert (result.unshown, result.synced) == (case.unshown, case.next_synced)


@pytest.mark.parametrize(
    ("reply", "synced_below", "outcome"),
    [
        (b"* ESEARCH (TAG x) UID COUNT 4\r\n", 4, Outcome.DONE),
        (b"* ESEARCH (TAG x) UID COUNT 3\r\n", 3, Outcome.BY_SEARCH),
        (b"* SEARCH 1 2 3 4\r\n", 4, Outcome.DONE),
        (b"* SEARCH 1 2\r\n", 2, Outcome.BY_SEARCH),
        (b"", None, Outcome.DONE),
    ],
    ids=["all", "one missing", "SEARCH", "SEARCH, two missing", "no answer"],
)
async def test_old_messages_are_counted_after_a_restart(
    reply: bytes, synced_below: int | None, outcome: Outcome
) -> None:
    """The count shows whether a message is missing before the first new one."""
    result, commands = await synced(
        {"fetch": (mail(5, 6), OK), "old": (reply, OK)}, exists=5
    )
    assert commands[1] == b"UID SEARCH RETURN (COUNT) UID 1:4"
    assert result.outcome is outcome
    missing = 0 if synced_below is None else 4 - synced_below
    assert result.unshown == missing


@pytest.mark.parametrize(
    ("capabilities", "uid", "arguments"),
    [
        (b"IMAP4rev1 ESEARCH", 5, "RETURN (COUNT) UID 1:4"),
        (b"IMAP4rev1 ESEARCH", 2, "RETURN (COUNT) UID 1:1"),
        (b"IMAP4rev1 ESEARCH", 1, None),
        (b"IMAP4rev1", 5, None),
    ],
    ids=["below 5", "below 2", "no UID is below", "without ESEARCH"],
)
async def test_count_of_messages_below_a_uid(
    capabilities: bytes, uid: int, arguments: str | None
) -> None:
    """Without ESEARCH the server would return all UIDs."""
    async with InboxSession(replying({}), capabilities) as session:
        command = session.count_below(uid)
    assert (command and command.arguments) == arguments


@pytest.mark.parametrize(
    ("examined", "exists", "options", "outcome"),
    [
        pytest.param(5, 4, {}, Outcome.DONE, id="nothing new"),
        pytest.param(6, 4, {}, Outcome.DONE, id="UIDNEXT above, nothing there"),
        pytest.param(5, 4, {"synced": None}, Outcome.DONE, id="UIDNEXT shows it"),
        pytest.param(505, 4, {"synced": None}, Outcome.DONE, id="UIDs in the range"),
        pytest.param(506, 4, {"synced": None}, Outcome.BY_SEARCH, id="UIDs far apart"),
        pytest.param(5, 5, {}, Outcome.NOT_SHOWN, id="announced"),
        pytest.param(4, 4, {}, Outcome.RENUMBERED, id="UIDNEXT below the mark"),
        pytest.param(
            5, 4, {"mark": Mark(2, 5)}, Outcome.RENUMBERED, id="another UIDVALIDITY"
        ),
        pytest.param(5, 4, {"mark": None}, Outcome.RENUMBERED, id="no mark"),
        pytest.param(5, 4, {"fetches": False}, Outcome.BY_SEARCH, id="no FETCH"),
    ],
)
async def test_opened_folder(
    examined: int, exists: int, options: dict[str, Any], outcome: Outcome
) -> None:
    """The response to EXAMINE shows whether the mark is valid and whether there is more."""
    octets = b"* %d EXISTS\r\n* OK [UIDVALIDITY 1] x\r\n* OK [UIDNEXT %d] x\r\n" % (
        exists,
        examined,
    )
    result, commands = await synced(
        {"examine": (octets, b"OK [READ-ONLY] done"), "old": (b"", b"NO no")},
        examines=True,
        **{"synced": 4, **options},
    )
    assert commands[0] == b'EXAMINE "INBOX"'
    assert result.outcome is outcome
    assert result.is_opened
    assert result.selected == SelectResult(
        1, examined, {"MESSAGES": exists, "UIDVALIDITY": 1, "UIDNEXT": examined}
    )


@pytest.mark.parametrize(
    ("reply", "outcome", "error"),
    [
        (b"NO [NONEXISTENT] no such folder", Outcome.MISSING, FolderNotFound),
        (b"NO [UNAVAILABLE] later", Outcome.REFUSED, Unavailable),
        (b"NO [LIMIT] too large", Outcome.REFUSED, CommandRefused),
        (b"BAD what", Outcome.REFUSED, CommandRefused),
    ],
    ids=["does not exist", "for now", "permanently", "BAD"],
)
async def test_folder_that_cannot_be_opened(
    reply: bytes, outcome: Outcome, error: type[ImapError]
) -> None:
    """The result has the error; no other reply is read."""
    replies: dict[str, Reply | list[Reply]] = {
        "examine": (b"", reply),
        **dict.fromkeys(("fetch", "count"), (b"", b"BAD no folder is open")),
    }
    result, _ = await synced(replies, examines=True, synced=4)
    assert (result.outcome, type(result.error)) == (outcome, error)
    assert result.batch is None
    assert not result.is_opened


@pytest.mark.parametrize("data", [b"", mail(5, 5)], ids=["no data", "with data"])
@pytest.mark.parametrize(
    ("reply", "waits", "outcome", "error"),
    [
        (b"NO [SERVERBUG] cannot", True, Outcome.BY_SEARCH, None),
        (b"NO some messages cannot be shown", True, Outcome.BY_SEARCH, None),
        (b"BAD Command Error. 10", True, Outcome.BY_SEARCH, None),
        (b"NO [UNAVAILABLE] later", True, Outcome.REFUSED, Unavailable),
        (b"NO [UNAVAILABLE] later", False, Outcome.BY_SEARCH, None),
        (b"BAD Request is throttled", True, Outcome.REFUSED, Throttled),
        (b"NO Mailbox does not exist", True, Outcome.MISSING, FolderNotFound),
        (b"NO [NONEXISTENT] gone", False, Outcome.MISSING, FolderNotFound),
    ],
    ids=lambda value: value.decode() if isinstance(value, bytes) else "",
)
async def test_refused_fetch(
    reply: bytes,
    waits: bool,
    outcome: Outcome,
    error: type[ImapError] | None,
    data: bytes,
) -> None:
    """A message may be the cause, unless the refusal is temporary or the folder was deleted."""
    result, _ = await synced({"fetch": (data, reply)}, exists=5, waits=waits, synced=4)
    assert result.outcome is outcome
    assert type(result.error) is (error or type(None))
    # Nothing is returned as if it were complete.
    assert result.batch is None


@pytest.mark.parametrize("kind", ["fetch", "examine", "newest", "old", "count"])
async def test_connection_that_ends_during_a_sync(kind: str) -> None:
    """ConnectionLost is raised; a part of the messages is no result."""
    replies: dict[str, Reply | list[Reply]] = {
        "examine": (b"* OK [UIDVALIDITY 1] x\r\n", OK),
        "fetch": (mail(5, 5), OK),
        kind: (mail(5, 5), b""),
    }
    inbox = InboxSession(replying(replies), exists=5)
    async with inbox as session:
        request = sync_request(session, "INBOX", MARK, examines=True, newest=True)
        await session.connection.send(*request.commands)
        with pytest.raises(ConnectionLost):
            await read_sync(session, request)


@pytest.mark.parametrize(
    ("exists", "fetch", "newest", "status", "subject", "is_known"),
    [
        (4, b"", mail(4, 4), OK, "mail 4", True),
        (5, mail(5, 5), mail(5, 5), OK, "mail 5", True),
        (4, mail(4, 4), b"", OK, "mail 4", True),
        (4, flags(4, 4), mail(4, 4, "Lunch"), OK, "Lunch", True),
        (4, b"", mail(4, 4, "Lunch") + flags(4, 4), OK, "Lunch", True),
        (0, b"", b"", OK, None, True),
        (0, b"", b"", b"BAD no messages", None, False),
        (4, b"", b"", OK, None, False),
        (4, b"", flags(4, 4), OK, None, False),
    ],
    ids=[
        "an old one",
        "a new one",
        "with the answer to the first FETCH",
        "its flags change before",
        "its flags change after",
        "empty folder",
        "empty folder, BAD",
        "not returned",
        "only its flags",
    ],
)
async def test_newest_message(
    exists: int,
    fetch: bytes,
    newest: bytes,
    status: bytes,
    subject: str | None,
    is_known: bool,
) -> None:
    """The last message of the folder, new or not, is returned with the fields of entities."""
    result, commands = await synced(
        {"fetch": (fetch, OK), "newest": (newest, status)},
        exists=exists,
        newest=True,
        synced=min(exists, 4),
    )
    assert commands[1].startswith(b"UID FETCH 4294967295:* (UID FLAGS ")
    assert result.batch is not None
    last = await result.batch.newest_mail()
    assert (last and last.subject) == subject
    assert (result.batch.newest is not None) is is_known


async def test_newest_message_that_was_not_fetched_completely() -> None:
    """BODYSTRUCTURE is missing if only the command for the newest message returned it."""
    short = b"* 5 FETCH (UID 5 FLAGS () BODY[HEADER.FIELDS (FROM)] {2}\r\n\r\n)\r\n"
    result, _ = await synced({"newest": (short, OK)}, exists=5, newest=True, synced=4)
    assert result.outcome is Outcome.NOT_SHOWN
    assert result.batch is not None
    assert result.batch.uids == []


@pytest.mark.parametrize(
    ("fetch", "options", "changed"),
    [
        (mail(5, 5), {}, False),
        (flags(1, 1) + mail(5, 5), {}, True),
        (mail(4, 4), {"growth": 1}, False),
        (flags(1, 1) + mail(4, 4), {"growth": 1}, True),
        (mail(4, 4), {"newest": True}, False),
        (flags(1, 1) + mail(4, 4), {"newest": True}, True),
    ],
)
async def test_changed_flags_of_older_messages(
    fetch: bytes, options: dict[str, Any], changed: bool
) -> None:
    """Only the last message was requested; other old ones show that their flags changed."""
    result, _ = await synced({"fetch": (fetch, OK)}, exists=5, synced=4, **options)
    assert result.flags_changed is changed


async def test_folder_that_is_only_opened() -> None:
    """Without commands for its messages, the result has no batch."""
    octets = b"* 9 EXISTS\r\n* OK [UIDVALIDITY 1] x\r\n* OK [UIDNEXT 9] x\r\n"
    async with InboxSession(replying({"examine": (octets, OK)})) as session:
        whole = sync_request(session, "INBOX", MARK, examines=True)
        opens = type(whole)("INBOX", MARK, whole.examine)
        await session.connection.send(*opens.commands)
        result = await read_sync(session, opens)
        assert (result.outcome, result.is_opened) == (Outcome.DONE, True)
        assert (result.batch, result.exists, result.unread) == (None, None, None)
        assert session.selected.uid_next == 9
        nothing = type(whole)("INBOX", MARK)
        assert nothing.commands == []
        assert not (await read_sync(session, nothing)).is_opened


async def test_refused_count_does_not_delay_mail() -> None:
    """The message is returned, and the number of unread messages is unknown."""
    result, _ = await synced(
        {"fetch": (mail(5, 5), OK), "count": (b"", b"NO [SERVERBUG] no")},
        exists=5,
        synced=4,
    )
    assert result.batch is not None
    assert (result.outcome, result.batch.uids) == (Outcome.DONE, [5])
    assert result.unread is None


async def test_messages_of_a_fetch_that_left_out_others() -> None:
    """A search need not fetch those with data again; flags of a message are not enough."""
    octets = flags(1, 1) + mail(5, 5) + mail(7, 7) + flags(8, 8)
    result, _ = await synced({"fetch": (octets, OK)}, exists=8, synced=4)
    assert result.outcome is Outcome.BY_SEARCH
    assert result.batch is not None
    messages = result.batch.messages
    assert [uid for uid, items in messages.items() if "BODY" in items] == [5, 7]


async def test_exception_while_a_message_is_parsed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The message is reported without its fields, and the exception is logged."""
    messages: dict[int, dict[str, Value]] = {
        5: BrokenItems("BODY"),
        6: {"BODY": b"Subject: a\r\n"},
    }
    batch = SyncBatch("INBOX", MARK, 7, messages=messages)
    mails = [await batch.mail(uid) for uid in batch.uids]
    assert [(mail.uid, mail.subject) for mail in mails] == [(5, ""), (6, "a")]
    assert caplog.text.count("cannot be read") == 1
