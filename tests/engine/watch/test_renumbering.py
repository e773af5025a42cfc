"""UIDVALIDITY changes or UIDs go back: no old mail is delivered, no new mail is lost."""

import asyncio
from datetime import timedelta

import pytest

from custom_components.imap_push.imap import Mail, Mark

from ..light import HOUR, MINUTE, each, served
from ..scripted import Peer
from ..virtual import VirtualLoop, run, watched
from .support import (
    EVERY_MODE,
    NOW,
    POLLED,
    PUSH_MODES,
    TWO,
    dated,
    idle_forever,
    places,
    served_notify,
    watched_inbox,
    watching,
)

from tests.rig.light_folder import UID_VALIDITY


@pytest.mark.parametrize(
    ("mark", "uid_validity", "uid_next"),
    [(Mark(1, 5), 2, 9), (Mark(1, 50), 1, 9)],
    ids=["UIDVALIDITY changed", "UIDNEXT went back"],
)
async def test_new_uidvalidity(
    mark: Mark, uid_validity: int, uid_next: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Old mail is not delivered, one line is logged, and the next message is delivered."""

    async def serve(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(8, uid_validity=uid_validity, uid_next=uid_next)
        # The FETCH from the old mark on, in the same write as EXAMINE.
        await peer.sync(8)
        await peer.done(await peer.idle())
        assert b"UID FETCH %d:" % uid_next in await peer.sync(8)
        tag = await peer.idle()
        peer.say(b"* 9 EXISTS")
        await peer.done(tag)
        await peer.sync(9)
        await idle_forever(peer)

    async with watching(serve, mark=mark) as recorder:
        await recorder.until(lambda: recorder.arrivals)
    assert [
        (a.mail.uid_validity, a.mail.uid, a.catch_up) for a in recorder.arrivals
    ] == [(uid_validity, 9, False)]
    assert places(recorder.marks)[0] == (uid_validity, uid_next)
    assert caplog.text.count("finding new messages by date") == 1


def test_new_uidvalidity_after_an_absence() -> None:
    """Mail that arrived after the last delivered message is delivered, and no known mail."""
    hour = timedelta(hours=1)
    mark = Mark(1, 50)
    for uid, (age, name) in enumerate([(5 * hour, "a"), (4 * hour, "b")], 48):
        received = (NOW - age).replace(microsecond=0)
        mark = mark.after_delivery(
            Mail(
                folder="INBOX",
                uid_validity=1,
                uid=uid,
                message_id=f"<{name}>",
                received=received,
            )
        )

    async def serve(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_validity=2, uid_next=5)
        # The FETCH from the old mark on, in the same write as EXAMINE.
        await peer.sync()
        await peer.done(await peer.idle())
        await peer.answer(r"UID SEARCH SINCE \d+-\w+-\d+$", b"* SEARCH 1 2 3 4")
        dates = await peer.expect(r"UID FETCH 1,2,3,4 \(UID INTERNALDATE\)")
        peer.say_raw(dated(1, 5 * hour, "a"))
        peer.say_raw(dated(2, 2 * hour, "new and late"))
        peer.say_raw(dated(3, 4 * hour, "b"))
        peer.say_raw(dated(4, 3 * hour, "new and early"))
        peer.say(dates + b" OK")
        fetch = await peer.expect("UID FETCH 3,4,2 ")
        peer.say_raw(dated(2, 2 * hour, "new and late"))
        peer.say_raw(dated(3, 4 * hour, "b"))
        peer.say_raw(dated(4, 3 * hour, "new and early"))
        peer.say(fetch + b" OK")
        assert b"UID FETCH 5:504" in await peer.sync()
        await peer.done(await peer.idle())

    async def main(loop: VirtualLoop) -> None:
        loop.scripts = [serve]
        async with watched_inbox(mark) as recorder:
            await asyncio.sleep(1)
            subjects = [arrival.mail.subject for arrival in recorder.arrivals]
            assert subjects == ["new and early", "new and late"]
            assert recorder.marks[-1].uid_validity == 2
            assert recorder.marks[-1].next_uid == 5

    run(main)


def test_uidnext_goes_back() -> None:
    """A delivered message that appears again is not delivered again."""

    async def ahead(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_next=10)
        await peer.sync(10)
        await peer.idle()
        peer.close()

    async def behind(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_next=10)
        # The FETCH from the old mark on, in the same write as EXAMINE.
        await peer.sync()
        await peer.done(await peer.idle())
        await peer.answer("UID SEARCH SINCE", b"* SEARCH")
        await peer.sync(10, 11)
        await peer.done(await peer.idle())

    async def main(loop: VirtualLoop) -> None:
        loop.scripts = [ahead, behind]
        async with watched_inbox(Mark(1, 10)) as recorder:
            await asyncio.sleep(3)
            assert recorder.uids == [10, 11]
            assert recorder.marks[-1].next_uid == 12

    run(main)


@PUSH_MODES
def test_new_uidvalidity_during_an_outage(capabilities: bytes) -> None:
    """No new mail is lost, and no old mail is delivered."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, capabilities=capabilities)
        async with watched({"INBOX": None}) as recorder:
            await asyncio.sleep(MINUTE)
            server.deliver(10)
            await asyncio.sleep(MINUTE)
            loop.is_blackhole = True
            await asyncio.sleep(10 * MINUTE)
            server.slip_in(2)
            server.folder().renumber(kept=7)
            loop.is_blackhole = False
            await asyncio.sleep(MINUTE)
            server.deliver(1)
            await asyncio.sleep(MINUTE)
            delivered = [arrival.mail.message_id for arrival in recorder.arrivals]
            assert delivered == [f"<{number}@example.org>" for number in range(1, 14)]

    run(main)


@pytest.mark.parametrize("before", [0, 1, 3])
@PUSH_MODES
def test_new_uidvalidity_before_the_first_delivery(
    capabilities: bytes, before: int
) -> None:
    """What was there at the start is not delivered, and the first new message is.

    GNU mailutils gives an empty mbox another UIDVALIDITY when the first message arrives.
    """

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, capabilities=capabilities)
        server.slip_in(before)
        async with watched({"INBOX": None}) as recorder:
            await asyncio.sleep(MINUTE)
            loop.is_blackhole = True
            await asyncio.sleep(10 * MINUTE)
            server.slip_in(1)
            server.folder().renumber(kept=before + 1)
            loop.is_blackhole = False
            await asyncio.sleep(MINUTE)
            delivered = [arrival.mail.message_id for arrival in recorder.arrivals]
            assert delivered == [f"<{before + 1}@example.org>"]

    run(main)


