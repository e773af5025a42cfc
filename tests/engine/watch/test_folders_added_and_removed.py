"""Folders are added and removed while others are watched."""

import asyncio
from collections.abc import Callable
import random

import pytest

from custom_components.imap_push.imap import Arrival, Mark, PushMode, WatchedFolder
from custom_components.imap_push.imap.limits import MAX_WATCHING

from ..light import HOUR, IDLE, MINUTE, NOTIFY, POLL, each, served
from ..recorder import Recorder
from ..virtual import VirtualLoop, run, watched
from .support import NEW, POLLED, THREE

from tests.rig.light_client import Pipelining
from tests.rig.light_folder import UID_VALIDITY
from tests.rig.light_server import LightServer

FORTY = ("INBOX", *(f"Folder {number}" for number in range(39)))
EVERY_SETUP = pytest.mark.parametrize(
    ("capabilities", "limit"),
    [(NOTIFY, None), (IDLE, None), (IDLE, 1), (POLL, None)],
    ids=["notify", "idle", "idle on one connection", "poll"],
)


class Meddler(Recorder):
    """A listener that changes the folders during a delivery."""

    meddle: Callable[[], None] | None = None

    async def mail_arrived(self, arrival: Arrival) -> None:
        """Change the folders during the first delivery."""
        await super().mail_arrived(arrival)
        await asyncio.sleep(1)
        if self.meddle is not None:
            meddle, self.meddle = self.meddle, None
            meddle()


@EVERY_SETUP
def test_added(capabilities: bytes, limit: int | None) -> None:
    """Its mail is delivered from then on, and no other folder is interrupted."""

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
            await asyncio.sleep(POLLED)
            expected = {"INBOX": [4, 5, 6], "Work": [4], "News": [4]}
            assert recorder.uids_by_folder == expected
            assert all(item.available for item in recorder.state.folders.values())
            assert loop.connected_at[: len(first)] == first
            if capabilities is not IDLE:
                assert server.logins == 1
            elif limit is None:
                assert recorder.state.connections == server.logins == 3

    run(main)


@EVERY_SETUP
@pytest.mark.parametrize("name", THREE)
def test_removed(capabilities: bytes, limit: int | None, name: str) -> None:
    """Nothing of it is delivered, its mark stays, and the other folders continue."""
    others = [item for item in THREE if item != name]

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *THREE, capabilities=capabilities, limit=limit)
        async with watched(dict.fromkeys(THREE)) as recorder:
            await asyncio.sleep(MINUTE)
            logins = server.logins
            recorder.moved.clear()
            recorder.watcher.remove(name)
            for item in THREE:
                server.deliver(2, item)
            await asyncio.sleep(POLLED)
            assert recorder.uids_by_folder == each(others, [1, 2])
            assert set(recorder.moved) == set(others)
            assert set(recorder.state.folders) == set(others)
            assert all(item.available for item in recorder.state.folders.values())
            assert server.logins == logins
            loop.written.clear()
            server.deliver(1, name)
            await asyncio.sleep(POLLED)
            assert name.encode() not in b"".join(loop.written)
            assert recorder.uids_by_folder == each(others, [1, 2])

    run(main)


@EVERY_SETUP
def test_last_folder_is_removed(capabilities: bytes, limit: int | None) -> None:
    """The connection logs out, no error is reported, and the next added folder connects."""

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
            await asyncio.sleep(POLLED)
            assert recorder.state.connected
            assert recorder.uids_by_folder == {"Work": [1]}

    run(main)


