"""Bytes on the network for a mail."""

import asyncio
import contextlib
from dataclasses import dataclass
import time
from typing import Final

from benchmarks.clients import IMAPFLOW
from benchmarks.mail import big, ordinary
from benchmarks.table import Column, Table, make_table
from benchmarks.testbed import Testbed, Watched

from tests.rig.lmtp import deliver

MAIL_TITLE: Final = "Bytes per email"
MAIL_MEANING: Final = (
    "Bytes on the network for one ordinary email of 30 KB (text and HTML, 8 Received "
    "lines, signatures), including TLS, from one wait to the next."
)
BIG_TITLE: Final = "A large email"
BIG_MEANING: Final = (
    "The same for one email with a large attachment, without a network delay. Also the "
    "time from its acceptance to the event (0.5 s of it is Dovecot's own delay), and the "
    "longest time for which Home Assistant's event loop was blocked."
)
MAILS: Final = 10
QUICK_MAILS: Final = 2
MEGABYTES: Final = 25
QUICK_MEGABYTES: Final = 2
AFTERWARDS_SECONDS: Final = 0.5
BIG_SECONDS: Final = 60


@dataclass(frozen=True)
class Octets:
    """Octets per mail."""

    client: str
    down: float
    up: float


@dataclass(frozen=True)
class BigMail:
    """Octets for a big mail; times in milliseconds, None if not applicable."""

    client: str
    size: int
    down: int
    event: float | None
    blocked: float | None


MAIL_COLUMNS: Final = (
    Column[Octets]("client", lambda row: row.client),
    Column[Octets]("down", lambda row: f"{row.down:,.0f}"),
    Column[Octets]("up", lambda row: f"{row.up:,.0f}"),
)
BIG_COLUMNS: Final = (
    Column[BigMail]("client", lambda row: row.client),
    Column[BigMail]("size", lambda row: f"{row.size:,}"),
    Column[BigMail]("down", lambda row: f"{row.down:,}"),
    Column[BigMail](
        "event", lambda row: "none" if row.event is None else f"{row.event:.0f} ms"
    ),
    Column[BigMail](
        "loop blocked",
        lambda row: "" if row.blocked is None else f"{row.blocked:.1f} ms",
    ),
)


async def measure_mail(testbed: Testbed) -> Table:
    """Count the octets of ordinary mails."""
    count = QUICK_MAILS if testbed.environment.is_quick else MAILS
    rows = [await _mail(watched, count) for watched in testbed.watched]
    return make_table(MAIL_TITLE, MAIL_MEANING, MAIL_COLUMNS, rows)


async def measure_big(testbed: Testbed) -> Table:
    """Count the octets of a big mail."""
    megabytes = QUICK_MEGABYTES if testbed.environment.is_quick else MEGABYTES
    rows = [
        await _big(testbed, watched, megabytes * 1_000_000)
        for watched in testbed.watched
    ]
    return make_table(BIG_TITLE, BIG_MEANING, BIG_COLUMNS, rows)


async def _mail(watched: Watched, count: int) -> Octets:
    """Deliver mails one at a time."""
    await watched.wait_until_waiting()
    down, up = watched.proxy.bytes_down, watched.proxy.bytes_up
    for number in range(count):
        mail = ordinary(f"Counted {number}")
        await deliver(watched.server.lmtp_port, watched.user, mail)
        await watched.next()
        await asyncio.sleep(AFTERWARDS_SECONDS)
    return Octets(
        watched.client,
        (watched.proxy.bytes_down - down) / count,
        (watched.proxy.bytes_up - up) / count,
    )


async def _big(testbed: Testbed, watched: Watched, octets: int) -> BigMail:
    """Deliver one big mail."""
    mail = bytes(big("Big", octets))
    await watched.wait_until_waiting()
    down = watched.proxy.bytes_down
    await testbed.home.start_loop_meter()
    await deliver(watched.server.lmtp_port, watched.user, mail)
    accepted = time.monotonic()
    event: float | None = None
    with contextlib.suppress(TimeoutError):
        event = ((await watched.next(seconds=BIG_SECONDS)).at - accepted) * 1000
    loop = await testbed.home.stop_loop_meter()
    await asyncio.sleep(AFTERWARDS_SECONDS)
    return BigMail(
        watched.client,
        len(mail),
        watched.proxy.bytes_down - down,
        event,
        loop["longest"] if watched.client != IMAPFLOW else None,
    )
