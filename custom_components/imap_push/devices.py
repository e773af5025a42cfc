"""The devices: a service for the account, and one below it for each folder."""

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.device_registry import DeviceEntryType

from .const import CONF_FOLDER, DOMAIN, SUBENTRY_TYPE_FOLDER


def account_identifier(entry: ConfigEntry) -> tuple[str, str]:
    """Return the identifier of the account's device."""
    return (DOMAIN, entry.entry_id)


def folder_identifier(entry: ConfigEntry, subentry: ConfigSubentry) -> tuple[str, str]:
    """Return the identifier of a folder's device."""
    return (DOMAIN, f"{entry.entry_id}_{subentry.subentry_id}")


@callback
def async_register_devices(hass: HomeAssistant, entry: ConfigEntry) -> dict[str, str]:
    """Register all devices of an account; return the device id of each folder."""
    registry = dr.async_get(hass)
    account = registry.async_get_or_create(
        config_entry_id=entry.entry_id,
        entry_type=DeviceEntryType.SERVICE,
        identifiers={account_identifier(entry)},
        model="IMAP account",
        name=entry.title,
    )
    return {
        subentry.data[CONF_FOLDER]: registry.async_get_or_create(
            config_entry_id=entry.entry_id,
            config_subentry_id=subentry.subentry_id,
            entry_type=DeviceEntryType.SERVICE,
            identifiers={folder_identifier(entry, subentry)},
            model="IMAP folder",
            name=f"{entry.title} {subentry.title}",
            via_device_id=account.id,
        ).id
        for subentry in entry.get_subentries_of_type(SUBENTRY_TYPE_FOLDER)
    }
