"""Set-up, unload and removal of an account."""

from typing import Any

from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.const import DOMAIN, EVENT_NEW_MAIL
from custom_components.imap_push.imap import Mark, WatchedFolder
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er

from .. import CONNECTIVITY, ENTRY_DATA, USERNAME, get_state, make_state
from ..conftest import FakeWatcher

STORAGE_KEY = "imap_push.01IMAPPUSH"


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


def test_event_name_is_stable() -> None:
    """Automations of users depend on it."""
    assert EVENT_NEW_MAIL == "new_mail"
