"""Constants and servers that the tests of the watcher share."""

import asyncio
from collections.abc import AsyncIterator, Iterator
import contextlib
from datetime import UTC, datetime, timedelta

import pytest

from custom_components.imap_push.imap import (
    AccountWatcher,
    Mark,
    PushMode,
    WatchedFolder,
    WatchOptions,
)

from .. import virtual
from ..conftest import account
from ..light import IDLE, MINUTE, NOTIFY, POLL, served
from ..recorder import Recorder
from ..scripted import Peer, Script, ScriptedServer, mail
from ..virtual import VirtualLoop

from tests.rig.light_server import LightServer

TWO = ("INBOX", "Work")
# Seconds after which a folder that is polled each minute has been synced.
POLLED = MINUTE + 1
EVERY_MODE = pytest.mark.parametrize(
    "capabilities", [NOTIFY, IDLE, POLL], ids=["notify", "idle", "poll"]
)
NOW = datetime.now(UTC)
PUSH_MODES = pytest.mark.parametrize(
    "capabilities", [NOTIFY, IDLE], ids=["notify", "idle"]
)
# An unselected folder may be synced again when it may get a connection, after an hour.
MOST_OF_AN_HOUR = 50 * MINUTE
THREE = ("INBOX", "Work", "News")
NEW = WatchedFolder()


def places(marks: list[Mark]) -> list[tuple[int, int]]:
    """Return the UIDVALIDITY and next UID of each mark, without repetitions."""
    found = [(mark.uid_validity, mark.next_uid) for mark in marks]
    return list(dict.fromkeys(found))


@contextlib.asynccontextmanager
async def watching(
    *scripts: Script, mark: Mark | None = None, options: WatchOptions | None = None
) -> AsyncIterator[Recorder]:
    """Watch INBOX on a server that plays one script per connection, in real time."""
    recorder = Recorder()
    async with ScriptedServer(*scripts) as server:
        watcher = AccountWatcher(
            account(server.port),
            {"INBOX": WatchedFolder(mark=mark)},
            options or WatchOptions(),
            recorder,
        )
        task = asyncio.ensure_future(watcher.run())
        try:
            yield recorder
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def idle_forever(peer: Peer) -> None:
    """Accept IDLE, then DONE and LOGOUT."""
    await peer.done(await peer.idle())
    await peer.leave()


async def quiet(peer: Peer) -> None:
    """Serve a folder in which nothing happens, until LOGOUT."""
    await peer.log_in()
    await peer.examine(uid_next=5)
    await peer.sync()
    await idle_forever(peer)


async def unavailable(peer: Peer) -> None:
    """Refuse the login temporarily."""
    peer.say(b"* OK [CAPABILITY IMAP4rev1] ready")
    await peer.answer("LOGIN", ok=b"NO [UNAVAILABLE] try again later")
    await peer.until_closed()


def watched_inbox(
    mark: Mark | None = None,
    options: WatchOptions | None = None,
    **changes: object,
) -> contextlib.AbstractAsyncContextManager[Recorder]:
    """Watch INBOX in virtual time."""
    return virtual.watched({"INBOX": mark}, options, recorder=None, **changes)


async def refuse(peer: Peer) -> None:
    """Refuse the login because of the password."""
    peer.say(b"* OK [CAPABILITY IMAP4rev1] ready")
    await peer.answer("LOGIN", ok=b"NO [AUTHENTICATIONFAILED] wrong")
    await peer.until_closed()


def quiet_script(uid_next: int = 5, *found: int) -> Script:
    """Return a script for a folder in which nothing more happens."""

    async def serve(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_next=uid_next)
        await peer.sync(*found)
        while True:
            await peer.done(await peer.idle())
            await peer.sync(*found)

    return serve


async def drop_after_sync(peer: Peer) -> None:
    """Close the connection after a sync."""
    await peer.log_in()
    await peer.examine(uid_next=5)
    await peer.sync()
    await peer.idle()
    peer.close()


def dated(uid: int, age: timedelta, name: str) -> bytes:
    """Return a FETCH response with a message of this age."""
    date = (NOW - age).strftime("%d-%b-%Y %H:%M:%S +0000").encode()
    standard = mail(uid, uid, name).replace(b"23-Nov-2026 09:00:00 +0000", date)
    return standard.replace(
        b"Subject: ", b"Message-ID: <%b>\r\nSubject: " % name.encode()
    ).replace(
        b"{%d}" % len(header_of(name)),
        b"{%d}" % (len(header_of(name)) + 16 + len(name)),
    )


def header_of(name: str) -> bytes:
    """Return the header that `scripted.mail` writes."""
    return f"From: Ann <ann@example.org>\r\nSubject: {name}\r\n\r\n".encode()


def lines(loop: VirtualLoop) -> Iterator[bytes]:
    """Yield the commands of all clients, without tags."""
    for line in b"".join(loop.written).split(b"\r\n"):
        yield line.partition(b" ")[2]


def count_examines(loop: VirtualLoop, name: str) -> int:
    """Return how often a folder was selected."""
    return sum(line == b'EXAMINE "%b"' % name.encode() for line in lines(loop))


def folder_modes(recorder: Recorder) -> list[PushMode]:
    """Return the push mode of each folder."""
    return [state.push_mode for state in recorder.state.folders.values()]


def served_notify(loop: VirtualLoop, *folders: str, **habits: object) -> LightServer:
    """Return a server with NOTIFY to which the connections of the loop lead."""
    return served(loop, *folders, capabilities=NOTIFY, **habits)
