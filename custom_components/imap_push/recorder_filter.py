"""Excludes the bus event `new_mail` from the recorder unless an account has `record_mail` on."""

import logging

from homeassistant.config_entries import SIGNAL_CONFIG_ENTRY_CHANGED
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.recorder import DATA_INSTANCE

from .const import DOMAIN, EVENT_NEW_MAIL
from .entity import is_mail_recorded

_LOGGER = logging.getLogger(__name__)


@callback
def async_filter_recorder(hass: HomeAssistant) -> None:
    """Exclude `new_mail` from the recorder while `record_mail` is off for every account.

    Home Assistant has no public way to exclude an event, so this changes the recorder's set of
    `recorder: exclude: event_types:`. An event that the user has excluded there stays excluded.
    Does nothing without a recorder.
    """
    if (recorder := hass.data.get(DATA_INSTANCE)) is None:
        return
    excluded = getattr(recorder, "exclude_event_types", None)
    if not isinstance(excluded, set):
        _LOGGER.warning(
            "The recorder stores the event %s: exclude it in configuration.yaml",
            EVENT_NEW_MAIL,
        )
        return
    if EVENT_NEW_MAIL in excluded:
        return

    @callback
    def update(*_: object) -> None:
        accounts = hass.config_entries.async_entries(DOMAIN, include_disabled=False)
        if any(map(is_mail_recorded, accounts)):
            excluded.discard(EVENT_NEW_MAIL)
        else:
            excluded.add(EVENT_NEW_MAIL)

    update()
    async_dispatcher_connect(hass, SIGNAL_CONFIG_ENTRY_CHANGED, update)
