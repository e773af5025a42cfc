"""Deliver mail over LMTP, like an MTA."""

import asyncio
from email.message import EmailMessage
from smtplib import LMTP
import time
from types import TracebackType
from typing import Final, Self

from .ports import LOOPBACK

ENVELOPE_SENDER: Final = "bounce@example.com"


class LmtpSender:
    """An open LMTP connection that delivers mails one after the other."""

    def __init__(self, port: int) -> None:
        """Deliver to the LMTP server on this loopback port."""
        self._port = port
        self._lmtp: LMTP | None = None

    async def __aenter__(self) -> Self:
        """Connect and greet."""
        self._lmtp = await asyncio.to_thread(self._connect)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Send QUIT and disconnect."""
        if self._lmtp is not None:
            await asyncio.to_thread(self._lmtp.quit)
            self._lmtp = None

    async def send(self, recipient: str, message: EmailMessage | bytes) -> float:
        """Deliver a message and return `time.time()` of its acceptance."""
        return await asyncio.to_thread(self._send, recipient, bytes(message))

    async def send_all(
        self, recipient: str, messages: list[EmailMessage]
    ) -> list[float]:
        """Deliver messages as fast as they are accepted; return the time of each acceptance."""
        prepared = [bytes(message) for message in messages]
        return await asyncio.to_thread(
            lambda: [self._send(recipient, message) for message in prepared]
        )

    def _connect(self) -> LMTP:
        """Open the connection, with a timeout of 30 seconds per response."""
        lmtp = LMTP(LOOPBACK, self._port, local_hostname="localhost")
        assert lmtp.sock is not None
        lmtp.sock.settimeout(30)
        return lmtp

    def _send(self, recipient: str, message: bytes) -> float:
        """Run one LMTP transaction."""
        assert self._lmtp is not None, "not connected"
        self._lmtp.sendmail(ENVELOPE_SENDER, recipient, message)
        return time.time()


async def deliver(port: int, recipient: str, message: EmailMessage | bytes) -> float:
    """Deliver one message and return `time.time()` of its acceptance."""
    async with LmtpSender(port) as sender:
        return await sender.send(recipient, message)
