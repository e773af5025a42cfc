"""The receive path of one connection: any octets in any chunks while commands wait."""

import asyncio
from typing import Final, override

from custom_components.imap_push.imap import ConnectionLost, ImapError
from custom_components.imap_push.imap.wire.command import Command
from custom_components.imap_push.imap.wire.protocol import PushProtocol

from ..server import BLOCK, TAG, WRITE, chunks
from ..target import Stopwatch, Target, Violation
from ..virtual_run import SECRET, hidden_errors
from . import account_seeds

# Inputs with this prefix respond to STARTTLS, others to all of the commands below.
_STARTTLS: Final = b"starttls\n"
_COLLECTED: Final = (
    {"EXISTS", "FLAGS", "UIDVALIDITY", "UIDNEXT"},
    {"FETCH"},
    {"ESEARCH", "SEARCH"},
    {"LIST"},
    {"STATUS"},
    {"COPYUID"},
)
_GREETING: Final = b"* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n"


class _Transport(asyncio.Transport):
    """A transport that discards data and records that it was aborted."""

    is_aborted = False
    _is_reading = True

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    @override
    def abort(self) -> None:
        self.is_aborted = True

    @override
    def is_reading(self) -> bool:
        return self._is_reading

    @override
    def pause_reading(self) -> None:
        self._is_reading = False

    @override
    def resume_reading(self) -> None:
        self._is_reading = True


def execute(data: bytes) -> float:
    r"""Receive an input, which starts with the greeting.

    `\x1f` ends a chunk, and each chunk is a step. Each `<tag>` is replaced by the tag of the
    next command.
    """
    loop = asyncio.new_event_loop()
    watch = Stopwatch()
    try:
        with hidden_errors() as hidden:
            loop.run_until_complete(_receive(data, watch))
    finally:
        loop.close()
    for error in hidden:
        raise error
    return watch.longest


async def _receive(data: bytes, watch: Stopwatch) -> None:
    protocol, transport = PushProtocol(asyncio.get_running_loop()), _Transport()
    protocol.connection_made(transport)
    alerts: list[str] = []
    protocol.listen(alerts.append)
    starts_tls = data.startswith(_STARTTLS)
    commands = [Command("STARTTLS")] if starts_tls else _commands()
    protocol.start(*commands)
    data = data.removeprefix(_STARTTLS)
    for command in commands:
        data = data.replace(TAG, command.tag, 1)
    for chunk in chunks(data.split(WRITE)):
        with watch.step():
            protocol.data_received(chunk)
    _check_end(protocol, transport, commands)
    if any(SECRET in alert for alert in alerts):
        raise Violation("the password is in an alert")
    if starts_tls and commands[0].is_complete and protocol.error is None:
        _check_fresh_start(protocol)
    protocol.unsolicited.take()
    protocol.fail(ConnectionLost("the end"))
    if not all(command.is_done for command in commands):
        raise Violation("a command waits on a connection that has ended")


def _commands() -> list[Command]:
    """Return commands of all kinds."""
    names = (f"X{number}" for number in range(len(_COLLECTED)))
    commands = [
        Command(
            name,
            collects=frozenset(collected),
            opens="INBOX" if "EXISTS" in collected else None,
        )
        for name, collected in zip(names, _COLLECTED, strict=True)
    ]
    answers = iter((SECRET.encode(),))
    login = Command(
        "AUTHENTICATE",
        continuation=lambda _: next(answers, b""),
        secrets=(SECRET,),
    )
    return [*commands, login, Command("IDLE", continuation=lambda _: None)]


def _check_end(
    protocol: PushProtocol, transport: _Transport, commands: list[Command]
) -> None:
    """Raise Violation for foreign errors, and for commands that wait after the connection ended."""
    if protocol.error is not None:
        if not transport.is_aborted:
            raise Violation("a connection that has ended is not closed")
        if not all(command.is_done for command in commands):
            raise Violation("a command waits on a connection that has ended")
    for command in commands:
        if command.is_done and command.error is not None:
            if not isinstance(command.error, ImapError):
                raise Violation(f"ends with {type(command.error).__name__}")
            if SECRET in str(command.error):
                raise Violation("the password is in an error")


def _check_fresh_start(protocol: PushProtocol) -> None:
    """Raise Violation if data from before TLS is used after it (RFC 9051 11.1)."""
    protocol.connection_made(_Transport())
    if protocol.receiver.capabilities or protocol.unsolicited.take():
        raise Violation("data from before TLS is left")


def _seeds() -> list[bytes]:
    """Return the responses of the other seeds' servers, in one chunk and as single octets."""
    seeds = [
        b"starttls\n%b* OK [ALERT] x\r\n<tag> OK begin\r\n" % _GREETING,
        b"starttls\n%b<tag> OK begin\r\n* CAPABILITY IDLE\r\n" % _GREETING,
        b"starttls\n%b* 1 EXISTS\r\n<tag> OK begin\r\n\x1f* OK x" % _GREETING,
    ]
    for script in account_seeds.scripts():
        blocks = [block.partition(b"\n") for block in script.split(BLOCK)]
        said = b"".join(said for name, _, said in blocks if name != b"GREETING")
        greetings = [said for name, _, said in blocks if name == b"GREETING"]
        seeds.append((greetings or [_GREETING])[0] + said)
    seeds += [b"\x1f".join(bytes((octet,)) for octet in seed) for seed in seeds[:5]]
    return seeds


TARGET: Final = Target(
    name="receive", execute=execute, seeds=_seeds, words=account_seeds.WORDS
)
