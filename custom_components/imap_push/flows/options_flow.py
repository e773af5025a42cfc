"""Options flow of an account."""

from typing import Final

import voluptuous as vol

from homeassistant.config_entries import ConfigFlowResult, OptionsFlow
from homeassistant.const import UnitOfTime
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import BooleanSelector, NumberSelectorConfig

from ..const import (
    CONF_ACCESS,
    CONF_ASSISTANT,
    CONF_CATCH_UP,
    CONF_NOTIFY,
    CONF_POLL_INTERVAL,
    CONF_PUSH,
    CONF_READ_ONLY,
    CONF_RECORD_MAIL,
    DEFAULT_ASSISTANT,
    DEFAULT_NOTIFY,
    DEFAULT_POLL_INTERVAL,
    DEFAULT_PUSH,
    DEFAULT_READ_ONLY,
    DEFAULT_RECORD_MAIL,
    MAX_POLL_INTERVAL,
    MIN_POLL_INTERVAL,
)
from ..imap import CatchUp
from ..permissions import Access
from .form_fields import UserInput, dropdown, whole_number

# Form section with options that few users need.
SECTION_CONNECTION: Final = "connection"

OPTIONS_SCHEMA: Final = vol.Schema(
    {
        vol.Required(CONF_CATCH_UP, default=CatchUp.ALL.value): dropdown(
            CONF_CATCH_UP, [when.value for when in CatchUp]
        ),
        vol.Required(CONF_ACCESS, default=Access.NONE.value): dropdown(
            CONF_ACCESS, [access.value for access in Access]
        ),
        vol.Required(CONF_READ_ONLY, default=DEFAULT_READ_ONLY): BooleanSelector(),
        vol.Required(CONF_ASSISTANT, default=DEFAULT_ASSISTANT): BooleanSelector(),
        vol.Required(CONF_RECORD_MAIL, default=DEFAULT_RECORD_MAIL): BooleanSelector(),
        vol.Required(SECTION_CONNECTION): section(
            vol.Schema(
                {
                    vol.Required(CONF_PUSH, default=DEFAULT_PUSH): BooleanSelector(),
                    vol.Required(
                        CONF_NOTIFY, default=DEFAULT_NOTIFY
                    ): BooleanSelector(),
                    vol.Required(
                        CONF_POLL_INTERVAL, default=DEFAULT_POLL_INTERVAL
                    ): whole_number(
                        NumberSelectorConfig(
                            min=MIN_POLL_INTERVAL,
                            max=MAX_POLL_INTERVAL,
                            unit_of_measurement=UnitOfTime.SECONDS,
                        )
                    ),
                }
            ),
            {"collapsed": True},
        ),
    }
)


class ImapPushOptionsFlow(OptionsFlow):
    """Changes the options of an account."""

    async def async_step_init(self, user_input: UserInput = None) -> ConfigFlowResult:
        """Ask for the options. Store those of the section on the same level as the others."""
        if user_input is not None:
            connection = user_input.pop(SECTION_CONNECTION)
            return self.async_create_entry(data=user_input | connection)
        options = self.config_entry.options
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(
                OPTIONS_SCHEMA, {**options, SECTION_CONNECTION: options}
            ),
        )
