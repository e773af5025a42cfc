"""Targets of triggers and conditions: the folders that they select."""

from collections.abc import Iterable

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.target import (
    TargetSelection,
    async_extract_referenced_entity_ids,
)
from homeassistant.helpers.typing import ConfigType

# Home Assistant supports it since 2026.11.
CONF_EXCLUDE = "exclude"


class FolderTarget:
    """A target, resolved for each call because labels and areas may change at any time.

    A folder is selected by its device, by any of its entities, or by its account.
    """

    def __init__(self, hass: HomeAssistant, target: ConfigType) -> None:
        """Parse the target of a trigger or a condition."""
        self._hass = hass
        # Resolved separately: Home Assistant does not know which folders an account has.
        self._included = TargetSelection(
            {key: ids for key, ids in target.items() if key != CONF_EXCLUDE}
        )
        self._excluded = TargetSelection(target.get(CONF_EXCLUDE, {}))

    @callback
    def async_select(self, device_ids: Iterable[str]) -> set[str]:
        """Return which of the folders' devices are selected."""
        included = self._async_devices(self._included)
        excluded = self._async_devices(self._excluded)
        return {
            device_id
            for device_id in device_ids
            if (devices := self._async_with_account(device_id)) & included
            and not devices & excluded
        }

    @callback
    def _async_with_account(self, device_id: str) -> set[str]:
        """Return the device of a folder and that of its account."""
        registry = dr.async_get(self._hass)
        device = registry.async_get(device_id, include_child_devices=False)
        if device is None or device.via_device_id is None:
            return {device_id}
        return {device_id, device.via_device_id}

    @callback
    def _async_devices(self, selection: TargetSelection) -> set[str]:
        """Return the referenced devices, and those of referenced entities."""
        referenced = async_extract_referenced_entity_ids(self._hass, selection)
        registry = er.async_get(self._hass)
        return referenced.referenced_devices | {
            entity.device_id
            for entity_id in referenced.referenced | referenced.indirectly_referenced
            if (entity := registry.async_get(entity_id)) and entity.device_id
        }
