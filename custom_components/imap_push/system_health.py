"""System information: numbers of accounts and folders, and push modes."""

from collections import Counter
from typing import Any

from homeassistant.components.system_health import SystemHealthRegistration
from homeassistant.core import HomeAssistant, callback

from .const import DOMAIN, SUBENTRY_TYPE_FOLDER
from .coordinator import ImapPushConfigEntry


@callback
def async_register(hass: HomeAssistant, register: SystemHealthRegistration) -> None:
    """Register the system information."""
    register.async_register_info(_async_describe)


async def _async_describe(hass: HomeAssistant) -> dict[str, Any]:
    entries: list[ImapPushConfigEntry] = hass.config_entries.async_loaded_entries(
        DOMAIN
    )
    states = [entry.runtime_data.data for entry in entries]
    modes = Counter(
        folder.push_mode.value for state in states for folder in state.folders.values()
    )
    push_modes = ", ".join(f"{mode}: {modes[mode]}" for mode in sorted(modes))
    return {
        "accounts": len(hass.config_entries.async_entries(DOMAIN)),
        "connected": sum(state.connected for state in states),
        "folders": sum(
            len(entry.get_subentries_of_type(SUBENTRY_TYPE_FOLDER)) for entry in entries
        ),
        "push_modes": push_modes or "-",
    }
