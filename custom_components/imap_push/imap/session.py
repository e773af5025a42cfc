"""A session: logged in, folders opened for reading, what is new in them, how many are unread."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import batched
import logging
from typing import Final

from .auth import open_logged_in
from .command import Command, Completion
from .connection import Connection
from .errors import CommandRefused
from .excerpt import batch_size, fetch_items
from .fetching import MAX_UID, by_uid, fetch_command
from .mark import Mark
from .models import Account, Mail
from .names import encode_folder, is_folder, quote
from .news import NewsQueue
from .pipelining import Pipelining
from .refusals import folder_error
from .responses import MONTHS, Value, parse_number, parse_search_count, parse_status
from .sweep import Look, Opened, Sweep, read_with_text

_LOGGER = logging.getLogger(__name__)

# UIDs that one FETCH asks for at the most.
BATCH: Final = 500
# Mails that may be new after a folder was numbered anew.
RECOVERY: Final = 500

_EXAMINED: Final = frozenset(
    {"EXISTS", "RECENT", "FLAGS", "UIDVALIDITY", "UIDNEXT", "HIGHESTMODSEQ"}
)
_PEEK_ITEMS: Final = "(UID)"
# What is asked for where the server cannot tell the structure or the header of a mail.
_BARE_ITEMS: Final = "(UID FLAGS INTERNALDATE RFC822.SIZE)"


class Session:
    """A connection that is logged in; at most one folder is open at a time, read-only."""

    def __init__(self, connection: Connection) -> None:
        """Use a connection that is logged in."""
        self._connection = connection
        self.folder: str | None = None  # the one that is open
        self._opened = Opened(0, None)
        self.counts_by_status = "ESEARCH" not in self.capabilities
        self.told_of_flags = False  # in the last sweep, beside what was asked for

    @classmethod
    async def open(
        cls,
        account: Account,
        on_alert: Callable[[str], None] | None = None,
        pipelining: Pipelining | None = None,
        *,
        patiently: bool = False,
    ) -> Session:
        """Connect and log in; `on_alert` gets what the user has to be told."""
        connection = await open_logged_in(
            account, on_alert, pipelining, patiently=patiently
        )
        return cls(connection)

    @property
    def capabilities(self) -> frozenset[str]:
        """Return what the server offers after login, upper case."""
        return self._connection.capabilities

    @property
    def news(self) -> NewsQueue:
        """Return what the server tells unasked."""
        return self._connection.news

    @property
    def last_opened(self) -> Opened:
        """Return what the open folder said of itself."""
        return self._opened

    @property
    def idle_is_refused(self) -> bool:
        """Return if the server refused the last IDLE."""
        return self._connection.idle_is_refused

    @property
    def idle_is_over(self) -> bool:
        """Return if the server ended the last IDLE by itself."""
        return self._connection.idle_is_over

    async def send(self, commands: Iterable[Command], *, idle: bool = False) -> None:
        """Send commands, in one write if possible, and IDLE behind them."""
        await self._connection.send(*commands, idle=idle)

    async def wait_for_news(self, seconds: float) -> None:
        """Wait so long, or until the server tells of something; raise what ended it all."""
        await self._connection.wait_for_news(seconds)

    def answered(self) -> None:
        """Note that all that was sent is answered."""
        self._connection.answered()

    async def close(self) -> None:
        """Log out; never CLOSE, which would remove what other clients marked as deleted."""
        await self._connection.close()

    def look(
        self,
        folder: str,
        mark: Mark | None,
        *,
        opens: bool,
        is_peek: bool = False,
        fetches: bool = True,
        text_size: int = 0,
    ) -> Look:
        """Return what to ask of a folder; without a mark it is only opened."""
        examine = self._examine_command(folder) if opens else None
        if mark is None:
            return Look(folder, mark, examine, None, None, is_peek)
        fetch = None
        if fetches:
            # The last message comes too: it tells what is the newest, and if there is more.
            uids = _batch(mark.next_uid, batch_size(text_size, BATCH))
            items = _PEEK_ITEMS if is_peek else fetch_items(text_size)
            fetch = fetch_command(f"{uids},*", items)
        count = self._count_command(folder)
        return Look(folder, mark, examine, fetch, count, is_peek, text_size)

    async def opened(self, look: Look) -> Opened:
        """Return what the folder says of itself; raise FolderNotFound if there is none."""
        if look.examine is not None:
            self.folder = None
            self._opened = await _examined(look.examine)
            self.folder = look.folder
        return self._opened

    async def peeked(self, look: Look) -> int:
        """Return the UID of the last message in the folder, 0 if there is none."""
        assert look.mark is not None
        assert look.fetch is not None
        return max(await self._messages(look.fetch, look.mark), default=0)

    async def swept(self, look: Look) -> Sweep:
        """Return what a look found; raise CommandRefused if the server cannot tell."""
        assert look.mark is not None
        assert look.fetch is not None
        messages = await self._messages(look.fetch, look.mark)
        return self._sweep(look, look.mark, messages)

    async def _messages(
        self, fetch: Command, mark: Mark
    ) -> dict[int, dict[str, Value]]:
        """Return the messages at or above a mark, and the last one."""
        responses = (await fetch.wait()).data
        messages = await by_uid(responses)
        asked = [uid for uid in messages if uid >= mark.next_uid] or list(messages)[-1:]
        # Others tell of changed flags: they came while we asked.
        self.told_of_flags = len(responses) > len(asked)
        return messages

    async def counted(self, look: Look) -> int | None:
        """Return how many are unread, or None if the server does not tell it here."""
        assert look.count is not None
        try:
            counted = await look.count.wait()
        except CommandRefused:
            # Mail does not wait for a count.
            self.counts_by_status = False
            return None
        if look.count.name == "STATUS":
            unseen = (await self.told(look.count, look.folder)).get("UNSEEN")
            self.counts_by_status = unseen is not None
            return unseen
        return sum(map(parse_search_count, counted.data))

    async def told(self, status: Command, folder: str) -> dict[str, int]:
        """Return what STATUS tells of a folder; what it tells of others is news."""
        numbers: dict[str, int] = {}
        for data in (await status.wait()).data:
            name, found = parse_status(data)
            if is_folder(name, folder):
                numbers = found
            else:
                self.news.put(data)
        return numbers

    async def examine(self, folder: str) -> Opened:
        """Open a folder; EXAMINE changes nothing (RFC 3501 6.3.2)."""
        look = self.look(folder, None, opens=True)
        await self.send(look.commands)
        return await self.opened(look)

    async def first_mark(self) -> Mark:
        """Return the mark that leaves out all that is in the open folder now."""
        uid_next = self._opened.uid_next
        if uid_next is None:
            # Some servers do not tell UIDNEXT: it is above the UID of the last message.
            uid_next = max(await self._fetch("*", _PEEK_ITEMS), default=0) + 1
        return Mark(self._opened.uid_validity, uid_next)

    async def received_since(self, moment: datetime, text_size: int = 0) -> list[Mail]:
        """Return the mails received since a moment, oldest first, at most RECOVERY of them.

        Nothing is returned if there are more: a mailbox that was restored as a whole would
        otherwise look like so much new mail.
        """
        # SINCE knows days only, and not those of our time zone (RFC 3501 6.4.4).
        day = moment - timedelta(days=1)
        since = f"{day.day}-{MONTHS[day.month - 1]}-{day.year}"
        uids = await self._search(f"SINCE {since}")
        mails: list[Mail] = []
        if not uids or len(uids) > RECOVERY or self.folder is None:
            return mails
        validity, batch = self._opened.uid_validity, batch_size(text_size, BATCH)
        for asked in batched(uids, batch, strict=False):
            messages = await self._fetch_carefully(list(asked), text_size)
            for uid, items in messages.items():
                mail = await read_with_text(
                    self.folder, validity, uid, items, text_size
                )
                mails.append(mail)
                await asyncio.sleep(0)
        received = [mail for mail in mails if mail.received and mail.received >= moment]
        return sorted(received, key=lambda mail: (mail.received, mail.uid))

    async def sweep_sparse(
        self,
        folder: str,
        mark: Mark,
        batch: int | None = None,
        text_size: int = 0,
    ) -> Sweep:
        """Sweep the folder that is open by what a search finds: UIDs are far apart, or a FETCH of many went wrong.

        A message that the server refuses to show is told of without header and structure; a
        batch of none is one such message that is not asked for them at all.
        """
        first = min(mark.next_uid, MAX_UID)
        found = await self._search(f"UID {first}:*")
        uids = [uid for uid in found if uid >= mark.next_uid]
        most = BATCH if batch is None else max(batch, 1)
        asked = uids[: batch_size(text_size, most)]
        if batch != 0 or not asked:
            messages = await self._fetch_carefully(asked, text_size)
        else:
            messages = await self._fetch_bare(asked[0])
        next_uid = max(asked, default=mark.next_uid - 1) + 1
        complete = len(uids) == len(asked)
        return Sweep(
            folder, mark, next_uid, complete, messages=messages, text_size=text_size
        )

    def _sweep(
        self, look: Look, mark: Mark, messages: dict[int, dict[str, Value]]
    ) -> Sweep:
        """Return what a FETCH of a batch, and of the last message, means."""
        end = mark.next_uid + batch_size(look.text_size, BATCH)
        # A FETCH response without the header tells of changed flags, or of a mail that is
        # announced and not there yet; there is no telling which.
        new = [uid for uid in messages if uid >= mark.next_uid]
        held_back = next((uid for uid in new if "BODY" not in messages[uid]), None)
        complete = max(messages, default=0) < end
        ended = held_back or (
            max(new, default=mark.next_uid - 1) + 1 if complete else end
        )
        return Sweep(
            folder=look.folder,
            start=mark,
            next_uid=min(ended, end),
            complete=complete,
            held_back=held_back if ended <= end else None,
            messages=messages,
            text_size=look.text_size,
        )

    def _examine_command(self, folder: str) -> Command:
        name = quote(encode_folder(folder))
        return Command("EXAMINE", name, _EXAMINED, opens_folder=True)

    def _count_command(self, folder: str) -> Command:
        if self.counts_by_status:
            return status_command(folder, "UNSEEN")
        if "ESEARCH" in self.capabilities:
            return Command(
                "UID SEARCH", "RETURN (COUNT) UNSEEN", frozenset({"ESEARCH"})
            )
        return Command("UID SEARCH", "UNSEEN", frozenset({"SEARCH"}))

    async def _search(self, criteria: str) -> list[int]:
        """Return the UIDs that a search finds, ascending."""
        search = Command("UID SEARCH", criteria, frozenset({"SEARCH"}))
        [found] = await self._connection.run(search)
        words = (word for data in found.data for word in data.parts[0].split())
        return sorted(filter(None, map(parse_number, words)))

    async def _fetch(self, uids: str, items: str) -> dict[int, dict[str, Value]]:
        [completion] = await self._connection.run(fetch_command(uids, items))
        return await by_uid(completion.data)

    async def _fetch_carefully(
        self, uids: list[int], text_size: int
    ) -> dict[int, dict[str, Value]]:
        """Fetch messages; of one that the server refuses to show, what it does show."""
        if not uids:
            return {}
        try:
            return await self._fetch(",".join(map(str, uids)), fetch_items(text_size))
        except CommandRefused as error:
            if error.status != "NO":
                raise
        if len(uids) > 1:
            half = len(uids) // 2
            first = await self._fetch_carefully(uids[:half], text_size)
            return first | await self._fetch_carefully(uids[half:], text_size)
        return await self._fetch_bare(uids[0])

    async def _fetch_bare(self, uid: int) -> dict[int, dict[str, Value]]:
        _LOGGER.warning(
            "The server cannot show a mail; it is told of without its fields"
        )
        try:
            return {uid: {}} | await self._fetch(str(uid), _BARE_ITEMS)
        except CommandRefused:
            return {uid: {}}


def status_command(folder: str, items: str) -> Command:
    """Return STATUS of a folder (RFC 3501 6.3.10)."""
    name = quote(encode_folder(folder))
    return Command("STATUS", f"{name} ({items})", frozenset({"STATUS"}))


def _batch(start: int, size: int) -> str:
    return f"{min(start, MAX_UID)}:{min(start + size - 1, MAX_UID)}"


async def _examined(command: Command) -> Opened:
    """Return what EXAMINE tells."""
    try:
        completion: Completion = await command.wait()
    except CommandRefused as error:
        raise folder_error(error) from error
    numbers: dict[str, int] = {}
    for data in completion.data:
        if data.name == "EXISTS":
            numbers["MESSAGES"] = data.number or 0
        elif number := parse_number(data.parts[0]):
            numbers[data.name] = number
    return Opened(numbers.get("UIDVALIDITY", 0), numbers.get("UIDNEXT"), numbers)
