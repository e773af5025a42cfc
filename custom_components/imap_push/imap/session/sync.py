"""A sync of one folder: fetch everything at or above the mark.

    C: a1 EXAMINE "Work"                                  unless the folder is open
    C: a2 UID FETCH 1007:1506 (UID FLAGS ...)             1007: the next UID of the mark
    C: a3 UID FETCH 4294967295:* (UID FLAGS ...)          if the last message is not known
    C: a4 UID SEARCH RETURN (COUNT) UNSEEN

`sync_request` returns these commands, `read_sync` turns the replies into a SyncResult. What is
wrong with one message or one folder is an Outcome. Only what ends the session is an exception.

A tagged OK does not mean that the response was complete. Sequence numbers have no gaps (RFC 3501
2.3.1.2), so a gap, or an EXISTS above the last one, shows that a message is missing.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from itertools import pairwise
from types import MappingProxyType
from typing import Final, NamedTuple

from ..errors import CommandRefused, FolderNotFound, ImapError, Unavailable
from ..mime.header import NEWEST_ITEMS
from ..mime.preview import NO_TEXT, Preview, TextRequest, batch_size, fetch_items
from ..models import Mail
from ..wire.command import Command
from ..wire.parser import Value
from ..wire.response_codes import fetch_error, is_folder_gone
from .fetch_items import MAX_UID, Fetched, by_uid, fetch_command, fetched
from .mark import Mark
from .message_reader import read_message, read_previews
from .select import SelectResult, examine_command
from .session import Session, last_command, last_uid, read_count

# UIDs that one FETCH requests at most.
BATCH: Final = 500


class Outcome(Enum):
    """What a sync showed about a folder."""

    DONE = auto()  # all messages from the mark on were returned
    MORE = auto()  # there are more: sync again
    BY_SEARCH = auto()  # the FETCH was refused or left out messages: `recover.complete`
    NOT_SHOWN = auto()  # a message was announced, but is not shown yet
    RENUMBERED = auto()  # there is no mark, or it is not valid in this folder
    MISSING = auto()  # the folder does not exist
    REFUSED = auto()  # the server refused, for now or permanently: see `error`


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """The commands for one folder in one write: open, fetch from `mark` on, count unread.

    `notify` requests notifications about the folder, which is open, and about others.
    `fetch` requests the messages from the next UID of `mark` up to, not including, `end` (None: no
    limit). `newest` requests the last message, with the fields that entities show. `old`
    counts the messages below the mark. `text`: how much text `fetch` requests. `synced` is how
    many messages are below the mark, at most; None if that is not known.

    `waits`: after a temporary refusal, wait; otherwise one of the messages may be the cause.
    `care`: 0, or how often a FETCH ended the session: fetch one message at a time, with fewer
    items each time, in the end none. `accepts`: return messages that are announced but not shown
    without items; otherwise the result ends before them and is NOT_SHOWN.
    """

    folder: str
    mark: Mark | None
    examine: Command | None = None
    notify: tuple[Command, ...] = ()
    fetch: Command | None = None
    newest: Command | None = None
    old: Command | None = None
    count: Command | None = None
    end: int | None = None
    text: TextRequest = NO_TEXT
    synced: int | None = None
    waits: bool = True
    care: int = 0
    accepts: bool = False

    @property
    def commands(self) -> list[Command]:
        """Return the commands in the order of sending."""
        in_folder = (self.fetch, self.newest, self.old, self.count)
        commands = (self.examine, *self.notify, *in_folder)
        return [command for command in commands if command is not None]


class SyncBatch(NamedTuple):
    """The messages at or above a mark.

    `next_uid` is the first UID of the next sync. `messages` are FETCH items by UID, ascending.
    `too_large` are UIDs for which to request fewer items. `previews` are the texts of messages
    that were not fetched completely. `newest` is the last message of the folder, new or not, with
    the fields that entities show; {} if the folder is empty, None if that is not known.
    """

    folder: str
    start: Mark
    next_uid: int
    messages: Mapping[int, dict[str, Value]] = MappingProxyType({})
    too_large: tuple[int, ...] = ()
    previews: Mapping[int, Preview] = MappingProxyType({})
    newest: Mapping[int, dict[str, Value]] | None = None
    text: TextRequest = NO_TEXT

    @property
    def uids(self) -> list[int]:
        """Return the UIDs of the new messages, ascending."""
        start, end = self.start.next_uid, self.next_uid
        return [uid for uid in self.messages if start <= uid < end]

    @property
    def is_partial(self) -> bool:
        """Return whether some messages need another FETCH: they are too large, or lack text."""
        lacks_text = any(preview.more for preview in self.previews.values())
        return bool(self.too_large) or lacks_text

    async def mail(self, uid: int) -> Mail:
        """Parse and return the message that has this UID."""
        validity, items = self.start.uid_validity, self.messages[uid]
        preview = self.previews.get(uid)
        return await read_message(self.folder, validity, uid, items, self.text, preview)

    async def newest_mail(self) -> Mail | None:
        """Return the last message of the folder, None if there is none or it is not known."""
        uids = self.uids
        if uids and not self.is_partial:
            return await self.mail(uids[-1])
        for uid, items in (self.newest or {}).items():
            validity = self.start.uid_validity
            return await read_message(self.folder, validity, uid, items)
        return None


class SyncResult(NamedTuple):
    """The outcome of a sync.

    `is_opened`: `selected` is the answer to an EXAMINE of this sync. `batch` has the messages to
    deliver, in order and without a gap. `newest` is the last message of the folder, None if there
    is none or it is not known. `exists` is the number of messages in the folder, `unread`
    that of unread ones, `synced` that of messages below the next mark; None if not known.
    `flags_changed`: the server reported flags of older messages. `unshown` is the number of
    messages that were announced but not returned. `seconds` is how long the FETCH took.
    """

    outcome: Outcome
    selected: SelectResult | None = None
    batch: SyncBatch | None = None
    newest: Mail | None = None
    exists: int | None = None
    unread: int | None = None
    synced: int | None = None
    is_opened: bool = False
    flags_changed: bool = False
    unshown: int = 0
    seconds: float | None = None
    error: ImapError | None = None


def sync_request(
    session: Session,
    folder: str,
    mark: Mark | None,
    *,
    examines: bool,
    fetches: bool = True,
    newest: bool = False,
    growth: int = 0,
    batch: int = BATCH,
    text: TextRequest = NO_TEXT,
    synced: int | None = None,
    waits: bool = True,
    care: int = 0,
    accepts: bool = False,
) -> SyncRequest:
    """Return the commands for a folder. Without a mark, only the last UID is fetched.

    `growth` is the number of new messages that the server announced. For the other arguments,
    see SyncRequest.
    """
    examine = examine_command(folder) if examines else None
    if mark is None:
        return SyncRequest(folder, mark, examine, newest=last_command())
    first, size = min(mark.next_uid, MAX_UID), batch_size(text, batch)
    # UIDs may be far apart. `*` reaches all of them, and EXISTS limits how many that are.
    end = None if 0 < growth <= size else first + size
    last = "*" if end is None else min(end - 1, MAX_UID)
    return SyncRequest(
        folder,
        mark,
        examine,
        (),
        fetch_command(f"{first}:{last}", fetch_items(text)) if fetches else None,
        # `*` is the highest UID in the folder: this range is the last message (6.4.8).
        fetch_command(f"{MAX_UID}:*", NEWEST_ITEMS) if newest else None,
        # After a restart, nothing else shows whether a message is missing before the first one.
        session.count_below(first) if fetches and synced is None else None,
        session.count_command(folder),
        end,
        text,
        synced,
        waits,
        care,
        accepts,
    )


async def read_sync(session: Session, request: SyncRequest) -> SyncResult:
    """Read the replies to the commands of a request."""
    selected, examine = session.selected, request.examine
    try:
        if examine is not None:
            selected = await session.read_selected(request.folder, examine)
    except FolderNotFound as error:
        return SyncResult(Outcome.MISSING, error=error)
    except (CommandRefused, Unavailable) as error:
        session.connection.raise_error()
        return SyncResult(Outcome.REFUSED, error=error)
    mark = request.mark
    if (
        mark is None
        and request.newest
        and (uid := await last_uid(request.newest, selected))
    ):
        # Some servers report a UIDNEXT that is too low or too high.
        selected = selected._replace(uid_next=uid + 1)
    if mark is None or (examine is not None and not selected.continues(mark)):
        return SyncResult(Outcome.RENUMBERED, selected, is_opened=True)
    if request.count is None:
        return SyncResult(Outcome.DONE, selected, is_opened=examine is not None)
    try:
        result = await _read_batch(request, mark, selected)
    except CommandRefused as refusal:
        if is_folder_gone(refusal):
            return SyncResult(Outcome.MISSING, error=FolderNotFound(refusal.text))
        reason = fetch_error(refusal, waits=request.waits)
        outcome = Outcome.REFUSED if reason else Outcome.BY_SEARCH
        result = SyncResult(outcome, selected, error=reason)
    return result._replace(
        is_opened=examine is not None,
        unread=await session.read_unread(request.count, request.folder),
    )


async def _read_batch(
    request: SyncRequest, mark: Mark, selected: SelectResult
) -> SyncResult:
    """Turn the responses to the FETCH commands into a result; raise CommandRefused."""
    if request.fetch is None:
        return SyncResult(Outcome.BY_SEARCH, selected)
    completion = await request.fetch.wait()
    seconds = asyncio.get_running_loop().time() - request.fetch.started
    synced = request.synced
    if request.old is not None:
        synced = await read_count(request.old)
    found = await by_uid(completion.data)
    newest = await _newest(request, mark, found, selected)
    if found.has_unknown:
        return SyncResult(Outcome.BY_SEARCH, selected)
    # Messages from this UID on did not fit, or were not requested.
    end = min((*found.left_out, request.end or MAX_UID + 1))
    # Without its body, a message was announced but is not shown yet, or its flags have changed.
    expected = {"BODY", "BODYSTRUCTURE"} if request.newest else {"BODY"}
    pending = [
        uid
        for uid, items in found.messages.items()
        if mark.next_uid <= uid < end
        and not expected <= items.keys()
        and uid not in found.too_large
    ]
    end = min((*pending, end))
    known = sorted({*found.messages, *found.too_large})
    new = [uid for uid in known if mark.next_uid <= uid < end]
    shown = {uid: found.messages[uid] for uid in new if uid in found.messages}
    batch = SyncBatch(
        request.folder,
        mark,
        next_uid=max(new, default=mark.next_uid - 1) + 1,
        messages=found.messages,
        too_large=tuple(uid for uid in new if uid in found.too_large),
        previews=await read_previews(shown, request.text),
        newest=newest,
        text=request.text,
    )
    numbers = [found.numbers[uid] for uid in new]
    exists = completion.exists
    unshown = 0 if synced is None else max(0, exists - synced - len(new))
    if _has_gap(numbers, synced):
        outcome = Outcome.BY_SEARCH
    elif pending and not new:
        outcome = Outcome.NOT_SHOWN
    elif not pending and _is_complete(
        request, numbers, new, newest, selected, exists, synced
    ):
        outcome = Outcome.DONE
    elif new:
        outcome = Outcome.MORE
    else:
        outcome = Outcome.NOT_SHOWN if unshown else Outcome.BY_SEARCH
    # The last message is returned for `newest`, and for `n:*` if it is below n.
    asked = request.newest is not None or request.end is None
    old = sum(uid < mark.next_uid for uid in found.messages)
    return SyncResult(
        outcome,
        selected,
        batch,
        await batch.newest_mail(),
        exists,
        synced=exists if outcome is Outcome.DONE else max(numbers, default=synced),
        flags_changed=old > asked,
        unshown=unshown,
        seconds=seconds,
    )


def _has_gap(numbers: list[int], synced: int | None) -> bool:
    """Return whether the sequence numbers of new messages show that others are missing."""
    if synced is not None and numbers and numbers[0] > synced + 1:
        return True
    return any(second != first + 1 for first, second in pairwise(numbers))


def _is_complete(
    request: SyncRequest,
    numbers: list[int],
    new: list[int],
    newest: Collection[int] | None,
    selected: SelectResult,
    exists: int,
    synced: int | None,
) -> bool:
    """Return whether no message follows the new ones, and none at or above `request.end`."""
    if numbers and exists:
        return numbers[-1] >= exists
    if synced is not None:
        return exists <= synced
    if request.end is None:
        return True
    if newest is not None:
        return max(newest, default=0) < request.end
    uid_next = selected.uid_next if request.examine is not None else None
    return uid_next is not None and max(new, default=0) < uid_next <= request.end


async def _newest(
    request: SyncRequest, mark: Mark, found: Fetched, selected: SelectResult
) -> dict[int, dict[str, Value]] | None:
    """Return the last message of a folder, {} if it is empty, None if that is not known."""
    if request.newest is None:
        return None
    try:
        last = (await fetched(request.newest)).messages
    except CommandRefused:
        return None  # Some servers refuse `*` in an empty folder.
    # Dovecot answers both FETCH commands before it completes the first.
    early = {uid: items for uid, items in found.messages.items() if uid < mark.next_uid}
    if any("BODY" in items for items in (*last.values(), *early.values())):
        uid = max(*last, *found.messages, 0)
        # A response with changed flags must not replace the message.
        return {uid: last.get(uid, {}) | found.messages.get(uid, {})}
    # Some servers answer without a message although there are messages.
    is_empty = not found.messages and selected.numbers.get("MESSAGES") == 0
    return {} if is_empty else None
