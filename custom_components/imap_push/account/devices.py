"""Service devices: one for each account, folder and saved search, linked by `via_device`."""

from typing import Final

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import CONF_HOST
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.device_registry import DeviceEntry, DeviceEntryType

from ..const import DOMAIN, SUBENTRY_TYPE_FOLDER, SUBENTRY_TYPE_SEARCH
from ..imap import provider_of_host

_MODELS: Final = {
    SUBENTRY_TYPE_FOLDER: "IMAP folder",
    SUBENTRY_TYPE_SEARCH: "Saved search",
}


def account_identifier(entry: ConfigEntry) -> tuple[str, str]:
    """Return the identifier of the account's device."""
    return (DOMAIN, entry.entry_id)


def subentry_identifier(entry: ConfigEntry, subentry_id: str) -> tuple[str, str]:
    """Return the identifier of the device of a folder or a saved search."""
    return (DOMAIN, f"{entry.entry_id}_{subentry_id}")


@callback
def async_register_account(hass: HomeAssistant, entry: ConfigEntry) -> str:
    """Register or rename the device of an account; return the device ID."""
    device = dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id,
        entry_type=DeviceEntryType.SERVICE,
        identifiers={account_identifier(entry)},
        manufacturer=_manufacturer(entry),
        model="IMAP account",
        name=entry.title,
    )
    return device.id


@callback
def async_register_subentry(
    hass: HomeAssistant, entry: ConfigEntry, subentry: ConfigSubentry
) -> str:
    """Register or rename the device of a folder or a saved search; return the device ID."""
    device = dr.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id,
        config_subentry_id=subentry.subentry_id,
        entry_type=DeviceEntryType.SERVICE,
        identifiers={subentry_identifier(entry, subentry.subentry_id)},
        manufacturer=_manufacturer(entry),
        model=_MODELS[subentry.subentry_type],
        name=f"{entry.title} {subentry.title}",
        via_device_id=async_register_account(hass, entry),
    )
    return device.id


def _manufacturer(entry: ConfigEntry) -> str:
    """Return the name of the mail provider, or the host."""
    host: str = entry.data[CONF_HOST]
    provider = provider_of_host(host)
    return provider.name if provider else host


def is_in_use(entry: ConfigEntry, device: DeviceEntry) -> bool:
    """Return whether a device belongs to the account or to an existing subentry."""
    in_use = {subentry_identifier(entry, key) for key in entry.subentries}
    return not device.identifiers.isdisjoint({account_identifier(entry), *in_use})
