"""Base classes of all entities."""

from typing import override

from homeassistant.config_entries import ConfigSubentry
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .const import CONF_FOLDER
from .coordinator import AccountCoordinator
from .devices import account_identifier, folder_identifier
from .imap import FolderState


class AccountEntity(CoordinatorEntity[AccountCoordinator]):
    """An entity of an account; it says what is known even without a connection."""

    _attr_has_entity_name = True

    def __init__(
        self, coordinator: AccountCoordinator, description: EntityDescription
    ) -> None:
        """Place the entity on the account's device."""
        super().__init__(coordinator)
        entry = coordinator.config_entry
        self.entity_description = description
        self._attr_unique_id = f"{entry.entry_id}_{description.key}"
        self._attr_device_info = DeviceInfo(identifiers={account_identifier(entry)})


class FolderEntity(CoordinatorEntity[AccountCoordinator]):
    """An entity of a watched folder."""

    _attr_has_entity_name = True

    def __init__(
        self,
        coordinator: AccountCoordinator,
        subentry: ConfigSubentry,
        description: EntityDescription,
    ) -> None:
        """Place the entity on the folder's device."""
        super().__init__(coordinator)
        entry = coordinator.config_entry
        self.folder: str = subentry.data[CONF_FOLDER]
        self.entity_description = description
        self._attr_unique_id = (
            f"{entry.entry_id}_{subentry.subentry_id}_{description.key}"
        )
        self._attr_device_info = DeviceInfo(
            identifiers={folder_identifier(entry, subentry)}
        )

    @property
    def folder_state(self) -> FolderState:
        """Return what is known of the folder."""
        return self.coordinator.data.folders.get(self.folder, FolderState())

    @property
    @override
    def available(self) -> bool:
        """Return whether the folder is being watched at this moment."""
        return self.folder_state.available
