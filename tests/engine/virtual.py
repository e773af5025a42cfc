"""Virtual time and connections in memory: a year of waiting passes in a moment."""

import asyncio
from collections.abc import Callable, Coroutine
import selectors
import socket
from typing import Any, override
from unittest.mock import Mock

from .scripted import Peer, Script


class _Selector(selectors.DefaultSelector):
    """Lets time jump to the next timer where a real selector would wait."""

    now = 1000.0

    @override
    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everything waits, and nothing will ever happen"
            self.now += max(timeout, 0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time jumps, and whose connections lead to scripts.

    `scripts` plays one script for each connection, in order; `after_last` all further ones.
    Where `is_blackhole` is true nobody answers, and what was sent is lost.
    """

    def __init__(self) -> None:
        """Begin without a server."""
        self._clock = _Selector()
        super().__init__(self._clock)
        self._playing: set[asyncio.Task[None]] = set()
        self.scripts: list[Script] = []
        self.after_last: Script | None = None
        self.is_blackhole = False
        self.connected_at: list[float] = []
        self.limit: int | None = (
            None  # octets that a server sends before it falls silent
        )
        self.reset_at_limit = False

    @override
    def time(self) -> float:
        return self._clock.now

    @override
    async def getaddrinfo(self, *_args: Any, **_options: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("192.0.2.1", 993))]

    @override
    async def sock_connect(self, *_args: Any) -> None:
        if self.is_blackhole:
            await asyncio.sleep(1e9)
        if not self.scripts and self.after_last is None:
            raise ConnectionRefusedError

    @override
    async def create_connection(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.Protocol],
        *_args: Any,
        sock: socket.socket,
        **_options: Any,
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        sock.close()
        script = self.scripts.pop(0) if self.scripts else self.after_last
        assert script is not None
        self.connected_at.append(self.time())
        protocol = protocol_factory()
        reader = asyncio.StreamReader(loop=self)
        server = asyncio.StreamReaderProtocol(reader, loop=self)
        near, far = _Pipe(self, protocol), _Pipe(self, server)
        near.other, far.other = far, near
        far.limit, far.reset_at_limit = self.limit, self.reset_at_limit
        self.limit = None
        protocol.connection_made(near)
        server.connection_made(far)
        writer = asyncio.StreamWriter(far, server, reader, self)
        task = self.create_task(self._play(script, Peer(reader, writer)))
        # The loop itself keeps tasks by weak references only.
        self._playing.add(task)
        task.add_done_callback(self._playing.discard)
        return near, protocol

    async def _play(self, script: Script, peer: Peer) -> None:
        try:
            await script(peer)
        except asyncio.IncompleteReadError, ConnectionError:
            peer.close()


class _Pipe(asyncio.Transport):
    """One end of a connection in memory."""

    other: _Pipe

    def __init__(self, loop: VirtualLoop, protocol: asyncio.Protocol) -> None:
        super().__init__({"socket": Mock()})
        self._loop = loop
        self._protocol = protocol
        self._closed = False
        self.limit: int | None = None
        self.reset_at_limit = False

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        octets = bytes(data)
        if self.limit is not None:
            octets, self.limit = octets[: self.limit], max(0, self.limit - len(octets))
        if octets and not self._closed and not self._loop.is_blackhole:
            self._loop.call_soon(self.other._receive, octets)
        if self.limit == 0 and self.reset_at_limit:
            self.abort()

    @override
    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._loop.call_soon(self._protocol.connection_lost, None)
            self._loop.call_soon(self.other._end)

    @override
    def abort(self) -> None:
        self.close()

    @override
    def is_closing(self) -> bool:
        return self._closed

    def _receive(self, octets: bytes) -> None:
        if not self._closed:
            self._protocol.data_received(octets)

    def _end(self) -> None:
        if not self._closed:
            self._protocol.eof_received()
            self.close()


def run(main: Callable[[VirtualLoop], Coroutine[Any, Any, None]]) -> None:
    """Run a test in virtual time; nothing may be left of it."""
    loop = VirtualLoop()
    problems: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: problems.append(context))
    with asyncio.Runner(loop_factory=lambda: loop) as runner:

        async def all_of_it() -> None:
            await main(loop)
            for _ in range(3):
                await asyncio.sleep(0)
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            assert not [task for task in tasks if "imap_push" in task.get_name()]

        runner.run(all_of_it())
    assert not problems, problems