def test_first_mail_after_a_new_uidvalidity_of_an_empty_folder() -> None:
    """The first message is delivered, also if it arrives before the next FETCH."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop)

        def deliver(line: bytes) -> None:
            if b" UID FETCH 1:" in line:
                server.slip_in(1 - server.folder().exists)

        async with watched({"INBOX": Mark(UID_VALIDITY - 1, 1)}) as recorder:
            server.habits.twist = deliver
            await asyncio.sleep(MINUTE)
            assert recorder.uids == [1]

    run(main)


@pytest.mark.parametrize(
    ("mark", "delivered"),
    [(Mark(UID_VALIDITY - 1, 1), [1, 2]), (Mark(UID_VALIDITY - 1, 7), [])],
    ids=["empty", "not known"],
)
def test_new_uidvalidity_after_a_restart(mark: Mark, delivered: list[int]) -> None:
    """All mail of a folder that was empty is new; otherwise, without dates, none is."""

    async def main(loop: VirtualLoop) -> None:
        served(loop).slip_in(2)
        async with watched({"INBOX": mark}) as recorder:
            await asyncio.sleep(MINUTE)
            assert recorder.uids == delivered

    run(main)


@EVERY_MODE
def test_new_uidvalidity_at_each_examine(capabilities: bytes) -> None:
    """There is no storm meanwhile, and all is well after it."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=capabilities, limit=1)
        server.slip_in(3)
        server.slip_in(3, "Work")

        def renumber(line: bytes) -> None:
            if b" EXAMINE " in line:
                for name in TWO:
                    server.folder(name).uid_validity += 1

        server.habits.twist = renumber
        mark = Mark(UID_VALIDITY, 4)
        async with watched(dict.fromkeys(TWO, mark)) as recorder:
            await asyncio.sleep(HOUR)
            assert server.asked[b"EXAMINE"] < 500
            assert server.logins < 60
            server.habits.twist = None
            await asyncio.sleep(10 * MINUTE)
            assert recorder.state.connected
            assert recorder.state.error is None
            for name in TWO:
                server.deliver(1, name)
            await asyncio.sleep(POLLED)
            assert recorder.uids_by_folder == each(TWO, [4])

    run(main)


@EVERY_MODE
def test_new_uidvalidity_with_an_unreadable_message(
    capabilities: bytes,
) -> None:
    """It is delivered without its fields, and all other new messages completely."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, capabilities=capabilities)
        async with watched({"INBOX": None}) as recorder:
            await asyncio.sleep(MINUTE)
            server.deliver(5)
            await asyncio.sleep(POLLED)
            server.slip_in(3)
            server.folder().renumber(kept=4)
            server.folder().unshowable.add(3)
            server.reset_all()
            await asyncio.sleep(POLLED)
            server.deliver(1)
            await asyncio.sleep(POLLED)
            delivered = [arrival.mail.subject for arrival in recorder.arrivals]
            new = ["Mail nº 6", "", "Mail nº 8", "Mail nº 9"]
            assert delivered == [*(f"Mail nº {number}" for number in range(1, 6)), *new]
            assert len(loop.connected_at) == 2

    run(main)


@EVERY_MODE
def test_replica_with_an_old_state(capabilities: bytes) -> None:
    """Nothing is delivered twice when it catches up, and nothing is lost."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, capabilities=capabilities)
        async with watched({"INBOX": None}) as recorder:
            await asyncio.sleep(MINUTE)
            server.deliver(5)
            await asyncio.sleep(POLLED)
            server.folder().last = 2
            server.reset_all()
            for _ in range(5):
                await asyncio.sleep(POLLED)
                server.deliver(1)
            await asyncio.sleep(POLLED)
            assert recorder.uids == [1, 2, 3, 4, 5, 6, 7]

    run(main)


def test_new_uidvalidity_of_an_unselected_folder() -> None:
    """With NOTIFY, no old mail is delivered, and no new mail is lost."""

    async def main(loop: VirtualLoop) -> None:
        server = served_notify(loop, "INBOX", "Work")
        async with watched({"INBOX": None, "Work": None}) as recorder:
            await asyncio.sleep(1)
            server.deliver(5, "Work")
            await asyncio.sleep(1)
            server.slip_in(1, "Work")
            server.folder("Work").renumber(kept=3)
            server.deliver(1, "Work")
            await asyncio.sleep(5)
            delivered = [arrival.mail.message_id for arrival in recorder.arrivals]
            assert delivered == [f"<{number}@example.org>" for number in range(1, 8)]
            assert recorder.uids_by_folder == {"Work": [1, 2, 3, 4, 5, 3, 4]}

    run(main)
