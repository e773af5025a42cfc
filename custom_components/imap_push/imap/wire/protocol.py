"""aioimaplib's protocol with another receive path. No other module imports aioimaplib.

Most overrides name the defect of aioimaplib 2.0.3 that they avoid; when upstream fixes it, the
override can be removed. The library's client class is not used: its constructor starts to
connect in a task that is never awaited, and its timeouts leave commands pending.

    bytes -> Framer -> parse_response -> Status (tagged)      completes its Command
                                         Status (untagged)    ALERT, BYE, response codes
                                         Data                 collected by a Command, or unsolicited
                                         Continuation         answered by a Command
"""

import asyncio
from collections import deque
from collections.abc import Callable
import logging
import socket
from typing import Final, override

from aioimaplib import LOGOUT, IMAP4ClientProtocol

from ..errors import (
    CommandRefused,
    ConnectionLost,
    ImapError,
    NotImap,
    ProtocolError,
    ServerLeft,
    ServerSilent,
)
from ..limits import (
    MAX_COLLECTED,
    MAX_CUT,
    MAX_OF_CONNECTION,
    MAX_RESPONSES,
    RESERVED,
    ReadThrottle,
    ReceiveBudget,
    ReceiveQuota,
)
from .command import Command
from .framing import Framed, Framer
from .parser import (
    Continuation,
    Data,
    Status,
    name_of_protocol,
    parse_capabilities,
    parse_response,
    search_tag,
)
from .response_codes import starttls_error, temporary_error, temporary_refusal
from .tcp import acknowledge_now
from .unsolicited import UnsolicitedQueue
from .wire_log import Redactor, describe_received, describe_sent

_LOGGER = logging.getLogger(__name__)

# Seconds after which a command fails even if the server keeps sending bytes.
COMMAND_LIMIT_SECONDS: Final = 300.0

# Greetings that allow commands (RFC 3501 7.1).
_WELCOMES: Final = frozenset({"OK", "PREAUTH"})

# Characters of a status response's text that are used, and alerts per connection.
MAX_TEXT: Final = 500
MAX_ALERTS: Final = 10


