"""What is asked of a folder, and what a sweep of it found."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
import logging

from .command import Command
from .mark import Mark
from .message import parse_mail
from .models import Mail
from .responses import Value

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Opened:
    """What a folder says of itself when it is opened; `uid_next` is None if it does not tell."""

    uid_validity: int
    uid_next: int | None

    def continues(self, mark: Mark) -> bool:
        """Return if the mark's UIDs still mean what they meant (RFC 3501 2.3.1.1)."""
        backwards = self.uid_next is not None and self.uid_next < mark.next_uid
        return mark.uid_validity == self.uid_validity and not backwards


@dataclass(frozen=True, slots=True)
class Look:
    """What is asked of one folder in a write: to open, to fetch from the mark on, to count.

    A peek asks for UIDs only: they tell if there is anything that is not known.
    """

    folder: str
    mark: Mark | None
    examine: Command | None
    fetch: Command | None
    count: Command | None
    is_peek: bool

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

    @property
    def is_empty(self) -> bool:
        """Return if nothing new can be told of."""
        return self.held_back is None and not any(self._new())

    def mails(self) -> Iterator[Mail]:
        """Yield the new mails in the order of their UIDs, each parsed when its turn comes."""
        return map(self.mail, self._new())

    def _new(self) -> Iterator[int]:
        start, end = self.start.next_uid, self.next_uid
        return (uid for uid in self.messages if start <= uid < end)

    def newest(self) -> Mail | None:
        """Return the folder's newest mail, new or not."""
        whole = [uid for uid, items in self.messages.items() if "BODY" in items]
        known = whole or list(self.messages)
        return self.mail(known[-1]) if known else None

    def mail(self, uid: int) -> Mail:
        """Return one of the mails."""
        return read_mail(self.folder, self.start.uid_validity, uid, self.messages[uid])


def read_mail(
    folder: str, uid_validity: int, uid: int, items: Mapping[str, Value]
) -> Mail:
    """Return a mail; one that we cannot read is told without its fields, not held back."""
    try:
        return parse_mail(folder, uid_validity, uid, items)
    except Exception:
        _LOGGER.exception("A mail cannot be read; it is told of without its fields")
        return Mail(folder=folder, uid_validity=uid_validity, uid=uid)
