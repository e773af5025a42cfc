"""The cost of reconnecting to a small and a large mailbox."""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Final

from benchmarks.big_mailbox import fill, index
from benchmarks.clients import CORE, IDLE, NOTIFY
from benchmarks.counting_proxy import CountingProxy
from benchmarks.entries import Json, core_imap, disabled, imap_push
from benchmarks.environment import Environment
from benchmarks.home import Home
from benchmarks.table import Column, Table, make_table

from tests.rig.dovecot import Dovecot

TITLE: Final = "Mailbox size"
MEANING: Final = (
    "Reconnecting to a mailbox that the client knows, from the end of the TLS handshake "
    "to waiting for mail, with a round-trip time of 100 ms. Every second message is "
    "unread. A round trip is everything that the client sends without receiving anything "
    "in between. Bytes are those of IMAP, without TLS. The time includes half a round "
    "trip for the greeting."
)
SMALL: Final = 10
LARGE: Final = 200_000
QUICK_LARGE: Final = 2_000
ROUND_TRIP_SECONDS: Final = 0.1
QUICK_ROUND_TRIP_SECONDS: Final = 0.02
WAITING_SECONDS: Final = 120
# A client may still have work to do when it waits for the first time.
PAUSE_SECONDS: Final = 3
QUICK_PAUSE_SECONDS: Final = 0.3


@dataclass(frozen=True)
class Reconnect:
    """A client that connects to a mailbox."""

    client: str
    messages: int
    round_trips: int
    down: int
    up: int
    seconds: float


COLUMNS: Final = (
    Column[Reconnect]("client", lambda row: row.client),
    Column[Reconnect]("messages", lambda row: f"{row.messages:,}"),
    Column[Reconnect]("round trips", lambda row: str(row.round_trips)),
    Column[Reconnect]("down", lambda row: f"{row.down:,}"),
    Column[Reconnect]("up", lambda row: f"{row.up:,}"),
    Column[Reconnect]("time", lambda row: f"{row.seconds * 1000:.0f} ms"),
)


async def measure(environment: Environment) -> Table:
    """Connect each client to a small mailbox and to a large one."""
    sizes = (SMALL, QUICK_LARGE if environment.is_quick else LARGE)
    async with contextlib.AsyncExitStack() as stack:
        servers = {
            notify: await _server(stack, environment, sizes, notify=notify)
            for notify in (False, True)
        }
        cases: list[tuple[str, int, CountingProxy, Json]] = []
        for client in (CORE, IDLE, NOTIFY):
            for size in sizes:
                proxy = await _proxy(stack, environment, servers[client == NOTIFY])
                account = core_imap if client == CORE else imap_push
                entry = disabled(account(_user(size), proxy.port))
                cases.append((client, size, proxy, entry))
        home = environment.home("mailbox", [entry for _, _, _, entry in cases])
        await stack.enter_async_context(home)
        pause = QUICK_PAUSE_SECONDS if environment.is_quick else PAUSE_SECONDS
        rows = [await _reconnect(home, *case, pause=pause) for case in cases]
    return make_table(TITLE, MEANING, COLUMNS, rows)


def _user(size: int) -> str:
    """Return the user with this number of messages."""
    return f"has{size}@example.org"


async def _server(
    stack: contextlib.AsyncExitStack,
    environment: Environment,
    sizes: tuple[int, ...],
    *,
    notify: bool,
) -> Dovecot:
    """Return a server with a filled mailbox of each size."""
    server = environment.dovecot(map(_user, sizes), notify=notify)
    stack.callback(server.close)
    for size in sizes:
        await asyncio.to_thread(fill, server, _user(size), size)
    await asyncio.to_thread(server.start)
    for size in sizes:
        await index(server, _user(size))
    return server


async def _proxy(
    stack: contextlib.AsyncExitStack, environment: Environment, server: Dovecot
) -> CountingProxy:
    """Return a proxy that counts."""
    seconds = QUICK_ROUND_TRIP_SECONDS if environment.is_quick else ROUND_TRIP_SECONDS
    context = environment.certificate.server_context()
    proxy = CountingProxy(server.imap_port, context, seconds / 2)
    return await stack.enter_async_context(proxy)


async def _reconnect(
    home: Home,
    client: str,
    size: int,
    proxy: CountingProxy,
    entry: Json,
    *,
    pause: float,
) -> Reconnect:
    """Connect two times and measure the second one."""
    for _ in range(2):
        proxy.begin()
        await home.enable(entry)
        async with asyncio.timeout(WAITING_SECONDS):
            await proxy.waiting.wait()
        await asyncio.sleep(pause)
        await home.disable(entry)
        async with asyncio.timeout(WAITING_SECONDS):
            while proxy.open_connections:
                await asyncio.sleep(0.05)
    return Reconnect(client, size, proxy.flights, proxy.down, proxy.up, proxy.seconds)
