"""Connections that break or fall silent at every octet that a server sends."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
import logging

import pytest

from custom_components.imap_push.imap import Mark, WatchOptions
from custom_components.imap_push.imap.session import sync

from ..light import IDLE, MINUTE, NOTIFY, POLL, served
from ..recorder import Recorder
from ..virtual import VirtualLoop, run, watched

from tests.rig.light_folder import UID_VALIDITY
from tests.rig.light_server import LightServer

pytestmark = pytest.mark.once

# A server that falls silent is found by the refresh of IDLE at the latest.
PATIENCE = 20 * MINUTE


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """What happens on a server, and the number of the connection that breaks meanwhile.

    `happens` are done one after the other, a second apart. Of the mails of each folder `old`
    are not to be told of, `waiting` are when the watcher begins, and `new` come later.
    """

    happens: list[Callable[[LightServer], object]]
    new: Mapping[str, int]
    old: int = 2
    waiting: int = 1
    capabilities: bytes = IDLE
    options: WatchOptions = field(default_factory=WatchOptions)
    number: int = 0

    async def play(self, loop: VirtualLoop, limit: int | None) -> None:
        """Play it, cut after so many octets; see each mail told once, and in order."""
        unharmed: list[int | None] = [None] * self.number
        loop.limits = [*unharmed, limit]
        server = served(loop, *self.new, capabilities=self.capabilities)
        for name in self.new:
            server.slip_in(self.old + self.waiting, name)
        marks = {name: Mark(UID_VALIDITY, self.old + 1) for name in self.new}
        async with watched(marks, self.options) as recorder:
            await asyncio.sleep(1)
            for happen in self.happens:
                happen(server)
                await asyncio.sleep(1)
            pause = 1.0
            while not self._is_over(recorder) and pause < PATIENCE:
                await asyncio.sleep(pause)
                pause *= 2
            assert told(recorder) == self._expected, f"cut at {limit}"
            assert recorder.state.connected, f"cut at {limit}"
            assert recorder.serial == 0

    @property
    def _expected(self) -> dict[str, list[int]]:
        """Return the numbers of the mails that each folder is to tell of."""
        first = self.old + 1
        return {
            name: list(range(first, first + self.waiting + new))
            for name, new in self.new.items()
        }

    def _is_over(self, recorder: Recorder) -> bool:
        if not recorder.states or not recorder.state.connected:
            return False
        return len(recorder.arrivals) >= sum(map(len, self._expected.values()))


def told(recorder: Recorder) -> dict[str, list[int]]:
    """Return the numbers of the mails that were told of; UIDs may have been given anew."""
    numbers: dict[str, list[int]] = {}
    for arrival in recorder.arrivals:
        message_id = arrival.mail.message_id or "<0@>"
        number = int(message_id[1 : message_id.index("@")])
        numbers.setdefault(arrival.mail.folder, []).append(number)
    return numbers


def deliver(name: str = "INBOX", count: int = 1) -> Callable[[LightServer], object]:
    """Return the arrival of mail."""
    return lambda server: server.deliver(count, name)


def expunge(uid: int) -> Callable[[LightServer], object]:
    """Return the removal of a mail."""
    return lambda server: server.expunge(uid)


def renumber(kept: int) -> Callable[[LightServer], object]:
    """Return the loss of all UIDs, and of the connection, as a server does that was restored."""

    def happen(server: LightServer) -> None:
        server.folder().renumber(kept)
        server.dismiss_all()

    return happen


CONVERSATIONS = {
    "notify": Conversation(
        happens=[deliver(), deliver("B")],
        new={"INBOX": 1, "B": 1},
        old=0,
        waiting=0,
        capabilities=NOTIFY,
    ),
    "idle": Conversation(happens=[deliver(), expunge(1), deliver()], new={"INBOX": 2}),
    "idle-serial": Conversation(
        happens=[deliver(), deliver()],
        new={"INBOX": 2},
        options=WatchOptions(pipeline=False),
    ),
    "idle-guest": Conversation(
        happens=[deliver("B"), deliver()], new={"INBOX": 1, "B": 1}, number=1
    ),
    "poll": Conversation(
        happens=[deliver("B"), deliver()],
        new={"INBOX": 1, "B": 1},
        old=0,
        waiting=0,
        capabilities=POLL,
        options=WatchOptions(poll_interval=5.0),
    ),
    "batches": Conversation(happens=[], new={"INBOX": 0}, waiting=4),
    "renumbered": Conversation(
        happens=[renumber(2), deliver()], new={"INBOX": 1}, waiting=1, number=1
    ),
}


def length_of(conversation: Conversation) -> int:
    """Return how many octets the server says on the connection that is to break."""
    length = 0

    async def main(loop: VirtualLoop) -> None:
        nonlocal length
        await conversation.play(loop, None)
        length = loop.said[conversation.number]

    run(main)
    return length


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:
    """Log nothing: pytest would keep every line of twenty thousand runs."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a catch-up of a few mails take several sweeps."""
    monkeypatch.setattr(sync, "BATCH", 2)


@pytest.mark.parametrize("ends", [True, False], ids=["closed", "stalled"])
@pytest.mark.parametrize("conversation", CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_cut_at_every_octet(conversation: Conversation, ends: bool) -> None:
    """See each mail told once, and in order, wherever a connection breaks."""
    length = length_of(conversation)
    assert 1000 < length < 2700

    def cut(limit: int) -> None:
        async def main(loop: VirtualLoop) -> None:
            loop.ends_at_limit = ends
            await conversation.play(loop, limit)

        run(main)

    for limit in range(length + 1):
        cut(limit)
