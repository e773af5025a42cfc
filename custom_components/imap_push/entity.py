"""Base classes of all entities."""

from collections.abc import Callable, Iterable
from typing import Final, override

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import callback
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.entity import Entity, EntityDescription
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .account.devices import account_identifier, subentry_identifier
from .const import CONF_FOLDER, CONF_RECORD_MAIL, DEFAULT_RECORD_MAIL
from .coordinator import AccountCoordinator, ImapPushConfigEntry
from .imap import FolderState

_UNKNOWN: Final = FolderState()

# Attributes that are recorded only if the option `record_mail` is on.
PRIVATE_ATTRIBUTES: Final = frozenset({"sender", "sender_name", "subject"})


def is_mail_recorded(entry: ImapPushConfigEntry) -> bool:
    """Return whether the recorder may store senders and subjects."""
    return bool(entry.options.get(CONF_RECORD_MAIL, DEFAULT_RECORD_MAIL))


@callback
def async_add_subentry_entities(
    entry: ImapPushConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    make_entities: Callable[[ImapPushConfigEntry, ConfigSubentry], Iterable[Entity]],
) -> None:
    """Add the entities of each subentry: existing ones now, new ones later."""

    @callback
    def add(subentry: ConfigSubentry) -> None:
        async_add_entities(
            make_entities(entry, subentry), config_subentry_id=subentry.subentry_id
        )

    subentries = entry.runtime_data.subentries
    for subentry in subentries.applied:
        add(subentry)
    entry.async_on_unload(
        async_dispatcher_connect(entry.runtime_data.hass, subentries.added_signal, add)
    )


class ImapPushEntity(CoordinatorEntity[AccountCoordinator]):
    """An entity that writes its state only if `state_values` has changed.

    Otherwise each mail would write the states of all entities of the account.
    """

    _attr_has_entity_name = True
    _last_values: object = None

    @property
    def state_values(self) -> object:
        """Return the coordinator data that the state depends on, or None."""
        return None

    @override
    async def async_added_to_hass(self) -> None:
        """Store the initial values."""
        await super().async_added_to_hass()
        self._last_values = self.state_values

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Write the state if the values have changed."""
        if (values := self.state_values) != self._last_values:
            self._last_values = values
            self.async_write_ha_state()


class AccountEntity(ImapPushEntity):
    """An entity of an account. It stays available without a connection."""

    def __init__(
        self, coordinator: AccountCoordinator, description: EntityDescription
    ) -> None:
        """Create an entity of the coordinator's account."""
        super().__init__(coordinator)
        self.entity_description = description
        entry_id = coordinator.config_entry.entry_id
        self._attr_unique_id = f"{entry_id}_{description.key}"

    @property
    @override
    def device_info(self) -> DeviceInfo:
        """Return the account's device. Not stored: it is used only to register the entity."""
        identifier = account_identifier(self.coordinator.config_entry)
        return DeviceInfo(identifiers={identifier})


class SubentryEntity(ImapPushEntity):
    """An entity of a folder or a saved search."""

    def __init__(
        self,
        coordinator: AccountCoordinator,
        subentry: ConfigSubentry,
        description: EntityDescription,
    ) -> None:
        """Create an entity of this subentry."""
        super().__init__(coordinator)
        self.subentry_id = subentry.subentry_id
        self.entity_description = description
        entry_id = coordinator.config_entry.entry_id
        self._attr_unique_id = f"{entry_id}_{self.subentry_id}_{description.key}"

    @property
    @override
    def device_info(self) -> DeviceInfo:
        """Return the device of the folder or the search."""
        entry = self.coordinator.config_entry
        return DeviceInfo(identifiers={subentry_identifier(entry, self.subentry_id)})


class FolderEntity(SubentryEntity):
    """An entity of a watched folder."""

    def __init__(
        self,
        coordinator: AccountCoordinator,
        subentry: ConfigSubentry,
        description: EntityDescription,
    ) -> None:
        """Create an entity of this folder."""
        super().__init__(coordinator, subentry, description)
        self.folder: str = subentry.data[CONF_FOLDER]

    @property
    def folder_state(self) -> FolderState:
        """Return the state of the folder."""
        return self.coordinator.data.folders.get(self.folder, _UNKNOWN)

    @property
    @override
    def state_values(self) -> object:
        """Return the state of the folder."""
        return self.folder_state

    @property
    @override
    def available(self) -> bool:
        """Return whether the folder is being watched now."""
        return self.folder_state.available
