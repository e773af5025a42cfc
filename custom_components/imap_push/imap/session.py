"""A session: logged in, one folder open for reading, what is new in it, how many are unread."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
import logging
from typing import Final

from .auth import log_in
from .connection import Connection
from .errors import CommandRefused, FolderNotFound
from .mark import Mark
from .message import FETCH_ITEMS, parse_mail
from .models import Account, Mail
from .names import encode_folder, quote
from .protocol import Command, Completion
from .refusals import is_missing_folder, passing_refusal
from .responses import MONTHS, Value, parse_fetch, parse_number, parse_search_count

_LOGGER = logging.getLogger(__name__)

# Messages that one FETCH asks for at the most, as far as the server tells how many there are.
BATCH: Final = 500
# Mails that may be new after a folder was numbered anew.
RECOVERY: Final = 500
# Octets that are parsed in one go, before the event loop gets its turn.
SLICE: Final = 65_536

_EXAMINED: Final = frozenset({"EXISTS", "RECENT", "FLAGS", "UIDVALIDITY", "UIDNEXT"})


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep found: `next_uid` is where the next one starts, once all is delivered.

    `complete` is false if more is waiting there.
    """

    folder: str
    start: Mark
    next_uid: int
    unread: int | None
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
        return _mail(self.folder, self.start.uid_validity, uid, self.messages[uid])


class Session:
    """A connection that is logged in and has one folder open, read-only."""

    def __init__(self, connection: Connection, folder: str) -> None:
        """Use a connection that is logged in; `examine` opens the folder."""
        self._connection = connection
        self._folder = folder
        self._uid_validity = 0
        self._uid_next: int | None = None

    @classmethod
    async def open(
        cls,
        account: Account,
        folder: str,
        on_alert: Callable[[str], None] | None = None,
    ) -> Session:
        """Connect, log in and open the folder; `on_alert` gets what the user has to be told."""
        connection = await Connection.open(account, on_alert)
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
            if is_missing_folder(error):
                raise FolderNotFound(error.text) from error
            raise passing_refusal(error) or error from error
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

    async def received_since(self, moment: datetime) -> list[Mail]:
        """Return the mails received since a moment, oldest first, at most RECOVERY of them.

        Nothing is returned if there are more: a mailbox that was restored as a whole would
        otherwise look like so much new mail.
        """
        # SINCE knows days only, and not those of our time zone (RFC 3501 6.4.4).
        day = moment - timedelta(days=1)
        since = f"{day.day}-{MONTHS[day.month - 1]}-{day.year}"
        uids = await self._search(f"SINCE {since}")
        mails: list[Mail] = []
        if not uids or len(uids) > RECOVERY:
            return mails
        numbers = ",".join(map(str, uids))
        for uid, items in (await self._fetch(numbers, FETCH_ITEMS)).items():
            mails.append(_mail(self._folder, self._uid_validity, uid, items))
            await asyncio.sleep(0)
        received = [mail for mail in mails if mail.received and mail.received >= moment]
        return sorted(received, key=lambda mail: (mail.received, mail.uid))

    async def sweep(self, mark: Mark) -> Sweep:
        """Fetch everything at or above the mark, and count the unread.

        Whatever the server tells while this goes on is news that asks for another sweep.
        """
        self._connection.expect_news()
        last = await self._end_of_batch(mark)
        fetch = self._fetch_command(f"{mark.next_uid}:{last or '*'}", FETCH_ITEMS)
        count = self._count_command()
        self._connection.start(fetch, count)
        fetched = await fetch.wait()
        unread = await self._unread(count)
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
            next_uid=next_uid,
            unread=unread,
            complete=last is None,
            messages=messages,
        )

    async def _unread(self, count: Command) -> int | None:
        """Return the count, or None if the server refuses it: mail does not wait for that."""
        try:
            counted = await count.wait()
        except CommandRefused:
            return None
        return sum(parse_search_count(data) for data in counted.data)

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
        uids = await self._search(f"UID {mark.next_uid}:*")
        new = [uid for uid in uids if uid >= mark.next_uid]
        return new[BATCH - 1] if len(new) > BATCH else None

    async def _search(self, criteria: str) -> list[int]:
        """Return the UIDs that a search finds, ascending."""
        search = Command("UID SEARCH", criteria, frozenset({"SEARCH"}))
        [found] = await self._connection.run(search)
        words = (word for data in found.data for word in data.parts[0].split())
        return sorted(filter(None, map(parse_number, words)))

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


def _mail(folder: str, uid_validity: int, uid: int, items: Mapping[str, Value]) -> Mail:
    """Return a mail; one that we cannot read is told without its fields, not held back."""
    try:
        return parse_mail(folder, uid_validity, uid, items)
    except Exception:
        _LOGGER.exception("A mail cannot be read; it is told of without its fields")
        return Mail(folder=folder, uid_validity=uid_validity, uid=uid)


async def _by_uid(completion: Completion) -> dict[int, dict[str, Value]]:
    """Return the items of each message; a message may be told of in several responses."""
    messages: dict[int, dict[str, Value]] = {}
    parsed = 0
    for data in completion.data:
        items = parse_fetch(data)
        if uid := parse_number(items.get("UID")):
            messages.setdefault(uid, {}).update(items)
        parsed += sum(map(len, data.parts))
        if parsed > SLICE:
            parsed = 0
            await asyncio.sleep(0)
    return messages
