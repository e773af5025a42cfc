"""One connection: opened, encrypted, used with deadlines, and left politely."""

import asyncio
from collections.abc import Callable, Iterator
import contextlib
from dataclasses import replace
import ssl
from typing import Final

from ..errors import (
    CannotConnect,
    CertificateError,
    CertificateProblem,
    CommandRefused,
    ConnectionLost,
    ImapError,
    PlainTextInjected,
    ServerSilent,
    StartTlsMissing,
    TlsError,
    TlsNotSpoken,
    TlsTooOld,
)
from ..models import Account, Security
from .command import Command, Completion
from .pipelining import Pipelining, Write
from .protocol import PushProtocol
from .tcp import Dial, ascii_host, dial, dial_patiently, dial_public
from .tls import (
    certificate_of,
    check_agreed,
    connect_plain,
    connect_tls,
    start_tls,
    unverified_context,
)
from .unsolicited import UnsolicitedQueue

# Seconds
TLS_DEADLINE: Final = 20.0
GREETING_DEADLINE: Final = 10.0
DONE_DEADLINE: Final = 15.0
LOGOUT_DEADLINE: Final = 2.0

# OpenSSL's verification results (X509_V_ERR_*), as SSLCertVerificationError.verify_code.
_EXPIRED: Final = frozenset({9, 10})
_WRONG_HOST: Final = frozenset({62, 64})
# What OpenSSL says of an answer that is not TLS at all.
_NOT_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST"}
)
# What it says where the other side knows no version of TLS that we allow.
_TOO_OLD: Final = frozenset(
    {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE"}
)


class Connection:
    """A connection to a server that has greeted, encrypted as the account wants it."""

    def __init__(self, protocol: PushProtocol, pipelining: Pipelining) -> None:
        """Use a protocol that is connected."""
        self._protocol = protocol
        self._pipelining = pipelining
        self._is_serial = False  # how the last write of several commands went out
        self._write = Write.PLAIN  # the kind of the last write of several commands
        self._sent: tuple[Command, ...] = ()  # in it, unless another came behind it
        self._idle: _Idle | None = None  # sent, and not ended by us

    @classmethod
    async def open(
        cls,
        account: Account,
        on_alert: Callable[[str], None] | None = None,
        pipelining: Pipelining | None = None,
        *,
        patiently: bool = False,
        public_only: bool = False,
    ) -> Connection:
        """Connect, take the greeting and encrypt; raise a CannotConnect.

        `patiently`: as soon as anything answers, however long that takes. `public_only`: to no
        address in the user's own network.
        """
        account = replace(account, host=ascii_host(account.host))
        connect = dial_patiently if patiently else dial_public if public_only else dial
        protocol = await _connect(account, connect)
        connection = cls(protocol, pipelining or Pipelining())
        try:
            if account.security is Security.STARTTLS:
                await connection._greet()
                await connection._start_tls(account, _tls_context(account))
                protocol.listen(on_alert)  # Before, anybody could have said it.
                await connection.ask_capabilities()
            else:
                protocol.listen(on_alert)
                await connection._greet()
        except BaseException:
            connection.abort()
            raise
        return connection

    @property
    def capabilities(self) -> frozenset[str]:
        """Return what the server offers, upper case."""
        return frozenset(self._protocol.capabilities)

    @property
    def is_open(self) -> bool:
        """Return if nothing is known to have ended the connection."""
        return self._protocol.error is None

    @property
    def is_authenticated(self) -> bool:
        """Return if the server greeted with PREAUTH."""
        greeting = self._protocol.greeting
        return greeting.done() and greeting.result().status == "PREAUTH"

    @property
    def certificate(self) -> bytes:
        """Return the server's certificate (DER); b"" without TLS."""
        return certificate_of(self._protocol.transport)

    @property
    def is_encrypted(self) -> bool:
        """Return if TLS is in use."""
        return self._protocol.transport.get_extra_info("ssl_object") is not None

    async def ask_capabilities(self) -> None:
        """Ask for the capabilities unless the server told them by itself."""
        if not self._protocol.capabilities:
            await self.run(Command("CAPABILITY"))

    def forget_capabilities(self) -> None:
        """Forget the capabilities: logging in changes them (RFC 3501 6.2)."""
        self._protocol.capabilities = set()

    @property
    def news(self) -> UnsolicitedQueue:
        """Return what the server tells unasked."""
        return self._protocol.news

    @property
    def is_in_doubt(self) -> bool:
        """Return if commands that were sent together have no answer, or one that none should have."""
        for command in self._sent:
            if command.opens_folder and _is_refused(command):
                return False  # All that came behind it was about no folder.
            if _is_in_doubt(command):
                return True
        return False

    @property
    def idle_is_refused(self) -> bool:
        """Return if the server refused to begin the IDLE that was sent last."""
        idle = self._idle
        if idle is None or idle.accepted or not idle.command.is_done:
            return False
        return isinstance(idle.command.error, CommandRefused)

    @property
    def idle_is_over(self) -> bool:
        """Return if the server ended the IDLE that was sent last, though we did not."""
        return self._idle is not None and self._idle.command.is_done

    async def send(self, *commands: Command, idle: bool = False) -> None:
        """Send commands, and IDLE behind them (RFC 2177); an IDLE under way is ended first.

        All goes out in one write, or one after the other where a server does not stand that.
        """
        ended = self._idle
        done = await self._end_of_idle()
        self._protocol.release()
        if idle:
            self._idle = _Idle(self._protocol.news.wake)
            commands = (*commands, self._idle.command)
        self._sent = commands if done or len(commands) > 1 else ()
        if self._sent:
            self._write = Write.BEHIND_DONE if done else Write.PLAIN
            self._is_serial = not self._pipelining.is_on
        if self._pipelining.is_on:
            self._protocol.start(*commands, before=done)
            return
        self._protocol.start(before=done)
        if ended is not None:
            await ended.command.settled()
        await self._send_one_by_one(commands)

    async def _send_one_by_one(self, commands: tuple[Command, ...]) -> None:
        refusal: BaseException | None = None  # of the folder that should be open
        for command in commands:
            if refusal is not None and command.needs_folder:
                command.fail(refusal)
                continue
            self._protocol.start(command)
            if command.name == "IDLE":
                return
            await command.settled()
            if command.opens_folder:
                refusal = command.error

    def start(self, command: Command) -> None:
        """Send a command whose challenges the caller answers with `reply`, without waiting."""
        self._protocol.start(command)

    def reply(self, octets: bytes) -> None:
        """Send a line to a server that has asked for it by a `+`; raise what ended it all."""
        self._raise_error()
        self._protocol.transport.write(octets + b"\r\n")

    async def run(self, *commands: Command) -> list[Completion]:
        """Send commands and wait for all; raise the first failure."""
        await self.send(*commands)
        return [await command.wait() for command in commands]

    async def wait_for_news(self, seconds: float) -> None:
        """Wait until there are news, IDLE is over, or the time is; raise what ended it all."""
        self._raise_error()
        await self.news.wait(seconds)
        self._raise_error()

    async def _end_of_idle(self) -> bytes:
        """Return the DONE that has to come first if IDLE is under way; it is sent only once."""
        idle = self._idle
        if idle is None or not idle.command.tag:
            return b""  # None was sent: whoever sent commands one by one was cancelled.
        # DONE may be sent only after `+` (RFC 2177), and nothing else before it.
        await idle.settled()
        self._idle = None
        if idle.command.is_done:
            return b""
        idle.command.started = self._protocol.loop.time()
        idle.command.deadline = DONE_DEADLINE
        return b"DONE\r\n"

    def answered(self) -> None:
        """Note that all that was sent is answered."""
        self._pipelining.worked(self._write, is_serial=self._is_serial)

    def release(self) -> None:
        """Let go of all answers: they are read."""
        self._sent = tuple(command for command in self._sent if not command.is_done)
        self._protocol.release()

    async def close(self) -> None:
        """Log out and close; a server that does not answer is left at once."""
        try:
            if self.is_in_doubt:
                self._pipelining.failed(self._write, is_serial=self._is_serial)
            if self._protocol.error is None:
                self._protocol.leaving()
                with contextlib.suppress(ImapError, TimeoutError):
                    async with asyncio.timeout(LOGOUT_DEADLINE):
                        await self._log_out()
        finally:
            self.abort()

    async def _log_out(self) -> None:
        command = Command("LOGOUT")
        self._protocol.start(command, before=await self._end_of_idle())
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

    async def start_unverified_tls(self, account: Account) -> None:
        """Encrypt an account that is set up without TLS: better than plain text (RFC 7435)."""
        await self._start_tls(account, unverified_context())
        await self.ask_capabilities()

    async def _start_tls(self, account: Account, context: ssl.SSLContext) -> None:
        # A server that knows us already cannot begin TLS any more (RFC 9051 6.2.1).
        if self.is_authenticated or "STARTTLS" not in self.capabilities:
            raise StartTlsMissing("the server does not offer STARTTLS")
        await self.run(Command("STARTTLS"))
        protocol = self._protocol
        self._raise_error()
        try:
            with _tls_errors():
                async with asyncio.timeout(TLS_DEADLINE):
                    await start_tls(protocol, protocol.transport, context, account.host)
        except TlsNotSpoken as error:
            raise PlainTextInjected("plain text instead of a handshake") from error
        self._raise_error()
        check_agreed(protocol.transport, account.fingerprint)


class _Idle:
    """An IDLE command, and whether the server has answered it yet with `+` or a refusal."""

    def __init__(self, on_end: Callable[[], None]) -> None:
        self.command = Command("IDLE", continuation=self._accept)
        self.accepted = False
        self._settled = asyncio.Event()
        self.command.completed.add_done_callback(lambda _: self._settled.set())
        # A server that refuses IDLE, or ends it by itself, must not leave anyone waiting.
        self.command.completed.add_done_callback(lambda _: on_end())

    async def settled(self) -> None:
        """Wait for the server's first answer."""
        await self._settled.wait()

    def _accept(self, _text: bytes) -> None:
        self.command.deadline = None
        self.accepted = True
        self._settled.set()


def _is_refused(command: Command) -> bool:
    """Return if a command was answered with NO."""
    if not command.is_done:
        return False
    error = command.error
    return isinstance(error, CommandRefused) and error.status == "NO"


def _is_in_doubt(command: Command) -> bool:
    """Return if a command has no answer yet, or one that it should not have."""
    if not command.is_done:
        # IDLE is answered by its `+`, which takes its deadline away.
        return command.deadline is not None
    return command.error is not None and not _is_refused(command)


async def _connect(account: Account, connect: Dial) -> PushProtocol:
    loop = asyncio.get_running_loop()
    is_tls = account.security is Security.TLS
    context = _tls_context(account) if is_tls else None
    connected = await connect(account.host, account.port)
    protocol = PushProtocol(loop, account.receive_budget)
    try:
        with _tls_errors():
            async with asyncio.timeout(TLS_DEADLINE):
                if context is not None:
                    await connect_tls(protocol, connected, context, account.host)
                    check_agreed(protocol.transport, account.fingerprint)
                else:
                    await connect_plain(protocol, connected)
    except BaseException:
        # A transport whose socket is closed beneath it blocks the number of that socket for all.
        protocol.fail(ConnectionLost("closed by us"))
        connected.close()
        raise
    return protocol


def _tls_context(account: Account) -> ssl.SSLContext:
    """Return the account's TLS context: without one there is no connection, not one in plain."""
    if account.fingerprint is not None:
        return unverified_context()  # The certificate is looked at by ourselves.
    if account.ssl_context is None:
        raise TlsError("no TLS context")
    return account.ssl_context


@contextlib.contextmanager
def _tls_errors() -> Iterator[None]:
    """Turn what encrypting a connection can raise into our errors."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise _tls_error(error) from error


def _tls_error(error: Exception) -> CannotConnect:
    match error:
        case ssl.SSLCertVerificationError():
            return CertificateError(
                _certificate_problem(error.verify_code), error.verify_message
            )
        case ssl.SSLError() if error.reason in _NOT_TLS:
            return TlsNotSpoken("the server does not speak TLS at this port")
        case ssl.SSLError() if error.reason in _TOO_OLD:
            return TlsTooOld("the server knows no TLS that is still safe")
        case ssl.SSLError():
            return TlsError(error.reason or str(error))
        case TimeoutError():
            # Unlike one that does not answer at all, it is not to be asked again and again.
            return TlsError("no handshake in time")
        case ConnectionError():
            return TlsError("the server left in the middle of the handshake")
        case _:
            return CannotConnect(str(error))


def _certificate_problem(verify_code: int) -> CertificateProblem:
    if verify_code in _EXPIRED:
        return CertificateProblem.EXPIRED
    if verify_code in _WRONG_HOST:
        return CertificateProblem.WRONG_HOST
    return CertificateProblem.UNTRUSTED
