"""A TCP proxy in front of a server: counts, delays and breaks connections."""

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
    """One of the two parties that a connection links."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class Proxy(Running):
    """Forward every connection on `port` to the loopback port of a server.

    A new `target_port` holds for the connections to come. A new `delay` holds for what
    comes from then on. Both ends have TCP_NODELAY, which asyncio sets.
    """

    def __init__(
        self,
        target_port: int,
        *,
        delay: float = 0.0,
        context: ssl.SSLContext | None = None,
    ) -> None:
        """Hold back every chunk, both ways, for `delay` seconds.

        With `context`, clients speak TLS with the proxy, which passes plain text on.
        """
        self.delay = delay
        self._context = context
        self.bytes_down = 0
        self.bytes_up = 0
        self.connections = 0
        self.target_port = target_port
        # In the order in which they were opened, which sets do not keep.
        self._writers: dict[asyncio.StreamWriter, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Return the port that clients connect to."""
        return listening_port(self._server)

    @property
    def open_connections(self) -> int:
        """Return how many clients are connected."""
        return len(self._tasks)

    @override
    async def start(self) -> None:
        """Accept connections on a port of the proxy's own choice."""
        self._server = await asyncio.start_server(
            self._accept, LOOPBACK, 0, ssl=self._context
        )

    @override
    async def stop(self) -> None:
        """Reset every connection and accept no more."""
        if self._server is None:
            return
        self._server.close()
        self.reset_all()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._server.wait_closed()
        self._server = None

    def reset_all(self) -> None:
        """Send RST on every open connection, to both ends."""
        for writer in tuple(self._writers):
            reset(writer)

    def reset_newest(self) -> None:
        """Send RST on the connection that was opened last, to both ends."""
        for writer in list(self._writers)[-2:]:
            reset(writer)

    async def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Serve one client until either side ends."""
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
        """Forward both ways between a client and a new connection to the server."""
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
        """Forward both ways until both sides have ended."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._forward_up(client.reader, server.writer))
            group.create_task(self._forward_down(server.reader, client.writer))

    def _note_up(self, chunk: bytes) -> None:
        """Count what the client has just sent."""
        self.bytes_up += len(chunk)

    def _note_down(self, chunk: bytes) -> None:
        """Count what is just reaching the client."""
        self.bytes_down += len(chunk)

    async def _forward_up(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Forward what the client sends."""
        await self._forward(reader, writer, came=self._note_up, leaves=_ignore)

    async def _forward_down(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Forward what the server sends."""
        await self._forward(reader, writer, came=_ignore, leaves=self._note_down)

    async def _forward(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        came: Callable[[bytes], None],
        leaves: Callable[[bytes], None],
    ) -> None:
        """Forward one way by a line of its own, until its end."""
        line = DelayLine(lambda: self.delay)
        async with asyncio.TaskGroup() as group:
            group.create_task(_fill(line, reader, came))
            while chunk := await line.get():
                leaves(chunk)
                await self._send(chunk, writer)
            _end(writer)

    async def _send(self, chunk: bytes, writer: asyncio.StreamWriter) -> None:
        """Pass one chunk on."""
        writer.write(chunk)
        await writer.drain()


async def _fill(
    line: DelayLine, reader: asyncio.StreamReader, came: Callable[[bytes], None]
) -> None:
    """Put what comes on a line, its end too."""
    while chunk := await reader.read(CHUNK):
        came(chunk)
        await line.put(chunk)
    await line.put(b"")


def _ignore(_chunk: bytes) -> None:
    """Count nothing."""


def _end(writer: asyncio.StreamWriter) -> None:
    """Say that no more will come; TLS cannot say so without closing."""
    if writer.can_write_eof():
        writer.write_eof()
    else:
        writer.close()
