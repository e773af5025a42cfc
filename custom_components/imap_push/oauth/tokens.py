"""OAuth2 tokens of accounts: requests, renewal, and storage in the config entry."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
import time
from typing import Any, Final, Self, override

from aiohttp import RequestInfo
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from homeassistant.components.application_credentials import ClientCredential
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_TOKEN
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import (
    ImplementationUnavailableError,
    OAuth2TokenRequestBaseError,
    OAuth2TokenRequestConnectionError,
    OAuth2TokenRequestReauthError,
)
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.config_entry_oauth2_flow import (
    LocalOAuth2ImplementationWithPkce,
    async_get_implementations,
)
from homeassistant.util.hass_dict import HassKey

from ..const import CONF_OAUTH_DEVICE, CONF_OAUTH_PROVIDER, CONF_OAUTH_SIGNED_IN, DOMAIN
from ..helpers import account_from_entry_data
from ..imap import Account, TokenRevoked, TokenSource, TokenUnavailable
from .endpoint import EndpointError, error_code_from, post_form, token_from
from .providers import OAuthProvider, provider_from_data

CONF_AUTH_IMPLEMENTATION: Final = "auth_implementation"

# Renew a token this long before it expires, but at most this share of its lifetime before.
RENEWAL_MARGIN_SECONDS: Final = 60.0
RENEWAL_MARGIN_SHARE: Final = 0.25

# Error codes of token endpoints (RFC 6749 5.2 and others) that are no refusal.
_TEMPORARY_ERRORS: Final = frozenset(
    {"rate_limit_exceeded", "server_error", "slow_down", "temporarily_unavailable"}
)

# Running renewals by entry ID. They continue during a reload, because many providers accept a
# refresh token only once: a lost response would require a new sign-in.
_RENEWALS: HassKey[dict[str, asyncio.Task[None]]] = HassKey(f"{DOMAIN}_renewals")

# Placeholder: Home Assistant creates clients before the provider is known.
_NO_PROVIDER: Final = OAuthProvider(authorize_url="", token_url="", scope="")


class MailOAuth2Implementation(LocalOAuth2ImplementationWithPkce):
    """An OAuth2 client: credentials from the user, and the provider of an account.

    Home Assistant has one list of credentials for all providers; see for_provider().
    """

    def __init__(
        self,
        hass: HomeAssistant,
        auth_domain: str,
        credential: ClientCredential,
        provider: OAuthProvider = _NO_PROVIDER,
    ) -> None:
        """Create a client for a credential."""
        super().__init__(
            hass,
            auth_domain,
            credential.client_id,
            provider.authorize_url,
            provider.token_url,
            credential.client_secret,
        )
        self._credential = credential
        self._provider = provider
        # Error code of the last refused request, shown to the user but not logged.
        self.refusal = ""

    def for_provider(self, provider: OAuthProvider, *, public: bool = False) -> Self:
        """Return a copy of this client for a provider. If `public`, it sends no client secret."""
        credential = self._credential
        if public or not provider.has_secret:
            credential = ClientCredential(credential.client_id, "", credential.name)
        return type(self)(self.hass, self.domain, credential, provider)

    @property
    @override
    def name(self) -> str:
        """Return the name of the credential, or its client ID."""
        return self._credential.name or self.client_id

    @property
    @override
    def extra_authorize_data(self) -> dict[str, Any]:
        """Return the query parameters of the authorization request."""
        return {
            # Keep the query that the URL of a custom provider may have (RFC 6749 3.1).
            **URL(self._provider.authorize_url).query,
            "scope": self._provider.scope,
            **self._provider.authorize_data,
            **super().extra_authorize_data,
        }

    @override
    async def _token_request(self, data: dict[str, Any]) -> dict[str, Any]:
        """Request a token, without logging the response.

        Raises OAuth2TokenRequestReauthError for an OAuth2 error (RFC 6749 5.2), which requires
        a new sign-in, and OAuth2TokenRequestConnectionError for a temporary problem.
        """
        form = {**data, "client_id": self.client_id}
        if self.client_secret:
            form["client_secret"] = self.client_secret
        session = async_get_clientsession(self.hass)
        try:
            response = await post_form(session, self.token_url, form)
        except EndpointError:
            raise OAuth2TokenRequestConnectionError(domain=DOMAIN) from None
        # Yahoo may send an object instead of a string.
        error = str(response.get("error") or "")
        if error in _TEMPORARY_ERRORS:
            raise OAuth2TokenRequestConnectionError(domain=DOMAIN)
        if error:
            self.refusal = error_code_from(response)
            raise OAuth2TokenRequestReauthError(
                request_info=_request_info(self.token_url), domain=DOMAIN
            )
        try:
            return token_from(response)
        except ValueError:
            raise OAuth2TokenRequestConnectionError(domain=DOMAIN) from None


class _StoredTokenSource:
    """A TokenSource for a token that is stored in entry data."""

    def __init__(
        self,
        data: Callable[[], Mapping[str, Any]],
        renew: Callable[[], Awaitable[None]],
    ) -> None:
        """`data` returns the entry data; `renew` replaces the token there."""
        self._data = data
        self._renew = renew

    async def token(self, *, renew: bool = False) -> str:
        """Return the access token. Renew it first if it expires soon or if `renew` is True."""
        if renew or _expires_soon(self._stored_token()):
            await self._renew()
        token: str = self._stored_token()["access_token"]
        return token

    def _stored_token(self) -> Mapping[str, Any]:
        """Return the stored token. Raises TokenUnavailable if the user changed to a password."""
        token: Mapping[str, Any] | None = self._data().get(CONF_TOKEN)
        if token is None:
            raise TokenUnavailable("the account now has a password")
        return token


@callback
def account_from_entry(hass: HomeAssistant, entry: ConfigEntry) -> Account:
    """Return the account of an entry, with its password or a source of tokens."""
    return account_from_entry_data(entry.data, token_source_for_entry(hass, entry))


def is_same_sign_in(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether both entry data have a token, and from the same sign-in."""
    have_tokens = CONF_TOKEN in one and CONF_TOKEN in other
    return have_tokens and one.get(CONF_OAUTH_SIGNED_IN) == other.get(
        CONF_OAUTH_SIGNED_IN
    )


