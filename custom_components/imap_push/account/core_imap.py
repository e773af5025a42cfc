"""Reads config entries of "core IMAP": Home Assistant's own IMAP integration."""

from collections.abc import Mapping
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import (
    CONF_HOST,
    CONF_PASSWORD,
    CONF_PORT,
    CONF_USERNAME,
    CONF_VERIFY_SSL,
)
from homeassistant.core import HomeAssistant, callback

from ..const import CONF_FOLDER, CONF_SECURITY, DEFAULT_FOLDER, DEFAULT_PORT
from ..helpers import unique_id_from_entry_data
from ..imap import Security, decode_folder

CORE_IMAP_DOMAIN: Final = "imap"
CORE_IMAP_SERVER: Final = "server"


@callback
def async_core_imap_entries(hass: HomeAssistant) -> list[ConfigEntry]:
    """Return the entries of core IMAP. Each is for one folder, not for one account."""
    return [
        entry
        for entry in hass.config_entries.async_entries(CORE_IMAP_DOMAIN)
        if CORE_IMAP_SERVER in entry.data
    ]


def entry_data_from_core_imap(core_entry: ConfigEntry) -> dict[str, Any]:
    """Convert entry data of core IMAP to ours. Core IMAP uses implicit TLS on every port."""
    data: Mapping[str, Any] = core_entry.data
    return {
        CONF_USERNAME: data[CONF_USERNAME],
        CONF_PASSWORD: data[CONF_PASSWORD],
        CONF_HOST: data[CORE_IMAP_SERVER],
        CONF_PORT: data.get(CONF_PORT, DEFAULT_PORT),
        CONF_SECURITY: Security.TLS.value,
        CONF_VERIFY_SSL: data.get(CONF_VERIFY_SSL, True),
    }


def folder_from_core_imap(core_entry: ConfigEntry) -> str:
    """Return the folder's decoded name: core IMAP stores it quoted and in modified UTF-7."""
    name = str(core_entry.data.get(CONF_FOLDER) or DEFAULT_FOLDER)
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = name[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    # A name that is not ASCII was typed as text.
    decoded = decode_folder(name.encode()) if name.isascii() else name
    return DEFAULT_FOLDER if decoded.upper() == DEFAULT_FOLDER else decoded


def same_account(entry: ConfigEntry, core_entry: ConfigEntry) -> bool:
    """Return whether our entry and one of core IMAP have the same username and host."""
    return entry.unique_id == unique_id_from_entry_data(
        entry_data_from_core_imap(core_entry)
    )
