"""One connection: opened, encrypted, used with deadlines, and left politely."""

import asyncio
from collections.abc import Callable, Iterator
import contextlib
import logging
import socket
import ssl
from typing import Final, cast

from .errors import (
    CannotConnect,
    CertificateError,
    CertificateProblem,
    CommandRefused,
    ConnectionLost,
    ConnectTimeout,
    HostNotFound,
    ImapError,
    PortRefused,
    ServerSilent,
    StartTlsMissing,
    TlsError,
    TlsNotSpoken,
)
from .models import Account, Security
from .protocol import Command, Completion, PushProtocol

_LOGGER = logging.getLogger(__name__)

# Seconds
CONNECT_DEADLINE: Final = 20.0
GREETING_DEADLINE: Final = 10.0
DONE_DEADLINE: Final = 15.0
LOGOUT_DEADLINE: Final = 2.0
HAPPY_EYEBALLS_DELAY: Final = 0.25

# A dead peer is found two minutes after the last byte: probes after 60 s, every 20 s, three.
_KEEPALIVE: Final = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 20, "TCP_KEEPCNT": 3}
_USER_TIMEOUT: Final = 60_000  # milliseconds that sent data may stay unacknowledged

# OpenSSL's verification results (X509_V_ERR_*), as SSLCertVerificationError.verify_code.
_EXPIRED: Final = frozenset({9, 10})
_WRONG_HOST: Final = frozenset({62, 64})
# What OpenSSL says of an answer that is not TLS at all.
_NOT_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST"}
)


class Connection:
    """A connection to a server that has greeted, encrypted as the account wants it."""

    def __init__(self, protocol: PushProtocol) -> None:
        """Use a protocol that is connected."""
        self._protocol = protocol
        self._idle: _Idle | None = None  # sent, and not ended by us

    @classmethod
    async def open(
        cls, account: Account, on_alert: Callable[[str], None] | None = None
    ) -> Connection:
        """Connect, take the greeting and encrypt; raise a CannotConnect."""
        protocol = await _connect(account)
        protocol.on_alert = on_alert
        connection = cls(protocol)
        try:
            await connection._greet()
            if account.security is Security.STARTTLS:
                await connection._start_tls(account)
        except BaseException:
            connection.abort()
            raise
        return connection

    @property
    def capabilities(self) -> frozenset[str]:
        """Return what the server offers, upper case."""
        return frozenset(self._protocol.capabilities)

    async def ask_capabilities(self) -> None:
        """Ask for the capabilities unless the server told them by itself."""
        if not self._protocol.capabilities:
            await self.run(Command("CAPABILITY"))

    def forget_capabilities(self) -> None:
        """Forget the capabilities: logging in changes them (RFC 3501 6.2)."""
        self._protocol.capabilities = set()

    def start(self, *commands: Command) -> None:
        """Send commands in one write."""
        self._protocol.start(*commands)

    async def run(self, *commands: Command) -> list[Completion]:
        """Send commands in one write and wait for all; raise the first failure."""
        self._protocol.start(*commands)
        return [await command.wait() for command in commands]

    def expect_news(self) -> None:
        """Take what is told from now on as news: what came before is about to be read."""
        self._protocol.changed = False

    async def wait_for_news(self, seconds: float) -> None:
        """Wait until the server tells of a change by itself, or the time is over."""
        await self._protocol.wait_for_change(seconds)

    async def idle(self, seconds: float) -> bool:
        """IDLE for news, at most so long; return if there was any (RFC 2177)."""
        self._idle = idle = _Idle()
        # A server that refuses IDLE, or ends it by itself, must not leave us waiting.
        idle.command.completed.add_done_callback(lambda _: self._protocol.wake())
        self._protocol.start(idle.command)
        await idle.settled()
        if not idle.command.completed.done():
            await self._protocol.wait_for_change(seconds)
        self._protocol.start(before=self._end_of_idle())
        try:
            await idle.command.wait()
        except CommandRefused:
            # A server that ends an IDLE of its own accord has not refused it.
            if not idle.accepted:
                raise
        return self._protocol.changed

    def _end_of_idle(self) -> bytes:
        """Return the DONE that has to come first if IDLE is under way; it is sent only once."""
        idle, self._idle = self._idle, None
        if idle is None or idle.command.completed.done():
            return b""
        idle.command.started = self._protocol.loop.time()
        idle.command.deadline = DONE_DEADLINE
        return b"DONE\r\n"

    async def close(self) -> None:
        """Log out and close; a server that does not answer is left at once."""
        try:
            if self._protocol.error is None:
                self._protocol.leaving()
                with contextlib.suppress(ImapError, TimeoutError):
                    async with asyncio.timeout(LOGOUT_DEADLINE):
                        await self._log_out()
        finally:
            self.abort()

    async def _log_out(self) -> None:
        if self._idle is not None:
            await self._idle.settled()
        command = Command("LOGOUT")
        self._protocol.start(command, before=self._end_of_idle())
        await command.wait()

    def abort(self) -> None:
        """Close without a word."""
        self._protocol.fail(ConnectionLost("closed by us"))

    async def _greet(self) -> None:
        try:
            async with asyncio.timeout(GREETING_DEADLINE):
                await self._protocol.greeting
        except TimeoutError as error:
            raise ServerSilent("no greeting") from error
        self._raise_error()
        await self.ask_capabilities()

    def _raise_error(self) -> None:
        """Raise what ended the connection, if anything did."""
        if self._protocol.error is not None:
            raise self._protocol.error

    async def _start_tls(self, account: Account) -> None:
        context = _tls_context(account)
        if "STARTTLS" not in self.capabilities:
            raise StartTlsMissing("the server does not offer STARTTLS")
        await self.run(Command("STARTTLS"))
        protocol = self._protocol
        self._raise_error()
        with _connect_errors():
            async with asyncio.timeout(CONNECT_DEADLINE):
                transport = await protocol.loop.start_tls(
                    protocol.transport,
                    protocol,
                    context,
                    server_hostname=account.host,
                )
        self._raise_error()
        if transport is None:
            raise ConnectionLost("the connection was closed")
        protocol.secured(transport)
        await self.ask_capabilities()


