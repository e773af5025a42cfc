"""An IMAP server that computes its mails: any number of them, and none is stored."""

import asyncio
from typing import override

from .light_client import Habits, LightClient, Store
from .light_folder import LightFolder
from .ports import LOOPBACK, listening_port
from .reset import reset_transport
from .running import Running


class LightServer(Running):
    """A server with folders that are empty at first.

    The content of a mail is computed from its UID. The server listens on a port after start(),
    or is connected to a VirtualLoop through `accept`.
    """

    def __init__(self, *folders: str, habits: Habits | None = None) -> None:
        """Serve these folders, or only an inbox."""
        names = [name.encode() for name in folders or ("INBOX",)]
        self.habits = habits or Habits()
        self._store = Store(
            habits=self.habits, folders={name: LightFolder(name) for name in names}
        )
        self._clients = self._store.clients
        self.asked = self._store.asked
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Return the port that clients connect to, without TLS."""
        return listening_port(self._server)

    @property
    def exists(self) -> int:
        """Return the number of mails in the inbox."""
        return self.folder().exists

    @property
    def logins(self) -> int:
        """Return the number of login attempts."""
        return self.asked[b"LOGIN"] + self.asked[b"AUTHENTICATE"]

    @property
    def connections(self) -> int:
        """Return the number of connected clients."""
        return len(self._clients)

    @property
    def is_watched(self) -> bool:
        """Return whether a client has selected the inbox and is in IDLE."""
        clients, inbox = self._clients, self.folder()
        return any(client.is_idle and client.has_open(inbox) for client in clients)

    @override
    async def start(self) -> None:
        """Listen on a free port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self.accept, LOOPBACK, 0)

    @override
    async def stop(self) -> None:
        """Stop listening and close every connection."""
        if self._server is not None:
            self._server.close()
            self.close_all()
            await self._server.wait_closed()
            self._server = None

    def accept(self) -> LightClient:
        """Return the protocol of a new connection."""
        return LightClient(self._store)

    def folder(self, name: str = "INBOX") -> LightFolder:
        """Return a folder."""
        return self._store.folders[name.encode()]

    def deliver(self, count: int, name: str = "INBOX") -> None:
        """Add mails and announce them to the clients that wait for it."""
        folder = self.folder(name)
        folder.last += count
        uids = range(folder.last - count + 1, folder.last + 1)
        for client in tuple(self._clients):
            client.send_unsolicited(folder, [b"* %d EXISTS" % folder.exists], uids)

    def slip_in(self, count: int, name: str = "INBOX") -> None:
        """Add mails without an announcement."""
        self.folder(name).last += count

    def expunge(self, uid: int, name: str = "INBOX") -> None:
        """Remove a mail, as another client does."""
        folder = self.folder(name)
        line = b"* %d EXPUNGE" % folder.sequence_number(uid)
        folder.gone.add(uid)
        for client in tuple(self._clients):
            client.send_unsolicited(folder, [line])

    def read(self, uid: int, name: str = "INBOX") -> None:
        """Mark a mail as read, as another client does."""
        folder = self.folder(name)
        folder.seen.add(uid)
        for client in tuple(self._clients):
            client.send_unsolicited(folder, [folder.fetched(uid, b"FLAGS")])

    def flag(self, uid: int, name: str = "INBOX") -> None:
        """Flag a mail, as another client does."""
        folder = self.folder(name)
        folder.flagged.add(uid)
        for client in tuple(self._clients):
            client.send_unsolicited(folder, [folder.fetched(uid, b"FLAGS")])

    def remove(self, name: str) -> LightFolder:
        """Remove a folder and disconnect clients that have selected it. Return it, for `restore`."""
        folder = self._store.folders.pop(name.encode())
        for client in tuple(self._clients):
            if client.has_open(folder):
                self._dismiss(client)
        return folder

    def restore(self, folder: LightFolder) -> None:
        """Add a removed folder again."""
        self._store.folders[folder.name] = folder

    def create(self, name: str, *, validity: int, after: int) -> None:
        """Create an empty folder; its first mail gets the number that follows `after`."""
        folder = LightFolder(name.encode(), after=after)
        folder.uid_validity = validity
        self.restore(folder)

    def forget(self, name: str, *, renamed: bool = False) -> LightFolder:
        """Delete a folder, or rename it. Clients that have it open keep it, and get no news."""
        folder = self._store.folders.pop(name.encode())
        if not renamed:
            folder.gone.update(range(1, folder.last + 1))
        return folder

    def overflow(self) -> None:
        """End NOTIFY for all clients with NOTIFICATIONOVERFLOW."""
        for client in tuple(self._clients):
            client.overflow()

    def reset_all(self) -> None:
        """Send RST on every connection."""
        for client in tuple(self._clients):
            reset_transport(client.transport)

    def close_all(self) -> None:
        """Close every connection (FIN)."""
        for client in tuple(self._clients):
            client.close()

    def dismiss_all(self) -> None:
        """Close every connection after a BYE."""
        for client in tuple(self._clients):
            self._dismiss(client)

    @staticmethod
    def _dismiss(client: LightClient) -> None:
        client.say(b"* BYE server shuts down")
        client.close()
