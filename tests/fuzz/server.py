"""An IMAP server whose responses come from a fuzzer input.

An input is a list of blocks. The first line of a block names what it responds to: a command
(`UID FETCH`), `GREETING`, `DONE`, `MORE` (a line that is not a command), or `*` for unsolicited
responses. Several blocks for the same command are used one after the other, and the last one is
repeated. A command without a block gets a normal response. `<tag>` is replaced by the tag of the
command, and `<base64:...>` by its encoded content, in which `[nonce]` is the nonce of a SCRAM
client (RFC 5802).
"""

import asyncio
from base64 import b64decode, b64encode
from collections import Counter, deque
from collections.abc import Iterable, Iterator
import contextlib
from dataclasses import dataclass
import re
from typing import Final, override

BLOCK: Final = b"\x1e"  # between blocks
WRITE: Final = b"\x1f"  # between writes of one block
TAG: Final = b"<tag>"

# Seconds until a response arrives, and between unsolicited responses.
_LATENCY: Final = 0.002
_PAUSE: Final = 1.0
_MAX_READ: Final = 16_384  # octets
# Total octets that a server may send.
_MAX_SENT: Final = 16 * 1024 * 1024

_CAPABILITIES: Final = (
    b"IMAP4rev1 IDLE NOTIFY CONDSTORE ESEARCH SASL-IR UIDPLUS MOVE NAMESPACE"
    b" AUTH=PLAIN AUTH=XOAUTH2"
)
_USUAL: Final = {
    b"GREETING": b"* OK [CAPABILITY %b] hello\r\n" % _CAPABILITIES,
    b"CAPABILITY": b"* CAPABILITY %b\r\n<tag> OK done\r\n" % _CAPABILITIES,
    b"LOGIN": b"<tag> OK [CAPABILITY %b] in\r\n" % _CAPABILITIES,
    b"AUTHENTICATE": b"<tag> OK [CAPABILITY %b] in\r\n" % _CAPABILITIES,
    b"EXAMINE": b"* 2 EXISTS\r\n* OK [UIDVALIDITY 1] valid\r\n* OK [UIDNEXT 6] next\r\n"
    b"<tag> OK [READ-ONLY] open\r\n",
    b"SELECT": b"* 2 EXISTS\r\n* OK [UIDVALIDITY 1] valid\r\n* OK [UIDNEXT 6] next\r\n"
    b"* OK [PERMANENTFLAGS (\\Seen \\Deleted \\*)] any\r\n<tag> OK [READ-WRITE] open\r\n",
    b"IDLE": b"+ idling\r\n",
    b"LOGOUT": b"* BYE see you\r\n<tag> OK out\r\n",
    b"STARTTLS": b"<tag> OK begin\r\n",
}
_DONE: Final = b"<tag> OK done\r\n"
_BASE64: Final = re.compile(rb"<base64:([^>]*)>")
_NONCE: Final = re.compile(rb"n,,n=.*,r=([^,]+)", re.DOTALL)
_COMMAND: Final = re.compile(rb"(\w+) ((?:UID )?[A-Z]+)(?: (.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Script:
    """The responses of a server, by what they respond to."""

    blocks: dict[bytes, list[bytes]]

    @classmethod
    def parse(cls, data: bytes) -> Script:
        """Parse an input; any octets are valid."""
        blocks: dict[bytes, list[bytes]] = {}
        for block in data.split(BLOCK):
            name, _, said = block.partition(b"\n")
            blocks.setdefault(name, []).append(said)
        return cls(blocks)

    def has(self, option: bytes) -> bool:
        """Return whether the input has this option."""
        return any(option in said.split() for said in self.blocks.get(b"OPTIONS", ()))

    def answer(self, name: bytes, number: int) -> bytes:
        """Return the response to a command that was received `number` times before."""
        said = self.blocks.get(name)
        if said is None:
            return _USUAL.get(name, _DONE)
        return said[min(number, len(said) - 1)]


def write_script(*blocks: tuple[bytes, bytes]) -> bytes:
    """Return the input with these blocks."""
    return BLOCK.join(b"%b\n%b" % block for block in blocks)


def chunks(writes: Iterable[bytes]) -> Iterator[bytes]:
    """Yield writes in pieces: the engine reads at most a TLS record at a time."""
    for octets in writes:
        for start in range(0, len(octets), _MAX_READ):
            yield octets[start : start + _MAX_READ]


@dataclass(slots=True)
class ServerState:
    """State that all connections of a server share."""

    script: Script
    commands: Counter[bytes]
    sent: int = 0


class ScriptServer(asyncio.Protocol):
    """The server side of one connection."""

    def __init__(self, state: ServerState) -> None:
        """Respond as the script says."""
        self._state = state
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._tag = b"x"
        self._nonce = b""
        self._transport: asyncio.Transport | None = None
        self._answers: deque[list[bytes]] = deque()
        self._waiting: deque[bytes] = deque()  # chunks
        self._is_writing = False

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._answer(b"GREETING", self._tag)
        if self._state.script.blocks.get(b"*"):
            self._loop.call_later(_PAUSE, self._send_unsolicited)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    @override
    def data_received(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\r\n")
        for line in lines:
            self._read_nonce(line)
            if line == b"DONE":
                self._answer(b"DONE", self._tag)
            elif match := _COMMAND.fullmatch(line):
                self._tag = match[1]
                self._answer(match[2], match[1], match[3] or b"")
            else:
                self._answer(b"MORE", self._tag)

    def reply(self, name: bytes, tag: bytes, arguments: bytes) -> list[bytes]:
        """Return the writes of the response to a command."""
        said = self._state.script.answer(name, self._state.commands[name])
        return _BASE64.sub(self._encode, said.replace(TAG, tag)).split(WRITE)

    def _encode(self, match: re.Match[bytes]) -> bytes:
        return b64encode(match[1].replace(b"[nonce]", self._nonce))

    def _read_nonce(self, line: bytes) -> None:
        with contextlib.suppress(ValueError):
            message = b64decode(line.rpartition(b" ")[2], validate=True)
            if found := _NONCE.search(message):
                self._nonce = found[1]

    def _answer(self, name: bytes, tag: bytes, arguments: bytes = b"") -> None:
        self._answers.append(self.reply(name, tag, arguments))
        self._state.commands[name] += 1
        self._loop.call_later(_LATENCY, self._send_next)

    def _send_next(self) -> None:
        """Send the next response; timers with the same time may fire in any order."""
        self._waiting.extend(chunks(self._answers.popleft()))
        if not self._is_writing:
            self._write()

    def _write(self) -> None:
        """Write a chunk, and the next one in the next turn of the event loop."""
        self._is_writing = bool(self._waiting)
        if self._transport is None or self._transport.is_closing() or not self._waiting:
            return
        octets = self._waiting.popleft()
        self._state.sent += len(octets)
        if self._state.sent > _MAX_SENT:
            self._transport.close()
            return
        self._transport.write(octets)
        self._loop.call_soon(self._write)

    def _send_unsolicited(self) -> None:
        """Send the next unsolicited response; each is sent on one connection only."""
        blocks = self._state.script.blocks[b"*"]
        number = self._state.commands[b"*"]
        if self._transport is not None and number < len(blocks):
            self._answer(b"*", self._tag)
            self._loop.call_later(_PAUSE, self._send_unsolicited)
