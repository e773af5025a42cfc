"""Triggers of automations."""

import asyncio
from typing import Final, cast, override

import voluptuous as vol

from homeassistant.const import CONF_OPTIONS, CONF_TARGET
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.trigger import (
    Trigger,
    TriggerActionRunner,
    TriggerConfig,
    TriggerNotTriggeredReporter,
)
from homeassistant.helpers.typing import ConfigType

from .helpers import without_none
from .mail.event_data import SIGNAL_NEW_MAIL, Delivery
from .mail.filter import FILTER_FIELDS, MailFilter, check_filter
from .mail.targets import MailTarget

_CONFIG_SCHEMA: Final = vol.Schema(
    {
        vol.Required(CONF_TARGET): cv.TARGET_FIELDS,
        vol.Required(CONF_OPTIONS, default={}): vol.All(
            without_none, FILTER_FIELDS, check_filter
        ),
    }
)


class NewMailTrigger(Trigger):
    """Triggers on each new mail of the target that matches the filter.

    The target selects folders, and saved searches that the mail has to match.

    The trigger subscribes to the mail of all accounts, so accounts can be loaded and reloaded
    later.
    """

    @override
    @classmethod
    async def async_validate_config(
        cls, hass: HomeAssistant, config: ConfigType
    ) -> ConfigType:
        """Validate the config. The target may not exist yet."""
        return cast(ConfigType, _CONFIG_SCHEMA(config))

    def __init__(self, hass: HomeAssistant, config: TriggerConfig) -> None:
        """Read the validated config."""
        super().__init__(hass, config)
        self._filter = MailFilter.from_config(config.options or {})
        self._target = MailTarget(hass, config.target or {})

    @override
    async def async_attach_runner(
        self,
        run_action: TriggerActionRunner,
        did_not_trigger: TriggerNotTriggeredReporter | None = None,
    ) -> CALLBACK_TYPE:
        """Run the action for each mail until detached."""
        checks: set[asyncio.Task[None]] = set()

        @callback
        def async_mail_arrived(delivery: Delivery) -> None:
            """Run the action if filter and target match. Test the filter first: it is cheaper."""
            mail = delivery.mail
            if not self._filter.matches(mail, delivery.recipients):
                return
            folder = mail["device_id"]
            selected = self._target.async_select((folder,), delivery.searches)
            # If the folder is selected, the mail has triggered when it arrived.
            if not selected or (delivery.searches and folder in selected):
                return
            if not self._filter.needs_content(mail):
                async_run(delivery)
                return
            check = self._hass.async_create_task(async_check_content(delivery))
            checks.add(check)
            check.add_done_callback(checks.discard)

        async def async_check_content(delivery: Delivery) -> None:
            """Run the action if text and header match, which are fetched for this."""
            content = await delivery.content.async_get()
            if content and self._filter.matches_content(content):
                async_run(delivery)

        @callback
        def async_run(delivery: Delivery) -> None:
            mail = delivery.mail
            description = f"new mail in {mail['folder']} of {mail['account']}"
            run_action({"mail": mail}, description, delivery.context)

        disconnect = async_dispatcher_connect(
            self._hass, SIGNAL_NEW_MAIL, async_mail_arrived
        )

        @callback
        def async_detach() -> None:
            disconnect()
            for check in checks:
                check.cancel()

        return async_detach


async def async_get_triggers(hass: HomeAssistant) -> dict[str, type[Trigger]]:
    """Return the triggers."""
    return {"new_mail": NewMailTrigger}
