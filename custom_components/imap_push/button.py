"""The button of an account."""

from typing import override

from homeassistant.components.button import ButtonEntity, ButtonEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import ImapPushConfigEntry
from .entity import AccountEntity

PARALLEL_UPDATES = 0

CHECK_NOW = ButtonEntityDescription(
    key="check_now",
    translation_key="check_now",
    entity_category=EntityCategory.CONFIG,
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: ImapPushConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the button of an account."""
    async_add_entities([CheckNowButton(entry.runtime_data, CHECK_NOW)])


class CheckNowButton(AccountEntity, ButtonEntity):
    """A button that checks all folders for new mail."""

    @override
    async def async_press(self) -> None:
        """Check for new mail now instead of waiting for a push or the next poll."""
        self.coordinator.async_check_now()
