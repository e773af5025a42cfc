"""The time from the server's announcement to the event."""

import asyncio
import contextlib
from dataclasses import dataclass
import time
from typing import Final

from benchmarks.clients import CORE
from benchmarks.numbers import median, percentile
from benchmarks.table import Column, Table, make_table
from benchmarks.testbed import Testbed, Watched

from tests.rig.dovecot import PASSWORD
from tests.rig.ports import LOOPBACK
from tests.rig.proxy import Proxy

TITLE: Final = "Latency"
MEANING: Final = (
    "From when the announcement leaves the server on the client's own connection to the "
    "event on Home Assistant's websocket (ImapFlow: to the line that it prints). One "
    "email at a time. The clients take turns, so they do not compete for the processor "
    "and all have the same load on the machine. *Other wire* counts from the announcement "
    "on a raw connection without a proxy: Dovecot delays each connection separately, and "
    "announces an email on two of them some milliseconds apart. *Found* are emails that "
    "the client found by polling during Dovecot's delay of half a second. They do not "
    "measure push, so another email is delivered instead. Round trips are the median "
    "divided by the nominal round-trip time."
)
ROUND_TRIPS_MS: Final = (0, 50, 100)
QUICK_ROUND_TRIPS_MS: Final = (0, 100)
MAILS: Final = 40
QUICK_MAILS: Final = 3
# Attempts per mail, as long as the client finds it before the announcement.
TRIES: Final = 5
# The server does not announce a mail on two connections at the same time.
SPREAD_MS: Final = 20
PROBES: Final = 20


@dataclass(frozen=True)
class Sample:
    """One mail: milliseconds since both announcements, and the push mode."""

    announced: float
    own_wire: float
    push: str
    has_polled: bool

    @property
    def is_found(self) -> bool:
        """Return whether the client found the mail before the server announced it."""
        return self.has_polled or self.announced < -SPREAD_MS


@dataclass(frozen=True)
class Latency:
    """A client at a round-trip time; all in milliseconds."""

    client: str
    round_trip: int
    real_round_trip: float
    mails: int
    lost: int
    found: int
    p50: float
    p99: float
    other_wire_p50: float
    of_core: float
    push: str
    samples: tuple[float, ...]

    @property
    def round_trips(self) -> float | None:
        """Return the median in round trips."""
        return self.p50 / self.round_trip if self.round_trip else None


COLUMNS: Final = (
    Column[Latency]("client", lambda row: row.client),
    Column[Latency]("round trip", lambda row: f"{row.round_trip} ms"),
    Column[Latency]("p50", lambda row: f"{row.p50:.1f} ms"),
    Column[Latency]("p99", lambda row: f"{row.p99:.1f} ms"),
    Column[Latency](
        "in round trips",
        lambda row: "" if row.round_trips is None else f"{row.round_trips:.2f}",
    ),
    Column[Latency]("of core", lambda row: f"{row.of_core:.2f}"),
    Column[Latency]("other wire p50", lambda row: f"{row.other_wire_p50:.1f} ms"),
    Column[Latency]("emails", lambda row: str(row.mails)),
    Column[Latency]("lost", lambda row: str(row.lost)),
    Column[Latency]("found", lambda row: str(row.found)),
    Column[Latency]("push", lambda row: row.push),
    Column[Latency]("round trip as measured", lambda row: f"{row.real_round_trip:.1f}"),
)


async def measure(testbed: Testbed) -> Table:
    """Deliver mail to each client in turn, at each round-trip time."""
    is_quick = testbed.environment.is_quick
    rows: list[Latency] = []
    for round_trip in QUICK_ROUND_TRIPS_MS if is_quick else ROUND_TRIPS_MS:
        testbed.set_round_trip(round_trip / 1000)
        real = await _real_round_trip(testbed, round_trip / 1000)
        samples = await _samples(testbed, QUICK_MAILS if is_quick else MAILS)
        rows += _rows(round_trip, real, samples)
    testbed.set_round_trip(0)
    return make_table(TITLE, MEANING, COLUMNS, rows)


async def _samples(testbed: Testbed, mails: int) -> dict[str, list[Sample | None]]:
    """Return a sample per mail and client, None for a mail without an event."""
    samples: dict[str, list[Sample | None]] = {
        one.client: [] for one in testbed.watched
    }
    for number in range(mails):
        for watched in testbed.watched:
            for _ in range(TRIES):
                sample = await _sample(watched, f"Mail {number}")
                samples[watched.client].append(sample)
                if sample is None or not sample.is_found:
                    break
    return samples


async def _sample(watched: Watched, subject: str) -> Sample | None:
    """Deliver one mail and wait for its event."""
    await watched.wait_until_waiting()
    await watched.deliver(subject)
    announced = await watched.announcements.next()
    with contextlib.suppress(TimeoutError):
        arrival = await watched.next()
        assert watched.proxy.sent_at is not None
        left_server = watched.proxy.sent_at - watched.proxy.delay
        return Sample(
            (arrival.at - announced) * 1000,
            (arrival.at - left_server) * 1000,
            str(arrival.data.get("push", "")),
            watched.proxy.has_polled,
        )
    return None


def _rows(
    round_trip: int, real: float, samples: dict[str, list[Sample | None]]
) -> list[Latency]:
    """Return the statistics of a round-trip time."""
    came = {
        client: [one for one in ones if one and not one.is_found]
        for client, ones in samples.items()
    }
    core = median([one.own_wire for one in came[CORE]])
    return [
        Latency(
            client,
            round_trip,
            real,
            mails=len(ones),
            lost=samples[client].count(None),
            found=sum(one is not None and one.is_found for one in samples[client]),
            p50=median([one.own_wire for one in ones]),
            p99=percentile([one.own_wire for one in ones], 99),
            other_wire_p50=median([one.announced for one in ones]),
            of_core=median([one.own_wire for one in ones]) / core,
            push=", ".join(sorted({one.push for one in ones})),
            samples=tuple(one.own_wire for one in ones),
        )
        for client, ones in came.items()
        if ones
    ]


async def _real_round_trip(testbed: Testbed, seconds: float) -> float:
    """Return the time of a NOOP through a proxy with this delay, in milliseconds."""
    watched = testbed.watched[0]
    async with Proxy(watched.server.imap_port, delay=seconds / 2) as proxy:
        reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
        await reader.readline()
        writer.write(f"1 LOGIN {watched.user} {PASSWORD}\r\n".encode())
        await reader.readline()
        times = []
        for _ in range(PROBES):
            began = time.monotonic()
            writer.write(b"2 NOOP\r\n")
            await reader.readline()
            times.append((time.monotonic() - began) * 1000)
        writer.close()
    return median(times)
