"""Real servers that are killed and restarted; they keep their mail and their ports."""

from abc import abstractmethod
import asyncio
from typing import override

from custom_components.imap_push.imap import Security

from tests.rig import dovecot, pymap_server, servers
from tests.rig.certificate import Certificate
from tests.rig.dovecot import Dovecot
from tests.rig.pymap_server import PymapServer
from tests.rig.running import Running


class MailServer(Running):
    """A server with one user."""

    user: str
    password: str
    certificate: Certificate
    port: int  # without TLS, or with STARTTLS
    tls_port: int
    lmtp_port: int | None = None
    # LMTP delivers to user+Work into the folder Work.
    has_subaddresses = False
    # It can be killed and started again.
    can_restart = True

    def port_for(self, security: Security) -> int:
        """Return the IMAP port for this kind of encryption."""
        return self.tls_port if security is Security.TLS else self.port

    def full_name(self, folder: str) -> str:
        """Return the name of a folder outside INBOX."""
        return folder

    @abstractmethod
    async def kill(self) -> None:
        """End without BYE."""

    @abstractmethod
    async def shut_down(self) -> None:
        """End in an orderly way, with BYE if the server supports it."""


class DovecotServer(MailServer):
    """Dovecot, with LMTP."""

    user = dovecot.USER
    password = dovecot.PASSWORD
    has_subaddresses = True

    def __init__(self, certificate: Certificate, *, without: tuple[str, ...]) -> None:
        """Do not offer the capabilities `without`."""
        self.certificate = certificate
        self._dovecot = Dovecot(certificate, without=without)
        self.port = self._dovecot.imap_port
        self.tls_port = self._dovecot.imaps_port
        self.lmtp_port = self._dovecot.lmtp_port

    @override
    async def start(self) -> None:
        await asyncio.to_thread(self._dovecot.start)

    @override
    async def stop(self) -> None:
        # An orderly end of Dovecot would take a second and test nothing.
        await self.kill()
        await asyncio.to_thread(self._dovecot.close)

    @override
    async def kill(self) -> None:
        await asyncio.to_thread(self._dovecot.kill)

    @override
    async def shut_down(self) -> None:
        await asyncio.to_thread(self._dovecot.stop)


class Pymap(MailServer):
    """pymap, which has no LMTP and runs in this process: killing it resets all connections."""

    user = pymap_server.USER
    password = pymap_server.PASSWORD

    def __init__(self, certificate: Certificate) -> None:
        """Keep all mail in memory."""
        self.certificate = certificate
        self._pymap = PymapServer(certificate)

    @override
    async def start(self) -> None:
        await self._pymap.start()
        self.port, self.tls_port = self._pymap.port, self._pymap.tls_port

    @override
    async def stop(self) -> None:
        await self._pymap.stop()

    @override
    async def kill(self) -> None:
        await self._pymap.stop()

    @override
    async def shut_down(self) -> None:
        await self._pymap.stop()


class RunningServer(MailServer):
    """A server of scripts/servers, which runs already and keeps running."""

    can_restart = False

    def __init__(self, server: servers.MailServer) -> None:
        """Use this server, which accepts our password without TLS."""
        self._server = server
        self.user, self.password = server.user, server.password
        self.certificate = server.certificate
        self.port, self.tls_port = server.imap_port, server.imaps_port
        self.lmtp_port = server.lmtp_port or None

    @override
    def full_name(self, folder: str) -> str:
        return self._server.full_name(folder)

    @override
    async def start(self) -> None:
        pass

    @override
    async def stop(self) -> None:
        pass

    @override
    async def kill(self) -> None:
        raise NotImplementedError

    @override
    async def shut_down(self) -> None:
        raise NotImplementedError