class PushProtocol(IMAP4ClientProtocol):
    """One connection's receive path and command execution.

    Any number of commands may run at the same time; tags match answers to commands.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, budget: ReceiveBudget | None = None
    ) -> None:
        """Start unconnected; `budget` limits the memory of all connections of the account."""
        super().__init__(loop)
        # Only the library's own commands use these attributes, which take 4 KB.
        del self.idle_queue, self.state_condition, self._idle_event
        budget = budget or ReceiveBudget()
        self._fetched = ReceiveQuota(budget, MAX_OF_CONNECTION, reserved=RESERVED)
        self._collected = ReceiveQuota(ReceiveBudget(MAX_COLLECTED), MAX_COLLECTED)
        self._budget = budget
        self._pace = ReadThrottle(loop)
        self.greeting: asyncio.Future[Status] = loop.create_future()
        self.error: ImapError | None = None
        self.unsolicited = UnsolicitedQueue(budget)
        self.last_byte = loop.time()
        self._socket: socket.socket | None = None
        self._framer = Framer()
        self._commands: dict[bytes, Command] = {}
        self._answered: deque[bytes] = deque(maxlen=10)  # tags
        self._watchdog: asyncio.TimerHandle | None = None
        self._redactor = Redactor()
        self._on_alert: Callable[[str], None] | None = None
        self._alerts: list[str] = []  # received before `listen`
        self._alerts_left = MAX_ALERTS
        self._starttls_tag = b""  # after OK to STARTTLS, until the handshake

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Use a transport. After STARTTLS this is called again, with the TLS transport."""
        super().connection_made(transport)
        if self._starttls_tag:
            self._forget_plain_text()
        self._socket = transport.get_extra_info("socket")

    @override
    def data_received(self, d: bytes) -> None:
        """Process a chunk of bytes. An exception ends the connection, as an ImapError.

        The library recurses for each line, removes every "* " from it, counts parentheses in
        strings, formats each chunk even if debug logs are off, and lets exceptions escape.
        """
        self.last_byte = self.loop.time()
        steps = 1
        try:
            self._check_not_awaiting_tls(d)
            for framed in self._framer.feed(d):
                self._check_not_awaiting_tls(framed.parts[0])
                steps += 1
                if framed.parts != [b""] and self.error is None:
                    self._receive(framed)
            if self._framer.holds_more:
                self._check_not_awaiting_tls(b"")
        except ImapError as error:
            self.fail(error)
        except Exception as error:  # noqa: BLE001
            # Without the text of the error, which may repeat what the server sent.
            name = type(error).__name__
            self.fail(ProtocolError(f"cannot understand the server: {name}"))
        if self.error is not None:
            return
        if self._socket is not None:
            acknowledge_now(self._socket)
        self._pace.spend(steps, self.transport)

    def _check_not_awaiting_tls(self, octets: bytes) -> None:
        if self._starttls_tag:
            raise starttls_error(self._starttls_tag, octets)

    @override
    def eof_received(self) -> None:
        """End the connection when the server closes its side."""
        self.fail(ConnectionLost("the server closed the connection"))

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Fail all running commands. The library leaves them pending."""
        self.fail(ConnectionLost(str(exc) if exc else "the connection was closed"))

    def fail(self, error: ImapError) -> None:
        """Close the connection and fail all running commands with this error."""
        if self.error is not None:
            return
        self.error = error
        if self._watchdog is not None:
            self._watchdog.cancel()
        self._pace.close()
        self._fetched.close()
        self._collected.close()
        self.unsolicited.close()
        if not self.greeting.done():
            self.greeting.set_exception(error)
            self.greeting.exception()
        for command in self._commands.values():
            command.fail(error)
        self._commands.clear()
        self.unsolicited.wake()
        # The transport is None if TLS failed before `connection_made`.
        if self.transport is not None:
            self.transport.abort()

    def start(self, *commands: Command, before: bytes = b"") -> None:
        """Send commands in one write, after the octets `before`.

        The library allows one command of each kind at a time, waits for cancelled ones, and
        supports a fixed set of commands only.
        """
        if self.error is not None:
            raise self.error
        for command in commands:
            command.tag = self.new_tag().encode()
            self._redactor.add(command.secrets)
        octets = before + b"".join(command.line() for command in commands)
        now = self.loop.time()
        for command in commands:
            command.started = now
            self._commands[command.tag] = command
        if octets:
            if _LOGGER.isEnabledFor(logging.DEBUG):
                lines = before.decode().strip(), *map(describe_sent, commands)
                for line in filter(None, lines):
                    _LOGGER.debug("> %s", line)
            self.transport.write(octets)
        self._set_watchdog()

    def release(self) -> None:
        """Release the memory of collected data, unless a command is still collecting."""
        if self._first_collecting() is None:
            self._fetched.release()
            self._collected.release()

    def listen(self, on_alert: Callable[[str], None] | None) -> None:
        """Set the receiver of alerts; deliver those of a greeting that has already arrived."""
        self._on_alert = on_alert
        self._deliver_alerts()

    def expect_bye(self) -> None:
        """Ignore BYE from now on: it is part of the answer to LOGOUT (RFC 3501 6.1.3)."""
        self.state = LOGOUT

    def _text_of(self, status: Status) -> str:
        return self._redactor.redact(status.text, MAX_TEXT)

    def _receive(self, framed: Framed) -> None:
        if not self.greeting.done():
            self._receive_greeting(framed)
            return
        is_login = any(command.secrets for command in self._commands.values())
        response = parse_response(framed.parts, is_cut=framed.is_cut, is_login=is_login)
        if _LOGGER.isEnabledFor(logging.DEBUG):
            octets = sum(map(len, framed.parts))
            _LOGGER.debug("< %s", describe_received(response, octets, self._commands))
        match response:
            case Status(tag=None) as status:
                self._receive_untagged_status(status)
            case Status() as status:
                self._receive_tagged(status)
            case Data() as data:
                self._receive_data(data)
            case Continuation() as continuation:
                self._receive_continuation(continuation)

    def _receive_untagged_status(self, status: Status) -> None:
        if status.code == "CAPABILITY":
            self.capabilities = parse_capabilities(status.code_args)
        self._receive_alert(status)
        if status.status == "BYE" and self.state != LOGOUT:
            text = self._text_of(status)
            self.fail(temporary_error(text, status.code) or ServerLeft(text))
        elif status.code == "NOTIFICATIONOVERFLOW":
            self.unsolicited.overflow()
        elif status.code:
            self._collect(Data(status.code, None, [status.code_args]))

    def _receive_greeting(self, framed: Framed) -> None:
        line = framed.parts[0]
        is_untagged = line.startswith((b"* ", b"*\t"))
        greeting = parse_response([line], is_cut=framed.is_cut) if is_untagged else None
        if not isinstance(greeting, Status):
            raise NotImap(name_of_protocol(line))
        if greeting.status in _WELCOMES:
            self.greeting.set_result(greeting)
            self._receive_untagged_status(greeting)
            return
        self._receive_alert(greeting)
        text = self._text_of(greeting)
        refusal = CommandRefused("greeting", greeting.status, greeting.code, text)
        if temporary := temporary_refusal(refusal):
            raise temporary
        raise refusal if text else ConnectionLost(f"greeted with {greeting.status}")

    def _receive_alert(self, status: Status) -> None:
        """Deliver an ALERT, which must be shown to the user (RFC 3501 7.1)."""
        if status.code == "ALERT" and self._alerts_left:
            self._alerts_left -= 1
            self._alerts.append(self._text_of(status))
            self._deliver_alerts()

    def _deliver_alerts(self) -> None:
        if self._on_alert is None:
            return
        alerts, self._alerts = self._alerts, []
        for alert in alerts:
            try:
                self._on_alert(alert)
            except Exception:
                _LOGGER.exception("Error while delivering an alert")

    def _receive_tagged(self, status: Status) -> None:
        command = self._commands.get(status.tag or b"")
        if command is None and status.tag in self._answered:
            return  # Some servers answer IDLE twice.
        if command is None:
            raise ProtocolError(f"an answer with an unknown tag: {status.status}")
        if command.opens_folder and command is not self._first_collecting():
            raise ProtocolError(
                "a folder was opened before commands in another were answered"
            )
        del self._commands[command.tag]
        self._answered.append(command.tag)
        if command.opens_folder:
            self.unsolicited.discard_mails()
        if status.code == "CAPABILITY":
            self.capabilities = parse_capabilities(status.code_args)
        if status.status == "OK":
            self._starttls_tag = command.tag if command.name == "STARTTLS" else b""
            command.complete(status, self.unsolicited.exists)
        else:
            text = self._text_of(status)
            refusal = CommandRefused(
                command.name, status.status, status.code, text, status.code_args
            )
            command.fail(refusal)
        self._receive_alert(status)

    def _forget_plain_text(self) -> None:
        # What was received without TLS may be forged (RFC 9051 6.2.1, 11.1).
        self.capabilities = set()
        self.unsolicited.close()
        self.unsolicited = UnsolicitedQueue(self._budget)
        self._framer = Framer()
        self._alerts = []
        self._alerts_left = MAX_ALERTS
        self._starttls_tag = b""

    def _receive_data(self, data: Data) -> None:
        if data.name == "CAPABILITY":
            # The library reads capabilities before login only, or reads `IDLE]` for IDLE.
            self.capabilities = parse_capabilities(data.parts[0])
        # The library drops data that belongs to no command.
        elif not self._collect(data):
            self.unsolicited.put(data)

    def _collect(self, data: Data) -> bool:
        # Dovecot may answer several searches in another order.
        named = self._commands.get(search_tag(data))
        for command in (named,) if named else self._commands.values():
            if data.name not in command.collects:
                if command.opens_folder:
                    return False
                continue
            if command.opens_folder and data.name == "EXISTS":
                self.unsolicited.set_exists(data.number or 0)
            command.data.append(self._fit(data, command))
            command.collected += data.memory
            return True
        return False

    def _fit(self, data: Data, command: Command) -> Data:
        """Return the data if it fits in the limits, or the beginning of a FETCH response.

        Raises ProtocolError for other data that does not fit, and after MAX_CUT responses that
        were cut: no real server sends so much.
        """
        is_fetch, is_list = data.name == "FETCH", data.name == "LIST"
        too_many = not is_fetch and not is_list and len(command.data) >= MAX_RESPONSES
        holding = self._fetched if is_fetch else self._collected
        if not too_many and holding.acquire(data.memory):
            return data
        command.cut += 1
        if not is_fetch or command.cut > MAX_CUT:
            raise ProtocolError(f"{command.name}: too much data")
        return data.beginning()

    def _first_collecting(self) -> Command | None:
        """Return the oldest running command that collects untagged data."""
        return next((c for c in self._commands.values() if c.collects), None)

    def _receive_continuation(self, continuation: Continuation) -> None:
        """Answer `+` for the oldest running command with a continuation (IDLE sends nothing).

        The library never answers a challenge of AUTHENTICATE, so its login hangs.
        """
        for command in self._commands.values():
            if command.continuation is not None:
                answer = command.continuation(continuation.text)
                if answer is not None:
                    self.transport.write(answer + b"\r\n")
                return

    def _set_watchdog(self) -> None:
        """Set the timer for the earliest deadline, unless it fires earlier anyway."""
        # The server may process the commands one after the other.
        oldest = next((c for c in self._commands.values() if c.deadline), None)
        if oldest is None:
            return
        deadline, timer = self._deadline(oldest), self._watchdog
        if timer is None or timer.when() > deadline:
            self._watchdog = self.loop.call_at(deadline, self._check_deadlines)
            if timer is not None:
                timer.cancel()

    def _deadline(self, command: Command) -> float:
        silence = max(self.last_byte, command.started) + (command.deadline or 0)
        return min(silence, command.started + COMMAND_LIMIT_SECONDS)

    def _check_deadlines(self) -> None:
        self._watchdog = None
        oldest = next((c for c in self._commands.values() if c.deadline), None)
        if oldest is not None and self._deadline(oldest) <= self.loop.time():
            self.fail(ServerSilent(f"no answer to {oldest.name}"))
            return
        self._set_watchdog()
