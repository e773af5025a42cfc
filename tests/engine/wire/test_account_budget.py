"""The memory of an account's connections together is limited, and each has a reserve."""

import asyncio
from pathlib import Path

import pytest

from custom_components.imap_push.imap import Mark, Security
from custom_components.imap_push.imap.limits import (
    MAX_OF_ACCOUNT,
    RESERVED,
    ReceiveBudget,
    ReceiveQuota,
)
from custom_components.imap_push.imap.session.session import Session
from custom_components.imap_push.imap.session.sync import read_sync, sync_request
from custom_components.imap_push.imap.wire.command import Command
from custom_components.imap_push.imap.wire.connection import Connection
from custom_components.imap_push.imap.wire.parser import Data
from custom_components.imap_push.imap.wire.protocol import PushProtocol
from custom_components.imap_push.imap.wire.receiver import FolderStatus, Receiver
from custom_components.imap_push.imap.wire.tls import RECORD

from ..calls import observed
from ..conftest import account
from ..scripted import CAPABILITIES, Peer, ScriptedServer

from tests.rig.certificate import make_certificate
from tests.rig.light_folder import UID_VALIDITY
from tests.rig.light_server import LightServer


def test_reserve_when_the_account_budget_is_used_up() -> None:
    """A connection gets its reserve, and no more, when the budget of the account is used up."""
    budget = ReceiveBudget(100)
    first = ReceiveQuota(budget, 100)
    second = ReceiveQuota(budget, 100, reserved=10)
    assert first.acquire(95)
    assert not first.acquire(6)
    assert second.acquire(10)
    assert not second.acquire(1)
    first.release()
    second.release()
    assert budget.free == 100


def test_closed_connection_holds_nothing() -> None:
    """A closed connection holds no memory and gets none."""
    budget = ReceiveBudget(100)
    holding = ReceiveQuota(budget, 50, reserved=50)
    assert holding.acquire(40)
    holding.close()
    assert not holding.acquire(1)
    assert budget.free == 100


def test_reserve_fits_the_largest_response() -> None:
    """A response of the maximum size fits even if the budget of the account is used up."""
    receiver = Receiver(ReceiveBudget(0))
    assert receiver._fetched.acquire(RESERVED)


async def test_nothing_is_held_while_waiting_for_mail() -> None:
    """The whole budget is free after the answers of a sync cycle are processed."""
    server = LightServer()
    await server.start()
    server.slip_in(100)
    shared = account(server.port)
    session = await Session.open(shared)
    try:
        await session.examine("INBOX")
        mark = Mark(UID_VALIDITY, 1)
        request = sync_request(session, "INBOX", mark, examines=False)
        await session.connection.send(*request.commands, idle=True)
        batch = (await read_sync(session, request)).batch
        assert batch is not None
        assert len(batch.messages) == 100
        assert shared.receive_budget.free < MAX_OF_ACCOUNT
        session.connection.release()
        assert shared.receive_budget.free == MAX_OF_ACCOUNT
    finally:
        await session.close()
        await server.stop()


async def test_unsolicited_data_after_the_end_is_not_held() -> None:
    """Responses that are read after the connection has ended do not use the budget."""

    async def serve(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY %s] ready" % CAPABILITIES)
        await peer.expect("NOOP")
        peer.close()

    async with ScriptedServer(serve) as server:
        shared = account(server.port)
        connection = await Connection.open(shared)
        command = Command("NOOP")
        await connection.send(command)
        await asyncio.wait([command.completed])
        command.completed.exception()
        for _ in range(3):
            status = Data("STATUS", None, [b'"B" (UNSEEN 1)'])
            connection.unsolicited.put(FolderStatus(status))
    assert shared.receive_budget.free == MAX_OF_ACCOUNT


@pytest.mark.parametrize("tls", [True, False], ids=["TLS", "plain"])
async def test_data_received_while_paused_arrives_in_small_chunks(
    tmp_path: Path, tls: bool
) -> None:
    """Data that arrived while reading was paused is delivered in small chunks."""
    made = make_certificate(tmp_path)
    context = made.server_context() if tls else None
    chunks: list[int] = []
    seen = observed(
        {PushProtocol.data_received: lambda given: chunks.append(len(given["d"]))}
    )

    async def serve(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1] ready")
        await peer.expect("NOOP")
        peer.say_raw(b"* 1 EXISTS\r\n" * 80_000)
        await peer.line()

    with seen:
        async with ScriptedServer(serve, context=context) as server:
            shared = account(
                server.port,
                security=Security.TLS if tls else Security.NONE,
                ssl_context=made.client_context(),
            )
            connection = await Connection.open(shared)
            transport = connection._protocol.transport
            await connection.send(Command("NOOP"))
            transport.pause_reading()
            await asyncio.sleep(0.2)
            transport.resume_reading()
            async with asyncio.timeout(5):
                while sum(chunks) < 900_000:
                    await asyncio.sleep(0.005)
            connection.abort()
            for peer in server.peers:
                peer.close()
    assert max(chunks) <= 4 * RECORD
