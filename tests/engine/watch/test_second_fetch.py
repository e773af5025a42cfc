"""A second FETCH for the text of a message fails. Each message is still delivered, without duplicates."""

import asyncio
from collections.abc import Callable, Iterable
import re
from typing import Final

import pytest

from custom_components.imap_push.imap import Mark, WatchedFolder

from ..light import HOUR, IDLE, MINUTE, NOTIFY, POLL, served
from ..virtual import VirtualLoop, run, watched

from tests.rig.light_server import LightServer

EVERY_MODE = pytest.mark.parametrize(
    ("capabilities", "name"),
    [(NOTIFY, "INBOX"), (NOTIFY, "Work"), (IDLE, "INBOX"), (POLL, "Work")],
    ids=["NOTIFY", "NOTIFY of another folder", "IDLE", "polling"],
)
# The text starts after what the first FETCH requests.
TEXT: Final = b"\r\n" * 8_000 + b"Hello\r\n"
SECOND: Final = re.compile(rb"(\S+) UID FETCH (\d+) \(UID BODY\.PEEK\[1\]")
BAD: Final = 2  # the UID of the message whose second FETCH goes wrong

type Answer = Callable[[LightServer, bytes], Iterable[bytes]]


def section(uid: int, value: bytes) -> bytes:
    """Return the FETCH response with the text of a message."""
    return b"* 1 FETCH (UID %d BODY[1]<0> %b)" % (uid, value)


def literal(value: bytes) -> bytes:
    """Return a literal."""
    return b"{%d}\r\n%b" % (len(value), value)


def ends(end: Callable[[LightServer], None]) -> Answer:
    """Return an answer that ends the connection."""

    def answer(server: LightServer, _tag: bytes) -> Iterable[bytes]:
        end(server)
        return ()

    return answer


def removes(server: LightServer, tag: bytes) -> Iterable[bytes]:
    """Expunge the message before the FETCH is answered."""
    server.expunge(BAD)
    return (tag + b" OK done",)


def serve(loop: VirtualLoop, capabilities: bytes, bad: Answer | None) -> LightServer:
    """Return a server with messages whose text needs a second FETCH."""

    def twist(line: bytes) -> Iterable[bytes] | None:
        if not (match := SECOND.match(line)):
            return None
        server.asked[b"second"] += 1
        tag, uid = match[1], int(match[2])
        if bad and uid == BAD:
            return bad(server, tag)
        return section(uid, literal(TEXT)), tag + b" OK done"

    server = served(loop, "INBOX", "Work", capabilities=capabilities, twist=twist)
    for name in ("INBOX", "Work"):
        server.folder(name).text = TEXT
    return server


def folders() -> dict[str, WatchedFolder]:
    """Return two folders that are watched with text."""
    mark = Mark(7, 1)
    return {name: WatchedFolder(mark=mark, text_size=100) for name in ("INBOX", "Work")}


@EVERY_MODE
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda _, tag: [tag + b" NO not now"], id="NO"),
        pytest.param(lambda _, tag: [tag + b" BAD what"], id="BAD"),
        pytest.param(lambda _, tag: [tag + b" OK done"], id="nothing"),
        pytest.param(removes, id="message removed"),
        pytest.param(
            lambda _, tag: [b"* 1 FETCH (UID 2 FLAGS ())", tag + b" OK done"],
            id="changed flags",
        ),
        pytest.param(
            lambda _, tag: [section(99_999, literal(TEXT)), tag + b" OK done"],
            id="another message",
        ),
        pytest.param(
            lambda _, tag: [section(BAD, b"NIL"), tag + b" OK done"], id="NIL"
        ),
        pytest.param(
            lambda _, tag: [section(BAD, b'""'), tag + b" OK done"], id="empty string"
        ),
        pytest.param(
            lambda _, tag: [section(BAD, literal(bytes(2_200_000))), tag + b" OK done"],
            id="too large",
        ),
    ],
)
def test_text_that_fetch_does_not_return(
    capabilities: bytes, name: str, answer: Answer
) -> None:
    """The message is delivered without text, the others with text. Nothing is fetched twice."""

    async def main(loop: VirtualLoop) -> None:
        server = serve(loop, capabilities, answer)
        async with watched(folders()) as recorder:
            await asyncio.sleep(MINUTE)
            server.deliver(3, name)
            await asyncio.sleep(10 * MINUTE)
            assert recorder.uids_by_folder == {name: [1, 2, 3]}
            texts = [arrival.mail.text for arrival in recorder.arrivals]
            assert texts == ["Hello", "", "Hello"]
            assert [arrival.mail.truncated for arrival in recorder.arrivals][1]
            assert server.asked[b"second"] == 3
            assert len(loop.connected_at) <= 2

    run(main)


