"""The per-folder mark: what is new, and what was delivered."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final

from ..models import Mail

# Mails whose identity is remembered, for the day on which a folder is numbered anew.
REMEMBERED: Final = 500


@dataclass(frozen=True, slots=True)
class Mark:
    """The next UID of a folder that is not delivered yet, with its UIDVALIDITY (RFC 3501 2.3.1.1).

    `last_received` is the newest INTERNALDATE that was delivered or was there at the start, and
    `remembered` the digests of the last delivered mails: when UIDs mean nothing any more, these
    tell what is new.
    """

    uid_validity: int
    next_uid: int
    last_received: datetime | None = None
    remembered: tuple[str, ...] = ()

    def passed(self, mail: Mail) -> Mark:
        """Return the mark after a mail was delivered."""
        return replace(self.remembering(mail), next_uid=mail.uid + 1)

    def remembering(self, mail: Mail) -> Mark:
        """Return the mark after a mail was delivered whose UID is of another numbering."""
        remembered = (*self.remembered, digest(mail))[-REMEMBERED:]
        return replace(self.seeing(mail), remembered=remembered)

    def seeing(self, mail: Mail | None) -> Mark:
        """Return the mark that knows of a mail that is there, delivered or not."""
        if mail is None or mail.received is None:
            return self
        # A client can append mail with any date: one in the future must not hide what comes.
        received = min(mail.received, datetime.now(UTC))
        return replace(
            self, last_received=max(self.last_received or received, received)
        )

    def at(self, next_uid: int) -> Mark:
        """Return the mark moved to a UID."""
        return replace(self, next_uid=next_uid)

    def renumbered(self, mark: Mark) -> Mark:
        """Return the mark of another numbering, with what this one remembers."""
        return replace(self, uid_validity=mark.uid_validity, next_uid=mark.next_uid)

    def knows(self, mail: Mail) -> bool:
        """Return if a mail of another numbering was delivered, or was there before it began."""
        if self.last_received is None or mail.received is None:
            return True
        return mail.received < self.last_received or digest(mail) in self.remembered


def digest(mail: Mail) -> str:
    """Return what identifies a mail whatever its UID is."""
    identity = mail.message_id or f"{mail.received} {mail.size} {mail.subject}"
    return blake2b(identity.encode(), digest_size=8).hexdigest()
