"""A session: logged in, one folder open for reading, what is new in it, how many are unread."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .auth import log_in
from .connection import Connection
from .errors import CommandRefused, FolderNotFound
from .message import FETCH_ITEMS, parse_mail
from .models import Account, Mail, Mark
from .names import encode_folder, quote
from .protocol import Command, Completion
from .responses import Value, parse_fetch, parse_number, parse_search_count

# Messages that one FETCH asks for at the most, as far as the server tells how many there are.
BATCH: Final = 500
# Responses that are parsed in one go, before the event loop gets its turn.
SLICE: Final = 64

_EXAMINED: Final = frozenset({"EXISTS", "RECENT", "FLAGS", "UIDVALIDITY", "UIDNEXT"})


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep found: `mark` is where the next one starts, not before all is delivered.

    `complete` is false if more is waiting above the mark.
    """

    folder: str
    start: Mark
    mark: Mark
    unread: int
    complete: bool
    messages: dict[int, dict[str, Value]]  # FETCH items by UID, ascending

    def mails(self) -> Iterator[Mail]:
        """Yield the new mails in the order of their UIDs, each parsed when its turn comes."""
        # `n:*` gives the last message even if its UID is below n (RFC 3501 6.4.8).
        return (self._mail(uid) for uid in self.messages if uid >= self.start.next_uid)

    def newest(self) -> Mail | None:
        """Return the folder's newest mail, new or not."""
        return self._mail(max(self.messages)) if self.messages else None

    def _mail(self, uid: int) -> Mail:
        return parse_mail(self.folder, self.start.uid_validity, uid, self.messages[uid])


class Session:
    """A connection that is logged in and has one folder open, read-only."""

    def __init__(self, connection: Connection, folder: str) -> None:
        """Use a connection that is logged in; `examine` opens the folder."""
        self._connection = connection
        self._folder = folder
        self._uid_validity = 0
        self._uid_next: int | None = None

    @classmethod
    async def open(cls, account: Account, folder: str) -> Session:
        """Connect, log in and open the folder."""
        connection = await Connection.open(account)
        try:
            await log_in(connection, account)
            session = cls(connection, folder)
            await session.examine()
        except BaseException:
            connection.abort()
            raise
        return session

    @property
    def capabilities(self) -> frozenset[str]:
        """Return what the server offers after login, upper case."""
        return self._connection.capabilities

    async def examine(self) -> None:
        """Open the folder, or look at it afresh; EXAMINE changes nothing (RFC 3501 6.3.2)."""
        command = Command("EXAMINE", quote(encode_folder(self._folder)), _EXAMINED)
        try:
            [completion] = await self._connection.run(command)
        except CommandRefused as error:
            raise FolderNotFound(error.text) from error
        told = {data.name: data.parts[0] for data in completion.data}
        self._uid_validity = parse_number(told.get("UIDVALIDITY"))
        self._uid_next = parse_number(told.get("UIDNEXT")) or None

    async def first_mark(self) -> Mark:
        """Return the mark that leaves out all that is in the folder now."""
        if self._uid_next is None:
            # Some servers do not tell UIDNEXT: it is above the UID of the last message.
            fetched = await self._fetch("*", "(UID)")
            self._uid_next = max(fetched, default=0) + 1
        return Mark(self._uid_validity, self._uid_next)

    def continues(self, mark: Mark) -> bool:
        """Return if the mark's UIDs still mean what they meant (RFC 3501 2.3.1.1)."""
        backwards = self._uid_next is not None and self._uid_next < mark.next_uid
        return mark.uid_validity == self._uid_validity and not backwards

    async def sweep(self, mark: Mark) -> Sweep:
        """Fetch everything at or above the mark, and count the unread.

        Whatever the server tells while this goes on is news that asks for another sweep.
        """
        self._connection.expect_news()
        last = await self._end_of_batch(mark)
        fetch = self._fetch_command(f"{mark.next_uid}:{last or '*'}", FETCH_ITEMS)
        count = self._count_command()
        fetched, counted = await self._connection.run(fetch, count)
        # A FETCH without the header tells of changed flags.
        messages = {
            uid: items
            for uid, items in sorted((await _by_uid(fetched)).items())
            if "BODY" in items
        }
        if last is None:
            self._uid_next = None  # What EXAMINE told of is dealt with.
        next_uid = max(mark.next_uid, (last or 0) + 1, max(messages, default=0) + 1)
        return Sweep(
            folder=self._folder,
            start=mark,
            mark=Mark(mark.uid_validity, next_uid),
            unread=sum(parse_search_count(data) for data in counted.data),
            complete=last is None,
            messages=messages,
        )

    async def idle(self, seconds: float) -> bool:
        """Wait by IDLE for news, at most so long; return if there was any."""
        return await self._connection.idle(seconds)

    async def pause(self, seconds: float) -> None:
        """Wait so long, or until the server tells of a change unasked."""
        await self._connection.wait_for_news(seconds)

    async def close(self) -> None:
        """Log out; never CLOSE, which would remove what other clients marked as deleted."""
        await self._connection.close()

    async def _end_of_batch(self, mark: Mark) -> int | None:
        """Return the UID that ends the next batch, or None if all that is there is one batch."""
        if (self._uid_next or 0) - mark.next_uid <= BATCH:
            return None
        search = Command("UID SEARCH", f"UID {mark.next_uid}:*", frozenset({"SEARCH"}))
        [found] = await self._connection.run(search)
        words = (word for data in found.data for word in data.parts[0].split())
        uids = sorted(
            uid for word in words if (uid := parse_number(word)) >= mark.next_uid
        )
        return uids[BATCH - 1] if len(uids) > BATCH else None

    def _fetch_command(self, uids: str, items: str) -> Command:
        return Command("UID FETCH", f"{uids} {items}", frozenset({"FETCH"}))

    def _count_command(self) -> Command:
        if "ESEARCH" in self.capabilities:
            return Command(
                "UID SEARCH", "RETURN (COUNT) UNSEEN", frozenset({"ESEARCH"})
            )
        return Command("UID SEARCH", "UNSEEN", frozenset({"SEARCH"}))

    async def _fetch(self, uids: str, items: str) -> dict[int, dict[str, Value]]:
        [completion] = await self._connection.run(self._fetch_command(uids, items))
        return await _by_uid(completion)


async def _by_uid(completion: Completion) -> dict[int, dict[str, Value]]:
    """Return the items of each message; a message may be told of in several responses."""
    messages: dict[int, dict[str, Value]] = {}
    for index, data in enumerate(completion.data, 1):
        items = parse_fetch(data)
        if uid := parse_number(items.get("UID")):
            messages.setdefault(uid, {}).update(items)
        if index % SLICE == 0:
            await asyncio.sleep(0)
    return messages
