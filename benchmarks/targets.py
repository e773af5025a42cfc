"""The performance targets of the project, and whether they are met."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from .clients import CORE, IDLE, NOTIFY, OURS
from .parts import (
    accounts,
    burst,
    folders,
    latency,
    lists,
    loop,
    mailbox,
    octets,
    start,
)
from .table import Table

type Tables = dict[str, Table]

FAR: Final = 100
MAX_ROUND_TRIPS: Final = {NOTIFY: 0.55, IDLE: 1.6}
MAX_OF_CORE: Final = {NOTIFY: 0.15, IDLE: 0.36}
MAX_OF_CORE_NEAR: Final = {NOTIFY: 0.3, IDLE: 0.5}
PUSH: Final = {NOTIFY: "notify", IDLE: "idle"}
MAX_BURST_MS: Final = 2000
MAX_BLOCKED_MS: Final = 20
MAX_BIG_MAIL_OCTETS: Final = 10_000
MAX_GROWTH: Final = 2.0
MAX_MEMORY_OF_CORE: Final = 0.6
MAX_PROCESSOR_PERCENT: Final = 0.5
MAX_START_SECONDS: Final = 0.2
MAX_IMPORT_MS: Final = 60
MAX_OF_BASELINE: Final = 0.8
MAX_LISTS_OF_DEFAULT: Final = 4.0
MAX_LIST_KB: Final = 40


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
    """Compare the latency of a near and of a distant server."""
    for client in OURS:
        rows = {row.round_trip: row for row in _rows(table, client, latency.Latency)}
        for round_trip in (0, FAR):
            what = f"announcement to event, {round_trip} ms, {client}"
            required, most_of_core = "", MAX_OF_CORE_NEAR[client]
            if round_trip:
                required = f"at most {MAX_ROUND_TRIPS[client]} round trips, "
                most_of_core = MAX_OF_CORE[client]
            required += f"at most {most_of_core} of core, no email lost"
            if (row := rows.get(round_trip)) is None:
                yield Target(what, "no event", required, is_met=False)
                continue
            yield Target(
                what,
                _describe(row),
                required,
                row.of_core <= most_of_core
                and (row.round_trips or 0) <= MAX_ROUND_TRIPS[client]
                and row.push == PUSH[client]
                and not row.lost,
            )


def _describe(row: latency.Latency) -> str:
    """Return the measured latency."""
    trips = "" if row.round_trips is None else f"{row.round_trips:.2f} round trips, "
    lost = f", {row.lost} lost" if row.lost else ""
    return f"{row.p50:.1f} ms, {trips}{row.of_core:.2f} of core, by {row.push}{lost}"


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
                f"bytes for an email of {row.size / 1e6:.0f} MB, {client}",
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
            f"{growth:.2f} times the bytes",
            f"same round trips, bytes within {MAX_GROWTH:.0f} times",
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
    """Compare the start with and without accounts, and the import."""
    none = next(_rows(table, start.NONE, start.Starts))
    core = next(_rows(table, CORE, start.Starts))
    row = next(_rows(table, IDLE, start.Starts))
    yield Target(
        f"start with {row.accounts} accounts, median of {len(row.starts)}",
        f"{row.median - none.median:+.2f} s, core {core.median - none.median:+.2f} s",
        f"at most {MAX_START_SECONDS:+.2f} s over none",
        row.median - none.median <= MAX_START_SECONDS,
    )
    assert row.import_median is not None and core.import_median is not None
    yield Target(
        f"import of the integration, median of {len(row.imports)}",
        f"{row.import_median:.1f} ms, core {core.import_median:.1f} ms",
        f"at most {MAX_IMPORT_MS} ms",
        row.import_median <= MAX_IMPORT_MS,
    )


def _loop(table: Table) -> Iterator[Target]:
    """Compare the time of the event loop per mail with that of an older commit."""
    for client in OURS:
        per_mail = {
            row.commit: row.per_mail for row in _rows(table, client, loop.LoopTime)
        }
        ratio = per_mail[loop.THIS] / per_mail[loop.BASELINE]
        yield Target(
            f"event loop per email, {client}",
            f"{per_mail[loop.THIS]:.2f} ms, {ratio:.2f} of {loop.BASELINE}",
            f"at most {MAX_OF_BASELINE} of {loop.BASELINE}",
            ratio <= MAX_OF_BASELINE,
        )


def _lists(table: Table) -> Iterator[Target]:
    """Compare an account that has all to-do lists, pictures and values with the default."""
    for client in OURS:
        default, everything = _rows(table, client, lists.Cost)
        ratio = everything.per_mail / default.per_mail
        yield Target(
            f"event loop per mail with lists, {client}",
            f"{everything.per_mail:.2f} ms, {ratio:.2f} of {default.per_mail:.2f} ms",
            f"at most {MAX_LISTS_OF_DEFAULT:.0f} times the default",
            ratio <= MAX_LISTS_OF_DEFAULT,
        )
        count = lists.LISTS_OF_FOLDER * everything.folders
        each = (everything.unique - default.unique) / count
        yield Target(
            f"memory per list of {count}, {client}",
            f"{each:.0f} KB",
            f"at most {MAX_LIST_KB} KB",
            each <= MAX_LIST_KB,
        )
        yield Target(
            f"connections with lists, {client}",
            f"{everything.connections}, default {default.connections}",
            "as many as by default",
            everything.connections == default.connections,
        )


COMPARISONS: Final[dict[str, Callable[[Table], Iterator[Target]]]] = {
    "latency": _latency,
    "burst": _burst,
    "bigmail": _big_mail,
    "mailbox": _mailbox,
    "accounts": _accounts,
    "folders": _folders,
    "start": _start,
    "loop": _loop,
    "lists": _lists,
}
