"""Storms, black holes and short ways: how much is asked, and how soon all is known."""

import asyncio
import random

import pytest

from custom_components.imap_push.imap import Mark, PushMode
from custom_components.imap_push.imap.session import sync
from custom_components.imap_push.imap.watch import folder as folder_module

from ..light import HOUR, IDLE, MINUTE, NOTIFY, POLL, served
from ..virtual import VirtualLoop, run, watched

from tests.rig.light_folder import UID_VALIDITY
from tests.rig.light_server import LightServer

PUSHING = pytest.mark.parametrize(
    "capabilities", [NOTIFY, IDLE], ids=["notify", "idle"]
)
EVERY_WAY = pytest.mark.parametrize(
    "capabilities", [NOTIFY, IDLE, POLL], ids=["notify", "idle", "poll"]
)


def counts(server: LightServer) -> int:
    """Return how often the server was asked how many are unread."""
    return server.asked[b"UID SEARCH"] + server.asked[b"STATUS"]


@PUSHING
@pytest.mark.parametrize("storm", ["read", "expunge"])
def test_storm_of_changes(capabilities: bytes, storm: str) -> None:
    """See at most two counts a second, mail amid the storm at once, and the right number."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, capabilities=capabilities)
        server.slip_in(5000)
        async with watched({"INBOX": None}) as recorder:
            await asyncio.sleep(MINUTE)
            before, began = counts(server), loop.time()
            for uid in range(1, 5001):
                getattr(server, storm)(uid)
                await asyncio.sleep(0.004)
                if uid % 500 == 0:
                    server.deliver(1)
                    await asyncio.sleep(0.001)
                    assert recorder.uids[-1] == server.folder().last
            # What a mail leads to is no part of the storm.
            asked = counts(server) - before - len(recorder.uids)
            assert asked <= 2 * (loop.time() - began) + 1
            await asyncio.sleep(2)
            assert recorder.state.folders["INBOX"].unread == 10
            assert recorder.uids == list(range(5001, 5011))
            assert len(loop.connected_at) == 1

    run(main)


@EVERY_WAY
def test_mail_that_comes_while_much_is_caught_up(
    capabilities: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """See each FETCH ask for a batch, not for all that is left, and each mail delivered once."""
    monkeypatch.setattr(sync, "BATCH", 10)
    monkeypatch.setattr(folder_module, "BATCH", 10)
    fetched: list[int] = []

    async def main(loop: VirtualLoop) -> None:
        def count(line: bytes) -> None:
            _, verb, *rest = line.split(b" ", 3)
            if verb == b"UID" and rest[0] == b"FETCH":
                fetched.append(len(server.folder().uids(rest[1].split(b" ")[0])))

        server = served(loop, capabilities=capabilities, twist=count)
        server.slip_in(300)
        async with watched({"INBOX": Mark(UID_VALIDITY, 1)}) as recorder:
            while len(recorder.uids) < 300:
                if len(recorder.uids) % 50 == 5 and server.folder().last < 310:
                    server.deliver(1)
                await asyncio.sleep(0)
            await asyncio.sleep(2 * MINUTE)
            assert server.folder().last > 300
            assert recorder.uids == list(range(1, server.folder().last + 1))
        assert max(fetched) == 10

    run(main)


@PUSHING
def test_flood_in_another_folder(
    capabilities: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """See mail of a folder on the same connection soon, and the flood delivered in order."""
    monkeypatch.setattr(folder_module, "MAX_BURST", 20)

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, "INBOX", "Work", capabilities=capabilities, limit=1)
        async with watched({"INBOX": None, "Work": None}) as recorder:
            await asyncio.sleep(2 * MINUTE)
            server.deliver(1000)
            await asyncio.sleep(1)
            server.deliver(1, "Work")
            await asyncio.sleep(70)
            assert recorder.told["Work"] == [1]
            assert len(recorder.told["INBOX"]) < 1000
            await asyncio.sleep(2 * MINUTE)
            assert recorder.told["INBOX"] == list(range(1, 1001))

    run(main)


@EVERY_WAY
@pytest.mark.parametrize("hides_uidnext", [False, True], ids=["UIDNEXT", "no UIDNEXT"])
@pytest.mark.parametrize("answer", [b"OK done", b"NO what", b"BAD what"])
def test_server_that_does_not_show_its_newest_message(
    capabilities: bytes,
    answer: bytes,
    hides_uidnext: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """See mail found that has UIDs far above those of before, and no storm of questions."""
    monkeypatch.setattr(sync, "BATCH", 5)

    async def main(loop: VirtualLoop) -> None:
        def twist(line: bytes) -> list[bytes] | None:
            is_asked = b"UID FETCH 4294967295:*" in line
            return [line.split(b" ")[0] + b" " + answer] if is_asked else None

        server = served(
            loop, capabilities=capabilities, twist=twist, hides_uidnext=hides_uidnext
        )
        server.slip_in(100)
        server.folder().gone.update(range(3, 98))
        async with watched({"INBOX": Mark(UID_VALIDITY, 1)}) as recorder:
            await asyncio.sleep(10 * MINUTE)
            assert recorder.uids == [1, 2, 98, 99, 100]
            before = sum(server.asked.values())
            await asyncio.sleep(HOUR)
            assert sum(server.asked.values()) - before < 500

    run(main)


@PUSHING
def test_storm_in_a_folder_that_is_not_open(capabilities: bytes) -> None:
    """See it cost no visit, and the number follow."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, "INBOX", "Work", capabilities=capabilities, limit=1)
        server.slip_in(1000, "Work")
        async with watched({"INBOX": None, "Work": None}) as recorder:
            await asyncio.sleep(2 * MINUTE)
            opened = server.asked[b"EXAMINE"]
            for uid in range(1, 1001):
                server.read(uid, "Work")
                await asyncio.sleep(0.01)
            await asyncio.sleep(MINUTE)
            assert server.asked[b"EXAMINE"] == opened
            assert recorder.state.folders["Work"].unread == 0

    run(main)


