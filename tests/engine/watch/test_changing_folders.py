"""Folders that come and go while the others are watched."""

import asyncio
from collections.abc import Callable
import random

import pytest

from custom_components.imap_push.imap import (
    Arrival,
    Mark,
    PushMode,
    WatchedFolder,
    WatchOptions,
)
from custom_components.imap_push.imap.watch.account_watcher import MAX_CONNECTIONS

from ..light import HOUR, IDLE, MINUTE, NOTIFY, POLL, each, served
from ..recorder import Recorder
from ..virtual import VirtualLoop, run, watched

from tests.rig.light_folder import UID_VALIDITY
from tests.rig.light_server import LightServer

THREE = ("INBOX", "Work", "News")
FORTY = ("INBOX", *(f"Folder {number}" for number in range(39)))
NEW = WatchedFolder()
# Until a folder that is asked for each minute was asked for, and visited.
ASKED = MINUTE + 1

EVERY_WAY = pytest.mark.parametrize(
    ("capabilities", "limit"),
    [(NOTIFY, None), (IDLE, None), (IDLE, 1), (POLL, None)],
    ids=["notify", "idle", "idle on one connection", "poll"],
)


@EVERY_WAY
def test_added(capabilities: bytes, limit: int | None) -> None:
    """See mail of an added folder told from then on, and nobody disturbed."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *THREE, capabilities=capabilities, limit=limit)
        for name in THREE:
            server.slip_in(3, name)
        async with watched({"INBOX": None}) as recorder:
            await asyncio.sleep(MINUTE)
            first = loop.connected_at.copy()
            for name in THREE[1:]:
                recorder.watcher.add(name, NEW)
                assert not recorder.state.folders[name].available
                server.deliver(1)
                await asyncio.sleep(1)
            for name in THREE:
                server.deliver(1, name)
            await asyncio.sleep(ASKED)
            told = {"INBOX": [4, 5, 6], "Work": [4], "News": [4]}
            assert recorder.told == told
            assert all(it.available for it in recorder.state.folders.values())
            assert loop.connected_at[: len(first)] == first
            if capabilities is not IDLE:
                assert server.logins == 1
            elif limit is None:
                assert recorder.state.connections == server.logins == 3

    run(main)


@EVERY_WAY
@pytest.mark.parametrize("name", THREE)
def test_removed(capabilities: bytes, limit: int | None, name: str) -> None:
    """See nothing of a removed folder told, its mark kept, and the others go on."""
    others = [it for it in THREE if it != name]

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *THREE, capabilities=capabilities, limit=limit)
        async with watched(dict.fromkeys(THREE)) as recorder:
            await asyncio.sleep(MINUTE)
            logins = server.logins
            recorder.moved.clear()
            recorder.watcher.remove(name)
            for it in THREE:
                server.deliver(2, it)
            await asyncio.sleep(ASKED)
            assert recorder.told == each(others, [1, 2])
            assert set(recorder.moved) == set(others)
            assert set(recorder.state.folders) == set(others)
            assert all(it.available for it in recorder.state.folders.values())
            assert server.logins == logins
            loop.written.clear()
            server.deliver(1, name)
            await asyncio.sleep(ASKED)
            assert name.encode() not in b"".join(loop.written)
            assert recorder.told == each(others, [1, 2])

    run(main)


@EVERY_WAY
def test_last_one_removed(capabilities: bytes, limit: int | None) -> None:
    """See the connection ended in good order, no error told, and all begin anew with the next."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *THREE, capabilities=capabilities, limit=limit)
        async with watched(dict.fromkeys(THREE)) as recorder:
            await asyncio.sleep(MINUTE)
            for name in THREE:
                recorder.watcher.remove(name)
            assert (recorder.state.connected, recorder.state.error) == (False, None)
            await asyncio.sleep(1)
            assert server.connections == 0
            assert server.asked[b"LOGOUT"] >= 1
            await asyncio.sleep(HOUR)
            assert recorder.state.connections == 0
            assert server.connections == 0
            recorder.watcher.add("Work", NEW)
            await asyncio.sleep(1)
            server.deliver(1, "Work")
            await asyncio.sleep(ASKED)
            assert recorder.state.connected
            assert recorder.told == {"Work": [1]}

    run(main)


