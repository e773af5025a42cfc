"""The value of a saved search as a sensor."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
import logging
from typing import Any, Final, override

from homeassistant.components.sensor import SensorEntity, SensorEntityDescription
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import CALLBACK_TYPE, callback
from homeassistant.exceptions import TemplateError
from homeassistant.helpers.event import async_call_later

from .account.mail_list import MailSource
from .account.saved_searches import search_from_subentry
from .account.value import (
    TEXT_SIZE,
    Value,
    ValueNotRendered,
    ValueOptions,
    async_render,
    template_variables,
)
from .coordinator import AccountCoordinator
from .entity import MailListEntity
from .helpers import name_for_log
from .imap import ImapError, Mail
from .mail.filter import MailFilter

_LOGGER = logging.getLogger(__name__)

VALUE: Final = SensorEntityDescription(key="value", translation_key="value")
# Pauses after which a message is fetched again.
RETRY_SECONDS: Final = (5, 60, 600)


class ValueSensor(MailListEntity, SensorEntity):
    """The value of the newest message that matches a saved search.

    It is unknown if no message matches, after `clear_after`, and if the template fails.
    """

    _mail: Mail | None = None
    _evaluation: asyncio.Task[None] | None = None
    _cancel_clear: CALLBACK_TYPE | None = None

    def __init__(
        self,
        coordinator: AccountCoordinator,
        subentry: ConfigSubentry,
        options: ValueOptions,
    ) -> None:
        """Create the sensor; a change of the options creates another one."""
        super().__init__(coordinator, subentry, VALUE)
        self._options = options
        self._attr_device_class = options.device_class
        self._attr_native_unit_of_measurement = options.unit
        self._attr_state_class = options.state_class

    @override
    async def async_will_remove_from_hass(self) -> None:
        """Stop to evaluate messages."""
        await super().async_will_remove_from_hass()
        self._stop()

    def _stop(self) -> None:
        if self._evaluation is not None:
            self._evaluation.cancel()
        if self._cancel_clear is not None:
            self._cancel_clear()
            self._cancel_clear = None

    @override
    def source_of(self, subentry: ConfigSubentry) -> MailSource:
        """Return the newest message that matches."""
        search = search_from_subentry(subentry)
        mail_filter = MailFilter(has_attachment=search.criteria.has_attachment)
        return MailSource(search.folders, search.criteria, mail_filter, size=1)

    @override
    def show(self, mails: tuple[Mail, ...] | None) -> None:
        """Evaluate the newest message if it is another one."""
        if mails is None or (mail := next(iter(mails), None)) == self._mail:
            return
        self._stop()
        self._mail = mail
        remaining = self._options.remaining(mail) if mail else None
        seconds = remaining.total_seconds() if remaining else None
        if mail is None or (seconds is not None and seconds <= 0):
            self._attr_native_value = None
            return
        self._evaluation = self.coordinator.config_entry.async_create_background_task(
            self.hass, self._async_evaluate(mail), f"{self.coordinator.name}_value"
        )
        if seconds is not None:
            self._cancel_clear = async_call_later(self.hass, seconds, self._clear)

    @callback
    def _clear(self, _now: datetime) -> None:
        self._cancel_clear = None
        self._set(None)

    @callback
    def _set(self, value: Value) -> None:
        self._attr_native_value = value
        self.async_write_ha_state()

    async def _async_evaluate(self, mail: Mail) -> None:
        """Fetch a message and set the value; repeat if the server fails."""
        for pause in (*RETRY_SECONDS, None):
            try:
                variables = await self._async_variables(mail)
            except ImapError as err:
                _LOGGER.debug("No value of a message: %s", type(err).__name__)
                if pause is not None:
                    await asyncio.sleep(pause)
                continue
            self._set(await self._async_value(variables))
            return
        self._set(None)

    async def _async_variables(self, mail: Mail) -> Mapping[str, Any]:
        content = await self.coordinator.client.content(
            mail.folder, mail.uid_validity, mail.uid, text_size=TEXT_SIZE, html=True
        )
        account = self.coordinator.config_entry.title
        return template_variables(content, account)

    async def _async_value(self, variables: Mapping[str, Any]) -> Value:
        """Return the value, None if the template fails. Log no text of the message."""
        try:
            return await async_render(self.hass, self._options, variables)
        except (TemplateError, ValueNotRendered) as err:
            reason = (
                str(err) if isinstance(err, ValueNotRendered) else "it has an error"
            )
            _LOGGER.warning(
                "%s: the template of %s gives no value (%s)",
                name_for_log(self.coordinator.config_entry),
                self.entity_id,
                reason,
            )
            return None
