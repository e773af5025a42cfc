"""aioimaplib's protocol with a sound receive path: the only module that knows aioimaplib.

Each override names the defect of aioimaplib 2.0.3 that it answers; when upstream mends one,
its override can go. The library's client class is not used: it starts to connect in its
constructor in a task that nobody awaits, and its timeouts leave commands pending.
"""

import asyncio
from collections.abc import Callable
import contextlib
from functools import lru_cache
import logging
import socket
from typing import Final, override

from aioimaplib import LOGOUT, IMAP4ClientProtocol

from ..errors import (
    CommandRefused,
    ConnectionLost,
    ImapError,
    NotImap,
    PlainTextInjected,
    ProtocolError,
    ServerLeft,
    ServerSilent,
)
from ..limits import (
    MAX_OF_CONNECTION,
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
    parse_response,
    search_tag,
)
from .response_codes import passing_refusal, passing_text
from .unsolicited import UnsolicitedQueue
from .wire_log import Redactor, describe_received, describe_sent

_LOGGER = logging.getLogger(__name__)

# Seconds after which a command is given up even if bytes keep dripping in.
COMMAND_LIMIT: Final = 300.0
# Octets of untagged data other than FETCH that the commands under way may collect: 10,000 LIST
# responses take 4 MB.
MAX_COLLECTED: Final = 6 * 1024 * 1024
# Untagged responses that one command may collect unless it lists something: EXAMINE has ten.
MAX_RESPONSES: Final = 1_000
_LISTS: Final = frozenset({"FETCH", "LIST"})
# FETCH responses that one command may collect beyond the limit, each cut to its beginning.
MAX_CUT: Final = 10_000

# Octets of capabilities that are read: no server offers a fourth of it.
MAX_CAPABILITIES: Final = 4_096

# Greetings after which one can go on (RFC 3501 7.1).
_WELCOMES: Final = frozenset({"OK", "PREAUTH"})

# Characters of a server's words that are looked at and handed on, and alerts of a connection.
MAX_WORDS: Final = 500
MAX_ALERTS: Final = 10

# Linux sends the acknowledgement of what was read at once, not 40 ms later: some servers
# (Cyrus is one) hold the next piece of an answer back until it has come.
_QUICKACK: Final = getattr(socket, "TCP_QUICKACK", None)


