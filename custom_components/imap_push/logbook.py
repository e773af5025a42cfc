"""Lines of the logbook."""

from collections.abc import Callable

from homeassistant.components.logbook import (
    LOGBOOK_ENTRY_ENTITY_ID,
    LOGBOOK_ENTRY_MESSAGE,
    LOGBOOK_ENTRY_NAME,
)
from homeassistant.const import Platform
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er

from .const import DOMAIN, EVENT_NEW_MAIL
from .event_data import NewMail


@callback
def async_describe_events(
    hass: HomeAssistant,
    async_describe_event: Callable[
        [str, str, Callable[[Event[NewMail]], dict[str, str]]], None
    ],
) -> None:
    """Describe new mail."""
    devices = dr.async_get(hass)
    entities = er.async_get(hass)

    @callback
    def async_describe_new_mail(event: Event[NewMail]) -> dict[str, str]:
        """Tell who wrote what, with the event entity of the folder if it is there."""
        mail = event.data
        device = devices.async_get(mail["device_id"])
        line = {
            LOGBOOK_ENTRY_NAME: (device and (device.name_by_user or device.name))
            or f"{mail['account']} {mail['folder']}",
            LOGBOOK_ENTRY_MESSAGE: _message(mail),
        }
        for entity in er.async_entries_for_device(entities, mail["device_id"]):
            if entity.domain == Platform.EVENT:
                line[LOGBOOK_ENTRY_ENTITY_ID] = entity.entity_id
        return line

    async_describe_event(DOMAIN, EVENT_NEW_MAIL, async_describe_new_mail)


def _message(mail: NewMail) -> str:
    """Return what follows the name of the folder."""
    sender = mail["sender_name"] or mail["sender"] or "an unknown sender"
    message = f"received mail from {sender}"
    return f"{message}: {mail['subject']}" if mail["subject"] else message
