"""A FETCH that the server refuses for now is waited for; one message that it cannot show is not."""

import asyncio
import re

import pytest

from custom_components.imap_push.imap import Mark, Throttled, Unavailable

from ..light import HOUR, MINUTE, served
from ..virtual import VirtualLoop, run, watched
from .support import EVERY_MODE

from tests.rig.light_folder import UID_VALIDITY

# Gmail, Yahoo, Exchange Online, RFC 5530.
TEMPORARY = pytest.mark.parametrize(
    "refusal",
    [
        b"NO [OVERQUOTA] Account exceeded command or bandwidth limits.",
        b"NO [UNAVAILABLE] UID FETCH Service is temporarily not available",
        b"NO Request is throttled. Suggested Backoff Time: 89117 milliseconds",
        b"BAD Request is throttled. Suggested Backoff Time: 89117 milliseconds",
        b"NO [INUSE] Mailbox is in use",
        b"NO [SERVERBUG] UID FETCH Server error - Please try again later",
    ],
    ids=lambda refusal: refusal[:24].decode(),
)

# A FETCH of message 2, alone or with others.
INCLUDES_2 = re.compile(rb"UID FETCH (?:1:|(?:\d,)*2[ ,:])")


class Refusing:
    """Refuses each UID FETCH while it is on, and records when."""

    def __init__(self, loop: VirtualLoop, refusal: bytes) -> None:
        """Start with refusing nothing."""
        self._loop = loop
        self._refusal = refusal
        self.is_on = False
        self.times: list[float] = []

    def __call__(self, line: bytes) -> list[bytes] | None:
        """Return the response to a command, None for the usual one."""
        if not self.is_on or b" UID FETCH " not in line:
            return None
        self.times.append(self._loop.time())
        return [line.split(b" ")[0] + b" " + self._refusal]


@TEMPORARY
@EVERY_MODE
def test_messages_arrive_whole_after_a_temporary_refusal(
    capabilities: bytes, refusal: bytes
) -> None:
    """They are delivered with their fields, and the server gets few commands meanwhile."""

    async def main(loop: VirtualLoop) -> None:
        refusing = Refusing(loop, refusal)
        server = served(loop, capabilities=capabilities, twist=refusing)
        async with watched({"INBOX": Mark(UID_VALIDITY, 1)}) as recorder:
            await asyncio.sleep(MINUTE)
            refusing.is_on = True
            server.slip_in(5)
            server.close_all()
            await asyncio.sleep(MINUTE)
            refusing.is_on = False
            assert recorder.uids == []
            assert refusing.times
            assert len(refusing.times) < 30
            await asyncio.sleep(10 * MINUTE)
            assert recorder.uids == [1, 2, 3, 4, 5]
            assert all(arrival.mail.subject for arrival in recorder.arrivals)

    run(main)


@EVERY_MODE
def test_stated_wait_is_honored(capabilities: bytes) -> None:
    """No command is sent before the time that the server states."""

    async def main(loop: VirtualLoop) -> None:
        text = b"NO Request is throttled. Suggested Backoff Time: 300000 milliseconds"
        refusing = Refusing(loop, text)
        server = served(loop, capabilities=capabilities, twist=refusing)
        async with watched({"INBOX": Mark(UID_VALIDITY, 1)}) as recorder:
            await asyncio.sleep(MINUTE)
            refusing.is_on = True
            server.slip_in(1)
            server.close_all()
            await asyncio.sleep(4 * MINUTE)
            first = refusing.times[0]
            assert refusing.times[-1] - first < 1
            assert isinstance(recorder.state.folders["INBOX"].error, Throttled)
            refusing.is_on = False
            await asyncio.sleep(3 * MINUTE)
            assert recorder.uids == [1]

    run(main)


@EVERY_MODE
def test_message_that_is_refused_for_hours(capabilities: bytes) -> None:
    """After an hour it is delivered without its fields, and the next ones are not blocked."""

    async def main(loop: VirtualLoop) -> None:
        def twist(line: bytes) -> list[bytes] | None:
            if not INCLUDES_2.search(line):
                return None
            return [line.split(b" ")[0] + b" NO [UNAVAILABLE] later"]

        server = served(loop, capabilities=capabilities, twist=twist)
        server.slip_in(3)
        async with watched({"INBOX": Mark(UID_VALIDITY, 1)}) as recorder:
            await asyncio.sleep(HOUR / 2)
            assert recorder.uids == []
            assert isinstance(recorder.state.folders["INBOX"].error, Unavailable)
            await asyncio.sleep(2 * HOUR)
            assert recorder.uids == [1, 2, 3]
            assert [bool(it.mail.subject) for it in recorder.arrivals] == [
                True,
                False,
                True,
            ]

    run(main)
