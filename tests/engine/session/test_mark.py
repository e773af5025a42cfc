"""The mark of a folder finds new messages after UIDVALIDITY changed."""

from datetime import UTC, datetime, timedelta

import pytest

from custom_components.imap_push.imap import Mail, Mark
from custom_components.imap_push.imap.session.mark import REMEMBERED, digest

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


def mail(minute: int, name: str | None = "a", uid: int = 7) -> Mail:
    """Return a message received `minute` minutes after NOON, with a Message-ID from `name`."""
    return Mail(
        folder="INBOX",
        uid_validity=1,
        uid=uid,
        message_id=name and f"<{name}@x>",
        received=NOON + timedelta(minutes=minute),
    )


def test_mark_after_a_delivery() -> None:
    """The mark is at the next UID and knows the delivered message."""
    mark = Mark(1, 5).after_delivery(mail(0, uid=7))
    assert (mark.uid_validity, mark.next_uid, mark.last_received) == (1, 8, NOON)
    assert mark.is_known(mail(0))


@pytest.mark.parametrize(
    ("candidate", "known"),
    [
        (mail(-1, "new"), True),
        (mail(0, "new"), False),
        (mail(0, "a"), True),
        (mail(5, "new"), False),
        (mail(5, "a"), True),
        (mail(5, None), False),
    ],
    ids=[
        "older",
        "same second",
        "the same mail",
        "later",
        "copied later",
        "without an id",
    ],
)
def test_known_messages(candidate: Mail, known: bool) -> None:
    """A message is new if it is not older than the last delivered one and has another digest."""
    assert Mark(1, 5).after_delivery(mail(0)).is_known(candidate) is known


def test_message_is_known_if_a_date_is_missing() -> None:
    """If dates cannot be compared, no message counts as new: there could be thousands."""
    assert Mark(1, 5).is_known(mail(0))
    undated = Mail(folder="INBOX", uid_validity=1, uid=1)
    assert Mark(1, 5).after_delivery(mail(0)).is_known(undated)
    assert Mark(1, 5).with_date(undated).last_received is None


def test_number_of_digests_is_limited() -> None:
    """The digests of the last messages are kept, and the oldest ones are dropped."""
    mark = Mark(1, 1)
    for number in range(REMEMBERED + 10):
        mark = mark.after_delivery(mail(0, str(number)))
    assert len(mark.remembered) == REMEMBERED
    assert digest(mail(0, "9")) not in mark.remembered
    assert digest(mail(0, "10")) in mark.remembered


def test_date_in_the_future() -> None:
    """The current time replaces a date in the future."""
    future = Mail(
        folder="INBOX", uid_validity=1, uid=1, received=datetime(2999, 1, 1, tzinfo=UTC)
    )
    mark = Mark(1, 5).with_date(future)
    assert mark.last_received is not None
    assert mark.last_received <= datetime.now(UTC)
