"""What stays and what goes when an account is set up, unloaded and removed."""

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


async def test_a_dead_server_costs_no_time(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher
) -> None:
    """The account is set up before the server has answered, and lives up by itself."""
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
    """The folder's device is below the account's and belongs to the subentry."""
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


async def test_unloading_leaves_nothing(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher
) -> None:
    """No watcher, no listener, no task is left, and it can be loaded again."""
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


async def test_a_new_name_is_shown_everywhere(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    device_registry: dr.DeviceRegistry,
) -> None:
    """Renaming the entry renames its devices."""
    hass.config_entries.async_update_entry(entry, title="Work")
    await hass.async_block_till_done()
    devices = dr.async_entries_for_config_entry(device_registry, entry.entry_id)
    assert {device.name for device in devices} == {"Work", "Work INBOX"}


async def test_the_last_mark_of_a_watcher_is_kept(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    watchers: list[FakeWatcher],
) -> None:
    """A mark that moves while the watcher logs out is on disk before the next one starts."""
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


async def test_stopping_home_assistant_keeps_the_marks(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    entry: MockConfigEntry,
    watcher: FakeWatcher,
) -> None:
    """What moves while Home Assistant stops is in the final write."""
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


async def test_an_entry_without_folders_is_set_up(
    hass: HomeAssistant, watchers: list[FakeWatcher]
) -> None:
    """Removing the last folder does no harm."""
    entry = MockConfigEntry(domain=DOMAIN, data=ENTRY_DATA, title=USERNAME)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert watchers[0].folders == {}


def test_the_event_has_the_name_of_the_documentation() -> None:
    """Automations of users rely on it."""
    assert EVENT_NEW_MAIL == "new_mail"
