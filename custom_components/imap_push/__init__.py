"""The IMAP Push integration: events for new mail, pushed by the server."""

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.device_registry import DeviceEntry
from homeassistant.helpers.typing import ConfigType

from .account.devices import is_in_use
from .account.mark_store import async_remove_marks
from .const import DOMAIN
from .coordinator import AccountCoordinator, ImapPushConfigEntry
from .helpers import unique_id_from_entry_data
from .issues import async_delete_issues, async_watch_configuration
from .permissions import is_mail_shown
from .recorder_filter import async_filter_recorder
from .services import async_setup_services

PLATFORMS = [
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.EVENT,
    Platform.IMAGE,
    Platform.SENSOR,
    Platform.TODO,
]
# Home Assistant checks no user who reads their entities, so these exist only if all users may
# read the mail.
SHOWING_MAIL = {Platform.IMAGE, Platform.TODO}

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the actions, whether or not an account is loaded."""
    async_filter_recorder(hass)
    async_setup_services(hass)
    return True


async def async_migrate_entry(hass: HomeAssistant, entry: ImapPushConfigEntry) -> bool:
    """Add a non-standard port to the unique ID; Home Assistant rejects a higher major version."""
    if entry.minor_version < 2:
        hass.config_entries.async_update_entry(
            entry, unique_id=unique_id_from_entry_data(entry.data), minor_version=2
        )
    return True


async def async_setup_entry(hass: HomeAssistant, entry: ImapPushConfigEntry) -> bool:
    """Set up an account without waiting for the server."""
    entry.runtime_data = coordinator = AccountCoordinator(hass, entry)
    entry.async_on_unload(entry.add_update_listener(_async_apply_changes))
    await coordinator.async_load()
    # Unloading needs the same platforms, even if the option was changed.
    coordinator.platforms = [
        platform
        for platform in PLATFORMS
        if platform not in SHOWING_MAIL or is_mail_shown(entry)
    ]
    await hass.config_entries.async_forward_entry_setups(entry, coordinator.platforms)
    coordinator.async_start()
    async_watch_configuration(hass, entry)
    return True


async def _async_apply_changes(hass: HomeAssistant, entry: ImapPushConfigEntry) -> None:
    """Apply changes of folders and searches; reload the entry after any other change."""
    if not entry.runtime_data.async_apply_changes():
        hass.config_entries.async_schedule_reload(entry.entry_id)


async def async_unload_entry(hass: HomeAssistant, entry: ImapPushConfigEntry) -> bool:
    """Unload an account. Stop the watcher first: removed entities would miss new mail."""
    await entry.runtime_data.async_stop()
    platforms = entry.runtime_data.platforms
    return await hass.config_entries.async_unload_platforms(entry, platforms)


async def async_remove_entry(hass: HomeAssistant, entry: ImapPushConfigEntry) -> None:
    """Delete the repair issues and the stored marks of an account."""
    async_delete_issues(hass, entry)
    await async_remove_marks(hass, entry.entry_id)


async def async_remove_config_entry_device(
    hass: HomeAssistant, entry: ImapPushConfigEntry, device: DeviceEntry
) -> bool:
    """Return whether the user may remove a device: True if its subentry was removed."""
    return not is_in_use(entry, device)