@EVERY_WAY
@pytest.mark.parametrize("name", THREE)
def test_removed_and_added(capabilities: bytes, limit: int | None, name: str) -> None:
    """See what came meanwhile told from the given mark on, in order, and each mail once."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *THREE, capabilities=capabilities, limit=limit)
        async with watched(dict.fromkeys(THREE)) as recorder:
            await asyncio.sleep(MINUTE)
            recorder.watcher.remove(name)
            recorder.watcher.add(name, WatchedFolder(mark=Mark(UID_VALIDITY, 1)))
            server.deliver(2, name)
            await asyncio.sleep(ASKED)
            recorder.watcher.remove(name)
            server.deliver(1, name)
            await asyncio.sleep(1)
            recorder.watcher.add(name, WatchedFolder(mark=Mark(UID_VALIDITY, 3)))
            await asyncio.sleep(ASKED)
            server.deliver(1, name)
            await asyncio.sleep(ASKED)
            assert recorder.told == {name: [1, 2, 3, 4]}
            assert recorder.state.folders[name].available

    run(main)


def test_before_it_runs() -> None:
    """See what was added and removed before hold when it begins."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *THREE, capabilities=NOTIFY)
        async with watched({"INBOX": None, "Work": None}) as recorder:
            recorder.watcher.remove("INBOX")
            recorder.watcher.add("News", NEW)
            assert recorder.states == []
            await asyncio.sleep(1)
            for name in THREE:
                server.deliver(1, name)
            await asyncio.sleep(1)
            assert recorder.told == {"Work": [1], "News": [1]}

    run(main)


def test_mistakes() -> None:
    """See a folder that is watched not added, and one that is not not removed."""

    async def main(loop: VirtualLoop) -> None:
        served(loop)
        async with watched({"INBOX": None}) as recorder:
            with pytest.raises(ValueError, match="already"):
                recorder.watcher.add("INBOX", NEW)
            with pytest.raises(KeyError):
                recorder.watcher.remove("Work")

    run(main)


def test_while_nobody_answers() -> None:
    """See folders come and go while there is no connection, and each mail told once."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *THREE, capabilities=NOTIFY)
        async with watched({"INBOX": None, "Work": None}) as recorder:
            await asyncio.sleep(MINUTE)
            accept, loop.accept = loop.accept, None
            server.close_all()
            await asyncio.sleep(MINUTE)
            recorder.watcher.remove("INBOX")
            recorder.watcher.add("News", WatchedFolder(mark=Mark(UID_VALIDITY, 1)))
            for name in THREE:
                server.deliver(1, name)
            await asyncio.sleep(MINUTE)
            loop.accept = accept
            await asyncio.sleep(10 * MINUTE)
            assert recorder.told == {"Work": [1], "News": [1]}
            recorder.watcher.remove("Work")
            recorder.watcher.remove("News")
            await asyncio.sleep(1)
            assert server.connections == 0

    run(main)


@pytest.mark.parametrize("capabilities", [NOTIFY, IDLE, POLL], ids=["N", "I", "P"])
def test_missing_one_is_removed(capabilities: bytes) -> None:
    """See the others go on, whichever is the one that is open."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *THREE, capabilities=capabilities)
        server.remove("INBOX")
        async with watched(dict.fromkeys(THREE)) as recorder:
            await asyncio.sleep(10 * MINUTE)
            recorder.watcher.remove("INBOX")
            recorder.watcher.add("Gone", NEW)
            await asyncio.sleep(10 * MINUTE)
            assert recorder.state.folders["Gone"].missing
            recorder.watcher.remove("Work")
            await asyncio.sleep(MINUTE)
            server.deliver(1, "News")
            await asyncio.sleep(ASKED)
            assert recorder.told == {"News": [1]}
            assert recorder.state.folders["News"].available

    run(main)


