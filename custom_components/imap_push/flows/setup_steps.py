"""Steps from a mail address to an account: discovery, password, OAuth, server settings."""

from collections.abc import Mapping
from typing import Any, Final, override

import aiodns
import voluptuous as vol

from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    SOURCE_USER,
    ConfigEntry,
    ConfigFlowResult,
)
from homeassistant.const import (
    CONF_ADDRESS,
    CONF_AUTHENTICATION,
    CONF_BASE,
    CONF_HOST,
    CONF_NAME,
    CONF_PASSWORD,
    CONF_TOKEN,
    CONF_USERNAME,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.util.ssl import client_context

from ..helpers import account_from_entry_data, local_part, unique_id_from_entry_data
from ..imap import (
    Account,
    Auth,
    Discovery,
    InvalidAddress,
    LoginRefused,
    Provider,
    Source,
    provider_of_host,
)
from ..imap.discovery.sources import discover
from ..oauth.providers import CUSTOM
from ..oauth.tokens import (
    is_same_sign_in,
    token_source_for_data,
    token_source_for_entry,
)
from ..server_text import NOTHING
from .account_forms import (
    ADDRESS_SCHEMA,
    CONF_MANUAL,
    CONF_SERVER,
    PASSWORD_SCHEMA,
    SERVER_SCHEMA,
    entry_data_from_form,
    entry_data_from_server,
    form_from_entry_data,
    password_from,
)
from .account_steps import AccountSteps, Errors, ShowForm
from .form_fields import UserInput
from .oauth_flow import OAuthSteps

# Steps that ask for a password, by Provider.hint and Provider.needs_app_password.
PASSWORD_STEPS: Final = {
    (None, False): "password",
    (None, True): "app_password",
    ("authorization_code", True): "authorization_code",
    ("enable_imap", False): "enable_imap",
    ("enable_imap", True): "enable_imap_app_password",
    ("icloud_domain", True): "icloud_domain",
    ("paid_plan", False): "paid_plan",
    ("paid_plan", True): "paid_plan",
    ("secure_mail_key", True): "secure_mail_key",
}
# Steps that ask the user to confirm a discovered server.
CONFIRM_GUESS: Final = "confirm_guess"
CONFIRM_SERVER: Final = "confirm_server"
# Values of Provider.hint that have their own step of this kind, with the same name.
CONFIRM_HINTS: Final = ("exchange", "proton_bridge")


async def async_discover_servers(hass: HomeAssistant, address: str) -> list[Discovery]:
    """Discover server settings for a mail address, best first. Raises InvalidAddress."""
    async with aiodns.DNSResolver() as resolver:
        return await discover(
            address,
            async_get_clientsession(hass),
            resolver,
            ssl_context=client_context(),
        )


class SetupSteps(AccountSteps, OAuthSteps):
    """Asks for the mail address, runs discovery, then asks for what is still missing."""

    # Entry data without credentials.
    _account_data: dict[str, Any] | None = None
    _name = ""
    _provider_of_address: Provider | None = None
    _server_step = "server"

    @override
    def account_to_try(self, data: dict[str, Any]) -> Account:
        """Return the account for entry data, with its password or a source of tokens.

        A renewed token is stored in `data`, but in the entry if `data` has the entry's token:
        many providers accept a refresh token only once, so only one place may renew it.
        """
        if CONF_TOKEN not in data:
            return account_from_entry_data(data)
        entry = self.entry_to_update()
        if entry is not None and is_same_sign_in(entry.data, data):
            source = token_source_for_entry(self.hass, entry)
        else:
            source = token_source_for_data(self.hass, data)
        return account_from_entry_data(data, source)

    def entry_to_update(self) -> ConfigEntry | None:
        """Return the existing entry in a reauth or reconfigure flow, otherwise None."""
        if self.source == SOURCE_REAUTH:
            return self._get_reauth_entry()
        if self.source == SOURCE_RECONFIGURE:
            return self._get_reconfigure_entry()
        return None

    def account_title(self, mailbox: str) -> str:
        """Return the name that the user chose, or the part of the mailbox before the @.

        If another account has that title, it is the mailbox.
        """
        if self._name:
            return self._name
        others = {entry.title for entry in self._async_current_entries()}
        title = local_part(mailbox)
        return mailbox if title in others else title

    async def _submit_address(self, user_input: dict[str, Any]) -> ConfigFlowResult:
        """Discover the server for the mail address, then ask for what is missing."""
        address = user_input.get(CONF_ADDRESS, "").strip()
        self._name = user_input.get(CONF_NAME, "").strip()
        if user_input[CONF_MANUAL]:
            return self._show_server({CONF_USERNAME: address}, {})
        try:
            found = await async_discover_servers(self.hass, address)
        except InvalidAddress:
            return self._show_address(user_input, {CONF_ADDRESS: "invalid_address"})
        if not found:
            values = {CONF_USERNAME: address}
            return self._show_server(values, {CONF_BASE: "nothing_found"})
        best = found[0]
        self._provider_of_address = best.provider
        if best.server is None:
            return self._show_address(user_input, {CONF_ADDRESS: "no_imap"})
        self._account_data = entry_data_from_server(best.server)
        await self._abort_if_configured(self._account_data)
        return await self._ask_for_missing(best, best.server.auth)

    async def _ask_for_missing(
        self, found: Discovery, auth: tuple[Auth, ...]
    ) -> ConfigFlowResult:
        """Ask for password or OAuth; show the server form if untrusted or neither fits."""
        supports_password = Auth.PASSWORD in auth
        auth_method = Auth.PASSWORD if supports_password else Auth.OAUTH2
        server = self._server_values() | {CONF_AUTHENTICATION: auth_method}
        if not found.is_trusted:
            self._server_step = _confirm_step(found)
            return self._show_server(server, {})
        supports_oauth = (
            Auth.OAUTH2 in auth
            and found.provider is not None
            and found.provider.oauth is not None
        )
        if supports_password and supports_oauth:
            return await self.async_step_choose_sign_in()
        if supports_password:
            return self._show_password(None, {})
        if supports_oauth:
            return await self.async_step_sign_in()
        return self._show_server(server, {})

    async def async_step_choose_sign_in(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Let the user choose between OAuth, an app password and setup by hand."""
        return self.async_show_menu(
            step_id="choose_sign_in",
            menu_options=["sign_in", "password", "server"],
            description_placeholders=self._provider_placeholders(),
        )

    async def async_step_sign_in(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Sign in with OAuth. To reauthenticate, use the entry's client credentials."""
        if self.source == SOURCE_REAUTH:
            old = self._get_reauth_entry().data
            if CONF_TOKEN in old:
                return await self.async_start_oauth_again(old)
        assert self._account_data is not None
        provider = provider_of_host(self._account_data[CONF_HOST])
        key = (provider and provider.oauth) or CUSTOM
        return await self.async_start_oauth(key, self._account_data[CONF_USERNAME])

    @override
    async def async_handle_token(self, oauth_data: dict[str, Any]) -> ConfigFlowResult:
        """Log in to the server with the token from the provider."""
        assert self._account_data is not None
        data = self._account_data | oauth_data
        if self.source == SOURCE_USER:
            await self._abort_if_configured(data)

        def show_again(errors: Errors) -> ConfigFlowResult:
            if CONF_BASE in errors or self.source == SOURCE_REAUTH:
                return self._show_form("sign_in_refused", vol.Schema({}), None, errors)
            return self._show_server(form_from_entry_data(data), errors)

        return await self.async_try_account(data, show_again)

    async def async_step_sign_in_refused(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Sign in again if the server refused the token; after any other error, log in again."""
        if isinstance(self._error, LoginRefused):
            return await self.async_step_sign_in()
        return await self.async_try_account(self._candidate, self._show_again)

    async def async_step_password(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Ask for the password. Each step name has the instructions for one kind of provider."""
        if user_input is None:
            return self._show_password(None, {})
        server_input = {**user_input[CONF_SERVER], **password_from(user_input)}

        def show_again(errors: Errors) -> ConfigFlowResult:
            if errors.keys() & {CONF_BASE, CONF_PASSWORD}:
                return self._show_password(user_input, errors)
            return self._show_server(server_input, errors)

        return await self._submit_server(server_input, show_again)

    async_step_app_password = async_step_password
    async_step_authorization_code = async_step_password
    async_step_enable_imap = async_step_password
    async_step_enable_imap_app_password = async_step_password
    async_step_icloud_domain = async_step_password
    async_step_paid_plan = async_step_password
    async_step_secure_mail_key = async_step_password

    async def async_step_server(self, user_input: UserInput = None) -> ConfigFlowResult:
        """Ask for username and server."""
        if user_input is None:
            return self._show_server(self._account_data and self._server_values(), {})
        return await self._submit_server(
            user_input, lambda errors: self._show_server(user_input, errors)
        )

    async_step_confirm_guess = async_step_server
    async_step_confirm_server = async_step_server
    async_step_exchange = async_step_server
    async_step_proton_bridge = async_step_server

    async def _submit_server(
        self, user_input: dict[str, Any], show_again: ShowForm
    ) -> ConfigFlowResult:
        """Log in with the form values, unless the account is configured already."""
        data = entry_data_from_form(user_input)
        await self._abort_if_configured(data)
        return await self.async_sign_in(
            data, user_input[CONF_AUTHENTICATION], show_again
        )

    async def async_sign_in(
        self, data: dict[str, Any], auth_method: Auth, show_again: ShowForm
    ) -> ConfigFlowResult:
        """Log in; if the token or the password is missing, ask for it first."""
        if auth_method == Auth.OAUTH2 and CONF_TOKEN not in data:
            self._account_data = data
            return await self.async_step_sign_in()
        if auth_method == Auth.PASSWORD and CONF_PASSWORD not in data:
            return show_again({CONF_PASSWORD: "password_missing"})
        return await self.async_try_account(data, show_again)

    async def _abort_if_configured(self, data: Mapping[str, Any]) -> None:
        """Set the unique ID; abort if the account is configured already."""
        await self.async_set_unique_id(
            unique_id_from_entry_data(data), raise_on_progress=False
        )
        self._abort_if_unique_id_configured()

    def _show_address(
        self, values: Mapping[str, Any] | None, errors: Errors
    ) -> ConfigFlowResult:
        return self._show_form(
            "user", ADDRESS_SCHEMA, values, errors, **self._provider_placeholders()
        )

    def _show_password(
        self, values: Mapping[str, Any] | None, errors: Errors
    ) -> ConfigFlowResult:
        server = self._server_values()
        return self._show_form(
            _password_step(self._provider_of_address),
            PASSWORD_SCHEMA,
            values or {CONF_SERVER: server},
            errors,
            **self._provider_placeholders(),
            host=server[CONF_HOST],
        )

    def _show_server(
        self, values: Mapping[str, Any] | None, errors: Errors
    ) -> ConfigFlowResult:
        return self._show_form(
            self._server_step,
            SERVER_SCHEMA,
            values,
            errors,
            **self._provider_placeholders(),
        )

    def _server_values(self) -> dict[str, Any]:
        """Return the discovered settings as values of the server form."""
        assert self._account_data is not None
        return form_from_entry_data(self._account_data)

    def _provider_placeholders(self) -> dict[str, str]:
        """Return the placeholders that describe the provider; empty if it is unknown."""
        if self._provider_of_address is None:
            return {}
        return {
            "provider": self._provider_of_address.name,
            "url": self._provider_of_address.page or NOTHING,
        }


def _confirm_step(found: Discovery) -> str:
    """Return the step that explains why the user has to confirm the settings."""
    if found.provider is not None and found.provider.hint in CONFIRM_HINTS:
        return found.provider.hint
    return CONFIRM_GUESS if found.source is Source.GUESS else CONFIRM_SERVER


def _password_step(provider: Provider | None) -> str:
    """Return the password step with the instructions for a provider."""
    if provider is None:
        return PASSWORD_STEPS[None, False]
    key = provider.hint, provider.needs_app_password
    return PASSWORD_STEPS.get(key) or PASSWORD_STEPS[None, key[1]]
