"""What a watcher tells of its folders and of itself, and what it does when asked to."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
import json

import pytest

from custom_components.imap_push.imap import (
    Arrival,
    CatchUp,
    FolderState,
    Mark,
    PushMode,
    WatchedFolder,
    WatchOptions,
)
from custom_components.imap_push.imap.mime import preview
from custom_components.imap_push.imap.mime.header import FETCH_ITEMS
from custom_components.imap_push.imap.mime.preview import (
    NO_TEXT,
    TextRequest,
    fetch_items,
)
from custom_components.imap_push.imap.session import message_reader
from custom_components.imap_push.imap.session.message_reader import read_message

from ..light import HOUR, IDLE, MINUTE, NOTIFY, POLL, each, served
from ..recorder import Recorder
from ..virtual import VirtualLoop, run, watched

from tests.rig.light_folder import UID_VALIDITY
from tests.rig.light_server import LightServer

TWO = ("INBOX", "Work")
ASKED = MINUTE + 1
TEXT = WatchedFolder(text_size=10)
NONE = WatchedFolder()
EVERY_WAY = pytest.mark.parametrize(
    "capabilities", [NOTIFY, IDLE, POLL], ids=["notify", "idle", "poll"]
)


@EVERY_WAY
@pytest.mark.parametrize("sparse", [False, True], ids=["as usual", "one by one"])
def test_text(capabilities: bytes, sparse: bool) -> None:
    """See the text of mail told where it is wanted, in the same round trip, cut and said so."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, "None", capabilities=capabilities, limit=1)
        if sparse:
            server.folder("Work").last = 2**31
        folders = {"INBOX": TEXT, "Work": TEXT, "None": None}
        async with watched(folders) as recorder:
            await asyncio.sleep(MINUTE)
            server.folder().text = b"Short\r\n"
            server.folder("Work").text = b"This is much longer\r\n"
            server.folder("None").text = b"Nobody wants it\r\n"
            for name in folders:
                server.deliver(1, name)
            await asyncio.sleep(ASKED)
            mails = {it.mail.folder: it.mail for it in recorder.arrivals}
            assert (mails["INBOX"].text, mails["INBOX"].truncated) == ("Short", False)
            work = mails["Work"]
            assert (work.text, work.truncated) == ("This is mu", True)
            assert (mails["None"].text, mails["None"].truncated) == (None, False)
            last = [it.last_mail for it in recorder.state.folders.values()]
            assert [it and it.text for it in last] == [None] * 3

    run(main)


@EVERY_WAY
@pytest.mark.parametrize("catch_up", CatchUp)
@pytest.mark.parametrize("name", TWO)
def test_more_text_is_wanted(capabilities: bytes, catch_up: CatchUp, name: str) -> None:
    """See it told with the very next mail, none lost or twice, on the same connection."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=capabilities, limit=1)
        options = WatchOptions(catch_up=catch_up)
        async with watched(dict.fromkeys(TWO, NONE), options) as recorder:
            await asyncio.sleep(MINUTE)
            logins = server.logins
            told: list[str | None] = []
            for size, text in ((0, None), (3, "Hel"), (100, "Hello"), (0, None)):
                server.deliver(1, name)
                recorder.watcher.set_text(name, size)
                server.deliver(1, name)
                await asyncio.sleep(ASKED)
                server.deliver(1, name)
                await asyncio.sleep(ASKED)
                told.append(text)
            assert recorder.told == {name: list(range(1, 13))}
            assert [it.mail.text for it in recorder.arrivals][2::3] == told
            assert not any(it.catch_up for it in recorder.arrivals)
            assert server.logins == logins

    run(main)


class Slow(Recorder):
    """Takes ten seconds for each mail."""

    async def mail_arrived(self, arrival: Arrival) -> None:
        """Take its time."""
        await asyncio.sleep(10)
        await super().mail_arrived(arrival)


def test_more_text_is_wanted_while_a_mail_is_handed_over() -> None:
    """See that mail told once, however long its hand-over takes."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=NOTIFY)
        async with watched(dict.fromkeys(TWO), recorder=Slow()) as recorder:
            await asyncio.sleep(1)
            server.deliver(1)
            await asyncio.sleep(1)
            recorder.watcher.set_text("INBOX", 100)
            await asyncio.sleep(MINUTE)
            server.deliver(1)
            await asyncio.sleep(MINUTE)
            assert recorder.uids == [1, 2]
            assert recorder.arrivals[1].mail.text == "Hello"

    run(main)