@pytest.mark.once
@pytest.mark.parametrize("pipeline", [True, False], ids=["pipelined", "serial"])
@pytest.mark.parametrize("capabilities", [NOTIFY, IDLE, POLL], ids=["N", "I", "P"])
@pytest.mark.parametrize("steps", range(0, 60, 3))
def test_in_the_middle_of_a_round(
    capabilities: bytes, pipeline: bool, steps: int, caplog: pytest.LogCaptureFixture
) -> None:
    """See nothing of the others lost or told twice, however far the round had come."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *THREE, "More", capabilities=capabilities)
        async with watched(dict.fromkeys(THREE)) as recorder:
            await asyncio.sleep(MINUTE)
            for name in THREE:
                server.slip_in(3, name)
            recorder.watcher.check_now()
            for _ in range(steps):
                await asyncio.sleep(0)
            recorder.watcher.remove("INBOX")
            recorder.watcher.add("More", NEW)
            told = recorder.told.get("INBOX", [])
            for _ in range(steps):
                await asyncio.sleep(0)
            recorder.watcher.remove("Work")
            await asyncio.sleep(MINUTE)
            assert recorder.told.get("INBOX", []) == told
            for name in ("INBOX", "News", "More"):
                server.deliver(1, name)
            await asyncio.sleep(ASKED)
            assert recorder.told["News"] == [1, 2, 3, 4]
            assert recorder.told["More"] == [1]
            assert recorder.told.get("INBOX", []) == told
            assert recorder.state.folders.keys() == {"News", "More"}
        assert "rror" not in caplog.text

    run(main)


class Meddler(Recorder):
    """A listener that changes the folders while it is told of something."""

    meddle: Callable[[], None] | None = None

    async def mail_arrived(self, arrival: Arrival) -> None:
        """Meddle once, in the middle of taking a mail."""
        await super().mail_arrived(arrival)
        await asyncio.sleep(1)
        if self.meddle is not None:
            meddle, self.meddle = self.meddle, None
            meddle()


@pytest.mark.parametrize("capabilities", [NOTIFY, IDLE, POLL], ids=["N", "I", "P"])
@pytest.mark.parametrize("names", [["INBOX"], THREE], ids=["the last", "one of three"])
def test_removed_by_who_is_told_of_its_mail(
    capabilities: bytes, names: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """See the rest of its mail not told."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *THREE, capabilities=capabilities)
        recorder = Meddler()
        async with watched(dict.fromkeys(names), recorder=recorder):
            await asyncio.sleep(MINUTE)
            recorder.meddle = lambda: recorder.watcher.remove("INBOX")
            marks = len(recorder.marks)
            server.deliver(5)
            await asyncio.sleep(ASKED + 5)
            assert recorder.told == {"INBOX": [1]}
            assert len(recorder.marks) == marks
            recorder.watcher.add("INBOX", NEW)
            await asyncio.sleep(ASKED)
            server.deliver(1)
            await asyncio.sleep(ASKED)
            assert recorder.told == {"INBOX": [1, 6]}
        assert "rror" not in caplog.text

    run(main)


def test_connections_come_with_folders() -> None:
    """See each folder get its own where IDLE needs it, up to the limit, without waiting."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *FORTY)
        async with watched({}) as recorder:
            for count, name in enumerate(FORTY[:8], 1):
                recorder.watcher.add(name, NEW)
                await asyncio.sleep(1)
                assert recorder.state.connections == min(count, MAX_CONNECTIONS)
            for name in FORTY[:8]:
                recorder.watcher.remove(name)
                await asyncio.sleep(ASKED)
                left = len(recorder.state.folders)
                assert recorder.state.connections == min(left, MAX_CONNECTIONS)
                assert server.connections == recorder.state.connections

    run(main)


def test_coming_and_going_cannot_storm_the_server() -> None:
    """See logins held back, however often folders come and go."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *THREE)
        async with watched({"INBOX": None}) as recorder:
            for _ in range(100):
                recorder.watcher.add("Work", NEW)
                await asyncio.sleep(1)
                recorder.watcher.remove("Work")
                await asyncio.sleep(1)
            assert server.logins <= 8

    run(main)


