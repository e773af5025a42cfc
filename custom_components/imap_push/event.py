"""The event entities of folders and saved searches."""

from typing import Final, override

from homeassistant.components.event import (
    EventEntity,
    EventEntityDescription,
    EventExtraStoredData,
)
from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import MATCH_ALL
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import EVENT_NEW_MAIL, SUBENTRY_TYPE_FOLDER, SUBENTRY_TYPE_SEARCH
from .coordinator import ImapPushConfigEntry
from .entity import SubentryEntity, async_add_subentry_entities, is_mail_recorded
from .mail.event_data import Delivery, NewMail
from .permissions import is_mail_shown

PARALLEL_UPDATES = 0

EVENT_MATCHING_MAIL: Final = "matching_mail"


NEW_MAIL = EventEntityDescription(
    key="new_mail",
    translation_key="new_mail",
    event_types=[EVENT_NEW_MAIL],
)
MATCHING_MAIL = EventEntityDescription(
    key="matching_mail",
    translation_key="matching_mail",
    event_types=[EVENT_MATCHING_MAIL],
)

# Never recorded: lists and text can exceed the recorder's limit of 16 KB for all attributes,
# and the others are of no use in the history.
BULKY_ATTRIBUTES: Final = frozenset(
    {
        "account",
        "attachments",
        "authentication",
        "cc",
        "date",
        "device_id",
        "entry_id",
        "flags",
        "message_id",
        "reply_to",
        "size",
        "text",
        "to",
        "truncated",
    }
)

# The only attributes if the option `access` is "none": no text from the sender, and nothing
# with which an action could find the mail.
PUBLIC_ATTRIBUTES: Final = frozenset(
    {"account", "bulk", "catch_up", "device_id", "folder", "push", "received"}
)

EVENTS: Final = {
    SUBENTRY_TYPE_FOLDER: NEW_MAIL,
    SUBENTRY_TYPE_SEARCH: MATCHING_MAIL,
}


async def async_setup_entry(
    hass: HomeAssistant,
    entry: ImapPushConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Set up the event entity of each folder and each search."""
    async_add_subentry_entities(entry, async_add_entities, _make_entities)


def _make_entities(
    entry: ImapPushConfigEntry, subentry: ConfigSubentry
) -> list[RecordedMailEvent]:
    entity = RecordedMailEvent if is_mail_recorded(entry) else MailEvent
    description = EVENTS[subentry.subentry_type]
    return [entity(entry.runtime_data, subentry, description)]


class RecordedMailEvent(SubentryEntity, EventEntity):
    """An event for each new mail of a folder, or for each that matches a saved search.

    The attributes are those fields of `NewMail` that all users may see.
    """

    _unrecorded_attributes = BULKY_ATTRIBUTES

    @property
    @override
    def available(self) -> bool:
        """Return True, also without a connection.

        State triggers ignore a change from unavailable, so they would miss the next mail.
        """
        return True

    @override
    async def async_added_to_hass(self) -> None:
        """Subscribe to new mail."""
        await super().async_added_to_hass()
        self.async_on_remove(
            async_dispatcher_connect(
                self.hass,
                self.coordinator.mail_signal(self.subentry_id),
                self._async_handle_mail,
            )
        )

    @override
    async def async_get_last_event_data(self) -> EventExtraStoredData | None:
        """Return the restored event without fields that users may no longer see."""
        if (data := await super().async_get_last_event_data()) is None:
            return None
        attributes = self._visible_fields(data.last_event_attributes or {})
        return EventExtraStoredData(data.last_event_type, attributes)

    def _visible_fields(self, mail: NewMail) -> NewMail:
        """Return the fields that all users may see."""
        if is_mail_shown(self.coordinator.config_entry):
            return mail
        return {key: mail[key] for key in mail if key in PUBLIC_ATTRIBUTES}

    @callback
    def _async_handle_mail(self, delivery: Delivery) -> None:
        """Trigger the event for a mail."""
        self.async_set_context(delivery.context)
        fields = self._visible_fields(delivery.mail)
        self._trigger_event(self.event_types[0], fields)
        self.async_write_ha_state()


class MailEvent(RecordedMailEvent):
    """A RecordedMailEvent without recorded attributes: only the time is recorded."""

    _unrecorded_attributes = frozenset({MATCH_ALL})
