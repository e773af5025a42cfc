"""A server that always has more new mail fills neither the event bus nor the log."""

import asyncio
import logging

import pytest

from custom_components.imap_push.imap import Mark
from custom_components.imap_push.imap.watch.delivery import (
    DELIVERIES_PER_SECOND,
    MAX_BURST,
    MAX_WARNINGS_PER_HOUR,
)

from ..light import HOUR, IDLE, MINUTE, NOTIFY, POLL, served
from ..recorder import Recorder
from ..virtual import VirtualLoop, run, watched
from .support import PUSH_MODES, TWO

from tests.rig.light_folder import UID_VALIDITY

EVERY_WAY = pytest.mark.parametrize(
    "capabilities", [NOTIFY, IDLE, POLL], ids=["notify", "idle", "poll"]
)


def is_limited(recorder: Recorder) -> bool:
    """Return whether the inbox is reported as rate limited."""
    return recorder.state.folders["INBOX"].rate_limited


@EVERY_WAY
def test_burst_is_not_limited(capabilities: bytes) -> None:
    """1,000 messages are delivered immediately, and so are 4,000 old ones."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, capabilities=capabilities)
        server.slip_in(4_000)
        async with watched({"INBOX": Mark(UID_VALIDITY, 1)}) as recorder:
            await asyncio.sleep(2)
            assert len(recorder.arrivals) == 4_000
            server.deliver(1_000)
            await asyncio.sleep(2 if capabilities is not POLL else 62)
            assert recorder.uids == list(range(1, 5_001))
            assert not any(
                state.folders["INBOX"].rate_limited for state in recorder.states
            )

    run(main)


@EVERY_WAY
def test_import_of_a_mailbox(
    caplog: pytest.LogCaptureFixture, capabilities: bytes
) -> None:
    """It is delivered slowly, completely and in order. The state reports it, and its end."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, capabilities=capabilities)
        server.slip_in(MAX_BURST + 1_000)
        async with watched({"INBOX": Mark(UID_VALIDITY, 1)}) as recorder:
            await asyncio.sleep(60)
            assert len(recorder.arrivals) == pytest.approx(
                MAX_BURST + 60 * DELIVERIES_PER_SECOND, abs=50
            )
            assert recorder.state.connected
            assert is_limited(recorder)
            await asyncio.sleep(120)
            assert recorder.uids == list(range(1, MAX_BURST + 1_001))
            assert not is_limited(recorder)
            assert caplog.text.count("delivering 10 per second") == 1

    run(main)


@EVERY_WAY
def test_mail_of_another_folder_does_not_wait(capabilities: bytes) -> None:
    """The inbox is delivered within seconds while another folder is filled."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=capabilities, limit=1)
        server.slip_in(MAX_BURST + 10_000, "Work")
        folders = {"INBOX": None, "Work": Mark(UID_VALIDITY, 1)}
        async with watched(folders) as recorder:
            await asyncio.sleep(100)
            server.deliver(1)
            await asyncio.sleep(60 if capabilities is POLL else 15)
            assert recorder.uids_by_folder["INBOX"] == [1]
            assert len(recorder.uids_by_folder["Work"]) < MAX_BURST + 3_000

    run(main)


def test_messages_that_the_server_cannot_show(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """All of them are delivered, with a few lines in the log."""
    caplog.set_level(logging.WARNING)

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, capabilities=IDLE)
        server.slip_in(300)
        server.folder().unshowable.update(range(1, 301))
        async with watched({"INBOX": Mark(UID_VALIDITY, 1)}) as recorder:
            await asyncio.sleep(HOUR / 2)
            assert recorder.uids == list(range(1, 301))
            assert caplog.text.count("without its header") == MAX_WARNINGS_PER_HOUR
            assert "INBOX: Message 1 is delivered without its header" in caplog.text

    run(main)


@PUSH_MODES
def test_flood_in_another_folder(capabilities: bytes) -> None:
    """Mail of a folder on the same connection is delivered soon, and the flood in order."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, "INBOX", "Work", capabilities=capabilities, limit=1)
        async with watched({"INBOX": None, "Work": None}) as recorder:
            await asyncio.sleep(2 * MINUTE)
            server.deliver(MAX_BURST + 1_000)
            await asyncio.sleep(1)
            server.deliver(1, "Work")
            await asyncio.sleep(70)
            assert recorder.uids_by_folder["Work"] == [1]
            assert len(recorder.uids_by_folder["INBOX"]) < MAX_BURST + 1_000
            await asyncio.sleep(2 * MINUTE)
            found = recorder.uids_by_folder["INBOX"]
            assert found == list(range(1, MAX_BURST + 1_001))

    run(main)
