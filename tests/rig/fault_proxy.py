"""A proxy that delays, splits, holds back, loses and cuts a stream."""

import asyncio
from collections import Counter
from collections.abc import Sequence
import contextlib
from enum import StrEnum
from random import Random
from typing import Final, override

from .proxy import CHUNK, End, Proxy
from .reset import reset

# A fault comes at the latest after this number of octets in one direction, or of seconds.
MAX_OCTETS_UP: Final = 1000
MAX_OCTETS_DOWN: Final = 8000
MAX_FAULT_SECONDS: Final = 0.8
# Longest delay of a piece on a connection with jitter.
MAX_JITTER_SECONDS: Final = 0.06
# Longest stall.
MAX_STALL_SECONDS: Final = 0.5


class Fault(StrEnum):
    """What can happen to a connection. DELAY and STALL do not end it."""

    DELAY = "delay"  # each later piece is delayed by a random time
    STALL = "stall"  # nothing passes for a while, then everything that was held back
    RST = "rst"
    FIN = "fin"
    BYE = "bye"  # BYE of the server, then FIN; inside TLS it is a broken record
    HALF_OPEN = (
        "half-open"  # the server's side is closed, and the client receives no FIN
    )
    LOSE_UP = "lose-up"  # data of the client is lost, data of the server passes
    LOSE_DOWN = "lose-down"  # data of the server is lost, data of the client passes


class FaultProxy(Proxy):
    """Split the stream at random octets and inject at least one fault into each connection.

    The faults of the n-th connection depend on the seed and on n only.
    """

    def __init__(
        self, target_port: int, seed: int, faults: Sequence[Fault] = tuple(Fault)
    ) -> None:
        """Use this seed for all random decisions."""
        super().__init__(target_port)
        self.counts: Counter[Fault] = Counter()
        self.is_faulty = True
        self.faults = faults
        self._seed = seed

    @override
    async def _link(self, client: End, server: End) -> None:
        rng = Random(f"{self._seed} {self.connections}")
        await _FaultyConnection(client, server, rng, self).run()


class _FaultyConnection:
    """One connection through the proxy."""

    def __init__(
        self, client: End, server: End, rng: Random, proxy: FaultProxy
    ) -> None:
        self._client = client
        self._server = server
        self._rng = rng
        self._proxy = proxy
        self._up = _Flow(client.reader, server.writer, rng)
        self._down = _Flow(server.reader, client.writer, rng)

    async def run(self) -> None:
        """Forward data until the client disconnects."""
        async with asyncio.TaskGroup() as group:
            others = (
                group.create_task(self._down.run()),
                group.create_task(self._inject_faults()),
            )
            await self._up.run()
            for task in others:
                task.cancel()

    async def _inject_faults(self) -> None:
        """Inject faults until one of them ends the connection."""
        while await self._wait_until_due():
            fault = self._rng.choice(self._proxy.faults)
            self._proxy.counts[fault] += 1
            if not await self._apply(fault):
                break
        self._release()

    async def _wait_until_due(self) -> bool:
        """Wait until a fault is due, and hold back everything after that octet.

        Return whether the fault is to happen.
        """
        if not self._proxy.is_faulty:
            return False
        flow, octets = self._rng.choice(
            ((self._up, MAX_OCTETS_UP), (self._down, MAX_OCTETS_DOWN))
        )
        self._release()
        flow.allow(self._rng.randrange(octets))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(MAX_FAULT_SECONDS * self._rng.random() ** 2):
                await flow.exhausted.wait()
        self._up.allow(0)
        self._down.allow(0)
        return self._proxy.is_faulty

    async def _apply(self, fault: Fault) -> bool:
        """Apply the fault; return whether the connection goes on."""
        match fault:
            case Fault.DELAY:
                jitter = self._rng.uniform(0, MAX_JITTER_SECONDS)
                self._up.jitter = self._down.jitter = jitter
            case Fault.STALL:
                await asyncio.sleep(self._rng.uniform(0, MAX_STALL_SECONDS))
            case Fault.RST:
                reset(self._client.writer)
                reset(self._server.writer)
            case Fault.FIN:
                self._send_fin()
            case Fault.BYE:
                # The server may have closed it already.
                if not self._down.has_ended:
                    self._client.writer.write(b"\r\n* BYE for no reason\r\n")
                self._send_fin()
            case Fault.HALF_OPEN:
                self._up.is_lost = self._down.is_lost = True
                self._server.writer.close()
            case Fault.LOSE_UP:
                self._up.is_lost = True
            case Fault.LOSE_DOWN:
                self._down.is_lost = True
        return fault in {Fault.DELAY, Fault.STALL}

    def _send_fin(self) -> None:
        # This comes first: write_eof fails if the client is gone, and nothing may be written then.
        self._down.is_lost = True
        self._client.writer.write_eof()

    def _release(self) -> None:
        """Stop holding data back."""
        self._up.allow(None)
        self._down.allow(None)


class _Flow:
    """One direction of a connection, in pieces of random size."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rng: Random
    ) -> None:
        self.jitter = 0.0
        self.is_lost = False
        self.has_ended = False
        self.exhausted = asyncio.Event()
        self._reader = reader
        self._writer = writer
        self._rng = rng
        self._allowed: int | None = 0
        self._changed = asyncio.Event()

    def allow(self, octets: int | None) -> None:
        """Let this number of octets pass from now on, all of them for None."""
        self._allowed = octets
        self.exhausted.clear()
        self._changed.set()

    async def run(self) -> None:
        """Forward until the sender ends."""
        while chunk := await self._reader.read(CHUNK):
            while chunk:
                piece = await self._next_piece(chunk)
                chunk = chunk[len(piece) :]
                await self._pass(piece)
        if not self.is_lost:
            self.has_ended = True
            self._writer.write_eof()

    async def _next_piece(self, chunk: bytes) -> bytes:
        """Wait until data may pass, and return the piece of the chunk that does."""
        while self._allowed == 0:
            self.exhausted.set()
            self._changed.clear()
            await self._changed.wait()
        size = self._rng.randint(1, len(chunk))
        if self._allowed is not None:
            size = min(size, self._allowed)
            self._allowed -= size
        return chunk[:size]

    async def _pass(self, piece: bytes) -> None:
        await asyncio.sleep(self._rng.uniform(0, self.jitter))
        if not self.is_lost:
            self._writer.write(piece)
            await self._writer.drain()
