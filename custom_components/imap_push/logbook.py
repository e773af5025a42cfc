"""Logbook entries of new mail."""

from collections.abc import Callable, Mapping
from typing import Any

from homeassistant.components.logbook import (
    LOGBOOK_ENTRY_ENTITY_ID,
    LOGBOOK_ENTRY_MESSAGE,
    LOGBOOK_ENTRY_NAME,
)
from homeassistant.const import Platform
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.translation import async_get_cached_translations

from .const import DOMAIN, EVENT_NEW_MAIL
from .mail.event_data import NewMail
from .permissions import is_mail_shown


@callback
def async_describe_events(
    hass: HomeAssistant,
    async_describe_event: Callable[
        [str, str, Callable[[Event[NewMail]], dict[str, str]]], None
    ],
) -> None:
    """Register the description of new mail."""
    devices = dr.async_get(hass)
    entities = er.async_get(hass)

    @callback
    def async_describe_new_mail(event: Event[NewMail]) -> dict[str, str]:
        """Return the logbook entry of a mail, linked to the folder's event entity.

        All users can read the logbook, so the account's option `access` decides whether it
        shows sender and subject. Fields may be missing: events can be fired manually.
        """
        mail = event.data
        device_id = str(mail.get("device_id"))
        entry = hass.config_entries.async_get_entry(str(mail.get("entry_id")))
        fields = mail if entry is not None and is_mail_shown(entry) else {}
        line = {
            LOGBOOK_ENTRY_NAME: "IMAP Push",
            LOGBOOK_ENTRY_MESSAGE: _message(hass, fields),
        }
        if device := devices.async_get(device_id):
            line[LOGBOOK_ENTRY_NAME] = device.name_by_user or device.name or ""
        for entity in er.async_entries_for_device(entities, device_id):
            if entity.domain == Platform.EVENT:
                line[LOGBOOK_ENTRY_ENTITY_ID] = entity.entity_id
        return line

    async_describe_event(DOMAIN, EVENT_NEW_MAIL, async_describe_new_mail)


def _message(hass: HomeAssistant, mail: Mapping[str, Any]) -> str:
    """Return the text that follows the name of the folder, in the language of the server."""
    texts = async_get_cached_translations(
        hass, hass.config.language, "selector", DOMAIN
    )
    prefix = f"component.{DOMAIN}.selector.activity.options"
    sender = str(mail.get("sender_name") or mail.get("sender") or "")
    key = "received_from" if sender else "received"
    message = texts.get(f"{prefix}.{key}", key).replace("{sender}", sender)
    subject = mail.get("subject")
    return f"{message}: {subject}" if subject else message
