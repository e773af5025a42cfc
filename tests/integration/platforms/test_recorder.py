"""What is written to disk: a real recorder database, and the files in .storage."""

from collections.abc import Callable
import json
from pathlib import Path
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)
from sqlalchemy.engine import make_url

from custom_components.imap_push.const import DOMAIN, EVENT_NEW_MAIL
from custom_components.imap_push.imap import AccountState, Attachment, FolderState, Mail
from homeassistant.components.trace.const import DATA_TRACE
from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.core import HomeAssistant
from homeassistant.helpers.json import ExtendedJSONEncoder, json_dumps
from homeassistant.helpers.recorder import DATA_INSTANCE
from homeassistant.helpers.restore_state import async_get
from homeassistant.setup import async_setup_component

from .. import make_arrival
from ..automations import make_entry
from ..conftest import FakeWatcher

MAILS = 20
FIELDS = {
    "sender": "eve@sender.example",
    "sender_name": "Mallory Sender",
    "subject": "Your reset code",
    "to": ("bob@recipient.example",),
    "cc": ("copy@recipient.example",),
    "reply_to": ("reply@sender.example",),
    "text": "The text of the mail",
    "message_id": "<unique@sender.example>",
}
FILENAME = "quarterly-invoice.pdf"
# Fields of the mail that must not be found.
CONTENT = (
    "sender.example",
    "Mallory",
    "reset code",
    "recipient.example",
    "The text of the mail",
    "quarterly-invoice",
)

RECORDING = {"record_mail": True}
NOT_RECORDING = {"record_mail": False}

pytestmark = pytest.mark.parametrize(
    "persistent_database", [True], ids=["database on disk"]
)


@pytest.fixture
def hass(recorder_mock: Any, hass: HomeAssistant) -> HomeAssistant:
    """Return Home Assistant with a recorder that is set up before the integration."""
    return hass


async def _set_up(
    hass: HomeAssistant, *accounts: dict[str, bool], stored_traces: int = 5
) -> list[Any]:
    """Set up an automation and an account with each of these options; return the entries."""
    entries = [make_entry(f"account {n}", "INBOX") for n in range(len(accounts))]
    for entry, options in zip(entries, accounts, strict=True):
        entry.add_to_hass(hass)
        hass.config_entries.async_update_entry(entry, options=options)
    assert await async_setup_component(hass, DOMAIN, {})
    automation = {
        "id": "on_mail",
        "alias": "On mail",
        "triggers": {
            "trigger": "imap_push.new_mail",
            "target": {"entity_id": "event.account_0_inbox_new_mail"},
        },
        "actions": {"event": "noticed"},
        "trace": {"stored_traces": stored_traces},
    }
    assert await async_setup_component(hass, "automation", {"automation": automation})
    await hass.async_block_till_done()
    return entries


async def _deliver(hass: HomeAssistant, watcher: FakeWatcher) -> None:
    """Deliver 20 mails, and let the automation run for each."""
    for uid in range(1, MAILS + 1):
        mail = make_mail_with_everything(uid)
        await watcher.listener.mail_arrived(make_arrival(uid, **FIELDS | mail))
        last = make_arrival(uid, **FIELDS | mail).mail
        watcher.listener.state_changed(_connected(last))
        await hass.async_block_till_done()


def make_mail_with_everything(uid: int) -> dict[str, Any]:
    """Return the fields that differ for each mail."""
    return {
        "subject": f"{FIELDS['subject']} {uid}",
        "attachments": (
            Attachment(
                part="2", filename=FILENAME, content_type="application/pdf", size=9
            ),
        ),
    }


def _connected(mail: Mail) -> AccountState:
    folder = FolderState(available=True, messages=1, unread=1, last_mail=mail)
    return AccountState(connected=True, folders={"INBOX": folder})


async def _database(hass: HomeAssistant) -> str:
    """Return the bytes of the database and its journals as text."""
    await async_wait_recording_done(hass)
    path = make_url(hass.data[DATA_INSTANCE].db_url).database
    assert path is not None
    files = list(Path(path).parent.glob(f"{Path(path).name}*"))
    return "".join(file.read_bytes().decode(errors="replace") for file in files)


