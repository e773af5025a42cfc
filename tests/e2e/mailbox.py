"""A mailbox on Dovecot: mail arrives by LMTP, and another client lists and deletes it."""

import asyncio
from collections.abc import Iterator
import contextlib
from dataclasses import dataclass
from email.message import EmailMessage
from imaplib import IMAP4_SSL

from tests.rig.certificate import Certificate
from tests.rig.dovecot import PASSWORD, Dovecot
from tests.rig.inbox import list_inbox
from tests.rig.lmtp import LmtpSender, deliver
from tests.rig.mails import plain
from tests.rig.ports import LOOPBACK


@dataclass(frozen=True)
class Mailbox:
    """One user's mailbox."""

    server: Dovecot
    certificate: Certificate
    user: str

    async def deliver(self, mail: str | EmailMessage, folder: str = "") -> float:
        """Deliver a mail, or a plain one with this subject; return when it was accepted."""
        message = plain(mail) if isinstance(mail, str) else mail
        user = self.user.replace("@", f"+{folder}@") if folder else self.user
        return await deliver(self.server.lmtp_port, user, message)

    async def deliver_all(self, subjects: list[str]) -> None:
        """Deliver mails as fast as the server accepts them."""
        async with LmtpSender(self.server.lmtp_port) as sender:
            await sender.send_all(self.user, [plain(subject) for subject in subjects])

    async def listing(self) -> list[tuple[int, str]]:
        """Return UID and subject of every mail, read by another client."""
        return await asyncio.to_thread(self._listing)

    async def delete_newest(self) -> None:
        """Delete the newest mail with another client."""
        await asyncio.to_thread(self._delete_newest)

    def create(self, folder: str) -> None:
        """Create a folder with another client."""
        with self._client() as client:
            client.create(folder)

    def found(self, folder: str, keys: str) -> int:
        """Return how many mails of a folder another client finds."""
        with self._client() as client:
            client.select(folder, readonly=True)
            _, [found] = client.search(None, keys)
            return len(found.split())

    def _listing(self) -> list[tuple[int, str]]:
        with self._client() as client:
            return list_inbox(client)

    def _delete_newest(self) -> None:
        with self._client() as client:
            client.select()
            client.store("*", "+FLAGS", r"(\Deleted)")
            client.expunge()

    @contextlib.contextmanager
    def _client(self) -> Iterator[IMAP4_SSL]:
        """Log in with imaplib, which is independent of our client."""
        context = self.certificate.client_context()
        with IMAP4_SSL(LOOPBACK, self.server.imaps_port, ssl_context=context) as client:
            client.login(self.user, PASSWORD)
            yield client
