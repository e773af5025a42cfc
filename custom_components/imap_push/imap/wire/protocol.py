"""aioimaplib's protocol with another receive path. No other module imports aioimaplib.

Most overrides name the defect of aioimaplib 2.0.3 that they avoid; when upstream fixes it, the
override can be removed. The library's client class is not used: its constructor starts to
connect in a task that is never awaited, and its timeouts leave commands pending.

    octets -> Receiver -> Greeting, Notice     ALERT, BYE, NOTIFICATIONOVERFLOW
                          Answer               completes its Command
                          Continuation         answered by a Command
                          Change, FolderStatus queued in `unsolicited`
"""

import asyncio
from collections.abc import Callable
import logging
import socket
from typing import Final, override

from aioimaplib import LOGOUT, IMAP4ClientProtocol

from ..errors import (
    CommandRefused,
    ConnectionLost,
    ImapError,
    ProtocolError,
    ServerLeft,
    ServerSilent,
)
from ..limits import ReadThrottle, ReceiveBudget
from .command import Command
from .parser import Continuation, Status
from .receiver import Answer, Change, Event, FolderStatus, Greeting, Notice, Receiver
from .response_codes import temporary_error, temporary_refusal
from .tcp import acknowledge_now
from .unsolicited import UnsolicitedQueue
from .wire_log import Redactor, describe_sent

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
        self._budget = budget or ReceiveBudget()
        self._pace = ReadThrottle(loop)
        self.greeting: asyncio.Future[Status] = loop.create_future()
        self.error: ImapError | None = None
        self.receiver = Receiver(self._budget)
        self.unsolicited = UnsolicitedQueue(self._budget)
        self.last_byte = loop.time()
        self._socket: socket.socket | None = None
        self._commands: dict[bytes, Command] = {}
        self._watchdog: asyncio.TimerHandle | None = None
        self._redactor = Redactor()
        self._on_alert: Callable[[str], None] | None = None
        self._alerts: list[str] = []  # received before `listen`
        self._alerts_left = MAX_ALERTS

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Use a transport. After STARTTLS this is called again, with the TLS transport."""
        super().connection_made(transport)
        if self.receiver.awaits_tls:
            self._forget_plain_text()
        self._socket = transport.get_extra_info("socket")

    def _forget_plain_text(self) -> None:
        # What was received without TLS may be forged (RFC 9051 6.2.1, 11.1).
        self.receiver.close()
        self.receiver = Receiver(self._budget, is_greeted=True)
        self.unsolicited.close()
        self.unsolicited = UnsolicitedQueue(self._budget)
        self._alerts = []
        self._alerts_left = MAX_ALERTS

    @override
    def data_received(self, d: bytes) -> None:
        """Process a chunk of bytes. An exception ends the connection, as an ImapError.

        The library recurses for each line, removes every "* " from it, counts parentheses in
        strings, formats each chunk even if debug logs are off, and lets exceptions escape.
        """
        self.last_byte = self.loop.time()
        steps = 1
        try:
            for event in self.receiver.feed(d):
                steps += 1
                if event is not None and self.error is None:
                    self._process(event)
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

    def _process(self, event: Event) -> None:
        match event:
            case Answer():
                self._complete(event)
                self._receive_alert(event.status)
            case Change() | FolderStatus():
                self.unsolicited.put(event)
            case Notice(status):
                self._receive_alert(status)
                self._receive_notice(status)
            case Greeting(status):
                self._receive_alert(status)
                self._receive_greeting(status)
            case Continuation(text):
                self._receive_continuation(text)

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
        self.receiver.close()
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
            self.receiver.expect(command)
        if octets:
            if _LOGGER.isEnabledFor(logging.DEBUG):
                lines = before.decode().strip(), *map(describe_sent, commands)
                for line in filter(None, lines):
                    _LOGGER.debug("> %s", line)
            self.transport.write(octets)
        self._set_watchdog()

    def listen(self, on_alert: Callable[[str], None] | None) -> None:
        """Set the receiver of alerts; deliver those of a greeting that has already arrived."""
        self._on_alert = on_alert
        self._deliver_alerts()

    def expect_bye(self) -> None:
        """Ignore BYE from now on: it is part of the answer to LOGOUT (RFC 3501 6.1.3)."""
        self.state = LOGOUT

    def _text_of(self, status: Status) -> str:
        return self._redactor.redact(status.text, MAX_TEXT)

    def _receive_greeting(self, greeting: Status) -> None:
        if greeting.status in _WELCOMES:
            self.greeting.set_result(greeting)
            return
        text = self._text_of(greeting)
        refusal = CommandRefused("greeting", greeting.status, greeting.code, text)
        if temporary := temporary_refusal(refusal):
            raise temporary
        raise refusal if text else ConnectionLost(f"greeted with {greeting.status}")

    def _receive_notice(self, status: Status) -> None:
        if status.status == "BYE" and self.state != LOGOUT:
            text = self._text_of(status)
            self.fail(temporary_error(text, status.code) or ServerLeft(text))
        elif status.code == "NOTIFICATIONOVERFLOW":
            self.unsolicited.overflow()

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

    def _complete(self, answer: Answer) -> None:
        status = answer.status
        command = self._commands.pop(status.tag or b"")
        if command.opens is not None:
            self.unsolicited.select(answer.folder)
        if status.status == "OK":
            command.complete(status, answer.folder.exists)
        else:
            text = self._text_of(status)
            refusal = CommandRefused(
                command.name, status.status, status.code, text, status.code_args
            )
            command.fail(refusal)

    def _receive_continuation(self, text: bytes) -> None:
        """Answer `+` for the oldest running command with a continuation (IDLE sends nothing).

        The library never answers a challenge of AUTHENTICATE, so its login hangs.
        """
        for command in self._commands.values():
            if command.continuation is not None:
                answer = command.continuation(text)
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
