"""UID FETCH and UID sets, and the items in FETCH responses (RFC 3501 6.4.8, 7.4.2)."""

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import (
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Sequence,
)
from dataclasses import dataclass, field
from heapq import nsmallest
from itertools import islice
from typing import Final

from ..errors import CommandRefused, ResponseTooLarge
from ..wire.command import Command
from ..wire.fetch_response import MAX_FETCH_TOKENS, FetchItems, parse_fetch
from ..wire.parser import Cut, Data, Value, parse_number, parse_search
from ..wire.response_codes import fetch_error

MAX_UID: Final = 2**32 - 1
# UIDs in one command, which bounds its responses.
MAX_NAMED: Final = 500
# Octets of a command line without literals: more than 1,000 may be refused (RFC 2683 3.2.1.5).
MAX_LINE: Final = 1_000
_MIN_SET: Final = 200  # octets of UIDs, even if the rest of the line is long

# Octets that are parsed before other tasks of the event loop run. A response of more than LARGE
# octets is parsed in a thread.
SLICE: Final = 8_192
LARGE: Final = 16_384
# UIDs that are read from the responses to one search.
MAX_FOUND: Final = 400_000
# Tokens of all responses to one command. 500 ordinary messages have 50,000.
_MAX_TOKENS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Fetched:
    """The responses to a FETCH.

    `messages` are the items by UID, ascending, `numbers` the sequence numbers by UID.
    `too_large` are the UIDs of messages whose response was too large: request fewer items.
    `left_out` are the UIDs of messages for which the memory limit left no room: request them
    again. `has_unknown`: a response with a message, or one that was cut, has no UID.
    """

    messages: dict[int, dict[str, Value]] = field(default_factory=dict)
    numbers: dict[int, int] = field(default_factory=dict)
    too_large: frozenset[int] = frozenset()
    left_out: frozenset[int] = frozenset()
    has_unknown: bool = False

    @property
    def is_whole(self) -> bool:
        """Return True if nothing was too large or left out."""
        return not (self.too_large or self.left_out or self.has_unknown)


def fetch_command(uids: str, items: str) -> Command:
    """Return UID FETCH for a UID set."""
    return Command("UID FETCH", f"{uids} {items}", frozenset({"FETCH"}))


def chunks(
    uids: Iterable[int], rest: int = 100, most: int = MAX_NAMED
) -> Iterator[list[int]]:
    """Yield the valid UIDs, ascending, in groups of at most `most` for one command each.

    `rest` are the octets of the command line other than the UIDs.
    """
    limit = max(MAX_LINE - rest, _MIN_SET)
    group: list[int] = []
    octets = in_range = 0
    for uid in sorted({uid for uid in uids if 0 < uid <= MAX_UID}):
        follows = bool(group) and uid == group[-1] + 1
        in_range = follows * (in_range + 1)
        # The second UID of a range is written, the later ones replace it.
        octets += 0 if in_range > 1 else len(f"{uid},")
        if octets > limit or len(group) == most:
            yield group
            group, octets, in_range = [], len(f"{uid},"), 0
        group.append(uid)
    if group:
        yield group


def uid_set(uids: Iterable[int]) -> str:
    """Return exactly these UIDs as a sequence-set (RFC 3501 9)."""
    ranges: list[tuple[int, int]] = []
    for uid in sorted(uids):
        if ranges and uid == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], uid)
        else:
            ranges.append((uid, uid))
    return ",".join(
        f"{first}:{last}" if first < last else f"{first}" for first, last in ranges
    )


def within(uids: Sequence[int], ranges: Iterable[tuple[int, int]]) -> set[int]:
    """Return which of the ascending UIDs are in one of the ranges."""
    found: set[int] = set()
    for low, high in ranges:
        found.update(uids[bisect_left(uids, low) : bisect_right(uids, high)])
    return found


def fetch(uids: Iterable[int], items: str) -> Command:
    """Return UID FETCH for these UIDs."""
    return fetch_command(uid_set(uids), items)


async def found_by(fetches: Iterable[Command], uids: Collection[int]) -> set[int]:
    """Return the UIDs for which there is a FETCH response."""
    found: set[int] = set()
    for command in fetches:
        found.update((await fetched(command)).messages)
    return found.intersection(uids)


async def fetched(command: Command) -> Fetched:
    """Wait for FETCH and return its responses; raise CommandRefused."""
    return await by_uid((await command.wait()).data)


async def read_fetch(data: Data, most: int = MAX_FETCH_TOKENS) -> FetchItems:
    """Return the items of a FETCH response; a large one is parsed in a thread."""
    if data.memory > LARGE:
        return await asyncio.to_thread(parse_fetch, data, most)
    return parse_fetch(data, most)


