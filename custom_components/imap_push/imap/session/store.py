"""Commands that change messages: STORE, MOVE, COPY, EXPUNGE, always by UID (RFC 3501 6.4.8)."""

from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from itertools import islice
import re
from typing import Final

from ..errors import (
    CommandRefused,
    FlagRefused,
    FolderNotFound,
    MailNotFound,
    Unsupported,
)
from ..models import FolderRole, StoreResult
from ..wire.command import Command
from ..wire.mailbox_name import encode_folder, is_folder, quote
from ..wire.parser import parse_ranges
from ..wire.response_codes import is_missing_folder
from .fetch_items import chunks, fetch, found_by, uid_set
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
    selection = await session.select(folder, uid_validity)
    _check_permanent(selection, changes[0][1])

    async def change() -> set[int]:
        stores = [
            _store(chunk, sign, flags)
            for chunk in chunks(uids)
            for sign, flags in changes
            if flags
        ]
        fetches = [fetch(chunk, "(UID)") for chunk in chunks(uids)]
        await session.run(*stores, *fetches)
        return await found_by(fetches, uids)

    return _done(uids, await _retry(change))


async def move(
    session: Session, folder: str, uid_validity: int, uids: Sequence[int], to: str
) -> StoreResult:
    """Move messages; the result names those that no longer exist."""
    if is_folder(encode_folder(to).encode(), folder):
        raise Unsupported("the messages are already in this folder")
    move_chunk = _move_function(session)
    moved: set[int] = set()

    async def move_rest() -> None:
        for chunk in chunks(uid for uid in uids if uid not in moved):
            if present := await _present(session, folder, uid_validity, chunk):
                moved.update(await move_chunk(session, present, to))

    try:
        await _retry(move_rest)
    except CommandRefused as error:
        if error.code == "TRYCREATE" or is_missing_folder(error):
            raise FolderNotFound(f"there is no folder {to}") from error
        raise
    return _done(uids, moved)


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
        raise Unsupported("there is no Trash: messages can only be deleted permanently")
    if trash == folder:
        raise Unsupported("messages in Trash can only be deleted permanently")
    return await move(session, folder, uid_validity, uids, trash)


async def _remove(
    session: Session, folder: str, uid_validity: int, uids: Sequence[int]
) -> StoreResult:
    if "UIDPLUS" not in session.capabilities:
        raise Unsupported("the server cannot expunge single messages")
    removed: set[int] = set()
    for chunk in chunks(uids):
        if present := await _present(session, folder, uid_validity, chunk):
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


def _move_function(
    session: Session,
) -> Callable[[Session, Collection[int], str], Awaitable[set[int]]]:
    if "MOVE" in session.capabilities:
        return _move
    if "UIDPLUS" in session.capabilities:
        return _copy_and_expunge
    raise Unsupported("the server cannot move single messages")


async def _move(session: Session, uids: Collection[int], to: str) -> set[int]:
    """Send MOVE (RFC 6851); return the UIDs that were moved."""
    moved = await _move_or_copy("UID MOVE", session, uids, to)
    if moved or "UIDPLUS" in session.capabilities:
        return moved
    command = fetch(uids, "(UID)")
    await session.run(command)
    return set(uids) - await found_by([command], uids)


async def _copy_and_expunge(
    session: Session, uids: Collection[int], to: str
) -> set[int]:
    """COPY and expunge, for servers without MOVE; only confirmed copies are expunged."""
    copied = await _move_or_copy("UID COPY", session, uids, to)
    if copied:
        await _expunge(session, copied)
    return copied


async def _move_or_copy(
    verb: str, session: Session, uids: Collection[int], to: str
) -> set[int]:
    """MOVE or COPY; return the source UIDs of COPYUID (RFC 4315 3)."""
    name = quote(encode_folder(to))
    command = Command(verb, f"{uid_set(uids)} {name}", frozenset({"COPYUID"}))
    session.is_not_repeatable = True
    [completion] = await session.run(command)
    copied_data = [data.parts[0] for data in completion.data]
    if completion.status.code == "COPYUID":
        copied_data.append(completion.status.code_args)
    sets = (words[1] for octets in copied_data if len(words := octets.split()) == 3)
    ranges = (ends for octets in sets for ends in parse_ranges(octets))
    # There are no more ranges than UIDs.
    return _within(sorted(uids), islice(ranges, len(uids)))


def _within(uids: Sequence[int], ranges: Iterable[tuple[int, int]]) -> set[int]:
    """Return which of the ascending UIDs are in one of the ranges."""
    found: set[int] = set()
    for low, high in ranges:
        found.update(uids[bisect_left(uids, low) : bisect_right(uids, high)])
    return found


async def _expunge(session: Session, uids: Collection[int]) -> None:
    """Expunge these messages, but none that other clients marked (UIDPLUS, RFC 4315)."""
    session.is_not_repeatable = True
    await session.run(
        _store(uids, "+", ["\\Deleted"]), Command("UID EXPUNGE", uid_set(uids))
    )


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
    for flag in flags:
        is_new = "\\*" in permanent and not flag.startswith("\\")
        if flag.casefold() not in permanent and not is_new:
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
