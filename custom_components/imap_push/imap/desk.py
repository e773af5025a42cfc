"""A connection on which is done what a user asks: which folder is open, and is it still the one?"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import batched, groupby
from typing import Final

from .connection import Connection
from .errors import CommandRefused, FolderRenumbered, Unsupported
from .names import encode_folder, quote
from .protocol import Command, Completion
from .refusals import folder_error
from .responses import Value, parse_number, parse_strings, parse_values
from .session import MAX_UID, by_uid

# UIDs that one command names at the most: servers take lines of some thousand octets.
MAX_NAMED: Final = 500
_MAX_WRITE: Final = 100  # commands

_OPENED: Final = frozenset(
    {"EXISTS", "RECENT", "FLAGS", "UIDVALIDITY", "UIDNEXT", "PERMANENTFLAGS"}
)
# A server that counts a folder's changes knows the folder that it opened. A simpler one may look
# it up by its name for each command: were it deleted and made anew, our UIDs would be of others.
_HOLDS_ON: Final = frozenset({"CONDSTORE", "QRESYNC"})


@dataclass(frozen=True, slots=True)
class Selection:
    """The folder that is open. `permanent_flags` is None if the server does not tell them."""

    folder: str
    uid_validity: int
    is_writable: bool
    permanent_flags: frozenset[str] | None


class Desk:
    """A connection that is logged in; one request at a time uses it."""

    def __init__(self, connection: Connection) -> None:
        """Use a connection that is logged in."""
        self._connection = connection
        self._selection: Selection | None = None
        # Something was sent that must not be done twice.
        self.is_committed = False

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

    async def run(self, *commands: Command) -> list[Completion]:
        """Send commands, in one write where possible, and wait for all; raise the first refusal."""
        await self._send(commands)
        return [await command.wait() for command in commands]

    async def read(
        self, folder: str, uid_validity: int | None, *commands: Command
    ) -> int:
        """Do in a folder what changes nothing; return its UIDVALIDITY, raise if it is another.

        The folder is opened in the same write. The commands are done then, or refused.
        """
        selection = await self._open("EXAMINE", folder, True, uid_validity, commands)
        return selection.uid_validity

    async def select(
        self, folder: str, uid_validity: int, *commands: Command
    ) -> Selection:
        """Open a folder for changes; raise if its UIDVALIDITY is another.

        The commands go out in the same write, and so must not change anything themselves.
        """
        selection = self._selection
        is_ready = selection is not None and selection.is_writable
        selection = await self._open("SELECT", folder, is_ready, uid_validity, commands)
        if not selection.is_writable:
            raise Unsupported("the folder can only be read")
        return selection

    async def _open(
        self,
        verb: str,
        folder: str,
        is_ready: bool,
        uid_validity: int | None,
        commands: Sequence[Command],
    ) -> Selection:
        if is_ready and self._has_open(folder):
            await self._send(commands)
        else:
            name = quote(encode_folder(folder))
            opening = Command(verb, name, _OPENED, opens_folder=True)
            self._selection = None
            await self._send((opening, *commands))
            self._selection = await _selection(opening, folder)
        return self._checked(uid_validity)

    def _has_open(self, folder: str) -> bool:
        selection = self._selection
        if selection is None or selection.folder != folder:
            return False
        return bool(_HOLDS_ON & self.capabilities)

    def _checked(self, uid_validity: int | None) -> Selection:
        assert self._selection is not None
        if uid_validity not in {None, self._selection.uid_validity}:
            raise FolderRenumbered(
                "the folder's mails have other numbers than when they were looked for"
            )
        return self._selection

    async def _send(self, commands: Iterable[Command]) -> None:
        """Send commands and wait until all are answered, so that nothing is left for the next.

        Some go one by one: what has to wait for the server's `+`, as anything behind it would be
        taken for its literal, and searches whose answers do not tell what they are for.
        """
        for is_lonely, group in groupby(commands, _is_lonely):
            for write in batched(group, 1 if is_lonely else _MAX_WRITE, strict=False):
                await self._connection.send(*write)
                for command in write:
                    await command.settled()
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
    return Command("UID FETCH", f"{uid_set(uids)} {items}", frozenset({"FETCH"}))


async def fetched(command: Command) -> dict[int, dict[str, Value]]:
    """Return the items of each message that a FETCH told of, ascending by UID."""
    return await by_uid((await command.wait()).data)


async def found_by(fetches: Iterable[Command], uids: Collection[int]) -> set[int]:
    """Return which of the UIDs some FETCHes told of."""
    found: set[int] = set()
    for command in fetches:
        found.update(await fetched(command))
    return found.intersection(uids)


async def _selection(opening: Command, folder: str) -> Selection:
    try:
        completion = await opening.wait()
    except CommandRefused as error:
        raise folder_error(error) from error
    told = {data.name: data.parts for data in completion.data}
    flags = told.get("PERMANENTFLAGS")
    return Selection(
        folder=folder,
        uid_validity=parse_number(told.get("UIDVALIDITY", [b""])[0]),
        is_writable=opening.name == "SELECT" and completion.status.code != "READ-ONLY",
        permanent_flags=None if flags is None else _flags(parse_values(flags)),
    )


def _flags(values: tuple[Value, ...]) -> frozenset[str]:
    return frozenset(
        flag.casefold() for value in values for flag in parse_strings(value)
    )
