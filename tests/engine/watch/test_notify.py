"""NOTIFY: one connection tells of all folders, whatever comes between (RFC 5465)."""

import asyncio

import pytest

from custom_components.imap_push.imap import PushMode

from ..light import HOUR, MINUTE, NOTIFY, each, served as served_as
from ..recorder import Recorder
from ..virtual import VirtualLoop, run, watched

from tests.rig.light_server import LightServer


def served(loop: VirtualLoop, *folders: str, **habits: object) -> LightServer:
    """Return a server with NOTIFY that the loop's connections lead to."""
    return served_as(loop, *folders, capabilities=NOTIFY, **habits)


def modes(recorder: Recorder) -> set[PushMode]:
    """Return how the mails became known."""
    return {arrival.push for arrival in recorder.arrivals}


def test_mail_of_all_folders_is_told_at_once() -> None:
    """See each mail once and in order, by NOTIFY, and the unread numbers follow."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, "INBOX", "Work", "News")
        async with watched(dict.fromkeys(("INBOX", "Work", "News"))) as recorder:
            await asyncio.sleep(1)
            for _ in range(10):
                for name, count in (("INBOX", 1), ("Work", 2), ("News", 1)):
                    server.deliver(count, name)
                    await asyncio.sleep(0.01)
                    assert recorder.told[name][-1] == server.folder(name).last
            server.read(1)
            server.read(1, "Work")
            server.expunge(2, "News")
            await asyncio.sleep(1)
            unread = {it: state.unread for it, state in recorder.state.folders.items()}
            assert unread == {"INBOX": 9, "Work": 19, "News": 9}
            assert recorder.told == {
                "INBOX": list(range(1, 11)),
                "Work": list(range(1, 21)),
                "News": list(range(1, 11)),
            }
            assert modes(recorder) == {PushMode.NOTIFY}
            await asyncio.sleep(HOUR)
            assert len(recorder.arrivals) == 40
            assert len(loop.connected_at) == 1

    run(main)


def test_mail_in_the_inbox_needs_no_question() -> None:
    """See it told without a command of ours: it comes with the notification."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop)
        async with watched({"INBOX": None}) as recorder:
            await asyncio.sleep(10)
            asked = server.asked.total()
            server.deliver(3)
            await asyncio.sleep(0.001)
            assert (recorder.uids, server.asked.total()) == ([1, 2, 3], asked)

    run(main)


def test_twenty_folders_are_one_connection() -> None:
    """See one login for all of them, and each told of."""
    names = ["INBOX", *(f"Folder {number}" for number in range(19))]

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *names)
        async with watched(dict.fromkeys(names)) as recorder:
            await asyncio.sleep(MINUTE)
            for name in names:
                server.deliver(1, name)
            await asyncio.sleep(1)
            assert recorder.told == each(names, [1])
            await asyncio.sleep(HOUR)
            assert (server.logins, recorder.state.connections) == (1, 1)
            assert recorder.state.push_mode is PushMode.NOTIFY

    run(main)


def test_mail_that_was_passed_over_comes_in_order() -> None:
    """See a gap in what is pushed swept first: the later mail waits for the earlier."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop)
        async with watched({"INBOX": None}) as recorder:
            await asyncio.sleep(1)
            server.deliver(1)
            server.slip_in(2)
            server.deliver(1)
            await asyncio.sleep(0.1)
            assert recorder.uids == [1]
            await asyncio.sleep(1)
            assert recorder.uids == [1, 2, 3, 4]

    run(main)


def test_overflow_loses_nothing() -> None:
    """See NOTIFY asked for anew, and what came meanwhile told, in the inbox and elsewhere."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, "INBOX", "Work")
        async with watched({"INBOX": None, "Work": None}) as recorder:
            await asyncio.sleep(1)
            armed = server.asked[b"NOTIFY"]
            server.overflow()
            server.slip_in(2)
            server.slip_in(3, "Work")
            await asyncio.sleep(1)
            assert recorder.told == {"INBOX": [1, 2], "Work": [1, 2, 3]}
            assert server.asked[b"NOTIFY"] > armed
            server.deliver(1)
            server.deliver(1, "Work")
            await asyncio.sleep(0.1)
            assert recorder.told == {"INBOX": [1, 2, 3], "Work": [1, 2, 3, 4]}
            assert modes(recorder) == {PushMode.NOTIFY}
            assert len(loop.connected_at) == 1

    run(main)


