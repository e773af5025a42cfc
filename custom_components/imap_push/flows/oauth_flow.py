"""Steps of the config flow that sign in with OAuth2: in the browser, or with a code."""

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
from homeassistant.util.network import is_local

from ..const import (
    CONF_OAUTH_DEVICE,
    CONF_OAUTH_ENDPOINTS,
    CONF_OAUTH_PROVIDER,
    CONF_OAUTH_SIGNED_IN,
    DOMAIN,
)
from ..oauth.device_code import (
    DeviceCode,
    DeviceProvider,
    SignInFailed,
    SignInProblem,
    poll,
    start,
)
from ..oauth.providers import CUSTOM, OAuthProvider, fits, provider_from_data
from ..oauth.tokens import CONF_AUTH_IMPLEMENTATION, MailOAuth2Implementation

_LOGGER = logging.getLogger(__name__)

CONF_AUTHORIZE_URL: Final = "authorize_url"
CONF_IMPLEMENTATION: Final = "implementation"
CONF_SCOPE: Final = "scope"
CONF_TOKEN_URL: Final = "token_url"

# Why the provider's page sends the user back without a code (RFC 6749 4.1.2.1). All else
# means that it does not like what was asked for.
_REJECTIONS: Final = {
    "access_denied": SignInProblem.DENIED,
    "server_error": SignInProblem.UNREACHABLE,
    "temporarily_unavailable": SignInProblem.UNREACHABLE,
}
# What comes of the reasons for which Home Assistant would give up.
_PROBLEMS: Final = {
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
    """Return the form that asks with which client to sign in."""
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
    """Signs in, and goes on with `async_oauth_done`."""

    DOMAIN = DOMAIN

    _client: MailOAuth2Implementation
    _provider: OAuthProvider
    _code: DeviceCode

    def __init__(self) -> None:
        """Begin with nobody to sign in."""
        super().__init__()
        self._oauth: dict[str, Any] = {}
        self._login = ""
        self._polling: asyncio.Task[dict[str, Any]] | None = None
        self._failure = SignInFailed(SignInProblem.UNREACHABLE)

    @property
    @override
    def logger(self) -> logging.Logger:
        """Return where the steps of Home Assistant log to."""
        return _LOGGER

    @property
    @override
    def extra_authorize_data(self) -> dict[str, Any]:
        """Return what saves the user typing the address once more."""
        return {"login_hint": self._login}

    @abstractmethod
    async def async_oauth_done(self, oauth_data: dict[str, Any]) -> ConfigFlowResult:
        """Go on with what an entry keeps of a sign-in, beside login and server."""

    async def async_start_oauth(self, key: str, login: str) -> ConfigFlowResult:
        """Sign in to an account at a provider of PROVIDERS, or at one of the user's own."""
        self._login = login
        if key == CUSTOM:
            # Who signs in once more finds the addresses as they were typed.
            self._oauth[CONF_OAUTH_PROVIDER] = CUSTOM
            return await self.async_step_oauth_endpoints()
        self._oauth = {CONF_OAUTH_PROVIDER: key}
        return await self.async_step_pick_implementation()

    async def async_start_oauth_again(
        self, entry_data: Mapping[str, Any]
    ) -> ConfigFlowResult:
        """Sign in to the account of an entry, with the client that it was set up with."""
        self._login = entry_data[CONF_USERNAME]
        kept = (CONF_OAUTH_PROVIDER, CONF_OAUTH_ENDPOINTS)
        self._oauth = {key: entry_data[key] for key in kept if key in entry_data}
        implementation = entry_data[CONF_AUTH_IMPLEMENTATION]
        return await self.async_step_pick_implementation(
            {CONF_IMPLEMENTATION: implementation}
        )

    async def async_step_oauth_endpoints(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask where to sign in at a provider that is not known."""
        errors = {}
        if user_input is not None:
            endpoints = {key: value.strip() for key, value in user_input.items()}
            errors = _find_bad_endpoints(endpoints)
            if not errors:
                self._oauth[CONF_OAUTH_ENDPOINTS] = endpoints
                return await self.async_step_pick_implementation()
        return self.async_show_form(
            step_id="oauth_endpoints",
            data_schema=self.add_suggested_values_to_schema(
                ENDPOINTS_SCHEMA, user_input or self._oauth.get(CONF_OAUTH_ENDPOINTS)
            ),
            errors=errors,
        )

    @override
    async def async_step_pick_implementation(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask with which client to sign in, if there is more than one that fits."""
        try:
            clients = await async_get_implementations(self.hass, DOMAIN)
        except ImplementationUnavailableError:
            return self.async_abort(reason="oauth_implementation_unavailable")
        self._provider = provider_from_data(self._oauth)
        fitting = {
            key: client
            for key, client in clients.items()
            if isinstance(client, MailOAuth2Implementation)
            and fits(client.client_id, self._oauth[CONF_OAUTH_PROVIDER])
        }
        if not fitting:
            # The frontend asks for credentials then, and begins anew.
            return self.async_abort(reason="missing_credentials")
        picked = user_input and fitting.get(user_input[CONF_IMPLEMENTATION])
        if len(fitting) == 1:
            [picked] = fitting.values()
        if picked:
            self._client = picked
            return await self.async_step_oauth_way()
        return self.async_show_form(
            step_id="pick_implementation", data_schema=implementation_schema(fitting)
        )

    async def async_step_oauth_way(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Let the user choose how to sign in, where there are two ways."""
        self.flow_impl = self._client = self._client.at(self._provider)
        self._polling = None
        if self._provider.device_url is None:
            return await self.async_step_auth()
        ways = ["auth", "oauth_device"]
        if self.source == SOURCE_USER:
            ways.append("server")
        return self.async_show_menu(step_id="oauth_way", menu_options=ways)

    @override
    async def async_step_authorize_rejected(
        self, data: None = None
    ) -> ConfigFlowResult:
        """Tell that the user or the provider did not allow it."""
        error = self.external_data["error"]
        problem = _REJECTIONS.get(error, SignInProblem.REFUSED)
        return self._fail(SignInFailed(problem, error))

    @override
    async def async_step_creation(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Get the token; the user may try again if there is none."""
        result = await super().async_step_creation(user_input)
        if (problem := _PROBLEMS.get(result.get("reason", ""))) is None:
            return result
        return self._fail(SignInFailed(problem, self._client.refusal or "no token"))

    @override
    async def async_oauth_create_entry(self, data: dict[str, Any]) -> ConfigFlowResult:
        """Go on, unless the sign-in would end with the first token."""
        if not data[CONF_TOKEN].get("refresh_token"):
            return self._fail(SignInFailed(SignInProblem.REFUSED, "no refresh token"))
        return await self._done(data | {CONF_OAUTH_DEVICE: False})

    async def async_step_oauth_device(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show a code, and wait until the user has typed it on the provider's page."""
        session = async_get_clientsession(self.hass)
        provider = self._device_provider()
        if self._polling is None:
            try:
                code = await start(session, provider)
            except SignInFailed as failure:
                return self._fail(failure)
            # If the user has closed the form meanwhile, this raises UnknownFlow.
            self.hass.config_entries.flow.async_get(self.flow_id)
            # The form may have been sent twice.
            if self._polling is None:
                self._code = code
                self._polling = self.hass.async_create_background_task(
                    poll(session, provider, code), f"{DOMAIN} device code"
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
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Go on with what came of the code; the frontend may ask twice."""
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
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Tell why nothing came of it; then let the user try again."""
        if user_input is not None:
            return await self.async_step_oauth_way()
        return self._fail(self._failure)

    async def _done(self, data: dict[str, Any]) -> ConfigFlowResult:
        """Go on with the token; by the time, an entry tells a new sign-in from a renewal."""
        signed_in = {CONF_OAUTH_SIGNED_IN: utcnow().isoformat()}
        return await self.async_oauth_done({**self._oauth, **data, **signed_in})

    def _fail(self, failure: SignInFailed) -> ConfigFlowResult:
        self._failure = failure
        return self.async_show_form(
            step_id="oauth_failed",
            data_schema=vol.Schema({}),
            errors={"base": f"sign_in_{failure.problem}"},
            description_placeholders={"reason": str(failure)},
        )

    def _device_provider(self) -> DeviceProvider:
        """Return the provider as a public client asks it, which has no secret."""
        assert self._provider.device_url is not None
        return DeviceProvider(
            device_url=self._provider.device_url,
            token_url=self._provider.token_url,
            client_id=self._client.client_id,
            scope=self._provider.scope,
        )


def is_safe(address: str) -> bool:
    """Return whether tokens may be sent there: encrypted, or at home."""
    try:
        url = URL(address)
        if url.scheme == "https":
            return bool(url.host)
        return url.scheme == "http" and is_local(ip_address(url.host or ""))
    except ValueError:
        return False


def _find_bad_endpoints(endpoints: Mapping[str, str]) -> dict[str, str]:
    """Return the fields that hold no address to which a token may be sent."""
    return {
        key: "https_needed"
        for key in (CONF_AUTHORIZE_URL, CONF_TOKEN_URL)
        if not is_safe(endpoints[key])
    }
