"""The oracle: every UID that a folder ever assigned, against what fired."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from custom_components.imap_push.imap import Mail

# Of each kind of violation so many UIDs are told.
MANY = 10


@dataclass
class Ledger:
    """What became of a watched folder since the start; all are UIDs unless said otherwise.

    `present` is what the server holds at the end, with subjects. `removed` had fired before
    another client took it out, and `snatched` was taken out before anybody could be sure to
    see it. `told` is what the server said it assigned (RFC 4315), and `accepted` the subjects of
    the mails that it said it has.
    """

    first_uid: int = 1
    next_uid: int = 1
    uid_validity: int = 0
    present: dict[int, str] = field(default_factory=dict)
    removed: set[int] = field(default_factory=set)
    snatched: set[int] = field(default_factory=set)
    told: set[int] = field(default_factory=set)
    accepted: set[str] = field(default_factory=set)

    @property
    def wanted(self) -> set[int]:
        """Return what has to fire."""
        return self.present.keys() | self.removed

    def violations(self, fired: Sequence[Mail]) -> Iterator[str]:
        """Say what is wrong with what fired, and with this ledger itself."""
        uids = [mail.uid for mail in fired]
        often = {uid for uid, times in Counter(uids).items() if times > 1}
        subjects = {mail.subject for mail in fired}
        strange = {
            mail.uid
            for mail in fired
            if self.present.get(mail.uid, mail.subject) != mail.subject
            or mail.uid_validity != self.uid_validity
        }
        assigned = set(range(self.first_uid, self.next_uid))
        yield from _those("missing", self.wanted - set(uids))
        yield from _those("repeated", often)
        yield from _those("never assigned", set(uids) - self.wanted - self.snatched)
        yield from _those("out of order", {b for a, b in pairwise(uids) if a > b})
        yield from _those("not what the server holds", strange)
        yield from _those("accepted and not fired", self.accepted - subjects)
        # Who keeps a wrong ledger proves nothing.
        yield from _those(
            "unaccounted", (assigned | self.told) - self.wanted - self.snatched
        )


def _those[T: (int, str)](what: str, which: set[T]) -> Iterator[str]:
    """Say what is wrong with which, if anything is."""
    if which:
        first = ", ".join(map(str, sorted(which)[:MANY]))
        more = f" and {len(which) - MANY} more" if len(which) > MANY else ""
        yield f"{what}: {first}{more}"