@EVERY_SETUP
@pytest.mark.parametrize("name", THREE)
def test_removed_and_added(capabilities: bytes, limit: int | None, name: str) -> None:
    """Mail is delivered from the given mark on, in order and without duplicates."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *THREE, capabilities=capabilities, limit=limit)
        async with watched(dict.fromkeys(THREE)) as recorder:
            await asyncio.sleep(MINUTE)
            recorder.watcher.remove(name)
            recorder.watcher.add(name, WatchedFolder(mark=Mark(UID_VALIDITY, 1)))
            server.deliver(2, name)
            await asyncio.sleep(POLLED)
            recorder.watcher.remove(name)
            server.deliver(1, name)
            await asyncio.sleep(1)
            recorder.watcher.add(name, WatchedFolder(mark=Mark(UID_VALIDITY, 3)))
            await asyncio.sleep(POLLED)
            server.deliver(1, name)
            await asyncio.sleep(POLLED)
            assert recorder.uids_by_folder == {name: [1, 2, 3, 4]}
            assert recorder.state.folders[name].available

    run(main)


def test_changes_before_the_watcher_runs() -> None:
    """Folders that were added and removed before are so when it starts."""

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
            assert recorder.uids_by_folder == {"Work": [1], "News": [1]}

    run(main)


def test_invalid_changes() -> None:
    """A watched folder cannot be added, and an unknown one cannot be removed."""

    async def main(loop: VirtualLoop) -> None:
        served(loop)
        async with watched({"INBOX": None}) as recorder:
            with pytest.raises(ValueError, match="already"):
                recorder.watcher.add("INBOX", NEW)
            with pytest.raises(KeyError):
                recorder.watcher.remove("Work")

    run(main)


def test_changes_during_an_outage() -> None:
    """Folders change while there is no connection, and mail is delivered without duplicates."""

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
            assert recorder.uids_by_folder == {"Work": [1], "News": [1]}
            recorder.watcher.remove("Work")
            recorder.watcher.remove("News")
            await asyncio.sleep(1)
            assert server.connections == 0

    run(main)


@pytest.mark.parametrize("capabilities", [NOTIFY, IDLE, POLL], ids=["N", "I", "P"])
def test_missing_folder_is_removed(capabilities: bytes) -> None:
    """The others continue, whichever of them is selected."""

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
            await asyncio.sleep(POLLED)
            assert recorder.uids_by_folder == {"News": [1]}
            assert recorder.state.folders["News"].available

    run(main)


@pytest.mark.once
@pytest.mark.parametrize(
    "pipelining",
    [Pipelining.SUPPORTED, Pipelining.ANSWERS_BAD],
    ids=["pipelined", "serial"],
)
@pytest.mark.parametrize("capabilities", [NOTIFY, IDLE, POLL], ids=["N", "I", "P"])
@pytest.mark.parametrize("steps", range(0, 60, 3))
def test_removed_during_a_sync_cycle(
    capabilities: bytes,
    pipelining: Pipelining,
    steps: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No mail of the other folders is lost or repeated, at any step of the cycle."""

    async def main(loop: VirtualLoop) -> None:
        server = served(
            loop, *THREE, "More", capabilities=capabilities, pipelining=pipelining
        )
        async with watched(dict.fromkeys(THREE)) as recorder:
            await asyncio.sleep(MINUTE)
            for name in THREE:
                server.slip_in(3, name)
            recorder.watcher.check_now()
            for _ in range(steps):
                await asyncio.sleep(0)
            recorder.watcher.remove("INBOX")
            recorder.watcher.add("More", NEW)
            expected = recorder.uids_by_folder.get("INBOX", [])
            for _ in range(steps):
                await asyncio.sleep(0)
            recorder.watcher.remove("Work")
            await asyncio.sleep(MINUTE)
            assert recorder.uids_by_folder.get("INBOX", []) == expected
            for name in ("INBOX", "News", "More"):
                server.deliver(1, name)
            await asyncio.sleep(POLLED)
            assert recorder.uids_by_folder["News"] == [1, 2, 3, 4]
            assert recorder.uids_by_folder["More"] == [1]
            assert recorder.uids_by_folder.get("INBOX", []) == expected
            assert recorder.state.folders.keys() == {"News", "More"}
        assert "rror" not in caplog.text

    run(main)


