"""What the user sees of an account and its folders."""

from datetime import UTC, datetime
import json
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.event import NewMailEvent
from custom_components.imap_push.imap import (
    AccountState,
    Attachment,
    ConnectionLost,
    FolderState,
    PushMode,
)
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN, EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from . import (
    CONNECTIVITY,
    LAST_MAIL,
    NEW_MAIL,
    PUSH_MODE,
    UNREAD,
    get_state,
    make_arrival,
    make_mail,
    make_state,
)
from .conftest import FakeWatcher


def _inbox(**fields: Any) -> AccountState:
    """Return the state of a connected account with this INBOX."""
    return make_state({"INBOX": FolderState(available=True, **fields)})


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param(
            make_state(),
            {
                UNREAD: "2",
                LAST_MAIL: "2026-11-03T12:30:00+00:00",
                PUSH_MODE: "idle",
                CONNECTIVITY: "on",
            },
            id="connected",
        ),
        pytest.param(
            AccountState(error=ConnectionLost()),
            {
                UNREAD: STATE_UNAVAILABLE,
                LAST_MAIL: STATE_UNAVAILABLE,
                PUSH_MODE: "off",
                CONNECTIVITY: "off",
            },
            id="never connected",
        ),
        pytest.param(
            make_state(
                {"INBOX": FolderState(unread=2, last_mail=make_mail())},
                connected=False,
                push_mode=PushMode.OFF,
                error=ConnectionLost(),
            ),
            {
                UNREAD: STATE_UNAVAILABLE,
                LAST_MAIL: STATE_UNAVAILABLE,
                PUSH_MODE: "off",
                CONNECTIVITY: "off",
            },
            id="connection lost",
        ),
        pytest.param(
            make_state({"Other": FolderState(available=True)}, push_mode=PushMode.POLL),
            {
                UNREAD: STATE_UNAVAILABLE,
                LAST_MAIL: STATE_UNAVAILABLE,
                PUSH_MODE: "poll",
                CONNECTIVITY: "on",
            },
            id="folder not watched yet",
        ),
        pytest.param(
            _inbox(unread=0),
            {UNREAD: "0", LAST_MAIL: STATE_UNKNOWN},
            id="empty folder",
        ),
        pytest.param(_inbox(), {UNREAD: STATE_UNKNOWN}, id="count not known"),
        pytest.param(
            _inbox(
                last_mail=make_mail(
                    received=None, date=datetime(2026, 11, 1, tzinfo=UTC)
                )
            ),
            {LAST_MAIL: "2026-11-01T00:00:00+00:00"},
            id="mail without the server's date",
        ),
        pytest.param(
            _inbox(last_mail=make_mail(received=None)),
            {LAST_MAIL: STATE_UNKNOWN},
            id="mail without any date",
        ),
        pytest.param(
            make_state(push_mode=PushMode.NOTIFY), {PUSH_MODE: "notify"}, id="notify"
        ),
    ],
)
async def test_states_follow_the_account(
    hass: HomeAssistant,
    watcher: FakeWatcher,
    state: AccountState,
    expected: dict[str, str],
) -> None:
    """All states change at once with what the watcher tells."""
    watcher.listener.state_changed(state)
    assert {
        entity_id: get_state(hass, entity_id).state for entity_id in expected
    } == expected


@pytest.mark.parametrize(
    ("entity_id", "name", "category", "attributes"),
    [
        pytest.param(
            UNREAD,
            "jane@example.com INBOX Unread",
            None,
            {"state_class": "measurement", "unit_of_measurement": "mails"},
            id="unread",
        ),
        pytest.param(
            LAST_MAIL,
            "jane@example.com INBOX Last mail",
            None,
            {"device_class": "timestamp"},
            id="last mail",
        ),
        pytest.param(
            NEW_MAIL,
            "jane@example.com INBOX New mail",
            None,
            {"event_types": ["new_mail"]},
            id="new mail",
        ),
        pytest.param(
            PUSH_MODE,
            "jane@example.com Push mode",
            EntityCategory.DIAGNOSTIC,
            {"options": ["notify", "idle", "poll", "off"], "device_class": "enum"},
            id="push mode",
        ),
        pytest.param(
            CONNECTIVITY,
            "jane@example.com Connectivity",
            EntityCategory.DIAGNOSTIC,
            {"device_class": "connectivity"},
            id="connectivity",
        ),
    ],
)
async def test_entities_have_names_and_classes(
    hass: HomeAssistant,
    watcher: FakeWatcher,
    entity_registry: er.EntityRegistry,
    entity_id: str,
    name: str,
    category: EntityCategory | None,
    attributes: dict[str, Any],
) -> None:
    """As the user finds them."""
    watcher.listener.state_changed(make_state())
    state = get_state(hass, entity_id)
    assert state.attributes["friendly_name"] == name
    assert attributes.items() <= state.attributes.items()
    assert entity_registry.entities[entity_id].entity_category is category


