"""The fault proxy itself: each fault is what its name says, and nothing else is lost."""

import asyncio
from collections.abc import AsyncIterator
import contextlib
from dataclasses import dataclass

import pytest

from tests.rig.fault_proxy import Fault, FaultProxy
from tests.rig.ports import LOOPBACK

pytestmark = pytest.mark.usefixtures("socket_enabled")

LIMIT = 5.0  # seconds
MOMENT = 0.15  # seconds; more than what is late is late


@dataclass
class Party:
    """A party that counts aloud, and hears what the other one says."""

    heard: bytes = b""
    end: str = ""

    async def talk(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Count and listen until the connection ends."""
        counting = asyncio.create_task(self._count(writer))
        try:
            while words := await reader.read(1000):
                self.heard += words
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
    def counted(self) -> bytes:
        """Return what the other party must have said, as far as it is heard."""
        said = b"".join(f"{number}\r\n".encode() for number in range(10_000))
        return said[: len(self.heard)]


@contextlib.asynccontextmanager
async def talking(fault: Fault) -> AsyncIterator[tuple[Party, Party]]:
    """Let a client and a server talk through a proxy until the fault has happened."""
    client, server = Party(), Party()
    listener = await asyncio.start_server(server.talk, LOOPBACK, 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener, FaultProxy(port, 1, [fault]) as proxy:
        task = asyncio.create_task(
            client.talk(*await asyncio.open_connection(LOOPBACK, proxy.port))
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
        (Fault.DEAF, True, False, ""),
        (Fault.MUTE, False, True, ""),
    ],
)
async def test_what_is_heard(
    fault: Fault, client_hears: bool, server_hears: bool, client_ends: str
) -> None:
    """After a fault, either side hears the other, or not, and the client is told, or not."""
    async with talking(fault) as (client, server):
        before = len(client.heard), len(server.heard)
        await asyncio.sleep(MOMENT)
        assert (len(client.heard) > before[0]) == client_hears
        assert (len(server.heard) > before[1]) == server_hears
        assert client.end == client_ends
        if fault is Fault.BYE:
            assert client.heard.endswith(b"\r\n* BYE for no reason\r\n")


@pytest.mark.parametrize("fault", [Fault.DELAY, Fault.STALL])
async def test_what_is_late_is_not_lost(fault: Fault) -> None:
    """What is late or held back comes in order, and all of it."""
    async with talking(fault) as (client, server):
        before = len(client.heard), len(server.heard)
        async with asyncio.timeout(LIMIT):
            while len(client.heard) == before[0] or len(server.heard) == before[1]:
                await asyncio.sleep(0.01)
        assert client.heard == client.counted
        assert server.heard == server.counted
