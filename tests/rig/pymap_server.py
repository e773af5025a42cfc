"""pymap, an in-memory IMAP server that runs in this process."""

from argparse import Namespace
import asyncio
from asyncio import StreamReader, StreamWriter
from datetime import UTC, datetime
from email.message import EmailMessage
import time
from typing import Final, override

from proxyprotocol.sock import SocketInfo
from pymap.backend.dict import Config, Login
from pymap.backend.dict.mailbox import MailboxData
from pymap.concurrent import Event, Subsystem
from pymap.config import BackendCapability
from pymap.imap import IMAPServer
from pymap.parsing.message import AppendMessage
from pymap.parsing.response import UntaggedResponse
from pymap.parsing.response.specials import FetchResponse
from pymap.parsing.specials.flag import Flag
from pymap.selected import SelectedMailbox
from pymap.user import Passwords, UserMetadata
from pysasl.hashing import Cleartext

from .certificate import Certificate
from .ports import LOOPBACK
from .reset import reset
from .running import Running

USER: Final = "demo@example.org"
PASSWORD: Final = "demo"

# pymap merges FETCH responses with the same message sequence number, even across an EXPUNGE that
# changes the numbers, and then returns one mail's header with another one's UID. Do not merge.
FetchResponse.merge_key = UntaggedResponse.merge_key  # type: ignore[assignment]

_update_selected = MailboxData.update_selected


async def _update_selected_at_once(
    self: MailboxData, selected: SelectedMailbox, *, wait_on: Event | None = None
) -> SelectedMailbox:
    """Report a change between the last response and IDLE; pymap waits for the next change."""
    if selected.mod_sequence != self._mod_sequences.highest:
        wait_on = None
    return await _update_selected(self, selected, wait_on=wait_on)


MailboxData.update_selected = _update_selected_at_once  # type: ignore[method-assign]


class PymapServer(Running):
    """pymap on its own port, and on a second one with TLS if there is a certificate.

    Mail in memory and ports stay the same after stop() and start().
    """

    def __init__(
        self,
        certificate: Certificate | None = None,
        *,
        user: str = USER,
        password: str = PASSWORD,
        idle: bool = True,
    ) -> None:
        """Serve one user; advertise IDLE only if `idle` is true."""
        self.port = 0
        self.tls_port = 0
        self._certificate = certificate
        self._config = _Config(user, password, idle=idle)
        self._login = Login(self._config)
        self._servers: list[asyncio.Server] = []
        self._connections: dict[asyncio.Task[None], StreamWriter] = {}

    @property
    def connections(self) -> int:
        """Return the number of connected clients."""
        return len(self._connections)

    @override
    async def start(self) -> None:
        """Listen on free ports, or on the ports of the last start."""
        self._config.apply_context()
        if not self._login.users_dict:
            await self._add_user()
        plain = await asyncio.start_server(self._accept, LOOPBACK, self.port)
        self._servers = [plain]
        self.port = plain.sockets[0].getsockname()[1]
        if self._certificate is not None:
            tls = await asyncio.start_server(
                self._accept,
                LOOPBACK,
                self.tls_port,
                ssl=self._certificate.server_context(),
            )
            self._servers.append(tls)
            self.tls_port = tls.sockets[0].getsockname()[1]

    @override
    async def stop(self) -> None:
        """Stop listening and reset every connection."""
        for server in self._servers:
            server.close()
        await self.drop_clients()
        for server in self._servers:
            await server.wait_closed()
        self._servers = []

    async def drop_clients(self) -> None:
        """Send RST on every open connection and wait until all have ended."""
        tasks = set(self._connections)
        for writer in self._connections.values():
            reset(writer)
        if tasks:
            await asyncio.wait(tasks)

    async def append(
        self, message: EmailMessage | bytes, folder: str = "INBOX"
    ) -> float:
        """Append a message as another client does; return the `time.time()` of it."""
        arrived = AppendMessage(bytes(message), datetime.now(UTC), frozenset[Flag]())
        async with self._login.demo_user_identity.new_session() as session:
            await session.append_messages(folder, [arrived])
        return time.time()

    async def create_folder(self, folder: str) -> None:
        """Create a folder."""
        async with self._login.demo_user_identity.new_session() as session:
            await session.create_mailbox(folder)

    async def _add_user(self) -> None:
        """Add the user."""
        password = await Passwords(self._config).hash_password(
            self._config.demo_password
        )
        await self._login.demo_user_identity.set(
            UserMetadata(self._config, self._config.demo_user, password=password)
        )

    async def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Serve one client and keep a reference to its task.

        pymap's own listener keeps no reference, so on Python 3.14 the garbage collector ends
        connections at random.
        """
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = writer
        try:
            server = IMAPServer(self._login, self._config)
            await server(reader, writer, SocketInfo.get(writer, None))
        finally:
            del self._connections[task]


class _Config(Config):
    """pymap's settings without a command line."""

    def __init__(self, user: str, password: str, *, idle: bool) -> None:
        """Allow plain-text passwords on the port without TLS."""
        self._idle = idle
        super().__init__(
            Namespace(passlib_cfg=None, proxy_protocol=None),
            host=None,
            port=0,
            demo_data=False,
            demo_user=user,
            demo_password=password,
            tls_enabled=False,
            # Hashing and threads would only make the tests slower.
            hash_context=Cleartext(),
            cpu_subsystem=Subsystem.for_asyncio(),
        )

    @property
    @override
    def backend_capability(self) -> BackendCapability:
        """Return the capabilities after login."""
        return BackendCapability(idle=self._idle, object_id=True, multi_append=True)
