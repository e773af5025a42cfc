"""An IMAP server without weight: as many mails as asked for, and none of them is kept."""

import asyncio
from collections.abc import Callable, Iterator
import re
from typing import Final, override

from .ports import LOOPBACK
from .reset import reset_transport
from .running import Running

CAPABILITIES: Final = b"IMAP4rev1 IDLE ESEARCH SASL-IR LITERAL+"
UID_VALIDITY: Final = 7

_SECTION: Final = re.compile(rb"BODY\.PEEK(\[[^\]]*\])(?:<(\d+)\.\d+>)?")
_STRUCTURE: Final = b'BODYSTRUCTURE ("text" "plain" NIL NIL NIL "7bit" 10 1)'


class LightServer(Running):
    """One folder; a mail is nothing but its UID, and what is told of it is made up of that.

    Commands are answered one after the other, however many come in one write and in whatever
    order: a client may pipeline as it likes. It is for counting, and for nothing subtle.
    """

    def __init__(self, folder: bytes = b"INBOX") -> None:
        """Start with this folder, empty, and no other."""
        self.folder = folder
        self.exists = 0
        self.logins = 0
        self.commands = 0
        self._clients: set[_Client] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Return the port that clients connect to, without TLS."""
        assert self._server is not None, "not started"
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def connections(self) -> int:
        """Return how many clients are connected."""
        return len(self._clients)

    @property
    def is_watched(self) -> bool:
        """Return whether somebody has the folder open and waits for news."""
        return any(client.is_idle for client in self._clients)

    @override
    async def start(self) -> None:
        """Listen on a free port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Client(self, self._clients), LOOPBACK, 0
        )

    @override
    async def stop(self) -> None:
        """Close every connection and listen no more."""
        if self._server is not None:
            self._server.close()
            self.close_all()
            await self._server.wait_closed()
            self._server = None

    def deliver(self, count: int) -> None:
        """Let so many mails arrive, and tell everyone who has the folder open."""
        self.exists += count
        for client in self._clients:
            client.announce()

    def reset_all(self) -> None:
        """Send RST on every connection."""
        for client in tuple(self._clients):
            reset_transport(client.transport)

    def close_all(self) -> None:
        """End every connection in good order."""
        for client in tuple(self._clients):
            client.close()

    def dismiss_all(self) -> None:
        """End every connection with a BYE."""
        for client in tuple(self._clients):
            client.say(b"* BYE it is late")
            client.close()


