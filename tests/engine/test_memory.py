"""The memory of one connection and of one account is limited, however much a server sends.

The client is a separate process whose resident memory is measured (docs/reliability.md).
"""

import asyncio
from collections.abc import Awaitable, Callable
import contextlib
import sys

import pytest

from .scripted import CAPABILITIES, LoggedOut, Peer, ScriptedServer

pytestmark = pytest.mark.once

MAX_OF_CONNECTION = 64_000_000  # octets
MAX_OF_ACCOUNT = 100_000_000
SECONDS = 2.0
CHUNK = 65_536  # octets that are sent at a time

HEADER = b"Subject: " + b"x" * 60_000 + b"\r\n\r\n"
STRUCTURE = b"(" + b'("a" "b" NIL NIL NIL "7bit" 1 1)' * 6_000 + b' "mixed")'


def message(uid: int, structure: bytes = b"NIL") -> bytes:
    """Return a FETCH response with a large header."""
    return (
        b"* 1 FETCH (UID %d FLAGS () RFC822.SIZE 1 BODY[HEADER.FIELDS (X)]<0> {%d}\r\n%b"
        b" BODYSTRUCTURE %b)\r\n" % (uid, len(HEADER), HEADER, structure)
    )


def flags(uid: int) -> bytes:
    """Return a FETCH response just below the maximum size, with as many values as possible."""
    return b"* 1 FETCH (UID %d FLAGS (" % uid + b"a " * 24_000 + b"))\r\n"


# The command that is answered, and a function that returns the response piece by piece: it is
# called with 0, 1, 2, ... until it returns b"".
FLOODS: dict[str, tuple[bytes, Callable[[int], bytes]]] = {
    "EXISTS in EXAMINE": (b"EXAMINE", lambda _: b"* 1 EXISTS\r\n" * 1_000),
    "FLAGS in EXAMINE": (b"EXAMINE", lambda _: b"* FLAGS\r\n" * 1_000),
    "ESEARCH": (b"UID SEARCH", lambda _: b"* ESEARCH\r\n" * 1_000),
    "STATUS": (b"STATUS", lambda _: b"* STATUS\r\n" * 1_000),
    "FETCH without anything": (b"UID FETCH", lambda _: b"* 1 FETCH\r\n" * 1_000),
    "FETCH with UID": (
        b"UID FETCH",
        lambda n: b"".join(b"* 1 FETCH (UID %d)\r\n" % (n * 1_000 + k) for k in range(2, 1_002)),
    ),
    "FETCH with headers": (b"UID FETCH", lambda n: message(n + 2)),
    "FETCH with structures": (b"UID FETCH", lambda n: message(n + 2, STRUCTURE)),
    "FETCH with flags": (b"UID FETCH", lambda n: flags(n + 2)),
    "FETCH that never ends": (
        b"UID FETCH",
        lambda n: b"a " * 8_000 if n else b"* 1 FETCH (UID 2 FLAGS (",
    ),
    "pushed mail": (b"IDLE", lambda n: b"" if n else b"+ idling\r\n" + message(9_999_999) * 400),
    "pushed mail without an end": (b"IDLE", lambda n: message(9_999_999) if n else b"+ x\r\n"),
    "pushed flags": (
        b"IDLE",
        lambda n: b"* 1 FETCH (FLAGS ())\r\n" * 1_000 if n else b"+ x\r\n",
    ),
    "a line without an end in IDLE": (b"IDLE", lambda n: b"a" * CHUNK if n else b"+ x\r\n"),
    "a literal without an end": (
        b"IDLE",
        lambda n: b"a" * CHUNK if n else b"+ x\r\n* 1 FETCH (UID 2 X {900000000}\r\n",
    ),
}  # fmt: skip


def flooding(
    name: bytes, flood: Callable[[int], bytes]
) -> Callable[[Peer], Awaitable[None]]:
    """Return a script that answers one command with a flood, and all others normally."""

    async def serve(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY %b] ready" % CAPABILITIES)
        with contextlib.suppress(
            LoggedOut, ConnectionError, asyncio.IncompleteReadError
        ):
            while True:
                await answer(peer, await peer.line())

    async def answer(peer: Peer, line: bytes) -> None:
        tag, _, command = line.partition(b" ")
        if command.startswith(name):
            number = 0
            while octets := flood(number):
                peer.say_raw(octets)
                await peer.drain()
                number += 1
        elif command.startswith(b"LOGIN"):
            peer.say(tag + b" OK [CAPABILITY %b] in" % CAPABILITIES)
        elif command.startswith((b"EXAMINE", b"SELECT")):
            peer.say(b"* 9 EXISTS", b"* OK [UIDVALIDITY 1]", b"* OK [UIDNEXT 9999]")
            peer.say(tag + b" OK opened")
        elif command.startswith(b"IDLE"):
            peer.say(b"+ idling")
        elif tag != b"DONE":
            peer.say(tag + b" OK done")

    return serve


async def growth(name: str, folders: int) -> int:
    """Return the growth of the memory of a process that watches so many folders, in octets."""
    script = flooding(*FLOODS[name])
    async with ScriptedServer(*[script] * 200) as server:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.engine.memory_child"),
            *(str(server.port), str(SECONDS), str(folders)),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await child.communicate()
        assert child.returncode == 0
    return int(output)


@pytest.mark.parametrize("name", FLOODS)
async def test_memory_of_one_connection_is_limited(name: str) -> None:
    """The memory grows by less than 64 MB."""
    assert await growth(name, folders=1) < MAX_OF_CONNECTION


@pytest.mark.parametrize(
    "name",
    [
        "FETCH with structures",
        "FETCH with flags",
        "FETCH that never ends",
        "pushed mail",
    ],
)
async def test_memory_of_all_connections_of_an_account_is_limited(name: str) -> None:
    """With six connections, five of which watch folders, it grows by less than 100 MB."""
    assert await growth(name, folders=5) < MAX_OF_ACCOUNT
