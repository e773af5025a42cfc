"""Conditions of automations."""

from typing import Final, Unpack, cast, override

import voluptuous as vol

from homeassistant.config_entries import ConfigSubentry
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
from .const import CONF_FOLDER, DOMAIN, SUBENTRY_TYPE_FOLDER, SUBENTRY_TYPE_SEARCH
from .coordinator import AccountCoordinator, ImapPushConfigEntry
from .helpers import without_none
from .mail.targets import MailTarget

DEFAULT_ABOVE: Final = 0

_CONFIG_SCHEMA: Final = vol.Schema(
    {
        vol.Required(CONF_TARGET): cv.TARGET_FIELDS,
        vol.Required(CONF_OPTIONS, default={}): vol.All(
            without_none,
            {
                vol.Optional(CONF_ABOVE, default=DEFAULT_ABOVE): vol.All(
                    vol.Coerce(int), vol.Range(min=0)
                ),
            },
        ),
    }
)


class UnreadCondition(Condition):
    """Tests whether the target has more than `above` unread mails or matches of searches.

    Unknown counts, for example while disconnected, are ignored.
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
        self._target = MailTarget(hass, config.target or {})

    @override
    def _async_check(self, **kwargs: Unpack[ConditionCheckParams]) -> bool:
        """Compare the total with `above`; add both to the trace."""
        folders, searches = _async_counts(self._hass)
        counts = folders | searches
        unread = sum(
            counts[device_id]
            for device_id in self._target.async_select(folders, searches)
        )
        condition_trace_update_result(unread=unread, above=self._above)
        return unread > self._above


@callback
def _async_counts(hass: HomeAssistant) -> tuple[dict[str, int], dict[str, int]]:
    """Return unread mails by folder device ID, and matches by search device ID, if known."""
    devices = dr.async_get(hass)
    counts: dict[str, dict[str, int]] = {
        SUBENTRY_TYPE_FOLDER: {},
        SUBENTRY_TYPE_SEARCH: {},
    }
    entries: list[ImapPushConfigEntry] = hass.config_entries.async_loaded_entries(
        DOMAIN
    )
    for entry in entries:
        for subentry in entry.subentries.values():
            count = _async_count(entry.runtime_data, subentry)
            identifier = subentry_identifier(entry, subentry.subentry_id)
            device = devices.async_get_device_by_identifier(identifier, entry.entry_id)
            if device and count is not None:
                counts[subentry.subentry_type][device.id] = count
    return counts[SUBENTRY_TYPE_FOLDER], counts[SUBENTRY_TYPE_SEARCH]


@callback
def _async_count(
    coordinator: AccountCoordinator, subentry: ConfigSubentry
) -> int | None:
    """Return the unread mails of a folder or the matches of a search, None if unknown."""
    if subentry.subentry_type == SUBENTRY_TYPE_SEARCH:
        return coordinator.searches.count(subentry.subentry_id)
    state = coordinator.data.folders.get(subentry.data[CONF_FOLDER])
    return state.unread if state and state.available else None


async def async_get_conditions(hass: HomeAssistant) -> dict[str, type[Condition]]:
    """Return the conditions."""
    return {"unread": UnreadCondition}
