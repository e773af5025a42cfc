"""TCP connections: Happy Eyeballs (RFC 8305), retries, keepalive, public addresses only."""

import asyncio
from collections.abc import Awaitable, Callable
import contextlib
from ipaddress import IPv4Address, IPv6Network, ip_address
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

# Returns a socket connected to host and port.
type ConnectTcp = Callable[[str, int], Awaitable[socket.socket]]

CONNECT_DEADLINE_SECONDS: Final = 15.0
HAPPY_EYEBALLS_DELAY_SECONDS: Final = 0.25
# With retries an attempt is short: the kernel repeats a lost SYN after 1, 3, 7 and 15 seconds,
# and mail must not wait for that after the network works again.
RETRY_DEADLINE_SECONDS: Final = 3.0
RETRY_PAUSE_SECONDS: Final = 1.5

# A dead peer is detected two minutes after the last byte: after 60 s, three probes 20 s apart.
_KEEPALIVE: Final = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 20, "TCP_KEEPCNT": 3}
_USER_TIMEOUT: Final = 60_000  # milliseconds that sent data may stay unacknowledged
# With this option Linux acknowledges data immediately instead of after 40 ms: some servers
# (Cyrus for example) do not send the next segment of an answer before the acknowledgement.
_QUICKACK: Final = getattr(socket, "TCP_QUICKACK", None)

# Global unicast (RFC 4291 2.4): other IPv6 addresses are local, reserved or multicast.
_UNICAST: Final = IPv6Network("2000::/3")
# A translator turns these into the IPv4 address in their last 32 bits (RFC 6052 2.1).
_NAT64: Final = IPv6Network("64:ff9b::/96")


def ascii_host(host: str) -> str:
    """Return a host name in ASCII (IDNA 2008), as in DNS and certificates; raise HostNotFound.

    Python's "idna" codec is IDNA 2003, which turns `ß` into `ss`: the domain of another owner.
    """
    if host.isascii():
        return host
    try:
        return idna.encode(host, uts46=True).decode()
    except UnicodeError as error:
        raise HostNotFound("this is not a valid host name") from error


def is_public(text: str) -> bool:
    """Return True if an address, as getaddrinfo writes it, is reachable on the internet.

    An IPv6 address that represents an IPv4 address is as public as that one (IPv4-mapped,
    NAT64). 6to4 and Teredo addresses are not public: ipaddress counts them as private.
    """
    address = ip_address(text)
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast
    if address.ipv4_mapped is not None:
        return is_public(str(address.ipv4_mapped))
    if address in _NAT64:
        return is_public(str(IPv4Address(int(address) & 0xFFFFFFFF)))
    return address.is_global and address in _UNICAST


async def connect_tcp(host: str, port: int) -> socket.socket:
    """Return a connected socket; raise a CannotConnect."""
    with contextlib.closing(_Connector(host, port)) as connector:
        return await connector.attempt(CONNECT_DEADLINE_SECONDS)


async def connect_tcp_public(host: str, port: int) -> socket.socket:
    """Return a socket connected to a public address of a host; raise a CannotConnect.

    The checked address itself is used, so a second DNS answer cannot redirect the connection
    (DNS rebinding).
    """
    with contextlib.closing(_Connector(host, port, is_public_only=True)) as connector:
        return await connector.attempt(CONNECT_DEADLINE_SECONDS)


async def connect_tcp_retrying(host: str, port: int) -> socket.socket:
    """Return a connected socket; retry without a limit while the host is Unreachable.

    Raises any other CannotConnect. An attempt costs one or two packets and no login, so the
    pause between attempts does not need to grow.
    """
    with contextlib.closing(_Connector(host, port)) as connector:
        while True:
            with contextlib.suppress(Unreachable):
                return await connector.attempt(RETRY_DEADLINE_SECONDS)
            await asyncio.sleep(
                random.uniform(RETRY_PAUSE_SECONDS / 2, RETRY_PAUSE_SECONDS)
            )


class _Connector:
    """Connection attempts to one server that share a DNS lookup."""

    def __init__(self, host: str, port: int, *, is_public_only: bool = False) -> None:
        self._host = host
        self._port = port
        self._is_public_only = is_public_only
        self._resolving: asyncio.Future[Any] | None = None

    async def attempt(self, seconds: float) -> socket.socket:
        """Return a connected socket within this time; raise a CannotConnect."""
        try:
            async with asyncio.timeout(seconds):
                connected = await start_connection(
                    await self._addresses(),
                    happy_eyeballs_delay=HAPPY_EYEBALLS_DELAY_SECONDS,
                    interleave=1,
                    loop=asyncio.get_running_loop(),
                )
        except (OSError, ValueError) as error:
            raise _tcp_error(error) from error
        set_socket_options(connected)
        return connected

    def close(self) -> None:
        """Cancel the DNS lookup."""
        if self._resolving is not None:
            self._resolving.cancel()

    async def _addresses(self) -> list[AddrInfoType]:
        # A DNS lookup occupies a thread until it ends, even if the attempt that started it has
        # timed out. So the next attempt waits for the same lookup.
        if self._resolving is None:
            loop = asyncio.get_running_loop()
            self._resolving = asyncio.ensure_future(
                loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
            )
        await asyncio.wait([self._resolving])
        resolved, self._resolving = self._resolving, None
        found = list(resolved.result())
        if not self._is_public_only:
            return found
        allowed = [info for info in found if is_public(str(info[4][0]))]
        if not allowed:
            raise OSError("the name has no public address")
        return allowed


def _tcp_error(error: Exception) -> CannotConnect:
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


def set_socket_options(connected: socket.socket) -> None:
    """Set TCP options, as far as supported, so that a dead peer is detected in minutes.

    Keepalive: RFC 9293 3.8.4. User timeout: RFC 5482.
    """
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    options = _KEEPALIVE | {"TCP_USER_TIMEOUT": _USER_TIMEOUT}
    for name, value in options.items():
        if (option := getattr(socket, name, None)) is not None:
            with contextlib.suppress(OSError):
                connected.setsockopt(socket.IPPROTO_TCP, option, value)


def acknowledge_now(connected: socket.socket) -> None:
    """Acknowledge what was read. After every read: Linux resets the option itself (tcp(7))."""
    if _QUICKACK is not None:
        with contextlib.suppress(OSError):
            connected.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