@PUSHING
@pytest.mark.parametrize(
    "seconds", [MINUTE, HOUR, pytest.param(10 * HOUR, marks=pytest.mark.once)]
)
@pytest.mark.parametrize("is_nameless", [False, True], ids=["dark", "nameless"])
def test_black_hole(capabilities: bytes, seconds: float, is_nameless: bool) -> None:
    """See it found within five minutes, and what came meanwhile told soon after its end."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, "INBOX", "Work", capabilities=capabilities)
        async with watched({"INBOX": None, "Work": None}) as recorder:
            await asyncio.sleep(HOUR * random.random() + 1)
            server.deliver(1)
            server.deliver(1, "Work")
            await asyncio.sleep(MINUTE)
            loop.is_blackhole, loop.is_nameless = True, is_nameless
            await asyncio.sleep(seconds / 2)
            server.deliver(2)
            server.deliver(2, "Work")
            await asyncio.sleep(seconds / 2)
            if seconds > 6 * MINUTE:
                assert not recorder.state.connected
            loop.is_blackhole = loop.is_nameless = False
            await asyncio.sleep(5)
            assert recorder.told == {"INBOX": [1, 2, 3], "Work": [1, 2, 3]}
            await asyncio.sleep(10 * MINUTE)
            assert recorder.state.connected
            assert len(recorder.arrivals) == 6
            assert recorder.serial == 0

    random.seed(seconds)
    run(main)


@PUSHING
def test_black_hole_is_found(capabilities: bytes) -> None:
    """See the account unavailable five minutes, and the patience of thirty seconds, later."""

    async def main(loop: VirtualLoop) -> None:
        served(loop, capabilities=capabilities)
        async with watched({"INBOX": None}) as recorder:
            await asyncio.sleep(HOUR)
            loop.is_blackhole = True
            await asyncio.sleep(5 * MINUTE + 31)
            assert not recorder.state.connected
            assert recorder.state.error is not None

    run(main)


@EVERY_WAY
@pytest.mark.parametrize("missed", [0, 1, 100])
def test_way_back_is_short(capabilities: bytes, missed: int) -> None:
    """See login and one more write until all is caught up and waited for."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, capabilities=capabilities)
        server.slip_in(10 + missed)
        mark = Mark(UID_VALIDITY, 11)
        async with watched({"INBOX": mark}) as recorder:
            await asyncio.sleep(0.1)
            login, *rest = loop.written
            assert b"LOGIN" in login
            assert len(rest) == 1
            assert recorder.state.connected
            assert len(recorder.uids) == missed
            server.reset_all()
            loop.written.clear()
            await asyncio.sleep(0.1)
            assert len(loop.written) == 2
            assert server.connections == 1

    run(main)


