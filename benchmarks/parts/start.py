"""The start time of Home Assistant."""

from dataclasses import dataclass
import time
from typing import Final

from benchmarks.clients import CORE, IDLE
from benchmarks.entries import core_imap, imap_push
from benchmarks.environment import Environment
from benchmarks.home import Home
from benchmarks.numbers import median, percentile
from benchmarks.table import Column, Table, make_table

TITLE: Final = "Start of Home Assistant"
MEANING: Final = (
    "From starting the process until Home Assistant reports that it is running: median, "
    "quickest and slowest of several starts, with and without accounts in turn. The first "
    "start of each, which creates the entities, is left out. Noise is the interquartile "
    "range of the starts without an account."
)
ACCOUNTS: Final = 20
STARTS: Final = 7
QUICK_STARTS: Final = 1
NONE: Final = "none"


@dataclass(frozen=True)
class Starts:
    """Starts with some accounts, in seconds."""

    client: str
    accounts: int
    starts: tuple[float, ...]

    @property
    def median(self) -> float:
        """Return the median."""
        return median(self.starts)

    @property
    def spread(self) -> float:
        """Return the interquartile range."""
        return percentile(self.starts, 75) - percentile(self.starts, 25)


COLUMNS: Final = (
    Column[Starts]("client", lambda row: row.client),
    Column[Starts]("accounts", lambda row: str(row.accounts)),
    Column[Starts]("median", lambda row: f"{row.median:.2f} s"),
    Column[Starts]("quickest", lambda row: f"{min(row.starts):.2f} s"),
    Column[Starts]("slowest", lambda row: f"{max(row.starts):.2f} s"),
    Column[Starts]("starts", lambda row: str(len(row.starts))),
)


async def measure(environment: Environment) -> Table:
    """Start each Home Assistant several times."""
    users = [f"start{number}@example.org" for number in range(ACCOUNTS)]
    with environment.dovecot(users, notify=False) as server:
        port = server.imaps_port
        homes = {
            NONE: environment.home("start-none"),
            IDLE: environment.home(
                "start-push", [imap_push(user, port) for user in users]
            ),
        }
        if not environment.is_quick:
            accounts = [core_imap(user, port) for user in users]
            homes[CORE] = environment.home("start-core", accounts)
        for home in homes.values():
            await _start(home)
        starts: dict[str, list[float]] = {client: [] for client in homes}
        for _ in range(QUICK_STARTS if environment.is_quick else STARTS):
            for client, home in homes.items():
                starts[client].append(await _start(home))
    rows = [
        Starts(client, 0 if client == NONE else ACCOUNTS, tuple(seconds))
        for client, seconds in starts.items()
    ]
    return make_table(TITLE, MEANING, COLUMNS, rows)


async def _start(home: Home) -> float:
    """Start and stop; return the seconds of the start."""
    began = time.monotonic()
    await home.start()
    seconds = time.monotonic() - began
    await home.stop()
    return seconds
