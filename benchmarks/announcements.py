"""The times at which the server announces new mail."""

import asyncio
import time
from typing import Final, override

from tests.rig.dovecot import PASSWORD
from tests.rig.ports import LOOPBACK
from tests.rig.running import Running

ANSWER_SECONDS: Final = 10


class Announcements(Running):
    """A raw connection to the server, without a proxy, that waits in IDLE for EXISTS."""

    def __init__(
        self, port: int, user: str, *, seconds: float = ANSWER_SECONDS
    ) -> None:
        """Watch a user's inbox at a port without TLS; wait `seconds` for each response."""
        self._seconds = seconds
        self._port = port
        self._user = user
        self._times: asyncio.Queue[float] = asyncio.Queue()

    @override
    async def start(self) -> None:
        """Log in and start IDLE."""
        self._reader, self._writer = await asyncio.open_connection(LOOPBACK, self._port)
        await self._command(f"1 LOGIN {self._user} {PASSWORD}", b"1 OK")
        await self._command("2 EXAMINE INBOX", b"2 OK")
        await self._command("3 IDLE", b"+ ")
        self._task = asyncio.create_task(self._read())

    @override
    async def stop(self) -> None:
        """Close the connection."""
        self._task.cancel()
        await asyncio.wait([self._task])
        self._writer.close()

    def forget(self) -> None:
        """Drop the announcements until now."""
        while not self._times.empty():
            self._times.get_nowait()

    async def next(self) -> float:
        """Return the time of the next announcement."""
        async with asyncio.timeout(ANSWER_SECONDS):
            return await self._times.get()

    async def _command(self, line: str, answer: bytes) -> None:
        """Send a line and wait for a line that begins with `answer`."""
        self._writer.write(f"{line}\r\n".encode())
        async with asyncio.timeout(self._seconds):
            while not (await self._reader.readline()).startswith(answer):
                if self._reader.at_eof():
                    raise ConnectionError(f"no answer to {line}")

    async def _read(self) -> None:
        """Record the time of every announcement."""
        while line := await self._reader.readline():
            if line.endswith(b" EXISTS\r\n"):
                self._times.put_nowait(time.monotonic())
