"""The oracle: compares every UID that the server assigned with the mail that fired."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from custom_components.imap_push.imap import Mail

# Most UIDs that are listed for each kind of violation.
MAX_LISTED = 10


@dataclass
class Ledger:
    """The history of a watched folder with one UIDVALIDITY, since the start of the run.

    `is_over`: another folder has its name now, so what was in it at that moment may fire or not.
    `messages` and `unread` are the counts at the end.
    `present`: subjects by UID on the server at the end. `removed`: UIDs that had fired before
    another client removed them. `briefly_present`: UIDs removed so early that they may fire or not.
    `assigned`: UIDs that the server reported as assigned (RFC 4315). `accepted`: subjects of the
    mails that the server accepted.
    """

    first_uid: int = 1
    next_uid: int = 1
    uid_validity: int = 0
    present: dict[int, str] = field(default_factory=dict)
    removed: set[int] = field(default_factory=set)
    briefly_present: set[int] = field(default_factory=set)
    assigned: set[int] = field(default_factory=set)
    accepted: set[str] = field(default_factory=set)
    is_over: bool = False
    messages: int = 0
    unread: int = 0

    @property
    def expected(self) -> set[int]:
        """Return the UIDs that have to fire."""
        return self.removed if self.is_over else self.present.keys() | self.removed

    @property
    def allowed(self) -> set[int]:
        """Return the UIDs that may fire."""
        return self.present.keys() | self.removed | self.briefly_present

    def violations(self, fired: Sequence[Mail]) -> Iterator[str]:
        """Yield the differences between this ledger and the mail that fired, and gaps in the ledger."""
        uids = [mail.uid for mail in fired]
        often = {uid for uid, times in Counter(uids).items() if times > 1}
        subjects = {mail.subject for mail in fired}
        strange = {
            mail.uid
            for mail in fired
            if self.present.get(mail.uid, mail.subject) != mail.subject
        }
        uid_range = set(range(self.first_uid, self.next_uid))
        yield from _listed("missing", self.expected - set(uids))
        yield from _listed("repeated", often)
        yield from _listed("never assigned", set(uids) - self.allowed)
        yield from _listed("out of order", {b for a, b in pairwise(uids) if a > b})
        yield from _listed("not what the server holds", strange)
        if not self.is_over:
            yield from _listed("accepted and not fired", self.accepted - subjects)
        # A ledger with gaps proves nothing.
        yield from _listed("unaccounted", (uid_range | self.assigned) - self.allowed)


def violations(ledgers: Sequence[Ledger], fired: Sequence[Mail]) -> Iterator[str]:
    """Yield the violations of a folder; it had one ledger after the other."""
    order = [ledger.uid_validity for ledger in ledgers]
    validities = [mail.uid_validity for mail in fired]
    yield from _listed("never a UIDVALIDITY", set(validities) - set(order))
    known = [order.index(number) for number in validities if number in order]
    if known != sorted(known):
        yield "out of order: mail of the old folder after that of the new one"
    for ledger in ledgers:
        same = [mail for mail in fired if mail.uid_validity == ledger.uid_validity]
        yield from ledger.violations(same)


def _listed[T: (int, str)](what: str, which: set[T]) -> Iterator[str]:
    """Yield a line that lists the items, if there are any."""
    if which:
        first = ", ".join(map(str, sorted(which)[:MAX_LISTED]))
        more = f" and {len(which) - MAX_LISTED} more" if len(which) > MAX_LISTED else ""
        yield f"{what}: {first}{more}"
