"""Searching a folder: asked in one write, and otherwise where a server knows no charset."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import nlargest
from itertools import chain
from typing import Final

from ..errors import CommandRefused, CriteriaRefused, ResponseTooLarge
from ..models import Criteria, SearchCount, SearchResult
from ..wire.command import Command
from ..wire.parser import Data, Value, parse_number, parse_ranges, parse_values
from ..wire.response_codes import temporary_refusal
from .criteria import Words, fits, is_ascii, matches, search_command, split, words_of
from .desk import MAX_NAMED, Desk, uid_set
from .fetch import fetch_mails
from .fetch_items import LARGE, MAX_UID, found_uids

# Mails whose header fields are looked at where the server cannot look at them, the newest.
MAX_LOOKED_AT: Final = 500
# UIDs that are read out of one answer, and charsets that a server offers.
_MAX_UIDS: Final = 200_000
_MAX_CHARSETS: Final = 10


@dataclass(frozen=True, slots=True)
class _Hits:
    """How many mails a search found, and the newest of them, newest first."""

    total: int
    uids: tuple[int, ...]


async def search(
    desk: Desk, folder: str, criteria: Criteria, limit: int
) -> SearchResult:
    """Return the newest mails that match, as many as wanted."""
    words = words_of(criteria)
    command = search_command(words, desk.capabilities, returns="COUNT ALL")
    uid_validity = await desk.read(folder, None, command)
    try:
        hits = await _hits(command, limit)
    except CommandRefused as refusal:
        hits = await _otherwise(desk, folder, uid_validity, criteria, refusal)
    return SearchResult(
        uid_validity=uid_validity, uids=hits.uids[: max(limit, 0)], total=hits.total
    )


async def count(
    desk: Desk, folder: str, searches: Sequence[Criteria], among: Sequence[int]
) -> list[SearchCount | CriteriaRefused]:
    """Return for each search how many mails match, and which of some do; or why it is refused."""
    asked = [_Question.of(desk, criteria, among) for criteria in searches]
    commands = [
        command
        for question in asked
        if isinstance(question, _Question)
        for command in question.commands
    ]
    uid_validity = await desk.read(folder, None, *commands)
    return [
        await question.answer(desk, folder, uid_validity)
        if isinstance(question, _Question)
        else question
        for question in asked
    ]


@dataclass(frozen=True, slots=True)
class _Question:
    """One of several searches, as it is asked."""

    criteria: Criteria
    among: Sequence[int]
    total: Command
    matching: Command | None

    @classmethod
    def of(
        cls, desk: Desk, criteria: Criteria, among: Sequence[int]
    ) -> _Question | CriteriaRefused:
        """Return what to ask, or why it cannot be asked."""
        try:
            words = words_of(criteria)
        except CriteriaRefused as error:
            return error
        total = search_command(words, desk.capabilities, returns="COUNT")
        matching = None
        named = sorted({uid for uid in among if 0 < uid <= MAX_UID})[-MAX_NAMED:]
        if named:
            restricted = (f"UID {uid_set(named)}", *words)
            matching = search_command(restricted, desk.capabilities, returns="ALL")
        return cls(criteria, named, total, matching)

    @property
    def commands(self) -> Iterator[Command]:
        """Return the commands to send."""
        return filter(None, (self.total, self.matching))

    async def answer(
        self, desk: Desk, folder: str, uid_validity: int
    ) -> SearchCount | CriteriaRefused:
        """Return what the server said; raise what is not about this search."""
        try:
            total = (await _hits(self.total, 0)).total
            found: Iterable[int] = ()
            if self.matching is not None:
                found = (await _hits(self.matching, len(self.among))).uids
        except CommandRefused as refusal:
            try:
                hits = await _otherwise(
                    desk, folder, uid_validity, self.criteria, refusal
                )
            except CriteriaRefused as error:
                return error
            total, found = hits.total, hits.uids
        return SearchCount(
            total=total, matching=frozenset(found).intersection(self.among)
        )


async def _otherwise(
    desk: Desk,
    folder: str,
    uid_validity: int,
    criteria: Criteria,
    refusal: CommandRefused,
) -> _Hits:
    """Search in the charset that the server wants, else look at header fields ourselves."""
    if passing := temporary_refusal(refusal):
        raise passing from refusal
    words = words_of(criteria)
    if refusal.code != "BADCHARSET" or is_ascii(words):
        raise CriteriaRefused(refusal.text) from refusal
    for charset in _offered(refusal, words):
        command = search_command(
            words, desk.capabilities, returns="COUNT ALL", charset=charset
        )
        await desk.read(folder, uid_validity, command)
        try:
            return await _hits(command, _MAX_UIDS)
        except CommandRefused:
            break
    asked, local = split(criteria)
    if not is_ascii(words := words_of(asked)):
        raise CriteriaRefused(refusal.text) from refusal
    command = search_command(words, desk.capabilities, returns="COUNT ALL")
    await desk.read(folder, uid_validity, command)
    try:
        candidates = (await _hits(command, MAX_LOOKED_AT)).uids
    except CommandRefused as error:
        raise CriteriaRefused(error.text) from error
    mails = await fetch_mails(desk, folder, uid_validity, candidates)
    found: list[int] = []
    for mail in mails:
        if matches(local, mail):
            found.append(mail.uid)
        await asyncio.sleep(0)
    return _Hits(len(found), tuple(found))


def _offered(refusal: CommandRefused, words: Words) -> Iterator[str]:
    """Yield the charsets that the server names and the search can be written in."""
    for value in parse_values([refusal.code_args], _MAX_CHARSETS):
        for name in value if isinstance(value, tuple) else (value,):
            charset = name.decode("ascii", "replace") if isinstance(name, bytes) else ""
            if charset.isascii() and charset.isprintable() and fits(words, charset):
                yield charset


async def _hits(command: Command, limit: int) -> _Hits:
    """Return what a search found; raise CommandRefused."""
    responses = (await command.wait()).data
    if sum(data.memory for data in responses) > LARGE:
        return await asyncio.to_thread(_read, responses, limit)
    return _read(responses, limit)


def _read(responses: list[Data], limit: int) -> _Hits:
    total = 0
    found: list[Iterable[tuple[int, int]]] = []
    for data in responses:
        if data.name == "SEARCH":
            alone = found_uids([data])
            total += len(alone)
            found.append((uid, uid) for uid in alone)
        elif data.cut:
            raise ResponseTooLarge("more search results than are read")
        else:
            values = parse_values(data.parts)
            told = dict(zip(map(_name, values), values[1:], strict=False))
            total += parse_number(told.get("COUNT"))
            if isinstance(uids := told.get("ALL"), bytes):
                found.append(parse_ranges(uids))
    limit = min(limit, _MAX_UIDS)
    return _Hits(total, tuple(_newest(chain.from_iterable(found), limit)))


def _newest(ranges: Iterable[tuple[int, int]], limit: int) -> Iterator[int]:
    """Yield UIDs, highest first and each once; a range may claim billions."""
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
