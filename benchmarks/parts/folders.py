"""The connections that the folders of an account need."""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Final

from benchmarks.clients import EVENTS, IDLE, NOTIFY
from benchmarks.entries import INBOX, imap_push
from benchmarks.environment import Environment
from benchmarks.mail import ordinary
from benchmarks.table import Column, Table, make_table

from tests.rig.lmtp import deliver
from tests.rig.proxy import Proxy

TITLE: Final = "Folders of one account"
MEANING: Final = (
    "The connections of one account that watches many folders, and the number of events "
    "after each folder received an email. Core `imap` needs one account, and so one "
    "connection, per folder."
)
FOLDERS: Final = 20
QUICK_FOLDERS: Final = 5
USER: Final = "folders@example.org"
CONNECT_SECONDS: Final = 60
PAUSE_SECONDS: Final = 5
QUICK_PAUSE_SECONDS: Final = 1
EVENT_SECONDS: Final = 30


@dataclass(frozen=True)
class Folders:
    """Connections and events of an account."""

    client: str
    folders: int
    connections: int
    events: int


COLUMNS: Final = (
    Column[Folders]("client", lambda row: row.client),
    Column[Folders]("folders", lambda row: str(row.folders)),
    Column[Folders]("connections", lambda row: str(row.connections)),
    Column[Folders]("events", lambda row: str(row.events)),
)


async def measure(environment: Environment) -> Table:
    """Watch many folders, with NOTIFY and without."""
    clients = (NOTIFY,) if environment.is_quick else (NOTIFY, IDLE)
    rows = [await _folders(environment, client) for client in clients]
    return make_table(TITLE, MEANING, COLUMNS, rows)


async def _folders(environment: Environment, client: str) -> Folders:
    """Watch many folders and deliver a mail to each."""
    count = QUICK_FOLDERS if environment.is_quick else FOLDERS
    names = (INBOX, *(f"Folder{number}" for number in range(1, count)))
    with environment.dovecot([USER], notify=client == NOTIFY) as server:
        # The first mail creates the folder.
        await _deliver_to_each(server.lmtp_port, names)
        async with Proxy(server.imaps_port) as proxy:
            entry = imap_push(USER, proxy.port, names)
            async with environment.home("folders", [entry]) as home:
                events = await home.client.subscribe_events(EVENTS[client])
                async with asyncio.timeout(CONNECT_SECONDS):
                    while not proxy.open_connections:
                        await asyncio.sleep(0.1)
                await asyncio.sleep(
                    QUICK_PAUSE_SECONDS if environment.is_quick else PAUSE_SECONDS
                )
                connections = proxy.open_connections
                await _deliver_to_each(server.lmtp_port, names)
                seen = 0
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(EVENT_SECONDS):
                        while seen < count:
                            await events.get()
                            seen += 1
    return Folders(client, count, connections, seen)


async def _deliver_to_each(port: int, names: tuple[str, ...]) -> None:
    """Deliver a mail to each folder."""
    user, _, domain = USER.partition("@")
    for name in names:
        recipient = USER if name == INBOX else f"{user}+{name}@{domain}"
        await deliver(port, recipient, ordinary(f"For {name}"))
