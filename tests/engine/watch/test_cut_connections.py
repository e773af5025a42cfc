"""Connections that end or become silent after each byte that a server sends."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
import logging

import pytest

from custom_components.imap_push.imap import Mark, WatchOptions
from custom_components.imap_push.imap.session.sync import BATCH

from ..light import IDLE, MINUTE, NOTIFY, POLL, served
from ..recorder import Recorder
from ..virtual import VirtualLoop, run, watched

from tests.rig.light_client import Pipelining
from tests.rig.light_folder import UID_VALIDITY
from tests.rig.light_server import LightServer

pytestmark = pytest.mark.once

# Longer than the refresh interval of IDLE, which detects a silent server.
MAX_WAIT = 20 * MINUTE
# With UIDs this far apart a batch has two messages: the catch-up of a few needs several syncs.
SPACING = BATCH // 2


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """The events on a server, and the number of the connection that is cut.

    `events` happen one after the other, a second apart. Of the messages of each folder, `old`
    are below the mark, `waiting` are above it at the start, and `new` arrive later. The UIDs of
    messages are multiples of `spacing`.
    """

    events: list[Callable[[LightServer], object]]
    new: Mapping[str, int]
    old: int = 2
    waiting: int = 1
    capabilities: bytes = IDLE
    options: WatchOptions = field(default_factory=WatchOptions)
    pipelining: Pipelining = Pipelining.SUPPORTED
    number: int = 0
    spacing: int = 1

    async def play(self, loop: VirtualLoop, limit: int | None) -> None:
        """Run the events, with the connection cut after `limit` bytes, and check the deliveries."""
        uncut: list[int | None] = [None] * self.number
        loop.limits = [*uncut, limit]
        server = served(
            loop,
            *self.new,
            capabilities=self.capabilities,
            pipelining=self.pipelining,
        )
        for name in self.new:
            for _ in range(self.old + self.waiting):
                skip_uids(server, name, self.spacing - 1)
                server.slip_in(1, name)
        mark = Mark(UID_VALIDITY, self.old * self.spacing + 1)
        marks = dict.fromkeys(self.new, mark)
        async with watched(marks, self.options) as recorder:
            await asyncio.sleep(1)
            for event in self.events:
                event(server)
                await asyncio.sleep(1)
            pause = 1.0
            while not self._is_over(recorder) and pause < MAX_WAIT:
                await asyncio.sleep(pause)
                pause *= 2
            assert delivered(recorder) == self._expected, f"cut at {limit}"
            assert recorder.state.connected, f"cut at {limit}"

    @property
    def _expected(self) -> dict[str, list[int]]:
        """Return the numbers of the messages to be delivered, by folder."""
        first = self.old + 1
        return {
            name: [n * self.spacing for n in range(first, first + self.waiting + new)]
            for name, new in self.new.items()
        }

    def _is_over(self, recorder: Recorder) -> bool:
        if not recorder.states or not recorder.state.connected:
            return False
        return len(recorder.arrivals) >= sum(map(len, self._expected.values()))


def delivered(recorder: Recorder) -> dict[str, list[int]]:
    """Return the numbers of the delivered messages, by folder. Their UIDs may have changed."""
    numbers: dict[str, list[int]] = {}
    for arrival in recorder.arrivals:
        message_id = arrival.mail.message_id or "<0@>"
        number = int(message_id[1 : message_id.index("@")])
        numbers.setdefault(arrival.mail.folder, []).append(number)
    return numbers


def skip_uids(server: LightServer, name: str, count: int) -> None:
    """Leave the next UIDs of a folder unused."""
    folder = server.folder(name)
    folder.gone.update(range(folder.last + 1, folder.last + count + 1))
    folder.last += count


def deliver(name: str = "INBOX", spacing: int = 1) -> Callable[[LightServer], object]:
    """Return an event that delivers a message to a folder."""

    def event(server: LightServer) -> None:
        skip_uids(server, name, spacing - 1)
        server.deliver(1, name)

    return event


def expunge(uid: int) -> Callable[[LightServer], object]:
    """Return an event that expunges a message."""
    return lambda server: server.expunge(uid)


def renumber(kept: int) -> Callable[[LightServer], object]:
    """Return an event that changes UIDVALIDITY and disconnects, as a restored backup does."""

    def event(server: LightServer) -> None:
        server.folder().renumber(kept)
        server.dismiss_all()

    return event


SPACED = deliver(spacing=SPACING)

CONVERSATIONS = {
    "notify": Conversation(
        events=[deliver(), deliver("B")],
        new={"INBOX": 1, "B": 1},
        old=0,
        waiting=0,
        capabilities=NOTIFY,
    ),
    "idle": Conversation(
        events=[SPACED, expunge(SPACING), SPACED], new={"INBOX": 2}, spacing=SPACING
    ),
    "idle-serial": Conversation(
        events=[SPACED, SPACED],
        new={"INBOX": 2},
        spacing=SPACING,
        pipelining=Pipelining.ANSWERS_BAD,
    ),
    "idle-two-folders": Conversation(
        events=[deliver("B"), deliver()], new={"INBOX": 1, "B": 1}, number=1
    ),
    "poll": Conversation(
        events=[deliver("B"), deliver()],
        new={"INBOX": 1, "B": 1},
        old=0,
        waiting=0,
        capabilities=POLL,
        options=WatchOptions(poll_interval=5.0),
    ),
    "batches": Conversation(events=[], new={"INBOX": 0}, waiting=4, spacing=SPACING),
    "renumbered": Conversation(
        events=[renumber(2), deliver()], new={"INBOX": 1}, waiting=1, number=1
    ),
}


def length_of(conversation: Conversation) -> int:
    """Return how many bytes the server sends on the connection that is to be cut."""
    length = 0

    async def main(loop: VirtualLoop) -> None:
        nonlocal length
        await conversation.play(loop, None)
        length = loop.said[conversation.number]

    run(main)
    return length


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:
    """Disable the log. Otherwise pytest keeps every line of twenty thousand runs."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("ends", [True, False], ids=["closed", "stalled"])
@pytest.mark.parametrize("conversation", CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_cut_after_each_byte(conversation: Conversation, ends: bool) -> None:
    """Each message is delivered in order and without duplicates, wherever a connection is cut."""
    length = length_of(conversation)
    assert 800 < length < 2700

    def cut(limit: int) -> None:
        async def main(loop: VirtualLoop) -> None:
            loop.ends_at_limit = ends
            await conversation.play(loop, limit)

        run(main)

    for limit in range(length + 1):
        cut(limit)
