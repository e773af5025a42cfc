"""One connection to a server: connect, encrypt, run commands with deadlines, log out.

C: A1 NOOP                      send(NOOP, idle=True): two commands in one write
C: A2 IDLE
S: A1 OK done
S: + idling                     only now may DONE be sent (RFC 2177)
S: * 5 EXISTS                   wait_for_unsolicited() returns
C: DONE                         send(UID FETCH): DONE and the command in one write
C: A3 UID FETCH ...
S: A2 OK idle ended
S: * 5 FETCH ...
S: A3 OK fetched
"""

import asyncio
from collections.abc import Callable
import contextlib
from dataclasses import replace
import ssl
from typing import Final

from ..errors import (
    CommandRefused,
    ConnectionLost,
    ImapError,
    ServerSilent,
    StartTlsMissing,
    TlsError,
    TlsNotSpoken,
)
from ..models import Account, Security
from .command import Command, Completion
from .idle import Idle
from .protocol import PushProtocol
from .receiver import SelectedFolder
from .response_codes import starttls_error
from .tcp import (
    ConnectTcp,
    ascii_host,
    connect_tcp,
    connect_tcp_public,
    connect_tcp_retrying,
)
from .tls import (
    certificate_of,
    check_version_and_pin,
    connect_plain,
    connect_tls,
    map_tls_errors,
    start_tls,
    unverified_context,
)
from .unsolicited import UnsolicitedQueue

TLS_DEADLINE_SECONDS: Final = 20.0
GREETING_DEADLINE_SECONDS: Final = 10.0
DONE_DEADLINE_SECONDS: Final = 15.0
LOGOUT_DEADLINE_SECONDS: Final = 2.0


