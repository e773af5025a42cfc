"""Search a folder, also on servers that do not support the charset (RFC 3501 6.4.4)."""

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
from .fetch import fetch_mails
from .fetch_items import LARGE, MAX_NAMED, MAX_UID, found_uids, uid_set
from .session import Session

# Newest messages whose header fields are compared here if the server cannot.
MAX_LOOKED_AT: Final = 500
# UIDs that are read from one response, and charsets from a BADCHARSET response.
_MAX_UIDS: Final = 200_000
_MAX_CHARSETS: Final = 10


@dataclass(frozen=True, slots=True)
class _Hits:
    """The number of matching messages, and the UIDs of the newest, newest first."""

    total: int
    uids: tuple[int, ...]


async def search(
    session: Session, folder: str, criteria: Criteria, limit: int
) -> SearchResult:
    """Return the newest `limit` messages that match."""
    words = words_of(criteria)
    command = search_command(words, session.capabilities, returns="COUNT ALL")
    uid_validity = await session.read(folder, None, command)
    try:
        hits = await _hits(command, limit)
    except CommandRefused as refusal:
        hits = await _search_without_utf8(
            session, folder, uid_validity, criteria, refusal
        )
    return SearchResult(
        uid_validity=uid_validity, uids=hits.uids[: max(limit, 0)], total=hits.total
    )


async def count(
    session: Session, folder: str, searches: Sequence[Criteria], among: Sequence[int]
) -> list[SearchCount | CriteriaRefused]:
    """Return for each search the number of matches and those in `among`, or the refusal."""
    requests = [_CountRequest.of(session, criteria, among) for criteria in searches]
    commands = [
        command
        for request in requests
        if isinstance(request, _CountRequest)
        for command in request.commands
    ]
    uid_validity = await session.read(folder, None, *commands)
    return [
        await request.answer(session, folder, uid_validity)
        if isinstance(request, _CountRequest)
        else request
        for request in requests
    ]


@dataclass(frozen=True, slots=True)
class _CountRequest:
    """The commands of one search."""

    criteria: Criteria
    among: Sequence[int]
    total: Command
    matching: Command | None

    @classmethod
    def of(
        cls, session: Session, criteria: Criteria, among: Sequence[int]
    ) -> _CountRequest | CriteriaRefused:
        """Return the commands, or the reason why the criteria are not valid."""
        try:
            words = words_of(criteria)
        except CriteriaRefused as error:
            return error
        total = search_command(words, session.capabilities, returns="COUNT")
        matching = None
        named = sorted({uid for uid in among if 0 < uid <= MAX_UID})[-MAX_NAMED:]
        if named:
            restricted = (f"UID {uid_set(named)}", *words)
            matching = search_command(restricted, session.capabilities, returns="ALL")
        return cls(criteria, named, total, matching)

    @property
    def commands(self) -> Iterator[Command]:
        return filter(None, (self.total, self.matching))

    async def answer(
        self, session: Session, folder: str, uid_validity: int
    ) -> SearchCount | CriteriaRefused:
        """Return the result; raise a refusal that does not concern the criteria."""
        try:
            total = (await _hits(self.total, 0)).total
            found: Iterable[int] = ()
            if self.matching is not None:
                found = (await _hits(self.matching, len(self.among))).uids
        except CommandRefused as refusal:
            try:
                hits = await _search_without_utf8(
                    session, folder, uid_validity, self.criteria, refusal
                )
            except CriteriaRefused as error:
                return error
            total, found = hits.total, hits.uids
        return SearchCount(
            total=total, matching=frozenset(found).intersection(self.among)
        )


async def _search_without_utf8(
    session: Session,
    folder: str,
    uid_validity: int,
    criteria: Criteria,
    refusal: CommandRefused,
) -> _Hits:
    """Search in another charset, or compare header fields of the newest MAX_LOOKED_AT messages."""
    if passing := temporary_refusal(refusal):
        raise passing from refusal
    words = words_of(criteria)
    if refusal.code != "BADCHARSET" or is_ascii(words):
        raise CriteriaRefused(refusal.text) from refusal
    for charset in _offered(refusal, words):
        command = search_command(
            words, session.capabilities, returns="COUNT ALL", charset=charset
        )
        await session.read(folder, uid_validity, command)
        try:
            return await _hits(command, _MAX_UIDS)
        except CommandRefused:
            break
    remote, local = split(criteria)
    if not is_ascii(words := words_of(remote)):
        raise CriteriaRefused(refusal.text) from refusal
    command = search_command(words, session.capabilities, returns="COUNT ALL")
    await session.read(folder, uid_validity, command)
    try:
        candidates = (await _hits(command, MAX_LOOKED_AT)).uids
    except CommandRefused as error:
        raise CriteriaRefused(error.text) from error
    mails = await fetch_mails(session, folder, uid_validity, candidates)
    found: list[int] = []
    for mail in mails:
        if matches(local, mail):
            found.append(mail.uid)
        await asyncio.sleep(0)
    return _Hits(len(found), tuple(found))


def _offered(refusal: CommandRefused, words: Words) -> Iterator[str]:
    """Yield the charsets of a BADCHARSET response in which the search can be encoded."""
    for value in parse_values([refusal.code_args], _MAX_CHARSETS):
        for name in value if isinstance(value, tuple) else (value,):
            charset = name.decode("ascii", "replace") if isinstance(name, bytes) else ""
            if charset.isascii() and charset.isprintable() and fits(words, charset):
                yield charset


async def _hits(command: Command, limit: int) -> _Hits:
    """Wait for a search and return its result; raise CommandRefused."""
    responses = (await command.wait()).data
    if sum(data.memory for data in responses) > LARGE:
        return await asyncio.to_thread(_read, responses, limit)
    return _read(responses, limit)


def _read(responses: list[Data], limit: int) -> _Hits:
    total = 0
    found: list[Iterable[tuple[int, int]]] = []
    for data in responses:
        if data.name == "SEARCH":
            uids = found_uids([data])
            total += len(uids)
            found.append((uid, uid) for uid in uids)
        elif data.cut:
            raise ResponseTooLarge("the search has too many results")
        else:
            values = parse_values(data.parts)
            results = dict(zip(map(_name, values), values[1:], strict=False))
            total += parse_number(results.get("COUNT"))
            if isinstance(ranges := results.get("ALL"), bytes):
                found.append(parse_ranges(ranges))
    limit = min(limit, _MAX_UIDS)
    return _Hits(total, tuple(_newest(chain.from_iterable(found), limit)))


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