def test_text_of_mail_that_came_meanwhile() -> None:
    """See it told with mail of a long absence, also where the folder was numbered anew."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=NOTIFY)
        async with watched(dict.fromkeys(TWO, TEXT)) as recorder:
            await asyncio.sleep(1)
            server.deliver(3)
            server.deliver(3, "Work")
            await asyncio.sleep(1)
            accept, loop.accept = loop.accept, None
            server.close_all()
            server.slip_in(600)
            server.folder("Work").renumber(kept=1)
            server.slip_in(2, "Work")
            await asyncio.sleep(MINUTE)
            loop.accept = accept
            await asyncio.sleep(10 * MINUTE)
            assert recorder.told["INBOX"] == list(range(1, 604))
            assert recorder.told["Work"] == [1, 2, 3, 2, 3]
            assert {it.mail.text for it in recorder.arrivals} == {"Hello"}

    run(main)


def test_large_texts_come_in_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """See no more asked for at a time than the memory is good for, and read beside the loop."""
    in_threads: list[object] = []

    async def to_thread[T](work: Callable[..., T], *arguments: object) -> T:
        # Virtual time would not wait for a thread.
        in_threads.append(work)
        return work(*arguments)

    monkeypatch.setattr(asyncio, "to_thread", to_thread)

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, capabilities=NOTIFY)
        server.folder().text = b"x" * 300_000
        server.slip_in(40)
        folder = WatchedFolder(mark=Mark(UID_VALIDITY, 1), text_size=100_000)
        async with watched({"INBOX": folder}) as recorder:
            await asyncio.sleep(10)
            assert recorder.uids == list(range(1, 41))
            assert b" UID FETCH 1:16 " in b"".join(loop.written)
            assert b"BODY.PEEK[TEXT]<0.262144>" in b"".join(loop.written)
            for arrival in recorder.arrivals:
                assert arrival.mail.text
                assert arrival.mail.truncated
                assert 20_000 < len(json.dumps(arrival.mail.text)) < 28_000
            read = [
                getattr(work, "func", None) is message_reader._preview
                for work in in_threads
            ]
            assert read.count(True) == 40

    run(main)


def test_nothing_more_is_asked_without_text() -> None:
    """See the very same request as before."""
    assert fetch_items(NO_TEXT) == FETCH_ITEMS
    assert "TEXT" not in FETCH_ITEMS
    assert "CONTENT-TYPE" in fetch_items(TextRequest(1))


@pytest.mark.parametrize("capabilities", [NOTIFY, IDLE, POLL], ids=["N", "I", "P"])
@pytest.mark.parametrize("name", TWO)
@pytest.mark.parametrize(
    ("happen", "messages"),
    [
        (lambda server, name: server.deliver(2, name), 5),
        (lambda server, name: server.expunge(1, name), 2),
        (lambda server, name: server.read(1, name), 3),
        (lambda server, name: server.flag(1, name), 3),
    ],
    ids=["new mail", "deleted", "read", "flagged"],
)
def test_something_changed(
    capabilities: bytes,
    name: str,
    happen: Callable[[LightServer, str], None],
    messages: int,
) -> None:
    """See the number of mails told, and that something changed, wherever one could know."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=capabilities + b" CONDSTORE", limit=1)
        for it in TWO:
            server.slip_in(3, it)
        async with watched(dict.fromkeys(TWO)) as recorder:

            def state(folder: str) -> FolderState:
                return recorder.state.folders[folder]

            await asyncio.sleep(2 * MINUTE)
            before = {it: state(it).changes for it in TWO}
            assert [state(it).messages for it in TWO] == [3, 3]
            happen(server, name)
            await asyncio.sleep(ASKED)
            assert state(name).changes > before[name]
            assert state(name).messages == messages
            [other] = set(TWO) - {name}
            told = state(name).changes
            await asyncio.sleep(HOUR)
            assert state(name).changes == told
            assert state(other).messages == 3

    run(main)


@EVERY_WAY
def test_nothing_changed(capabilities: bytes) -> None:
    """See it said so for as long as nothing does."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=capabilities)
        server.slip_in(3)
        async with watched(dict.fromkeys(TWO)) as recorder:
            await asyncio.sleep(2 * MINUTE)
            before = {it: s.changes for it, s in recorder.state.folders.items()}
            await asyncio.sleep(50 * MINUTE)
            after = {it: s.changes for it, s in recorder.state.folders.items()}
            assert after == before

    run(main)


def test_server_that_does_not_tell_of_changes_after_all() -> None:
    """See it asked without them, and its mail told."""

    def twist(line: bytes) -> Iterator[bytes] | None:
        tag, _, command = line.partition(b" ")
        if command.startswith(b"STATUS") and b"HIGHESTMODSEQ" in command:
            return iter([tag + b" BAD what is HIGHESTMODSEQ"])
        return None

    async def main(loop: VirtualLoop) -> None:
        capabilities = POLL + b" CONDSTORE"
        server = served(loop, *TWO, capabilities=capabilities, twist=twist)
        async with watched(dict.fromkeys(TWO)) as recorder:
            await asyncio.sleep(MINUTE)
            for name in TWO:
                server.deliver(1, name)
            await asyncio.sleep(2 * MINUTE + 2)
            assert recorder.told == each(TWO, [1])
            assert server.logins == 1

    run(main)


@EVERY_WAY
def test_check_now(capabilities: bytes) -> None:
    """See what nobody announced found at once, in all folders."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=capabilities, limit=1)
        async with watched(dict.fromkeys(TWO)) as recorder:
            await asyncio.sleep(MINUTE + 30)
            for name in TWO:
                server.slip_in(2, name)
            recorder.watcher.check_now()
            await asyncio.sleep(0.1)
            assert recorder.told == each(TWO, [1, 2])
            assert recorder.state.connected

    run(main)


