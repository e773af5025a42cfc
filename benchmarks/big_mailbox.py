"""Mailboxes with any number of messages, created in seconds."""

import asyncio
import os
from pathlib import Path
from typing import Final

from .announcements import Announcements
from .mail import ordinary

from tests.rig.dovecot import Dovecot

# A file system limits the hard links to one file.
LINKS: Final = 30_000
# Every second message is unread.
FLAGS: Final = ("", "S")


def fill(server: Dovecot, user: str, count: int) -> None:
    """Write a Maildir before its first use, with few files and many hard links to them."""
    maildir = server.folder / "mail" / user
    for name in ("cur", "new", "tmp"):
        (maildir / name).mkdir(parents=True)
        server.give(maildir / name)
    server.give(maildir)
    content = bytes(ordinary("One of many"))
    # With the sizes in its name (S: as stored, W: with CRLF), the server need not read a file.
    sizes = f"S={len(content)},W={len(content.replace(b'\n', b'\r\n'))}"
    source = Path()
    for number in range(count):
        flags = FLAGS[number % len(FLAGS)]
        name = f"{1_700_000_000 + number}.M{number}P1.bench,{sizes}:2,{flags}"
        path = maildir / "cur" / name
        if number % LINKS == 0:
            path.write_bytes(content)
            server.give(path)
            source = path
        else:
            os.link(source, path)


async def index(server: Dovecot, user: str) -> None:
    """Open a mailbox, so that the server builds its index before the measurement."""
    async with asyncio.timeout(120), Announcements(server.imap_port, user, seconds=120):
        pass
