"""The event entity of a folder."""

from typing import override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import EVENT_NEW_MAIL, SUBENTRY_TYPE_FOLDER
from .coordinator import ImapPushConfigEntry
from .entity import FolderEntity
from .event_data import NewMail

PARALLEL_UPDATES = 0

NEW_MAIL = EventEntityDescription(
    key="new_mail",
    translation_key="new_mail",
    event_types=[EVENT_NEW_MAIL],
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: ImapPushConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the event entity of each folder."""
    for subentry in entry.get_subentries_of_type(SUBENTRY_TYPE_FOLDER):
        async_add_entities(
            [NewMailEvent(entry.runtime_data, subentry, NEW_MAIL)],
            config_subentry_id=subentry.subentry_id,
        )


class NewMailEvent(FolderEntity, EventEntity):
    """The new mails of a folder, with the fields of the bus event as attributes."""

    # The lists of a mail have no bound of their own, and the recorder takes 16 KB.
    _unrecorded_attributes = frozenset(
        {"attachments", "cc", "flags", "message_id", "reply_to", "to"}
    )

    @property
    @override
    def available(self) -> bool:
        """Return true: triggers ignore an event that comes out of unavailable.

        The first mail after a lost connection would be lost to them.
        """
        return True

    @override
    async def async_added_to_hass(self) -> None:
        """Subscribe to new mail."""
        await super().async_added_to_hass()
        self.async_on_remove(
            self.coordinator.async_subscribe_mail(self._async_handle_mail)
        )

    @callback
    def _async_handle_mail(self, mail: NewMail) -> None:
        """Show a mail of this folder."""
        if mail["folder"] != self.folder:
            return
        self._trigger_event(EVENT_NEW_MAIL, mail)
        self.async_write_ha_state()
