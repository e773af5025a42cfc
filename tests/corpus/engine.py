"""Read messages the way a user gets them: through Dovecot, events, `fetch` and saved files."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
import imaplib
from pathlib import Path
import re
import tempfile
from typing import Final

from custom_components.imap_push.imap import (
    Account,
    AccountState,
    AccountWatcher,
    Arrival,
    Client,
    Mail,
    Mark,
    MessageContent,
    Security,
    WatchedFolder,
    WatchOptions,
)

from .reading import (
    File,
    Reading,
    Value,
    address,
    addresses,
    date,
    file,
    line,
    text_line,
)

from tests.rig.certificate import make_certificate
from tests.rig.dovecot import PASSWORD, USER, Dovecot
from tests.rig.ports import LOOPBACK

# Characters of text that are fetched; the event has fewer.
FETCHED_TEXT: Final = 100_000
# Seconds until watching begins, and without a new mail until the rest counts as lost.
_START_SECONDS: Final = 20
_QUIET_SECONDS: Final = 60
_UID: Final = re.compile(rb"\[APPENDUID \d+ (\d+)\]")


class Push(StrEnum):
    """How the mail becomes known."""

    NOTIFY = "notify"
    IDLE = "idle"
    POLL = "poll"

    @property
    def options(self) -> WatchOptions:
        """Return the options of an account that is watched this way."""
        return WatchOptions(
            push=self is not Push.POLL,
            notify=self is Push.NOTIFY,
            poll_interval=2.0,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A message as the server gives it, and what the engine reads in it.

    `mail` is the event and None if none came.
    """

    data: bytes
    mail: Mail | None = None
    content: MessageContent | None = None
    files: tuple[File, ...] = ()


@dataclass(slots=True)
class _Listener:
    """Collects the mails by UID."""

    mails: dict[int, Mail] = field(default_factory=dict)
    repeated: int = 0
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    def state_changed(self, state: AccountState) -> None:
        if (folder := state.folders.get("INBOX")) and folder.available:
            self.ready.set()

    async def mail_arrived(self, arrival: Arrival) -> None:
        self.repeated += arrival.mail.uid in self.mails
        self.mails[arrival.mail.uid] = arrival.mail

    def mark_moved(self, folder: str, mark: Mark) -> None: ...

    def login_refused(self) -> None: ...

    def alerted(self, text: str) -> None: ...


@contextmanager
def server() -> Iterator[Account]:
    """Run a Dovecot with an empty INBOX."""
    with (
        tempfile.TemporaryDirectory(prefix="corpus-") as folder,
        Dovecot(make_certificate(Path(folder))) as dovecot,
    ):
        yield Account(
            host=LOOPBACK,
            port=dovecot.imap_port,
            username=USER,
            password=PASSWORD,
            security=Security.NONE,
        )


async def read_all(
    account: Account, messages: Sequence[bytes], push: Push, text_size: int
) -> list[Read]:
    """Append messages as they are while INBOX is watched; return what is read in each."""
    listener = _Listener()
    folders = {"INBOX": WatchedFolder(text_size=text_size)}
    watcher = AccountWatcher(account, folders, push.options, listener)
    watching = asyncio.create_task(watcher.run())
    try:
        await asyncio.wait_for(listener.ready.wait(), _START_SECONDS)
        uids = await asyncio.to_thread(_append, account.port, messages)
        await _all_arrived(listener, len(uids))
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    assert not listener.repeated, f"{listener.repeated} mails were delivered twice"
    stored = await asyncio.to_thread(_stored, account.port, uids)
    client = Client(account)
    try:
        return [
            await _read(client, data, listener.mails.get(uid))
            for uid, data in zip(uids, stored, strict=True)
        ]
    finally:
        await client.close()


async def _all_arrived(listener: _Listener, expected: int) -> None:
    """Return when all mails are there, or none came for a while."""
    quiet = 0.0
    while len(listener.mails) < expected and quiet < _QUIET_SECONDS:
        before = len(listener.mails)
        await asyncio.sleep(0.2)
        quiet = quiet + 0.2 if len(listener.mails) == before else 0.0


async def _read(client: Client, data: bytes, mail: Mail | None) -> Read:
    if mail is None:
        return Read(data=data)
    where = (mail.folder, mail.uid_validity, mail.uid)
    content = await client.content(*where, text_size=FETCHED_TEXT)
    files = []
    for it in mail.attachments:
        octets = b"".join([piece async for piece in client.read_part(*where, it.part)])
        # A part without a name is called by its number; other programs have no name for it.
        made = re.fullmatch(
            rf"attachment-{it.part.replace('.', '-')}\.\w+", it.filename
        )
        files.append(file("" if made else it.filename, it.content_type, octets))
    return Read(data=data, mail=mail, content=content, files=tuple(files))


@contextmanager
def _inbox(port: int) -> Iterator[imaplib.IMAP4]:
    with imaplib.IMAP4(LOOPBACK, port) as connection:
        connection.login(USER, PASSWORD)
        connection.select("INBOX", readonly=True)
        yield connection


def _append(port: int, messages: Sequence[bytes]) -> list[int]:
    """Append messages; return their UIDs (RFC 4315 3)."""
    uids = []
    with _inbox(port) as connection:
        for data in messages:
            # The library's own method would change each lone CR and LF.
            connection.literal = data  # type: ignore[assignment]
            status, answer = connection._simple_command("APPEND", "INBOX")
            match = _UID.search(answer[0])
            assert status == "OK" and match, answer
            uids.append(int(match[1]))
    return uids


def _stored(port: int, uids: Sequence[int]) -> list[bytes]:
    """Return messages as the server gives them."""
    with _inbox(port) as connection:
        return [
            connection.uid("FETCH", str(uid), "(BODY.PEEK[])")[1][0][1] for uid in uids
        ]


def reading_of(
    read: Read, text_size: int, line_of: Callable[[str], str] = text_line
) -> Reading:
    """Return what the event, `fetch` and the saved files say; `line_of` normalizes texts."""
    mail, content = read.mail, read.content
    assert mail is not None and content is not None
    values: dict[str, Value] = {
        "sender": address(mail.sender),
        "sender_name": line(mail.sender_name),
        "to": addresses(mail.to),
        "cc": addresses(mail.cc),
        "reply_to": addresses(mail.reply_to),
        "subject": line(mail.subject),
        "message_id": line(mail.message_id),
        "date": date(mail.date),
        "event_text": line_of(mail.text or ""),
        "text": line_of(content.text),
    }
    cut = set(values) - {"text", "event_text"} if mail.truncated else set()
    # A text may only be cut where it is long.
    if mail.truncated and len(mail.text or "") >= text_size // 4:
        cut.add("event_text")
    if content.truncated and len(content.text) >= FETCHED_TEXT // 4:
        cut.add("text")
    return Reading(values=values, files=read.files, cut=frozenset(cut))
