"""Memory and processor time of many quiet accounts."""

import asyncio
from collections.abc import AsyncIterator
import contextlib
from dataclasses import dataclass
from typing import Final

from benchmarks.clients import CORE, IDLE, NOTIFY
from benchmarks.entries import core_imap, imap_push
from benchmarks.environment import Environment
from benchmarks.home import Home
from benchmarks.process import Memory, processor_seconds
from benchmarks.table import Column, Table, make_table

from tests.rig.dovecot import Dovecot
from tests.rig.proxy import Proxy

TITLE: Final = "Quiet accounts"
MEANING: Final = (
    "Accounts with one folder each and without new mail. One Home Assistant per client, "
    "all at the same time. *Per account* is the additional unshared memory, compared with "
    "an empty Home Assistant, divided by the number of accounts. It includes the code "
    "that is loaded only for the client. Processor time is that of the whole process in "
    "percent of one core, and the difference from the empty one. It is measured for two "
    "minutes, from one minute after the start. During this time, the server sends one "
    "keepalive to each connection."
)
ACCOUNTS: Final = 100
QUICK_ACCOUNTS: Final = 5
CONNECT_SECONDS: Final = 180
PAUSE_SECONDS: Final = 60
QUICK_PAUSE_SECONDS: Final = 2
WATCH_SECONDS: Final = 120
QUICK_WATCH_SECONDS: Final = 3
EMPTY: Final = "empty"


@dataclass(frozen=True)
class Quiet:
    """A Home Assistant with quiet accounts; memory in KiB, time in per cent of a core."""

    client: str
    accounts: int
    connections: int
    resident: int
    unique: int
    per_account: float | None
    processor: float
    processor_over_empty: float | None
    octets_per_account_hour: float | None


COLUMNS: Final = (
    Column[Quiet]("client", lambda row: row.client),
    Column[Quiet]("accounts", lambda row: str(row.accounts)),
    Column[Quiet]("connections", lambda row: str(row.connections)),
    Column[Quiet]("RSS", lambda row: f"{row.resident / 1024:.1f} MB"),
    Column[Quiet]("USS", lambda row: f"{row.unique / 1024:.1f} MB"),
    Column[Quiet](
        "per account",
        lambda row: "" if row.per_account is None else f"{row.per_account:.0f} KB",
    ),
    Column[Quiet]("CPU", lambda row: f"{row.processor:.2f} %"),
    Column[Quiet](
        "over empty",
        lambda row: (
            ""
            if row.processor_over_empty is None
            else f"{row.processor_over_empty:.2f} %"
        ),
    ),
    Column[Quiet](
        "bytes per account and hour",
        lambda row: (
            ""
            if row.octets_per_account_hour is None
            else f"{row.octets_per_account_hour:,.0f}"
        ),
    ),
)


@dataclass(frozen=True)
class _Watched:
    """A Home Assistant and the proxy of its accounts."""

    client: str
    home: Home
    proxy: Proxy
    accounts: int


async def measure(environment: Environment) -> Table:
    """Measure Home Assistants in which nothing happens."""
    is_quick = environment.is_quick
    async with _running(environment) as watched:
        await asyncio.gather(*map(_until_connected, watched))
        await asyncio.sleep(QUICK_PAUSE_SECONDS if is_quick else PAUSE_SECONDS)
        seconds = QUICK_WATCH_SECONDS if is_quick else WATCH_SECONDS
        rows = await asyncio.gather(*(_watch(one, seconds) for one in watched))
    return make_table(
        TITLE, MEANING, COLUMNS, [_with_differences(row, rows[0]) for row in rows]
    )


@contextlib.asynccontextmanager
async def _running(environment: Environment) -> AsyncIterator[list[_Watched]]:
    """Run an empty Home Assistant and one for each client."""
    count = QUICK_ACCOUNTS if environment.is_quick else ACCOUNTS
    users = [f"quiet{number}@example.org" for number in range(count)]
    async with contextlib.AsyncExitStack() as stack:
        servers = {
            notify: stack.enter_context(environment.dovecot(users, notify=notify))
            for notify in (False, True)
        }
        watched = [await _prepare(stack, environment, EMPTY, servers[True], [])]
        for client in (CORE, IDLE, NOTIFY):
            server = servers[client == NOTIFY]
            watched.append(await _prepare(stack, environment, client, server, users))
        for one in watched:
            stack.push_async_callback(one.home.stop)
        await asyncio.gather(*(one.home.start() for one in watched))
        yield watched


async def _prepare(
    stack: contextlib.AsyncExitStack,
    environment: Environment,
    client: str,
    server: Dovecot,
    users: list[str],
) -> _Watched:
    """Return a Home Assistant that is not started yet."""
    proxy = await stack.enter_async_context(Proxy(server.imaps_port))
    account = core_imap if client == CORE else imap_push
    entries = [account(user, proxy.port) for user in users]
    home = environment.home(f"quiet-{client.replace(' ', '-')}", entries)
    return _Watched(client, home, proxy, len(users))


async def _until_connected(watched: _Watched) -> None:
    """Wait for a connection of each account."""
    async with asyncio.timeout(CONNECT_SECONDS):
        while watched.proxy.open_connections < watched.accounts:
            await asyncio.sleep(0.1)


async def _watch(watched: _Watched, seconds: float) -> Quiet:
    """Measure for some seconds."""
    pid, proxy = watched.home.pid, watched.proxy
    processor = processor_seconds(pid)
    octets = proxy.bytes_down + proxy.bytes_up
    await asyncio.sleep(seconds)
    spent = processor_seconds(pid) - processor
    octets = proxy.bytes_down + proxy.bytes_up - octets
    memory = Memory.of(pid)
    return Quiet(
        watched.client,
        watched.accounts,
        proxy.open_connections,
        memory.resident,
        memory.unique,
        per_account=None,
        processor=100 * spent / seconds,
        processor_over_empty=None,
        octets_per_account_hour=(
            octets / watched.accounts * 3600 / seconds if watched.accounts else None
        ),
    )


def _with_differences(row: Quiet, empty: Quiet) -> Quiet:
    """Return the row with the differences to the empty Home Assistant."""
    if not row.accounts:
        return row
    values = vars(row) | {
        "per_account": (row.unique - empty.unique) / row.accounts,
        "processor_over_empty": row.processor - empty.processor,
    }
    return Quiet(**values)
