"""Base classes of all entities."""

from collections.abc import Callable, Iterable, Mapping
from operator import is_
from typing import Final, override

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import callback
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.entity import Entity, EntityDescription
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .account.devices import account_identifier, subentry_identifier
from .account.mail_list import MailList, MailSource
from .const import CONF_FOLDER, CONF_RECORD_MAIL, DEFAULT_RECORD_MAIL
from .coordinator import AccountCoordinator, ImapPushConfigEntry
from .imap import FolderState, Mail

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


class MailListEntity(SubentryEntity):
    """An entity that shows the newest messages of a folder or a saved search."""

    def __init__(
        self,
        coordinator: AccountCoordinator,
        subentry: ConfigSubentry,
        description: EntityDescription,
    ) -> None:
        """Create the list. It is read from the server while the entity is enabled."""
        super().__init__(coordinator, subentry, description)
        self.mail_list = MailList(
            coordinator.client,
            coordinator.shared_lists,
            self,
            watched=coordinator.subentries.folders,
            poll_interval=coordinator.watch_options.poll_interval,
        )
        self._data: Mapping[str, object] | None = None
        self._inputs: list[object] = [None]  # of the last update of the list

    def source_of(self, subentry: ConfigSubentry) -> MailSource:
        """Return the messages that the entity shows."""
        raise NotImplementedError

    def show(self, mails: tuple[Mail, ...] | None) -> None:
        """Set the attributes of the entity for these messages, None if they are unknown."""
        raise NotImplementedError

    @override
    async def async_added_to_hass(self) -> None:
        """Start to read the messages."""
        await super().async_added_to_hass()
        self._update_list()
        self._task = self.coordinator.config_entry.async_create_background_task(
            self.hass, self.mail_list.run(), f"{self.coordinator.name}_mail_list"
        )

    @override
    async def async_will_remove_from_hass(self) -> None:
        """Stop to read the messages."""
        await super().async_will_remove_from_hass()
        self._task.cancel()

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Read the messages again if the folders or the options have changed."""
        if self._update_list():
            super()._handle_coordinator_update()

    @callback
    def _update_list(self) -> bool:
        """Pass the present source and the state of its folders to the list, if they are others.

        An account can have hundreds of lists, and most updates concern another folder.
        """
        coordinator = self.coordinator
        subentry = coordinator.config_entry.subentries.get(self.subentry_id)
        if subentry is not None and subentry.data is not self._data:
            self._data = subentry.data
            self._source = self.source_of(subentry)
        folders, is_online = coordinator.data.folders, coordinator.is_online
        states = map(folders.get, self._source.folders)
        inputs: list[object] = [self._data, is_online, *states]
        if all(map(is_, inputs, self._inputs, strict=False)):
            return False
        self._inputs = inputs
        self.mail_list.update(self._source, folders, is_online=is_online)
        return True

    @callback
    def mails_changed(self) -> None:
        """Show the messages."""
        self.show(self.mail_list.mails)
        super()._handle_coordinator_update()

    @callback
    def login_refused(self) -> None:
        """Request new credentials from the user."""
        self.coordinator.login_refused()

    @property
    @override
    def state_values(self) -> object:
        """Return the messages, and whether they are current."""
        return self.available, self.mail_list.mails

    @property
    @override
    def available(self) -> bool:
        """Return whether the messages are known."""
        return self.coordinator.is_online and self.mail_list.mails is not None
