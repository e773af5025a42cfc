"""Diagnostics help to find a bug, and contain no personal data."""

from datetime import UTC, datetime
import json
from types import MappingProxyType
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.const import (
    CONF_FILTER,
    CONF_FOLDER,
    CONF_FOLDERS,
    CONF_LINKS,
    CONF_NOTIFY,
    CONF_RAW,
    CONF_READ_ONLY,
    CONF_SENDER,
    CONF_TEXT_SIZE,
    SUBENTRY_TYPE_FOLDER,
    SUBENTRY_TYPE_SEARCH,
)
from custom_components.imap_push.diagnostics import (
    async_get_config_entry_diagnostics,
    async_get_device_diagnostics,
)
from custom_components.imap_push.imap import (
    AccountState,
    Attachment,
    CertificateError,
    CertificateProblem,
    CommandRefused,
    FolderNotFound,
    FolderState,
    ImapError,
    LoginRefused,
    Mark,
    PushMode,
)
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr

from .. import ENTRY_DATA, make_arrival, make_mail, make_state
from ..conftest import FakeWatcher

# Part of every text of user, server and sender.
SECRET = "zebra"

SECRET_MAIL = make_mail(
    folder=f"Folder {SECRET}",
    sender=f"{SECRET}@example.org",
    sender_name=SECRET,
    subject=SECRET,
    to=(f"{SECRET}@example.com",),
    cc=(f"{SECRET}@example.com",),
    reply_to=(f"{SECRET}@example.com",),
    message_id=f"<{SECRET}@example.org>",
    text=SECRET,
    flags=(SECRET,),
    attachments=(
        Attachment(part="2", filename=SECRET, content_type=f"text/{SECRET}", size=9),
    ),
)


@pytest.fixture
def secret_entry(hass: HomeAssistant, entry: MockConfigEntry) -> MockConfigEntry:
    """Put the secret into all texts of the user."""
    hass.config_entries.async_update_entry(
        entry,
        title=SECRET,
        data=ENTRY_DATA
        | {
            "username": f"{SECRET}@{SECRET}.example",
            "password": SECRET,
            "host": f"imap.{SECRET}.example",
            "auth_implementation": SECRET,
            "oauth_endpoints": {"scope": SECRET},
            "oauth_provider": SECRET,
            "token": {
                "access_token": SECRET,
                "refresh_token": SECRET,
                "expires_in": 3600,
                "expires_at": 9e9,
            },
        },
        options={"catch_up": SECRET, "poll_interval": SECRET, CONF_READ_ONLY: SECRET},
    )
    subentries: tuple[tuple[str, dict[str, Any]], ...] = (
        (
            SUBENTRY_TYPE_FOLDER,
            {CONF_FOLDER: f"Folder {SECRET}", CONF_FILTER: {CONF_SENDER: [SECRET]}},
        ),
        (SUBENTRY_TYPE_SEARCH, {CONF_FOLDERS: [SECRET], CONF_RAW: SECRET}),
    )
    for kind, data in subentries:
        hass.config_entries.async_add_subentry(
            entry,
            ConfigSubentry(
                data=MappingProxyType(data),
                subentry_type=kind,
                title=SECRET,
                unique_id=SECRET + kind,
            ),
        )
    return entry


