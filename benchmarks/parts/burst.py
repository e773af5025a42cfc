"""A burst of mail."""

import asyncio
import contextlib
from dataclasses import dataclass
import time
from typing import Final

from benchmarks.clients import IMAPFLOW
from benchmarks.mail import ordinary
from benchmarks.table import Column, Table, make_table
from benchmarks.testbed import Testbed, Watched

from tests.rig.lmtp import LmtpSender

TITLE: Final = "Burst"
MEANING: Final = (
    "Emails are delivered as fast as the server accepts them, without a network delay, to "
    "one client at a time. *Last event* is the time from the last acceptance to the last "
    "event. *Loop blocked* is the longest time for which Home Assistant's event loop was "
    "blocked, measured by a timer every millisecond inside Home Assistant: by the clock "
    "(including other processes), and by the processor time of the loop's thread alone "
    "(*by itself*). *Quiet* is the same without any email."
)
MAILS: Final = 1000
QUICK_MAILS: Final = 50
# After this time without an event, the other mails count as lost.
SILENCE_SECONDS: Final = 10
QUICK_SILENCE_SECONDS: Final = 3
QUIET_SECONDS: Final = 15
QUICK_QUIET_SECONDS: Final = 2
QUIET: Final = "quiet"


@dataclass(frozen=True)
class Burst:
    """The effects of a burst; times in milliseconds, None if not applicable."""

    client: str
    mails: int
    events: int
    last_event: float | None
    accepted_per_second: float | None
    blocked: float | None
    blocked_busy: float | None
    blocks: int | None


def _milliseconds(value: float | None) -> str:
    """Return a time as text."""
    return "" if value is None else f"{value:.1f} ms"


COLUMNS: Final = (
    Column[Burst]("client", lambda row: row.client),
    Column[Burst]("emails", lambda row: str(row.mails)),
    Column[Burst]("events", lambda row: str(row.events)),
    Column[Burst]("last event", lambda row: _milliseconds(row.last_event)),
    Column[Burst]("loop blocked", lambda row: _milliseconds(row.blocked)),
    Column[Burst]("by itself", lambda row: _milliseconds(row.blocked_busy)),
    Column[Burst](
        "above 20 ms", lambda row: "" if row.blocks is None else str(row.blocks)
    ),
    Column[Burst](
        "accepted",
        lambda row: (
            f"{row.accepted_per_second:.0f}/s" if row.accepted_per_second else ""
        ),
    ),
)


async def measure(testbed: Testbed) -> Table:
    """Measure a burst at each client."""
    rows = [await _quiet(testbed)]
    rows += [await _burst(testbed, watched) for watched in testbed.watched]
    return make_table(TITLE, MEANING, COLUMNS, rows)


async def _quiet(testbed: Testbed) -> Burst:
    """Measure the event loop without mail."""
    is_quick = testbed.environment.is_quick
    await testbed.home.start_loop_meter()
    await asyncio.sleep(QUICK_QUIET_SECONDS if is_quick else QUIET_SECONDS)
    loop = await testbed.home.stop_loop_meter()
    return Burst(QUIET, 0, 0, None, None, *_loop_figures(loop))


async def _burst(testbed: Testbed, watched: Watched) -> Burst:
    """Deliver as fast as possible and count the events."""
    is_quick = testbed.environment.is_quick
    count = QUICK_MAILS if is_quick else MAILS
    silence = QUICK_SILENCE_SECONDS if is_quick else SILENCE_SECONDS
    mails = [ordinary(f"Burst {number}") for number in range(count)]
    await watched.wait_until_waiting()
    await testbed.home.start_loop_meter()
    began = time.monotonic()
    async with LmtpSender(watched.server.lmtp_port) as sender:
        acceptances = await sender.send_all(watched.user, mails)
    # The acceptances are wall-clock times.
    last_acceptance = time.monotonic() - (time.time() - acceptances[-1])
    arrivals = await _arrivals(watched, count, silence)
    loop = await testbed.home.stop_loop_meter()
    in_home_assistant = watched.client != IMAPFLOW
    return Burst(
        watched.client,
        count,
        len(arrivals),
        (arrivals[-1] - last_acceptance) * 1000 if arrivals else None,
        count / (last_acceptance - began),
        *(_loop_figures(loop) if in_home_assistant else (None, None, None)),
    )


async def _arrivals(watched: Watched, count: int, silence: float) -> list[float]:
    """Return the time of each event, until all have come or no more come."""
    times: list[float] = []
    with contextlib.suppress(TimeoutError):
        while len(times) < count:
            times.append((await watched.next(seconds=silence)).at)
    return times


def _loop_figures(loop: dict[str, float]) -> tuple[float, float, int]:
    """Return the longest block by the clock and by processor time, and the number of long ones."""
    return loop["longest"], loop["longest_busy"], int(loop["blocks"])
