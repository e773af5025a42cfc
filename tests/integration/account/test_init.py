"""Set-up, unload and removal of an account."""

from types import MappingProxyType
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.const import (
    CONF_FOLDER,
    DOMAIN,
    EVENT_NEW_MAIL,
    SUBENTRY_TYPE_FOLDER,
)
from custom_components.imap_push.imap import Mark, WatchedFolder
from homeassistant.config_entries import ConfigEntryState, ConfigSubentryDataWithId
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er

from .. import CONNECTIVITY, ENTRY_DATA, USERNAME, get_state, make_state
from ..conftest import FakeWatcher

STORAGE_KEY = "imap_push.01IMAPPUSH"
FOLDER_INBOX = ConfigSubentryDataWithId(
    data=MappingProxyType({CONF_FOLDER: "INBOX"}),
    subentry_id="01INBOX",
    subentry_type=SUBENTRY_TYPE_FOLDER,
    title="INBOX",
    unique_id="INBOX",
)


async def test_setup_does_not_wait_for_the_server(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher
) -> None:
    """Entities become available when the server responds."""
    assert entry.state is ConfigEntryState.LOADED
    assert get_state(hass, CONNECTIVITY).state == "off"
    watcher.listener.state_changed(make_state())
    assert get_state(hass, CONNECTIVITY).state == "on"


async def test_account_and_folder_are_devices(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    device_registry: dr.DeviceRegistry,
    entity_registry: er.EntityRegistry,
) -> None:
    """The device of a folder is connected via the account and belongs to the subentry."""
    devices = {
        device.name: device
        for device in dr.async_entries_for_config_entry(device_registry, entry.entry_id)
    }
    assert set(devices) == {USERNAME, f"{USERNAME} INBOX"}
    account, folder = devices[USERNAME], devices[f"{USERNAME} INBOX"]
    assert account.entry_type is folder.entry_type is dr.DeviceEntryType.SERVICE
    assert folder.via_device_id == account.id
    of_inbox = {
        entity.entity_id: entity.device_id
        for entity in er.async_entries_for_config_entry(entity_registry, entry.entry_id)
        if entity.config_subentry_id == "01INBOX"
    }
    assert set(of_inbox.values()) == {folder.id}
    assert len(of_inbox) == 4


async def test_unload_removes_watcher_listeners_and_tasks(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher
) -> None:
    """The entry can be set up again."""
    listeners = hass.bus.async_listeners()
    for _ in range(2):
        assert await hass.config_entries.async_unload(entry.entry_id)
        await hass.async_block_till_done()
        assert entry.state is ConfigEntryState.NOT_LOADED
        assert not watcher.running
        assert not entry._background_tasks
        assert not entry.update_listeners
        assert get_state(hass, CONNECTIVITY).state == "unavailable"
        assert await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done()
    assert hass.bus.async_listeners() == listeners


async def test_new_title_renames_the_devices(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    device_registry: dr.DeviceRegistry,
) -> None:
    """Account and folders have the new name."""
    hass.config_entries.async_update_entry(entry, title="Work")
    await hass.async_block_till_done()
    devices = dr.async_entries_for_config_entry(device_registry, entry.entry_id)
    assert {device.name for device in devices} == {"Work", "Work INBOX"}


async def test_mark_moved_during_unload_is_stored(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    watchers: list[FakeWatcher],
) -> None:
    """It is on disk before the next watcher starts."""
    watcher.last_words = Mark(3, 9)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()
    assert hass_storage[STORAGE_KEY]["data"]["folders"] == {
        "INBOX": {
            "uid_validity": 3,
            "next_uid": 9,
            "last_received": None,
            "remembered": [],
        }
    }
    assert watchers[1].folders == {"INBOX": WatchedFolder(mark=Mark(3, 9))}


async def test_mark_moved_during_shutdown_is_stored(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    entry: MockConfigEntry,
    watcher: FakeWatcher,
) -> None:
    """It is part of the final write."""
    watcher.listener.mark_moved("INBOX", Mark(3, 8))
    watcher.last_words = Mark(3, 9)
    await hass.async_stop(force=True)
    assert not watcher.running
    assert hass_storage[STORAGE_KEY]["data"]["folders"] == {
        "INBOX": {
            "uid_validity": 3,
            "next_uid": 9,
            "last_received": None,
            "remembered": [],
        }
    }


async def test_entry_without_folders_is_set_up(
    hass: HomeAssistant, watchers: list[FakeWatcher]
) -> None:
    """The user can remove the last folder."""
    entry = MockConfigEntry(domain=DOMAIN, data=ENTRY_DATA, title=USERNAME)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert watchers[0].folders == {}


@pytest.mark.parametrize(
    ("port", "minor_version", "before", "after"),
    [
        pytest.param(993, 1, "jane@h", "jane@h", id="TLS"),
        pytest.param(143, 1, "jane@h", "jane@h", id="STARTTLS"),
        pytest.param(1143, 1, "jane@h", "jane@h:1143", id="a bridge at the same host"),
        pytest.param(1143, 2, "jane@h:1143", "jane@h:1143", id="migrated already"),
        pytest.param(1143, 3, "future", "future", id="written by a later 1.x"),
    ],
)
async def test_unique_id_of_an_older_version_gets_the_port(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    watchers: list[FakeWatcher],
    device_registry: dr.DeviceRegistry,
    entity_registry: er.EntityRegistry,
    port: int,
    minor_version: int,
    before: str,
    after: str,
) -> None:
    """Entities, devices and marks are found by the ID of the entry, so they stay as they are."""
    entry = MockConfigEntry(
        domain=DOMAIN,
        data=ENTRY_DATA | {"username": "jane", "host": "h", "port": port},
        entry_id="01IMAPPUSH",
        unique_id=before,
        minor_version=minor_version,
        subentries_data=[FOLDER_INBOX],
    )
    entry.add_to_hass(hass)
    device = device_registry.async_get_or_create(
        config_entry_id=entry.entry_id, identifiers={(DOMAIN, "01IMAPPUSH")}
    )
    entity = entity_registry.async_get_or_create(
        "sensor",
        DOMAIN,
        "01IMAPPUSH_01INBOX_unread",
        config_entry=entry,
        suggested_object_id="my_unread",
    )
    mark = {"uid_validity": 3, "next_uid": 9}
    hass_storage[STORAGE_KEY] = {
        "version": 1,
        "data": {"username": "jane", "folders": {"INBOX": mark}},
    }
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert (entry.unique_id, entry.minor_version) == (after, max(2, minor_version))
    assert watchers[0].folders == {"INBOX": WatchedFolder(mark=Mark(3, 9))}
    devices = dr.async_entries_for_config_entry(device_registry, entry.entry_id)
    assert device.id in {item.id for item in devices}
    assert len(devices) == 2
    assert get_state(hass, entity.entity_id).state == "unavailable"
    assert len(er.async_entries_for_config_entry(entity_registry, entry.entry_id)) == 9


async def test_entry_of_a_later_major_version_is_refused(
    hass: HomeAssistant, watchers: list[FakeWatcher], caplog: pytest.LogCaptureFixture
) -> None:
    """After a downgrade, the log names the versions, and nothing is changed."""
    entry = MockConfigEntry(domain=DOMAIN, data=ENTRY_DATA, version=2)
    entry.add_to_hass(hass)
    assert not await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.MIGRATION_ERROR
    assert "version 2 which is higher than the current version 1" in caplog.text
    assert not watchers


def test_event_name_is_stable() -> None:
    """Automations of users depend on it."""
    assert EVENT_NEW_MAIL == "new_mail"
