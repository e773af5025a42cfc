"""The oracle itself: it finds each kind of violation, and none in a correct run."""

from dataclasses import replace

import pytest

from custom_components.imap_push.imap import Mail

from .oracle import Ledger, violations


def mail(uid: int, subject: str | None = None, uid_validity: int = 7) -> Mail:
    """Return a mail whose subject is its UID."""
    return Mail(
        folder="INBOX",
        uid_validity=uid_validity,
        uid=uid,
        subject=subject or str(uid),
    )


def ledger() -> Ledger:
    """Return a ledger of UIDs 5 to 9: 6 was removed after it fired, 7 immediately."""
    return Ledger(
        first_uid=5,
        next_uid=10,
        uid_validity=7,
        present={5: "5", 8: "8", 9: "9"},
        removed={6},
        briefly_present={7},
        assigned={5, 7, 9},
        accepted={"5", "9"},
    )


@pytest.mark.parametrize(
    ("fired", "found"),
    [
        ([5, 6, 7, 8, 9], []),
        ([5, 6, 8, 9], []),
        ([5, 6, 9], ["missing: 8"]),
        ([6, 8, 9], ["missing: 5", "accepted and not fired: 5"]),
        ([5, 6, 6, 8, 9], ["repeated: 6"]),
        ([5, 6, 7, 8, 7, 9], ["repeated: 7", "out of order: 7"]),
        ([5, 8, 6, 9], ["out of order: 6"]),
        ([4, 5, 6, 8, 9], ["never assigned: 4"]),
    ],
    ids=str,
)
def test_what_fired(fired: list[int], found: list[str]) -> None:
    """Each UID fires one time, in order; only a mail that was removed immediately may be missing."""
    assert list(ledger().violations([mail(uid) for uid in fired])) == found


def test_mail_that_is_another_one() -> None:
    """A mail that fires has the subject of the server's mail with this UID."""
    fired = [mail(5), mail(6), mail(8, "another's"), mail(9)]
    assert list(ledger().violations(fired)) == ["not what the server holds: 8"]


OLD, NEW = 7, 8


@pytest.mark.parametrize(
    ("fired", "found"),
    [
        ([(OLD, 6), (NEW, 1), (NEW, 2)], []),
        ([(OLD, 5), (OLD, 6), (OLD, 9), (NEW, 1), (NEW, 2)], []),
        ([(OLD, 5), (NEW, 1), (NEW, 2)], ["missing: 6"]),
        (
            [(OLD, 6), (NEW, 1), (OLD, 8), (NEW, 2)],
            ["out of order: mail of the old folder after that of the new one"],
        ),
        ([(OLD, 6), (OLD, 6), (NEW, 1), (NEW, 2)], ["repeated: 6"]),
        ([(OLD, 4), (OLD, 6), (NEW, 1), (NEW, 2)], ["never assigned: 4"]),
        ([(OLD, 6), (NEW, 2)], ["missing: 1", "accepted and not fired: 1"]),
        ([(OLD, 6), (9, 1), (NEW, 1), (NEW, 2)], ["never a UIDVALIDITY: 9"]),
    ],
    ids=str,
)
def test_folder_that_was_created_again(
    fired: list[tuple[int, int]], found: list[str]
) -> None:
    """What was in the old folder may be missing, and all mail of the new one has to fire."""
    old = replace(ledger(), is_over=True)
    present = {1: "1", 2: "2"}
    new = Ledger(1, 3, NEW, present, assigned={1, 2}, accepted={"1"})
    mails = [mail(uid, uid_validity=validity) for validity, uid in fired]
    assert list(violations([old, new], mails)) == found


def test_ledger_with_gaps() -> None:
    """A UID that is in no set of the ledger is a violation."""
    gap = ledger()
    gap.next_uid = 11
    fired = [mail(uid) for uid in (5, 6, 8, 9)]
    assert list(gap.violations(fired)) == ["unaccounted: 10"]