class Connection:
    """A connection to a server after its greeting, encrypted as the account requires."""

    def __init__(self, protocol: PushProtocol, *, pipelines: bool = True) -> None:
        """Use a connected protocol."""
        self._protocol = protocol
        # RFC 3501 5.5. Off: each command waits for the answer to the one before it.
        self._pipelines = pipelines
        # The commands of the last write that had several, or DONE.
        self._sent: tuple[Command, ...] = ()
        self._idle: Idle | None = None  # sent, and not yet ended with DONE
        self._ended: Idle | None = (
            None  # the last one that was ended, or was to be ended
        )

    @classmethod
    async def open(
        cls,
        account: Account,
        on_alert: Callable[[str], None] | None = None,
        *,
        pipelines: bool = True,
        retry: bool = False,
        public_only: bool = False,
    ) -> Connection:
        """Connect, read the greeting and encrypt; raise an ImapError.

        `pipelines`: send several commands in one write. `retry`: try again without a limit until
        the server can be reached. `public_only`: never connect to an address in the user's own
        network. `on_alert` is called with the text of each ALERT (RFC 3501 7.1); with STARTTLS,
        only of those received after the handshake.
        """
        account = replace(account, host=ascii_host(account.host))
        connect: ConnectTcp = connect_tcp
        if retry:
            connect = connect_tcp_retrying
        elif public_only:
            connect = connect_tcp_public
        protocol = await _connect(account, connect)
        connection = cls(protocol, pipelines=pipelines)
        try:
            if account.security is Security.STARTTLS:
                await connection._greet()
                await connection._start_tls(account, _tls_context(account))
                protocol.listen(on_alert)  # Not earlier: plain text can be forged.
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
        """Return the server's capabilities, upper case."""
        return self._protocol.receiver.capabilities

    @property
    def is_open(self) -> bool:
        """Return True unless the connection is known to have ended."""
        return self._protocol.error is None

    @property
    def is_authenticated(self) -> bool:
        """Return whether the server greeted with PREAUTH (RFC 3501 7.1.4)."""
        greeting = self._protocol.greeting
        return greeting.done() and greeting.result().status == "PREAUTH"

    @property
    def greeting(self) -> str:
        """Return the text of the greeting, which names the software of many servers."""
        return self._protocol.greeting.result().text

    @property
    def certificate(self) -> bytes:
        """Return the server's certificate (DER); b"" without TLS."""
        return certificate_of(self._protocol.transport)

    @property
    def is_encrypted(self) -> bool:
        """Return whether TLS is in use."""
        return self._protocol.transport.get_extra_info("ssl_object") is not None

    async def ask_capabilities(self) -> None:
        """Send CAPABILITY unless the server has already sent its capabilities."""
        if not self.capabilities:
            await self.run(Command("CAPABILITY"))

    def forget_capabilities(self) -> None:
        """Forget the capabilities: logging in changes them (RFC 3501 6.2)."""
        self._protocol.receiver.forget_capabilities()

    @property
    def unsolicited(self) -> UnsolicitedQueue:
        """Return the queue of responses that belong to no command (RFC 3501 7)."""
        return self._protocol.unsolicited

    @property
    def selected(self) -> SelectedFolder:
        """Return the folder that is selected, as far as the responses show."""
        return self._protocol.receiver.selected

    @property
    def pipelining_failed(self) -> bool:
        """Return whether the server seems to fail on several commands in one write.

        Some do: Stalwart before 0.10 drops what follows DONE (stalwart#765), Twisted stops
        answering (twisted#9282). A bad network looks the same, so the caller sends one command
        at a time for one session only.
        """
        if not self._pipelines:
            return False
        if self._protocol.error is not None:
            return any(map(_is_unanswered, self._sent))
        # All but the first answered with BAD. A single one may have another reason.
        return len(self._sent) > 2 and all(map(_is_bad, self._sent[1:]))

    def stop_pipelining(self) -> None:
        """Send one command at a time from now on."""
        self._pipelines = False

    @property
    def idle_is_refused(self) -> bool:
        """Return True if the server refused the last IDLE instead of sending `+`."""
        idle = self._idle
        if idle is None or idle.is_accepted or not idle.command.is_done:
            return False
        return isinstance(idle.command.error, CommandRefused)

    @property
    def has_idle(self) -> bool:
        """Return whether IDLE was sent in the last write."""
        return self._idle is not None

    @property
    def idle_is_over(self) -> bool:
        """Return True if the server ended the last IDLE before we sent DONE."""
        return self._idle is not None and self._idle.command.is_done

    @property
    def idle_is_unanswered(self) -> bool:
        """Return whether the last IDLE got no `+`, or no answer to DONE."""
        return self._ended is not None and not self._ended.command.is_answered

    async def send(self, *commands: Command, idle: bool = False) -> None:
        """Send commands, then IDLE if requested (RFC 2177); first end an active IDLE.

        All commands are in one write, except for servers that do not support pipelining: there
        each command waits for the answer to the one before it.
        """
        ended = self._idle
        done = await self._end_of_idle()
        self._protocol.receiver.release()
        if idle:
            self._idle = Idle(self._protocol.unsolicited)
            commands = (*commands, self._idle.command)
        self._sent = commands if done or len(commands) > 1 else ()
        if self._pipelines:
            self._protocol.start(*commands, before=done)
            return
        self._protocol.start(before=done)
        if ended is not None:
            await ended.command.wait_until_done()
        await self._send_one_by_one(commands)

    async def _send_one_by_one(self, commands: tuple[Command, ...]) -> None:
        refusal: BaseException | None = None  # of the last SELECT or EXAMINE
        for command in commands:
            if refusal is not None and command.needs_folder:
                command.fail(refusal)
                continue
            self._protocol.start(command)
            if command.name == "IDLE":
                return
            await command.wait_until_done()
            if command.opens is not None:
                refusal = command.error

    def start(self, command: Command) -> None:
        """Send a command without waiting; the caller answers its challenges with `reply`."""
        self._protocol.start(command)

    def reply(self, octets: bytes) -> None:
        """Send a line after the server's `+`; raise the error that ended the connection."""
        self.raise_error()
        self._protocol.transport.write(octets + b"\r\n")

    async def run(self, *commands: Command) -> list[Completion]:
        """Send commands and wait for all; raise the first failure."""
        await self.send(*commands)
        return [await command.wait() for command in commands]

    async def wait_for_unsolicited(self, seconds: float) -> None:
        """Wait for an unsolicited response, for the end of IDLE, or until the time is over.

        Raises the error that ended the connection.
        """
        self.raise_error()
        await self.unsolicited.wait(seconds)
        self.raise_error()

    async def _end_of_idle(self) -> bytes:
        """Return DONE if an IDLE is active, else b"". The caller must send it."""
        idle = self._idle
        if idle is None or not idle.command.tag:
            return b""  # Without a tag IDLE was never sent: `send` was cancelled.
        self._ended = idle
        # DONE may be sent only after `+`, and no command before DONE (RFC 2177).
        await idle.wait_for_answer()
        self._idle = None
        if idle.command.is_done:
            return b""
        idle.command.started = self._protocol.loop.time()
        idle.command.deadline = DONE_DEADLINE_SECONDS
        return b"DONE\r\n"

    def release(self) -> None:
        """Release the memory of all answers that the caller has processed."""
        self._sent = tuple(command for command in self._sent if not command.is_done)
        self._protocol.receiver.release()

    async def close(self) -> None:
        """Log out and close; wait at most LOGOUT_DEADLINE_SECONDS for the answer."""
        try:
            if self._protocol.error is None:
                self._protocol.expect_bye()
                with contextlib.suppress(ImapError, TimeoutError):
                    async with asyncio.timeout(LOGOUT_DEADLINE_SECONDS):
                        command = Command("LOGOUT")
                        done = await self._end_of_idle()
                        self._protocol.start(command, before=done)
                        await command.wait()
        finally:
            self.abort()

    def abort(self) -> None:
        """Close without LOGOUT."""
        self._protocol.fail(ConnectionLost("closed by us"))

    async def _greet(self) -> None:
        try:
            async with asyncio.timeout(GREETING_DEADLINE_SECONDS):
                await self._protocol.greeting
        except TimeoutError as error:
            raise ServerSilent("no greeting") from error
        self.raise_error()
        await self.ask_capabilities()

    def raise_error(self) -> None:
        """Raise the error that ended the connection, if it has ended."""
        if self._protocol.error is not None:
            raise self._protocol.error

    async def start_unverified_tls(self, account: Account) -> None:
        """Start TLS without checking the certificate: better than plain text (RFC 7435)."""
        await self._start_tls(account, unverified_context())
        await self.ask_capabilities()

    async def _start_tls(self, account: Account, context: ssl.SSLContext) -> None:
        # STARTTLS is not allowed in the authenticated state (RFC 9051 6.2.1).
        if self.is_authenticated or "STARTTLS" not in self.capabilities:
            raise StartTlsMissing("the server does not offer STARTTLS")
        command = Command("STARTTLS")
        await self.run(command)
        protocol = self._protocol
        self.raise_error()
        try:
            with map_tls_errors():
                async with asyncio.timeout(TLS_DEADLINE_SECONDS):
                    await start_tls(protocol, protocol.transport, context, account.host)
        except TlsNotSpoken as error:
            raise starttls_error(command.tag, error.plain_text) from error
        self.raise_error()
        check_version_and_pin(protocol.transport, account.fingerprint)


