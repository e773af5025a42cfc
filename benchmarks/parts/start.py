"""The start time of Home Assistant."""

from dataclasses import dataclass
import time
from typing import Final

from benchmarks.clients import CORE, IDLE
from benchmarks.entries import core_imap, imap_push
from benchmarks.environment import Environment
from benchmarks.home import Home
from benchmarks.numbers import median
from benchmarks.table import Column, Table, make_table
from custom_components.imap_push import PLATFORMS, SHOWING_MAIL
from custom_components.imap_push.const import DOMAIN

TITLE: Final = "Start of Home Assistant"
MEANING: Final = (
    "From starting the process until Home Assistant reports that it is running: median, "
    "quickest, and slowest of several starts, with and without accounts in turn. The "
    "first start of each, which creates the entities, is left out. *Import* is the "
    "processor time to import the integration with the platforms that it sets up, as Home "
    "Assistant does. After each start without accounts, first `imap_push` is imported, "
    "and then core `imap`, for which `aioimaplib` is already imported (median)."
)
ACCOUNTS: Final = 20
STARTS: Final = 20
QUICK_STARTS: Final = 1
NONE: Final = "none"
INTEGRATIONS: Final[dict[str, tuple[str, list[str]]]] = {
    # The platforms of an account with default options.
    IDLE: (DOMAIN, [name for name in PLATFORMS if name not in SHOWING_MAIL]),
    CORE: ("imap", ["sensor"]),
}


@dataclass(frozen=True)
class Starts:
    """Starts with some accounts, in seconds, and imports without, in milliseconds."""

    client: str
    accounts: int
    starts: tuple[float, ...]
    imports: tuple[float, ...]

    @property
    def median(self) -> float:
        """Return the median."""
        return median(self.starts)

    @property
    def import_median(self) -> float | None:
        """Return the median of the imports."""
        return median(self.imports) if self.imports else None


COLUMNS: Final = (
    Column[Starts]("client", lambda row: row.client),
    Column[Starts]("accounts", lambda row: str(row.accounts)),
    Column[Starts]("median", lambda row: f"{row.median:.2f} s"),
    Column[Starts]("quickest", lambda row: f"{min(row.starts):.2f} s"),
    Column[Starts]("slowest", lambda row: f"{max(row.starts):.2f} s"),
    Column[Starts]("starts", lambda row: str(len(row.starts))),
    Column[Starts](
        "import",
        lambda row: "" if row.import_median is None else f"{row.import_median:.1f} ms",
    ),
)


async def measure(environment: Environment) -> Table:
    """Start each Home Assistant several times."""
    users = [f"start{number}@example.org" for number in range(ACCOUNTS)]
    with environment.dovecot(users, notify=False) as server:
        port = server.imaps_port
        entries = {
            NONE: [],
            IDLE: [imap_push(user, port) for user in users],
            CORE: [core_imap(user, port) for user in users],
        }
        homes = {
            client: environment.home(
                f"start-{client.replace(' ', '-')}", accounts, has_loop_meter=True
            )
            for client, accounts in entries.items()
        }
        starts: dict[str, list[float]] = {client: [] for client in homes}
        imports: dict[str, list[float]] = {client: [] for client in homes}
        for _ in range(1 + (QUICK_STARTS if environment.is_quick else STARTS)):
            for client, home in homes.items():
                began = time.monotonic()
                await home.start()
                starts[client].append(time.monotonic() - began)
                if client == NONE:
                    await _import(home, imports)
                await home.stop()
    rows = [
        Starts(
            client,
            len(entries[client]),
            tuple(starts[client][1:]),
            tuple(imports[client][1:]),
        )
        for client in homes
    ]
    return make_table(TITLE, MEANING, COLUMNS, rows)


async def _import(home: Home, imports: dict[str, list[float]]) -> None:
    """Import each integration into a Home Assistant that has none of them."""
    for client, (domain, platforms) in INTEGRATIONS.items():
        imports[client].append(await home.import_integration(domain, platforms))