class PushProtocol(IMAP4ClientProtocol):
    """One connection's receive path and command execution.

    Any number of commands may be under way: only tags tell which one a server answers.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, budget: ReceiveBudget | None = None
    ) -> None:
        """Start unconnected; `budget` is what the account's connections may hold together."""
        super().__init__(loop)
        # Only the library's own commands use these, and they take 4 KB.
        del self.idle_queue, self.state_condition, self._idle_event
        budget = budget or ReceiveBudget()
        self._fetched = ReceiveQuota(budget, MAX_OF_CONNECTION, reserved=RESERVED)
        self._collected = ReceiveQuota(ReceiveBudget(MAX_COLLECTED), MAX_COLLECTED)
        self._budget = budget
        self._pace = ReadThrottle(loop)
        self.greeting: asyncio.Future[Status] = loop.create_future()
        self.error: ImapError | None = None
        self.news = UnsolicitedQueue(budget)
        self.last_byte = loop.time()
        self._socket: socket.socket | None = None
        self._framer = Framer()
        self._commands: dict[bytes, Command] = {}
        self._watchdog: asyncio.TimerHandle | None = None
        self._redactor = Redactor()
        self._on_alert: Callable[[str], None] | None = None
        self._alerts: list[str] = []  # that nobody listened to yet
        self._alerts_left = MAX_ALERTS
        self._sealed = False

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; a second one is that of TLS."""
        super().connection_made(transport)
        if self._sealed:
            self._forget_plain_text()
        self._socket = transport.get_extra_info("socket")

    @override
    def data_received(self, d: bytes) -> None:
        """Take a chunk.

        The library recurses for each line, cuts every "* " out of it, counts parentheses in
        strings, formats each chunk for a log that is off, and lets exceptions out.
        """
        self.last_byte = self.loop.time()
        steps = 1
        try:
            self._check_seal()
            for framed in self._framer.feed(d):
                self._check_seal()
                steps += 1
                if framed.parts != [b""] and self.error is None:
                    self._receive(framed)
            if self._framer.holds_more:
                self._check_seal()
        except ImapError as error:
            self.fail(error)
        except Exception as error:  # noqa: BLE001
            # Its words may be the server's.
            name = type(error).__name__
            self.fail(ProtocolError(f"cannot understand the server: {name}"))
        self._acknowledge()
        if self.error is None:
            self._pace.spend(steps, self.transport)

    def _check_seal(self) -> None:
        """Raise if what came is behind the answer to STARTTLS: it could be injected."""
        if self._sealed:
            raise PlainTextInjected("plain text after STARTTLS")

    def _acknowledge(self) -> None:
        """Acknowledge what was read at once; the system forgets that wish again and again."""
        if _QUICKACK is not None and self._socket is not None and self.error is None:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    @override
    def eof_received(self) -> None:
        """Take the server's end of the stream; it ends the connection."""
        self.fail(ConnectionLost("the server closed the connection"))

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """End every waiting call. The library leaves all of them waiting."""
        self.fail(ConnectionLost(str(exc) if exc else "the connection was closed"))

    def fail(self, error: ImapError) -> None:
        """End the connection, and everything that waits on it, with this error."""
        if self.error is not None:
            return
        self.error = error
        if self._watchdog is not None:
            self._watchdog.cancel()
        self._pace.close()
        self._fetched.close()
        self._collected.close()
        self.news.close()
        if not self.greeting.done():
            self.greeting.set_exception(error)
            self.greeting.exception()
        for command in self._commands.values():
            command.fail(error)
        self._commands.clear()
        self.news.wake()
        # An unset transport means that TLS failed before the connection was handed over.
        if self.transport is not None:
            self.transport.abort()

    def start(self, *commands: Command, before: bytes = b"") -> None:
        """Send commands in one write, after the octets `before`.

        The library allows one command of a kind at a time, waits behind those that were
        cancelled, and knows a fixed table of commands.
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
                for line in (before.decode().strip(), *map(describe_sent, commands)):
                    if line:
                        _LOGGER.debug("> %s", line)
            self.transport.write(octets)
        self._watch()

    def release(self) -> None:
        """Count what was collected so far as used, unless commands still collect."""
        if self._first_collecting() is None:
            self._fetched.release()
            self._collected.release()

    def listen(self, on_alert: Callable[[str], None] | None) -> None:
        """Hand on alerts, also those that came already: with TLS 1.2, the greeting can be there."""
        self._on_alert = on_alert
        self._hand_on_alerts()

    def leaving(self) -> None:
        """Take a BYE from now on as what LOGOUT brings."""
        self.state = LOGOUT

    def _words_of(self, status: Status) -> str:
        return self._redactor.redact(status.text, MAX_WORDS)

    def _receive(self, framed: Framed) -> None:
        if not self.greeting.done():
            self._receive_greeting(framed)
            return
        response = parse_response(framed.parts, is_cut=framed.is_cut)
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
            self._learn_capabilities(status.code_args)
        self._receive_alert(status)
        if status.status == "BYE" and self.state != LOGOUT:
            self._receive_bye(self._words_of(status), status.code)
        elif status.code == "NOTIFICATIONOVERFLOW":
            self.news.overflow()
        elif status.code:
            data = Data(status.code, None, [status.code_args])
            self._collect(data)

    def _receive_greeting(self, framed: Framed) -> None:
        line = framed.parts[0]
        is_untagged = line.startswith(b"* ")
        greeting = parse_response([line], is_cut=framed.is_cut) if is_untagged else None
        if not isinstance(greeting, Status):
            raise NotImap(name_of_protocol(line))
        if greeting.status in _WELCOMES:
            self.greeting.set_result(greeting)
            self._receive_untagged_status(greeting)
            return
        self._receive_alert(greeting)
        text = self._words_of(greeting)
        refusal = CommandRefused("greeting", greeting.status, greeting.code, text)
        if passing := passing_refusal(refusal):
            raise passing
        raise refusal if text else ConnectionLost(f"greeted with {greeting.status}")

    def _receive_alert(self, status: Status) -> None:
        """Take what the server wants the user to be told (RFC 3501 7.1)."""
        if status.code == "ALERT" and self._alerts_left:
            self._alerts_left -= 1
            self._alerts.append(self._words_of(status))
            self._hand_on_alerts()

    def _hand_on_alerts(self) -> None:
        if self._on_alert is None:
            return
        alerts, self._alerts = self._alerts, []
        for alert in alerts:
            try:
                self._on_alert(alert)
            except Exception:
                _LOGGER.exception("Error while handing on an alert")

    def _receive_bye(self, text: str, code: str | None) -> None:
        """End the connection for the reason the server gives, if it gives one that passes."""
        self.fail(passing_text(text, code) or ServerLeft(text))

    def _receive_tagged(self, status: Status) -> None:
        command = self._commands.get(status.tag or b"")
        if command is None:
            raise ProtocolError(f"an answer to no command of ours: {status.status}")
        if command.opens_folder and command is not self._first_collecting():
            raise ProtocolError(
                "a folder was opened before the work in another was done"
            )
        del self._commands[command.tag]
        if command.opens_folder:
            self.news.left()
        if status.code == "CAPABILITY":
            self._learn_capabilities(status.code_args)
        # Until TLS is up nothing more may come: it could be injected (RFC 9051 11.1).
        self._sealed = command.name == "STARTTLS" and status.status == "OK"
        if status.status == "OK":
            command.complete(status)
        else:
            text = self._words_of(status)
            command.fail(
                CommandRefused(
                    command.name, status.status, status.code, text, status.code_args
                )
            )
        self._watch()
        self._receive_alert(status)

    def _forget_plain_text(self) -> None:
        """Go on over TLS and forget what was told without it."""
        self.capabilities = set()
        self.news.close()
        self.news = UnsolicitedQueue(self._budget)
        self._framer = Framer()
        self._alerts = []
        self._alerts_left = MAX_ALERTS
        self._sealed = False

    def _receive_data(self, data: Data) -> None:
        if data.name == "CAPABILITY":
            self._learn_capabilities(data.parts[0])
        # Data for a command is an answer; all other data is news, and the library drops it.
        elif not self._collect(data):
            self.news.put(data)

    def _collect(self, data: Data) -> bool:
        # Dovecot answers several searches in any order.
        named = self._commands.get(search_tag(data))
        for command in (named,) if named else self._commands.values():
            if data.name not in command.collects:
                if command.opens_folder:
                    return False
                continue
            if command.opens_folder and data.name == "EXISTS":
                self.news.opened(data.number or 0)
            command.data.append(self._kept(data, command))
            command.collected += data.memory
            return True
        return False

    def _kept(self, data: Data, command: Command) -> Data:
        """Return the data if there is room for it; of a FETCH response else its beginning.

        Raises ProtocolError where that does not help: no real server sends so much.
        """
        is_fetch = data.name == "FETCH"
        too_many = data.name not in _LISTS and len(command.data) >= MAX_RESPONSES
        holding = self._fetched if is_fetch else self._collected
        if not too_many and holding.acquire(data.memory):
            return data
        command.cut += 1
        if not is_fetch or command.cut > MAX_CUT:
            raise ProtocolError(f"{command.name}: too much data")
        return data.beginning()

    def _first_collecting(self) -> Command | None:
        """Return the oldest command under way that waits for untagged data."""
        return next(filter(lambda it: it.collects, self._commands.values()), None)

    def _receive_continuation(self, continuation: Continuation) -> None:
        """Answer `+`. The library leaves a challenge unanswered, and the call hangs."""
        for command in self._commands.values():
            if command.continuation is None:
                continue
            answer = command.continuation(continuation.text)
            if answer is not None:
                self.transport.write(answer + b"\r\n")
            return

    def _learn_capabilities(self, words: bytes) -> None:
        """Take the capabilities wherever they are told.

        The library reads them before login only, or reads `IDLE]` for IDLE.
        """
        self.capabilities = _parse_capabilities(bytes(words[:MAX_CAPABILITIES]))

    def _watch(self) -> None:
        """Let the next deadline of the commands under way end the connection."""
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None
        deadlines = [
            self._deadline(command)
            for command in self._commands.values()
            if command.deadline
        ]
        if deadlines and self.error is None:
            self._watchdog = self.loop.call_at(min(deadlines), self._check_deadlines)

    def _deadline(self, command: Command) -> float:
        silence = max(self.last_byte, command.started) + (command.deadline or 0)
        return min(silence, command.started + COMMAND_LIMIT)

    def _check_deadlines(self) -> None:
        now = self.loop.time()
        for command in self._commands.values():
            if command.deadline and self._deadline(command) <= now:
                self.fail(ServerSilent(f"no answer to {command.name}"))
                return
        self._watch()


@lru_cache(maxsize=16)
def _parse_capabilities(words: bytes) -> frozenset[str]:
    """Return capabilities, upper case. The connections to a server share one set."""
    return frozenset(words.decode("ascii", "replace").upper().split())
