"""Search a folder, also on servers that lack the charset or ESEARCH (RFC 3501 6.4.4, RFC 4731)."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
import re
from typing import Final

from ..errors import CommandRefused, CriteriaRefused
from ..models import Criteria, Mail, SearchCount, SearchResult
from ..wire.command import Command
from ..wire.parser import parse_values
from ..wire.response_codes import temporary_refusal
from .criteria import Words, fits, is_ascii, matches, search_command, split, words_of
from .fetch import fetch_mails
from .fetch_items import MAX_NAMED, MAX_UID, chunks, uid_set
from .search_result import MAX_HITS, Hits, read_hits, return_options, without_return
from .session import Session

# Newest messages whose header fields are compared here if the server cannot.
MAX_LOOKED_AT: Final = 500
_MAX_CHARSETS: Final = 10  # that are read from a BADCHARSET response
_REST: Final = 40  # octets of a command line other than UIDs and search keys
# The greeting of servers that compare the encoded header: Gluon, which is the IMAP server of
# Proton Mail Bridge. They find no word of a subject that has an umlaut.
_COMPARES_ENCODED: Final = re.compile(r"gluon|proton", re.IGNORECASE)


async def search(
    session: Session, folder: str, criteria: Criteria, limit: int
) -> SearchResult:
    """Return the newest `limit` messages that match."""
    command = _command(session, words_of(criteria), "COUNT ALL")
    uid_validity = await session.read(folder, None, command)
    searcher = _Searcher(session, folder, uid_validity)
    hits = await searcher.hits(criteria, [command], max(limit, 0))
    return SearchResult(
        uid_validity=uid_validity, uids=hits.uids[: max(limit, 0)], total=hits.total
    )


async def count(
    session: Session, folder: str, searches: Sequence[Criteria], among: Sequence[int]
) -> list[SearchCount | CriteriaRefused]:
    """Return for each search the number of matches and those in `among`, or the refusal."""
    named = sorted({uid for uid in among if 0 < uid <= MAX_UID})[-MAX_NAMED:]
    requests = [_count_commands(session, criteria, named) for criteria in searches]
    commands = [
        command
        for request in requests
        if not isinstance(request, CriteriaRefused)
        for command in request
    ]
    uid_validity = await session.read(folder, None, *commands)
    searcher = _Searcher(session, folder, uid_validity)
    return [
        request
        if isinstance(request, CriteriaRefused)
        else await searcher.count(criteria, request, named)
        for criteria, request in zip(searches, requests, strict=True)
    ]


def _count_commands(
    session: Session, criteria: Criteria, named: Sequence[int]
) -> list[Command] | CriteriaRefused:
    """Return the search for the number of matches, and those for the UIDs that match."""
    try:
        words = words_of(criteria)
    except CriteriaRefused as error:
        return error
    total = _command(session, words, "COUNT")
    return [
        total,
        *(
            _command(session, (f"UID {uid_set(group)}", *words), "ALL")
            for group in chunks(named, _REST + len(total.arguments))
        ),
    ]


def _command(session: Session, words: Words, returns: str) -> Command:
    """Return UID SEARCH, with RETURN unless it is known not to work."""
    options = "" if session.esearch_works is False else returns
    return search_command(words, session.capabilities, options)


@dataclass(frozen=True, slots=True)
class _Searcher:
    """Reads the results of searches in a folder, and searches in another way where needed."""

    session: Session
    folder: str
    uid_validity: int
    mails: dict[int, Mail] = field(default_factory=dict)  # that were fetched to compare

    async def count(
        self, criteria: Criteria, commands: Sequence[Command], named: Sequence[int]
    ) -> SearchCount | CriteriaRefused:
        """Return the number of matches and those in `named`; raise a temporary refusal."""
        try:
            hits = await self.hits(criteria, commands, 0, named)
        except CriteriaRefused as error:
            return error
        matching = frozenset(hits.uids).intersection(named)
        return SearchCount(total=hits.total, matching=matching)

    async def hits(
        self,
        criteria: Criteria,
        commands: Sequence[Command],
        limit: int,
        among: Sequence[int] | None = None,
    ) -> Hits:
        """Return the total of the first command, which was sent, and the UIDs of all.

        The UIDs are the newest `limit`, or those in `among`.
        """
        remote, local = split(criteria, ascii_too=True)
        greeting = self.session.connection.greeting
        if local == Criteria() or not _COMPARES_ENCODED.search(greeting):
            return await self._hits(criteria, commands, limit, among)
        hits = await self._hits(criteria, commands[:1], MAX_HITS)
        uids = {*hits.uids, *(await self._compare(remote, local)).uids}
        return Hits(len(uids), tuple(sorted(uids, reverse=True)))

    async def _hits(
        self,
        criteria: Criteria,
        commands: Sequence[Command],
        limit: int,
        among: Sequence[int] | None = None,
    ) -> Hits:
        found: list[Hits] = []
        for command in commands:
            if (hits := await self._read(command, limit, among)) is None:
                return await self._search_again(criteria, command, limit, among)
            found.append(hits)
        return Hits(found[0].total, tuple(uid for hits in found for uid in hits.uids))

    async def _read(
        self, command: Command, limit: int, among: Sequence[int] | None
    ) -> Hits | None:
        """Return the result of a search, None if it was refused or is incomplete."""
        try:
            hits = await read_hits(command, limit, among)
        except CommandRefused:
            return None
        if hits and return_options(command):
            self.session.esearch_works = True
        return hits

    async def _run(
        self, command: Command, limit: int, among: Sequence[int] | None = None
    ) -> Hits | None:
        await self.session.read(self.folder, self.uid_validity, command)
        return await self._read(command, limit, among)

    async def _search_again(
        self,
        criteria: Criteria,
        failed: Command,
        limit: int,
        among: Sequence[int] | None,
    ) -> Hits:
        """Search without RETURN and UID, then without UTF-8; raise CriteriaRefused."""
        words = words_of(criteria)
        plain = search_command(words, self.session.capabilities)
        is_same = without_return(failed) == plain.arguments
        is_suspect = bool(return_options(failed)) and not self.session.esearch_works
        refusal = _refusal(failed, is_suspect=is_suspect)
        if refusal is None or (
            refusal.code != "BADCHARSET" and (is_suspect or not is_same)
        ):
            if hits := await self._run(plain, limit, among):
                if is_same:
                    self.session.esearch_works = False
                return hits
            refusal = _refusal(plain)
        if refusal is None or refusal.code != "BADCHARSET" or is_ascii(words):
            raise CriteriaRefused(refusal.text if refusal else "") from refusal
        for charset in _offered(refusal, words):
            command = search_command(words, self.session.capabilities, charset=charset)
            if hits := await self._run(command, limit, among):
                return hits
            break
        remote, local = split(criteria, ascii_too=False)
        if not is_ascii(words_of(remote)):
            raise CriteriaRefused(refusal.text) from refusal
        return await self._compare(remote, local)

    async def _compare(self, remote: Criteria, local: Criteria) -> Hits:
        """Compare the header fields of the newest MAX_LOOKED_AT messages that match `remote`."""
        command = search_command(words_of(remote), self.session.capabilities)
        if (hits := await self._run(command, MAX_LOOKED_AT)) is None:
            refusal = _refusal(command)
            raise CriteriaRefused(refusal.text if refusal else "") from refusal
        unknown = [uid for uid in hits.uids if uid not in self.mails]
        for mail in await fetch_mails(
            self.session, self.folder, self.uid_validity, unknown
        ):
            self.mails[mail.uid] = mail
        found: list[int] = []
        for uid in hits.uids:
            if uid in self.mails and matches(local, self.mails[uid]):
                found.append(uid)
            await asyncio.sleep(0)
        return Hits(len(found), tuple(found))


def _refusal(command: Command, *, is_suspect: bool = False) -> CommandRefused | None:
    """Return the refusal of a search, None if it was answered with OK.

    Raises Unavailable for a temporary refusal. SERVERBUG is none where RETURN is suspect
    (MailKit#839).
    """
    refusal = command.error
    if not isinstance(refusal, CommandRefused):
        return None
    is_bug = is_suspect and refusal.code == "SERVERBUG"
    if not is_bug and (temporary := temporary_refusal(refusal)):
        raise temporary from refusal
    return refusal


def _offered(refusal: CommandRefused, words: Words) -> Iterator[str]:
    """Yield the charsets of a BADCHARSET response in which the search can be encoded."""
    for value in parse_values([refusal.code_args], _MAX_CHARSETS):
        for name in value if isinstance(value, tuple) else (value,):
            charset = name.decode("ascii", "replace") if isinstance(name, bytes) else ""
            if charset.isascii() and charset.isprintable() and fits(words, charset):
                yield charset
