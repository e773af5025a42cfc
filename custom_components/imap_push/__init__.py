"""Every new mail becomes an event at once."""

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant

from .coordinator import AccountCoordinator, ImapPushConfigEntry
from .issues import async_delete_issues, async_watch_set_up
from .marks import async_remove_marks

PLATFORMS = [Platform.BINARY_SENSOR, Platform.EVENT, Platform.SENSOR]


async def async_setup_entry(hass: HomeAssistant, entry: ImapPushConfigEntry) -> bool:
    """Watch an account; nothing here waits for its server."""
    entry.runtime_data = coordinator = AccountCoordinator(hass, entry)
    await coordinator.async_load_marks()
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    coordinator.async_start()
    async_watch_set_up(hass, entry)
    entry.async_on_unload(entry.add_update_listener(_async_reload))
    return True


async def _async_reload(hass: HomeAssistant, entry: ImapPushConfigEntry) -> None:
    """Start anew with changed data, options or folders."""
    hass.config_entries.async_schedule_reload(entry.entry_id)


async def async_unload_entry(hass: HomeAssistant, entry: ImapPushConfigEntry) -> bool:
    """Stop watching before the entities go, so that no mail passes them by."""
    await entry.runtime_data.async_stop()
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: ImapPushConfigEntry) -> None:
    """Forget what was delivered."""
    async_delete_issues(hass, entry)
    await async_remove_marks(hass, entry.entry_id)
