"""A proxy that delays, splits, stalls, loses and breaks what passes."""

import asyncio
from collections import Counter
from collections.abc import Sequence
import contextlib
from enum import StrEnum
from random import Random
from typing import Final, override

from .proxy import CHUNK, End, Proxy
from .reset import reset

# A fault comes after so many octets one way or the other, or after so many seconds.
MOST_OCTETS_UP: Final = 1000
MOST_OCTETS_DOWN: Final = 8000
MOST_SECONDS: Final = 0.8
# Seconds that each piece may be late on a connection with jitter.
MOST_JITTER: Final = 0.06
# Seconds after which a stall is over.
MOST_STALL: Final = 0.5


class Fault(StrEnum):
    """What can happen to a connection. After the first two it goes on, if the client waits."""

    DELAY = "delay"  # from now on each piece is late, by another time each
    STALL = "stall"  # nothing passes for a while, then all that was held back
    RST = "rst"
    FIN = "fin"
    BYE = "bye"  # the server's last word, then FIN; inside TLS it is a broken record
    HALF_OPEN = "half-open"  # the server's side is gone, and nobody tells the client
    DEAF = "deaf"  # the client's words are lost, the server's pass
    MUTE = "mute"  # the server's words are lost, the client's pass


class FaultProxy(Proxy):
    """Split all that passes at any octet, and strike each connection with one fault or more.

    The faults of the n-th connection depend on the seed and on n only.
    """

    def __init__(
        self, target_port: int, seed: int, faults: Sequence[Fault] = tuple(Fault)
    ) -> None:
        """Take all decisions from a seed."""
        super().__init__(target_port)
        self.counts: Counter[Fault] = Counter()
        self.is_faulty = True
        self.faults = faults
        self._seed = seed

    @override
    async def _link(self, client: End, server: End) -> None:
        dice = Random(f"{self._seed} {self.connections}")
        await _Line(client, server, dice, self).live()


class _Line:
    """One connection through the proxy."""

    def __init__(
        self, client: End, server: End, dice: Random, proxy: FaultProxy
    ) -> None:
        self._client = client
        self._server = server
        self._dice = dice
        self._proxy = proxy
        self._up = _Flow(client.reader, server.writer, dice)
        self._down = _Flow(server.reader, client.writer, dice)

    async def live(self) -> None:
        """Pass on what is said until the client leaves."""
        async with asyncio.TaskGroup() as group:
            others = (
                group.create_task(self._down.run()),
                group.create_task(self._strike()),
            )
            await self._up.run()
            for task in others:
                task.cancel()

    async def _strike(self) -> None:
        """Let faults happen as long as the connection stands them."""
        while await self._next_is_due():
            fault = self._dice.choice(self._proxy.faults)
            self._proxy.counts[fault] += 1
            if not await self._happen(fault):
                break
        self._open()

    async def _next_is_due(self) -> bool:
        """Wait until a fault is due, and hold back what comes after that very octet.

        Return if there is to be one at all.
        """
        if not self._proxy.is_faulty:
            return False
        flow, octets = self._dice.choice(
            ((self._up, MOST_OCTETS_UP), (self._down, MOST_OCTETS_DOWN))
        )
        self._open()
        flow.allow(self._dice.randrange(octets))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(MOST_SECONDS * self._dice.random() ** 2):
                await flow.exhausted.wait()
        self._up.allow(0)
        self._down.allow(0)
        return self._proxy.is_faulty

    async def _happen(self, fault: Fault) -> bool:
        """Do what the fault is; return if the connection goes on."""
        match fault:
            case Fault.DELAY:
                jitter = self._dice.uniform(0, MOST_JITTER)
                self._up.jitter = self._down.jitter = jitter
            case Fault.STALL:
                await asyncio.sleep(self._dice.uniform(0, MOST_STALL))
            case Fault.RST:
                reset(self._client.writer)
                reset(self._server.writer)
            case Fault.FIN:
                self._end_politely()
            case Fault.BYE:
                # The server may have ended it by itself.
                if not self._down.has_ended:
                    self._client.writer.write(b"\r\n* BYE for no reason\r\n")
                self._end_politely()
            case Fault.HALF_OPEN:
                self._up.is_lost = self._down.is_lost = True
                self._server.writer.close()
            case Fault.DEAF:
                self._up.is_lost = True
            case Fault.MUTE:
                self._down.is_lost = True
        return fault in {Fault.DELAY, Fault.STALL}

    def _end_politely(self) -> None:
        # First of all: a client that is gone makes the end fail, and nothing may be written then.
        self._down.is_lost = True
        self._client.writer.write_eof()

    def _open(self) -> None:
        """Let everything pass again, or be lost, whatever is the flow's lot."""
        self._up.allow(None)
        self._down.allow(None)


class _Flow:
    """One direction of a connection, in pieces of any size."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, dice: Random
    ) -> None:
        self.jitter = 0.0
        self.is_lost = False
        self.has_ended = False
        self.exhausted = asyncio.Event()
        self._reader = reader
        self._writer = writer
        self._dice = dice
        self._allowed: int | None = 0
        self._moved = asyncio.Event()

    def allow(self, octets: int | None) -> None:
        """Let so many octets pass from now on, None: all."""
        self._allowed = octets
        self.exhausted.clear()
        self._moved.set()

    async def run(self) -> None:
        """Pass on until the sender ends."""
        while chunk := await self._reader.read(CHUNK):
            while chunk:
                piece = await self._next_piece(chunk)
                chunk = chunk[len(piece) :]
                await self._pass(piece)
        if not self.is_lost:
            self.has_ended = True
            self._writer.write_eof()

    async def _next_piece(self, chunk: bytes) -> bytes:
        """Wait until something may pass, and return how much of the chunk does."""
        while self._allowed == 0:
            self.exhausted.set()
            self._moved.clear()
            await self._moved.wait()
        size = self._dice.randint(1, len(chunk))
        if self._allowed is not None:
            size = min(size, self._allowed)
            self._allowed -= size
        return chunk[:size]

    async def _pass(self, piece: bytes) -> None:
        await asyncio.sleep(self._dice.uniform(0, self.jitter))
        if not self.is_lost:
            self._writer.write(piece)
            await self._writer.drain()
