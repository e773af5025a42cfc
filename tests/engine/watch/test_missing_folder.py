"""A folder that does not exist does not affect the other folders."""

import asyncio

import pytest

from custom_components.imap_push.imap import Mark, PushMode

from ..light import HOUR, IDLE, MINUTE, NOTIFY, POLL, each, served
from ..virtual import VirtualLoop, run, watched
from .support import EVERY_MODE, POLLED, THREE, watched_inbox

from tests.rig.light_client import Pipelining
from tests.rig.light_folder import UID_VALIDITY


def test_other_folders_reconnect_at_once() -> None:
    """Syncs of the missing folder do not use up the logins that the inbox needs."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, "INBOX", capabilities=IDLE)
        async with watched({"INBOX": None, "Nowhere": None}) as recorder:
            await asyncio.sleep(10 * MINUTE)
            assert recorder.state.folders["Nowhere"].missing

            server.reset_all()
            server.deliver(1)
            await asyncio.sleep(5)
            assert recorder.uids == [1]

    run(main)


def test_missing_inbox_without_pipelining() -> None:
    """No command is sent for a folder that could not be selected."""

    async def main(loop: VirtualLoop) -> None:
        server = served(
            loop, *THREE, capabilities=POLL, pipelining=Pipelining.ANSWERS_BAD
        )
        mark = Mark(UID_VALIDITY, 1)
        server.remove("INBOX")
        async with watched(dict.fromkeys(THREE, mark)) as recorder:
            for name in THREE[1:]:
                server.deliver(1, name)
            await asyncio.sleep(5 * MINUTE)
            assert recorder.uids_by_folder == each(THREE[1:], [1])
            assert recorder.state.folders["INBOX"].missing

    run(main)


@pytest.mark.parametrize("capabilities", [NOTIFY, IDLE, POLL], ids=["N", "I", "P"])
class TestMissing:
    """A missing folder does not affect the others."""

    @pytest.mark.parametrize("name", THREE)
    def test_missing_at_the_start(self, capabilities: bytes, name: str) -> None:
        """It is reported, the others are watched, and its mail is delivered after it is created."""

        async def main(loop: VirtualLoop) -> None:
            server = served(loop, *THREE, capabilities=capabilities)
            folder = server.remove(name)
            others = [item for item in THREE if item != name]
            async with watched(dict.fromkeys(THREE)) as recorder:
                await asyncio.sleep(10 * MINUTE)
                assert recorder.state.folders[name].missing
                assert not recorder.state.folders[name].available
                assert all(recorder.state.folders[item].available for item in others)
                for other in others:
                    server.deliver(1, other)
                await asyncio.sleep(2 * MINUTE)
                assert recorder.uids_by_folder == each(others, [1])
                assert server.logins <= 10
                server.restore(folder)
                await asyncio.sleep(6 * MINUTE)
                assert not recorder.state.folders[name].missing
                assert recorder.state.folders[name].available
                server.deliver(1, name)
                await asyncio.sleep(6 * MINUTE)
                assert recorder.uids_by_folder == each(THREE, [1])

        run(main)

    @pytest.mark.parametrize("name", THREE)
    def test_deleted_and_created_again(self, capabilities: bytes, name: str) -> None:
        """It is reported, and mail that arrived meanwhile is delivered when it is back."""

        async def main(loop: VirtualLoop) -> None:
            server = served(loop, *THREE, capabilities=capabilities)
            async with watched(dict.fromkeys(THREE)) as recorder:
                await asyncio.sleep(MINUTE)
                server.deliver(1, name)
                await asyncio.sleep(2 * MINUTE)
                folder = server.remove(name)
                await asyncio.sleep(10 * MINUTE)
                assert recorder.state.folders[name].missing
                folder.last += 1
                server.restore(folder)
                await asyncio.sleep(6 * MINUTE)
                assert not recorder.state.folders[name].missing
                server.deliver(1, name)
                await asyncio.sleep(2 * MINUTE)
                assert recorder.uids_by_folder == {name: [1, 2, 3]}

        run(main)

    def test_all_folders_are_missing(self, capabilities: bytes) -> None:
        """All are reported, without a storm of logins, and all are watched when they are back."""

        async def main(loop: VirtualLoop) -> None:
            server = served(loop, *THREE, capabilities=capabilities)
            async with watched(dict.fromkeys(THREE)) as recorder:
                await asyncio.sleep(MINUTE)
                folders = [server.remove(name) for name in THREE]
                await asyncio.sleep(HOUR)
                assert all(item.missing for item in recorder.state.folders.values())
                assert server.logins < 80
                for folder in folders:
                    server.restore(folder)
                await asyncio.sleep(10 * MINUTE)
                assert all(item.available for item in recorder.state.folders.values())
                for name in THREE:
                    server.deliver(1, name)
                await asyncio.sleep(2 * MINUTE)
                assert recorder.uids_by_folder == each(THREE, [1])

        run(main)


@EVERY_MODE
@pytest.mark.parametrize("missing", THREE)
@pytest.mark.parametrize("mark", [None, Mark(UID_VALIDITY, 1)], ids=["new", "known"])
def test_missing_folder_without_pipelining(
    capabilities: bytes, missing: str, mark: Mark | None
) -> None:
    """Only that folder is missing, and the others use the best push mode."""

    async def main(loop: VirtualLoop) -> None:
        server = served(
            loop,
            *THREE,
            capabilities=capabilities,
            limit=1,
            pipelining=Pipelining.ANSWERS_BAD,
        )
        server.remove(missing)
        others = [name for name in THREE if name != missing]
        async with watched(dict.fromkeys(THREE, mark)) as recorder:
            await asyncio.sleep(10 * MINUTE)
            for name, state in recorder.state.folders.items():
                assert state.missing == (name == missing)
                assert state.available == (name != missing)
                assert not state.push_is_silent
            modes = [recorder.state.folders[name].push_mode for name in others]
            unselected = PushMode.NOTIFY if capabilities is NOTIFY else PushMode.POLL
            assert unselected in modes
            assert (capabilities is IDLE) == (PushMode.IDLE in modes)
            for name in others:
                server.deliver(1, name)
            await asyncio.sleep(0.1 if capabilities is NOTIFY else POLLED)
            assert recorder.uids_by_folder == each(others, [1])

    run(main)


@EVERY_MODE
def test_only_folder_is_deleted_and_created_again(capabilities: bytes) -> None:
    """The account stays connected, and mail of the new folder is delivered."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, capabilities=capabilities)
        async with watched_inbox() as recorder:
            await asyncio.sleep(MINUTE)
            folder = server.remove("INBOX")
            await asyncio.sleep(10 * MINUTE)
            assert recorder.state.folders["INBOX"].missing
            assert not recorder.state.folders["INBOX"].available
            assert recorder.state.connected
            assert len(loop.connected_at) == 2
            folder.last += 1
            server.restore(folder)
            await asyncio.sleep(POLLED)
            assert recorder.uids == [1]
            assert not recorder.state.folders["INBOX"].missing

    run(main)