@pytest.mark.parametrize(
    "error",
    [
        ImapError(SECRET),
        LoginRefused(SECRET),
        FolderNotFound(SECRET),
        CommandRefused("LOGIN", "NO", SECRET.upper(), SECRET),
        CertificateError(CertificateProblem.UNTRUSTED, SECRET),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_diagnostics_contain_no_text_of_user_server_or_sender(
    hass: HomeAssistant,
    secret_entry: MockConfigEntry,
    watcher: FakeWatcher,
    error: ImapError,
) -> None:
    """Each of these texts contains the secret."""
    folder = f"Folder {SECRET}"
    state = FolderState(available=True, push_mode=PushMode.IDLE, last_mail=SECRET_MAIL)
    watcher.listener.state_changed(
        make_state(
            {folder: state}, capabilities=frozenset({f"X-{SECRET}", f"{SECRET}@X"})
        )
    )
    watcher.listener.mark_moved(folder, Mark(3, 8))
    watcher.listener.alerted(SECRET)
    for state in (FolderState(missing=True), FolderState(error=error)):
        watcher.listener.state_changed(
            AccountState(folders={folder: state}, error=error)
        )
    for diagnostics in (
        await async_get_config_entry_diagnostics(hass, secret_entry),
        *[
            await async_get_device_diagnostics(hass, secret_entry, device)
            for device in dr.async_entries_for_config_entry(
                dr.async_get(hass), secret_entry.entry_id
            )
        ],
    ):
        text = json.dumps(diagnostics).casefold()
        assert SECRET not in text
        assert type(error).__name__.casefold() in text


async def test_fields_of_the_diagnostics(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher
) -> None:
    """Capabilities, state, statistics and history."""
    hass.config_entries.async_update_entry(entry, options={CONF_NOTIFY: False})
    await hass.async_block_till_done()
    coordinator = entry.runtime_data
    mail = make_mail(date=datetime(2026, 11, 3, tzinfo=UTC), size=4096)
    coordinator.state_changed(
        make_state(
            {
                "INBOX": FolderState(
                    available=True,
                    push_mode=PushMode.IDLE,
                    unread=2,
                    messages=9,
                    changes=4,
                    last_mail=mail,
                )
            },
            connections=1,
            capabilities=frozenset({"IMAP4REV1", "IDLE", "NOTIFY"}),
        )
    )
    coordinator.mark_moved("INBOX", Mark(3, 8))
    await coordinator.mail_arrived(make_arrival())
    statistics = coordinator.statistics
    statistics.mails, statistics.sessions = 5, 2
    statistics.losses["ConnectionLost"] += 1
    for seconds in (0.5, 0.25):
        statistics.syncs.add(seconds)
    diagnostics = await async_get_config_entry_diagnostics(hass, entry)
    assert diagnostics.pop("statistics") == {
        "mails": 5,
        "sessions": 2,
        "losses": {"ConnectionLost": 1},
        "syncs": {"count": 2, "last": 0.25, "mean": 0.375, "max": 0.5},
    }
    history = diagnostics.pop("history")
    assert history["mails"] == {"idle": 1}
    assert history["changes"][-1]["folders"] == ["idle"]
    assert json.loads(json.dumps(diagnostics)) == {
        "account": {
            "port": 993,
            "security": "tls",
            "verify_ssl": True,
            "oauth_provider": None,
        },
        "options": {
            "access": "none",
            "assistant": False,
            "catch_up": "all",
            "notify": False,
            "poll_interval": 60,
            "push": True,
            "read_only": False,
            "record_mail": False,
        },
        "quirks": {"idle_is_deaf": False, "idle_refresh": 285, "wants_id": False},
        "connected": True,
        "connections": 1,
        "push_mode": "idle",
        "error": None,
        "capabilities": ["IDLE", "IMAP4REV1", "NOTIFY"],
        "unknown_capabilities": 0,
        "searches": 0,
        "folders": {
            "1": {
                "available": True,
                "missing": False,
                "error": None,
                "push_mode": "idle: NOTIFY option off",
                "push_is_silent": False,
                "messages": 9,
                "unread": 2,
                "changes": 4,
                "text_size": 0,
                "links": False,
                "filter": [],
                "mark": {"uid_validity": 3, "next_uid": 8},
                "last_mail": {
                    "uid": 7,
                    "uid_validity": 3,
                    "date": "2026-11-03T00:00:00+00:00",
                    "received": "2026-11-03T12:30:00+00:00",
                    "size": 4096,
                    "attachments": 0,
                    "bulk": False,
                    "truncated": False,
                },
            }
        },
    }


async def test_diagnostics_before_the_first_connection(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher
) -> None:
    """Folders are numbered, too."""
    diagnostics = await async_get_config_entry_diagnostics(hass, entry)
    assert diagnostics["folders"]["1"]["push_mode"] == "off: not connected"
    assert diagnostics["folders"]["1"]["mark"] is None


@pytest.mark.parametrize(
    ("offered", "shown", "unknown"),
    [
        pytest.param({"IDLE", "IMAP4REV1"}, ["IDLE", "IMAP4REV1"], 0, id="registered"),
        pytest.param({"X-GM-EXT-1", "XLIST"}, ["X-GM-EXT-1", "XLIST"], 0, id="vendors"),
        pytest.param({"HUSH-2X7Q9", "JANE"}, [], 2, id="a password and a login name"),
        pytest.param({"X-USER=JANE", "AUTH=JANE"}, [], 2, id="as a value"),
        pytest.param({"APPENDLIMIT=4711"}, ["APPENDLIMIT"], 0, id="a size"),
        pytest.param({"RIGHTS=HUSH"}, ["RIGHTS"], 0, id="a value of a known name"),
        pytest.param({"IDLE=JANE", "IDLEJANE"}, [], 2, id="added to a known name"),
        pytest.param({"AUTH=SCRAM-SHA-256"}, ["AUTH=SCRAM-SHA-256"], 0, id="mechanism"),
        pytest.param({f"X{n}" for n in range(9999)}, [], 9999, id="thousands"),
    ],
)
async def test_only_well_known_capabilities_are_shown(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    offered: set[str],
    shown: list[str],
    unknown: int,
) -> None:
    """A server can list anything; unknown capabilities are only counted."""
    watcher.listener.state_changed(make_state(capabilities=frozenset(offered)))
    diagnostics = await async_get_config_entry_diagnostics(hass, entry)
    assert diagnostics["capabilities"] == shown
    assert diagnostics["unknown_capabilities"] == unknown


async def test_device_diagnostics_have_the_number_of_the_folder(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watchers: list[FakeWatcher],
    device_registry: dr.DeviceRegistry,
) -> None:
    """Folders have no names in diagnostics."""
    hass.config_entries.async_add_subentry(
        entry,
        ConfigSubentry(
            data=MappingProxyType(
                {CONF_FOLDER: "Work", CONF_TEXT_SIZE: 500, CONF_LINKS: True}
            ),
            subentry_type=SUBENTRY_TYPE_FOLDER,
            subentry_id="01WORK",
            title="Work",
            unique_id="Work",
        ),
    )
    await hass.config_entries.async_setup(entry.entry_id)
    numbers = {}
    for device in dr.async_entries_for_config_entry(device_registry, entry.entry_id):
        diagnostics = await async_get_device_diagnostics(hass, entry, device)
        number = diagnostics["folder_of_this_device"]
        numbers[device.config_subentry_id] = number
        folder = diagnostics["folders"]["2"]
        assert (folder["text_size"], folder["links"]) == (500, True)
    assert numbers == {None: None, "01INBOX": "1", "01WORK": "2"}
