"""Commands that change messages: STORE, MOVE, COPY, EXPUNGE, always by UID (RFC 3501 6.4.8)."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
import contextlib
from dataclasses import dataclass, field
from itertools import islice
import re
from typing import Final

from ..errors import (
    AlreadyInTrash,
    CommandRefused,
    ConnectionLost,
    FlagRefused,
    FolderNotFound,
    ImapError,
    MailNotFound,
    NotMoved,
    NoTrash,
    SameFolder,
    Unsupported,
)
from ..models import FolderRole, StoreResult
from ..wire.command import Command
from ..wire.mailbox_name import encode_folder, is_same_folder, quote
from ..wire.parser import parse_ranges
from ..wire.response_codes import is_missing_folder
from .fetch_items import chunks, fetch, fetched, found_by, uid_set, within
from .list import find_folder
from .select import SelectResult
from .session import Session

_SYSTEM_FLAGS: Final = {
    flag.casefold(): flag
    for flag in ("\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft")
}
# An atom (RFC 3501 9).
_KEYWORD: Final = re.compile(r"[!#$&'+-\[^-z|}~]{1,100}")
# Retries of a command that failed because another client expunged some of the messages.
_ATTEMPTS: Final = 3
# Octets of a command line other than UIDs, flags and the name of a folder.
_REST: Final = 60
# The FETCH items by which a copy is recognized, and how many messages may be newer than it.
_IDENTITY: Final = "(UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID DATE)]<0.500>)"
_OTHERS: Final = 100


async def set_flags(
    session: Session,
    folder: str,
    uid_validity: int,
    uids: Sequence[int],
    add: Sequence[str],
    remove: Sequence[str],
) -> StoreResult:
    """Add and remove flags; a FETCH after STORE shows which of the messages exist."""
    changes = (("+", _flags(add)), ("-", _flags(remove)))
    rest = _REST + max(len(" ".join(flags)) for _, flags in changes)
    groups = [*chunks(uids, rest)]
    # GNU mailutils writes the flags of an mbox file when the folder is left, but not by CHECK.
    leaving = ["UNSELECT"] if "UNSELECT" in session.capabilities else []

    async def change() -> set[int]:
        selection = await session.select(folder, uid_validity)
        _check_permanent(selection, changes[0][1])
        stores = [
            _store(group, sign, flags)
            for group in groups
            for sign, flags in changes
            if flags
        ]
        fetches = [fetch(group, "(UID)") for group in groups]
        if leaving:
            session.folder = None
        try:
            await session.run(*stores, *fetches, *map(Command, leaving))
        except CommandRefused as error:
            is_stored = all(store.is_complete for store in stores)
            if error.code == "EXPUNGEISSUED" or not is_stored:
                raise
            if not all(command.is_complete for command in fetches):
                return set(uids)
        return await found_by(fetches, uids)

    return _done(uids, await _retry(change))


async def move(
    session: Session, folder: str, uid_validity: int, uids: Sequence[int], to: str
) -> StoreResult:
    """Move messages; the result names those that no longer exist."""
    if is_same_folder(to, folder):
        raise SameFolder("the messages are already in this folder")
    if session.capabilities.isdisjoint({"MOVE", "UIDPLUS"}):
        raise Unsupported("the server cannot move single messages")
    moving = _Move(session, folder, uid_validity, to)
    rest = _REST + max(len(moving.target.encode(errors="replace")), len(_IDENTITY))
    for group in chunks(uids, rest):
        await moving.move(group)
    if moving.kept and not moving.moved:
        raise NotMoved("the server did not move the messages")
    return _done(uids, moving.moved)


async def delete(
    session: Session,
    folder: str,
    uid_validity: int,
    uids: Sequence[int],
    *,
    permanently: bool,
) -> StoreResult:
    """Move messages to Trash, or expunge them."""
    if permanently:
        return await _remove(session, folder, uid_validity, uids)
    trash = await find_folder(session, FolderRole.TRASH)
    if trash is None:
        raise NoTrash("there is no Trash: messages can only be deleted permanently")
    if is_same_folder(trash, folder):
        raise AlreadyInTrash("messages in Trash can only be deleted permanently")
    return await move(session, folder, uid_validity, uids, trash)


async def _remove(
    session: Session, folder: str, uid_validity: int, uids: Sequence[int]
) -> StoreResult:
    if "UIDPLUS" not in session.capabilities:
        raise Unsupported("the server cannot expunge single messages")
    removed: set[int] = set()
    for group in chunks(uids, _REST):
        if present := await _present(session, folder, uid_validity, group):
            await _expunge(session, present)
            removed |= present
    return _done(uids, removed)


async def _present(
    session: Session, folder: str, uid_validity: int, uids: Collection[int]
) -> set[int]:
    """Open a folder for changes and return which of the messages exist, in one write."""
    command = fetch(uids, "(UID)")
    await session.select(folder, uid_validity, command)
    return await found_by([command], uids)


async def _retry[T](act: Callable[[], Awaitable[T]]) -> T:
    """Call `act`; repeat it if it failed because another client expunged some of the messages."""
    for _ in range(_ATTEMPTS):
        try:
            return await act()
        except CommandRefused as error:
            if error.code != "EXPUNGEISSUED":
                raise
    return await act()


@dataclass(slots=True)
class _Move:
    """A move of messages to the folder `to`, by MOVE, or by COPY and UID EXPUNGE.

    COPYUID is optional (RFC 4315 3), and servers send it in forms that cannot be read. Without
    it, the folders show what the server did. `moved` are the UIDs that were moved, `kept` those
    that are still in the folder although the server answered OK.
    """

    session: Session
    folder: str
    uid_validity: int
    to: str
    moved: set[int] = field(default_factory=set)
    kept: set[int] = field(default_factory=set)

    @property
    def target(self) -> str:
        """Return the name of the target as it is sent."""
        return quote(encode_folder(self.to))

    async def move(self, uids: Collection[int]) -> None:
        """Move those of the messages that exist."""
        has_move = "MOVE" in self.session.capabilities

        async def move_rest() -> None:
            rest = set(uids) - self.moved
            if present := await self._present(rest) if rest else rest:
                await (self._move if has_move else self._copy)(present)

        await _retry(move_rest)

    async def _move(self, uids: set[int]) -> None:
        """Send MOVE (RFC 6851): without COPYUID, what is not in the folder anymore was moved."""
        named = await self._send("UID MOVE", uids)
        if named is None:
            present: set[int] = set()
            # An error does not matter: the server answered OK.
            with contextlib.suppress(ImapError):
                present = await self._present(uids)
            self.kept |= present
            named = uids - present
        self.moved |= named

    async def _copy(self, uids: set[int]) -> None:
        """Send COPY, for servers without MOVE, and expunge what was copied."""
        named = await self._send("UID COPY", uids)
        try:
            copied = await self._find_copies(uids) if named is None else named
            if copied:
                await _expunge(self.session, copied)
        except ConnectionLost:
            raise
        except ImapError as error:
            raise NotMoved("the messages were copied, but not removed") from error
        self.moved |= copied

    async def _send(self, verb: str, uids: set[int]) -> set[int] | None:
        """Send MOVE or COPY; return the UIDs in COPYUID, None if there is none to be read."""
        arguments = f"{uid_set(uids)} {self.target}"
        command = Command(verb, arguments, frozenset({"COPYUID"}))
        self.session.is_not_repeatable = True
        try:
            [completion] = await self.session.run(command)
        except CommandRefused as error:
            # MOVE may be refused after some of the messages were moved (RFC 6851 3.3).
            named = _named(uids, [data.parts[0] for data in command.data])
            if named == uids:
                return named
            if verb == "UID MOVE":
                self.moved |= named or set()
            if error.code == "TRYCREATE" or is_missing_folder(error):
                reason = f"there is no folder {self.to}"
                raise FolderNotFound(reason, self.to) from error
            raise
        codes = [data.parts[0] for data in completion.data]
        if completion.status.code == "COPYUID":
            codes.append(completion.status.code_args)
        if not codes and self.to in self.session.copyuid_targets:
            return (
                set()
            )  # Nothing was moved: another client expunged the messages before.
        if named := _named(uids, codes):
            self.session.copyuid_targets.add(self.to)
        return named

    async def _find_copies(self, uids: set[int]) -> set[int]:
        """Return which of the messages were copied by a COPY that was answered with OK.

        OK means all that exist (RFC 3501 6.4.7), but a message is not removed if the target is
        known to lack it.
        """
        identities = await self._identities(uids)
        copies = await self._newest_in_target(len(uids))
        present = await self._present(uids)
        if copies is not None:
            known = present & identities.keys()
            self.kept |= {uid for uid in known if identities[uid] not in copies}
        return present - self.kept

    async def _newest_in_target(self, count: int) -> set[bytes] | None:
        """Return the identities of the newest messages, None if they cannot be read."""
        with contextlib.suppress(FolderNotFound, CommandRefused):
            await self.session.read(self.to, None)
            target = self.session.selected
            if target.numbers.get("MESSAGES") == 0:
                return set()
            if after := target.uid_next:
                first = max(1, after - count - _OTHERS)
                found = await self._identities(range(first, after))
                return {*found.values()} or None
        return None

    async def _identities(self, uids: Collection[int]) -> dict[int, bytes]:
        """Return the header fields of the messages that have some, by UID."""
        command = fetch(uids, _IDENTITY)
        with contextlib.suppress(CommandRefused):
            await self.session.run(command)
        if not command.is_complete:
            return {}
        messages = (await fetched(command)).messages
        fields = {uid: items.get("BODY") for uid, items in messages.items()}
        return {
            uid: octets.strip()
            for uid, octets in fields.items()
            if isinstance(octets, bytes) and octets.strip()
        }

    async def _present(self, uids: Collection[int]) -> set[int]:
        return await _present(self.session, self.folder, self.uid_validity, uids)


def _named(uids: Collection[int], codes: Sequence[bytes]) -> set[int] | None:
    """Return the UIDs that COPYUID names (RFC 4315 3), None if it is missing or not valid."""
    named: set[int] = set()
    for code in codes:
        words = code.split()
        if len(words) != 3:
            return None
        # There are no more ranges than UIDs.
        sources, copies = (
            [*islice(parse_ranges(word), len(uids))] for word in words[1:]
        )
        found = within(sorted(uids), sources)
        if not len(found) == _size(sources) == _size(copies):
            return None
        named |= found
    return named or None


def _size(ranges: Iterable[tuple[int, int]]) -> int:
    return sum(high - low + 1 for low, high in ranges)


async def _expunge(session: Session, uids: Collection[int]) -> None:
    """Expunge these messages, but none that other clients marked (UIDPLUS, RFC 4315)."""
    session.is_not_repeatable = True

    async def expunge() -> None:
        await session.run(
            _store(uids, "+", ["\\Deleted"]), Command("UID EXPUNGE", uid_set(uids))
        )

    await _retry(expunge)


def _store(uids: Collection[int], sign: str, flags: Sequence[str]) -> Command:
    words = " ".join(flags)
    return Command("UID STORE", f"{uid_set(uids)} {sign}FLAGS.SILENT ({words})")


def _flags(flags: Sequence[str]) -> list[str]:
    """Return flags as they are sent; raise FlagRefused for an invalid one."""
    return [_flag(flag) for flag in dict.fromkeys(flags)]


def _flag(flag: str) -> str:
    if known := _SYSTEM_FLAGS.get(flag.casefold()):
        return known
    if not _KEYWORD.fullmatch(flag):
        raise FlagRefused(f"{flag[:100]!r} is neither a flag nor a keyword")
    return flag


def _check_permanent(selection: SelectResult, flags: Sequence[str]) -> None:
    """Raise FlagRefused for a flag that the folder does not store permanently."""
    permanent = selection.permanent_flags
    if permanent is None:
        return
    # Some servers write no space before it: "\\Flagged\\*".
    takes_keywords = any(flag.endswith("\\*") for flag in permanent)
    stored = {flag.removesuffix("\\*") for flag in permanent}
    for flag in flags:
        is_new = takes_keywords and not flag.startswith("\\")
        if flag.casefold() not in stored and not is_new:
            raise FlagRefused(f"the folder does not store {flag}")


def _done(uids: Sequence[int], found: Collection[int]) -> StoreResult:
    """Return the changed and the missing UIDs; raise MailNotFound if all are missing."""
    requested = dict.fromkeys(uids)
    if requested and not found:
        raise MailNotFound("none of the messages is in the folder anymore")
    return StoreResult(
        uids=tuple(uid for uid in requested if uid in found),
        missing=tuple(uid for uid in requested if uid not in found),
    )