@pytest.mark.parametrize("capabilities", [NOTIFY, IDLE, POLL], ids=["N", "I", "P"])
def test_forty_are_set_up_in_a_few_round_trips(capabilities: bytes) -> None:
    """See first marks asked for together, and all folders watched after a few writes."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *FORTY, capabilities=capabilities, limit=1)
        async with watched(dict.fromkeys(FORTY)) as recorder:
            await recorder.until(lambda: recorder.states)
            # Where four more connections are tried, each has its own few.
            assert len(loop.written) <= (15 if capabilities is IDLE else 4)
            assert all(it.available for it in recorder.state.folders.values())
            for name in FORTY:
                server.deliver(1, name)
            await asyncio.sleep(ASKED)
            assert recorder.told == each(FORTY, [1])

    run(main)


@pytest.mark.once
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("pipeline", [True, False], ids=["pipelined", "serial"])
@EVERY_WAY
def test_mail_that_comes_all_the_time(
    capabilities: bytes, limit: int | None, pipeline: bool, seed: int
) -> None:
    """See each mail of the folders that stay told once and in order, and no reconnect."""
    chance = random.Random(seed)
    staying, going = THREE[:2], ("News", "A", "B", "C")

    async def deliver(server: LightServer) -> None:
        while True:
            server.deliver(chance.choice((1, 2)), chance.choice((*staying, *going)))
            await asyncio.sleep(chance.choice((0, 0.01, 0.2, 5)))

    async def main(loop: VirtualLoop) -> None:
        names = (*staying, *going)
        server = served(loop, *names, capabilities=capabilities, limit=limit)
        async with watched(dict.fromkeys(names[chance.randrange(2) :])) as recorder:
            if "INBOX" not in recorder.watcher._folders:
                recorder.watcher.add("INBOX", WatchedFolder(mark=Mark(UID_VALIDITY, 1)))
            await asyncio.sleep(1)
            delivering = asyncio.create_task(deliver(server))
            here = set(going)
            for _ in range(100):
                name = chance.choice(going)
                if name in here:
                    recorder.watcher.remove(name)
                else:
                    recorder.watcher.add(name, NEW)
                here ^= {name}
                await asyncio.sleep(chance.choice((0, 0, 0.001, 1, 20)))
            delivering.cancel()
            await asyncio.sleep(3 * MINUTE)
            for name in staying:
                told = list(range(1, server.folder(name).last + 1))
                assert recorder.told[name] == told
            for uids in recorder.told.values():
                assert uids == sorted(set(uids))
            assert recorder.watcher.statistics.losses.keys() <= {"TooManyConnections"}
            modes = {it.push_mode for it in recorder.state.folders.values()}
            if capabilities is NOTIFY:
                assert modes == {PushMode.NOTIFY}
                assert server.logins == 1

    run(main)


@pytest.mark.parametrize("steps", range(12))
def test_mail_that_is_pushed_while_home_changes(steps: int) -> None:
    """See it never told as mail of the folder that is open then, though its UID would fit."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *THREE, capabilities=NOTIFY)
        async with watched(dict.fromkeys(THREE)) as recorder:
            await asyncio.sleep(1)
            recorder.watcher.remove("INBOX")
            for _ in range(steps):
                await asyncio.sleep(0)
            server.deliver(1)
            await asyncio.sleep(1)
            assert recorder.told == {}
            server.deliver(2, "Work")
            await asyncio.sleep(1)
            assert recorder.told == {"Work": [1, 2]}

    run(main)


@EVERY_WAY
def test_server_that_does_not_tell_where_a_folder_ends(
    capabilities: bytes, limit: int | None
) -> None:
    """See each folder asked for while it is open, and nothing that was there told."""

    async def main(loop: VirtualLoop) -> None:
        server = served(
            loop, *THREE, capabilities=capabilities, limit=limit, hides_uidnext=True
        )
        for name in THREE:
            server.slip_in(3, name)
        async with watched(dict.fromkeys(THREE)) as recorder:
            await asyncio.sleep(MINUTE)
            for name in THREE:
                server.deliver(1, name)
            await asyncio.sleep(ASKED)
            assert recorder.told == each(THREE, [4])

    run(main)


def test_one_that_would_have_to_wait_for_its_login_is_asked_for() -> None:
    """See its mail told within the poll interval, and not only when it may log in."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *THREE, capabilities=IDLE)
        options = WatchOptions(poll_interval=5)
        async with watched({"INBOX": None}, options) as recorder:
            await asyncio.sleep(1)
            for _ in range(8):
                recorder.watcher.add("Work", NEW)
                await asyncio.sleep(3)
                recorder.watcher.remove("Work")
                await asyncio.sleep(0)
            recorder.watcher.add("News", NEW)
            await asyncio.sleep(3)
            server.deliver(1, "News")
            await asyncio.sleep(6)
            assert recorder.told == {"News": [1]}

    run(main)


@pytest.mark.parametrize(
    ("seconds", "is_silent"), [(1.0, False), (3.0, True)], ids=["no time", "time"]
)
def test_server_that_has_no_time_to_announce_mail_is_not_silent(
    seconds: float, is_silent: bool
) -> None:
    """See push go on where rounds for other folders keep finding mail first."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *THREE, capabilities=NOTIFY, is_silent_in_notify=True)
        async with watched(dict.fromkeys(THREE)) as recorder:
            await asyncio.sleep(MINUTE)
            for name in ("Work", "News") * 3:
                server.deliver(1)
                await asyncio.sleep(seconds)
                recorder.watcher.remove(name)
                await asyncio.sleep(0.1)
                recorder.watcher.add(name, NEW)
                await asyncio.sleep(0.1)
            inbox = recorder.state.folders["INBOX"]
            assert recorder.told == {"INBOX": [1, 2, 3, 4, 5, 6]}
            assert inbox.push_is_silent is is_silent

    run(main)