@callback
def token_source_for_entry(
    hass: HomeAssistant, entry: ConfigEntry
) -> TokenSource | None:
    """Return the token source for an entry; None if it has a password."""
    if CONF_OAUTH_PROVIDER not in entry.data:
        return None

    async def renew() -> None:
        renewals = hass.data.setdefault(_RENEWALS, {})
        if (task := renewals.get(entry.entry_id)) is None:
            task = renewals[entry.entry_id] = hass.async_create_task(
                _renew_entry(hass, entry), f"{DOMAIN} token", eager_start=False
            )
            task.add_done_callback(partial(_remove_renewal, renewals, entry.entry_id))
        # Unlike `await task`, this does not cancel the task when the caller is cancelled.
        await asyncio.wait([task])
        task.result()

    return _StoredTokenSource(lambda: entry.data, renew)


@callback
def _remove_renewal(
    renewals: dict[str, asyncio.Task[None]], entry_id: str, task: asyncio.Task[None]
) -> None:
    """Remove a finished renewal. Retrieve its exception: no caller may be left to do so."""
    del renewals[entry_id]
    if not task.cancelled():
        task.exception()


@callback
def token_source_for_data(hass: HomeAssistant, data: dict[str, Any]) -> TokenSource:
    """Return the token source for entry data without an entry; it stores tokens in `data`."""

    async def renew() -> None:
        data[CONF_TOKEN] = await _request_new_token(hass, data)

    return _StoredTokenSource(lambda: data, renew)


async def _renew_entry(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Renew and store the token of an entry, unless it was removed or signed in again."""
    if (old := entry.data.get(CONF_TOKEN)) is None:
        return
    token = await _request_new_token(hass, entry.data)
    if entry.data.get(CONF_TOKEN) is not old:
        return
    if hass.config_entries.async_get_entry(entry.entry_id) is not None:
        hass.config_entries.async_update_entry(
            entry, data={**entry.data, CONF_TOKEN: token}
        )


async def _request_new_token(
    hass: HomeAssistant, data: Mapping[str, Any]
) -> dict[str, Any]:
    """Request a new token. Raises TokenRevoked or TokenUnavailable."""
    try:
        clients = await async_get_implementations(hass, DOMAIN)
    except ImplementationUnavailableError as error:
        raise TokenUnavailable("the application credentials cannot be read") from error
    client = clients.get(data[CONF_AUTH_IMPLEMENTATION])
    if not isinstance(client, MailOAuth2Implementation):
        raise TokenRevoked("the application credentials were removed")
    try:
        return await client.for_provider(
            provider_from_data(data), public=data.get(CONF_OAUTH_DEVICE, False)
        ).async_refresh_token(data[CONF_TOKEN])
    except OAuth2TokenRequestReauthError:
        raise TokenRevoked("the provider refused to renew the token") from None
    except OAuth2TokenRequestBaseError:
        raise TokenUnavailable("the provider is not available") from None


def _expires_soon(token: Mapping[str, Any]) -> bool:
    margin = min(RENEWAL_MARGIN_SECONDS, token["expires_in"] * RENEWAL_MARGIN_SHARE)
    return bool(token["expires_at"] - margin < time.time())


def _request_info(url: str) -> RequestInfo:
    """Return request info to log: only the origin, as the URL may contain a secret."""
    origin = URL(url).origin()
    return RequestInfo(origin, "POST", CIMultiDictProxy(CIMultiDict()), origin)
