"""A proxy that reads along from the end of the TLS handshake until the client waits."""

import asyncio
import ssl
import time
from typing import Final, override

from tests.rig.proxy import Proxy

IDLE: Final = b" IDLE\r\n"
CONTINUATION: Final = b"\n+ "


class Conversation(Proxy):
    """Count turns and octets of the newest connection, which no others overlap.

    The client speaks TLS with the proxy. A flight is what the client sends without having
    heard anything new meanwhile: as many commands as it likes. Waiting begins with the
    server's continuation of IDLE.
    """

    def __init__(self, target_port: int, context: ssl.SSLContext, delay: float) -> None:
        """Stand in front of a server without TLS that is so far away."""
        super().__init__(target_port, delay=delay, context=context)
        self.begin()

    def begin(self) -> None:
        """Take the next connection for a new one."""
        self.flights = 0
        self.down = 0
        self.up = 0
        self.seconds = 0.0
        self.waiting = asyncio.Event()
        self._has_heard = True
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
        self.flights += self._has_heard
        self._has_heard = False
        self._is_idle_sent |= IDLE in chunk

    @override
    def _note_down(self, chunk: bytes) -> None:
        super()._note_down(chunk)
        if self.waiting.is_set():
            return
        self.down += len(chunk)
        self._has_heard = True
        text = self._tail + chunk
        self._tail = text[1 - len(CONTINUATION) :]
        if self._is_idle_sent and CONTINUATION in text:
            self.seconds = time.monotonic() - self._began
            self.waiting.set()
