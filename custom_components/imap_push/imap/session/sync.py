"""What is asked of a folder, and what a sweep of it found."""

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
    """What is asked of one folder in a write: to open, to fetch from the mark on, to count.

    A peek asks for UIDs only: they tell if there is anything that is not known. `end` is the
    UID below which `fetch` asks for messages, None if it asks for all. `newest` asks for what
    is shown of the last message. `text` is how much of a mail's text is wanted.
    """

    folder: str
    mark: Mark | None
    examine: Command | None = None
    fetch: Command | None = None
    newest: Command | None = None
    count: Command | None = None
    is_peek: bool = False
    end: int | None = None
    text: TextRequest = NO_TEXT

    @property
    def commands(self) -> Iterator[Command]:
        """Return the commands in the order in which they are sent."""
        return filter(None, (self.examine, *self.questions))

    @property
    def questions(self) -> Iterator[Command]:
        """Return the commands about the open folder."""
        return filter(None, (self.fetch, self.newest, self.count))


@dataclass(frozen=True, slots=True)
class SyncBatch:
    """What was found at or above a mark: `next_uid` is where the next sweep starts.

    `complete` is false if more is there. `held_back` is the UID of a mail that the server
    announces and does not show yet. `messages` are FETCH items by UID, ascending; those that
    are `too_large` are to be asked for less. `previews` are the texts of those of which only the
    beginning was fetched. `newest` is the folder's last message, new or not, with what is shown
    of it, if there is one; None if that is not known.
    """

    folder: str
    start: Mark
    next_uid: int
    complete: bool = True
    held_back: int | None = None
    messages: Mapping[int, dict[str, Value]] = field(default_factory=dict)
    too_large: tuple[int, ...] = ()
    previews: Mapping[int, Preview] = field(default_factory=dict)
    newest: Mapping[int, dict[str, Value]] | None = None
    text: TextRequest = NO_TEXT

    @property
    def is_incomplete(self) -> bool:
        """Return if some messages have to be asked for less, or for more."""
        wanting = any(preview.more for preview in self.previews.values())
        return bool(self.too_large) or wanting

    @property
    def is_empty(self) -> bool:
        """Return if nothing new can be told of."""
        return self.held_back is None and not (self.too_large or any(self._new()))

    async def mails(self) -> AsyncIterator[Mail]:
        """Yield the new mails in the order of their UIDs, each parsed when its turn comes."""
        for uid in self._new():
            yield await self.mail(uid)

    def _new(self) -> Iterator[int]:
        start, end = self.start.next_uid, self.next_uid
        return (uid for uid in self.messages if start <= uid < end)

    async def with_previews(self) -> SyncBatch:
        """Return the sweep with the texts of messages of which only the beginning was fetched."""
        new = {uid: self.messages[uid] for uid in self._new()}
        return replace(self, previews=await read_previews(new, self.text))

    async def newest_mail(self) -> Mail | None:
        """Return the folder's last message, if it was asked for and there is one."""
        for uid, items in (self.newest or {}).items():
            validity = self.start.uid_validity
            return await read_message(self.folder, validity, uid, items)
        return None

    async def mail(self, uid: int) -> Mail:
        """Return one of the mails."""
        validity, items = self.start.uid_validity, self.messages[uid]
        preview = self.previews.get(uid)
        return await read_message(self.folder, validity, uid, items, self.text, preview)


def messages_per_fetch(text: TextRequest, batch: int | None = None) -> int:
    """Return how many messages one FETCH requests: `batch`, or fewer if their text is long."""
    return batch_size(text, BATCH if batch is None else max(batch, 1))


def sweep_of(
    look: SyncRequest,
    mark: Mark,
    found: Fetched,
    newest: Mapping[int, dict[str, Value]] | None,
    uid_next: int | None,
) -> SyncBatch:
    """Return what a FETCH of the messages from the mark on means; `uid_next` is UIDNEXT."""
    # Those from here on did not fit in, or were not asked for.
    end = min((*found.left_out, look.end or MAX_UID + 1))
    # A FETCH response without all that was asked for tells of changed flags, or of a mail that
    # is announced and not there yet, or of the last one.
    whole = {"BODY", "BODYSTRUCTURE"} if look.newest else {"BODY"}
    held_back = min(
        (
            uid
            for uid, items in found.messages.items()
            if mark.next_uid <= uid < end
            and not whole <= items.keys()
            and uid not in found.too_large
        ),
        default=None,
    )
    known = (*found.messages, *found.too_large)
    new = [uid for uid in known if mark.next_uid <= uid < (held_back or end)]
    return SyncBatch(
        folder=look.folder,
        start=mark,
        next_uid=held_back or max(new, default=mark.next_uid - 1) + 1,
        complete=not found.left_out and _covers(look, new, newest, uid_next),
        held_back=held_back,
        messages=found.messages,
        too_large=tuple(sorted(found.too_large.intersection(new))),
        newest=newest,
        text=look.text,
    )


def _covers(
    look: SyncRequest,
    new: Collection[int],
    newest: Collection[int] | None,
    uid_next: int | None,
) -> bool:
    """Return if no message is known to be, or may be, at or above the end of what was asked for."""
    if look.end is None:
        return True
    if newest is not None:
        return max(newest, default=0) < look.end
    # Without UIDNEXT, or with that of an earlier EXAMINE, only a search can tell.
    return uid_next is not None and max(new, default=0) < uid_next <= look.end