async def read_search(responses: list[Data], first: int, most: int) -> list[int]:
    """Return the lowest `most` UIDs from `first` on, ascending; raise ResponseTooLarge."""

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
            raise ResponseTooLarge("the search has too many results")
        found.update(islice(parse_search(data), MAX_FOUND + 1))
        if len(found) > MAX_FOUND:
            raise ResponseTooLarge("the search has too many results")
    return found


async def by_uid(responses: Iterable[Data], requested: int = 0) -> Fetched:
    """Return the items of each message, merged from all its responses.

    Some servers put the UID into a response of its own, so responses without one belong to the
    message with the same sequence number. If only the UID `requested` was requested, a response
    without any UID is that of this message: some servers and proxies leave it out.
    """
    found = _Responses()
    parsed = 0
    for data in responses:
        found.add(data, await read_fetch(data, found.tokens_left))
        parsed += data.memory
        if parsed > SLICE:
            parsed = 0
            await asyncio.sleep(0)
    return found.result(requested)


class _Responses:
    """Collects the responses to one FETCH."""

    def __init__(self) -> None:
        self.tokens_left = _MAX_TOKENS
        self._messages: dict[int, dict[str, Value]] = {}
        self._numbers: dict[int, int] = {}
        self._uids: dict[int, int] = {}  # by sequence number
        self._without_uid: dict[int, dict[str, Value]] = {}  # by sequence number
        self._cut: dict[Cut, set[int]] = {Cut.TOO_LARGE: set(), Cut.NO_ROOM: set()}

    def add(self, data: Data, found: FetchItems) -> None:
        """Add one response."""
        self.tokens_left -= found.tokens
        number = data.number or 0
        uid = parse_number(found.items.get("UID"))
        if not 0 < uid <= MAX_UID:
            uid = self._uids.get(number, 0)
        if uid:
            self._uids[number] = uid
            self._numbers[uid] = number
        if found.cut is not None:
            self._cut[found.cut].add(uid)
        elif uid:
            self._merge(uid, found.items)
        else:
            self._without_uid.setdefault(number, {}).update(found.items)

    def result(self, requested: int) -> Fetched:
        """Return all messages; see `by_uid`."""
        for number, items in self._without_uid.items():
            uid = self._uids.get(number, requested)
            if uid:
                self._merge(uid, items)
        unknown = self._without_uid.keys() - self._uids.keys() if not requested else ()
        has_unknown = any("BODY" in self._without_uid[number] for number in unknown)
        too_large, no_room = self._cut[Cut.TOO_LARGE], self._cut[Cut.NO_ROOM]
        return Fetched(
            dict(sorted(self._messages.items())),
            self._numbers,
            too_large=frozenset(too_large - {0}),
            left_out=frozenset(no_room - {0}),
            has_unknown=has_unknown or 0 in too_large | no_room,
        )

    def _merge(self, uid: int, items: dict[str, Value]) -> None:
        known = self._messages.setdefault(uid, {})
        # The short header of NEWEST_ITEMS does not replace a full one.
        if "BODYSTRUCTURE" in known and "BODYSTRUCTURE" not in items:
            items.pop("BODY", None)
        known.update(items)


async def fetch_with_fallback(
    fetch: Callable[[Sequence[int], str], Awaitable[Fetched]],
    uids: Sequence[int],
    items: Sequence[str],
    *,
    waits: bool = True,
) -> dict[int, dict[str, Value]]:
    """Return items of messages, with fewer items for a message that the server cannot show.

    Each string in `items` requests fewer items than the one before. The first that works is used
    for each message. A message for which all fail has no items. `fetch` sends one FETCH. If
    `waits`, a temporary refusal raises Unavailable. Any other NO is blamed on a message, which is
    found by bisection.
    """
    if not uids:
        return {}
    again: set[int] = set(uids)
    less: frozenset[int] = frozenset()
    messages: dict[int, dict[str, Value]] = {}
    try:
        found = await fetch(uids, items[0])
    except CommandRefused as refusal:
        if error := fetch_error(refusal, waits=waits):
            raise error from refusal
    else:
        messages, less = found.messages, found.too_large
        # Any missing message may be the one without a UID.
        again = (
            set(uids) - messages.keys() if found.has_unknown else set(found.left_out)
        )
        again -= less
    if len(uids) == 1:
        less, again = less | again, set()
    if less:
        requested = [uid for uid in uids if uid in less]
        messages |= (
            await fetch_with_fallback(fetch, requested, items[1:], waits=waits)
            if items[1:]
            else {uid: {} for uid in requested}
        )
    requested = [uid for uid in uids if uid in again]
    for half in (requested[: len(requested) // 2], requested[len(requested) // 2 :]):
        messages |= await fetch_with_fallback(fetch, half, items, waits=waits)
    return dict(sorted(messages.items()))
