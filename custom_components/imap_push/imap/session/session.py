"""A session: logged in, folders opened for reading, what is new in them, how many are unread."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import batched
from typing import Final

from ..auth.login import open_logged_in
from ..errors import CommandRefused, ResponseTooLarge
from ..mime.header import NEWEST_ITEMS
from ..mime.preview import (
    NO_TEXT,
    Preview,
    TextRequest,
    batch_size,
    fetch_items,
    reduced_fetch_items,
)
from ..models import Account, Mail
from ..wire.command import Command, Completion
from ..wire.connection import Connection
from ..wire.mailbox_name import encode_folder, is_folder, quote
from ..wire.parser import (
    MONTHS,
    Value,
    parse_internal_date,
    parse_number,
    parse_search_count,
    parse_status,
)
from ..wire.pipelining import Pipelining
from ..wire.response_codes import folder_error
from ..wire.unsolicited import UnsolicitedQueue
from .fetch_items import (
    MAX_UID,
    Fetched,
    by_uid,
    fetch_carefully,
    fetch_command,
    fetched,
    read_search,
)
from .mark import Mark
from .message_reader import complete_preview, read_message, read_previews
from .sync import ExamineResult, SyncBatch, SyncRequest, sweep_of

# UIDs that one FETCH asks for at the most.
BATCH: Final = 500
# Mails that may be new after a folder was numbered anew.
RECOVERY: Final = 500

_EXAMINED: Final = frozenset(
    {"EXISTS", "RECENT", "FLAGS", "UIDVALIDITY", "UIDNEXT", "HIGHESTMODSEQ"}
)
_PEEK_ITEMS: Final = "(UID)"
_DATE_ITEMS: Final = "(UID INTERNALDATE)"
# Mails that are fetched at a time then.
_RECOVERY_BATCH: Final = 100


class Session:
    """A connection that is logged in; at most one folder is open at a time, read-only."""

    def __init__(self, connection: Connection) -> None:
        """Use a connection that is logged in."""
        self._connection = connection
        self.folder: str | None = None  # the one that is open
        self._opened = ExamineResult(0, None)
        self.counts_by_status = "ESEARCH" not in self.capabilities
        self.told_of_flags = False  # in the last sweep, beside what was asked for

    @classmethod
    async def open(
        cls,
        account: Account,
        on_alert: Callable[[str], None] | None = None,
        pipelining: Pipelining | None = None,
        *,
        retry: bool = False,
    ) -> Session:
        """Connect and log in; `on_alert` gets what the user has to be told."""
        connection = await open_logged_in(account, on_alert, pipelining, retry=retry)
        return cls(connection)

    @property
    def capabilities(self) -> frozenset[str]:
        """Return what the server offers after login, upper case."""
        return self._connection.capabilities

    @property
    def unsolicited(self) -> UnsolicitedQueue:
        """Return what the server tells unasked."""
        return self._connection.unsolicited

    @property
    def last_opened(self) -> ExamineResult:
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

    async def wait_for_unsolicited(self, seconds: float) -> None:
        """Wait so long, or until the server tells of something; raise what ended it all."""
        await self._connection.wait_for_unsolicited(seconds)

    def answered(self) -> None:
        """Note that all that was sent is answered, and the answers are read."""
        self._connection.answered()
        self._connection.release()

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
        is_growth: bool = False,
        fetches: bool = True,
        shows_newest: bool = False,
        batch: int | None = None,
        text: TextRequest = NO_TEXT,
    ) -> SyncRequest:
        """Return what to ask of a folder; without a mark it is only opened.

        `is_growth`: the server has told how many messages are new, which fit into a batch.
        """
        examine = self._examine_command(folder) if opens else None
        if mark is None:
            return SyncRequest(folder, mark, examine)
        fetch, end = None, None
        if fetches:
            if not (is_peek or is_growth):
                end = mark.next_uid + batch_size(text, batch or BATCH)
            items = _PEEK_ITEMS if is_peek else fetch_items(text)
            fetch = fetch_command(_from(mark.next_uid, end), items)
        # A range above all UIDs is that of the last message (RFC 3501 6.4.8).
        newest = fetch_command(f"{MAX_UID}:*", NEWEST_ITEMS) if shows_newest else None
        count = self._count_command(folder)
        return SyncRequest(
            folder, mark, examine, fetch, newest, count, is_peek, end, text
        )

    async def opened(self, look: SyncRequest) -> ExamineResult:
        """Return what the folder says of itself; raise FolderNotFound if there is none."""
        if look.examine is not None:
            self.folder = None
            self._opened = await _examined(look.examine)
            self.folder = look.folder
        return self._opened

    async def peeked(self, look: SyncRequest) -> int:
        """Return the UID of the last message in the folder, 0 if there is none."""
        assert look.mark is not None
        assert look.fetch is not None
        return max((await self._fetched(look.fetch, look.mark)).messages, default=0)

    async def swept(self, look: SyncRequest) -> SyncBatch | None:
        """Return what a look found, None if only a search can tell.

        Raises CommandRefused if the server refuses to show the messages.
        """
        assert look.mark is not None
        assert look.fetch is not None
        found = await self._fetched(look.fetch, look.mark)
        newest = await self._newest(look, look.mark, found)
        if found.has_unknown:
            return None
        return sweep_of(look, look.mark, found, newest, self._opened.uid_next)

    async def _fetched(self, fetch: Command, mark: Mark) -> Fetched:
        """Return the messages at or above a mark, or the last one."""
        responses = (await fetch.wait()).data
        found = await by_uid(responses)
        messages = found.messages
        asked = [uid for uid in messages if uid >= mark.next_uid] or list(messages)[-1:]
        # Others tell of changed flags: they came while we asked.
        self.told_of_flags = found.is_whole and len(responses) > len(asked)
        return found

    async def _newest(
        self, look: SyncRequest, mark: Mark, found: Fetched
    ) -> dict[int, dict[str, Value]] | None:
        """Return the last message of a folder, if there is one; None if that is not known."""
        if look.newest is None:
            return None
        try:
            last = (await fetched(look.newest)).messages
        except CommandRefused:
            return None  # Some refuse `*` where there is no message.
        # Dovecot answers both FETCH commands before it completes the first.
        early = {uid: it for uid, it in found.messages.items() if uid < mark.next_uid}
        if any("BODY" in items for items in (*last.values(), *early.values())):
            uid = max(*last, *found.messages, 0)
            # What tells of changed flags must not take the place of the message.
            return {uid: last.get(uid, {}) | found.messages.get(uid, {})}
        # Some answer with nothing though there are messages.
        is_empty = not found.messages and self._opened.numbers.get("MESSAGES") == 0
        return {} if is_empty else None

    async def counted(self, look: SyncRequest) -> int | None:
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
        count = 0
        for data in counted.data:
            count += parse_search_count(data)
            await asyncio.sleep(0)
        return count

    async def told(self, status: Command, folder: str) -> dict[str, int]:
        """Return what STATUS tells of a folder; what it tells of others is news."""
        numbers: dict[str, int] = {}
        for data in (await status.wait()).data:
            name, found = parse_status(data)
            if is_folder(name, folder):
                numbers = found
            else:
                self.unsolicited.put(data)
            await asyncio.sleep(0)  # A server may tell of thousands.
        return numbers

    async def examine(self, folder: str) -> ExamineResult:
        """Open a folder; EXAMINE changes nothing (RFC 3501 6.3.2)."""
        look = self.look(folder, None, opens=True)
        await self.send(look.commands)
        return await self.opened(look)

    async def first_mark(self) -> Mark:
        """Return the mark that leaves out all that is in the open folder now."""
        uid_next = self._opened.uid_next
        if uid_next is None:
            # Some servers do not tell UIDNEXT: it is above the UID of the last message.
            [last] = await self._connection.run(fetch_command("*", _PEEK_ITEMS))
            uid_next = max((await by_uid(last.data)).messages, default=0) + 1
        return Mark(self._opened.uid_validity, uid_next)

    async def received_since(
        self, moment: datetime, text: TextRequest = NO_TEXT
    ) -> AsyncIterator[Mail]:
        """Yield the mails received since a moment, oldest first, at most RECOVERY of them.

        None is yielded if there are more: a mailbox that was restored as a whole would otherwise
        look like so much new mail. Each is read when its turn comes, as many with all their
        recipients take too much memory.
        """
        # SINCE knows days only, and not those of our time zone (RFC 3501 6.4.4).
        day = moment - timedelta(days=1)
        since = f"{day.day}-{MONTHS[day.month - 1]}-{day.year}"
        try:
            uids = await self._search(f"SINCE {since}", 1, RECOVERY + 1)
        except ResponseTooLarge:
            return
        if not uids or len(uids) > RECOVERY or self.folder is None:
            return
        folder, validity = self.folder, self._opened.uid_validity
        found = await self.fetch_carefully(uids, [_DATE_ITEMS])
        dates = {
            uid: parse_internal_date(items.get("INTERNALDATE"))
            for uid, items in found.items()
        }
        received = sorted((date, uid) for uid, date in dates.items() if date)
        asked = [uid for date, uid in received if date >= moment]
        for batch in batched(asked, batch_size(text, _RECOVERY_BATCH), strict=False):
            messages = await self.fetch_carefully(batch, reduced_fetch_items(text))
            previews = await read_previews(messages, text)
            for uid in filter(messages.__contains__, batch):
                items, preview = messages[uid], previews.get(uid)
                if preview and preview.more:
                    items, preview = await self._fetch_more(uid, items, preview, text)
                yield await read_message(folder, validity, uid, items, text, preview)
                await asyncio.sleep(0)

    async def sweep_sparse(
        self,
        folder: str,
        mark: Mark,
        batch: int | None = None,
        text: TextRequest = NO_TEXT,
    ) -> SyncBatch:
        """Sweep the open folder by a search: UIDs are far apart, or a FETCH of many went wrong.

        Of a message that the server cannot show whole, what it can show is delivered; a
        batch of 0 is one message that is not asked for its header.
        """
        first = min(mark.next_uid, MAX_UID)
        most = batch_size(text, BATCH if batch is None else max(batch, 1))
        uids = await self._search(f"UID {first}:*", mark.next_uid, most + 1)
        asked = uids[:most]
        items = reduced_fetch_items(text)
        messages = await self.fetch_carefully(
            asked, items[-1:] if batch == 0 else items
        )
        next_uid = max(asked, default=mark.next_uid - 1) + 1
        complete = len(uids) == len(asked)
        return SyncBatch(folder, mark, next_uid, complete, messages=messages, text=text)

    async def complete(self, sweep: SyncBatch, *, fetches_more: bool) -> SyncBatch:
        """Fetch the rest of a sweep of the open folder.

        Of messages that are too large, what can be shown; of others, if `fetches_more`, the text
        or header fields that were not in what was fetched.
        """
        less = reduced_fetch_items(sweep.text)[1:]
        found = await self.fetch_carefully(sweep.too_large, less)
        messages = dict(sorted({**sweep.messages, **found}.items()))
        previews = dict(sweep.previews)
        for uid, preview in sweep.previews.items():
            if preview.more and fetches_more:
                messages[uid], previews[uid] = await self._fetch_more(
                    uid, messages[uid], preview, sweep.text
                )
        return replace(sweep, messages=messages, previews=previews, too_large=())

    async def _fetch_more(
        self,
        uid: int,
        items: Mapping[str, Value],
        preview: Preview,
        text: TextRequest,
    ) -> tuple[dict[str, Value], Preview]:
        """Return a message and its text with what is missing, as far as the server shows it."""

        async def fetch(more: str) -> Mapping[str, Value]:
            with suppress(CommandRefused):
                return (await self._fetch([uid], more)).messages.get(uid, {})
            return {}

        return await complete_preview(items, preview, text, fetch)

    async def fetch_carefully(
        self, uids: Sequence[int], items: Sequence[str]
    ) -> dict[int, dict[str, Value]]:
        """Fetch messages; of one that cannot be shown whole, the first of `items` that can."""
        return await fetch_carefully(self._fetch, uids, items, _is_no)

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

    async def _search(self, criteria: str, first: int, most: int) -> list[int]:
        """Return the UIDs from `first` on that a search finds, the lowest `most`, ascending."""
        search = Command("UID SEARCH", criteria, frozenset({"SEARCH"}))
        [found] = await self._connection.run(search)
        return await read_search(found.data, first, most)

    async def _fetch(self, uids: Sequence[int], items: str) -> Fetched:
        command = fetch_command(",".join(map(str, uids)), items)
        [completion] = await self._connection.run(command)
        return await by_uid(completion.data)


def _is_no(error: CommandRefused) -> bool:
    return error.status == "NO"


def status_command(folder: str, items: str) -> Command:
    """Return STATUS of a folder (RFC 3501 6.3.10)."""
    name = quote(encode_folder(folder))
    return Command("STATUS", f"{name} ({items})", frozenset({"STATUS"}))


def _from(start: int, end: int | None) -> str:
    last = "*" if end is None else min(end - 1, MAX_UID)
    return f"{min(start, MAX_UID)}:{last}"


async def _examined(command: Command) -> ExamineResult:
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
    return ExamineResult(numbers.get("UIDVALIDITY", 0), numbers.get("UIDNEXT"), numbers)
