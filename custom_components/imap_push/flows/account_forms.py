"""Forms for an account, and conversion between form values and entry data."""

from collections.abc import Mapping
from typing import Any, Final

import voluptuous as vol

from homeassistant.const import (
    CONF_ADDRESS,
    CONF_AUTHENTICATION,
    CONF_HOST,
    CONF_NAME,
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

from ..const import (
    CONF_CA,
    CONF_FINGERPRINT,
    CONF_MAILBOX,
    CONF_OAUTH_PROVIDER,
    CONF_SECURITY,
    DEFAULT_PORT,
)
from ..imap import Auth, Security, Server
from .form_fields import dropdown, whole_number

CONF_ACCOUNT: Final = "account"
CONF_MANUAL: Final = "manual"
CONF_SERVER: Final = "server"

# Keys of entry data that are not credentials: server and username, trusted certificates.
ACCOUNT_KEYS: Final = (
    CONF_USERNAME,
    CONF_HOST,
    CONF_PORT,
    CONF_SECURITY,
    CONF_VERIFY_SSL,
)
TRUST_KEYS: Final = (CONF_CA, CONF_FINGERPRINT)

USERNAME_SELECTOR = TextSelector(TextSelectorConfig(autocomplete="username"))
PASSWORD_SELECTOR = TextSelector(
    TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="current-password")
)

# Not the selector type for mail addresses: it rejects addresses with non-ASCII characters.
ADDRESS_SCHEMA = vol.Schema(
    {
        vol.Optional(CONF_ADDRESS): TextSelector(
            TextSelectorConfig(autocomplete="email")
        ),
        vol.Optional(CONF_NAME): TextSelector(),
        vol.Required(CONF_MANUAL, default=False): BooleanSelector(),
    }
)
_PASSWORD_FIELD: Final[dict[vol.Marker, Any]] = {
    vol.Optional(CONF_PASSWORD): PASSWORD_SELECTOR
}
_AUTHENTICATION_FIELD: Final[dict[vol.Marker, Any]] = {
    vol.Required(CONF_AUTHENTICATION, default=Auth.PASSWORD.value): dropdown(
        CONF_AUTHENTICATION, [auth.value for auth in Auth]
    )
}
_USERNAME_FIELD: Final[dict[vol.Marker, Any]] = {
    vol.Required(CONF_USERNAME): USERNAME_SELECTOR
}
_SERVER_FIELDS: Final[dict[vol.Marker, Any]] = {
    vol.Required(CONF_HOST): TextSelector(),
    vol.Required(CONF_PORT, default=DEFAULT_PORT): whole_number(
        NumberSelectorConfig(min=1, max=65535)
    ),
    vol.Required(CONF_SECURITY, default=Security.TLS.value): dropdown(
        CONF_SECURITY, [security.value for security in Security]
    ),
    vol.Required(CONF_VERIFY_SSL, default=True): BooleanSelector(),
    **_AUTHENTICATION_FIELD,
    vol.Optional(CONF_MAILBOX): TextSelector(),
}
# The server settings from discovery are in a collapsed section.
PASSWORD_SCHEMA = vol.Schema(
    {
        **_PASSWORD_FIELD,
        vol.Required(CONF_SERVER): section(
            vol.Schema(_USERNAME_FIELD | _SERVER_FIELDS), {"collapsed": True}
        ),
    }
)
SERVER_SCHEMA = vol.Schema(_USERNAME_FIELD | _PASSWORD_FIELD | _SERVER_FIELDS)
REAUTH_SCHEMA = vol.Schema(_PASSWORD_FIELD | _AUTHENTICATION_FIELD)
CA_SCHEMA = vol.Schema(
    {vol.Required(CONF_CA): TextSelector(TextSelectorConfig(multiline=True))}
)


def take_over_schema(accounts: list[SelectOptionDict]) -> vol.Schema:
    """Return the form that asks which account of core IMAP to copy."""
    return vol.Schema(
        {
            vol.Required(CONF_ACCOUNT): SelectSelector(
                SelectSelectorConfig(options=accounts, mode=SelectSelectorMode.LIST)
            )
        }
    )


def entry_data_from_form(user_input: Mapping[str, Any]) -> dict[str, Any]:
    """Convert form values to entry data; strip host, username and mailbox.

    The authentication method is not stored: an entry has either a password or a token. So a
    password is included only for password authentication.
    """
    data = {key: user_input[key] for key in ACCOUNT_KEYS}
    data |= {key: data[key].strip() for key in (CONF_HOST, CONF_USERNAME)}
    mailbox = user_input.get(CONF_MAILBOX, "").strip()
    if mailbox not in {"", data[CONF_USERNAME]}:
        data[CONF_MAILBOX] = mailbox
    if user_input[CONF_AUTHENTICATION] == Auth.PASSWORD:
        data |= password_from(user_input)
    return data


def password_from(user_input: Mapping[str, Any]) -> dict[str, str]:
    """Return the entry data for the password; empty if it is missing or empty."""
    password = user_input.get(CONF_PASSWORD)
    return {CONF_PASSWORD: password} if password else {}


def entry_data_from_server(server: Server) -> dict[str, Any]:
    """Return the entry data for discovered server settings."""
    return {
        CONF_USERNAME: server.username,
        CONF_HOST: server.host,
        CONF_PORT: server.port,
        CONF_SECURITY: server.security.value,
        CONF_VERIFY_SSL: True,
    }


def account_settings(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return entry data without credentials: no password, OAuth provider or token."""
    keys = (*ACCOUNT_KEYS, *TRUST_KEYS, CONF_MAILBOX)
    return {key: data[key] for key in keys if key in data}


def without_trust(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return entry data without CA and fingerprint."""
    return {key: data[key] for key in data if key not in TRUST_KEYS}


def form_from_entry_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """Convert entry data to form values, without secrets."""
    auth = Auth.OAUTH2 if CONF_OAUTH_PROVIDER in data else Auth.PASSWORD
    return {
        **{key: data[key] for key in (*ACCOUNT_KEYS, CONF_MAILBOX) if key in data},
        CONF_AUTHENTICATION: auth.value,
    }
