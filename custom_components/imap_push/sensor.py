"""Sensors of an account, of its folders and of its saved searches."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .account.value import ValueOptions
from .const import DOMAIN, SUBENTRY_TYPE_FOLDER
from .coordinator import AccountCoordinator, ImapPushConfigEntry
from .entity import (
    PRIVATE_ATTRIBUTES,
    AccountEntity,
    FolderEntity,
    SubentryEntity,
    async_add_subentry_entities,
    is_mail_recorded,
)
from .imap import AccountState, FolderState, PushMode
from .mail.errors import ERROR_KEYS, error_key
from .permissions import is_mail_shown
from .value_sensor import ValueSensor

PARALLEL_UPDATES = 0


def _total_unread(state: AccountState) -> int | None:
    """Return the sum of all known unread counts, None if none is known."""
    counts = [
        folder.unread
        for folder in state.folders.values()
        if folder.available and folder.unread is not None
    ]
    return sum(counts) if counts else None


def _last_error(coordinator: AccountCoordinator) -> str | None:
    """Return the sensor state for the last connection error."""
    return error_key(error) if (error := coordinator.last_error) else None


def _last_mail(state: FolderState) -> datetime | None:
    """Return INTERNALDATE of the newest mail, or its Date header field if unknown."""
    if (mail := state.last_mail) is None:
        return None
    return mail.received or mail.date


def _last_mail_attributes(state: FolderState) -> dict[str, Any] | None:
    """Return sender and subject of the newest mail."""
    if (mail := state.last_mail) is None:
        return None
    return {
        "sender": mail.sender,
        # A tile that shows this must not be empty.
        "sender_name": mail.sender_name or mail.sender,
        "subject": mail.subject,
    }


# Values by key. Not in subclasses of the description: a data class with 20 fields takes 1 to 2 ms
# to create at import.
ACCOUNT_VALUES: Final[dict[str, Callable[[AccountCoordinator], str | int | None]]] = {
    "total_unread": lambda coordinator: _total_unread(coordinator.data),
    "push_mode": lambda coordinator: coordinator.data.push_mode.value,
    "last_error": _last_error,
}
FOLDER_VALUES: Final[dict[str, Callable[[FolderState], int | datetime | None]]] = {
    "unread": lambda state: state.unread,
    "messages": lambda state: state.messages,
    "last_mail": _last_mail,
}

ACCOUNT_SENSORS: tuple[SensorEntityDescription, ...] = (
    SensorEntityDescription(
        key="total_unread",
        translation_key="total_unread",
        state_class=SensorStateClass.MEASUREMENT,
    ),
    SensorEntityDescription(
        key="push_mode",
        translation_key="push_mode",
        device_class=SensorDeviceClass.ENUM,
        entity_category=EntityCategory.DIAGNOSTIC,
        options=[mode.value for mode in PushMode],
    ),
    SensorEntityDescription(
        key="last_error",
        translation_key="last_error",
        device_class=SensorDeviceClass.ENUM,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        options=sorted(ERROR_KEYS.values()),
    ),
)

FOLDER_SENSORS: tuple[SensorEntityDescription, ...] = (
    SensorEntityDescription(
        key="unread",
        translation_key="unread",
        state_class=SensorStateClass.MEASUREMENT,
    ),
    SensorEntityDescription(
        key="messages",
        translation_key="messages",
        state_class=SensorStateClass.MEASUREMENT,
        entity_registry_enabled_default=False,
    ),
    SensorEntityDescription(
        key="last_mail",
        translation_key="last_mail",
        device_class=SensorDeviceClass.TIMESTAMP,
        # Each mail would have a second line in the logbook, after that of the event entity.
        entity_registry_enabled_default=False,
    ),
)

MATCHES = SensorEntityDescription(
    key="matches",
    translation_key="matches",
    state_class=SensorStateClass.MEASUREMENT,
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: ImapPushConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the sensors of an account, of each folder and of each search."""
    async_add_entities(
        AccountSensor(entry.runtime_data, description)
        for description in ACCOUNT_SENSORS
    )
    async_add_subentry_entities(entry, async_add_entities, _make_entities)


def _make_entities(
    entry: ImapPushConfigEntry, subentry: ConfigSubentry
) -> list[SensorEntity]:
    coordinator = entry.runtime_data
    if subentry.subentry_type != SUBENTRY_TYPE_FOLDER:
        return [
            MatchesSensor(coordinator, subentry, MATCHES),
            *_value_sensors(coordinator, subentry),
        ]
    folder_sensor = RecordedFolderSensor if is_mail_recorded(entry) else FolderSensor
    return [
        folder_sensor(coordinator, subentry, description)
        for description in FOLDER_SENSORS
    ]


@callback
def _value_sensors(
    coordinator: AccountCoordinator, subentry: ConfigSubentry
) -> list[ValueSensor]:
    """Return the sensor for the value of a search; remove it if there is none anymore."""
    options = ValueOptions.from_config(subentry.data)
    if options is None:
        unique_id = f"{coordinator.config_entry.entry_id}_{subentry.subentry_id}_value"
        registry = er.async_get(coordinator.hass)
        if entity_id := registry.async_get_entity_id("sensor", DOMAIN, unique_id):
            registry.async_remove(entity_id)
        return []
    # Home Assistant does not check who reads a state.
    if not is_mail_shown(coordinator.config_entry):
        return []
    return [ValueSensor(coordinator, subentry, options)]


class AccountSensor(AccountEntity, SensorEntity):
    """A sensor of an account."""

    @property
    @override
    def native_value(self) -> str | int | None:
        """Return the value from the account's state."""
        return ACCOUNT_VALUES[self.entity_description.key](self.coordinator)

    @property
    @override
    def state_values(self) -> object:
        """Return the value."""
        return self.native_value


class RecordedFolderSensor(FolderEntity, SensorEntity):
    """A sensor of a folder; attributes with sender and subject are recorded."""

    @property
    @override
    def native_value(self) -> int | datetime | None:
        """Return the value from the folder's state."""
        return FOLDER_VALUES[self.entity_description.key](self.folder_state)

    @property
    @override
    def state_values(self) -> object:
        """Return all of the folder's state that this sensor shows."""
        return self.available, self.native_value, self.extra_state_attributes

    @property
    @override
    def extra_state_attributes(self) -> Mapping[str, Any] | None:
        """Return the attributes if all users may see them."""
        is_last_mail = self.entity_description.key == "last_mail"
        if not (is_last_mail and is_mail_shown(self.coordinator.config_entry)):
            return None
        return _last_mail_attributes(self.folder_state)


class FolderSensor(RecordedFolderSensor):
    """A RecordedFolderSensor that does not record attributes with sender and subject."""

    _unrecorded_attributes = PRIVATE_ATTRIBUTES


class MatchesSensor(SubentryEntity, SensorEntity):
    """The number of mails that match a saved search."""

    @property
    @override
    def available(self) -> bool:
        """Return whether the count of every folder of the search is known."""
        return self.native_value is not None

    @property
    @override
    def native_value(self) -> int | None:
        """Return the number of matching mails, None if it is unknown."""
        return self.coordinator.searches.count(self.subentry_id)

    @property
    @override
    def state_values(self) -> object:
        """Return the count."""
        return self.native_value
