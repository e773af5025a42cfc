"""What a folder's mark knows when UIDs mean nothing any more."""

from datetime import UTC, datetime, timedelta

import pytest

from custom_components.imap_push.imap import Mail, Mark
from custom_components.imap_push.imap.session.mark import REMEMBERED, digest

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


def mail(minute: int, name: str | None = "a", uid: int = 7) -> Mail:
    """Return a mail received that many minutes after noon, with this Message-ID."""
    return Mail(
        folder="INBOX",
        uid_validity=1,
        uid=uid,
        message_id=name and f"<{name}@x>",
        received=NOON + timedelta(minutes=minute),
    )


def test_passing_mail() -> None:
    """See the mark above the mail, and the mail remembered."""
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
def test_what_is_known(candidate: Mail, known: bool) -> None:
    """See what arrived after the last delivered mail told from what is known."""
    assert Mark(1, 5).after_delivery(mail(0)).is_known(candidate) is known


def test_without_memory_everything_is_known() -> None:
    """See no flood where nothing tells what is new."""
    assert Mark(1, 5).is_known(mail(0))
    nowhen = Mail(folder="INBOX", uid_validity=1, uid=1)
    assert Mark(1, 5).after_delivery(mail(0)).is_known(nowhen)
    assert Mark(1, 5).with_date(nowhen).last_received is None


def test_memory_is_bounded() -> None:
    """See the last mails remembered, and the first ones forgotten."""
    mark = Mark(1, 1)
    for number in range(REMEMBERED + 10):
        mark = mark.after_delivery(mail(0, str(number)))
    assert len(mark.remembered) == REMEMBERED
    assert digest(mail(0, "9")) not in mark.remembered
    assert digest(mail(0, "10")) in mark.remembered


def test_mail_from_the_future_hides_nothing() -> None:
    """See a date in the future taken as now."""
    future = Mail(
        folder="INBOX", uid_validity=1, uid=1, received=datetime(2999, 1, 1, tzinfo=UTC)
    )
    mark = Mark(1, 5).with_date(future)
    assert mark.last_received is not None
    assert mark.last_received <= datetime.now(UTC)
