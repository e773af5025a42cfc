"""Diagnostics can be shown in public."""

from datetime import UTC, datetime
import json

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.diagnostics import async_get_config_entry_diagnostics
from custom_components.imap_push.imap import (
    AccountState,
    Attachment,
    FolderState,
    LoginRefused,
    Mark,
)
from homeassistant.components.diagnostics import REDACTED
from homeassistant.core import HomeAssistant

from . import HOST, PASSWORD, USERNAME, make_mail, make_state
from .conftest import FakeWatcher

PRIVATE = (
    USERNAME,
    PASSWORD,
    HOST,
    "shop@example.org",
    "The Shop",
    "Your order",
    "invoice.pdf",
    "<1@example.org>",
    "friend@example.org",
)

_MAIL = make_mail(
    to=(USERNAME, "friend@example.org"),
    cc=("friend@example.org",),
    message_id="<1@example.org>",
    date=datetime(2026, 11, 3, tzinfo=UTC),
    size=4096,
    attachments=(
        Attachment(
            part="2", filename="invoice.pdf", content_type="application/pdf", size=9
        ),
    ),
)


@pytest.mark.parametrize(
    ("state", "error", "last_mail"),
    [
        pytest.param(
            make_state(
                {"INBOX": FolderState(available=True, unread=2, last_mail=_MAIL)}
            ),
            None,
            {
                "uid": 7,
                "uid_validity": 3,
                "date": "2026-11-03T00:00:00+00:00",
                "received": "2026-11-03T12:30:00+00:00",
                "size": 4096,
                "attachments": 1,
                "bulk": False,
                "truncated": False,
            },
            id="connected",
        ),
        pytest.param(
            make_state(
                {"INBOX": FolderState()},
                connected=False,
                error=LoginRefused(f"{USERNAME} at {HOST}"),
            ),
            "LoginRefused",
            None,
            id="not connected",
        ),
    ],
)
async def test_diagnostics_tell_the_state_and_nothing_private(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    state: AccountState,
    error: str | None,
    last_mail: dict[str, object] | None,
) -> None:
    """Neither who the user is nor who wrote what is in it."""
    watcher.listener.state_changed(state)
    watcher.listener.mark_moved("INBOX", Mark(3, 8))
    diagnostics = await async_get_config_entry_diagnostics(hass, entry)
    text = json.dumps(diagnostics)
    assert not [private for private in PRIVATE if private in text]
    assert diagnostics == {
        "data": {
            "host": REDACTED,
            "password": REDACTED,
            "port": 993,
            "security": "tls",
            "username": REDACTED,
            "verify_ssl": True,
        },
        "options": {},
        "connected": state.connected,
        "push_mode": "idle",
        "connections": state.connections,
        "pipelining": True,
        "error": error,
        "capabilities": ["IDLE", "IMAP4REV1"],
        "folders": {
            "INBOX": {
                "available": state.connected,
                "missing": False,
                "push_mode": state.folders["INBOX"].push_mode.value,
                "push_is_silent": False,
                "unread": state.folders["INBOX"].unread,
                "last_mail": last_mail,
            }
        },
        "marks": {"INBOX": {"uid_validity": 3, "next_uid": 8}},
    }