def test_check_now_ends_a_pause() -> None:
    """See the server tried at once, but not more often than is decent, nor before it wants."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, greeting=b"BYE")
        async with watched({"INBOX": None}) as recorder:
            await asyncio.sleep(HOUR)
            server.habits.greeting = b"OK"
            recorder.watcher.check_now()
            await asyncio.sleep(1)
            assert recorder.state.connected
            server.habits.twist = lambda line: (
                [b"* BYE not now"] if b"EXAMINE" in line else None
            )
            server.close_all()
            logins = server.logins
            for _ in range(600):
                recorder.watcher.check_now()
                await asyncio.sleep(0.1)
            assert server.logins - logins <= 5

    run(main)


def test_check_now_without_folders() -> None:
    """See nothing happen."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop)
        async with watched({}) as recorder:
            await asyncio.sleep(1)
            recorder.watcher.check_now()
            await asyncio.sleep(1)
            assert server.logins == 0

    run(main)


def test_statistics() -> None:
    """See what was done counted, and why connections were lost."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=NOTIFY)
        async with watched(dict.fromkeys(TWO)) as recorder:
            statistics = recorder.watcher.statistics
            assert statistics.syncs.mean == 0
            await asyncio.sleep(1)
            swept = statistics.syncs.count
            assert swept >= 2
            server.deliver(3)
            server.deliver(2, "Work")
            await asyncio.sleep(1)
            assert (statistics.mails, statistics.sessions) == (5, 1)
            assert statistics.syncs.count > swept
            server.close_all()
            await asyncio.sleep(MINUTE)
            assert statistics.sessions == 2
            assert statistics.losses == {"ConnectionLost": 1}
            sweeps = statistics.syncs
            assert 0 <= sweeps.mean <= sweeps.longest
            sweeps.add(3.0)
            assert (sweeps.last, sweeps.longest) == (3.0, 3.0)

    run(main)


def test_text_without_push() -> None:
    """See the mode told as ever."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop)
        options = WatchOptions(push=False)
        async with watched({"INBOX": TEXT}, options) as recorder:
            await asyncio.sleep(1)
            server.deliver(1)
            await asyncio.sleep(ASKED)
            [arrival] = recorder.arrivals
            assert (arrival.push, arrival.mail.text) == (PushMode.POLL, "Hello")

    run(main)


@pytest.mark.parametrize(
    ("header", "body", "text"),
    [
        (b"Content-Type: text/html\r\n", b"<b>Hi</b>", "Hi"),
        (
            b"content-type: text/plain;\r\n charset=latin-1\r\nTo: a\r\n b\r\n",
            b"\xe9",
            "é",
        ),
        (b"To: %b\r\nContent-Type: text/html\r\n" % (b"a" * 9000), b"<p>Hi", "Hi"),
        (None, b"Hi", "Hi"),
        (b"", None, ""),
    ],
    ids=["HTML", "folded", "behind a long field", "no header", "no text"],
)
async def test_how_a_text_is_read(
    header: bytes | None, body: bytes | None, text: str
) -> None:
    """See the fields obeyed that tell how."""
    items = {"BODY": header, "BODY[TEXT]": body}
    mail = await read_message("INBOX", 1, 1, items, TextRequest(100))
    assert mail.text == text


async def test_text_that_we_cannot_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """See the mail told without it, and that something is left out."""
    monkeypatch.setattr(preview, "text_of", 1)
    items = {"BODY": b"Subject: Hi\r\n", "BODY[TEXT]": b"Hi"}
    mail = await read_message("INBOX", 1, 1, items, TextRequest(100))
    assert (mail.subject, mail.text, mail.truncated) == ("Hi", "", True)


async def test_large_mail_with_text_is_still_a_small_event() -> None:
    """See the text give way to the other fields."""
    long = b", ".join(b"person%d@example.org" % number for number in range(500))
    header = b"To: %b\r\nCc: %b\r\nSubject: %b\r\n" % (long, long, b"s" * 9000)
    items = {"BODY": header, "BODY[TEXT]": b"\xc3\xa9" * 30_000}
    mail = await read_message("INBOX", 1, 1, items, TextRequest(30_000))
    event = asdict(replace(mail, recipients=()))
    size = len(json.dumps(event, default=str, ensure_ascii=False).encode())
    assert 20_000 < size < 29_000
    assert mail.truncated