def _found(text: str) -> set[str]:
    return {content for content in CONTENT if content in text}


async def test_database_holds_nothing_of_mail_by_default(
    hass: HomeAssistant, watchers: list[FakeWatcher]
) -> None:
    """It contains only the times of 20 mails, each of which also ran an automation."""
    await _set_up(hass, {})
    await _deliver(hass, watchers[0])
    database = await _database(hass)
    assert _found(database) == set()
    assert "event.account_0_inbox_new_mail" in database
    assert "automation_triggered" in database


async def test_database_holds_the_mail_with_the_option(
    hass: HomeAssistant, watchers: list[FakeWatcher]
) -> None:
    """The same search finds all fields: the bus event is stored."""
    await _set_up(hass, RECORDING)
    await _deliver(hass, watchers[0])
    assert _found(await _database(hass)) == set(CONTENT)


async def _disable(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await hass.config_entries.async_set_disabled_by(
        entry.entry_id, ConfigEntryDisabler.USER
    )


async def _remove(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await hass.config_entries.async_remove(entry.entry_id)


async def _switch_off(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    hass.config_entries.async_update_entry(entry, options=NOT_RECORDING)


@pytest.mark.parametrize(
    "change", [_switch_off, _disable, _remove], ids=["off", "disabled", "removed"]
)
async def test_event_is_stored_while_one_account_has_the_option(
    hass: HomeAssistant,
    watchers: list[FakeWatcher],
    change: Callable[..., Any],
) -> None:
    """One account with the option is enough; without any, nothing is stored again."""
    _, recording = await _set_up(hass, NOT_RECORDING, RECORDING)
    hass.bus.async_fire(EVENT_NEW_MAIL, {"subject": "with it"})
    await change(hass, recording)
    await hass.async_block_till_done()
    hass.bus.async_fire(EVENT_NEW_MAIL, {"subject": "without it"})
    database = await _database(hass)
    assert "with it" in database
    assert "without it" not in database


@pytest.mark.parametrize(
    "recorder_config", [{"exclude": {"event_types": [EVENT_NEW_MAIL]}}], ids=["YAML"]
)
async def test_event_excluded_in_yaml_stays_excluded(
    hass: HomeAssistant, watchers: list[FakeWatcher]
) -> None:
    """The option of an account does not override the configuration."""
    await _set_up(hass, RECORDING, NOT_RECORDING)
    hass.bus.async_fire(EVENT_NEW_MAIL, {"subject": "excluded"})
    assert "excluded" not in await _database(hass)


async def test_recorder_without_exclusions_causes_a_warning(
    hass: HomeAssistant,
    watchers: list[FakeWatcher],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Home Assistant may change its recorder."""
    monkeypatch.delattr(hass.data[DATA_INSTANCE], "exclude_event_types")
    await _set_up(hass, NOT_RECORDING)
    assert DOMAIN in hass.config.components
    assert "The recorder stores the event new_mail" in caplog.text


async def test_only_the_event_entity_is_restored_with_mail(
    hass: HomeAssistant, watchers: list[FakeWatcher]
) -> None:
    """The content of .storage/core.restore_state is as documented."""
    await _set_up(hass, NOT_RECORDING)
    await _deliver(hass, watchers[0])
    stored = async_get(hass).async_get_stored_states()
    assert stored
    assert {
        state.state.domain for state in stored if _found(json_dumps(state.as_dict()))
    } <= {"event"}


@pytest.mark.parametrize(
    ("stored_traces", "found"),
    [(5, set(CONTENT)), (0, set())],
    ids=["by default", "switched off"],
)
async def test_traces_contain_the_mail_unless_disabled(
    hass: HomeAssistant,
    watchers: list[FakeWatcher],
    stored_traces: int,
    found: set[str],
) -> None:
    """The content of .storage/trace.saved_traces is as documented."""
    await _set_up(hass, NOT_RECORDING, stored_traces=stored_traces)
    await _deliver(hass, watchers[0])
    bucket = hass.data[DATA_TRACE]["automation.on_mail"]
    traces = [trace.as_extended_dict() for trace in bucket.all_traces()]
    assert len(traces) == stored_traces
    assert _found(json.dumps(traces, cls=ExtendedJSONEncoder)) == found
