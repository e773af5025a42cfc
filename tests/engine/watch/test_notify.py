"""Waiting with NOTIFY (RFC 5465): one connection covers all folders."""

import asyncio

import pytest

from custom_components.imap_push.imap import PushMode
from custom_components.imap_push.imap.limits import ReceiveBudget

from ..light import HOUR, IDLE, MINUTE, NOTIFY, POLL, each, served
from ..recorder import Recorder
from ..virtual import VirtualLoop, run, watched
from .support import THREE, TWO, lines, served_notify


def arrival_modes(recorder: Recorder) -> set[PushMode]:
    """Return the push modes of all arrivals."""
    return {arrival.push for arrival in recorder.arrivals}


def test_mail_of_all_folders_is_delivered_at_once() -> None:
    """Each message is delivered in order and without duplicates, and the unread counts are right."""

    async def main(loop: VirtualLoop) -> None:
        server = served_notify(loop, "INBOX", "Work", "News")
        async with watched(dict.fromkeys(("INBOX", "Work", "News"))) as recorder:
            await asyncio.sleep(1)
            for _ in range(10):
                for name, count in (("INBOX", 1), ("Work", 2), ("News", 1)):
                    server.deliver(count, name)
                    await asyncio.sleep(0.01)
                    assert recorder.uids_by_folder[name][-1] == server.folder(name).last
            server.read(1)
            server.read(1, "Work")
            server.expunge(2, "News")
            await asyncio.sleep(1)
            unread = {
                item: state.unread for item, state in recorder.state.folders.items()
            }
            assert unread == {"INBOX": 9, "Work": 19, "News": 9}
            assert recorder.uids_by_folder == {
                "INBOX": list(range(1, 11)),
                "Work": list(range(1, 21)),
                "News": list(range(1, 11)),
            }
            assert arrival_modes(recorder) == {PushMode.NOTIFY}
            await asyncio.sleep(HOUR)
            assert len(recorder.arrivals) == 40
            assert len(loop.connected_at) == 1

    run(main)


def test_mail_in_the_inbox_needs_no_command() -> None:
    """It is delivered without a FETCH command: it is part of the notification."""

    async def main(loop: VirtualLoop) -> None:
        server = served_notify(loop)
        async with watched({"INBOX": None}) as recorder:
            await asyncio.sleep(10)
            asked = server.asked.total()
            server.deliver(3)
            await asyncio.sleep(0.001)
            assert (recorder.uids, server.asked.total()) == ([1, 2, 3], asked)

    run(main)


def test_twenty_folders_need_one_connection() -> None:
    """There is one login, and mail of each folder is delivered."""
    names = ["INBOX", *(f"Folder {number}" for number in range(19))]

    async def main(loop: VirtualLoop) -> None:
        server = served_notify(loop, *names)
        async with watched(dict.fromkeys(names)) as recorder:
            await asyncio.sleep(MINUTE)
            for name in names:
                server.deliver(1, name)
            await asyncio.sleep(1)
            assert recorder.uids_by_folder == each(names, [1])
            await asyncio.sleep(HOUR)
            assert (server.logins, recorder.state.connections) == (1, 1)
            assert recorder.state.push_mode is PushMode.NOTIFY

    run(main)


def test_gap_in_pushed_mail_is_synced_first() -> None:
    """A later message waits until the missing ones are fetched."""

    async def main(loop: VirtualLoop) -> None:
        server = served_notify(loop)
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


def test_notification_overflow_loses_no_mail() -> None:
    """NOTIFY is sent again, and what arrived meanwhile is delivered, in all folders."""

    async def main(loop: VirtualLoop) -> None:
        server = served_notify(loop, "INBOX", "Work")
        async with watched({"INBOX": None, "Work": None}) as recorder:
            await asyncio.sleep(1)
            armed = server.asked[b"NOTIFY"]
            server.overflow()
            server.slip_in(2)
            server.slip_in(3, "Work")
            await asyncio.sleep(1)
            assert recorder.uids_by_folder == {"INBOX": [1, 2], "Work": [1, 2, 3]}
            assert server.asked[b"NOTIFY"] > armed
            server.deliver(1)
            server.deliver(1, "Work")
            await asyncio.sleep(0.1)
            assert recorder.uids_by_folder == {"INBOX": [1, 2, 3], "Work": [1, 2, 3, 4]}
            assert arrival_modes(recorder) == {PushMode.NOTIFY}
            assert len(loop.connected_at) == 1

    run(main)


