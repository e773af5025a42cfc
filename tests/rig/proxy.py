"""A TCP proxy in front of a server: counts, delays and breaks connections."""

import asyncio
from dataclasses import dataclass
from typing import Final, override

from .ports import LOOPBACK
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

    A new `target_port` holds for the connections to come.
    """

    def __init__(self, target_port: int, *, delay: float = 0.0) -> None:
        """Hold back every chunk, both ways, for `delay` seconds."""
        self.delay = delay
        self.bytes_down = 0
        self.bytes_up = 0
        self.connections = 0
        self.target_port = target_port
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Return the port that clients connect to."""
        assert self._server is not None, "not started"
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def open_connections(self) -> int:
        """Return how many clients are connected."""
        return len(self._tasks)

    @override
    async def start(self) -> None:
        """Accept connections on a port of the proxy's own choice."""
        self._server = await asyncio.start_server(self._accept, LOOPBACK, 0)

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
        self._writers.add(writer)
        try:
            server_reader, server_writer = await asyncio.open_connection(
                LOOPBACK, self.target_port
            )
            self._writers.add(server_writer)
            try:
                await self._link(End(reader, writer), End(server_reader, server_writer))
            finally:
                self._writers.discard(server_writer)
                server_writer.close()
        finally:
            self._writers.discard(writer)

    async def _link(self, client: End, server: End) -> None:
        """Forward both ways until both sides have ended."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._forward_up(client.reader, server.writer))
            group.create_task(self._forward_down(server.reader, client.writer))

    async def _forward_up(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Forward what the client sends."""
        while chunk := await reader.read(CHUNK):
            self.bytes_up += len(chunk)
            await self._send(chunk, writer)
        writer.write_eof()

    async def _forward_down(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Forward what the server sends."""
        while chunk := await reader.read(CHUNK):
            self.bytes_down += len(chunk)
            await self._send(chunk, writer)
        writer.write_eof()

    async def _send(self, chunk: bytes, writer: asyncio.StreamWriter) -> None:
        """Pass one chunk on, late if so wished."""
        if self.delay:
            await asyncio.sleep(self.delay)
        writer.write(chunk)
        await writer.drain()
