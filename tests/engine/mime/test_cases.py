"""Messages of other programs: the event, `fetch` and the saved files are right.

The messages are on real servers. The expected values are what a mail program displays, and
the result of the standard library's `email`, postal-mime and mailparser if they agree.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
import contextlib
from dataclasses import dataclass, field
from datetime import datetime
from imaplib import IMAP4
from itertools import batched
from pathlib import Path
from typing import Final

from _pytest.mark import ParameterSet
import pytest

from custom_components.imap_push.imap import (
    Account,
    AccountWatcher,
    Client,
    Mail,
    MessageContent,
    PushMode,
    WatchedFolder,
    WatchOptions,
)

from ..conftest import account
from ..recorder import Recorder
from .cases.build import Case, File
from .cases.fields import FIELDS
from .cases.files import FILES
from .cases.given import GIVEN
from .cases.texts import TEXTS

from tests.required import require
from tests.rig import dovecot, pymap_server
from tests.rig.certificate import make_certificate
from tests.rig.ports import LOOPBACK

CASES: Final = (*GIVEN, *FIELDS, *TEXTS, *FILES)
SIZES: Final = (200, 4_000)
SECONDS: Final = 60.0
# Messages that arrive together: Dovecot announces new mail every half second.
BURST: Final = 20


@dataclass(frozen=True)
class Delivered:
    """The results of delivery and `fetch` for a message, by the size of its text."""

    mails: dict[int, Mail]
    contents: dict[int, MessageContent]
    saved: tuple[bytes, ...]


@dataclass(frozen=True)
class Setup:
    """A server and a push mode."""

    server: str
    push: PushMode
    options: WatchOptions = field(default_factory=WatchOptions)


SETUPS: Final = {
    "Dovecot NOTIFY": Setup("dovecot", PushMode.NOTIFY),
    "Dovecot IDLE": Setup("dovecot", PushMode.IDLE, WatchOptions(notify=False)),
    "Dovecot polling": Setup(
        "dovecot", PushMode.POLL, WatchOptions(push=False, poll_interval=0.5)
    ),
    # While mail arrives quickly, pymap sometimes sends no EXISTS during IDLE.
    "pymap polling": Setup(
        "pymap", PushMode.POLL, WatchOptions(push=False, poll_interval=0.5)
    ),
}


@pytest.fixture(scope="module")
def results() -> dict[str, dict[str, Delivered]]:
    """Return the cache of results for each server and push mode."""
    return {}


def parameters() -> Iterator[ParameterSet]:
    """Yield each message with each server and push mode."""
    for name, setup in SETUPS.items():
        for case in CASES:
            if case.on_pymap or setup.server != "pymap":
                mark = getattr(pytest.mark, setup.server)
                yield pytest.param(case, name, id=f"{name}, {case.id}", marks=mark)


@pytest.mark.parametrize(("case", "setup"), parameters())
async def test_message(
    case: Case,
    setup: str,
    results: dict[str, dict[str, Delivered]],
    tmp_path: Path,
) -> None:
    """Event, `fetch` and files have the text that a mail program displays."""
    if setup not in results:
        results[setup] = await delivered(SETUPS[setup], tmp_path)
    found = results[setup][case.id]
    saved = found.saved
    if SETUPS[setup].server == "pymap":
        saved = without_line_ends(saved, case)
    for size in SIZES:
        mail, content = found.mails[size], found.contents[size]
        for read in (mail, content.mail):
            assert fields(read, case) == expected_fields(case)
            assert files(read, saved) == case.files
        assert mail.text == case.text[:size]
        assert content.text == case.text[:size]
        assert mail.truncated is (case.is_cut or len(case.text) > size)
        assert content.truncated is (len(case.text) > size)


def fields(mail: Mail, case: Case) -> dict[str, object]:
    """Return the header fields of a mail; shortened lists of addresses are completed."""
    to, cc = mail.to, mail.cc
    if case.is_cut:
        to, cc = completed(to, case.to), completed(cc, case.cc)
    return {
        "sender": mail.sender,
        "name": mail.sender_name,
        "to": to,
        "cc": cc,
        "subject": mail.subject,
        "date": mail.date and mail.date.replace(microsecond=0),
    }


def completed(
    addresses: tuple[str, ...], all_of_them: tuple[str, ...]
) -> tuple[str, ...]:
    """Return all expected addresses if the list is a sufficiently long beginning of them."""
    return addresses + all_of_them[max(len(addresses), 100) :]


def expected_fields(case: Case) -> dict[str, object]:
    """Return the expected header fields of a message."""
    date = case.date and datetime.fromisoformat(case.date).replace(microsecond=0)
    return {
        "sender": case.sender,
        "name": case.name,
        "to": case.to,
        "cc": case.cc,
        "subject": case.subject,
        "date": date,
    }


def files(mail: Mail, saved: Sequence[bytes]) -> tuple[File, ...]:
    """Return the attachments of a mail with their saved content."""
    return tuple(
        File(
            name=attachment.filename,
            type=attachment.content_type,
            content=content,
            inline=attachment.inline,
        )
        for attachment, content in zip(mail.attachments, saved, strict=True)
    )


def without_line_ends(saved: Sequence[bytes], case: Case) -> tuple[bytes, ...]:
    """Return files without the line end before a delimiter, which pymap includes."""
    return tuple(
        content if content == file.content else content.removesuffix(b"\r\n")
        for content, file in zip(saved, case.files, strict=True)
    )


async def delivered(setup: Setup, folder: Path) -> dict[str, Delivered]:
    """Append all messages to a mailbox; return the results for each."""
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(SERVERS[setup.server](folder))
        recorders = [
            await stack.enter_async_context(watching(server.account, setup, size))
            for size in SIZES
        ]
        number = 0
        for burst in batched(CASES, BURST, strict=False):
            for case in burst:
                await server.append(case.octets)
            number += len(burst)
            await until_delivered(recorders, number)
        arrivals = [
            [arrival.mail for arrival in recorder.arrivals] for recorder in recorders
        ]
        client = Client(server.account)
        stack.push_async_callback(client.close)
        return {
            case.id: await fetched(client, dict(zip(SIZES, mails, strict=True)))
            for case, *mails in zip(CASES, *arrivals, strict=True)
        }


async def fetched(client: Client, mails: dict[int, Mail]) -> Delivered:
    """Return the results for a message, with those of `fetch` and the saved files."""
    mail = mails[SIZES[0]]
    place = mail.folder, mail.uid_validity, mail.uid
    contents = {size: await client.content(*place, text_size=size) for size in SIZES}
    saved = [
        b"".join([piece async for piece in client.read_part(*place, file.part)])
        for file in mail.attachments
    ]
    return Delivered(mails, contents, tuple(saved))


@contextlib.asynccontextmanager
async def watching(
    account: Account, setup: Setup, size: int
) -> AsyncIterator[Recorder]:
    """Watch INBOX with texts of this size."""
    recorder = Recorder()
    folders = {"INBOX": WatchedFolder(text_size=size)}
    watcher = AccountWatcher(account, folders, setup.options, recorder)
    task = asyncio.create_task(watcher.run())
    try:
        await recorder.until(lambda: is_watched(recorder, setup.push), SECONDS)
        yield recorder
    finally:
        task.cancel()
        await asyncio.wait([task])


def is_watched(recorder: Recorder, push: PushMode) -> bool:
    """Return True if INBOX is watched in this push mode."""
    if not recorder.states:
        return False
    state = recorder.state.folders.get("INBOX")
    return bool(state and state.available and state.push_mode is push)


async def until_delivered(recorders: Sequence[Recorder], number: int) -> None:
    """Wait until each recorder has so many messages."""
    for recorder in recorders:
        await recorder.until(
            lambda recorder=recorder: len(recorder.arrivals) >= number,  # type: ignore[misc]
            SECONDS,
        )


@dataclass(frozen=True)
class Server:
    """A running server."""

    account: Account
    append: Callable[[bytes], Awaitable[object]]


@contextlib.asynccontextmanager
async def dovecot_with_mailbox(folder: Path) -> AsyncIterator[Server]:
    """Run Dovecot."""
    require(dovecot.Dovecot.available(), "Dovecot 2.3")
    with (
        dovecot.Dovecot(make_certificate(folder)) as server,
        IMAP4(LOOPBACK, server.imap_port) as other,
    ):
        login = {"username": dovecot.USER, "password": dovecot.PASSWORD}
        other.login(*login.values())

        async def append(octets: bytes) -> None:
            answer = await asyncio.to_thread(other.append, "INBOX", "", "", octets)
            assert answer[0] == "OK"

        yield Server(account(server.imap_port, **login), append)


@contextlib.asynccontextmanager
async def pymap_with_mailbox(_: Path) -> AsyncIterator[Server]:
    """Run pymap."""
    async with pymap_server.PymapServer() as server:
        login = {"username": pymap_server.USER, "password": pymap_server.PASSWORD}
        yield Server(account(server.port, **login), server.append)


SERVERS: Final = {"dovecot": dovecot_with_mailbox, "pymap": pymap_with_mailbox}
