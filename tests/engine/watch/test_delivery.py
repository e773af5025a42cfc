"""New messages are delivered in order and without duplicates, whatever the server returns."""

import asyncio
from datetime import UTC, datetime
import re

import pytest

from custom_components.imap_push.imap import Mark, PushMode, WatchedFolder
from custom_components.imap_push.imap.limits import MAX_FETCH, ReceiveBudget
from custom_components.imap_push.imap.session.sync import BATCH

from ..light import HOUR, IDLE, MINUTE, NOTIFY, each, served
from ..recorder import Recorder
from ..scripted import Peer, mail
from ..virtual import VirtualLoop, run, watched
from .support import (
    EVERY_MODE,
    MOST_OF_AN_HOUR,
    POLLED,
    PUSH_MODES,
    TWO,
    count_examines,
    idle_forever,
    lines,
    places,
    watching,
)

from tests.rig.light_folder import UID_VALIDITY

RECEIVED = datetime(2026, 11, 23, 9, tzinfo=UTC)
MAX_UID = 2**32 - 1


async def test_existing_mail_is_not_delivered() -> None:
    """The state has the number of unread messages and the newest message, but nothing is delivered."""

    async def serve(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(exists=4, uid_next=5)
        assert b"UID FETCH 5:504" in await peer.sync(4, unread=2)
        await idle_forever(peer)

    async with watching(serve) as recorder:
        await recorder.until(
            lambda: recorder.marks and recorder.marks[-1].last_received
        )
    assert recorder.arrivals == []
    assert places(recorder.marks) == [(1, 5)]
    assert recorder.marks[-1].last_received == RECEIVED
    state = recorder.states[-1]
    assert (state.connected, state.push_mode) == (True, PushMode.IDLE)
    assert "IDLE" in state.capabilities
    folder = state.folders["INBOX"]
    assert folder.last_mail is not None
    assert (folder.available, folder.unread, folder.last_mail.uid) == (True, 2, 4)


async def test_burst() -> None:
    """Each message of a burst is delivered, however its EXISTS responses are combined."""

    async def serve(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_next=1)
        await peer.sync()
        tag = await peer.idle()
        peer.say(*(b"* %d EXISTS" % count for count in range(1, 31)))
        await peer.done(tag)
        fetch = await peer.expect("UID FETCH 1:")
        count = await peer.expect("UID SEARCH")
        # Another message arrives while the first thirty are fetched.
        for uid in range(1, 31):
            peer.say_raw(mail(uid, uid))
        peer.say(b"* 31 EXISTS", fetch + b" OK")
        peer.say(b"* ESEARCH (TAG x) UID COUNT 30", count + b" OK")
        tag = await peer.idle()
        await peer.done(tag)
        await peer.sync(31)
        await idle_forever(peer)

    async with watching(serve) as recorder:
        await recorder.until(lambda: len(recorder.arrivals) == 31)
    assert recorder.uids == list(range(1, 32))


async def test_newest_message_is_expunged() -> None:
    """Nothing is delivered when FETCH returns an older message as the last one."""

    async def serve(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_next=6)
        await peer.sync(5, unread=1)
        tag = await peer.idle()
        peer.say(b"* 2 EXPUNGE")
        await peer.done(tag)
        await peer.sync(3, unread=0)
        await idle_forever(peer)

    async with watching(serve) as recorder:
        await recorder.until(lambda: recorder.states)
        await recorder.until(lambda: recorder.state.folders["INBOX"].unread == 0)
    assert recorder.arrivals == []


async def test_connection_lost_during_fetch() -> None:
    """Messages of a FETCH without a tagged OK are delivered after the next FETCH, without duplicates."""

    async def broken(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_next=7)
        await peer.expect("UID FETCH 5:")
        peer.say_raw(mail(1, 5))
        peer.reset()

    async def whole(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_next=7)
        assert b"UID FETCH 5:504" in await peer.sync(5, 6)
        await idle_forever(peer)

    async with watching(broken, whole, mark=Mark(1, 5)) as recorder:
        await recorder.until(lambda: recorder.states and recorder.states[-1].connected)
    assert recorder.uids == [5, 6]


@EVERY_MODE
def test_message_expunged_before_the_sync(capabilities: bytes) -> None:
    """The folder is selected one time, the account stays connected, and later mail is delivered."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=capabilities, limit=1)
        async with watched(dict.fromkeys(TWO)) as recorder:
            await asyncio.sleep(MINUTE)
            before = count_examines(loop, "Work")
            server.deliver(2, "Work")
            server.expunge(1, "Work")
            server.expunge(2, "Work")
            await asyncio.sleep(MOST_OF_AN_HOUR)
            assert count_examines(loop, "Work") == before + 1
            assert recorder.state.connected
            server.deliver(1, "Work")
            await asyncio.sleep(0.1 if capabilities is NOTIFY else POLLED)
            assert recorder.uids_by_folder == {"Work": [3]}

    run(main)


@EVERY_MODE
def test_uidnext_above_the_mark_without_mail(capabilities: bytes) -> None:
    """The account is connected although UIDNEXT counts a message that no longer exists."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=capabilities, limit=1)
        server.slip_in(5, "Work")
        server.folder("Work").gone.update(range(1, 6))
        mark = Mark(UID_VALIDITY, 3)
        async with watched({"INBOX": None, "Work": mark}) as recorder:
            await asyncio.sleep(1)
            assert recorder.state.connected
            before = count_examines(loop, "Work")
            assert before <= 2
            await asyncio.sleep(MOST_OF_AN_HOUR)
            assert count_examines(loop, "Work") == before
            server.deliver(1, "Work")
            await asyncio.sleep(0.1 if capabilities is NOTIFY else POLLED)
            assert recorder.uids_by_folder == {"Work": [6]}

    run(main)


@EVERY_MODE
def test_gap_of_thousands_of_uids(capabilities: bytes) -> None:
    """A message is delivered although thousands of UIDs below it are expunged."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, "INBOX", "Work", capabilities=capabilities)
        async with watched({"INBOX": None, "Work": None}) as recorder:
            await asyncio.sleep(MINUTE)
            for name in ("INBOX", "Work"):
                server.slip_in(5000, name)
                server.folder(name).gone.update(range(2, 5001))
                server.deliver(2, name)
            await asyncio.sleep(MINUTE + 5)
            uids = [1, 5001, 5002]
            assert recorder.uids_by_folder == {"INBOX": uids, "Work": uids}
            assert server.logins <= 2

    run(main)


@EVERY_MODE
@pytest.mark.parametrize("hides_uidnext", [False, True], ids=["UIDNEXT", "no UIDNEXT"])
@pytest.mark.parametrize("answer", [b"OK done", b"NO what", b"BAD what"])
def test_server_that_does_not_return_the_last_message(
    capabilities: bytes,
    answer: bytes,
    hides_uidnext: bool,
) -> None:
    """Mail with much higher UIDs is found, without a storm of commands."""
    last = 20 * BATCH

    async def main(loop: VirtualLoop) -> None:
        def twist(line: bytes) -> list[bytes] | None:
            is_asked = b"UID FETCH 4294967295:*" in line
            return [line.split(b" ")[0] + b" " + answer] if is_asked else None

        server = served(
            loop, capabilities=capabilities, twist=twist, hides_uidnext=hides_uidnext
        )
        server.slip_in(last)
        server.folder().gone.update(range(3, last - 2))
        async with watched({"INBOX": Mark(UID_VALIDITY, 1)}) as recorder:
            await asyncio.sleep(10 * MINUTE)
            assert recorder.uids == [1, 2, last - 2, last - 1, last]
            before = sum(server.asked.values())
            await asyncio.sleep(HOUR)
            assert sum(server.asked.values()) - before < 500

    run(main)


@EVERY_MODE
def test_message_that_fetch_never_returns(capabilities: bytes) -> None:
    """It is delivered without its fields after a few seconds, and the others in order."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, capabilities=capabilities)
        async with watched({"INBOX": None}) as recorder:
            await asyncio.sleep(MINUTE)
            server.folder().hidden.add(2)
            server.deliver(3)
            await asyncio.sleep(MINUTE + 10)
            assert recorder.uids == [1, 2, 3]
            assert recorder.arrivals[1].mail.subject == ""
            await asyncio.sleep(HOUR)
            assert len(recorder.uids) == 3

    run(main)


@EVERY_MODE
def test_message_that_fetch_refuses(capabilities: bytes) -> None:
    """It is delivered without its fields, in any folder, and the other messages are complete."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, "INBOX", "Work", capabilities=capabilities, limit=1)
        async with watched({"INBOX": None, "Work": None}) as recorder:
            await asyncio.sleep(MINUTE)
            for name in ("INBOX", "Work"):
                server.folder(name).unshowable.add(2)
                server.slip_in(2, name)
                server.deliver(1, name)
            await asyncio.sleep(6 * MINUTE)
            assert recorder.uids_by_folder == {"INBOX": [1, 2, 3], "Work": [1, 2, 3]}
            subjects = {item.mail.uid: item.mail.subject for item in recorder.arrivals}
            assert subjects == {1: "Mail nº 1", 2: "", 3: "Mail nº 3"}
            server.deliver(1)
            await asyncio.sleep(6 * MINUTE)
            assert recorder.uids_by_folder["INBOX"] == [1, 2, 3, 4]

    run(main)


@EVERY_MODE
def test_batch_is_too_large(capabilities: bytes) -> None:
    """All messages are delivered in order, fewer at a time."""
    # Only the reserve of the connection is left, which has room for eight of these messages.
    budget = ReceiveBudget(0)
    folder = WatchedFolder(mark=Mark(UID_VALIDITY, 1), text_size=100_000)

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, capabilities=capabilities)
        server.folder().text = b"x" * 300_000
        server.slip_in(30)
        async with watched({"INBOX": folder}, receive_budget=budget) as recorder:
            await asyncio.sleep(HOUR)
            assert recorder.uids == list(range(1, 31))
            assert all(arrival.mail.subject for arrival in recorder.arrivals)
            assert all(arrival.mail.text for arrival in recorder.arrivals)
            assert recorder.state.connected
            server.deliver(1)
            await asyncio.sleep(POLLED)
            assert recorder.uids == list(range(1, 32))
            fetched = [
                line
                for line in lines(loop)
                if line.startswith(b"UID FETCH ") and b"*" not in line
            ]
            assert fetched[0].startswith(b"UID FETCH 1:16 ")
            assert fetched[1].startswith(b"UID FETCH 9:24 ")

    run(main)


@EVERY_MODE
@pytest.mark.parametrize("name", TWO)
def test_message_is_too_large(capabilities: bytes, name: str) -> None:
    """It is delivered without its fields, and later ones completely, in the same session."""
    size = MAX_FETCH + 1

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=capabilities, limit=1)
        server.slip_in(5, name)
        opened = [b""]

        def blow_up(line: bytes) -> list[bytes] | None:
            tag, _, command = line.partition(b" ")
            if command.startswith(b"EXAMINE"):
                opened.append(command.split(b'"')[1])
            if b"UID FETCH" not in command or b"BODY" not in command:
                return None
            uids = server.folder(name).uids(command.split(b" ")[2])
            if opened[-1] != name.encode() or 3 not in uids:
                return None
            return [
                *(
                    server.folder(name).fetched(uid, b"UID BODY.PEEK[]")
                    for uid in uids
                    if uid < 3
                ),
                b"* 3 FETCH (UID 3 BODY[HEADER] {%d}\r\n" % size + b"x" * size + b")",
                *(
                    server.folder(name).fetched(uid, b"UID BODY.PEEK[]")
                    for uid in uids
                    if uid > 3
                ),
                tag + b" OK FETCH",
            ]

        server.habits.twist = blow_up
        mark = Mark(UID_VALIDITY, 1)
        async with watched(dict.fromkeys(TWO, mark)) as recorder:
            await asyncio.sleep(HOUR)
            assert recorder.uids_by_folder == {name: [1, 2, 3, 4, 5]}
            subjects = [bool(arrival.mail.subject) for arrival in recorder.arrivals]
            assert subjects == [True, True, False, True, True]
            assert recorder.state.connected
            assert recorder.watcher.statistics.sessions == 1

    run(main)


@EVERY_MODE
@pytest.mark.parametrize("is_shown", [True, False])
def test_highest_uid(capabilities: bytes, is_shown: bool) -> None:
    """A message with the highest possible UID is not delivered twice, and the session continues."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=capabilities, limit=1)
        for name in TWO:
            server.folder(name).last = MAX_UID - 2
            if not is_shown:
                server.folder(name).unshowable.add(MAX_UID)

        def refuse(line: bytes) -> list[bytes] | None:
            if max(map(int, re.findall(rb"\d+", line))) <= MAX_UID:
                return None
            return [line.partition(b" ")[0] + b" BAD no such number"]

        server.habits.twist = refuse
        async with watched(dict.fromkeys(TWO)) as recorder:
            await asyncio.sleep(MINUTE)
            for _ in range(2):
                for name in TWO:
                    server.deliver(1, name)
                await asyncio.sleep(POLLED)
            assert recorder.uids_by_folder == each(TWO, [MAX_UID - 1, MAX_UID])
            server.reset_all()
            before = count_examines(loop, "Work")
            await asyncio.sleep(HOUR)
            assert count_examines(loop, "Work") <= before + 4
            assert recorder.state.connected
            assert len(recorder.arrivals) == 4
            assert len(loop.connected_at) <= 3 + (capabilities is IDLE)
            assert server.logins < 7

    run(main)


@PUSH_MODES
def test_push_continues_after_a_search_in_another_folder(capabilities: bytes) -> None:
    """The inbox is selected again, and waits, after another folder needed a SEARCH."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=capabilities, limit=1)
        async with watched(dict.fromkeys(TWO)) as recorder:
            await asyncio.sleep(MINUTE)
            server.slip_in(5000, "Work")
            server.folder("Work").gone.update(range(1, 5001))
            server.deliver(1, "Work")
            await asyncio.sleep(0.1 if capabilities is NOTIFY else POLLED)
            assert recorder.uids_by_folder == {"Work": [5001]}
            assert server.is_watched
            server.deliver(1)
            await asyncio.sleep(0.1)
            assert recorder.uids_by_folder == {"Work": [5001], "INBOX": [1]}
            server.deliver(1, "Work")
            await asyncio.sleep(0.1 if capabilities is NOTIFY else POLLED)
            assert recorder.uids_by_folder == {"Work": [5001, 5002], "INBOX": [1]}
            server.deliver(1)
            await asyncio.sleep(0.1)
            assert recorder.uids_by_folder["INBOX"] == [1, 2]
            assert recorder.arrivals[-1].push.value in capabilities.decode().lower()

    run(main)


@PUSH_MODES
def test_push_continues_after_an_unreadable_message(capabilities: bytes) -> None:
    """The inbox waits all the time, and each message is delivered immediately."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, capabilities=capabilities)
        server.slip_in(1)
        server.folder().unshowable.add(1)
        async with watched({"INBOX": None}) as recorder:
            for uid in range(2, 8):
                for _ in range(30):
                    await asyncio.sleep(MINUTE + 0.1)
                    assert server.is_watched
                server.deliver(1)
                await asyncio.sleep(0.1)
                assert recorder.uids == list(range(2, uid + 1))
                # From now on FETCH refuses this message, and perhaps the next one.
                server.folder().unshowable.add(uid)
                server.folder().unshowable.add(uid + 1)
                if uid % 2:
                    server.reset_all()

    run(main)


async def test_errors_of_the_listener_are_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The watcher continues, and the mark moves past the message."""

    async def serve(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_next=7)
        await peer.sync(5, 6)
        await idle_forever(peer)

    recorder: Recorder
    async with watching(serve, mark=Mark(1, 5)) as recorder:
        recorder.errors = 3
        await recorder.until(lambda: recorder.states)
    assert recorder.uids == [5, 6]
    assert caplog.text.count("a listener's own error") >= 3
    assert places(recorder.marks)[-1] == (1, 7)
