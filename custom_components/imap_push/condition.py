"""Conditions of automations."""

from typing import Final, Unpack, cast, override

import voluptuous as vol

from homeassistant.const import CONF_ABOVE, CONF_OPTIONS, CONF_TARGET
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.helpers.condition import (
    Condition,
    ConditionCheckParams,
    ConditionConfig,
    condition_trace_update_result,
)
from homeassistant.helpers.typing import ConfigType

from .account.devices import subentry_identifier
from .const import CONF_FOLDER, DOMAIN, SUBENTRY_TYPE_FOLDER
from .coordinator import ImapPushConfigEntry
from .mail.targets import FolderTarget

DEFAULT_ABOVE: Final = 0

_CONFIG_SCHEMA: Final = vol.Schema(
    {
        vol.Required(CONF_TARGET): cv.TARGET_FIELDS,
        vol.Required(CONF_OPTIONS, default={}): {
            vol.Optional(CONF_ABOVE, default=DEFAULT_ABOVE): vol.All(
                vol.Coerce(int), vol.Range(min=0)
            ),
        },
    }
)


class UnreadCondition(Condition):
    """Tests whether the target's folders together have more than `above` unread mails.

    Folders with an unknown count, for example while disconnected, are ignored.
    """

    @override
    @classmethod
    async def async_validate_config(
        cls, hass: HomeAssistant, config: ConfigType
    ) -> ConfigType:
        """Validate the config. The target may not exist yet."""
        return cast(ConfigType, _CONFIG_SCHEMA(config))

    def __init__(self, hass: HomeAssistant, config: ConditionConfig) -> None:
        """Read the validated config."""
        super().__init__(hass, config)
        self._above: int = (config.options or {}).get(CONF_ABOVE, DEFAULT_ABOVE)
        self._target = FolderTarget(hass, config.target or {})

    @override
    def _async_check(self, **kwargs: Unpack[ConditionCheckParams]) -> bool:
        """Compare the number of unread mails with `above`; add both to the trace."""
        counts = _async_unread_counts(self._hass)
        unread = sum(
            counts[device_id] for device_id in self._target.async_select(counts)
        )
        condition_trace_update_result(unread=unread, above=self._above)
        return unread > self._above


@callback
def _async_unread_counts(hass: HomeAssistant) -> dict[str, int]:
    """Return the number of unread mails by folder device ID, where it is known."""
    devices = dr.async_get(hass)
    counts = {}
    entries: list[ImapPushConfigEntry] = hass.config_entries.async_loaded_entries(
        DOMAIN
    )
    for entry in entries:
        folders = entry.runtime_data.data.folders
        for subentry in entry.get_subentries_of_type(SUBENTRY_TYPE_FOLDER):
            state = folders.get(subentry.data[CONF_FOLDER])
            if state is None or not state.available or state.unread is None:
                continue
            identifier = subentry_identifier(entry, subentry.subentry_id)
            if device := devices.async_get_device_by_identifier(
                identifier, entry.entry_id
            ):
                counts[device.id] = state.unread
    return counts


async def async_get_conditions(hass: HomeAssistant) -> dict[str, type[Condition]]:
    """Return the conditions."""
    return {"unread": UnreadCondition}
