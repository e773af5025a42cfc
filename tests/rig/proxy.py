"""A TCP proxy for a server: counts and delays data, and resets connections."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
import ssl
from typing import Final, override

from .delay_line import DelayLine
from .ports import LOOPBACK, listening_port
from .reset import reset
from .running import Running

CHUNK: Final = 65536


@dataclass(frozen=True)
class End:
    """One side of a forwarded connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class Proxy(Running):
    """Forward every connection on `port` to the loopback port of a server.

    A new `target_port` applies to new connections, a new `delay` to data that arrives later.
    Both sides have TCP_NODELAY, which asyncio sets.
    """

    def __init__(
        self,
        target_port: int,
        *,
        delay: float = 0.0,
        context: ssl.SSLContext | None = None,
    ) -> None:
        """Delay every chunk, in both directions, by `delay` seconds.

        With `context`, TLS ends at the proxy, which forwards plain text.
        """
        self.delay = delay
        self._context = context
        self.bytes_down = 0
        self.bytes_up = 0
        self.connections = 0
        self.target_port = target_port
        # A dict instead of a set, because it keeps the order in which they were opened.
        self._writers: dict[asyncio.StreamWriter, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Return the port that clients connect to."""
        return listening_port(self._server)

    @property
    def open_connections(self) -> int:
        """Return the number of connected clients."""
        return len(self._tasks)

    @override
    async def start(self) -> None:
        """Accept connections on a free port."""
        self._server = await asyncio.start_server(
            self._accept, LOOPBACK, 0, ssl=self._context
        )

    @override
    async def stop(self) -> None:
        """Stop listening and reset every connection."""
        if self._server is None:
            return
        self._server.close()
        self.reset_all()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._server.wait_closed()
        self._server = None

    def reset_all(self) -> None:
        """Send RST on every open connection, to both sides."""
        for writer in tuple(self._writers):
            reset(writer)

    def reset_newest(self) -> None:
        """Send RST on the connection that was opened last, to both sides."""
        for writer in list(self._writers)[-2:]:
            reset(writer)

    async def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Serve one client until one side ends."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        try:
            await self._serve(reader, writer)
        except* OSError:
            pass
        finally:
            writer.close()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Forward data between a client and a new connection to the server."""
        self._writers[writer] = None
        try:
            server_reader, server_writer = await asyncio.open_connection(
                LOOPBACK, self.target_port
            )
            self._writers[server_writer] = None
            try:
                await self._link(End(reader, writer), End(server_reader, server_writer))
            finally:
                self._writers.pop(server_writer, None)
                server_writer.close()
        finally:
            self._writers.pop(writer, None)

    async def _link(self, client: End, server: End) -> None:
        """Forward data in both directions until both sides have ended."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._forward_up(client.reader, server.writer))
            group.create_task(self._forward_down(server.reader, client.writer))

    def _note_up(self, chunk: bytes) -> None:
        """Count data that the client has just sent."""
        self.bytes_up += len(chunk)

    def _note_down(self, chunk: bytes) -> None:
        """Count data that is about to reach the client."""
        self.bytes_down += len(chunk)

    async def _forward_up(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Forward data of the client."""
        await self._forward(reader, writer, came=self._note_up, leaves=_ignore)

    async def _forward_down(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Forward data of the server."""
        await self._forward(reader, writer, came=_ignore, leaves=self._note_down)

    async def _forward(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        came: Callable[[bytes], None],
        leaves: Callable[[bytes], None],
    ) -> None:
        """Forward one direction through a DelayLine, until its end."""
        line = DelayLine(lambda: self.delay)
        async with asyncio.TaskGroup() as group:
            group.create_task(_fill(line, reader, came))
            while chunk := await line.get():
                leaves(chunk)
                await self._send(chunk, writer)
            _end(writer)

    async def _send(self, chunk: bytes, writer: asyncio.StreamWriter) -> None:
        """Send one chunk."""
        writer.write(chunk)
        await writer.drain()


async def _fill(
    line: DelayLine, reader: asyncio.StreamReader, came: Callable[[bytes], None]
) -> None:
    """Put received data into a DelayLine, including the end."""
    while chunk := await reader.read(CHUNK):
        came(chunk)
        await line.put(chunk)
    await line.put(b"")


def _ignore(_chunk: bytes) -> None:
    """Do nothing."""


def _end(writer: asyncio.StreamWriter) -> None:
    """Send FIN; with TLS this is possible only by closing the connection."""
    if writer.can_write_eof():
        writer.write_eof()
    else:
        writer.close()
