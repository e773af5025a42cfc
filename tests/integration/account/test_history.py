"""The log of an account's connection has what is needed to find a bug, and no private data."""

from datetime import UTC, datetime, timedelta

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.imap_push.account.connection_log import (
    MAX_CHANGES,
    ConnectionLog,
)
from custom_components.imap_push.imap import (
    AccountState,
    Arrival,
    ConnectionLost,
    FolderState,
    PushMode,
    ServerSilent,
    Unavailable,
)

from .. import make_mail, make_state

NOW = datetime(2026, 11, 3, 12, 30, tzinfo=UTC)
LOST = AccountState(error=ConnectionLost("away"))


@pytest.fixture(autouse=True)
def _now(freezer: FrozenDateTimeFactory) -> None:
    """Freeze the time."""
    freezer.move_to(NOW)


def test_only_changes_are_recorded(freezer: FrozenDateTimeFactory) -> None:
    """Another number of mails is not recorded as a change."""
    log = ConnectionLog()
    for unread in range(3):
        folder = FolderState(available=True, push_mode=PushMode.IDLE, unread=unread)
        log.record_state(make_state({"INBOX": folder}))
        freezer.tick()
    log.record_state(LOST)
    assert log.as_dict()["changes"] == [
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
    ("state", "description"),
    [
        pytest.param(FolderState(), "off", id="not connected"),
        pytest.param(FolderState(missing=True), "missing", id="missing"),
        pytest.param(
            FolderState(error=Unavailable("Secret")), "Unavailable", id="refused"
        ),
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
def test_folder_is_recorded_by_its_push_mode(
    state: FolderState, description: str
) -> None:
    """Its name is not recorded."""
    log = ConnectionLog()
    log.record_state(make_state({"Secret": state}))
    assert log.as_dict()["changes"][0]["folders"] == [description]
    assert "Secret" not in str(log.as_dict())


def test_reconnects_and_their_reasons_are_counted() -> None:
    """The first connection is no reconnect; an error counts each time it occurs."""
    log = ConnectionLog()
    for _ in range(3):
        log.record_state(LOST)
        log.record_state(LOST)
        log.record_state(make_state())
    log.record_state(AccountState(error=ServerSilent("…")))
    diagnostics = log.as_dict()
    assert diagnostics["reconnects"] == 2
    assert diagnostics["reasons"] == {"ConnectionLost": 3, "ServerSilent": 1}


def test_number_of_recorded_changes_is_bounded() -> None:
    """Counters still count all of them."""
    log = ConnectionLog()
    for _ in range(MAX_CHANGES):
        log.record_state(make_state())
        log.record_state(LOST)
    assert len(log.changes) == MAX_CHANGES
    assert log.as_dict()["reconnects"] == MAX_CHANGES - 1


def test_mails_are_counted_by_push_mode() -> None:
    """Latencies do not include mail of the catch-up."""
    log = ConnectionLog()
    for push, seconds, catch_up in (
        (PushMode.IDLE, 1.0, False),
        (PushMode.IDLE, 4.0, False),
        (PushMode.POLL, 1.3333, False),
        (PushMode.IDLE, 9999.0, True),
    ):
        mail = make_mail(received=NOW - timedelta(seconds=seconds))
        log.record_mail(Arrival(mail=mail, push=push, catch_up=catch_up))
    log.record_mail(
        Arrival(mail=make_mail(received=None), push=PushMode.IDLE, catch_up=False)
    )
    diagnostics = log.as_dict()
    assert diagnostics["mails"] == {"idle": 3, "poll": 1, "catch_up": 1}
    assert diagnostics["latencies_in_seconds"] == {
        "count": 3,
        "last": 1.333,
        "mean": 2.111,
        "max": 4.0,
    }


def test_empty_log_has_all_keys() -> None:
    """All keys are present."""
    assert ConnectionLog().as_dict() == {
        "reconnects": 0,
        "reasons": {},
        "mails": {},
        "latencies_in_seconds": {"count": 0, "last": None, "mean": None, "max": None},
        "changes": [],
    }
