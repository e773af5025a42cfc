"""FETCH, and the items that its responses tell of each message (RFC 3501 6.4.8, 7.4.2)."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from itertools import batched, islice
from typing import Final

from ..errors import CommandRefused, ResponseTooLarge
from ..wire.command import Command
from ..wire.parser import (
    MAX_FETCH_TOKENS,
    Cut,
    Data,
    FetchItems,
    Value,
    parse_fetch,
    parse_number,
    parse_search,
)

MAX_UID: Final = 2**32 - 1
# UIDs that one command names at the most: servers take lines of some thousand octets.
MAX_NAMED: Final = 500

# Octets that are parsed in one go, before the event loop gets its turn, and those of one response
# that are too many for that.
SLICE: Final = 8_192
LARGE: Final = 16_384
# UIDs that are read of the answer to one search.
MAX_FOUND: Final = 400_000
# Tokens that are kept of all responses to one command. Those of 500 ordinary messages have 50,000.
_MAX_TOKENS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Fetched:
    """What the responses to a FETCH tell.

    `messages` are the items of each message by UID, ascending. `too_large` are the UIDs of
    those whose response was too large: it has to be asked for less. `left_out` are the UIDs of
    those for which there was no room: they have to be asked for again. `has_unknown`: such a
    response did not tell its UID.
    """

    messages: dict[int, dict[str, Value]] = field(default_factory=dict)
    too_large: frozenset[int] = frozenset()
    left_out: frozenset[int] = frozenset()
    has_unknown: bool = False

    @property
    def is_whole(self) -> bool:
        """Return if nothing was too large or left out."""
        return not (self.too_large or self.left_out or self.has_unknown)


def fetch_command(uids: str, items: str) -> Command:
    """Return a FETCH of the messages of a set of UIDs."""
    return Command("UID FETCH", f"{uids} {items}", frozenset({"FETCH"}))


def chunks(uids: Iterable[int]) -> Iterable[tuple[int, ...]]:
    """Return UIDs in as many as one command names, without those that cannot be any."""
    usable = dict.fromkeys(uid for uid in uids if 0 < uid <= MAX_UID)
    return batched(usable, MAX_NAMED, strict=False)


def uid_set(uids: Iterable[int]) -> str:
    """Return UIDs as a command names them: these, and none between them (RFC 3501 sequence-set)."""
    ranges: list[tuple[int, int]] = []
    for uid in sorted(uids):
        if ranges and uid == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], uid)
        else:
            ranges.append((uid, uid))
    return ",".join(
        f"{first}:{last}" if first < last else f"{first}" for first, last in ranges
    )


def fetch(uids: Iterable[int], items: str) -> Command:
    """Return a FETCH of these UIDs."""
    return fetch_command(uid_set(uids), items)


async def found_by(fetches: Iterable[Command], uids: Collection[int]) -> set[int]:
    """Return which of the UIDs some FETCHes told of."""
    found: set[int] = set()
    for command in fetches:
        found.update((await fetched(command)).messages)
    return found.intersection(uids)


async def fetched(command: Command) -> Fetched:
    """Return what a FETCH tells; raise CommandRefused."""
    return await by_uid((await command.wait()).data)


async def read_fetch(data: Data, most: int = MAX_FETCH_TOKENS) -> FetchItems:
    """Return the items of a FETCH response; a large one is read in a thread."""
    if data.memory > LARGE:
        return await asyncio.to_thread(parse_fetch, data, most)
    return parse_fetch(data, most)


async def read_search(responses: list[Data], first: int, most: int) -> list[int]:
    """Return the lowest UIDs from `first` on that SEARCH found, ascending; raise ResponseTooLarge."""

    def lowest() -> list[int]:
        found = found_uids(responses)
        return nsmallest(most, (uid for uid in found if first <= uid <= MAX_UID))

    if sum(data.memory for data in responses) > LARGE:
        return await asyncio.to_thread(lowest)
    return lowest()


def found_uids(responses: Iterable[Data]) -> set[int]:
    """Return the UIDs in SEARCH responses; raise ResponseTooLarge."""
    found: set[int] = set()
    for data in responses:
        if data.cut:
            raise ResponseTooLarge("more search results than are read")
        found.update(islice(parse_search(data), MAX_FOUND + 1))
        if len(found) > MAX_FOUND:
            raise ResponseTooLarge("more search results than are read")
    return found


async def by_uid(responses: Iterable[Data]) -> Fetched:
    """Return the items of each message; several responses may tell of one."""
    messages: dict[int, dict[str, Value]] = {}
    cut: dict[Cut, set[int]] = {Cut.TOO_LARGE: set(), Cut.NO_ROOM: set()}
    parsed, left = 0, _MAX_TOKENS
    for data in responses:
        found = await read_fetch(data, left)
        left -= found.tokens
        uid = parse_number(found.items.get("UID"))
        is_uid = 0 < uid <= MAX_UID
        if found.cut is not None:
            cut[found.cut].add(uid if is_uid else 0)
        elif is_uid:
            _merge(messages.setdefault(uid, {}), found.items)
        parsed += data.memory
        if parsed > SLICE:
            parsed = 0
            await asyncio.sleep(0)
    return Fetched(
        dict(sorted(messages.items())),
        too_large=frozenset(cut[Cut.TOO_LARGE] - {0}),
        left_out=frozenset(cut[Cut.NO_ROOM] - {0}),
        has_unknown=any(0 in uids for uids in cut.values()),
    )


def _merge(known: dict[str, Value], items: dict[str, Value]) -> None:
    """Add items of a message, but no smaller header: that is what is shown of the last one."""
    if "BODYSTRUCTURE" in known and "BODYSTRUCTURE" not in items:
        items.pop("BODY", None)
    known.update(items)


async def fetch_carefully(
    fetch: Callable[[Sequence[int], str], Awaitable[Fetched]],
    uids: Sequence[int],
    items: Sequence[str],
    concerns_message: Callable[[CommandRefused], bool],
) -> dict[int, dict[str, Value]]:
    """Return the items of messages; of one that cannot be shown whole, what can be.

    `items` is what to ask for, each less than the one before. A message for which the server
    refuses even the last has no items. `fetch` asks for some messages; `concerns_message`
    returns if a refusal may be due to one of them: any other is raised.
    """
    if not uids:
        return {}
    again: set[int] = set(uids)
    less: frozenset[int] = frozenset()
    messages: dict[int, dict[str, Value]] = {}
    try:
        found = await fetch(uids, items[0])
    except CommandRefused as error:
        if not concerns_message(error):
            raise
    else:
        messages, less = found.messages, found.too_large
        # Any message that is missing may be the one whose UID is not known.
        again = (
            set(uids) - messages.keys() if found.has_unknown else set(found.left_out)
        )
        again -= less
    if len(uids) == 1:
        less, again = less | again, set()
    if less:
        asked = [uid for uid in uids if uid in less]
        messages |= (
            await fetch_carefully(fetch, asked, items[1:], concerns_message)
            if items[1:]
            else {uid: {} for uid in asked}
        )
    asked = [uid for uid in uids if uid in again]
    for half in (asked[: len(asked) // 2], asked[len(asked) // 2 :]):
        messages |= await fetch_carefully(fetch, half, items, concerns_message)
    return dict(sorted(messages.items()))
