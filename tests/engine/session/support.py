"""A session with INBOX open on a server that gives prepared replies."""

import asyncio
from collections.abc import Awaitable, Callable

from custom_components.imap_push.imap.session.session import Session

from ..conftest import account
from ..scripted import CAPABILITIES, Peer, ScriptedServer

# The commands of a sync by their names in the replies; the first that matches counts.
KINDS = {
    "examine": b"EXAMINE ",
    "newest": b"UID FETCH 4294967295:*",
    "fetch": b"UID FETCH ",
    "old": b"UID SEARCH RETURN (COUNT) UID ",
    "search": b"UID SEARCH UID ",
    "all": b"UID SEARCH ALL",
    "count": b"UID SEARCH ",
    "status": b"STATUS ",
    "logout": b"LOGOUT",
}

# The untagged octets, and the tagged response without its tag.
type Reply = tuple[bytes, bytes]


def flags(number: int, uid: int) -> bytes:
    """Return a FETCH response without message data."""
    return b"* %d FETCH (UID %d FLAGS (\\Seen))\r\n" % (number, uid)


def replying(
    replies: dict[str, Reply | list[Reply]],
) -> Callable[[Peer], Awaitable[None]]:
    """Return a script that gives these replies by kind of command, by default OK.

    Of several replies to a kind, each is given one time, the last one again and again.
    """
    left = {
        kind: list(given) if isinstance(given, list) else [given]
        for kind, given in replies.items()
    }

    async def serve(peer: Peer) -> None:
        kind = ""
        while kind != "logout":
            tag, _, command = (await peer.line()).partition(b" ")
            kind = next(
                name for name, start in KINDS.items() if command.startswith(start)
            )
            given = left.get(kind, [(b"", b"OK done")])
            octets, status = given.pop(0) if len(given) > 1 else given[0]
            peer.say_raw(octets)
            if not status:
                peer.close()
                return
            peer.say(tag + b" " + status)

    return serve


class InboxSession:
    """A session that has INBOX open on a scripted server."""

    def __init__(
        self,
        serve: Callable[[Peer], Awaitable[None]],
        capabilities: bytes = CAPABILITIES,
        **examined: int,
    ) -> None:
        """Set the response to EXAMINE, and the script that runs after it."""
        self._serve = serve
        self._capabilities = capabilities
        self._examined = examined

    async def __aenter__(self) -> Session:
        """Start the server and open INBOX."""

        async def script(peer: Peer) -> None:
            await peer.log_in(self._capabilities)
            await peer.examine(**self._examined)
            await self._serve(peer)

        self.server = ScriptedServer(script)
        await self.server.__aenter__()
        self._session = await Session.open(account(self.server.port))
        await self._session.examine("INBOX")
        return self._session

    @property
    def commands(self) -> list[bytes]:
        """Return the commands after EXAMINE, without their tags."""
        lines = [line.partition(b" ")[2] for line in self.server.peers[0].received]
        return lines[2:]

    async def __aexit__(self, *args: object) -> None:
        """Log out and stop the server."""
        async with asyncio.timeout(5):
            await self._session.close()
        await self.server.__aexit__(*args)  # type: ignore[arg-type]
