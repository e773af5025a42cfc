"""A proxy that breaks every connection, each in another way."""

import asyncio
from collections import Counter
from random import Random
from typing import Final, override

from .proxy import CHUNK, Proxy
from .reset import reset

FAULTS: Final = ("rst", "fin", "bye", "stall")
# A connection breaks after so many octets from the server, or after so many seconds.
MOST_OCTETS: Final = 6000
MOST_SECONDS: Final = 0.6


class FaultProxy(Proxy):
    """Split what passes at any octet, and end each connection with a fault.

    rst: reset. fin: closed in good order. bye: a BYE, then closed. stall: nothing passes any
    more either way, and nobody is told (half-open).
    """

    def __init__(self, target_port: int, dice: Random) -> None:
        """Throw these dice for every decision."""
        super().__init__(target_port)
        self.counts: Counter[str] = Counter()
        self.is_faulty = True
        self._clients: dict[asyncio.StreamWriter, asyncio.StreamReader] = {}
        self._deaf: set[asyncio.StreamReader] = set()  # whose words are lost
        self._dice = dice

    @override
    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._clients[writer] = reader
        try:
            await super()._serve(reader, writer)
        finally:
            del self._clients[writer]

    @override
    async def _forward_up(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while chunk := await reader.read(CHUNK):
            if reader not in self._deaf:
                await self._send(chunk, writer)
        writer.write_eof()

    @override
    async def _forward_down(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        octets = self._dice.randrange(MOST_OCTETS)
        try:
            async with asyncio.timeout(self._dice.uniform(0, MOST_SECONDS)) as patience:
                if not self.is_faulty:
                    patience.reschedule(None)
                while chunk := await reader.read(CHUNK):
                    rest = chunk if not self.is_faulty else chunk[: max(0, octets)]
                    octets -= len(chunk)
                    await self._send_in_pieces(rest, writer)
                    if self.is_faulty and octets <= 0:
                        break
                else:
                    writer.write_eof()
                    return
        except TimeoutError:
            pass
        await self._break(writer)

    async def _send_in_pieces(self, chunk: bytes, writer: asyncio.StreamWriter) -> None:
        while chunk:
            size = self._dice.randint(1, len(chunk))
            writer.write(chunk[:size])
            chunk = chunk[size:]
            await asyncio.sleep(0)

    async def _break(self, writer: asyncio.StreamWriter) -> None:
        fault = self._dice.choice(FAULTS)
        self.counts[fault] += 1
        match fault:
            case "rst":
                reset(writer)
            case "bye":
                writer.write(b"\r\n* BYE for no reason\r\n")
                writer.write_eof()
            case "fin":
                writer.write_eof()
            case "stall":
                await self._pretend(self._clients[writer])

    async def _pretend(self, client: asyncio.StreamReader) -> None:
        """Keep the connection open until the client leaves, and let nothing pass."""
        self._deaf.add(client)
        while not client.at_eof() and client.exception() is None:
            await asyncio.sleep(0.02)
        self._deaf.discard(client)
