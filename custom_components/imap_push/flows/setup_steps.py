"""From a mail address to an account: only what is missing is asked for."""

from collections.abc import Callable, Mapping
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
    CONF_PASSWORD,
    CONF_TOKEN,
    CONF_USERNAME,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.util.ssl import client_context

from ..helpers import account_from_entry_data, unique_id_from_entry_data
from ..imap import (
    Account,
    Auth,
    Discovery,
    InvalidAddress,
    LoginRefused,
    Provider,
    Source,
    discover,
    provider_of_host,
)
from ..oauth.providers import CUSTOM
from ..oauth.tokens import is_same_sign_in, token_source_for_data, token_source_of
from .account_forms import (
    ADDRESS_SCHEMA,
    CONF_MANUAL,
    CONF_SERVER,
    PASSWORD_SCHEMA,
    SERVER_SCHEMA,
    entry_data_from_form,
    entry_data_from_server,
    form_from_entry_data,
    password_in,
)
from .account_steps import AccountSteps, Errors, UserInput
from .form_errors import NOTHING
from .oauth_flow import OAuthSteps

# Steps that ask for a password, by the provider's hint and whether it wants an app password.
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
# Steps that ask to confirm a server.
CONFIRM_GUESS: Final = "confirm_guess"
CONFIRM_SERVER: Final = "confirm_server"
# The same, by the provider's hint.
CONFIRM_HINTS: Final = ("exchange", "proton_bridge")


async def async_discover(hass: HomeAssistant, address: str) -> list[Discovery]:
    """Return what can be found out about a mail address; raise InvalidAddress."""
    async with aiodns.DNSResolver() as resolver:
        return await discover(
            address,
            async_get_clientsession(hass),
            resolver,
            ssl_context=client_context(),
        )


