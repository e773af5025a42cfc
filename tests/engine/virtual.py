"""An event loop with virtual time and connections in memory, for tests of long periods."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
import contextlib
import selectors
import socket
from typing import Any, override

from custom_components.imap_push.imap import (
    AccountWatcher,
    Mark,
    WatchedFolder,
    WatchOptions,
)

from .conftest import account
from .recorder import Recorder
from .scripted import Peer, Script


class _Selector(selectors.DefaultSelector):
    """A selector that advances the time to the next timer instead of waiting."""

    now = 1000.0

    @override
    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "deadlock: no timers and no events"
            self.now += max(timeout, 0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop with virtual time, whose connections lead to a server in memory.

    `accept` creates the server side of each connection. Without it, each connection plays the next
    of `scripts`, or `after_last` when there are no more. `written` has the octets of each write of
    the client. While `is_blackhole` is True, octets are held back and connections are not
    established. While `is_nameless` is True, DNS lookups fail.
    """

    def __init__(self) -> None:
        """Start without a server."""
        self._clock = _Selector()
        super().__init__(self._clock)
        self._playing: set[asyncio.Task[None]] = set()
        self.accept: Callable[[], asyncio.Protocol] | None = None
        self.scripts: list[Script] = []
        self.after_last: Script | None = None
        self.is_nameless = False
        self.connected_at: list[float] = []
        self.written: list[bytes] = []
        # Octets that the servers of the next connections send before they stop sending, or, with
        # `ends_at_limit`, close the connection.
        self.limits: list[int | None] = []
        self.ends_at_limit = False
        self.said: list[int] = []  # octets that each server sent
        self.in_threads: list[Callable[..., Any]] = []  # what was called in a thread
        self._is_blackhole = False
        self._held: list[tuple[Callable[..., object], tuple[Any, ...]]] = []

    @property
    def is_blackhole(self) -> bool:
        """Return whether sent octets are held back."""
        return self._is_blackhole

    @is_blackhole.setter
    def is_blackhole(self, is_blackhole: bool) -> None:
        self._is_blackhole = is_blackhole
        held, self._held = self._held, []
        for receive, arguments in held:
            self.carry(receive, *arguments)

    def carry(self, receive: Callable[..., object], *arguments: Any) -> None:
        """Deliver the octets of one end to the other, in order."""
        if self._is_blackhole:
            self._held.append((receive, arguments))
        else:
            self.call_soon(receive, *arguments)

    @override
    def time(self) -> float:
        return self._clock.now

    @override
    def run_in_executor(  # type: ignore[override]
        self, executor: object, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Call the function now: virtual time does not wait for threads."""
        self.in_threads.append(func)
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001
            future.set_exception(error)
        return future

    @override
    async def getaddrinfo(self, *_args: Any, **_options: Any) -> list[Any]:
        if self.is_nameless:
            raise socket.gaierror(socket.EAI_AGAIN, "no name server answers")
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("192.0.2.1", 993))]

    @override
    async def sock_connect(self, *_args: Any) -> None:
        if self.is_blackhole:
            await asyncio.sleep(1e9)
        if self.accept is None and not self.scripts and self.after_last is None:
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
        self.connected_at.append(self.time())
        protocol, server = protocol_factory(), (self.accept or self._player)()
        near, far = _Pipe(self, protocol), _Pipe(self, server)
        near.other, far.other = far, near
        near.written = self.written
        far.number = len(self.said)
        far.limit = self.limits.pop(0) if self.limits else None
        self.said.append(0)
        protocol.connection_made(near)
        server.connection_made(far)
        return near, protocol

    def _player(self) -> asyncio.Protocol:
        """Return the server side of a connection that plays a script."""
        script = self.scripts.pop(0) if self.scripts else self.after_last
        assert script is not None

        def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = self.create_task(self._play(script, Peer(reader, writer)))
            # The event loop has only weak references to tasks.
            self._playing.add(task)
            task.add_done_callback(self._playing.discard)

        reader = asyncio.StreamReader(loop=self)
        return asyncio.StreamReaderProtocol(reader, play, loop=self)

    async def _play(self, script: Script, peer: Peer) -> None:
        try:
            await script(peer)
        except asyncio.IncompleteReadError, ConnectionError:
            peer.close()


class _Socket:
    """A socket that accepts all options."""

    def fileno(self) -> int:
        return 0

    def setsockopt(self, *_args: Any) -> None:
        pass


class _Pipe(asyncio.Transport):
    """One end of a connection in memory."""

    other: _Pipe

    def __init__(self, loop: VirtualLoop, protocol: asyncio.Protocol) -> None:
        super().__init__({"socket": _Socket()})
        self._loop = loop
        self._protocol: asyncio.Protocol | asyncio.BufferedProtocol = protocol
        self._closed = False
        self._is_reading = True
        self._unread: list[bytes] = []
        self.written: list[bytes] | None = None
        self.number: int | None = None  # of the connection, at the server's end
        self.limit: int | None = None

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        octets = bytes(data)
        if self.written is not None:
            self.written.append(octets)
        if self.number is not None:
            self._loop.said[self.number] += len(octets)
        if self.limit is not None:
            octets, self.limit = octets[: self.limit], max(0, self.limit - len(octets))
        if octets and not self._closed:
            self._loop.carry(self.other._receive, octets)
        if self.limit == 0 and self._loop.ends_at_limit:
            self.abort()

    @override
    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._loop.call_soon(self._protocol.connection_lost, None)
            self._loop.carry(self.other._end)

    @override
    def abort(self) -> None:
        self.close()

    def _force_close(self, _error: BaseException | None) -> None:
        """Close like the TLS transport of asyncio after an error."""
        self.close()

    @override
    def is_closing(self) -> bool:
        return self._closed

    @override
    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        assert isinstance(protocol, asyncio.Protocol | asyncio.BufferedProtocol)
        self._protocol = protocol

    @override
    def is_reading(self) -> bool:
        return self._is_reading and not self._closed

    @override
    def pause_reading(self) -> None:
        self._is_reading = False

    @override
    def resume_reading(self) -> None:
        self._is_reading = True
        while self._unread and self._is_reading:
            self._receive(self._unread.pop(0))

    def _receive(self, octets: bytes) -> None:
        if self._closed:
            return
        if not self._is_reading:
            self._unread.append(octets)
            return
        if isinstance(self._protocol, asyncio.Protocol):
            self._protocol.data_received(octets)
            return
        while octets:
            buffer = memoryview(self._protocol.get_buffer(len(octets)))
            count = min(len(buffer), len(octets))
            buffer[:count] = octets[:count]
            self._protocol.buffer_updated(count)
            octets = octets[count:]

    def _end(self) -> None:
        if not self._closed:
            self._protocol.eof_received()
            self.close()


def run(main: Callable[[VirtualLoop], Coroutine[Any, Any, None]]) -> None:
    """Run a test in virtual time; it must leave no tasks and no unhandled errors."""
    loop = VirtualLoop()
    problems: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: problems.append(context))
    with asyncio.Runner(loop_factory=lambda: loop) as runner:

        async def run_and_check() -> None:
            await main(loop)
            for _ in range(3):
                await asyncio.sleep(0)
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            assert not [task for task in tasks if "imap_push" in task.get_name()]

        runner.run(run_and_check())
    assert not problems, problems


@contextlib.asynccontextmanager
async def watched(
    folders: Mapping[str, Mark | WatchedFolder | None],
    options: WatchOptions | None = None,
    *,
    recorder: Recorder | None = None,
    **changes: object,
) -> AsyncIterator[Recorder]:
    """Watch folders from these marks on; stop the watcher at the end."""
    recorder = recorder or Recorder()
    options = options or WatchOptions()
    watched_folders = {
        name: item if isinstance(item, WatchedFolder) else WatchedFolder(mark=item)
        for name, item in folders.items()
    }
    watcher = AccountWatcher(
        account(993, **changes), watched_folders, options, recorder
    )
    recorder.watcher = watcher
    task = asyncio.create_task(watcher.run(), name="imap_push watcher")
    try:
        yield recorder
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
