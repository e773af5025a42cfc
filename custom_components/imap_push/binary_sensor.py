"""Binary sensors of an account."""

from typing import override

from homeassistant.components.binary_sensor import (
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import ImapPushConfigEntry
from .entity import AccountEntity

PARALLEL_UPDATES = 0

CONNECTIVITY = BinarySensorEntityDescription(
    key="connectivity",
    device_class=BinarySensorDeviceClass.CONNECTIVITY,
    entity_category=EntityCategory.DIAGNOSTIC,
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: ImapPushConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the binary sensors of an account."""
    async_add_entities([ConnectivityBinarySensor(entry.runtime_data, CONNECTIVITY)])


class ConnectivityBinarySensor(AccountEntity, BinarySensorEntity):
    """The connection to the account's server."""

    @property
    @override
    def is_on(self) -> bool:
        """Return whether the server is connected."""
        return self.coordinator.data.connected

    @property
    @override
    def state_values(self) -> object:
        """Return whether the server is connected."""
        return self.is_on
