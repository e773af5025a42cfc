"""A proxy that counts round trips and octets until the client waits for mail."""

import asyncio
import ssl
import time
from typing import Final, override

from tests.rig.proxy import Proxy

IDLE: Final = b" IDLE\r\n"
CONTINUATION: Final = b"\n+ "


class CountingProxy(Proxy):
    """Count the flights and octets of the newest connection; connections must not overlap.

    TLS ends at the proxy. A flight is everything that the client sends without receiving
    anything in between, so the number of flights is the number of round trips. Counting ends
    with the server's continuation request for IDLE.
    """

    def __init__(self, target_port: int, context: ssl.SSLContext, delay: float) -> None:
        """Connect to a server without TLS, with this one-way delay in seconds."""
        super().__init__(target_port, delay=delay, context=context)
        self.begin()

    def begin(self) -> None:
        """Count from zero."""
        self.flights = 0
        self.down = 0
        self.up = 0
        self.seconds = 0.0
        self.waiting = asyncio.Event()
        self._has_received = True
        self._is_idle_sent = False
        self._began = time.monotonic()
        self._tail = b""

    @override
    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._began = time.monotonic()
        await super()._serve(reader, writer)

    @override
    def _note_up(self, chunk: bytes) -> None:
        super()._note_up(chunk)
        if self.waiting.is_set():
            return
        self.up += len(chunk)
        self.flights += self._has_received
        self._has_received = False
        self._is_idle_sent |= IDLE in chunk

    @override
    def _note_down(self, chunk: bytes) -> None:
        super()._note_down(chunk)
        if self.waiting.is_set():
            return
        self.down += len(chunk)
        self._has_received = True
        text = self._tail + chunk
        self._tail = text[1 - len(CONTINUATION) :]
        if self._is_idle_sent and CONTINUATION in text:
            self.seconds = time.monotonic() - self._began
            self.waiting.set()