def _is_bad(command: Command) -> bool:
    """Return whether a command was answered with BAD."""
    error = command.error if command.is_done else None
    return isinstance(error, CommandRefused) and error.status == "BAD"


def _is_unanswered(command: Command) -> bool:
    """Return whether a command of a connection that has ended got no answer."""
    # `+` answers IDLE and removes its deadline.
    return command.deadline is not None and not command.is_answered


async def _connect(account: Account, connect: ConnectTcp) -> PushProtocol:
    loop = asyncio.get_running_loop()
    is_tls = account.security is Security.TLS
    context = _tls_context(account) if is_tls else None
    connected = await connect(account.host, account.port)
    protocol = PushProtocol(loop, account.receive_budget)
    try:
        with map_tls_errors():
            async with asyncio.timeout(TLS_DEADLINE_SECONDS):
                if context is not None:
                    await connect_tls(protocol, connected, context, account.host)
                    check_version_and_pin(protocol.transport, account.fingerprint)
                else:
                    await connect_plain(protocol, connected)
    except BaseException:
        # Abort the transport first: if its socket is closed earlier, the event loop refuses to
        # watch the next socket that gets the same file descriptor.
        protocol.fail(ConnectionLost("closed by us"))
        connected.close()
        raise
    return protocol


def _tls_context(account: Account) -> ssl.SSLContext:
    """Return the account's TLS context; with a fingerprint, one that accepts any certificate.

    Raises TlsError if there is neither: never fall back to plain text.
    """
    if account.fingerprint is not None:
        return unverified_context()  # check_version_and_pin compares the fingerprint.
    if account.ssl_context is None:
        raise TlsError("no TLS context")
    return account.ssl_context
