"""A TCP connection to a server, whichever of its addresses answers first."""

import asyncio
from collections.abc import Awaitable, Callable
import contextlib
import random
import socket
from typing import Any, Final

from aiohappyeyeballs import AddrInfoType, start_connection
import idna

from ..errors import (
    CannotConnect,
    ConnectTimeout,
    HostNotFound,
    PortRefused,
    Unreachable,
)
from .public_address import is_public

# Connects to a port of a host.
type Dial = Callable[[str, int], Awaitable[socket.socket]]

# Seconds
DEADLINE: Final = 15.0
HAPPY_EYEBALLS_DELAY: Final = 0.25
# A patient try is short: the system sends a lost SYN again after 1, 3, 7 and 15 seconds, and
# mail must not wait for that once the way to the server is free again.
TRY: Final = 3.0
PAUSE: Final = 1.5

# A dead peer is found two minutes after the last byte: probes after 60 s, every 20 s, three.
_KEEPALIVE: Final = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 20, "TCP_KEEPCNT": 3}
_USER_TIMEOUT: Final = 60_000  # milliseconds that sent data may stay unacknowledged


def ascii_host(host: str) -> str:
    """Return a host's name as name servers and certificates have it (IDNA 2008); raise HostNotFound.

    Python's own encoding is that of 2003, which makes `ss` of `ß`: that is somebody else's name.
    """
    if host.isascii():
        return host
    try:
        return idna.encode(host, uts46=True).decode()
    except UnicodeError as error:
        raise HostNotFound("this cannot be a name") from error


async def dial(host: str, port: int) -> socket.socket:
    """Connect; raise a CannotConnect."""
    with contextlib.closing(_Dialling(host, port)) as dialling:
        return await dialling.attempt(DEADLINE)


async def dial_public(host: str, port: int) -> socket.socket:
    """Connect to a public address of a host, if it has one; raise a CannotConnect.

    The address that was checked is the one that is connected to: no second answer of a name
    server can lead elsewhere.
    """
    with contextlib.closing(_Dialling(host, port, may_reach=is_public)) as dialling:
        return await dialling.attempt(DEADLINE)


async def dial_patiently(host: str, port: int) -> socket.socket:
    """Connect as soon as anything answers, however long that takes.

    Raises a CannotConnect when something answers, but not as it should. A try costs a packet
    or two and no login, so that no growing pause is needed between them.
    """
    with contextlib.closing(_Dialling(host, port)) as dialling:
        while True:
            with contextlib.suppress(Unreachable):
                return await dialling.attempt(TRY)
            await asyncio.sleep(random.uniform(PAUSE / 2, PAUSE))


class _Dialling:
    """Tries to reach a server."""

    def __init__(
        self, host: str, port: int, may_reach: Callable[[str], bool] | None = None
    ) -> None:
        self._host = host
        self._port = port
        self._may_reach = may_reach
        self._resolving: asyncio.Future[Any] | None = None

    async def attempt(self, seconds: float) -> socket.socket:
        """Connect within so many seconds; raise a CannotConnect."""
        try:
            async with asyncio.timeout(seconds):
                connected = await start_connection(
                    await self._addresses(),
                    happy_eyeballs_delay=HAPPY_EYEBALLS_DELAY,
                    interleave=1,
                    loop=asyncio.get_running_loop(),
                )
        except (OSError, ValueError) as error:
            raise _dial_error(error) from error
        tune(connected)
        return connected

    def close(self) -> None:
        """Wait for no answer any more."""
        if self._resolving is not None:
            self._resolving.cancel()

    async def _addresses(self) -> list[AddrInfoType]:
        """Return the addresses of the server.

        A question to a name server occupies a thread for as long as that is silent, whoever
        gives up waiting: a later try waits for the same answer.
        """
        if self._resolving is None:
            loop = asyncio.get_running_loop()
            self._resolving = asyncio.ensure_future(
                loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            )
        await asyncio.wait([self._resolving])
        resolved, self._resolving = self._resolving, None
        found = list(resolved.result())
        if self._may_reach is None:
            return found
        allowed = [it for it in found if self._may_reach(str(it[4][0]))]
        if not allowed:
            raise OSError("the name has no public address")
        return allowed


def _dial_error(error: Exception) -> CannotConnect:
    match error:
        case socket.gaierror(errno=socket.EAI_AGAIN):
            return Unreachable("no name server answers")
        case socket.gaierror() | ValueError():
            return HostNotFound("the name has no address")
        case ConnectionRefusedError():
            return PortRefused("nothing listens at the port")
        case TimeoutError():
            return ConnectTimeout("no answer")
        case _:
            return Unreachable(str(error))


def tune(connected: socket.socket) -> None:
    """Let the system find a dead peer in minutes (RFC 9293 3.8.4), where it can."""
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    options = _KEEPALIVE | {"TCP_USER_TIMEOUT": _USER_TIMEOUT}
    for name, value in options.items():
        if (option := getattr(socket, name, None)) is not None:
            with contextlib.suppress(OSError):
                connected.setsockopt(socket.IPPROTO_TCP, option, value)
