"""The mark of a folder: the boundary between delivered and new messages."""

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final, NamedTuple

from ..models import Mail

# Delivered messages whose digests are kept, to find new ones after UIDVALIDITY changed.
REMEMBERED: Final = 500
# INTERNALDATE of an earlier year is not the time of arrival.
FIRST_YEAR: Final = 1970


class Mark(NamedTuple):
    """The next UID that is not delivered yet, with its UIDVALIDITY (RFC 3501 2.3.1.1).

    `last_received` is the newest INTERNALDATE of the messages that were delivered or were there
    at the start. `remembered` are digests of the last delivered messages. Both serve to find the
    new messages after UIDVALIDITY changed.
    """

    uid_validity: int
    next_uid: int
    last_received: datetime | None = None
    remembered: tuple[str, ...] = ()

    def after_delivery(self, mail: Mail) -> Mark:
        """Return the mark after a message was delivered."""
        return self.with_digest(mail)._replace(next_uid=mail.uid + 1)

    def with_digest(self, mail: Mail) -> Mark:
        """Return the mark with digest and date of a delivered message, at the same UID."""
        remembered = (*self.remembered, digest(mail))[-REMEMBERED:]
        return self.with_date(mail)._replace(remembered=remembered)

    def with_date(self, mail: Mail | None) -> Mark:
        """Return the mark with the INTERNALDATE of a message, delivered or not."""
        # Go servers send the year 1 for an unknown date.
        if mail is None or mail.received is None or mail.received.year < FIRST_YEAR:
            return self
        # A client can append messages with any date. One in the future must not hide new mail.
        received = min(mail.received, datetime.now(UTC))
        return self._replace(
            last_received=max(self.last_received or received, received)
        )

    def at(self, next_uid: int) -> Mark:
        """Return the mark moved to a UID."""
        return self._replace(next_uid=next_uid)

    def renumbered(self, mark: Mark) -> Mark:
        """Return the mark with UIDVALIDITY and next UID of another one; keep date and digests."""
        return self._replace(uid_validity=mark.uid_validity, next_uid=mark.next_uid)

    def is_known(self, mail: Mail) -> bool:
        """Return True if a message needs no delivery after UIDs changed.

        Its digest is known, its date is before `last_received`, or one of these dates is missing.
        """
        if self.last_received is None or mail.received is None:
            return True
        if mail.received < self.last_received or self.has_digest(mail):
            return True
        # Now the server may refuse the header of the last message that was delivered.
        return mail.received == self.last_received and not _has_header(mail)

    def has_digest(self, mail: Mail) -> bool:
        """Return whether the message is one of the last that were delivered."""
        # It may have been delivered without its header.
        digests = {digest(mail), digest(replace(mail, message_id=None, subject=""))}
        return not digests.isdisjoint(self.remembered)


def _has_header(mail: Mail) -> bool:
    return any((mail.message_id, mail.subject, mail.sender))


def digest(mail: Mail) -> str:
    """Return a digest that identifies a message without its UID."""
    identity = mail.message_id or f"{mail.received} {mail.size} {mail.subject}"
    return blake2b(identity.encode(), digest_size=8).hexdigest()
