"""The event loop of the asynchronous tests: real sockets, with other names, routes and time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
import selectors
import socket
import time
from typing import Any, Final, override

# Real seconds without an event after which nothing more is expected from another task.
_GRACE: Final = 0.02

type Address = tuple[str, int]  # IP address and port


class EngineLoop(asyncio.SelectorEventLoop):
    """An event loop in which a test can replace DNS, redirect connections and skip waiting.

    `resolve` returns the addresses of a host and port. `route` returns the address to which a
    connection really goes, or raises OSError. `lookups` and `dialed` record what was asked of
    them. While `skips_time` is True, the time advances to the next timer when no socket and no
    thread is busy; only servers in the same process may be used then.
    """

    def __init__(self) -> None:
        """Start with the real DNS, routes and time."""
        self._clock = _Clock()
        super().__init__(self._clock)
        self.resolve: Callable[[str, int], Awaitable[Iterable[Address]]] | None = None
        self.route: Callable[[Address], Address] | None = None
        self.lookups: list[Address] = []  # host and port
        self.dialed: list[Address] = []
        self.descriptors: list[int] = []  # of the sockets that were connected

    @property
    def skips_time(self) -> bool:
        """Return whether waiting takes no time."""
        return self._clock.skips

    @skips_time.setter
    def skips_time(self, skips: bool) -> None:
        self.advance(0)
        self._clock.skips = skips

    def advance(self, seconds: float) -> None:
        """Set the time forward; the timers that are due then run next."""
        # Home Assistant configures all event loops of its tests, and replaces this method.
        vars(self).pop("time", None)
        self._clock.skipped += seconds

    @override
    def time(self) -> float:
        return time.monotonic() + self._clock.skipped

    @override
    def run_in_executor(self, *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        future = super().run_in_executor(*args)
        self._clock.threads += 1
        future.add_done_callback(self._thread_is_done)
        return future

    def _thread_is_done(self, _future: asyncio.Future[Any]) -> None:
        self._clock.threads -= 1

    @override
    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> list[Any]:
        self.lookups.append((host, port))
        if self.resolve is None:
            return await super().getaddrinfo(host, port, **options)
        return [
            (
                socket.AF_INET6 if ":" in address[0] else socket.AF_INET,
                socket.SOCK_STREAM,
                socket.IPPROTO_TCP,
                "",
                address,
            )
            for address in await self.resolve(host, port)
        ]

    @override
    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        self.dialed.append(address[:2])
        self.descriptors.append(sock.fileno())
        await super().sock_connect(sock, self.route(address) if self.route else address)


class _Clock(selectors.DefaultSelector):
    """A selector that can skip the time until the next timer."""

    skips = False
    skipped = 0.0  # seconds
    threads = 0  # that are working

    @override
    def select(self, timeout: float | None = None) -> list[Any]:
        if not self.skips or timeout is None or timeout <= _GRACE or self.threads:
            return super().select(timeout)
        ready = super().select(_GRACE)
        if not ready:
            self.skipped += timeout - _GRACE
        return ready
