"""What to-do lists, pictures and values cost, compared with the default entities."""

import asyncio
from dataclasses import dataclass
import time
from typing import Any, Final

from benchmarks.clients import EVENTS, IDLE, OURS
from benchmarks.entries import INBOX, Json, imap_push, with_lists
from benchmarks.environment import Environment
from benchmarks.home import Home
from benchmarks.mail import ordinary
from benchmarks.process import Memory
from benchmarks.table import Column, Table, make_table

from tests.rig.dovecot import Dovecot
from tests.rig.lmtp import deliver
from tests.rig.proxy import Proxy

TITLE: Final = "To-do lists, pictures, and values"
MEANING: Final = (
    "An account with many folders and a saved search for each of them, with the default "
    "entities, and with the to-do list and the picture of every folder and every search and "
    "the value of every search: two Home Assistants at the same time. *Set up* is the time "
    "until all their states are known after a reload. *Loop* and *bytes* are per email: "
    "ordinary emails in the inbox, one at a time, which five lists of the inbox read. *Memory* "
    "is the unshared memory of the process after that."
)
DEFAULT: Final = "default"
LISTS: Final = "with lists"
FOLDERS: Final = 40
# To-do list and picture of the folder and of its search, and the value of the search.
LISTS_OF_FOLDER: Final = 5
QUICK_FOLDERS: Final = 4
MAILS: Final = 30
QUICK_MAILS: Final = 3
WARM_UP_MAILS: Final = 3
QUIET_SECONDS: Final = 10
QUICK_QUIET_SECONDS: Final = 1
STATE_SECONDS: Final = 120
# After each mail, both Home Assistants must have finished, and the server must push again.
PAUSE_SECONDS: Final = 1.5
UNKNOWN: Final = {"unknown", "unavailable"}
KNOWN_AT_ONCE: Final = ("_unread", "_matches", "_to_do_list", "_value")


@dataclass(frozen=True)
class Cost:
    """The cost of an account; times in milliseconds per mail, memory in KiB."""

    client: str
    entities: str
    folders: int
    set_up: float
    connections: int
    per_mail: float
    octets: float
    unique: int


COLUMNS: Final = (
    Column[Cost]("client", lambda row: row.client),
    Column[Cost]("entities", lambda row: row.entities),
    Column[Cost]("folders and searches", lambda row: str(2 * row.folders)),
    Column[Cost]("set up", lambda row: f"{row.set_up:.1f} s"),
    Column[Cost]("connections", lambda row: str(row.connections)),
    Column[Cost]("loop", lambda row: f"{row.per_mail:.2f} ms"),
    Column[Cost]("bytes", lambda row: f"{row.octets:,.0f}"),
    Column[Cost]("memory", lambda row: f"{row.unique / 1024:.1f} MB"),
)


async def measure(environment: Environment) -> Table:
    """Deliver mail to both accounts at the same time, to one client after the other."""
    rows: list[Cost] = []
    for client in OURS:
        users = [f"{_name(entities)}@example.org" for entities in (DEFAULT, LISTS)]
        with environment.dovecot(users, notify=client != IDLE) as server:
            both = asyncio.Barrier(2)
            rows += await asyncio.gather(
                *(
                    _measure(environment, server, client, entities, both)
                    for entities in (DEFAULT, LISTS)
                )
            )
    return make_table(TITLE, MEANING, COLUMNS, rows)


def _name(entities: str) -> str:
    return entities.replace(" ", "-")


async def _measure(
    environment: Environment,
    server: Dovecot,
    client: str,
    entities: str,
    both: asyncio.Barrier,
) -> Cost:
    """Return the cost of an account in a Home Assistant of its own."""
    is_quick = environment.is_quick
    count = QUICK_FOLDERS if is_quick else FOLDERS
    mails = QUICK_MAILS if is_quick else MAILS
    user = f"{_name(entities)}@example.org"
    folders = (INBOX, *(f"List{number}" for number in range(1, count)))
    for folder in folders:
        await deliver(server.lmtp_port, _address(user, folder), ordinary("Old"))
    async with Proxy(server.imaps_port) as proxy:
        entry = imap_push(user, proxy.port, folders)
        entry = with_lists(entry, has_lists=entities == LISTS)
        home = environment.home(
            f"lists-{_name(entities)}-{client.replace(' ', '-')}",
            [entry],
            has_loop_meter=True,
        )
        async with home:
            if entities == LISTS:
                await _enable(home)
                # Otherwise Home Assistant reloads the account half a minute later.
                await home.stop()
                await home.start()
            set_up = await _reload(home, entry)
            events = await home.client.subscribe_events(EVENTS[client])

            async def deliver_and_wait(number: int) -> None:
                await deliver(server.lmtp_port, user, ordinary(f"Mail {number}"))
                async with asyncio.timeout(STATE_SECONDS):
                    await events.get()
                await asyncio.sleep(PAUSE_SECONDS)

            octets = proxy.bytes_down + proxy.bytes_up
            per_mail = await home.loop_ms_per_mail(
                deliver_and_wait,
                mails=mails,
                warm_up=WARM_UP_MAILS,
                quiet=QUICK_QUIET_SECONDS if is_quick else QUIET_SECONDS,
            )
            octets = proxy.bytes_down + proxy.bytes_up - octets
            # While both run, they share the memory of the libraries.
            await both.wait()
            unique = Memory.of(home.pid).unique
            await both.wait()
            return Cost(
                client,
                entities,
                count,
                set_up,
                proxy.open_connections,
                per_mail,
                octets / (WARM_UP_MAILS + mails),
                unique,
            )


def _address(user: str, folder: str) -> str:
    """Return the address for a folder at Dovecot's LMTP server."""
    return user if folder == INBOX else user.replace("@", f"+{folder}@")


async def _enable(home: Home) -> None:
    """Enable all to-do lists and pictures."""
    found = await home.client.call("config/entity_registry/list")
    for entity in found:
        if entity["entity_id"].startswith(("todo.", "image.")):
            await home.client.call(
                "config/entity_registry/update",
                entity_id=entity["entity_id"],
                disabled_by=None,
            )


async def _reload(home: Home, entry: Json) -> float:
    """Reload the account; return the seconds until all its states are known."""
    began = time.monotonic()
    await home.client.call_service(
        "homeassistant", "reload_config_entry", {"entry_id": entry["entry_id"]}
    )
    async with asyncio.timeout(STATE_SECONDS):
        while not await _is_known(home):
            await asyncio.sleep(0.1)
    return time.monotonic() - began


async def _is_known(home: Home) -> bool:
    """Return whether all numbers, lists and values are known."""
    states: list[dict[str, Any]] = await home.client.call("get_states")
    ours = [
        state["state"] for state in states if state["entity_id"].endswith(KNOWN_AT_ONCE)
    ]
    return bool(ours) and UNKNOWN.isdisjoint(ours)