@pytest.mark.parametrize("capabilities", [NOTIFY, IDLE, POLL], ids=["N", "I", "P"])
@pytest.mark.parametrize("names", [["INBOX"], THREE], ids=["the last", "one of three"])
def test_removed_by_the_listener(
    capabilities: bytes, names: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The rest of its mail is not delivered."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *THREE, capabilities=capabilities)
        recorder = Meddler()
        async with watched(dict.fromkeys(names), recorder=recorder):
            await asyncio.sleep(MINUTE)
            recorder.meddle = lambda: recorder.watcher.remove("INBOX")
            marks = len(recorder.marks)
            server.deliver(5)
            await asyncio.sleep(POLLED + 5)
            assert recorder.uids_by_folder == {"INBOX": [1]}
            assert len(recorder.marks) == marks
            recorder.watcher.add("INBOX", NEW)
            await asyncio.sleep(POLLED)
            server.deliver(1)
            await asyncio.sleep(POLLED)
            assert recorder.uids_by_folder == {"INBOX": [1, 6]}
        assert "rror" not in caplog.text

    run(main)


def test_added_folders_get_connections() -> None:
    """With IDLE, each gets its own up to the limit, without waiting."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *FORTY)
        async with watched({}) as recorder:
            for count, name in enumerate(FORTY[:8], 1):
                recorder.watcher.add(name, NEW)
                await asyncio.sleep(1)
                assert recorder.state.connections == min(count, MAX_WATCHING)
            for name in FORTY[:8]:
                recorder.watcher.remove(name)
                await asyncio.sleep(POLLED)
                left = len(recorder.state.folders)
                assert recorder.state.connections == min(left, MAX_WATCHING)
                assert server.connections == recorder.state.connections

    run(main)


def test_frequent_changes_do_not_cause_many_logins() -> None:
    """The login limiter applies however often folders are added and removed."""

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
def test_forty_folders_need_few_round_trips(capabilities: bytes) -> None:
    """All first marks are requested in one write, and all folders are watched soon."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *FORTY, capabilities=capabilities, limit=1)
        async with watched(dict.fromkeys(FORTY)) as recorder:
            await recorder.until(lambda: recorder.states)
            # Each of the four other connections that are tried needs a few of its own.
            assert len(loop.written) <= (15 if capabilities is IDLE else 4)
            assert all(item.available for item in recorder.state.folders.values())
            for name in FORTY:
                server.deliver(1, name)
            await asyncio.sleep(POLLED)
            assert recorder.uids_by_folder == each(FORTY, [1])

    run(main)


@pytest.mark.once
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "pipelining",
    [Pipelining.SUPPORTED, Pipelining.ANSWERS_BAD],
    ids=["pipelined", "serial"],
)
@EVERY_SETUP
def test_changes_while_mail_arrives(
    capabilities: bytes, limit: int | None, pipelining: Pipelining, seed: int
) -> None:
    """Each message of the remaining folders is delivered in order and without duplicates, on the same connection."""
    chance = random.Random(seed)
    staying, going = THREE[:2], ("News", "A", "B", "C")

    async def deliver(server: LightServer) -> None:
        while True:
            server.deliver(chance.choice((1, 2)), chance.choice((*staying, *going)))
            await asyncio.sleep(chance.choice((0, 0.01, 0.2, 5)))

    async def main(loop: VirtualLoop) -> None:
        names = (*staying, *going)
        server = served(
            loop,
            *names,
            capabilities=capabilities,
            limit=limit,
            pipelining=pipelining,
        )
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
                expected = list(range(1, server.folder(name).last + 1))
                assert recorder.uids_by_folder[name] == expected
            for uids in recorder.uids_by_folder.values():
                assert uids == sorted(set(uids))
            assert recorder.watcher.statistics.losses.keys() <= {"TooManyConnections"}
            modes = {item.push_mode for item in recorder.state.folders.values()}
            if capabilities is NOTIFY:
                assert modes == {PushMode.NOTIFY}
                assert server.logins == 1

    run(main)


@EVERY_SETUP
def test_server_without_uidnext(capabilities: bytes, limit: int | None) -> None:
    """The last UID is requested while each folder is selected. Old mail is not delivered."""

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
            await asyncio.sleep(POLLED)
            assert recorder.uids_by_folder == each(THREE, [4])

    run(main)
