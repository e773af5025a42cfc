"""A server on a real socket that plays scripts of a test."""

import asyncio
from collections.abc import Awaitable, Callable
import contextlib
import re
import ssl
from types import TracebackType
from typing import Any, Self, override

from custom_components.imap_push.imap.wire.parser import Value

from tests.rig.reset import reset

CAPABILITIES = b"IMAP4rev1 IDLE ESEARCH SASL-IR"


class LoggedOut(ConnectionError):
    """The client logged out before the end of the script."""


class Peer:
    """The server's side of one connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Use an accepted connection."""
        self._reader = reader
        self._writer = writer
        self.received: list[bytes] = []
        self._exists = 0  # the last EXISTS
        self._examined = (0, 1, 1)  # EXISTS, UIDVALIDITY, UIDNEXT

    async def line(self) -> bytes:
        """Return the next line of the client, without CRLF.

        The request for the last UID gets no message: the client uses UIDNEXT then.
        """
        line = await self._reader.readuntil(b"\r\n")
        while line.endswith(b" UID FETCH 4294967295:* (UID)\r\n"):
            self.say(line.partition(b" ")[0] + b" OK done")
            line = await self._reader.readuntil(b"\r\n")
        self.received.append(line[:-2])
        return line[:-2]

    async def expect(self, command: str) -> bytes:
        """Read the next command, which has to match the pattern; return its tag."""
        line = await self.line()
        tag, _, rest = line.partition(b" ")
        if rest == b"LOGOUT" and command != "LOGOUT":
            raise LoggedOut(f"expected {command}")
        assert re.match(command, rest.decode()), f"expected {command}, got {rest!r}"
        return tag

    def say(self, *lines: bytes) -> None:
        """Send lines in one write."""
        for line in lines:
            if match := re.match(rb"\* (\d+) EXISTS", line):
                self._exists = int(match[1])
        self._writer.write(b"".join(line + b"\r\n" for line in lines))

    def say_raw(self, octets: bytes) -> None:
        """Send octets unchanged."""
        self._writer.write(octets)

    async def drain(self) -> None:
        """Wait until the send buffer is below its limit."""
        await self._writer.drain()

    async def answer(
        self, command: str, *lines: bytes, ok: bytes = b"OK done"
    ) -> bytes:
        """Expect a command, send untagged lines and its tagged response; return its tag."""
        tag = await self.expect(command)
        self.say(*lines, tag + b" " + ok)
        return tag

    async def log_in(self, capabilities: bytes = CAPABILITIES) -> None:
        """Send the greeting and accept LOGIN."""
        self.say(b"* OK [CAPABILITY %s] ready" % capabilities)
        await self.answer("LOGIN", ok=b"OK [CAPABILITY %s] in" % capabilities)

    async def examine(
        self, exists: int = 0, uid_validity: int = 1, uid_next: int = 1
    ) -> None:
        """Answer EXAMINE."""
        self._examined = exists, uid_validity, uid_next
        tag = await self.expect("EXAMINE")
        self._say_examined(tag)

    def _say_examined(self, tag: bytes) -> None:
        self.say(
            b"* %d EXISTS" % self._examined[0],
            b"* OK [UIDVALIDITY %d] valid" % self._examined[1],
            b"* OK [UIDNEXT %d] next" % self._examined[2],
            tag + b" OK [READ-ONLY] opened",
        )

    async def sync(self, *uids: int, unread: int = 0) -> bytes:
        """Answer the sync of a folder with these messages; return its first FETCH command.

        If the client selects the folder again, it is as before but for these messages.
        """
        await self.expect("EXAMINE|UID FETCH")
        command = self.received[-1]
        if b" EXAMINE " in command:
            exists, uid_validity, uid_next = self._examined
            exists += sum(uid >= uid_next for uid in uids)
            uid_next = max(uid_next, max(uids, default=0) + 1)
            self._examined = exists, uid_validity, uid_next
            self._say_examined(command.partition(b" ")[0])
            await self.expect("UID FETCH")
            command = self.received[-1]
        self.fetch(command, *uids)
        line = await self.line()
        if b" UID FETCH 4294967295:* " in line:
            self.fetch(line, *uids)
            line = await self.line()
        if b" UID SEARCH RETURN (COUNT) UID 1:" in line:
            tag, below = line.partition(b" ")[0], int(line.rpartition(b":")[2])
            old = max(0, self._exists - sum(uid > below for uid in uids))
            self.say(b"* ESEARCH (TAG x) UID COUNT %d" % old, tag + b" OK counted")
            line = await self.line()
        assert b" UID SEARCH " in line
        count = line.partition(b" ")[0]
        self.say(b"* ESEARCH (TAG x) UID COUNT %d" % unread, count + b" OK counted")
        return command

    async def sync_tags(self) -> tuple[bytes, bytes]:
        """Return the tags of the FETCH and of the count of a sync; there is no last message."""
        fetch = await self.expect("UID FETCH")
        while not (line := await self.line()).endswith(b" UNSEEN"):
            self.say(line.partition(b" ")[0] + b" OK done")
        return fetch, line.partition(b" ")[0]

    def fetch(self, line: bytes, *uids: int) -> None:
        """Answer a UID FETCH of one range in a folder with these UIDs (RFC 3501 6.4.8).

        They are the last messages of the folder.
        """
        tag, _, _, uid_range, items = line.split(b" ", 4)
        last = max(uids, default=0)
        ends = [last if end == b"*" else int(end) for end in uid_range.split(b":")]
        for number, uid in enumerate(uids, max(0, self._exists - len(uids)) + 1):
            if min(ends) <= uid <= max(ends):
                uid_only = b"* %d FETCH (UID %d)\r\n" % (number, uid)
                self.say_raw(uid_only if items == b"(UID)" else mail(number, uid))
        self.say(tag + b" OK fetched")

    async def idle(self) -> bytes:
        """Accept IDLE; return its tag."""
        tag = await self.expect("IDLE")
        self.say(b"+ idling")
        return tag

    async def done(self, tag: bytes) -> None:
        """Wait for DONE and complete IDLE."""
        assert await self.line() == b"DONE"
        self.say(tag + b" OK idle over")

    async def leave(self) -> None:
        """Answer LOGOUT, and before it the FETCH of an account check: there is no mail."""
        tag, _, command = (await self.line()).partition(b" ")
        while command.startswith(b"UID FETCH "):
            self.say(tag + b" OK fetched")
            tag, _, command = (await self.line()).partition(b" ")
        assert command == b"LOGOUT", command
        self.say(b"* BYE see you", tag + b" OK done")

    async def until_closed(self) -> bytes:
        """Return all octets of the client until it closes the connection. Answer LOGOUT."""
        sent = b""
        with contextlib.suppress(ConnectionError):
            while chunk := await self._reader.read(65536):
                sent += chunk
                if sent.endswith(b" LOGOUT\r\n"):
                    tag = sent.split(b"\r\n")[-2].partition(b" ")[0]
                    self.say(b"* BYE see you", tag + b" OK")
        return sent

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Start TLS on the connection."""
        await self._writer.start_tls(context)

    def close(self) -> None:
        """Close the connection (FIN)."""
        self._writer.close()

    def reset(self) -> None:
        """Reset the connection (RST)."""
        reset(self._writer)


type Script = Callable[[Peer], Awaitable[None]]


class ScriptedServer:
    """A server that plays one script for each connection, in order.

    An error in a script makes the test fail.
    """

    def __init__(self, *scripts: Script, context: ssl.SSLContext | None = None) -> None:
        """Play these scripts."""
        self._scripts = list(scripts)
        self._context = context
        self._tasks: list[asyncio.Task[None]] = []
        self.peers: list[Peer] = []
        self.port = 0

    async def __aenter__(self) -> Self:
        """Listen on a free port of loopback."""
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", 0, ssl=self._context
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close all connections; raise the error of a script unless the test already failed."""
        self._server.close()
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        for peer in self.peers:
            peer.close()
        await self._server.wait_closed()
        for result in results:
            if exc is None and isinstance(result, Exception):
                raise result

    async def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        peer = Peer(reader, writer)
        self.peers.append(peer)
        if not self._scripts:
            peer.reset()
            return
        self._tasks.append(
            asyncio.ensure_future(self._play(self._scripts.pop(0), peer))
        )

    async def _play(self, script: Script, peer: Peer) -> None:
        try:
            await script(peer)
        except Exception:
            peer.reset()
            raise
        await peer.until_closed()


class BrokenItems(dict[str, Value]):
    """Items of a message, one of which cannot be read because of a defect."""

    def __init__(self, broken: str, **items: Value) -> None:
        """Raise an error when the item `broken` is read."""
        super().__init__(**items)
        self._broken = broken

    @override
    def get(self, key: str, default: object = None) -> Any:
        if key == self._broken:
            raise OverflowError("ours")
        return super().get(key, default)


def mail(number: int, uid: int, subject: str | None = None) -> bytes:
    """Return the FETCH response of a message with this sequence number and UID."""
    header = f"From: Ann <ann@example.org>\r\nSubject: {subject or f'mail {uid}'}\r\n\r\n".encode()
    return (
        b"* %d FETCH (UID %d FLAGS () INTERNALDATE "
        b'"23-Nov-2026 09:00:00 +0000" RFC822.SIZE 100 BODY[HEADER.FIELDS (FROM)] {%d}\r\n%b '
        b'BODYSTRUCTURE ("text" "plain" NIL NIL NIL "7bit" 10 1))\r\n'
    ) % (number, uid, len(header), header)
