"""Limits of the memory and the work that a server can cause."""

import asyncio
from typing import override

import pytest

from custom_components.imap_push.imap import ProtocolError, limits
from custom_components.imap_push.imap.limits import (
    MAX_STEPS,
    STEPS_PER_SECOND,
    ReadThrottle,
    ReceiveBudget,
    ReceiveQuota,
    TokenBucket,
)
from custom_components.imap_push.imap.session.fetch_items import fetched
from custom_components.imap_push.imap.wire.command import Command
from custom_components.imap_push.imap.wire.connection import Connection

from ..conftest import account
from ..scripted import Peer, ScriptedServer
from ..virtual import VirtualLoop, run


def test_connections_share_the_budget_of_their_account() -> None:
    """The connections together hold no more than the budget, and release all of it."""
    budget = ReceiveBudget(100)
    first, second = ReceiveQuota(budget, 60), ReceiveQuota(budget, 60)
    assert first.acquire(60)
    assert not first.acquire(1)
    assert second.acquire(40)
    assert not second.acquire(1)
    first.release()
    assert second.acquire(20)
    assert not second.acquire(1)
    second.release()
    assert budget.free == 100


def test_token_bucket() -> None:
    """A burst is allowed, then the rate; no more than one burst is saved."""
    now = 0.0
    bucket = TokenBucket(10, 2, lambda: now)
    assert bucket.take(10) == 0
    assert not bucket.try_take()
    assert bucket.take(4) == 2
    now = 2.0
    assert not bucket.try_take()
    now = 2.5
    assert bucket.try_take()
    assert not bucket.try_take()
    now = 1_000.0
    assert [bucket.try_take() for _ in range(11)] == [True] * 10 + [False]


class Paused(asyncio.ReadTransport):
    """A transport that records whether it is reading."""

    def __init__(self) -> None:
        """Start reading."""
        super().__init__()
        self.reading = True

    @override
    def is_reading(self) -> bool:
        return self.reading

    @override
    def pause_reading(self) -> None:
        self.reading = False

    @override
    def resume_reading(self) -> None:
        self.reading = True


def test_endless_stream_is_read_slowly() -> None:
    """After a burst, only the allowed number of steps per second is read."""

    async def main(loop: VirtualLoop) -> None:
        transport, pace = Paused(), ReadThrottle(loop)
        pace.spend(MAX_STEPS, transport)
        assert transport.reading
        steps, until = 0, loop.time() + 100
        while loop.time() < until:
            if transport.reading:
                pace.spend(1_000, transport)
                steps += 1_000
            await asyncio.sleep(0.01)
        assert steps == pytest.approx(100 * STEPS_PER_SECOND, rel=0.02)
        await asyncio.sleep(1)
        assert transport.reading
        pace.spend(int(2 * STEPS_PER_SECOND), transport)
        pace.close()
        await asyncio.sleep(100)
        assert not transport.reading

    run(main)


@pytest.mark.parametrize(
    ("name", "collects", "flood"),
    [
        ("EXAMINE", "EXISTS", b"* 1 EXISTS"),
        ("EXAMINE", "FLAGS", b"* FLAGS ()"),
        ("STATUS", "STATUS", b"* STATUS x (UNSEEN 1)"),
        ("UID SEARCH", "ESEARCH", b"* ESEARCH"),
        ("UID SEARCH", "SEARCH", b"* SEARCH " + b"1 " * 9_000),
        ("LIST", "LIST", b'* LIST () "/" x'),
        ("UID FETCH", "FETCH", b"* 1 FETCH (UID 1)"),
        ("UID FETCH", "FETCH", b"* 1 FETCH"),
    ],
    ids=lambda value: str(value)[:20],
)
async def test_endless_answer_ends_the_connection(
    name: str, collects: str, flood: bytes
) -> None:
    """An answer without an end raises ProtocolError and releases the budget."""

    async def serve(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1] ready")
        await peer.line()
        peer.say(*[flood] * 60_000)
        await peer.until_closed()

    async with ScriptedServer(serve) as server:
        settings = account(server.port)
        connection = await Connection.open(settings)
        command = Command(name, collects=frozenset({collects}))
        with pytest.raises(ProtocolError, match="too much data"):
            await connection.run(command)
        assert sum(data.memory for data in command.data) < 14 * 1024 * 1024
        connection.abort()
    assert settings.receive_budget.free == limits.MAX_OF_ACCOUNT


async def test_messages_beyond_the_memory_limit() -> None:
    """Messages that fit are returned, with the UIDs of the others; the next command has room."""
    size = limits.MAX_OF_CONNECTION * 2 // 9
    response = b"* %d FETCH (UID %d BODY[TEXT] {%d}\r\n" + b"x" * size + b")"

    async def serve(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1] ready")
        for _ in range(2):
            tag = await peer.expect("UID FETCH")
            for uid in range(1, 8):
                peer.say(response % (uid, uid, size))
            peer.say(tag + b" OK")
        await peer.until_closed()

    async with ScriptedServer(serve) as server:
        connection = await Connection.open(account(server.port))
        for _ in range(2):
            command = Command("UID FETCH", "1:7 (UID)", frozenset({"FETCH"}))
            await connection.send(command)
            found = await fetched(command)
            assert list(found.messages) == [1, 2, 3, 4]
            assert found.left_out == {5, 6, 7}
            assert not (found.too_large or found.has_unknown)
        connection.abort()
