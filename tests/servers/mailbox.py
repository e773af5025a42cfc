"""The test user's mailbox, used with imaplib, which is independent of our client."""

from collections.abc import Callable, Iterator, Sequence
import contextlib
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
import imaplib
import itertools
import re
from typing import Final

from custom_components.imap_push.imap import Account, Security

from tests.rig.lmtp import deliver
from tests.rig.ports import LOOPBACK
from tests.rig.servers import MailServer

LOGIN_SECONDS: Final = 20.0
_numbers: Final = itertools.count(1)


@dataclass(frozen=True)
class Message:
    """A message as another client sees it."""

    uid: int
    message_id: str
    flags: frozenset[str]


class Mailbox:
    """One login of another client. Folder names are as on the wire, without quotes."""

    def __init__(self, server: MailServer, *, over_tls: bool = False) -> None:
        """Log in at the plain port, or at the port for TLS."""
        self.server = server
        context = server.certificate.client_context()
        if over_tls:
            self.imap: imaplib.IMAP4 = imaplib.IMAP4_SSL(
                LOOPBACK, server.imaps_port, ssl_context=context, timeout=LOGIN_SECONDS
            )
        else:
            self.imap = imaplib.IMAP4(LOOPBACK, server.imap_port, timeout=LOGIN_SECONDS)
        if not over_tls and server.needs_starttls:
            self.imap.starttls(context)
        self.imap.login(server.user, server.password)

    def close(self) -> None:
        """Log out."""
        with contextlib.suppress(imaplib.IMAP4.error, OSError):
            self.imap.logout()

    def do(self, command: Callable[..., tuple[str, list[object]]], *args: str) -> None:
        """Run a command; raise AssertionError if the server refuses it."""
        status, data = command(*args)
        assert status == "OK", (command.__name__, args, data)

    def provide(self, name: str) -> None:
        """Create a folder unless it exists."""
        self.imap.create(quoted(self.server.full_name(name)))

    def new_folder(self, name: str) -> str:
        """Create a folder that did not exist before, and return its name."""
        folder = self.server.full_name(f"{name} {next(_numbers)}")
        self.do(self.imap.create, quoted(folder))
        return folder

    def append(
        self, message: EmailMessage, folder: str = "INBOX", flags: str = ""
    ) -> None:
        """Store a message."""
        octets = message.as_bytes(policy=SMTP)
        status, data = self.imap.append(quoted(folder), flags, "", octets)
        assert status == "OK", (folder, data)

    def select(self, folder: str = "INBOX") -> int:
        """Open a folder and return the number of its messages."""
        status, counts = self.imap.select(quoted(folder))
        assert status == "OK", (folder, counts)
        return int(counts[-1] or 0)

    def store(self, number: int, change: str, flag: str) -> None:
        """Change a flag of a message in the open folder."""
        self.do(self.imap.store, str(number), f"{change}FLAGS", f"({flag})")

    def expunge(self, number: int) -> None:
        """Remove a message of the open folder."""
        self.store(number, "+", "\\Deleted")
        self.do(self.imap.expunge)

    def empty(self, folder: str = "INBOX") -> None:
        """Remove all messages of a folder."""
        if self.select(folder):
            self.do(self.imap.store, "1:*", "+FLAGS.SILENT", "(\\Deleted)")
            self.do(self.imap.expunge)
        self.leave()

    def leave(self) -> None:
        """Close the open folder without an EXPUNGE."""
        self.imap.select("no such folder")
        self.imap.state = "AUTH"

    def settle(self, folder: str) -> None:
        """Let others see changes of the open folder: imap4d stores flags when it is closed."""
        if self.server.name == "mailutils":
            self.leave()
            self.select(folder)

    def messages(self, folder: str = "INBOX") -> list[Message]:
        """Return the messages of a folder, by UID."""
        if not self.select(folder):
            return []
        wanted = "(UID FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"
        _, lines = self.imap.fetch("1:*", wanted)
        return sorted(_messages(lines), key=lambda message: message.uid)

    def status(self, item: str, folder: str = "INBOX") -> int:
        """Return a number of STATUS."""
        _, [line] = self.imap.status(quoted(folder), f"({item})")
        found = re.search(rf"{item} (\d+)", line.decode() if line else "")
        assert found, line
        return int(found[1])


def quoted(folder: str) -> str:
    """Return a folder as an IMAP string."""
    escaped = folder.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def account(server: MailServer, port: int = 0) -> Account:
    """Return the test user's account with STARTTLS, but not on Dovecot 2.3, which has SCRAM.

    `port` is that of a proxy.
    """
    return Account(
        host=LOOPBACK,
        port=port or server.imap_port,
        username=server.user,
        password=server.password,
        security=Security.STARTTLS if server.needs_starttls else Security.NONE,
        ssl_context=server.certificate.client_context(),
    )


async def arrive(mailbox: Mailbox, message: EmailMessage) -> None:
    """Deliver a message to INBOX as other people's mail arrives: over LMTP if the server has it."""
    if mailbox.server.lmtp_port:
        await deliver(mailbox.server.lmtp_port, mailbox.server.user, message)
    else:
        mailbox.append(message)


def _messages(lines: Sequence[object]) -> Iterator[Message]:
    """Yield the messages of FETCH responses: servers order the items as they like."""
    for line, after in zip(lines, [*lines[1:], b""], strict=True):
        if not isinstance(line, tuple):
            continue
        items = line[0] + b" " + (after if isinstance(after, bytes) else b"")
        uid = re.search(rb"UID (\d+)", items)
        flags = re.search(rb"FLAGS \(([^)]*)\)", items)
        message_id = re.search(rb"<[^>]+>", line[1])
        assert uid
        yield Message(
            int(uid[1]),
            message_id[0].decode() if message_id else "",
            frozenset(flags[1].decode().split() if flags else ()),
        )
