"""EXAMINE and SELECT, and what the server reports in response (RFC 3501 6.3.1, 6.3.2)."""

from collections.abc import Mapping
import re
from types import MappingProxyType
from typing import Final, NamedTuple

from ..errors import CommandRefused, FolderRenumbered
from ..wire.command import Command
from ..wire.mailbox_name import encode_folder, quote
from ..wire.parser import parse_number
from ..wire.response_codes import folder_error
from .mark import Mark

# Seconds without a byte: some servers read the whole folder first.
_DEADLINE: Final = 120.0
_RESPONSES: Final = frozenset(
    {
        *("EXISTS", "RECENT", "FLAGS", "PERMANENTFLAGS"),
        *("UIDVALIDITY", "UIDNEXT", "HIGHESTMODSEQ"),
    }
)


class SelectResult(NamedTuple):
    """What the server reports when a folder is opened.

    `uid_next` is None if the server does not report it. `numbers` are by the names of STATUS
    items. `permanent_flags` are in lower case, None if the server does not report them.
    """

    uid_validity: int
    uid_next: int | None = None
    numbers: Mapping[str, int] = MappingProxyType({})
    is_writable: bool = False
    permanent_flags: frozenset[str] | None = None

    def continues(self, mark: Mark) -> bool:
        """Return True if the mark's UIDs still name the same messages (RFC 3501 2.3.1.1)."""
        return mark.uid_validity == self.uid_validity and not self.is_behind(mark)

    def is_behind(self, mark: Mark) -> bool:
        """Return whether UIDNEXT is below the mark although UIDVALIDITY is the same."""
        is_lower = self.uid_next is not None and self.uid_next < mark.next_uid
        return mark.uid_validity == self.uid_validity and is_lower

    def check(self, uid_validity: int | None) -> None:
        """Raise FolderRenumbered if the folder does not have this UIDVALIDITY; None allows any."""
        if uid_validity not in {None, self.uid_validity}:
            raise FolderRenumbered("the folder has another UIDVALIDITY than expected")


def examine_command(folder: str) -> Command:
    """Return EXAMINE, which changes nothing in the folder."""
    return select_command(folder, "EXAMINE")


def select_command(folder: str, verb: str = "SELECT") -> Command:
    """Return the command that opens a folder."""
    name = quote(encode_folder(folder))
    return Command(verb, name, _RESPONSES, deadline=_DEADLINE, opens=folder)


async def read_select(command: Command) -> SelectResult:
    """Wait for SELECT or EXAMINE and return its result; raise the `folder_error` of a refusal."""
    try:
        completion = await command.wait()
    except CommandRefused as error:
        raise folder_error(error) from error
    numbers: dict[str, int] = {}
    flags: frozenset[str] | None = None
    for data in completion.data:
        if data.name == "EXISTS":
            numbers["MESSAGES"] = data.number or 0
        elif data.name == "PERMANENTFLAGS":
            # Keywords of Gmail contain brackets, those of others may contain parentheses.
            words = re.sub(rb"[()]", b" ", data.parts[0]).decode(errors="replace")
            flags = frozenset(words.casefold().split())
        elif number := parse_number(data.parts[0]):
            numbers[data.name] = number
    return SelectResult(
        uid_validity=numbers.get("UIDVALIDITY", 0),
        uid_next=numbers.get("UIDNEXT"),
        numbers=numbers,
        is_writable=command.name == "SELECT" and completion.status.code != "READ-ONLY",
        permanent_flags=flags,
    )