class _Client(asyncio.Protocol):
    """The server's side of one connection."""

    def __init__(self, server: LightServer, clients: set[_Client]) -> None:
        self._server = server
        self._clients = clients
        self._buffer = b""
        self._is_open = False
        # The rest of a conversation in which the next line is no command.
        self._tag_of_idle = b""
        self._tag_of_login = b""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._clients.add(self)
        self.say(b"* OK [CAPABILITY %b] light" % CAPABILITIES)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._clients.discard(self)

    @override
    def data_received(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\r\n")
        answers = [line for sent in lines for line in self._answer(sent)]
        if answers:
            self.say(*answers)
        if answers and b"LOGOUT" in answers[-1]:
            self.close()

    @property
    def is_idle(self) -> bool:
        """Return whether the client is in IDLE."""
        return bool(self._tag_of_idle)

    def say(self, *lines: bytes) -> None:
        """Send lines in one write."""
        self.transport.write(b"".join(line + b"\r\n" for line in lines))

    def close(self) -> None:
        """End the stream (FIN)."""
        self.transport.close()

    def announce(self) -> None:
        """Tell how many mails there are, if the folder is open."""
        if self._is_open:
            self.say(b"* %d EXISTS" % self._server.exists)

    def _answer(self, line: bytes) -> Iterator[bytes]:
        """Yield what one line of the client is answered with."""
        if self._tag_of_idle:
            assert line.upper() == b"DONE", line
            yield self._tag_of_idle + b" OK IDLE over"
            self._tag_of_idle = b""
        elif self._tag_of_login:
            yield self._tag_of_login + b" OK [CAPABILITY %b] in" % CAPABILITIES
            self._tag_of_login = b""
        else:
            yield from self._answer_command(line)

    def _answer_command(self, line: bytes) -> Iterator[bytes]:
        self._server.commands += 1
        tag, _, rest = line.partition(b" ")
        name, _, arguments = rest.partition(b" ")
        if name.upper() == b"UID":
            second, _, arguments = arguments.partition(b" ")
            name += b" " + second
        answer = _ANSWERS.get(name.upper())
        if answer is None:
            yield tag + b" BAD what is " + name
            return
        yield from answer(self, tag, arguments)

    def _log_in(self, tag: bytes, arguments: bytes) -> Iterator[bytes]:
        self._server.logins += 1
        if arguments.upper() == b"PLAIN":
            self._tag_of_login = tag
            yield b"+ "
            return
        yield tag + b" OK [CAPABILITY %b] in" % CAPABILITIES

    def _tell_capabilities(self, tag: bytes, _arguments: bytes) -> Iterator[bytes]:
        yield b"* CAPABILITY " + CAPABILITIES
        yield tag + b" OK CAPABILITY"

    def _open(self, tag: bytes, arguments: bytes) -> Iterator[bytes]:
        self._is_open = arguments.strip(b'"') == self._server.folder
        if not self._is_open:
            yield tag + b" NO [NONEXISTENT] no such folder"
            return
        yield b"* FLAGS (\\Seen \\Deleted)"
        yield b"* %d EXISTS" % self._server.exists
        yield b"* 0 RECENT"
        yield b"* OK [UIDVALIDITY %d] valid" % UID_VALIDITY
        yield b"* OK [UIDNEXT %d] next" % (self._server.exists + 1)
        yield tag + b" OK [READ-ONLY] EXAMINE"

    def _fetch(self, tag: bytes, arguments: bytes) -> Iterator[bytes]:
        numbers, _, items = arguments.partition(b" ")
        for uid in self._uids(numbers):
            yield b"* %d FETCH (%b)" % (uid, _fetched(uid, items))
        yield tag + b" OK FETCH"

    def _search(self, tag: bytes, arguments: bytes) -> Iterator[bytes]:
        """Answer with the number of mails, all of them unread, or with their UIDs."""
        words = arguments.upper().split()
        if words[0] == b"RETURN":
            yield b'* ESEARCH (TAG "%b") UID COUNT %d' % (tag, self._server.exists)
        else:
            numbers = words[words.index(b"UID") + 1] if b"UID" in words else b"1:*"
            yield b" ".join(
                (b"* SEARCH", *(b"%d" % uid for uid in self._uids(numbers)))
            )
        yield tag + b" OK SEARCH"

    def _idle(self, tag: bytes, _arguments: bytes) -> Iterator[bytes]:
        self._tag_of_idle = tag
        yield b"+ idling"

    def _log_out(self, tag: bytes, _arguments: bytes) -> Iterator[bytes]:
        yield b"* BYE see you"
        yield tag + b" OK LOGOUT"

    def _do_nothing(self, tag: bytes, _arguments: bytes) -> Iterator[bytes]:
        yield tag + b" OK done"

    def _uids(self, numbers: bytes) -> list[int]:
        """Return what a sequence set selects, ascending (RFC 3501 9)."""
        last = self._server.exists
        uids: set[int] = set()
        for part in numbers.split(b","):
            ends = [last if end == b"*" else int(end) for end in part.split(b":")]
            uids.update(range(max(1, min(ends)), min(last, max(ends)) + 1))
        return sorted(uids)


_ANSWERS: Final[dict[bytes, Callable[[_Client, bytes, bytes], Iterator[bytes]]]] = {
    b"AUTHENTICATE": _Client._log_in,
    b"CAPABILITY": _Client._tell_capabilities,
    b"EXAMINE": _Client._open,
    b"ID": _Client._do_nothing,
    b"IDLE": _Client._idle,
    b"LOGIN": _Client._log_in,
    b"LOGOUT": _Client._log_out,
    b"NOOP": _Client._do_nothing,
    b"UID FETCH": _Client._fetch,
    b"UID SEARCH": _Client._search,
}


def _fetched(uid: int, items: bytes) -> bytes:
    """Return the asked for items of a mail."""
    found = [b"UID %d" % uid]
    if b"FLAGS" in items:
        found.append(b"FLAGS ()")
    if b"INTERNALDATE" in items:
        found.append(b'INTERNALDATE "23-Nov-2026 09:00:00 +0000"')
    if b"RFC822.SIZE" in items:
        found.append(b"RFC822.SIZE %d" % (1000 + uid))
    if section := _SECTION.search(items):
        header = _header(uid)
        offset = b"<%b>" % section[2] if section[2] else b""
        found.append(b"BODY%b%b {%d}\r\n%b" % (section[1], offset, len(header), header))
    if b"BODYSTRUCTURE" in items:
        found.append(_STRUCTURE)
    return b" ".join(found)


def _header(uid: int) -> bytes:
    """Return the header fields of a mail."""
    return (
        b"From: Ann Example <ann%d@example.org>\r\n"
        b"To: user@example.org\r\n"
        b"Subject: =?utf-8?q?Mail_n=C2=BA_%d?=\r\n"
        b"Message-ID: <%d@example.org>\r\n\r\n" % (uid % 100, uid, uid)
    )
