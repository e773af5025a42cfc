"""The performance targets of the project, and whether they are met."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from .clients import CORE, IDLE, NOTIFY, OURS
from .parts import accounts, burst, folders, latency, mailbox, octets, start
from .table import Table

type Tables = dict[str, Table]

FAR: Final = 100
MAX_ROUND_TRIPS: Final = {NOTIFY: 0.65, IDLE: 1.65}
MAX_OF_CORE: Final = {NOTIFY: 0.15, IDLE: 0.36}
MAX_OF_CORE_NEAR: Final = 1.0
GOAL_OF_CORE_NEAR: Final = 0.5
MAX_BURST_MS: Final = 2000
MAX_BLOCKED_MS: Final = 20
MAX_BIG_MAIL_OCTETS: Final = 10_000
MAX_GROWTH: Final = 2.0
MAX_MEMORY_OF_CORE: Final = 0.7
MAX_PROCESSOR_PERCENT: Final = 0.5


@dataclass(frozen=True)
class Target:
    """A target, the measured value, and whether the target is met."""

    what: str
    measured: str
    target: str
    is_met: bool

    @property
    def verdict(self) -> str:
        """Return the verdict as a word."""
        return "met" if self.is_met else "MISSED"


def compare(tables: Tables) -> list[Target]:
    """Return the targets of the parts that were measured."""
    return [
        target
        for part, compare_part in COMPARISONS.items()
        if part in tables
        for target in compare_part(tables[part])
    ]


def _rows[RowT](table: Table, client: str, _kind: type[RowT]) -> Iterator[RowT]:
    """Return the rows of a client."""
    return (row for row in table.rows if row.client == client)


def _latency(table: Table) -> Iterator[Target]:
    """Compare the latency."""
    for client in OURS:
        for row in _rows(table, client, latency.Latency):
            if row.round_trip == FAR:
                yield from _far(row)
            elif row.round_trip == 0:
                yield Target(
                    f"announcement to event, no round-trip time, {client}",
                    f"{row.p50:.1f} ms, {row.of_core:.2f} of core",
                    f"at most core's, goal {GOAL_OF_CORE_NEAR} of it",
                    row.of_core <= MAX_OF_CORE_NEAR,
                )


def _far(row: latency.Latency) -> Iterator[Target]:
    """Compare the latency of a distant server."""
    most, most_of_core = MAX_ROUND_TRIPS[row.client], MAX_OF_CORE[row.client]
    assert row.round_trips is not None
    push = "" if row.push in row.client.lower() else f" (pushed by {row.push})"
    yield Target(
        f"announcement to event, {FAR} ms, {row.client}",
        f"{row.round_trips:.2f} round trips, {row.of_core:.2f} of core{push}",
        f"at most {most} round trips, at most {most_of_core} of core",
        row.round_trips <= most and row.of_core <= most_of_core,
    )


def _burst(table: Table) -> Iterator[Target]:
    """Compare events and blocked time of a burst."""
    for client in OURS:
        for row in _rows(table, client, burst.Burst):
            last = "none" if row.last_event is None else f"{row.last_event:.0f} ms"
            yield Target(
                f"events of a burst of {row.mails}, {client}",
                f"{row.events}, the last one after {last}",
                f"{row.mails}, the last one within {MAX_BURST_MS} ms",
                row.events == row.mails and (row.last_event or 0) <= MAX_BURST_MS,
            )
            yield Target(
                f"event loop blocked in that burst, {client}",
                f"{row.blocked:.1f} ms by the clock, {row.blocked_busy:.1f} ms by itself",
                f"at most {MAX_BLOCKED_MS} ms by the clock",
                (row.blocked or 0) <= MAX_BLOCKED_MS,
            )


def _big_mail(table: Table) -> Iterator[Target]:
    """Compare the octets for a mail with a big attachment."""
    for client in OURS:
        for row in _rows(table, client, octets.BigMail):
            yield Target(
                f"octets for a mail of {row.size / 1e6:.0f} MB, {client}",
                f"{row.down:,}" + ("" if row.event else ", and no event"),
                f"below {MAX_BIG_MAIL_OCTETS:,}",
                row.down < MAX_BIG_MAIL_OCTETS and row.event is not None,
            )


def _mailbox(table: Table) -> Iterator[Target]:
    """Compare round trips and octets of a small and a large mailbox."""
    for client in OURS:
        small, large = _rows(table, client, mailbox.Reconnect)
        growth = (large.down + large.up) / (small.down + small.up)
        yield Target(
            f"connecting, {large.messages:,} messages against {small.messages}, {client}",
            f"{large.round_trips} against {small.round_trips} round trips, "
            f"{growth:.2f} times the octets",
            f"same round trips, octets within {MAX_GROWTH:.0f} times",
            large.round_trips == small.round_trips and growth <= MAX_GROWTH,
        )


def _accounts(table: Table) -> Iterator[Target]:
    """Compare memory and processor time of quiet accounts."""
    core = next(_rows(table, CORE, accounts.Quiet))
    assert core.per_account is not None
    for client in OURS:
        row = next(_rows(table, client, accounts.Quiet))
        assert row.per_account is not None and row.processor_over_empty is not None
        ratio = row.per_account / core.per_account
        yield Target(
            f"memory per account of {row.accounts}, {client}",
            f"{row.per_account:.0f} KB, {ratio:.2f} of core's {core.per_account:.0f} KB",
            f"at most {MAX_MEMORY_OF_CORE} of core's",
            ratio <= MAX_MEMORY_OF_CORE,
        )
        yield Target(
            f"processor time of {row.accounts} accounts, {client}",
            f"{row.processor_over_empty:.2f} % over the empty one, "
            f"{row.processor:.2f} % in all",
            f"below {MAX_PROCESSOR_PERCENT} % of a core",
            row.processor_over_empty < MAX_PROCESSOR_PERCENT,
        )


def _folders(table: Table) -> Iterator[Target]:
    """Compare the connections that NOTIFY needs."""
    row = next(_rows(table, NOTIFY, folders.Folders))
    yield Target(
        f"connections for {row.folders} folders, {NOTIFY}",
        f"{row.connections}, {row.events} events",
        f"1, {row.folders} events",
        row.connections == 1 and row.events == row.folders,
    )


def _start(table: Table) -> Iterator[Target]:
    """Compare the start with and without accounts."""
    none = next(_rows(table, start.NONE, start.Starts))
    row = next(_rows(table, IDLE, start.Starts))
    yield Target(
        f"start with {row.accounts} accounts",
        f"{row.median - none.median:+.2f} s",
        f"no slower than without, noise {none.spread:.2f} s",
        row.median <= none.median + none.spread,
    )


COMPARISONS: Final[dict[str, Callable[[Table], Iterator[Target]]]] = {
    "latency": _latency,
    "burst": _burst,
    "bigmail": _big_mail,
    "mailbox": _mailbox,
    "accounts": _accounts,
    "folders": _folders,
    "start": _start,
}
