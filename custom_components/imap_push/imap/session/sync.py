"""The request and the result of a sync: fetch everything at or above the mark."""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from ..mime.preview import NO_TEXT, Preview, TextRequest, batch_size
from ..models import Mail
from ..wire.command import Command
from ..wire.parser import Value
from .fetch_items import MAX_UID, Fetched
from .mark import Mark
from .message_reader import read_message, read_previews

# UIDs that one FETCH requests at most.
BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """The commands for one folder in one write: open, fetch from `mark` on, count unread.

    `fetch` requests the messages from the next UID of `mark` up to, not including, `end` (None: no
    limit); if `is_uid_check`, only their UIDs, to find out whether there are any. `newest` requests
    the last message, with the fields that entities show. `text`: how much text `fetch` requests.
    """

    folder: str
    mark: Mark | None
    examine: Command | None = None
    fetch: Command | None = None
    newest: Command | None = None
    count: Command | None = None
    is_uid_check: bool = False
    end: int | None = None
    text: TextRequest = NO_TEXT

    @property
    def commands(self) -> Iterator[Command]:
        """Return the commands in the order of sending."""
        return filter(None, (self.examine, *self.commands_in_folder))

    @property
    def commands_in_folder(self) -> Iterator[Command]:
        """Return the commands that need the folder to be open."""
        return filter(None, (self.fetch, self.newest, self.count))


@dataclass(frozen=True, slots=True)
class SyncBatch:
    """The messages at or above a mark.

    `next_uid` is the first UID of the next sync. `complete` is False if there are more messages.
    `pending_uid` is a message that the server announced but does not show yet. `messages` are
    FETCH items by UID, ascending. `too_large` are UIDs for which to request fewer items.
    `previews` are the texts of messages that were not fetched completely. `newest` is the last
    message of the folder, new or not, with the fields that entities show; {} if the folder is
    empty, None if that is not known.
    """

    folder: str
    start: Mark
    next_uid: int
    complete: bool = True
    pending_uid: int | None = None
    messages: Mapping[int, dict[str, Value]] = field(default_factory=dict)
    too_large: tuple[int, ...] = ()
    previews: Mapping[int, Preview] = field(default_factory=dict)
    newest: Mapping[int, dict[str, Value]] | None = None
    text: TextRequest = NO_TEXT

    @property
    def is_incomplete(self) -> bool:
        """Return True if some messages need another FETCH: they are too large, or lack text."""
        wanting = any(preview.more for preview in self.previews.values())
        return bool(self.too_large) or wanting

    @property
    def is_empty(self) -> bool:
        """Return True if there is nothing to deliver."""
        return self.pending_uid is None and not (self.too_large or any(self._new()))

    async def mails(self) -> AsyncIterator[Mail]:
        """Yield the new messages by ascending UID; each is parsed when it is yielded."""
        for uid in self._new():
            yield await self.mail(uid)

    def _new(self) -> Iterator[int]:
        start, end = self.start.next_uid, self.next_uid
        return (uid for uid in self.messages if start <= uid < end)

    async def with_previews(self) -> SyncBatch:
        """Return the batch with the texts of messages that were not fetched completely."""
        new = {uid: self.messages[uid] for uid in self._new()}
        return replace(self, previews=await read_previews(new, self.text))

    async def newest_mail(self) -> Mail | None:
        """Return the last message; None if the folder is empty or `newest` is None."""
        for uid, items in (self.newest or {}).items():
            validity = self.start.uid_validity
            return await read_message(self.folder, validity, uid, items)
        return None

    async def mail(self, uid: int) -> Mail:
        """Parse and return the message of the batch that has this UID."""
        validity, items = self.start.uid_validity, self.messages[uid]
        preview = self.previews.get(uid)
        return await read_message(self.folder, validity, uid, items, self.text, preview)


def messages_per_fetch(text: TextRequest, batch: int | None = None) -> int:
    """Return how many messages one FETCH requests: `batch`, or fewer if their text is long."""
    return batch_size(text, BATCH if batch is None else max(batch, 1))


def batch_of(
    request: SyncRequest,
    mark: Mark,
    found: Fetched,
    newest: Mapping[int, dict[str, Value]] | None,
    uid_next: int | None,
) -> SyncBatch:
    """Turn the responses to the FETCH commands of a sync into a SyncBatch.

    `uid_next` is UIDNEXT of the open folder, None if it is not known.
    """
    # Messages from this UID on did not fit, or were not requested.
    end = min((*found.left_out, request.end or MAX_UID + 1))
    # A response without all requested items reports changed flags, or a message that the server
    # announced but does not show yet, or the last message.
    expected = {"BODY", "BODYSTRUCTURE"} if request.newest else {"BODY"}
    pending_uid = min(
        (
            uid
            for uid, items in found.messages.items()
            if mark.next_uid <= uid < end
            and not expected <= items.keys()
            and uid not in found.too_large
        ),
        default=None,
    )
    known = (*found.messages, *found.too_large)
    new = [uid for uid in known if mark.next_uid <= uid < (pending_uid or end)]
    return SyncBatch(
        folder=request.folder,
        start=mark,
        next_uid=pending_uid or max(new, default=mark.next_uid - 1) + 1,
        complete=not found.left_out and _covers(request, new, newest, uid_next),
        pending_uid=pending_uid,
        messages=found.messages,
        too_large=tuple(sorted(found.too_large.intersection(new))),
        newest=newest,
        text=request.text,
    )


def _covers(
    request: SyncRequest,
    new: Collection[int],
    newest: Collection[int] | None,
    uid_next: int | None,
) -> bool:
    """Return True if there is certainly no message at or above `request.end`."""
    if request.end is None:
        return True
    if newest is not None:
        return max(newest, default=0) < request.end
    # Without UIDNEXT, or with that of an earlier EXAMINE, a search is needed.
    return uid_next is not None and max(new, default=0) < uid_next <= request.end
