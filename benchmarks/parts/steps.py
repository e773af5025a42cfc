"""How long the engine blocks the event loop with the most expensive server responses."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
import contextlib
from dataclasses import dataclass
import time
from typing import Final

from benchmarks.environment import Environment
from benchmarks.table import Column, Table, make_table
from custom_components.imap_push.imap import Account, Mark, Security
from custom_components.imap_push.imap.session.session import Session
from custom_components.imap_push.imap.session.sync import read_sync, sync_request

from tests.engine.scripted import Peer, ScriptedServer

TITLE: Final = "Steps"
MEANING: Final = (
    "The longest time for which the engine alone blocks its event loop, with a plain "
    "connection to a server in the same process. The server's own work is included. This "
    "is the best of five attempts, because other processes can only make it longer."
)
TRIES: Final = 5
TICK: Final = 0.0005
LINES: Final = 10_000
HEADER_OCTETS: Final = 100_000
STRUCTURE_OCTETS: Final = 1_000_000
PART: Final = (
    b'("text" "plain" ("charset" "utf-8") NIL NIL "base64" 100 2 NIL '
    b'("attachment" ("filename" "report.pdf")) NIL NIL)'
)


@dataclass(frozen=True)
class Step:
    """What a server sent, and for how long the loop was blocked, in milliseconds."""

    what: str
    octets: int
    blocked: float


COLUMNS: Final = (
    Column[Step]("what the server sends", lambda row: row.what),
    Column[Step]("bytes", lambda row: f"{row.octets:,}"),
    Column[Step]("loop blocked", lambda row: f"{row.blocked:.1f} ms"),
)


async def measure(_setting: Environment) -> Table:
    """Send expensive responses to a session."""
    header = (b"Subject: " + b"=?utf-8?q?x=20?= " * HEADER_OCTETS)[:HEADER_OCTETS]
    many = STRUCTURE_OCTETS // len(PART)
    answers = {
        f"{LINES:,} untagged lines": b"".join(
            b"* %d FETCH (FLAGS (\\Seen))\r\n" % number for number in range(1, LINES)
        ),
        "a header of 100 KB": _mail(header, PART),
        "a structure of 1 MB": _mail(b"", b"(" + PART * many + b' "mixed")'),
    }
    rows = [
        Step(what, len(answer), min([await _blocked(answer) for _ in range(TRIES)]))
        for what, answer in answers.items()
    ]
    return make_table(TITLE, MEANING, COLUMNS, rows)


def _mail(header: bytes, structure: bytes) -> bytes:
    """Return a FETCH response of one mail."""
    return (
        b"* 1 FETCH (UID 1 FLAGS () BODY[HEADER] {%d}\r\n%b BODYSTRUCTURE %b)\r\n"
        % (
            len(header),
            header,
            structure,
        )
    )


async def _blocked(answer: bytes) -> float:
    """Return the longest block of the loop while a session reads this as the result of a sync."""

    async def serve(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_next=2)
        fetch = await peer.expect("UID FETCH")
        count = await peer.expect("UID SEARCH")
        peer.say_raw(answer)
        peer.say(fetch + b" OK", count + b" OK")
        await peer.until_closed()

    async with ScriptedServer(serve) as server:
        account = Account(
            host="127.0.0.1",
            port=server.port,
            username="user",
            password="secret",
            security=Security.NONE,
        )
        session = await Session.open(account)
        await session.examine("INBOX")
        request = sync_request(session, "INBOX", Mark(1, 1), examines=False)
        async with _pauses() as longest:
            await session.connection.send(*request.commands)
            batch = (await read_sync(session, request)).batch
            assert batch is not None
            for uid in batch.uids:
                await batch.mail(uid)
        await session.close()
    return await longest()


@contextlib.asynccontextmanager
async def _pauses() -> AsyncIterator[Callable[[], Awaitable[float]]]:
    """Run a timer; the yielded function returns its longest delay in milliseconds."""
    gaps: list[float] = []

    async def tick() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(TICK)
            gaps.append(time.perf_counter() - began - TICK)

    async def longest() -> float:
        return max(gaps) * 1000

    ticking = asyncio.create_task(tick())
    await asyncio.sleep(10 * TICK)
    gaps.clear()
    try:
        yield longest
        await asyncio.sleep(2 * TICK)
    finally:
        ticking.cancel()