@pytest.mark.parametrize("missed", [0, 1])
def test_way_back_to_several_folders_is_short(missed: int) -> None:
    """See no more writes for two folders on NOTIFY than it takes to log in and to look."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, "INBOX", "Work", capabilities=NOTIFY)
        server.slip_in(10 + missed, "INBOX")
        server.slip_in(10 + missed, "Work")
        mark = Mark(UID_VALIDITY, 11)
        async with watched({"INBOX": mark, "Work": mark}) as recorder:
            await asyncio.sleep(0.1)
            assert len(loop.written) == 2
            assert len(recorder.arrivals) == 2 * missed
            assert recorder.state.push_mode is PushMode.NOTIFY

    run(main)


@EVERY_WAY
def test_mail_that_is_never_shown(capabilities: bytes) -> None:
    """See it told of as it is after a few seconds, and the others in their order."""

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


@EVERY_WAY
def test_mail_that_the_server_refuses_to_show(capabilities: bytes) -> None:
    """See it told of without its fields, at home and elsewhere, and the others whole."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, "INBOX", "Work", capabilities=capabilities, limit=1)
        async with watched({"INBOX": None, "Work": None}) as recorder:
            await asyncio.sleep(MINUTE)
            for name in ("INBOX", "Work"):
                server.folder(name).unshowable.add(2)
                server.slip_in(2, name)
                server.deliver(1, name)
            await asyncio.sleep(6 * MINUTE)
            assert recorder.told == {"INBOX": [1, 2, 3], "Work": [1, 2, 3]}
            subjects = {it.mail.uid: it.mail.subject for it in recorder.arrivals}
            assert subjects == {1: "Mail nº 1", 2: "", 3: "Mail nº 3"}
            server.deliver(1)
            await asyncio.sleep(6 * MINUTE)
            assert recorder.told["INBOX"] == [1, 2, 3, 4]

    run(main)


@EVERY_WAY
def test_mail_far_above_the_last(capabilities: bytes) -> None:
    """See it told where thousands of UIDs below it are of mail that is gone."""

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
            assert recorder.told == {"INBOX": uids, "Work": uids}
            assert server.logins <= 2

    run(main)


@EVERY_WAY
def test_long_absence(capabilities: bytes) -> None:
    """See thousands of mails of two folders caught up in order, and live mail behind them."""

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
            assert recorder.told == {
                "INBOX": list(range(1, 2002)),
                "Work": list(range(1, 1202)),
            }
            late = [it.mail.uid for it in recorder.arrivals if not it.catch_up]
            assert late == [2001, 1201]

    run(main)


@PUSHING
def test_folder_that_is_swapped_while_it_is_away(capabilities: bytes) -> None:
    """See a folder that was numbered anew during an outage lose nothing and flood nothing."""

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
            told = [arrival.mail.message_id for arrival in recorder.arrivals]
            assert told == [f"<{number}@example.org>" for number in range(1, 14)]

    run(main)