async def test_unique_ids_do_not_depend_on_what_can_be_changed(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    entity_registry: er.EntityRegistry,
) -> None:
    """Changing host or login keeps all entities."""
    assert {
        entity.entity_id: entity.unique_id
        for entity in er.async_entries_for_config_entry(entity_registry, entry.entry_id)
    } == {
        UNREAD: "01IMAPPUSH_01INBOX_unread",
        LAST_MAIL: "01IMAPPUSH_01INBOX_last_mail",
        NEW_MAIL: "01IMAPPUSH_01INBOX_new_mail",
        PUSH_MODE: "01IMAPPUSH_push_mode",
        CONNECTIVITY: "01IMAPPUSH_connectivity",
    }


async def test_event_entity_shows_the_mail(
    hass: HomeAssistant, watcher: FakeWatcher
) -> None:
    """Its attributes are the fields of the bus event."""
    assert get_state(hass, NEW_MAIL).state == STATE_UNKNOWN
    await watcher.listener.mail_arrived(make_arrival())
    state = get_state(hass, NEW_MAIL)
    assert state.attributes["event_type"] == "new_mail"
    assert state.attributes["subject"] == "Your order"
    assert state.attributes["sender"] == "shop@example.org"


async def test_event_entity_is_there_when_the_server_is_not(
    hass: HomeAssistant, watcher: FakeWatcher
) -> None:
    """Triggers ignore what comes out of unavailable: mail caught up with would be lost."""
    watcher.listener.state_changed(AccountState(error=ConnectionLost()))
    await watcher.listener.mail_arrived(make_arrival(1))
    first = get_state(hass, NEW_MAIL)
    await watcher.listener.mail_arrived(make_arrival(2))
    second = get_state(hass, NEW_MAIL)
    assert (first.attributes["uid"], second.attributes["uid"]) == (1, 2)
    assert first.state != second.state


async def test_event_entity_remembers_the_last_mail(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher
) -> None:
    """A restart is no new mail."""
    await watcher.listener.mail_arrived(make_arrival())
    before = get_state(hass, NEW_MAIL)
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert get_state(hass, NEW_MAIL).state == STATE_UNAVAILABLE
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    after = get_state(hass, NEW_MAIL)
    assert (after.state, after.attributes) == (before.state, before.attributes)


async def test_mail_of_another_folder_is_not_shown(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher
) -> None:
    """Each folder has its own event entity."""
    entry.runtime_data._device_ids["Lists"] = "device"
    await watcher.listener.mail_arrived(make_arrival(folder="Lists"))
    assert get_state(hass, NEW_MAIL).state == STATE_UNKNOWN


async def test_recorder_takes_the_largest_mail(
    hass: HomeAssistant, watcher: FakeWatcher
) -> None:
    """What is recorded stays below its 16 KB; the lists are left out."""
    address = "a" * 64 + "@" + "example." * 20 + "org"
    attachment = Attachment(
        part="1.2.3", filename="f" * 255, content_type="application/pdf", size=1
    )
    await watcher.listener.mail_arrived(
        make_arrival(
            message_id="<" + "m" * 998 + ">",
            sender=address,
            sender_name="ß" * 1000,
            subject="ß" * 1000,
            to=(address,) * 50,
            cc=(address,) * 50,
            attachments=(attachment,) * 50,
            truncated=True,
        )
    )
    attributes = get_state(hass, NEW_MAIL).attributes
    recorded = {
        key: value
        for key, value in attributes.items()
        if key not in NewMailEvent._unrecorded_attributes
    }
    assert len(json.dumps(dict(attributes), ensure_ascii=False).encode()) > 16384
    assert len(json.dumps(recorded, ensure_ascii=False).encode()) < 16384
    assert {"subject", "sender", "sender_name", "folder", "uid"} <= recorded.keys()