def test_server_that_cannot_keep_up() -> None:
    """See IDLE take over after a few overflows in a row, and nothing lost."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, "INBOX", "Work")
        async with watched({"INBOX": None, "Work": None}) as recorder:
            for _ in range(3):
                await asyncio.sleep(1)
                server.overflow()
                server.slip_in(1, "Work")
            await asyncio.sleep(MINUTE)
            assert recorder.told == {"Work": [1, 2, 3]}
            assert recorder.state.push_mode is PushMode.IDLE

    run(main)


def test_overflows_now_and_then() -> None:
    """See NOTIFY kept where it brings mail between them."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop)
        async with watched({"INBOX": None}) as recorder:
            for _ in range(10):
                await asyncio.sleep(HOUR)
                server.overflow()
                await asyncio.sleep(HOUR)
                server.deliver(1)
            await asyncio.sleep(0.1)
            assert recorder.uids == list(range(1, 11))
            assert modes(recorder) == {PushMode.NOTIFY}

    run(main)


@pytest.mark.parametrize(
    "habits",
    [
        {"refuses_notify": True},
        {"is_silent_in_notify": True},
    ],
    ids=["refused", "silent"],
)
def test_notify_that_does_not_work(habits: dict[str, bool]) -> None:
    """See IDLE take over and say so, mail told once, and NOTIFY tried again in an hour."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, **habits)
        async with watched({"INBOX": None}) as recorder:
            delivered = 0
            for _ in range(8):
                await asyncio.sleep(5 * MINUTE)
                server.deliver(1)
                delivered += 1
            await asyncio.sleep(1)
            assert recorder.uids == list(range(1, delivered + 1))
            assert recorder.state.push_mode is PushMode.IDLE
            assert recorder.state.folders["INBOX"].push_is_silent
            server.habits.refuses_notify = server.habits.is_silent_in_notify = False
            await asyncio.sleep(HOUR)
            server.deliver(1)
            await asyncio.sleep(0.1)
            assert recorder.uids == list(range(1, delivered + 2))
            assert recorder.arrivals[-1].push is PushMode.NOTIFY
            assert not recorder.state.folders["INBOX"].push_is_silent

    run(main)


def test_mail_that_is_not_there_yet_is_waited_for() -> None:
    """See a mail that is announced and not shown told of when it is, before what came later."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop)
        async with watched({"INBOX": None}) as recorder:
            await asyncio.sleep(1)
            server.folder().hidden.add(2)
            server.deliver(3)
            await asyncio.sleep(0.9)
            assert recorder.uids == [1]
            server.folder().hidden.clear()
            await asyncio.sleep(3)
            assert recorder.uids == [1, 2, 3]
            assert all(arrival.mail.subject for arrival in recorder.arrivals)

    run(main)


def test_folder_numbered_anew_among_others() -> None:
    """See no flood and nothing new lost, in a folder that is told of and not open."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, "INBOX", "Work")
        async with watched({"INBOX": None, "Work": None}) as recorder:
            await asyncio.sleep(1)
            server.deliver(5, "Work")
            await asyncio.sleep(1)
            server.slip_in(1, "Work")
            server.folder("Work").renumber(kept=3)
            server.deliver(1, "Work")
            await asyncio.sleep(5)
            told = [arrival.mail.message_id for arrival in recorder.arrivals]
            assert told == [f"<{number}@example.org>" for number in range(1, 8)]
            assert recorder.told == {"Work": [1, 2, 3, 4, 5, 3, 4]}

    run(main)
