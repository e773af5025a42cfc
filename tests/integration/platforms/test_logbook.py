"""Logbook entries of new mail."""

from dataclasses import replace
from datetime import timedelta
import logging
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)
from pytest_homeassistant_custom_component.typing import (
    MockHAClientWebSocket,
    WebSocketGenerator,
)

from custom_components.imap_push.const import CONF_RECORD_MAIL, DOMAIN, EVENT_NEW_MAIL
from custom_components.imap_push.imap import AccountState, FolderState
from homeassistant.components.recorder import Recorder
from homeassistant.core import HomeAssistant
from homeassistant.helpers import (
    device_registry as dr,
    entity_registry as er,
    translation,
)
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util

from .. import NEW_MAIL, READABLE, make_arrival
from ..automations import automate
from ..conftest import FakeWatcher


@pytest.fixture
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Disable the logging of every database statement."""
    caplog.set_level(logging.WARNING, "sqlalchemy.engine")


@pytest.fixture(autouse=True)
def _custom_integrations(
    _quiet: None, recorder_mock: Recorder, enable_custom_integrations: None
) -> None:
    """Replace the fixture of the same name: the recorder has to be set up first."""


@pytest.fixture
def entry(entry: MockConfigEntry, hass: HomeAssistant) -> MockConfigEntry:
    """Turn on the option to record sender and subject, which the logbook reads."""
    options = {**entry.options, CONF_RECORD_MAIL: True}
    hass.config_entries.async_update_entry(entry, options=options)
    return entry


@pytest.fixture
async def client(
    hass: HomeAssistant, watcher: FakeWatcher, hass_ws_client: WebSocketGenerator
) -> MockHAClientWebSocket:
    """Set up the logbook; return a WebSocket client.

    The package of the frontend (50 MB) is not needed for logbook entries, and a fresh
    test environment does not have it.
    """
    hass.config.components.add("frontend")
    assert await async_setup_component(hass, "logbook", {})
    return await hass_ws_client(hass)


async def _entries(
    hass: HomeAssistant, client: MockHAClientWebSocket, **selection: list[str]
) -> list[dict[str, Any]]:
    """Return the logbook entries of the integration."""
    await async_wait_recording_done(hass)
    start = dt_util.utcnow() - timedelta(minutes=1)
    await client.send_json_auto_id(
        {
            "type": "logbook/get_events",
            "start_time": start.isoformat(),
            **selection,
        }
    )
    answer = await client.receive_json()
    return [
        {key: line[key] for key in ("name", "message", "entity_id") if key in line}
        for line in answer["result"]
        if line.get("domain") == DOMAIN
    ]


@READABLE
async def test_entry_of_a_mail(
    hass: HomeAssistant, watcher: FakeWatcher, client: MockHAClientWebSocket
) -> None:
    """It is listed for all entities and for the folder, with the present name of the folder."""
    await watcher.listener.mail_arrived(make_arrival())
    entities = er.async_get(hass)
    entity = entities.async_get(NEW_MAIL)
    assert entity is not None
    assert entity.device_id is not None
    line = {
        "name": "jane@example.com INBOX",
        "message": "received email from The Shop: Your order",
        "entity_id": NEW_MAIL,
    }
    assert await _entries(hass, client) == [line]
    assert await _entries(hass, client, device_ids=[entity.device_id]) == [line]
    assert await _entries(hass, client, device_ids=["another"]) == []

    dr.async_get(hass).async_update_device(entity.device_id, name_by_user="Post")
    entities.async_update_entity(NEW_MAIL, disabled_by=er.RegistryEntryDisabler.USER)
    del line["entity_id"]
    assert await _entries(hass, client) == [line | {"name": "Post"}]


@READABLE
@pytest.mark.parametrize(
    ("language", "message"),
    [
        ("de", "hat eine E-Mail von The Shop erhalten: Your order"),
        ("xx", "received email from The Shop: Your order"),
    ],
)
async def test_language_of_an_entry(
    hass: HomeAssistant,
    watcher: FakeWatcher,
    client: MockHAClientWebSocket,
    language: str,
    message: str,
) -> None:
    """It is that of the server, or English."""
    translation.async_setup(hass)
    await hass.config.async_update(language=language)
    await hass.async_block_till_done()
    await watcher.listener.mail_arrived(make_arrival())
    [line] = await _entries(hass, client)
    assert line["message"] == message


async def test_entry_without_access_for_all_users(
    hass: HomeAssistant, watcher: FakeWatcher, client: MockHAClientWebSocket
) -> None:
    """All users can see the entry, so it has no text of the sender."""
    await watcher.listener.mail_arrived(make_arrival())
    [line] = await _entries(hass, client)
    assert line["message"] == "received email"


async def test_mail_that_is_not_recorded_has_no_entry(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watchers: list[FakeWatcher],
    client: MockHAClientWebSocket,
) -> None:
    """Only the event entity shows the time of the mail."""
    hass.config_entries.async_update_entry(entry, options={})
    await hass.async_block_till_done()
    await watchers[-1].listener.mail_arrived(make_arrival())
    assert await _entries(hass, client) == []


@READABLE
async def test_text_of_mail_is_not_interpreted_and_may_be_missing(
    hass: HomeAssistant, client: MockHAClientWebSocket
) -> None:
    """An event that was fired manually causes no error, either."""
    messages = {
        "received email from Ann: Hello": ("Ann", "a@b.c", "Hello"),
        "received email from a@b.c: Hello": ("", "a@b.c", "Hello"),
        "received email from Ann": ("Ann", "a@b.c", ""),
        "received email: Hello": ("", "", "Hello"),
        "received email from {{ 1 }}: %s <b>{0}": ("{{ 1 }}", "", "%s <b>{0}"),
    }
    for name, address, subject in messages.values():
        mail = {"sender_name": name, "sender": address, "subject": subject}
        mail["entry_id"] = "01IMAPPUSH"
        hass.bus.async_fire(EVENT_NEW_MAIL, mail)
    hass.bus.async_fire(EVENT_NEW_MAIL)
    hass.bus.async_fire(EVENT_NEW_MAIL, {"device_id": ["no id"], "entry_id": ["no"]})
    hass.bus.async_fire(EVENT_NEW_MAIL, {"subject": "of no account"})
    lines = await _entries(hass, client)
    assert [line["message"] for line in lines] == [*messages, *["received email"] * 3]
    assert {line["name"] for line in lines} == {"IMAP Push"}


@READABLE
async def test_entry_of_an_automation_names_the_mail_as_its_cause(
    hass: HomeAssistant, watcher: FakeWatcher, client: MockHAClientWebSocket
) -> None:
    """It shows sender and subject."""
    await automate(
        hass,
        {"trigger": "imap_push.new_mail", "target": {"entity_id": NEW_MAIL}},
    )
    await watcher.listener.mail_arrived(make_arrival())
    await hass.async_block_till_done()
    await async_wait_recording_done(hass)
    await client.send_json_auto_id(
        {
            "type": "logbook/get_events",
            "start_time": (dt_util.utcnow() - timedelta(minutes=1)).isoformat(),
        }
    )
    lines = (await client.receive_json())["result"]
    [line] = [line for line in lines if line.get("domain") == "automation"]
    assert line["context_message"] == "received email from The Shop: Your order"


@READABLE
@pytest.mark.parametrize(
    ("record_mail", "messages"),
    [
        pytest.param(False, [None], id="default"),
        pytest.param(
            True, ["received email from The Shop: Your order", None], id="recorded"
        ),
    ],
)
async def test_lines_of_a_mail(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watchers: list[FakeWatcher],
    client: MockHAClientWebSocket,
    record_mail: bool,
    messages: list[str | None],
) -> None:
    """One is the state of the event entity, which Home Assistant always shows.

    If mail is recorded, another names sender and subject. States that are written again, and all
    numbers, have no line.
    """
    options = {**entry.options, CONF_RECORD_MAIL: record_mail}
    hass.config_entries.async_update_entry(entry, options=options)
    await hass.async_block_till_done()
    watcher = watchers[-1]
    arrival = make_arrival()
    folder = FolderState(available=True, unread=0, messages=0)
    online = AccountState(connected=True, folders={"INBOX": folder})
    watcher.listener.state_changed(online)
    await hass.async_block_till_done()
    await async_wait_recording_done(hass)
    began = dt_util.utcnow()
    await watcher.listener.mail_arrived(arrival)
    for changes in range(1, 4):
        folder = replace(
            folder, unread=1, messages=1, changes=changes, last_mail=arrival.mail
        )
        watcher.listener.state_changed(replace(online, folders={"INBOX": folder}))
        await hass.async_block_till_done()
    await async_wait_recording_done(hass)
    await client.send_json_auto_id(
        {"type": "logbook/get_events", "start_time": began.isoformat()}
    )
    lines = (await client.receive_json())["result"]
    assert [(line["entity_id"], line.get("message")) for line in lines] == [
        (NEW_MAIL, message) for message in messages
    ]
