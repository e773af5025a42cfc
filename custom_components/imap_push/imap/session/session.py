"""One login and its commands: open a folder, run commands in it, wait for what changes.

Watching sends several commands in one write and reads the responses later
(`connection.send`, then `sync.read_sync`). Actions wait for each write (`run`, `read`,
`select`).
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import batched, groupby
from typing import Final

from ..auth.login import open_logged_in
from ..errors import CommandRefused, FolderNotFound, FolderReadOnly
from ..limits import Loan
from ..models import Account
from ..wire.command import Command, Completion
from ..wire.connection import Connection
from ..wire.folder_responses import parse_status
from ..wire.mailbox_name import encode_folder, is_folder, quote
from ..wire.parser import Data, Value, parse_search_count
from ..wire.receiver import FolderStatus
from ..wire.response_codes import is_missing_folder
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
from .notify import Notify
from .select import SelectResult, examine_command, read_select, select_command

# Commands in one write.
_MAX_WRITE: Final = 100
# Commands that follow SELECT in the same write, before the server confirms that the folder
# exists: servers disconnect after several commands that fail.
_MAX_SPECULATIVE: Final = 4

_STATUS_ITEMS: Final = "MESSAGES UIDNEXT UIDVALIDITY UNSEEN"


def last_command() -> Command:
    """Return a FETCH of the UID of the last message. Alone, some servers refuse `*`."""
    return fetch_command(f"{MAX_UID}:*", "(UID)")


async def last_uid(command: Command, selected: SelectResult) -> int:
    """Return the UID of the message that was the last when the folder was opened.

    Returns 0 if it is not known: responses with changed flags of other messages may come, too.
    """
    try:
        numbers = (await fetched(command)).numbers
    except CommandRefused:
        return 0
    exists = selected.numbers.get("MESSAGES", 0)
    return next((uid for uid, number in numbers.items() if number == exists), 0)


class Session:
    """A connection that is logged in. At most one folder is open at a time."""

    def __init__(self, connection: Connection) -> None:
        """Use a connection that is logged in."""
        # Public for its unsolicited responses and the state of IDLE.
        self.connection = connection
        self.capabilities = connection.capabilities  # after login, upper case
        # The open folder, None if there is none, and what the server reported about it.
        self.folder: str | None = None
        self.selected = SelectResult(0)
        self.notify = Notify()
        # Ways to count the unread messages of the open folder, the first that may work first.
        # ESEARCH costs the server least; STATUS of an open folder need not work (6.3.10).
        self._counts = ["ESEARCH"] if "ESEARCH" in self.capabilities else []
        self._counts += ["STATUS", "SEARCH"]
        # HIGHESTMODSEQ increases with every change, also of flags (RFC 7162 3.1.2).
        has_modseq = "CONDSTORE" in self.capabilities
        self._status_items = _STATUS_ITEMS + " HIGHESTMODSEQ" * has_modseq
        # Whether SEARCH RETURN works, None if it is offered but was not answered yet.
        self.esearch_works = None if "ESEARCH" in self.capabilities else False
        # The folders for which the server sent COPYUID (RFC 4315 3).
        self.copyuid_targets: set[str] = set()
        # UIDNEXT was not above the last UID: it is ignored.
        self._ignores_uid_next = False
        # A command was sent that must not be repeated after the connection is lost.
        self.is_not_repeatable = False
        self._sent: tuple[Command, ...] = ()  # the last write of `run`

    @classmethod
    async def open(
        cls,
        account: Account,
        on_alert: Callable[[str], None] | None = None,
        *,
        pipelines: bool = True,
        retry: bool = False,
    ) -> Session:
        """Connect and log in; `on_alert` is called with each ALERT of the server."""
        connection = await open_logged_in(
            account, on_alert, pipelines=pipelines, retry=retry
        )
        return cls(connection)

    async def lend(self, loan: Loan[Session]) -> None:
        """Let an action use the session until it returns it."""
        if loan.session.done():
            return  # The action was cancelled.
        if commands := self.notify.clear():
            await self.connection.send(*commands)
        loan.session.set_result(self)
        await loan.returned.wait()

    async def close(self) -> None:
        """Log out. CLOSE is never sent: it removes messages that other clients marked."""
        await self.connection.close()

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
        (await self.read_selected(folder, opening)).check(uid_validity)
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

    # What a sync sends and reads

    async def examine(self, folder: str) -> SelectResult:
        """Open a folder; EXAMINE changes nothing in it (RFC 3501 6.3.2)."""
        command = examine_command(folder)
        if notify := self.notify.clear():
            await self.connection.send(*notify)
        await self.connection.send(command)
        return await self.read_selected(folder, command)

    async def read_selected(self, folder: str, command: Command) -> SelectResult:
        """Wait for SELECT or EXAMINE; raise its refusal, after which no folder is open (6.3.1)."""
        self.folder = None
        self.selected = await read_select(command)
        if self._ignores_uid_next:
            self.selected = self.selected._replace(uid_next=None)
        self.folder = folder
        return self.selected

    async def check_uid_next(self) -> bool:
        """Return False if UIDNEXT of the open folder is wrong; it is ignored from now on.

        It is above all UIDs (RFC 3501 2.3.1.1).
        """
        last, selected = last_command(), self.selected
        await self.connection.send(last)
        uid = await last_uid(last, selected)
        self._ignores_uid_next = uid >= (selected.uid_next or MAX_UID)
        if self._ignores_uid_next:
            self.selected = selected._replace(uid_next=None)
        return not self._ignores_uid_next

    def count_command(self, folder: str) -> Command:
        """Return a command that counts the unread messages of the open folder."""
        match self._counts[0]:
            case "ESEARCH":
                # Some servers offer ESEARCH and answer with SEARCH.
                collects = frozenset({"ESEARCH", "SEARCH"})
                return Command("UID SEARCH", "RETURN (COUNT) UNSEEN", collects)
            case "STATUS":
                return status_command(folder, "UNSEEN")
        return Command("UID SEARCH", "UNSEEN", frozenset({"SEARCH"}))

    def stop_counting_by_status(self) -> None:
        """Do not count by STATUS: it failed, for example by ending the session."""
        self._counts = [way for way in self._counts if way != "STATUS"]

    def count_below(self, uid: int) -> Command | None:
        """Return a command that counts the messages below a UID, None if that costs too much."""
        if self._counts[0] != "ESEARCH" or uid <= 1:
            return None
        arguments = f"RETURN (COUNT) UID 1:{uid - 1}"
        return Command("UID SEARCH", arguments, frozenset({"ESEARCH", "SEARCH"}))

    async def read_unread(self, count: Command, folder: str) -> int | None:
        """Return the number of unread messages, None if the server does not report it this way.

        The next `count_command` is another one then.
        """
        try:
            completion = await count.wait()
        except CommandRefused:
            unseen = None  # A refused count must not delay new messages.
        else:
            if count.name == "STATUS":
                unseen = (await self.status(count, folder)).get("UNSEEN")
            else:
                is_reported = bool(completion.data) or self._counts[0] == "SEARCH"
                unseen = await _count(completion.data) if is_reported else None
        if unseen is None and len(self._counts) > 1:
            is_current = count.arguments == self.count_command(folder).arguments
            # Lost with the rest of the write, it says nothing about this way to count.
            if is_current and not self.connection.pipelining_failed:
                del self._counts[0]
        return unseen

    def status_command(self, folder: str) -> Command:
        """Return STATUS with all numbers that show a change of a folder that is not open."""
        return status_command(folder, self._status_items)

    async def read_status(self, command: Command, folder: str) -> dict[str, int] | None:
        """Return the numbers of a `status_command`, None if another one is to be sent.

        Raises FolderNotFound or CommandRefused.
        """
        try:
            return await self.status(command, folder)
        except CommandRefused as error:
            if is_missing_folder(error):
                raise FolderNotFound(error.text) from error
            if "HIGHESTMODSEQ" not in command.arguments:
                raise
            # Some servers announce CONDSTORE and refuse HIGHESTMODSEQ in STATUS.
            self._status_items = _STATUS_ITEMS
            return None

    async def status(self, command: Command, folder: str) -> dict[str, int]:
        """Return the numbers of a STATUS; those of other folders are unsolicited."""
        numbers: dict[str, int] = {}
        await command.wait_until_done()
        for data in command.data:
            name, found = parse_status(data)
            if is_folder(name, folder):
                numbers = found
            else:
                self.connection.unsolicited.put(FolderStatus(data))
            await asyncio.sleep(0)  # A server may report thousands.
        await command.wait()
        if self._ignores_uid_next:
            numbers.pop("UIDNEXT", None)
        return numbers

    async def first_mark(self, selected: SelectResult) -> Mark:
        """Return the mark above all messages that were in a folder when it was selected.

        If the server did not report UIDNEXT, the folder must be open.
        """
        uid_next = selected.uid_next
        if uid_next is None:
            # Some servers do not report UIDNEXT: use the UID of the last message plus one.
            [last] = await self.run(fetch_command("*", "(UID)"))
            uid_next = max((await by_uid(last.data)).messages, default=0) + 1
        return Mark(selected.uid_validity, uid_next)

    async def search(self, criteria: str, first: int, most: int) -> list[int]:
        """Return the lowest `most` matching UIDs that are not below `first`, ascending."""
        command = Command("UID SEARCH", criteria, frozenset({"SEARCH"}))
        [found] = await self.run(command)
        return await read_search(found.data, first, most)

    async def fetch(self, uids: Sequence[int], items: str) -> Fetched:
        """Return the items of messages in the open folder."""
        command = fetch_command(",".join(map(str, uids)), items)
        requested = uids[0] if len(uids) == 1 else 0
        try:
            await self.run(command)
        except CommandRefused:
            # Scalix sends NO after the data of the messages that it can show (imap_tools#203).
            found = await by_uid(command.data, requested)
            if not found.messages:
                raise
            return replace(found, has_unknown=True)
        return await by_uid(command.data, requested)

    async def fetch_with_fallback(
        self, uids: Sequence[int], items: Sequence[str], *, waits: bool = True
    ) -> dict[int, dict[str, Value]]:
        """Return items of messages, with fewer items for a message that the server cannot show."""
        return await fetch_with_fallback(self.fetch, uids, items, waits=waits)


async def read_count(command: Command) -> int | None:
    """Return the result of `count_below`, None if the server did not report it."""
    try:
        completion = await command.wait()
    except CommandRefused:
        return None
    return await _count(completion.data) if completion.data else None


async def _count(responses: Iterable[Data]) -> int:
    count = 0
    for index, data in enumerate(responses):
        if index:
            await asyncio.sleep(0)
        count += parse_search_count(data)
    return count


def _is_sent_alone(command: Command) -> bool:
    is_search = "SEARCH" in command.collects
    is_tagged = command.arguments.startswith("RETURN ")  # in the response (RFC 4731)
    return command.continuation is not None or (is_search and not is_tagged)


def status_command(folder: str, items: str) -> Command:
    """Return STATUS of a folder (RFC 3501 6.3.10)."""
    name = quote(encode_folder(folder))
    return Command("STATUS", f"{name} ({items})", frozenset({"STATUS"}))
