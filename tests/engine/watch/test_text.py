"""The text that is delivered with a message."""

import asyncio
from dataclasses import replace
import json

import pytest

from custom_components.imap_push.imap import (
    Arrival,
    CatchUp,
    Mark,
    PushMode,
    WatchedFolder,
    WatchOptions,
)
from custom_components.imap_push.imap.mime.header import FETCH_ITEMS
from custom_components.imap_push.imap.mime.preview import (
    NO_TEXT,
    TextRequest,
    fetch_items,
)
from custom_components.imap_push.imap.session import message_reader
from custom_components.imap_push.imap.session.message_reader import read_message

from ..fields import fields_of
from ..light import MINUTE, NOTIFY, served
from ..recorder import Recorder
from ..scripted import BrokenItems
from ..virtual import VirtualLoop, run, watched
from .support import EVERY_MODE, POLLED, TWO

from tests.rig.light_folder import UID_VALIDITY

TEXT = WatchedFolder(text_size=10)
NONE = WatchedFolder()


class Slow(Recorder):
    """Takes ten seconds for each message."""

    async def mail_arrived(self, arrival: Arrival) -> None:
        """Wait ten seconds."""
        await asyncio.sleep(10)
        await super().mail_arrived(arrival)


@EVERY_MODE
@pytest.mark.parametrize("sparse", [False, True], ids=["as usual", "one by one"])
def test_text(capabilities: bytes, sparse: bool) -> None:
    """Text is delivered if it is configured, in the same round trip, and is marked if it is cut."""

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
            await asyncio.sleep(POLLED)
            mails = {item.mail.folder: item.mail for item in recorder.arrivals}
            assert (mails["INBOX"].text, mails["INBOX"].truncated) == ("Short", False)
            work = mails["Work"]
            assert (work.text, work.truncated) == ("This is mu", True)
            assert (mails["None"].text, mails["None"].truncated) == (None, False)
            last = [item.last_mail for item in recorder.state.folders.values()]
            assert [item and item.text for item in last] == [None] * 3

    run(main)


@EVERY_MODE
@pytest.mark.parametrize("catch_up", CatchUp)
@pytest.mark.parametrize("name", TWO)
def test_text_size_is_increased(
    capabilities: bytes, catch_up: CatchUp, name: str
) -> None:
    """The next message has more text. No message is lost or repeated, nor the connection closed."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=capabilities, limit=1)
        options = WatchOptions(catch_up=catch_up)
        async with watched(dict.fromkeys(TWO, NONE), options) as recorder:
            await asyncio.sleep(MINUTE)
            logins = server.logins
            expected: list[str | None] = []
            for size, text in ((0, None), (3, "Hel"), (100, "Hello"), (0, None)):
                server.deliver(1, name)
                recorder.watcher.set_text(name, size)
                server.deliver(1, name)
                await asyncio.sleep(POLLED)
                server.deliver(1, name)
                await asyncio.sleep(POLLED)
                expected.append(text)
            assert recorder.uids_by_folder == {name: list(range(1, 13))}
            assert [item.mail.text for item in recorder.arrivals][2::3] == expected
            assert not any(item.catch_up for item in recorder.arrivals)
            assert server.logins == logins

    run(main)


def test_text_size_is_increased_during_delivery() -> None:
    """The message that is being delivered is not delivered twice."""

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


def test_text_in_catch_up() -> None:
    """Text is delivered after a long absence, also if UIDVALIDITY changed."""

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
            assert recorder.uids_by_folder["INBOX"] == list(range(1, 604))
            assert recorder.uids_by_folder["Work"] == [1, 2, 3, 2, 3]
            assert {item.mail.text for item in recorder.arrivals} == {"Hello"}

    run(main)


def test_batches_are_small_for_large_texts() -> None:
    """Batches fit into the memory limit, and texts are read in a thread."""

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
            work = [call.args[0] for call in loop.in_threads]  # type: ignore[attr-defined]
            read = [getattr(item, "func", None) for item in work]
            assert read.count(message_reader._preview) == 40

    run(main)


def test_no_text_is_fetched_if_none_is_configured() -> None:
    """The FETCH items are those without text."""
    assert fetch_items(NO_TEXT) == FETCH_ITEMS
    assert "TEXT" not in FETCH_ITEMS
    assert "CONTENT-TYPE" in fetch_items(TextRequest(1))


def test_text_with_polling() -> None:
    """The push mode of the arrival is the same with text."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop)
        options = WatchOptions(push=False)
        async with watched({"INBOX": TEXT}, options) as recorder:
            await asyncio.sleep(1)
            server.deliver(1)
            await asyncio.sleep(POLLED)
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
async def test_text_is_decoded_by_its_header_fields(
    header: bytes | None, body: bytes | None, text: str
) -> None:
    """Content-Type decides how the text is decoded."""
    items = {"BODY": header, "BODY[TEXT]": body}
    mail = await read_message("INBOX", 1, 1, items, TextRequest(100))
    assert mail.text == text


async def test_text_that_cannot_be_read() -> None:
    """The message has no text, and `truncated` is true."""
    items = BrokenItems("BODY[TEXT]", BODY=b"Subject: Hi\r\n")
    mail = await read_message("INBOX", 1, 1, items, TextRequest(100))
    assert (mail.subject, mail.text, mail.truncated) == ("Hi", "", True)


async def test_text_is_cut_to_fit_into_an_event() -> None:
    """The text is cut to the space that the other fields leave."""
    long = b", ".join(b"person%d@example.org" % number for number in range(500))
    header = b"To: %b\r\nCc: %b\r\nSubject: %b\r\n" % (long, long, b"s" * 9000)
    items = {"BODY": header, "BODY[TEXT]": b"\xc3\xa9" * 30_000}
    mail = await read_message("INBOX", 1, 1, items, TextRequest(30_000))
    event = fields_of(replace(mail, recipients=()))
    size = len(json.dumps(event, default=str, ensure_ascii=False).encode())
    assert 20_000 < size < 29_000
    assert mail.truncated