@EVERY_MODE
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(ends(LightServer.close_all), id="closed"),
        pytest.param(ends(LightServer.dismiss_all), id="BYE"),
        pytest.param(lambda *_: [b"%%%"], id="no IMAP"),
        pytest.param(lambda *_: [], id="silence"),
    ],
)
def test_connection_ends_each_time(
    capabilities: bytes, name: str, answer: Answer
) -> None:
    """All messages are delivered soon with their fields, and the account continues."""

    async def main(loop: VirtualLoop) -> None:
        server = serve(loop, capabilities, answer)
        async with watched(folders()) as recorder:
            await asyncio.sleep(MINUTE)
            server.deliver(3, name)
            await asyncio.sleep(15 * MINUTE)
            assert recorder.uids_by_folder == {name: [1, 2, 3]}
            for arrival in recorder.arrivals:
                assert arrival.mail.sender == f"ann{arrival.mail.uid}@example.org"
                assert arrival.mail.truncated
            server.deliver(1, name)
            await asyncio.sleep(HOUR)
            assert recorder.uids_by_folder == {name: [1, 2, 3, 4]}
            assert recorder.arrivals[-1].mail.text == "Hello"

    run(main)


@pytest.mark.parametrize("capabilities", [NOTIFY, POLL], ids=["NOTIFY", "polling"])
@pytest.mark.parametrize(
    "is_removed", [True, False], ids=["removed", "new UIDVALIDITY"]
)
def test_folder_changes_before_the_second_fetch(
    capabilities: bytes, *, is_removed: bool
) -> None:
    """No text of another message is used, and no connection or message is lost."""

    async def main(loop: VirtualLoop) -> None:
        server = serve(loop, capabilities, None)
        async with watched(folders()) as recorder:
            server.deliver(1, "Work")
            await asyncio.sleep(10 * MINUTE)
            connections = len(loop.connected_at)
            work = server.folder("Work")
            server.habits.twist = change_at_second_examine(
                server, is_removed=is_removed
            )
            server.deliver(3, "Work")
            await asyncio.sleep(10 * MINUTE)
            if is_removed:
                assert recorder.state.folders["Work"].missing
                server.restore(work)
            server.deliver(1, "Work")
            server.deliver(1)
            await asyncio.sleep(2 * HOUR)
            assert recorder.uids_by_folder == {"Work": [1, 2, 3, 4, 5], "INBOX": [1]}
            validities = [
                arrival.mail.uid_validity
                for arrival in recorder.arrivals
                if arrival.mail.folder == "Work"
            ]
            assert validities == [7, *[7 if is_removed else 8] * 4]
            assert len(loop.connected_at) == connections

    run(main)


def change_at_second_examine(
    server: LightServer, *, is_removed: bool
) -> Callable[[bytes], Iterable[bytes] | None]:
    """Return a twist that changes a folder at its second EXAMINE."""
    twist, examines = server.habits.twist, 0
    assert twist is not None

    def changing(line: bytes) -> Iterable[bytes] | None:
        nonlocal examines
        if b"EXAMINE" in line and b"Work" in line:
            examines += 1
            if examines == 2 and is_removed:
                server.remove("Work")
            elif examines == 2:
                server.folder("Work").uid_validity += 1
        return twist(line)

    return changing
