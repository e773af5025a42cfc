"""One login and its commands: open a folder, run commands in it, wait for what changes.

Watching sends several commands in one write and reads the responses later (`send`, then
`read_selected`, `read_batch`, `read_unread`). Actions wait for each write (`run`, `read`,
`select`).
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from itertools import batched, groupby
from typing import Final

from ..auth.login import open_logged_in
from ..errors import CommandRefused, FolderReadOnly
from ..mime.header import NEWEST_ITEMS
from ..mime.preview import NO_TEXT, TextRequest, fetch_items
from ..models import Account
from ..wire.command import Command, Completion
from ..wire.connection import Connection
from ..wire.mailbox_name import encode_folder, is_folder, quote
from ..wire.parser import Value, parse_search_count, parse_status
from ..wire.pipelining import Pipelining
from .fetch_items import (
    MAX_UID,
    Fetched,
    by_uid,
    fetch_command,
    fetch_with_fallback,
    fetched,
    read_search,
)
from .mark import Mark
from .select import SelectResult, examine_command, read_select, select_command
from .sync import SyncBatch, SyncRequest, batch_of, messages_per_fetch

# Commands in one write.
_MAX_WRITE: Final = 100
# Commands that follow SELECT in the same write, before the server confirms that the folder
# exists: servers disconnect after several commands that fail.
_MAX_SPECULATIVE: Final = 4

_UID_ITEMS: Final = "(UID)"


class Session:
    """A connection that is logged in. At most one folder is open at a time."""

    def __init__(self, connection: Connection) -> None:
        """Use a connection that is logged in."""
        # Public for its unsolicited responses and the state of IDLE.
        self.connection = connection
        # The open folder, None if there is none, and what the server reported about it.
        self.folder: str | None = None
        self.selected = SelectResult(0)
        self.counts_by_status = "ESEARCH" not in self.capabilities
        # Whether SEARCH RETURN works, None if it is offered but was not answered yet.
        self.esearch_works = None if "ESEARCH" in self.capabilities else False
        # The responses to the last FETCH included changed flags of other messages.
        self.flags_changed = False
        # The folders for which the server sent COPYUID (RFC 4315 3).
        self.copyuid_targets: set[str] = set()
        # A command was sent that must not be repeated after the connection is lost.
        self.is_not_repeatable = False
        self._sent: tuple[Command, ...] = ()  # the last write of `run`

    @classmethod
    async def open(
        cls,
        account: Account,
        on_alert: Callable[[str], None] | None = None,
        pipelining: Pipelining | None = None,
        *,
        retry: bool = False,
    ) -> Session:
        """Connect and log in; `on_alert` is called with each ALERT of the server."""
        connection = await open_logged_in(account, on_alert, pipelining, retry=retry)
        return cls(connection)

    @property
    def capabilities(self) -> frozenset[str]:
        """Return the capabilities after login, upper case."""
        return self.connection.capabilities

    async def close(self) -> None:
        """Log out. CLOSE is never sent: it removes messages that other clients marked."""
        await self.connection.close()

    # One write, responses later

    async def send(self, commands: Iterable[Command], *, idle: bool = False) -> None:
        """Send commands, in one write if possible, and IDLE after them."""
        await self.connection.send(*commands, idle=idle)

    def release(self) -> None:
        """Record that the last write was answered, and free its responses: read them first."""
        self.connection.answered()
        self.connection.release()

    # One write after the other

    async def run(self, *commands: Command) -> list[Completion]:
        """Send commands, in one write if possible; wait for all, raise the first refusal."""
        await self._run(commands)
        return [await command.wait() for command in commands]

    async def drain(self) -> None:
        """Wait until the last write is answered; raise what ended the connection."""
        for command in self._sent:
            await command.wait_until_done()
        self._sent = ()

    async def read(
        self, folder: str, uid_validity: int | None, *commands: Command
    ) -> int:
        """Run commands that change nothing in a folder; return its UIDVALIDITY.

        Sends EXAMINE, the commands, and, unless `uid_validity` is None, EXAMINE again to prove
        that UIDVALIDITY did not change; otherwise raises FolderRenumbered. On return, each of
        the commands is completed or refused.
        """
        if uid_validity is None:
            await self._open(examine_command(folder), folder, None, commands)
            return self.selected.uid_validity
        again = examine_command(folder)
        examine = examine_command(folder)
        await self._open(examine, folder, uid_validity, (*commands, again))
        result = await read_select(again)
        result.check(uid_validity)
        return result.uid_validity

    async def read_on(self, folder: str, uid_validity: int, *commands: Command) -> None:
        """Run commands that change nothing; afterwards, call `read` to check UIDVALIDITY."""
        if (self.folder, self.selected.uid_validity) == (folder, uid_validity):
            await self._run(commands)
        else:
            await self._open(examine_command(folder), folder, uid_validity, commands)

    async def select(
        self, folder: str, uid_validity: int, *commands: Command
    ) -> SelectResult:
        """Open a folder for one change; raise FolderRenumbered or FolderReadOnly.

        The commands must not change anything: they may be sent before UIDVALIDITY is checked.
        """
        await self._open(select_command(folder), folder, uid_validity, commands)
        if not self.selected.is_writable:
            raise FolderReadOnly("the folder is read-only")
        return self.selected

    async def _open(
        self,
        opening: Command,
        folder: str,
        uid_validity: int | None,
        commands: Sequence[Command],
    ) -> None:
        """Open a folder, even if it is open already, to check that it was not replaced.

        If an open folder is deleted and created again, Dovecot and pymap keep it open, and our
        UIDs then name the messages of the new folder.
        """
        self.folder = None
        speculative = commands if len(commands) <= _MAX_SPECULATIVE else ()
        await self._run((opening, *speculative))
        self.selected = await read_select(opening)
        self.folder = folder
        self.selected.check(uid_validity)
        await self._run(commands[len(speculative) :])

    async def _run(self, commands: Iterable[Command]) -> None:
        """Send commands and wait until all are answered.

        Sent alone are commands with a continuation, as the server would read the next command as
        the literal, and SEARCH, whose response does not name its command.
        """
        for is_alone, group in groupby(commands, _is_sent_alone):
            for write in batched(group, 1 if is_alone else _MAX_WRITE, strict=False):
                self._sent = write
                await self.connection.send(*write)
                await self.drain()
                self.connection.answered()

    # What a sync sends and reads

    async def examine(self, folder: str) -> SelectResult:
        """Open a folder; EXAMINE changes nothing in it (RFC 3501 6.3.2)."""
        request = self.sync_request(folder, None, opens=True)
        await self.send(request.commands)
        return await self.read_selected(request)

    def sync_request(
        self,
        folder: str,
        mark: Mark | None,
        *,
        opens: bool,
        is_uid_check: bool = False,
        is_growth: bool = False,
        fetches: bool = True,
        shows_newest: bool = False,
        batch: int | None = None,
        text: TextRequest = NO_TEXT,
    ) -> SyncRequest:
        """Return the commands for a folder. Without a mark, the folder is only opened.

        `is_growth`: the server reported how many messages are new, and they fit into a batch.
        """
        examine = examine_command(folder) if opens else None
        if mark is None:
            return SyncRequest(folder, mark, examine)
        fetch, end = None, None
        if fetches:
            if not (is_uid_check or is_growth):
                end = mark.next_uid + messages_per_fetch(text, batch)
            items = _UID_ITEMS if is_uid_check else fetch_items(text)
            last = "*" if end is None else min(end - 1, MAX_UID)
            fetch = fetch_command(f"{min(mark.next_uid, MAX_UID)}:{last}", items)
        # `*` is the highest UID in the folder, so this range selects the last message (6.4.8).
        newest = fetch_command(f"{MAX_UID}:*", NEWEST_ITEMS) if shows_newest else None
        count = self._count_command(folder)
        return SyncRequest(
            folder, mark, examine, fetch, newest, count, is_uid_check, end, text
        )

    async def read_selected(self, request: SyncRequest) -> SelectResult:
        """Return what the server reported about the folder; raise FolderNotFound."""
        if request.examine is not None:
            self.folder = None
            self.selected = await read_select(request.examine)
            self.folder = request.folder
        return self.selected

    async def read_last_uid(self, request: SyncRequest) -> int:
        """Return the UID of the last message in the folder, 0 if there is none."""
        assert request.mark is not None
        assert request.fetch is not None
        return max(
            (await self._fetched(request.fetch, request.mark)).messages, default=0
        )

    async def read_batch(self, request: SyncRequest) -> SyncBatch | None:
        """Return the messages of a sync, None if only a search can find them.

        Raises CommandRefused if the server refuses to show the messages.
        """
        assert request.mark is not None
        assert request.fetch is not None
        found = await self._fetched(request.fetch, request.mark)
        newest = await self._newest(request, request.mark, found)
        if found.has_unknown:
            return None
        return batch_of(request, request.mark, found, newest, self.selected.uid_next)

    async def _fetched(self, fetch: Command, mark: Mark) -> Fetched:
        """Return the responses to a FETCH from the mark on; set `flags_changed`."""
        responses = (await fetch.wait()).data
        found = await by_uid(responses)
        messages = found.messages
        expected = [uid for uid in messages if uid >= mark.next_uid]
        expected = expected or list(messages)[-1:]
        # All other responses are unsolicited and report changed flags.
        self.flags_changed = found.is_whole and len(responses) > len(expected)
        return found

    async def _newest(
        self, request: SyncRequest, mark: Mark, found: Fetched
    ) -> dict[int, dict[str, Value]] | None:
        """Return the last message of a folder, {} if it is empty, None if that is not known."""
        if request.newest is None:
            return None
        try:
            last = (await fetched(request.newest)).messages
        except CommandRefused:
            return None  # Some servers refuse `*` in an empty folder.
        # Dovecot answers both FETCH commands before it completes the first.
        early = {
            uid: items for uid, items in found.messages.items() if uid < mark.next_uid
        }
        if any("BODY" in items for items in (*last.values(), *early.values())):
            uid = max(*last, *found.messages, 0)
            # A response with changed flags must not replace the message.
            return {uid: last.get(uid, {}) | found.messages.get(uid, {})}
        # Some servers answer without a message although there are messages.
        is_empty = not found.messages and self.selected.numbers.get("MESSAGES") == 0
        return {} if is_empty else None

    async def read_unread(self, request: SyncRequest) -> int | None:
        """Return the number of unread messages, None if the server does not report it here."""
        assert request.count is not None
        try:
            completion = await request.count.wait()
        except CommandRefused:
            # A refused count must not delay new messages.
            self.counts_by_status = False
            return None
        if request.count.name == "STATUS":
            unseen = (await self.status(request.count, request.folder)).get("UNSEEN")
            self.counts_by_status = unseen is not None
            return unseen
        count = 0
        for data in completion.data:
            count += parse_search_count(data)
            await asyncio.sleep(0)
        return count

    async def status(self, command: Command, folder: str) -> dict[str, int]:
        """Return the numbers of a STATUS; those of other folders are unsolicited."""
        numbers: dict[str, int] = {}
        for data in (await command.wait()).data:
            name, found = parse_status(data)
            if is_folder(name, folder):
                numbers = found
            else:
                self.connection.unsolicited.put(data)
            await asyncio.sleep(0)  # A server may report thousands.
        return numbers

    async def first_mark(self) -> Mark:
        """Return the mark above all messages that are in the open folder now."""
        uid_next = self.selected.uid_next
        if uid_next is None:
            # Some servers do not report UIDNEXT: use the UID of the last message plus one.
            [last] = await self.run(fetch_command("*", _UID_ITEMS))
            uid_next = max((await by_uid(last.data)).messages, default=0) + 1
        return Mark(self.selected.uid_validity, uid_next)

    async def search(self, criteria: str, first: int, most: int) -> list[int]:
        """Return the lowest `most` matching UIDs that are not below `first`, ascending."""
        command = Command("UID SEARCH", criteria, frozenset({"SEARCH"}))
        [found] = await self.run(command)
        return await read_search(found.data, first, most)

    async def fetch(self, uids: Sequence[int], items: str) -> Fetched:
        """Return the items of messages in the open folder."""
        command = fetch_command(",".join(map(str, uids)), items)
        [completion] = await self.run(command)
        return await by_uid(completion.data)

    async def fetch_with_fallback(
        self, uids: Sequence[int], items: Sequence[str], *, waits: bool = True
    ) -> dict[int, dict[str, Value]]:
        """Return items of messages, with fewer items for a message that the server cannot show."""
        return await fetch_with_fallback(self.fetch, uids, items, waits=waits)

    def _count_command(self, folder: str) -> Command:
        if self.counts_by_status:
            return status_command(folder, "UNSEEN")
        if "ESEARCH" in self.capabilities:
            return Command(
                "UID SEARCH", "RETURN (COUNT) UNSEEN", frozenset({"ESEARCH"})
            )
        return Command("UID SEARCH", "UNSEEN", frozenset({"SEARCH"}))


def _is_sent_alone(command: Command) -> bool:
    is_search = "SEARCH" in command.collects
    is_tagged = command.arguments.startswith("RETURN ")  # in the response (RFC 4731)
    return command.continuation is not None or (is_search and not is_tagged)


def status_command(folder: str, items: str) -> Command:
    """Return STATUS of a folder (RFC 3501 6.3.10)."""
    name = quote(encode_folder(folder))
    return Command("STATUS", f"{name} ({items})", frozenset({"STATUS"}))
