"""The time that a mail takes of Home Assistant's event loop, compared with an older commit."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.clients import EVENTS, IDLE, OURS
from benchmarks.entries import imap_push
from benchmarks.environment import Environment
from benchmarks.mail import ordinary
from benchmarks.table import Column, Table, make_table

from tests.rig.dovecot import Dovecot
from tests.rig.home_assistant import INTEGRATION
from tests.rig.lmtp import deliver

BASELINE: Final = "607e266"
THIS: Final = "this"
TITLE: Final = "Event loop per email"
MEANING: Final = (
    "Processor time of Home Assistant's event loop per email: ordinary emails, one at a "
    "time, at this commit and at an older one, in two Home Assistants at the same time. "
    "It includes the event on the websocket. The time that the event loop takes without "
    "email is subtracted."
)
MAILS: Final = 60
QUICK_MAILS: Final = 3
WARM_UP_MAILS: Final = 5
QUIET_SECONDS: Final = 15
QUICK_QUIET_SECONDS: Final = 1
EVENT_SECONDS: Final = 60
# After each mail, the client must wait again: otherwise the next one is not pushed.
PAUSE_SECONDS: Final = 0.2


@dataclass(frozen=True)
class LoopTime:
    """The milliseconds per mail of a client at a commit."""

    client: str
    commit: str
    mails: int
    per_mail: float


COLUMNS: Final = (
    Column[LoopTime]("client", lambda row: row.client),
    Column[LoopTime]("commit", lambda row: row.commit),
    Column[LoopTime]("emails", lambda row: str(row.mails)),
    Column[LoopTime]("per email", lambda row: f"{row.per_mail:.2f} ms"),
)


async def measure(environment: Environment) -> Table:
    """Deliver mail to both commits at the same time, to one client after the other."""
    integrations = {
        BASELINE: await asyncio.to_thread(environment.integration_at, BASELINE),
        THIS: INTEGRATION,
    }
    rows: list[LoopTime] = []
    for client in OURS:
        users = {commit: f"{commit}@example.org" for commit in integrations}
        with environment.dovecot(users.values(), notify=client != IDLE) as server:
            rows += await asyncio.gather(
                *(
                    _measure(environment, server, client, commit, integration)
                    for commit, integration in integrations.items()
                )
            )
    return make_table(TITLE, MEANING, COLUMNS, rows)


async def _measure(
    environment: Environment,
    server: Dovecot,
    client: str,
    commit: str,
    integration: Path,
) -> LoopTime:
    """Return the time per mail in a Home Assistant with one account."""
    is_quick = environment.is_quick
    mails = QUICK_MAILS if is_quick else MAILS
    user = f"{commit}@example.org"
    home = environment.home(
        f"loop-{commit}-{client.replace(' ', '-')}",
        [imap_push(user, server.imaps_port)],
        has_loop_meter=True,
        integration=integration,
    )
    async with home:
        events = await home.client.subscribe_events(EVENTS[client])

        async def deliver_and_wait(number: int) -> None:
            await deliver(server.lmtp_port, user, ordinary(f"Mail {number}"))
            async with asyncio.timeout(EVENT_SECONDS):
                await events.get()
            await asyncio.sleep(PAUSE_SECONDS)

        per_mail = await home.loop_ms_per_mail(
            deliver_and_wait,
            mails=mails,
            warm_up=WARM_UP_MAILS,
            quiet=QUICK_QUIET_SECONDS if is_quick else QUIET_SECONDS,
        )
    return LoopTime(client, commit, mails, per_mail)
