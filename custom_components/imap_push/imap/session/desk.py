"""A connection on which is done what a user asks: folders are opened, mails named by UID."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import batched, groupby
from typing import Final

from ..errors import CommandRefused, FolderRenumbered, Unsupported
from ..wire.command import Command, Completion
from ..wire.connection import Connection
from ..wire.mailbox_name import encode_folder, quote
from ..wire.parser import Value, parse_number, parse_strings, parse_values
from ..wire.response_codes import folder_error
from .fetch_items import MAX_UID, fetch_command, fetched

# UIDs that one command names at the most: servers take lines of some thousand octets.
MAX_NAMED: Final = 500
_MAX_WRITE: Final = 100  # commands
# Commands that go out before it is known that there is the folder: servers hang up after some
# that make no sense.
_MAX_HOPEFUL: Final = 4

_OPENED: Final = frozenset(
    {"EXISTS", "RECENT", "FLAGS", "UIDVALIDITY", "UIDNEXT", "PERMANENTFLAGS"}
)


@dataclass(frozen=True, slots=True)
class SelectResult:
    """A folder as it was opened; `permanent_flags` is None if the server does not tell them."""

    uid_validity: int
    is_writable: bool
    permanent_flags: frozenset[str] | None


class Desk:
    """A connection that is logged in; one request at a time uses it."""

    def __init__(self, connection: Connection) -> None:
        """Use a connection that is logged in."""
        self._connection = connection
        self._sent: tuple[Command, ...] = ()  # and perhaps not answered yet
        # Something was sent that must not be done twice.
        self.is_committed = False
        self._last: tuple[str, int] | None = (
            None  # folder that is open, its UIDVALIDITY
        )

    @property
    def capabilities(self) -> frozenset[str]:
        """Return what the server offers, upper case."""
        return self._connection.capabilities

    @property
    def is_open(self) -> bool:
        """Return if nothing is known to have ended the connection."""
        return self._connection.is_open

    async def close(self) -> None:
        """Log out."""
        await self._connection.close()

    def abort(self) -> None:
        """Close without a word."""
        self._connection.abort()

    async def idle(self) -> None:
        """Wait until all that was sent is answered; raise what ended the connection."""
        for command in self._sent:
            await command.wait_until_done()
        self._sent = ()

    async def run(self, *commands: Command) -> list[Completion]:
        """Send commands, in one write where possible, and wait for all; raise the first refusal."""
        await self._send(commands)
        return [await command.wait() for command in commands]

    async def read(
        self, folder: str, uid_validity: int | None, *commands: Command
    ) -> int:
        """Do in a folder what changes nothing; return its UIDVALIDITY, raise if it is another.

        The folder is opened before, in the same write if the commands are few, and, so that what
        was read is of the mails that are meant, behind. The commands are done then, or refused.
        """
        if uid_validity is None:
            return (await self._open("EXAMINE", folder, None, commands)).uid_validity
        closing = _opening("EXAMINE", folder)
        await self._open("EXAMINE", folder, uid_validity, (*commands, closing))
        return _checked(await _selection(closing), uid_validity).uid_validity

    async def read_on(self, folder: str, uid_validity: int, *commands: Command) -> None:
        """Do one of many things that change nothing; a `read` has to come behind the last."""
        if self._last == (folder, uid_validity):
            await self._send(commands)
        else:
            await self._open("EXAMINE", folder, uid_validity, commands)

    async def select(
        self, folder: str, uid_validity: int, *commands: Command
    ) -> SelectResult:
        """Open a folder for one change; raise if its UIDVALIDITY is another.

        The commands go out in the same write, and so must not change anything themselves.
        """
        selection = await self._open("SELECT", folder, uid_validity, commands)
        if not selection.is_writable:
            raise Unsupported("the folder can only be read")
        return selection

    async def _open(
        self,
        verb: str,
        folder: str,
        uid_validity: int | None,
        commands: Sequence[Command],
    ) -> SelectResult:
        """Open a folder, though it may be open already: only that tells if it is still the one.

        Dovecot and pymap go on where a folder is deleted and made anew while it is open, and then
        move or flag the mails that have our UIDs now.
        """
        opening = _opening(verb, folder)
        self._last = None
        hopeful = commands if len(commands) <= _MAX_HOPEFUL else ()
        await self._send((opening, *hopeful))
        selection = await _selection(opening)
        self._last = folder, selection.uid_validity
        _checked(selection, uid_validity)
        await self._send(commands[len(hopeful) :])
        return selection

    async def _send(self, commands: Iterable[Command]) -> None:
        """Send commands and wait until all are answered, so that nothing is left for the next.

        Some go one by one: what has to wait for the server's `+`, as anything behind it would be
        taken for its literal, and searches whose answers do not tell what they are for.
        """
        for is_lonely, group in groupby(commands, _is_lonely):
            for write in batched(group, 1 if is_lonely else _MAX_WRITE, strict=False):
                self._sent = write
                await self._connection.send(*write)
                await self.idle()
                self._connection.answered()


def _is_lonely(command: Command) -> bool:
    return command.continuation is not None or "SEARCH" in command.collects


def chunks(uids: Iterable[int]) -> Iterable[tuple[int, ...]]:
    """Return UIDs in as many as one command names, without those that cannot be any."""
    usable = dict.fromkeys(uid for uid in uids if 0 < uid <= MAX_UID)
    return batched(usable, MAX_NAMED, strict=False)


def uid_set(uids: Iterable[int]) -> str:
    """Return UIDs as a command names them: these, and none between them (RFC 3501 sequence-set)."""
    ranges: list[tuple[int, int]] = []
    for uid in sorted(uids):
        if ranges and uid == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], uid)
        else:
            ranges.append((uid, uid))
    return ",".join(
        f"{first}:{last}" if first < last else f"{first}" for first, last in ranges
    )


def fetch(uids: Iterable[int], items: str) -> Command:
    """Return a FETCH of these UIDs."""
    return fetch_command(uid_set(uids), items)


async def found_by(fetches: Iterable[Command], uids: Collection[int]) -> set[int]:
    """Return which of the UIDs some FETCHes told of."""
    found: set[int] = set()
    for command in fetches:
        found.update((await fetched(command)).messages)
    return found.intersection(uids)


def _opening(verb: str, folder: str) -> Command:
    name = quote(encode_folder(folder))
    return Command(verb, name, _OPENED, opens_folder=True)


def _checked(selection: SelectResult, uid_validity: int | None) -> SelectResult:
    if uid_validity not in {None, selection.uid_validity}:
        raise FolderRenumbered(
            "the folder's mails have other numbers than when they were looked for"
        )
    return selection


async def _selection(opening: Command) -> SelectResult:
    try:
        completion = await opening.wait()
    except CommandRefused as error:
        raise folder_error(error) from error
    told = {data.name: data.parts for data in completion.data}
    flags = told.get("PERMANENTFLAGS")
    return SelectResult(
        uid_validity=parse_number(told.get("UIDVALIDITY", [b""])[0]),
        is_writable=opening.name == "SELECT" and completion.status.code != "READ-ONLY",
        permanent_flags=None if flags is None else _flags(parse_values(flags)),
    )


def _flags(values: tuple[Value, ...]) -> frozenset[str]:
    return frozenset(
        flag.casefold() for value in values for flag in parse_strings(value)
    )
