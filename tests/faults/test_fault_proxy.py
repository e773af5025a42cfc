"""The fault proxy itself: each fault has the described effect and loses nothing more."""

import asyncio
from collections.abc import AsyncIterator
import contextlib
from dataclasses import dataclass

import pytest

from tests.rig.fault_proxy import Fault, FaultProxy
from tests.rig.ports import LOOPBACK

pytestmark = pytest.mark.usefixtures("socket_enabled")

LIMIT = 5.0  # seconds
MOMENT = 0.15  # seconds; longer than the delays of the proxy


@dataclass
class Endpoint:
    """One end of a connection: sends increasing numbers and records what it receives."""

    received: bytes = b""
    end: str = ""

    async def run(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Send and receive until the connection ends."""
        counting = asyncio.create_task(self._count(writer))
        try:
            while words := await reader.read(1000):
                self.received += words
            self.end = "fin"
        except ConnectionResetError:
            self.end = "rst"
        counting.cancel()
        writer.close()

    async def _count(self, writer: asyncio.StreamWriter) -> None:
        for number in range(10_000):
            writer.write(f"{number}\r\n".encode())
            await asyncio.sleep(0.005)

    @property
    def expected(self) -> bytes:
        """Return the beginning of what the other end sent, as long as what was received."""
        said = b"".join(f"{number}\r\n".encode() for number in range(10_000))
        return said[: len(self.received)]


@contextlib.asynccontextmanager
async def connected_through(fault: Fault) -> AsyncIterator[tuple[Endpoint, Endpoint]]:
    """Connect a client and a server through a proxy and wait for the fault."""
    client, server = Endpoint(), Endpoint()
    listener = await asyncio.start_server(server.run, LOOPBACK, 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener, FaultProxy(port, 1, [fault]) as proxy:
        task = asyncio.create_task(
            client.run(*await asyncio.open_connection(LOOPBACK, proxy.port))
        )
        async with asyncio.timeout(LIMIT):
            while not proxy.counts[fault]:
                await asyncio.sleep(0.001)
        proxy.is_faulty = False
        await asyncio.sleep(MOMENT)
        yield client, server
        await proxy.stop()
        await task


@pytest.mark.parametrize(
    ("fault", "client_hears", "server_hears", "client_ends"),
    [
        (Fault.DELAY, True, True, ""),
        (Fault.RST, False, False, "rst"),
        (Fault.FIN, False, False, "fin"),
        (Fault.BYE, False, False, "fin"),
        (Fault.HALF_OPEN, False, False, ""),
        (Fault.LOSE_UP, True, False, ""),
        (Fault.LOSE_DOWN, False, True, ""),
    ],
)
async def test_what_is_heard(
    fault: Fault, client_hears: bool, server_hears: bool, client_ends: str
) -> None:
    """Whether each end receives data after a fault, and how the connection ends for the client."""
    async with connected_through(fault) as (client, server):
        before = len(client.received), len(server.received)
        await asyncio.sleep(MOMENT)
        assert (len(client.received) > before[0]) == client_hears
        assert (len(server.received) > before[1]) == server_hears
        assert client.end == client_ends
        if fault is Fault.BYE:
            assert client.received.endswith(b"\r\n* BYE for no reason\r\n")


@pytest.mark.parametrize("fault", [Fault.DELAY, Fault.STALL])
async def test_what_is_late_is_not_lost(fault: Fault) -> None:
    """Delayed data arrives in order and complete."""
    async with connected_through(fault) as (client, server):
        before = len(client.received), len(server.received)
        async with asyncio.timeout(LIMIT):
            while (
                len(client.received) == before[0] or len(server.received) == before[1]
            ):
                await asyncio.sleep(0.01)
        assert client.received == client.expected
        assert server.received == server.expected
