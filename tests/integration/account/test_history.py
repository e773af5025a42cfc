"""What became of an account is remembered, as far as it finds a bug, and no further."""

from datetime import UTC, datetime, timedelta

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.imap_push.account.connection_log import MAX_CHANGES, History
from custom_components.imap_push.imap import (
    AccountState,
    Arrival,
    ConnectionLost,
    FolderState,
    PushMode,
    ServerSilent,
)

from .. import make_mail, make_state

NOW = datetime(2026, 11, 3, 12, 30, tzinfo=UTC)
LOST = AccountState(error=ConnectionLost("away"))


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    """Begin at a known time."""
    freezer.move_to(NOW)


def test_only_changes_are_kept(freezer: FrozenDateTimeFactory) -> None:
    """A mail more or less is none."""
    history = History()
    for unread in range(3):
        folder = FolderState(available=True, push_mode=PushMode.IDLE, unread=unread)
        history.state_changed(make_state({"INBOX": folder}))
        freezer.tick()
    history.state_changed(LOST)
    assert history.as_dict()["changes"] == [
        {
            "at": "2026-11-03T12:30:00+00:00",
            "connected": True,
            "push_mode": "idle",
            "error": None,
            "folders": ["idle"],
        },
        {
            "at": "2026-11-03T12:30:03+00:00",
            "connected": False,
            "push_mode": "off",
            "error": "ConnectionLost",
            "folders": [],
        },
    ]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        pytest.param(FolderState(), "off", id="not connected"),
        pytest.param(FolderState(missing=True), "missing", id="missing"),
        pytest.param(
            FolderState(available=True, push_mode=PushMode.NOTIFY), "notify", id="push"
        ),
        pytest.param(
            FolderState(available=True, push_mode=PushMode.POLL, push_is_silent=True),
            "poll, push is silent",
            id="silent",
        ),
    ],
)
def test_a_folder_is_told_in_a_word(state: FolderState, words: str) -> None:
    """And never by its name."""
    history = History()
    history.state_changed(make_state({"Secret": state}))
    assert history.as_dict()["changes"][0]["folders"] == [words]
    assert "Secret" not in str(history.as_dict())


def test_reconnects_and_their_reasons_are_counted() -> None:
    """The first connection is none; a reason counts each time that it comes up."""
    history = History()
    for _ in range(3):
        history.state_changed(LOST)
        history.state_changed(LOST)
        history.state_changed(make_state())
    history.state_changed(AccountState(error=ServerSilent("…")))
    told = history.as_dict()
    assert told["reconnects"] == 2
    assert told["reasons"] == {"ConnectionLost": 3, "ServerSilent": 1}


def test_no_more_than_the_last_changes_are_kept() -> None:
    """Counters go on."""
    history = History()
    for _ in range(MAX_CHANGES):
        history.state_changed(make_state())
        history.state_changed(LOST)
    assert len(history.changes) == MAX_CHANGES
    assert history.as_dict()["reconnects"] == MAX_CHANGES - 1


def test_mails_are_counted_by_the_way_they_came() -> None:
    """How long they took is told of those that came while we watched."""
    history = History()
    for push, seconds, catch_up in (
        (PushMode.IDLE, 1.0, False),
        (PushMode.IDLE, 4.0, False),
        (PushMode.POLL, 1.3333, False),
        (PushMode.IDLE, 9999.0, True),
    ):
        mail = make_mail(received=NOW - timedelta(seconds=seconds))
        history.mail_arrived(Arrival(mail=mail, push=push, catch_up=catch_up))
    history.mail_arrived(
        Arrival(mail=make_mail(received=None), push=PushMode.IDLE, catch_up=False)
    )
    told = history.as_dict()
    assert told["mails"] == {"idle": 3, "poll": 1, "catch_up": 1}
    assert told["latencies_in_seconds"] == {
        "count": 3,
        "last": 1.333,
        "mean": 2.111,
        "max": 4.0,
    }


def test_nothing_happened_yet() -> None:
    """Everything is there, and empty."""
    assert History().as_dict() == {
        "reconnects": 0,
        "reasons": {},
        "mails": {},
        "latencies_in_seconds": {"count": 0, "last": None, "mean": None, "max": None},
        "changes": [],
    }
