"""What is asked of a folder, and what a sweep of it found."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
import logging
from typing import Final

from .command import Command
from .excerpt import with_text
from .fetching import SLICE
from .mark import Mark
from .message import parse_mail
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

    A peek asks for UIDs only: they tell if there is anything that is not known. `text_size`
    is how many characters of a mail's text are wanted.
    """

    folder: str
    mark: Mark | None
    examine: Command | None
    fetch: Command | None
    count: Command | None
    is_peek: bool
    text_size: int = 0

    @property
    def commands(self) -> Iterator[Command]:
        """Return the commands in the order in which they are sent."""
        return filter(None, (self.examine, self.fetch, self.count))


@dataclass(frozen=True, slots=True)
class Sweep:
    """What was found at or above a mark: `next_uid` is where the next sweep starts.

    `complete` is false if more is there. `held_back` is the UID of a mail that the server
    announces and does not show yet. `messages` are FETCH items by UID, ascending.
    """

    folder: str
    start: Mark
    next_uid: int
    complete: bool = True
    held_back: int | None = None
    messages: Mapping[int, dict[str, Value]] = field(default_factory=dict)
    text_size: int = 0

    @property
    def is_empty(self) -> bool:
        """Return if nothing new can be told of."""
        return self.held_back is None and not any(self._new())

    async def mails(self) -> AsyncIterator[Mail]:
        """Yield the new mails in the order of their UIDs, each parsed when its turn comes."""
        for uid in self._new():
            yield await self.mail(uid)

    def _new(self) -> Iterator[int]:
        start, end = self.start.next_uid, self.next_uid
        return (uid for uid in self.messages if start <= uid < end)

    async def newest(self) -> Mail | None:
        """Return the folder's newest mail, new or not, without its text."""
        whole = [uid for uid, items in self.messages.items() if "BODY" in items]
        uid = next(reversed(whole or list(self.messages)), None)
        if uid is None:
            return None
        validity = self.start.uid_validity
        return await read_with_text(self.folder, validity, uid, self.messages[uid])

    async def mail(self, uid: int) -> Mail:
        """Return one of the mails."""
        validity, items = self.start.uid_validity, self.messages[uid]
        return await read_with_text(self.folder, validity, uid, items, self.text_size)


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
