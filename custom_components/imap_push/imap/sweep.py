"""What is asked of a folder, and what a sweep of it found."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
import logging
from typing import Final

from .command import Command
from .fetching import MAX_UID, SLICE, Fetched
from .mark import Mark
from .mime.header import parse_mail
from .mime.preview import with_text
from .models import Mail
from .responses import Value, parse_number

_LOGGER = logging.getLogger(__name__)

# What a value of a structure costs to look at, in octets that take as long to decode.
_OCTETS_PER_VALUE: Final = 10


@dataclass(frozen=True, slots=True)
class Opened:
    """What a folder says of itself when it is opened; `uid_next` is None if it does not tell.

    `numbers` are all that it tells, by their names in STATUS.
    """

    uid_validity: int
    uid_next: int | None
    numbers: Mapping[str, int] = field(default_factory=dict)

    def continues(self, mark: Mark) -> bool:
        """Return if the mark's UIDs still mean what they meant (RFC 3501 2.3.1.1)."""
        backwards = self.uid_next is not None and self.uid_next < mark.next_uid
        return mark.uid_validity == self.uid_validity and not backwards


@dataclass(frozen=True, slots=True)
class Look:
    """What is asked of one folder in a write: to open, to fetch from the mark on, to count.

    A peek asks for UIDs only: they tell if there is anything that is not known. `end` is the
    UID below which `fetch` asks for messages, None if it asks for all. `newest` asks for what
    is shown of the last message. `text_size` is how many characters of a mail's text are wanted.
    """

    folder: str
    mark: Mark | None
    examine: Command | None = None
    fetch: Command | None = None
    newest: Command | None = None
    count: Command | None = None
    is_peek: bool = False
    end: int | None = None
    text_size: int = 0

    @property
    def commands(self) -> Iterator[Command]:
        """Return the commands in the order in which they are sent."""
        return filter(None, (self.examine, *self.questions))

    @property
    def questions(self) -> Iterator[Command]:
        """Return the commands about the open folder."""
        return filter(None, (self.fetch, self.newest, self.count))


@dataclass(frozen=True, slots=True)
class Sweep:
    """What was found at or above a mark: `next_uid` is where the next sweep starts.

    `complete` is false if more is there. `held_back` is the UID of a mail that the server
    announces and does not show yet. `messages` are FETCH items by UID, ascending; those that
    are `too_large` are to be asked for less. `newest` is the folder's last message, new or not,
    with what is shown of it, if there is one; None if that is not known.
    """

    folder: str
    start: Mark
    next_uid: int
    complete: bool = True
    held_back: int | None = None
    messages: Mapping[int, dict[str, Value]] = field(default_factory=dict)
    too_large: tuple[int, ...] = ()
    newest: Mapping[int, dict[str, Value]] | None = None
    text_size: int = 0

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

    def completed(self, messages: Mapping[int, dict[str, Value]]) -> Sweep:
        """Return the sweep with what could be fetched of the messages that are too large."""
        merged = dict(sorted({**self.messages, **messages}.items()))
        return replace(self, messages=merged, too_large=())

    async def newest_mail(self) -> Mail | None:
        """Return the folder's last message, if it was asked for and there is one."""
        for uid, items in (self.newest or {}).items():
            validity = self.start.uid_validity
            return await read_with_text(self.folder, validity, uid, items)
        return None

    async def mail(self, uid: int) -> Mail:
        """Return one of the mails."""
        validity, items = self.start.uid_validity, self.messages[uid]
        return await read_with_text(self.folder, validity, uid, items, self.text_size)


def sweep_of(
    look: Look,
    mark: Mark,
    found: Fetched,
    newest: Mapping[int, dict[str, Value]] | None,
    uid_next: int | None,
) -> Sweep:
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
    return Sweep(
        folder=look.folder,
        start=mark,
        next_uid=held_back or max(new, default=mark.next_uid - 1) + 1,
        complete=not found.left_out and _covers(look, new, newest, uid_next),
        held_back=held_back,
        messages=found.messages,
        too_large=tuple(sorted(found.too_large.intersection(new))),
        newest=newest,
        text_size=look.text_size,
    )


def _covers(
    look: Look,
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


async def read_with_text(
    folder: str,
    uid_validity: int,
    uid: int,
    items: Mapping[str, Value],
    text_size: int = 0,
) -> Mail:
    """Return a mail, with its text if that is wanted; a large one is read off the event loop."""
    read = partial(_read, folder, uid_validity, uid, items, text_size)
    read_items = [
        value for name, value in items.items() if text_size or name != "BODY[TEXT]"
    ]
    return await asyncio.to_thread(read) if _is_large(read_items) else read()


async def pushed_mail(
    folder: str, mark: Mark, items: Mapping[str, Value], text_size: int
) -> Mail | None:
    """Return the mail that NOTIFY brought if it is the next one, and all there."""
    uid = parse_number(items.get("UID"))
    if uid != mark.next_uid or "BODY" not in items:
        return None
    return await read_with_text(folder, mark.uid_validity, uid, items, text_size)


def read_mail(
    folder: str, uid_validity: int, uid: int, items: Mapping[str, Value]
) -> Mail:
    """Return a mail; one that we cannot read is told without its fields, not held back."""
    try:
        return parse_mail(folder, uid_validity, uid, items)
    except Exception:
        _LOGGER.exception("A mail cannot be read; it is told of without its fields")
        return Mail(folder=folder, uid_validity=uid_validity, uid=uid)


def _read(
    folder: str,
    uid_validity: int,
    uid: int,
    items: Mapping[str, Value],
    text_size: int,
) -> Mail:
    mail = read_mail(folder, uid_validity, uid, items)
    if not text_size:
        return mail
    try:
        return with_text(mail, items, text_size)
    except Exception:
        _LOGGER.exception("A mail's text cannot be read; it is told of without it")
        return replace(mail, text="", truncated=True)


def _is_large(values: Iterable[Value]) -> bool:
    """Return if reading the items of a mail takes too long for the event loop."""
    left = SLICE
    pending = list(values)
    while pending and left >= 0:
        value = pending.pop()
        left -= _OCTETS_PER_VALUE
        if isinstance(value, tuple):
            pending += value
        elif value is not None:
            left -= len(value)
    return left < 0
