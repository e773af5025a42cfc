"""Targets of triggers and conditions: which folders and saved searches a target selects."""

from collections.abc import Collection

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.target import (
    TargetSelection,
    async_extract_referenced_entity_ids,
)
from homeassistant.helpers.typing import ConfigType

# Home Assistant supports this key since 2026.11.
CONF_EXCLUDE = "exclude"


class MailTarget:
    """A target of a trigger or condition. Not cached: labels and areas can change at any time.

    A folder is selected if its device, one of its entities or its account is selected. A saved
    search is selected only by its device and entities: the account means its folders.
    """

    def __init__(self, hass: HomeAssistant, target: ConfigType) -> None:
        """Parse the target."""
        self._hass = hass
        # Resolved separately: Home Assistant does not exclude the folders of an excluded account.
        self._included = TargetSelection(
            {key: ids for key, ids in target.items() if key != CONF_EXCLUDE}
        )
        self._excluded = TargetSelection(target.get(CONF_EXCLUDE, {}))

    @callback
    def async_select(
        self, folders: Collection[str], searches: Collection[str] = ()
    ) -> set[str]:
        """Return those of the given devices of folders and searches that the target selects."""
        included = self._async_devices(self._included)
        excluded = self._async_devices(self._excluded)
        return {
            *(id_ for id_ in folders if self._async_with_account(id_) & included),
            *included.intersection(searches),
        } - {
            id_
            for id_ in (*folders, *searches)
            if self._async_with_account(id_) & excluded
        }

    @callback
    def _async_with_account(self, device_id: str) -> set[str]:
        """Return the device of a folder or a search, and that of its account."""
        registry = dr.async_get(self._hass)
        device = registry.async_get(device_id, include_child_devices=False)
        if device is None or device.via_device_id is None:
            return {device_id}
        return {device_id, device.via_device_id}

    @callback
    def _async_devices(self, selection: TargetSelection) -> set[str]:
        """Return the selected devices, and the devices of selected entities."""
        referenced = async_extract_referenced_entity_ids(self._hass, selection)
        registry = er.async_get(self._hass)
        return referenced.referenced_devices | {
            entity.device_id
            for entity_id in referenced.referenced | referenced.indirectly_referenced
            if (entity := registry.async_get(entity_id)) and entity.device_id
        }
