"""Sensors of an account and of its folders."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import SUBENTRY_TYPE_FOLDER
from .coordinator import ImapPushConfigEntry
from .entity import AccountEntity, FolderEntity
from .imap import AccountState, FolderState, PushMode

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class AccountSensorDescription(SensorEntityDescription):
    """Describes a sensor of an account."""

    value_fn: Callable[[AccountState], str]


@dataclass(frozen=True, kw_only=True)
class FolderSensorDescription(SensorEntityDescription):
    """Describes a sensor of a folder."""

    value_fn: Callable[[FolderState], int | datetime | None]


def _last_mail(state: FolderState) -> datetime | None:
    """Return when the newest mail came: the server's word before the sender's."""
    if (mail := state.last_mail) is None:
        return None
    return mail.received or mail.date


ACCOUNT_SENSORS: tuple[AccountSensorDescription, ...] = (
    AccountSensorDescription(
        key="push_mode",
        translation_key="push_mode",
        device_class=SensorDeviceClass.ENUM,
        entity_category=EntityCategory.DIAGNOSTIC,
        options=[mode.value for mode in PushMode],
        value_fn=lambda state: state.push_mode.value,
    ),
)

FOLDER_SENSORS: tuple[FolderSensorDescription, ...] = (
    FolderSensorDescription(
        key="unread",
        translation_key="unread",
        state_class=SensorStateClass.MEASUREMENT,
        value_fn=lambda state: state.unread,
    ),
    FolderSensorDescription(
        key="last_mail",
        translation_key="last_mail",
        device_class=SensorDeviceClass.TIMESTAMP,
        value_fn=_last_mail,
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: ImapPushConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the sensors of an account and of each of its folders."""
    coordinator = entry.runtime_data
    async_add_entities(
        AccountSensor(coordinator, description) for description in ACCOUNT_SENSORS
    )
    for subentry in entry.get_subentries_of_type(SUBENTRY_TYPE_FOLDER):
        async_add_entities(
            [
                FolderSensor(coordinator, subentry, description)
                for description in FOLDER_SENSORS
            ],
            config_subentry_id=subentry.subentry_id,
        )


class AccountSensor(AccountEntity, SensorEntity):
    """A sensor of an account."""

    entity_description: AccountSensorDescription

    @property
    @override
    def native_value(self) -> str:
        """Return the value for the account's state."""
        return self.entity_description.value_fn(self.coordinator.data)


class FolderSensor(FolderEntity, SensorEntity):
    """A sensor of a folder."""

    entity_description: FolderSensorDescription

    @property
    @override
    def native_value(self) -> int | datetime | None:
        """Return the value for the folder's state."""
        return self.entity_description.value_fn(self.folder_state)