class _Idle:
    """An IDLE command, and whether the server has answered it yet with `+` or a refusal."""

    def __init__(self) -> None:
        self.command = Command("IDLE", continuation=self._accept)
        self.accepted = False
        self._settled = asyncio.Event()
        self.command.completed.add_done_callback(lambda _: self._settled.set())

    async def settled(self) -> None:
        """Wait for the server's first answer; DONE may be sent only after it."""
        await self._settled.wait()

    def _accept(self, _text: bytes) -> None:
        self.command.deadline = None
        self.accepted = True
        self._settled.set()


async def _connect(account: Account) -> PushProtocol:
    # `all_errors` is missing in the type of the abstract loop.
    loop = cast(asyncio.BaseEventLoop, asyncio.get_running_loop())
    context = _tls_context(account) if account.security is Security.TLS else None
    with _connect_errors():
        async with asyncio.timeout(CONNECT_DEADLINE):
            _, protocol = await loop.create_connection(
                lambda: PushProtocol(loop),
                account.host,
                account.port,
                ssl=context,
                happy_eyeballs_delay=HAPPY_EYEBALLS_DELAY,
                all_errors=True,
            )
    _tune(protocol.transport.get_extra_info("socket"))
    return protocol


def _tls_context(account: Account) -> ssl.SSLContext:
    """Return the account's TLS context: without one there is no connection, not one in plain."""
    if account.ssl_context is None:
        raise TlsError("no TLS context")
    return account.ssl_context


@contextlib.contextmanager
def _connect_errors() -> Iterator[None]:
    """Turn what connecting can raise into our errors."""
    try:
        yield
    except ExceptionGroup as group:
        error = group.exceptions[0]
        raise _connect_error(error) from error
    except (OSError, ValueError) as error:
        raise _connect_error(error) from error


def _connect_error(error: Exception) -> CannotConnect:
    match error:
        case ssl.SSLCertVerificationError():
            return CertificateError(
                _certificate_problem(error.verify_code), error.verify_message
            )
        case ssl.SSLError() if error.reason in _NOT_TLS:
            return TlsNotSpoken("the server does not speak TLS at this port")
        case ssl.SSLError():
            return TlsError(error.reason or str(error))
        case socket.gaierror() | ValueError():
            return HostNotFound("the name has no address")
        case ConnectionRefusedError():
            return PortRefused("nothing listens at the port")
        case TimeoutError():
            return ConnectTimeout("no answer")
        case _:
            return CannotConnect(str(error))


def _certificate_problem(verify_code: int) -> CertificateProblem:
    if verify_code in _EXPIRED:
        return CertificateProblem.EXPIRED
    if verify_code in _WRONG_HOST:
        return CertificateProblem.WRONG_HOST
    return CertificateProblem.UNTRUSTED


def _tune(sock: socket.socket) -> None:
    """Let the system find a dead peer in minutes (RFC 9293 3.8.4), where it can."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    options = _KEEPALIVE | {"TCP_USER_TIMEOUT": _USER_TIMEOUT}
    for name, value in options.items():
        if (option := getattr(socket, name, None)) is not None:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, option, value)
