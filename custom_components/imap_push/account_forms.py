"""The forms that ask for an account, and what becomes of what was typed."""

from collections.abc import Mapping
from typing import Any, Final

import voluptuous as vol

from homeassistant.const import (
    CONF_ADDRESS,
    CONF_HOST,
    CONF_PASSWORD,
    CONF_PORT,
    CONF_USERNAME,
    CONF_VERIFY_SSL,
)
from homeassistant.data_entry_flow import section
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelectorConfig,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)

from .const import CONF_CA, CONF_SECURITY, DEFAULT_PORT
from .form_fields import dropdown, whole_number
from .imap import Security, Server

CONF_ACCOUNT: Final = "account"
CONF_LOGIN: Final = "login"
CONF_MANUAL: Final = "manual"

USERNAME_SELECTOR = TextSelector(TextSelectorConfig(autocomplete="username"))
PASSWORD_SELECTOR = TextSelector(
    TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="current-password")
)

# The selector for mail addresses would refuse those in other scripts than Latin.
ADDRESS_SCHEMA = vol.Schema(
    {
        vol.Optional(CONF_ADDRESS): TextSelector(
            TextSelectorConfig(autocomplete="email")
        ),
        vol.Required(CONF_MANUAL, default=False): BooleanSelector(),
    }
)
PASSWORD_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_PASSWORD): PASSWORD_SELECTOR,
        vol.Required(CONF_LOGIN): section(
            vol.Schema({vol.Optional(CONF_USERNAME): USERNAME_SELECTOR}),
            {"collapsed": True},
        ),
    }
)
_SERVER_FIELDS: Final[dict[vol.Marker, Any]] = {
    vol.Required(CONF_HOST): TextSelector(),
    vol.Required(CONF_PORT, default=DEFAULT_PORT): whole_number(
        NumberSelectorConfig(min=1, max=65535)
    ),
    vol.Required(CONF_SECURITY, default=Security.TLS.value): dropdown(
        CONF_SECURITY, [security.value for security in Security]
    ),
    vol.Required(CONF_VERIFY_SSL, default=True): BooleanSelector(),
}
SERVER_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_USERNAME): USERNAME_SELECTOR,
        vol.Required(CONF_PASSWORD): PASSWORD_SELECTOR,
        **_SERVER_FIELDS,
    }
)
RECONFIGURE_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_USERNAME): USERNAME_SELECTOR,
        vol.Optional(CONF_PASSWORD): PASSWORD_SELECTOR,
        **_SERVER_FIELDS,
    }
)
REAUTH_SCHEMA = vol.Schema({vol.Required(CONF_PASSWORD): PASSWORD_SELECTOR})
CA_SCHEMA = vol.Schema(
    {vol.Required(CONF_CA): TextSelector(TextSelectorConfig(multiline=True))}
)


def take_over_schema(accounts: list[SelectOptionDict]) -> vol.Schema:
    """Return the form that asks which account of IMAP to take over."""
    return vol.Schema(
        {
            vol.Required(CONF_ACCOUNT): SelectSelector(
                SelectSelectorConfig(options=accounts, mode=SelectSelectorMode.LIST)
            )
        }
    )


def entry_data_from_form(user_input: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was typed, without the blanks that come with pasting."""
    return {
        **user_input,
        CONF_HOST: user_input[CONF_HOST].strip(),
        CONF_USERNAME: user_input[CONF_USERNAME].strip(),
    }


def entry_data_from_server(server: Server) -> dict[str, Any]:
    """Return what an entry keeps of settings that were found."""
    return {
        CONF_USERNAME: server.username,
        CONF_HOST: server.host,
        CONF_PORT: server.port,
        CONF_SECURITY: server.security.value,
        CONF_VERIFY_SSL: True,
    }


def form_from_entry_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the server's form may show of an entry: never a secret."""
    fields = (CONF_USERNAME, CONF_HOST, CONF_PORT, CONF_SECURITY, CONF_VERIFY_SSL)
    return {key: data[key] for key in fields}