def test_repeated_overflows_fall_back_to_idle() -> None:
    """After a few consecutive overflows IDLE is used, and nothing is lost."""

    async def main(loop: VirtualLoop) -> None:
        server = served_notify(loop, "INBOX", "Work")
        async with watched({"INBOX": None, "Work": None}) as recorder:
            for _ in range(3):
                await asyncio.sleep(1)
                server.overflow()
                server.slip_in(1, "Work")
            await asyncio.sleep(MINUTE)
            assert recorder.uids_by_folder == {"Work": [1, 2, 3]}
            assert recorder.state.push_mode is PushMode.IDLE

    run(main)


def test_rare_overflows_keep_notify() -> None:
    """NOTIFY is kept if it brings mail between two overflows."""

    async def main(loop: VirtualLoop) -> None:
        server = served_notify(loop)
        async with watched({"INBOX": None}) as recorder:
            for _ in range(10):
                await asyncio.sleep(HOUR)
                server.overflow()
                await asyncio.sleep(HOUR)
                server.deliver(1)
            await asyncio.sleep(0.1)
            assert recorder.uids == list(range(1, 11))
            assert arrival_modes(recorder) == {PushMode.NOTIFY}

    run(main)


@pytest.mark.parametrize(
    "habits",
    [
        {"refuses_notify": True},
        {"is_silent_in_notify": True},
    ],
    ids=["refused", "silent"],
)
def test_silent_notify_falls_back_to_idle(habits: dict[str, bool]) -> None:
    """The state reports it, mail is delivered without duplicates, and NOTIFY is tried again after an hour."""

    async def main(loop: VirtualLoop) -> None:
        server = served_notify(loop, **habits)
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


@pytest.mark.parametrize("name", TWO)
@pytest.mark.parametrize(
    "capabilities", [NOTIFY, IDLE, POLL], ids=["notify", "idle", "poll"]
)
@pytest.mark.parametrize(
    ("hidden_for", "is_complete"),
    [(0.2, True), (0.9, True), (1.4, True), (2.9, True), (3.6, False), (60.0, False)],
)
def test_announced_message_that_fetch_does_not_return_yet(
    hidden_for: float, is_complete: bool, capabilities: bytes, name: str
) -> None:
    """It is delivered when FETCH returns it, or after 3 s without fields, before later ones."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=capabilities)
        async with watched(dict.fromkeys(TWO)) as recorder:
            await asyncio.sleep(1)
            server.folder(name).hidden.add(2)
            server.deliver(3, name)
            if capabilities is POLL:
                recorder.watcher.check_now()
            await asyncio.sleep(hidden_for / 2)
            server.deliver(1, name)
            server.read(1, name)
            await asyncio.sleep(hidden_for / 2)
            assert recorder.uids[:2] == ([1] if is_complete else [1, 2])
            server.folder(name).hidden.clear()
            # Without push, the last message waits for a poll.
            await asyncio.sleep(MINUTE if capabilities is POLL else 4)
            assert recorder.uids == [1, 2, 3, 4]
            subjects = [bool(arrival.mail.subject) for arrival in recorder.arrivals]
            assert subjects == [True, is_complete, True, True]

    run(main)


def test_more_notifications_than_fit_into_memory() -> None:
    """Nothing is lost, and NOTIFY NONE is sent before another folder is selected."""
    budget = ReceiveBudget(2_000)

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=NOTIFY)
        async with watched(dict.fromkeys(TWO), receive_budget=budget) as recorder:
            await asyncio.sleep(MINUTE)
            for _ in range(3):
                server.deliver(3, "Work")
                server.deliver(20)
                await asyncio.sleep(1)
            server.deliver(1)
            await asyncio.sleep(0.1)
            assert recorder.uids_by_folder == {
                "INBOX": list(range(1, 62)),
                "Work": list(range(1, 10)),
            }
            is_armed = False
            for line in lines(loop):
                if line.startswith(b"NOTIFY"):
                    is_armed = line != b"NOTIFY NONE"
                assert not (is_armed and line.startswith(b"EXAMINE"))
            assert is_armed
            assert recorder.state.push_mode is PushMode.NOTIFY

    run(main)


@pytest.mark.parametrize("steps", range(12))
def test_mail_pushed_while_another_folder_gets_selected(steps: int) -> None:
    """It is never delivered as mail of the folder that is selected next, even if its UID fits."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *THREE, capabilities=NOTIFY)
        async with watched(dict.fromkeys(THREE)) as recorder:
            await asyncio.sleep(1)
            recorder.watcher.remove("INBOX")
            for _ in range(steps):
                await asyncio.sleep(0)
            server.deliver(1)
            await asyncio.sleep(1)
            assert recorder.uids_by_folder == {}
            server.deliver(2, "Work")
            await asyncio.sleep(1)
            assert recorder.uids_by_folder == {"Work": [1, 2]}

    run(main)