class SetupSteps(AccountSteps, OAuthSteps):
    """Leads from a mail address to an account."""

    # What an entry will say of the account, without what signs in to it.
    _account_data: dict[str, Any] | None = None
    _address = ""
    _mail_provider: Provider | None = None
    _server_step = "server"

    @override
    async def async_account(self, data: dict[str, Any]) -> Account:
        """Return the account to try; a token may be renewed in `data` meanwhile.

        That of an entry is renewed there: what renews a token is often good for one use only.
        """
        if CONF_TOKEN not in data:
            return await super().async_account(data)
        entry = self.changed_entry()
        if entry is not None and is_same_sign_in(entry.data, data):
            source = token_source_of(self.hass, entry)
        else:
            source = token_source_for_data(self.hass, data)
        return account_from_entry_data(data, source)

    def changed_entry(self) -> ConfigEntry | None:
        """Return the entry that is to be changed, if there is one already."""
        if self.source == SOURCE_REAUTH:
            return self._get_reauth_entry()
        if self.source == SOURCE_RECONFIGURE:
            return self._get_reconfigure_entry()
        return None

    def name_of_account(self, username: str) -> str:
        """Return what an account is called: its address, which its login may not be."""
        is_address = "@" in username or "@" not in self._address
        return username if is_address else self._address

    async def _set_up_address(self, user_input: dict[str, Any]) -> ConfigFlowResult:
        """Find out what belongs to an address, and ask for the rest."""
        self._address = address = user_input.get(CONF_ADDRESS, "").strip()
        if user_input[CONF_MANUAL]:
            return self._show_server({CONF_USERNAME: address}, {})
        try:
            found = await async_discover(self.hass, address)
        except InvalidAddress:
            return self._show_address(user_input, {CONF_ADDRESS: "invalid_address"})
        if not found:
            values = {CONF_USERNAME: address}
            return self._show_server(values, {CONF_BASE: "nothing_found"})
        best = found[0]
        self._mail_provider = best.provider
        if best.server is None:
            return self._show_address(user_input, {CONF_ADDRESS: "no_imap"})
        self._account_data = entry_data_from_server(best.server)
        await self._claim(self._account_data)
        return await self._ask_for_the_rest(best, best.server.auth)

    async def _ask_for_the_rest(
        self, found: Discovery, auth: tuple[Auth, ...]
    ) -> ConfigFlowResult:
        """Ask for what is still missing; where to sign in has to be known, or typed."""
        takes_password = Auth.PASSWORD in auth
        way = Auth.PASSWORD if takes_password else Auth.OAUTH2
        server = self._found_server() | {CONF_AUTHENTICATION: way}
        if not found.is_trusted:
            self._server_step = _confirm_step(found)
            return self._show_server(server, {})
        has_page = found.provider is not None and found.provider.oauth is not None
        match takes_password, has_page and Auth.OAUTH2 in auth:
            case True, True:
                return await self.async_step_choose_sign_in()
            case True, False:
                return self._show_password(None, {})
            case False, True:
                return await self.async_step_sign_in()
        return self._show_server(server, {})

    async def async_step_choose_sign_in(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Let the user choose where the provider takes an app password, too."""
        return self.async_show_menu(
            step_id="choose_sign_in",
            menu_options=["sign_in", "password", "server"],
            description_placeholders=self._names(),
        )

    async def async_step_sign_in(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Sign in at the provider's own page; who did before, with the same client."""
        if self.source == SOURCE_REAUTH:
            old = self._get_reauth_entry().data
            if CONF_TOKEN in old:
                return await self.async_start_oauth_again(old)
        assert self._account_data is not None
        provider = provider_of_host(self._account_data[CONF_HOST])
        key = (provider and provider.oauth) or CUSTOM
        return await self.async_start_oauth(key, self._account_data[CONF_USERNAME])

    @override
    async def async_oauth_done(self, oauth_data: dict[str, Any]) -> ConfigFlowResult:
        """Try the account with the token that the provider has given."""
        assert self._account_data is not None
        data = self._account_data | oauth_data
        if self.source == SOURCE_USER:
            await self._claim(data)

        def show_again(errors: Errors) -> ConfigFlowResult:
            if CONF_BASE in errors or self.source == SOURCE_REAUTH:
                return self._show_form("sign_in_refused", vol.Schema({}), None, errors)
            return self._show_server(form_from_entry_data(data), errors)

        return await self.async_try_account(data, show_again)

    async def async_step_sign_in_refused(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Sign in once more, unless it was for something else that nothing came of it."""
        if isinstance(self._error, LoginRefused):
            return await self.async_step_sign_in()
        return await self.async_try_account(self._candidate, self._show_again)

    async def async_step_password(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Ask for the password, and say what the provider wants."""
        if user_input is None:
            return self._show_password(None, {})
        typed = {**user_input[CONF_SERVER], **password_in(user_input)}

        def show_again(errors: Errors) -> ConfigFlowResult:
            if errors.keys() & {CONF_BASE, CONF_PASSWORD}:
                return self._show_password(user_input, errors)
            return self._show_server(typed, errors)

        return await self._set_up(typed, show_again)

    async_step_app_password = async_step_password
    async_step_authorization_code = async_step_password
    async_step_enable_imap = async_step_password
    async_step_enable_imap_app_password = async_step_password
    async_step_icloud_domain = async_step_password
    async_step_paid_plan = async_step_password
    async_step_secure_mail_key = async_step_password

    async def async_step_server(self, user_input: UserInput = None) -> ConfigFlowResult:
        """Ask for login and server."""
        if user_input is None:
            return self._show_server(self._account_data and self._found_server(), {})
        return await self._set_up(
            user_input, lambda errors: self._show_server(user_input, errors)
        )

    async_step_confirm_guess = async_step_server
    async_step_confirm_server = async_step_server
    async_step_exchange = async_step_server
    async_step_proton_bridge = async_step_server

    async def _set_up(
        self,
        user_input: dict[str, Any],
        show_again: Callable[[Errors], ConfigFlowResult],
    ) -> ConfigFlowResult:
        """Sign in to an account that is not here already."""
        data = entry_data_from_form(user_input)
        await self._claim(data)
        way = user_input[CONF_AUTHENTICATION]
        return await self.async_sign_in(data, way, show_again)

    async def async_sign_in(
        self,
        data: dict[str, Any],
        way: Auth,
        show_again: Callable[[Errors], ConfigFlowResult],
    ) -> ConfigFlowResult:
        """Try the account; before, get what is missing for the way to sign in."""
        if way == Auth.OAUTH2 and CONF_TOKEN not in data:
            self._account_data = data
            return await self.async_step_sign_in()
        if way == Auth.PASSWORD and CONF_PASSWORD not in data:
            return show_again({CONF_PASSWORD: "password_missing"})
        return await self.async_try_account(data, show_again)

    async def _claim(self, data: Mapping[str, Any]) -> None:
        """End the flow if the account is here already."""
        await self.async_set_unique_id(
            unique_id_from_entry_data(data), raise_on_progress=False
        )
        self._abort_if_unique_id_configured()

    def _show_address(
        self, values: Mapping[str, Any] | None, errors: Errors
    ) -> ConfigFlowResult:
        return self._show_form("user", ADDRESS_SCHEMA, values, errors, **self._names())

    def _show_password(
        self, values: Mapping[str, Any] | None, errors: Errors
    ) -> ConfigFlowResult:
        server = self._found_server()
        return self._show_form(
            _password_step(self._mail_provider),
            PASSWORD_SCHEMA,
            values or {CONF_SERVER: server},
            errors,
            **self._names(),
            host=server[CONF_HOST],
        )

    def _show_server(
        self, values: Mapping[str, Any] | None, errors: Errors
    ) -> ConfigFlowResult:
        return self._show_form(
            self._server_step, SERVER_SCHEMA, values, errors, **self._names()
        )

    def _found_server(self) -> dict[str, Any]:
        """Return what the server's form shows of what was found."""
        assert self._account_data is not None
        return form_from_entry_data(self._account_data)

    def _names(self) -> dict[str, str]:
        """Return what the texts say of the provider."""
        if self._mail_provider is None:
            return {}
        return {
            "provider": self._mail_provider.name,
            "url": self._mail_provider.page or NOTHING,
        }


def _confirm_step(found: Discovery) -> str:
    """Return the step that says why settings are to be confirmed."""
    if found.provider is not None and found.provider.hint in CONFIRM_HINTS:
        return found.provider.hint
    return CONFIRM_GUESS if found.source is Source.GUESS else CONFIRM_SERVER


def _password_step(provider: Provider | None) -> str:
    """Return the step that says what the provider wants."""
    if provider is None:
        return PASSWORD_STEPS[None, False]
    key = provider.hint, provider.needs_app_password
    return PASSWORD_STEPS.get(key) or PASSWORD_STEPS[None, key[1]]
