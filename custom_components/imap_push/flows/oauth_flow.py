"""Steps of the config flow for OAuth2: authorization code or device code."""

from abc import abstractmethod
import asyncio
from collections.abc import Mapping
from ipaddress import ip_address
import logging
from typing import Any, Final, override

import voluptuous as vol
from yarl import URL

from homeassistant.config_entries import SOURCE_USER, ConfigFlowResult
from homeassistant.const import CONF_TOKEN, CONF_USERNAME
from homeassistant.exceptions import ImplementationUnavailableError
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.config_entry_oauth2_flow import (
    AbstractOAuth2FlowHandler,
    async_get_implementations,
)
from homeassistant.helpers.selector import (
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
from homeassistant.util.dt import utcnow
from homeassistant.util.hass_dict import HassKey
from homeassistant.util.network import is_local

from ..const import (
    CONF_OAUTH_DEVICE,
    CONF_OAUTH_ENDPOINTS,
    CONF_OAUTH_PROVIDER,
    CONF_OAUTH_SIGNED_IN,
    DOCS_URL,
    DOMAIN,
)
from ..oauth.device_code import (
    DeviceCode,
    DeviceProvider,
    SignInFailed,
    SignInProblem,
    poll_for_token,
    request_code,
)
from ..oauth.providers import (
    CUSTOM,
    OAuthProvider,
    accepts_client_id,
    provider_from_data,
)
from ..oauth.tokens import CONF_AUTH_IMPLEMENTATION, MailOAuth2Implementation
from .form_fields import UserInput

_LOGGER = logging.getLogger(__name__)

# The username of the flow that ended because credentials were missing: the next one shows it.
LAST_LOGIN: HassKey[str] = HassKey(f"{DOMAIN}_last_login")

CONF_AUTHORIZE_URL: Final = "authorize_url"
CONF_IMPLEMENTATION: Final = "implementation"
CONF_SCOPE: Final = "scope"
CONF_TOKEN_URL: Final = "token_url"

# Error codes in the redirect from the provider (RFC 6749 4.1.2.1). All others mean that the
# provider refused the authorization request.
_REJECTIONS: Final = {
    "access_denied": SignInProblem.DENIED,
    "server_error": SignInProblem.UNREACHABLE,
    "temporarily_unavailable": SignInProblem.UNREACHABLE,
}
# For these abort reasons of AbstractOAuth2FlowHandler, show a form instead of aborting.
_ABORT_PROBLEMS: Final = {
    "oauth_failed": SignInProblem.UNREACHABLE,
    "oauth_timeout": SignInProblem.UNREACHABLE,
    "oauth_unauthorized": SignInProblem.REFUSED,
}

_URL_SELECTOR = TextSelector(TextSelectorConfig(type=TextSelectorType.URL))
ENDPOINTS_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_AUTHORIZE_URL): _URL_SELECTOR,
        vol.Required(CONF_TOKEN_URL): _URL_SELECTOR,
        vol.Required(CONF_SCOPE): TextSelector(),
    }
)


def implementation_schema(
    clients: Mapping[str, MailOAuth2Implementation],
) -> vol.Schema:
    """Return the form that asks which client credentials to use."""
    options = [
        SelectOptionDict(value=key, label=client.name)
        for key, client in clients.items()
    ]
    return vol.Schema(
        {
            vol.Required(CONF_IMPLEMENTATION): SelectSelector(
                SelectSelectorConfig(options=options, mode=SelectSelectorMode.LIST)
            )
        }
    )


