"""The results of UID SEARCH: SEARCH (RFC 3501 7.2.5) and ESEARCH (RFC 4731) responses."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import nlargest
import re
from typing import Final, NamedTuple

from ..errors import ResponseTooLarge
from ..wire.command import Command
from ..wire.parser import Data, Value, parse_number, parse_ranges, parse_values
from .fetch_items import LARGE, MAX_UID, found_uids, within

# UIDs that are returned.
MAX_HITS: Final = 200_000
_RETURN: Final = re.compile(r"RETURN \(([A-Z ]*)\) ")


class Hits(NamedTuple):
    """The number of matching messages, and the UIDs of some of them, newest first."""

    total: int
    uids: tuple[int, ...]


async def read_hits(
    command: Command, limit: int = 0, among: Sequence[int] | None = None
) -> Hits | None:
    """Wait for a search; return the newest `limit` UIDs, or those of the ascending `among`.

    Returns None if the answer to RETURN lacks what was requested: search without RETURN then.
    Servers that offer ESEARCH answer with SEARCH (MailKit reads both), with ALL but not COUNT, or
    with another tag. Raises CommandRefused.
    """
    responses = (await command.wait()).data
    options = return_options(command)
    if sum(data.memory for data in responses) > LARGE:
        return await asyncio.to_thread(_read, responses, options, limit, among)
    return _read(responses, options, limit, among)


def return_options(command: Command) -> frozenset[str] | None:
    """Return the result options of a search (RFC 4731), None without RETURN."""
    match = _RETURN.match(command.arguments)
    return frozenset(match[1].split()) if match else None


def without_return(command: Command) -> str:
    """Return the arguments of a search without RETURN."""
    return _RETURN.sub("", command.arguments, count=1)


def _read(
    responses: list[Data],
    options: frozenset[str] | None,
    limit: int,
    among: Sequence[int] | None,
) -> Hits | None:
    plain = [data for data in responses if data.name == "SEARCH"]
    extended = [_results(data) for data in responses if data.name == "ESEARCH"]
    sets = [octets for each in extended if (octets := _listed(each))]
    if plain:
        extended, sets = [], []
    elif options and not _is_complete(extended, options, has_uids=bool(sets)):
        return None
    found = found_uids(plain)
    total = sum(parse_number(each.get("COUNT")) for each in extended)
    total = total or sum(last - first + 1 for first, last in _ranges(found, sets))
    if among is not None:
        uids = sorted(within(among, _ranges(found, sets)), reverse=True)
    else:
        uids = [*_newest(_ranges(found, sets), min(limit, MAX_HITS))]
    return Hits(total, tuple(uids))


def _listed(results: Mapping[str, Value]) -> bytes:
    """Return the sequence-set of an ESEARCH response, b"" if it has none."""
    octets = results.get("ALL")
    return octets if isinstance(octets, bytes) else b""


def _ranges(found: Iterable[int], sets: Iterable[bytes]) -> Iterator[tuple[int, int]]:
    """Yield the UIDs of SEARCH and the ranges of ESEARCH; there may be 400,000 of them."""
    for uid in found:
        if uid <= MAX_UID:
            yield uid, uid
    for octets in sets:
        for first, last in parse_ranges(octets):
            if first <= MAX_UID:
                yield first, min(last, MAX_UID)


def _results(data: Data) -> dict[str, Value]:
    """Return the results of an ESEARCH response by name; "UID" if they are UIDs."""
    if data.cut:
        raise ResponseTooLarge("the search has too many results")
    values = parse_values(data.parts)
    return dict(zip(map(_name, values), (*values[1:], None), strict=False))


def _is_complete(
    extended: Sequence[Mapping[str, Value]], options: frozenset[str], *, has_uids: bool
) -> bool:
    """Return True if there is one response, and it has the results that were requested."""
    if len(extended) != 1:
        return False
    [results] = extended
    if has_uids:
        return "ALL" not in options or "UID" in results
    if "COUNT" in options and "COUNT" not in results:
        return False
    return "ALL" not in options or parse_number(results.get("COUNT")) == 0


def _newest(ranges: Iterable[tuple[int, int]], limit: int) -> Iterator[int]:
    """Yield distinct UIDs, highest first; a range may contain billions."""
    below = MAX_UID + 1
    # No more ranges than UIDs are needed.
    for first, last in nlargest(limit, ranges, key=lambda ends: ends[1]):
        for uid in range(min(last, below - 1), first - 1, -1):
            if limit <= 0:
                return
            yield uid
            below = uid
            limit -= 1


def _name(value: Value) -> str:
    return value.decode("ascii", "replace").upper() if isinstance(value, bytes) else ""
