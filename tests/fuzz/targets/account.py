"""A whole account that is watched and used, with a server that sends anything."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterator
import contextlib
from functools import partial
import ssl
from typing import Final

from custom_components.imap_push.imap import (
    Account,
    AccountWatcher,
    Client,
    Criteria,
    ImapError,
    Mark,
    Security,
    WatchedFolder,
    WatchOptions,
)

from ..loop import MeasuredLoop
from ..server import Script, ScriptServer, ServerState
from ..target import Target, Violation
from ..virtual_run import SECRET, Listener, run_in_virtual_time
from . import account_seeds

# Seconds for which an account is watched, and within which a request has to end: it may be
# several commands, each of which a slow server can delay up to its deadline.
_WATCH_SECONDS: Final = 60.0
_REQUEST_SECONDS: Final = 3600.0
# Commands that an account may send: at the start, and in each second.
_BURST: Final = 500
_COMMANDS_PER_SECOND: Final = 60

_CONTEXT: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class _Tokens:
    """A token source with one token and its renewal."""

    async def token(self, *, renew: bool = False) -> str:
        """Return the token."""
        return f"{SECRET}-renewed" if renew else SECRET


def execute(data: bytes) -> float:
    """Watch and use an account whose server responds as the input says."""
    script = Script.parse(data)
    return run_in_virtual_time(partial(_run, script), debug=script.has(b"debug"))


async def _run(script: Script, loop: MeasuredLoop) -> None:
    state = ServerState(script, Counter())
    loop.accept = lambda: ScriptServer(state)
    began = loop.time()
    client = Client(_account(script))
    watching = asyncio.create_task(_watcher(script).run())
    try:
        for request in _requests(client):
            await _await_request(request)
        await asyncio.sleep(max(0.0, began + _WATCH_SECONDS - loop.time()))
    finally:
        await client.close()
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
    if state.commands.total() > _BURST + _COMMANDS_PER_SECOND * (loop.time() - began):
        [(name, _)] = state.commands.most_common(1)
        raise Violation(f"too many {name.decode(errors='replace')}")


def _account(script: Script) -> Account:
    return Account(
        host="imap.example.org",
        port=993,
        username="user",
        password=SECRET,
        token=_Tokens() if script.has(b"token") else None,
        security=Security.STARTTLS if script.has(b"starttls") else Security.NONE,
        ssl_context=_CONTEXT,
    )


def _watcher(script: Script) -> AccountWatcher:
    options = WatchOptions(
        push=not script.has(b"poll"),
        notify=not script.has(b"idle"),
        poll_interval=20.0,
    )
    folders = {
        "INBOX": WatchedFolder(mark=Mark(1, 2), text_size=500),
        "B": WatchedFolder(mark=None if script.has(b"new") else Mark(1, 2)),
    }
    return AccountWatcher(_account(script), folders, options, Listener())


def _requests(client: Client) -> Iterator[Awaitable[object]]:
    """Yield one request of each kind."""
    criteria = Criteria(subject="gr\xfc\xdfe")
    yield client.folders()
    yield client.search("INBOX", criteria, limit=5)
    yield client.count("INBOX", [criteria, Criteria(unread=True)], [2, 5])
    yield client.mails("INBOX", 1, [2, 5])
    yield client.content("INBOX", 1, 5, text_size=500)
    yield _read(client.read_part("INBOX", 1, 5, "1"))
    yield client.set_flags("INBOX", 1, [5], add=["\\Seen", "x"], remove=["y"])
    yield client.move("INBOX", 1, [2, 5], "B")
    yield client.delete("INBOX", 1, [5])
    yield client.delete("INBOX", 1, [2, 5], permanently=True)


async def _read(pieces: AsyncIterator[bytes]) -> None:
    async for _ in pieces:
        pass


async def _await_request(request: Awaitable[object]) -> None:
    """Wait for a request, which may fail only with ImapError."""
    try:
        async with asyncio.timeout(_REQUEST_SECONDS):
            await request
    except ImapError as error:
        if SECRET in str(error):
            raise Violation("the password is in an error") from error
    except TimeoutError as error:
        raise Violation("a request that does not end") from error


TARGET: Final = Target(
    name="account",
    execute=execute,
    seeds=account_seeds.scripts,
    words=account_seeds.WORDS,
)