class OAuthSteps(AbstractOAuth2FlowHandler):
    """Gets an OAuth2 token, then calls async_handle_token(). Start with async_start_oauth()."""

    DOMAIN = DOMAIN

    _client: MailOAuth2Implementation
    _provider: OAuthProvider
    _code: DeviceCode

    def __init__(self) -> None:
        """Start without a provider."""
        super().__init__()
        self._oauth_data: dict[str, Any] = {}
        self._login = ""
        self._polling: asyncio.Task[dict[str, Any]] | None = None
        self._sign_in_error = SignInFailed(SignInProblem.UNREACHABLE)

    @property
    @override
    def logger(self) -> logging.Logger:
        """Return the logger that the base class uses."""
        return _LOGGER

    @property
    @override
    def extra_authorize_data(self) -> dict[str, Any]:
        """Return the login hint: the provider's page is filled with this username."""
        return {"login_hint": self._login}

    @abstractmethod
    async def async_handle_token(self, oauth_data: dict[str, Any]) -> ConfigFlowResult:
        """Continue after a sign-in. `oauth_data` is entry data: provider, client and token."""

    async def async_start_oauth(self, key: str, login: str) -> ConfigFlowResult:
        """Sign in at a provider. `key` is a key of PROVIDERS, or CUSTOM."""
        self._login = login
        if key == CUSTOM:
            # Keep the endpoints, so that the form shows them again after a failed sign-in.
            self._oauth_data[CONF_OAUTH_PROVIDER] = CUSTOM
            return await self.async_step_oauth_endpoints()
        self._oauth_data = {CONF_OAUTH_PROVIDER: key}
        return await self.async_step_pick_implementation()

    async def async_start_oauth_again(
        self, entry_data: Mapping[str, Any]
    ) -> ConfigFlowResult:
        """Sign in for an existing entry, with its provider and client credentials."""
        self._login = entry_data[CONF_USERNAME]
        kept = (CONF_OAUTH_PROVIDER, CONF_OAUTH_ENDPOINTS)
        self._oauth_data = {key: entry_data[key] for key in kept if key in entry_data}
        implementation = entry_data[CONF_AUTH_IMPLEMENTATION]
        return await self.async_step_pick_implementation(
            {CONF_IMPLEMENTATION: implementation}
        )

    async def async_step_oauth_endpoints(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Ask for the endpoints of a custom provider."""
        errors = {}
        if user_input is not None:
            endpoints = {key: value.strip() for key, value in user_input.items()}
            errors = {
                key: "https_needed"
                for key in (CONF_AUTHORIZE_URL, CONF_TOKEN_URL)
                if not is_secure_url(endpoints[key])
            }
            if not errors:
                self._oauth_data[CONF_OAUTH_ENDPOINTS] = endpoints
                return await self.async_step_pick_implementation()
        return self.async_show_form(
            step_id="oauth_endpoints",
            data_schema=self.add_suggested_values_to_schema(
                ENDPOINTS_SCHEMA,
                user_input or self._oauth_data.get(CONF_OAUTH_ENDPOINTS),
            ),
            errors=errors,
        )

    @override
    async def async_step_pick_implementation(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Let the user choose if the provider accepts several of the client credentials."""
        try:
            clients = await async_get_implementations(self.hass, DOMAIN)
        except ImplementationUnavailableError:
            return self.async_abort(reason="oauth_implementation_unavailable")
        self._provider = provider_from_data(self._oauth_data)
        fitting = {
            key: client
            for key, client in clients.items()
            if isinstance(client, MailOAuth2Implementation)
            and accepts_client_id(
                client.client_id, self._oauth_data[CONF_OAUTH_PROVIDER]
            )
        }
        if not fitting:
            return await self.async_step_credentials()
        picked = user_input and fitting.get(user_input[CONF_IMPLEMENTATION])
        if len(fitting) == 1:
            [picked] = fitting.values()
        if picked:
            self._client = picked
            return await self.async_step_oauth_method()
        return self.async_show_form(
            step_id="pick_implementation", data_schema=implementation_schema(fitting)
        )

    async def async_step_credentials(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Say why Home Assistant is about to ask for credentials, with a way back."""
        key = self._oauth_data[CONF_OAUTH_PROVIDER]
        if key == CUSTOM or self.source != SOURCE_USER:
            return await self.async_step_add_credentials()
        return self.async_show_menu(
            step_id="credentials",
            menu_options=["add_credentials", "server", "set_up_again"],
            description_placeholders={
                "guide": f"{DOCS_URL}/{key}.md",
                "provider": key.capitalize(),
            },
        )

    async def async_step_add_credentials(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """End the flow. The frontend asks for credentials and starts another flow."""
        self.hass.data[LAST_LOGIN] = self._login
        return self.async_abort(reason="missing_credentials")

    async def async_step_oauth_method(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Sign in with the browser, or let the user choose if device codes are supported."""
        self.flow_impl = self._client = self._client.for_provider(self._provider)
        self._polling = None
        if self._provider.device_url is None:
            return await self.async_step_auth()
        options = ["auth", "oauth_device"]
        if self.source == SOURCE_USER:
            options.append("server")
        return self.async_show_menu(step_id="oauth_method", menu_options=options)

    @override
    async def async_step_authorize_rejected(
        self, data: None = None
    ) -> ConfigFlowResult:
        """Show why the provider redirected with an error: usually a refusal."""
        error = self.external_data["error"]
        problem = _REJECTIONS.get(error, SignInProblem.REFUSED)
        return self._fail(SignInFailed(problem, error))

    @override
    async def async_step_creation(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Request the token. After a failure, let the user try again."""
        result = await super().async_step_creation(user_input)
        if (problem := _ABORT_PROBLEMS.get(result.get("reason", ""))) is None:
            return result
        return self._fail(SignInFailed(problem, self._client.refusal or "no token"))

    @override
    async def async_oauth_create_entry(self, data: dict[str, Any]) -> ConfigFlowResult:
        """Continue with the token. Without a refresh token, the sign-in failed."""
        if not data[CONF_TOKEN].get("refresh_token"):
            return self._fail(SignInFailed(SignInProblem.REFUSED, "no refresh token"))
        return await self._done(data | {CONF_OAUTH_DEVICE: False})

    async def async_step_oauth_device(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Show a device code, and wait until the user enters this code on the provider's page."""
        session = async_get_clientsession(self.hass)
        assert self._provider.device_url is not None
        provider = DeviceProvider(
            device_url=self._provider.device_url,
            token_url=self._provider.token_url,
            client_id=self._client.client_id,
            scope=self._provider.scope,
        )
        if self._polling is None:
            try:
                code = await request_code(session, provider)
            except SignInFailed as failure:
                return self._fail(failure)
            # Raises UnknownFlow if the user closed the form during the request.
            self.hass.config_entries.flow.async_get(self.flow_id)
            # If the step was called twice, the other call may have started polling.
            if self._polling is None:
                self._code = code
                self._polling = self.hass.async_create_background_task(
                    poll_for_token(session, provider, code), f"{DOMAIN} device code"
                )
        if self._polling.done():
            return self.async_show_progress_done(next_step_id="oauth_device_done")
        return self.async_show_progress(
            step_id="oauth_device",
            progress_action="oauth_device",
            description_placeholders={
                "code": self._code.user_code,
                "url": self._code.verification_uri,
            },
            progress_task=self._polling,
        )

    async def async_step_oauth_device_done(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Continue with the token; the frontend may call this step twice."""
        assert self._polling is not None
        try:
            token = self._polling.result()
        except SignInFailed as failure:
            return self._fail(failure)
        return await self._done(
            {
                CONF_AUTH_IMPLEMENTATION: self._client.domain,
                CONF_OAUTH_DEVICE: True,
                CONF_TOKEN: token,
            }
        )

    async def async_step_oauth_failed(
        self, user_input: UserInput = None
    ) -> ConfigFlowResult:
        """Show why the sign-in failed; try again when the user submits the form."""
        if user_input is not None:
            return await self.async_step_oauth_method()
        return self._fail(self._sign_in_error)

    async def _done(self, data: dict[str, Any]) -> ConfigFlowResult:
        """Continue with the entry data. The time tells a new sign-in from a renewed token."""
        signed_in = {CONF_OAUTH_SIGNED_IN: utcnow().isoformat()}
        return await self.async_handle_token({**self._oauth_data, **data, **signed_in})

    def _fail(self, failure: SignInFailed) -> ConfigFlowResult:
        self._sign_in_error = failure
        return self.async_show_form(
            step_id="oauth_failed",
            data_schema=vol.Schema({}),
            errors={"base": f"sign_in_{failure.problem}"},
            description_placeholders={"reason": str(failure)},
        )


def is_secure_url(address: str) -> bool:
    """Return whether tokens may be sent to a URL: HTTPS, or HTTP to a local IP address."""
    try:
        url = URL(address)
        if url.scheme == "https":
            return bool(url.host)
        return url.scheme == "http" and is_local(ip_address(url.host or ""))
    except ValueError:
        return False
