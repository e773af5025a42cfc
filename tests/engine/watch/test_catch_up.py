"""Mail that arrived while the account was not watched."""

import asyncio
from datetime import timedelta

import pytest

from custom_components.imap_push.imap import CatchUp, Mark, PushMode, WatchOptions
from custom_components.imap_push.imap.session.sync import BATCH

from ..light import MINUTE, served
from ..scripted import Peer
from ..virtual import VirtualLoop, run, watched
from .support import EVERY_MODE, dated, idle_forever, places, watched_inbox, watching

from tests.rig.light_folder import UID_VALIDITY


async def test_mail_received_while_away() -> None:
    """Mail above the stored mark is delivered first and marked as catch-up."""

    async def serve(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(6, uid_next=7)
        assert b"UID FETCH 5:504" in await peer.sync(5, 6)
        tag = await peer.idle()
        peer.say(b"* 7 EXISTS")
        await peer.done(tag)
        assert b"UID FETCH 7:*" in await peer.sync(7)
        await idle_forever(peer)

    async with watching(serve, mark=Mark(1, 5)) as recorder:
        await recorder.until(lambda: len(recorder.arrivals) == 3)
    assert [(a.mail.uid, a.catch_up, a.push) for a in recorder.arrivals] == [
        (5, True, PushMode.IDLE),
        (6, True, PushMode.IDLE),
        (7, False, PushMode.IDLE),
    ]
    assert places(recorder.marks) == [(1, 6), (1, 7), (1, 8)]


@pytest.mark.parametrize(
    ("catch_up", "fired"),
    [
        (CatchUp.ALL, ["old", "fresh"]),
        (CatchUp.LAST_DAY, ["fresh"]),
        (CatchUp.NONE, []),
    ],
)
def test_catch_up_option(catch_up: CatchUp, fired: list[str]) -> None:
    """Old mail is delivered as the option says, and new mail in any case."""

    async def serve(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(6, uid_next=7)
        for first in (True, False):
            fetch, count = await peer.sync_tags()
            if first and catch_up is not CatchUp.NONE:
                peer.say_raw(dated(5, timedelta(days=3), "old"))
                peer.say_raw(dated(6, timedelta(hours=3), "fresh"))
            elif not first:
                peer.say_raw(dated(7, timedelta(), "live"))
            peer.say(fetch + b" OK")
            peer.say(b"* ESEARCH (TAG x) UID COUNT 0", count + b" OK")
            tag = await peer.idle()
            peer.say(*([b"* 7 EXISTS"] if first else []))
            await peer.done(tag)

    async def main(loop: VirtualLoop) -> None:
        loop.scripts = [serve]
        async with watched_inbox(
            Mark(1, 5), WatchOptions(catch_up=catch_up)
        ) as recorder:
            await asyncio.sleep(1)
            subjects = [arrival.mail.subject for arrival in recorder.arrivals]
            assert subjects == [*fired, "live"]

    run(main)


@EVERY_MODE
def test_thousands_of_messages_in_two_folders(capabilities: bytes) -> None:
    """They are delivered in order, and new mail after them."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, "INBOX", "Work", capabilities=capabilities)
        mark = Mark(UID_VALIDITY, 1)
        server.slip_in(2000)
        server.slip_in(1200, "Work")
        async with watched({"INBOX": mark, "Work": mark}) as recorder:
            await asyncio.sleep(MINUTE)
            server.deliver(1)
            server.deliver(1, "Work")
            await asyncio.sleep(MINUTE + 1)
            assert recorder.uids_by_folder == {
                "INBOX": list(range(1, 2002)),
                "Work": list(range(1, 1202)),
            }
            late = [item.mail.uid for item in recorder.arrivals if not item.catch_up]
            assert late == [2001, 1201]

    run(main)


@EVERY_MODE
def test_new_mail_during_catch_up(capabilities: bytes) -> None:
    """Each FETCH requests one batch, not all remaining mail. No message is delivered twice."""
    waiting = 3 * BATCH
    fetched: list[int] = []

    async def main(loop: VirtualLoop) -> None:
        def count(line: bytes) -> None:
            _, verb, *rest = line.split(b" ", 3)
            if verb == b"UID" and rest[0] == b"FETCH":
                fetched.append(len(server.folder().uids(rest[1].split(b" ")[0])))

        server = served(loop, capabilities=capabilities, twist=count)
        server.slip_in(waiting)
        async with watched({"INBOX": Mark(UID_VALIDITY, 1)}) as recorder:
            while (delivered := len(recorder.arrivals)) < waiting:
                if delivered % 50 == 5 and server.folder().last < waiting + 10:
                    server.deliver(1)
                await asyncio.sleep(0)
            await asyncio.sleep(2 * MINUTE)
            assert server.folder().last > waiting
            assert recorder.uids == list(range(1, server.folder().last + 1))
        assert max(fetched) == BATCH

    run(main)
