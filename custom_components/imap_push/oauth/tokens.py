"""Tokens of an account that is signed in to with OAuth2, kept in its entry."""

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
from .endpoint import NoAnswer, post_form, reason_of, token_of
from .providers import OAuthProvider, provider_from_data

CONF_AUTH_IMPLEMENTATION: Final = "auth_implementation"

# Seconds
REQUEST_DEADLINE: Final = 20.0
# How long before its end a token is renewed; one that lives shortly gets a part of its life.
MARGIN: Final = 60.0
MARGIN_SHARE: Final = 0.25

# What a token endpoint says (RFC 6749 5.2 and habits) while it cannot answer.
_PASSING: Final = frozenset(
    {"rate_limit_exceeded", "server_error", "slow_down", "temporarily_unavailable"}
)

# The renewals that are under way, by entry. They outlive a reload: a refresh token is often
# good for one use only.
_RENEWALS: HassKey[dict[str, asyncio.Task[None]]] = HassKey(f"{DOMAIN}_renewals")

# Home Assistant makes a client before it is known for which account.
_NOWHERE: Final = OAuthProvider(authorize_url="", token_url="", scope="")


class MailOAuth2Implementation(LocalOAuth2ImplementationWithPkce):
    """A client of the user's own, at the provider of an account.

    One list of credentials serves all providers.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        auth_domain: str,
        credential: ClientCredential,
        provider: OAuthProvider = _NOWHERE,
    ) -> None:
        """Keep who asks, and whom."""
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
        # Why there was no token, in the provider's word: not for the log, but for the user.
        self.refusal = ""

    def at(self, provider: OAuthProvider, *, public: bool = False) -> Self:
        """Return the same client at a provider; a public one does not tell its secret."""
        credential = self._credential
        if public or not provider.has_secret:
            credential = ClientCredential(credential.client_id, "", credential.name)
        return type(self)(self.hass, self.domain, credential, provider)

    @property
    @override
    def name(self) -> str:
        """Return what tells it from the user's other clients."""
        return self._credential.name or self.client_id

    @property
    @override
    def extra_authorize_data(self) -> dict[str, Any]:
        """Return what goes with the user to the provider's page."""
        return {
            # The user's own endpoint may have a query, which is to stay (RFC 6749 3.1).
            **URL(self._provider.authorize_url).query,
            "scope": self._provider.scope,
            **self._provider.authorize_data,
            **super().extra_authorize_data,
        }

    @override
    async def _token_request(self, data: dict[str, Any]) -> dict[str, Any]:
        """Ask for a token; nothing that the provider says gets into the log.

        Only what the provider says in the words of OAuth2 counts as a refusal.
        """
        form = {**data, "client_id": self.client_id}
        if self.client_secret:
            form["client_secret"] = self.client_secret
        session = async_get_clientsession(self.hass)
        try:
            answer = await post_form(session, self.token_url, form, REQUEST_DEADLINE)
        except NoAnswer:
            raise OAuth2TokenRequestConnectionError(domain=DOMAIN) from None
        # Yahoo's may be an object.
        error = str(answer.get("error") or "")
        if error in _PASSING:
            raise OAuth2TokenRequestConnectionError(domain=DOMAIN)
        if error:
            self.refusal = reason_of(answer)
            raise OAuth2TokenRequestReauthError(
                request_info=_request_info(self.token_url), domain=DOMAIN
            )
        try:
            return token_of(answer)
        except ValueError:
            raise OAuth2TokenRequestConnectionError(domain=DOMAIN) from None


class _Tokens:
    """Gives the token of an account, renewed before it expires (see TokenSource)."""

    def __init__(
        self,
        data: Callable[[], Mapping[str, Any]],
        renew: Callable[[], Awaitable[None]],
    ) -> None:
        """Read the token in `data`, which `renew` renews."""
        self._data = data
        self._renew = renew

    async def token(self, *, renew: bool = False) -> str:
        """Return a token that is valid as far as is known; `renew`: a new one in any case."""
        if renew or _expires_soon(self._kept()):
            await self._renew()
        token: str = self._kept()["access_token"]
        return token

    def _kept(self) -> Mapping[str, Any]:
        """Return the token; raise TokenUnavailable if there is a password by now."""
        token: Mapping[str, Any] | None = self._data().get(CONF_TOKEN)
        if token is None:
            raise TokenUnavailable("the account has a password by now")
        return token


@callback
def account_of(hass: HomeAssistant, entry: ConfigEntry) -> Account:
    """Return the account of an entry, with its token or password."""
    return account_from_entry_data(entry.data, token_source_of(hass, entry))


def is_same_sign_in(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two entries' data have tokens of one sign-in."""
    have_tokens = CONF_TOKEN in one and CONF_TOKEN in other
    return have_tokens and one.get(CONF_OAUTH_SIGNED_IN) == other.get(
        CONF_OAUTH_SIGNED_IN
    )


@callback
def token_source_of(hass: HomeAssistant, entry: ConfigEntry) -> TokenSource | None:
    """Return where the tokens of an entry come from; None for one with a password."""
    if CONF_OAUTH_PROVIDER not in entry.data:
        return None

    async def renew() -> None:
        renewals = hass.data.setdefault(_RENEWALS, {})
        if (task := renewals.get(entry.entry_id)) is None:
            task = renewals[entry.entry_id] = hass.async_create_task(
                _renew_entry(hass, entry), f"{DOMAIN} token", eager_start=False
            )
            task.add_done_callback(partial(_forget, renewals, entry.entry_id))
        # Unlike awaiting the task, this leaves it alone when who asks is cancelled.
        await asyncio.wait([task])
        task.result()

    return _Tokens(lambda: entry.data, renew)


@callback
def _forget(
    renewals: dict[str, asyncio.Task[None]], entry_id: str, task: asyncio.Task[None]
) -> None:
    """Let the next one renew; an error that nobody waited for is met again then."""
    del renewals[entry_id]
    if not task.cancelled():
        task.exception()


@callback
def token_source_for_data(hass: HomeAssistant, data: dict[str, Any]) -> TokenSource:
    """Return where tokens come from before there is an entry; `data` keeps the newest."""

    async def renew() -> None:
        data[CONF_TOKEN] = await _renewed(hass, data)

    return _Tokens(lambda: data, renew)


async def _renew_entry(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Keep a new token in an entry, unless it is gone or was signed in to anew meanwhile."""
    if (old := entry.data.get(CONF_TOKEN)) is None:
        return
    token = await _renewed(hass, entry.data)
    if entry.data.get(CONF_TOKEN) is not old:
        return
    if hass.config_entries.async_get_entry(entry.entry_id) is not None:
        hass.config_entries.async_update_entry(
            entry, data={**entry.data, CONF_TOKEN: token}
        )


async def _renewed(hass: HomeAssistant, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a new token; raise TokenRevoked or TokenUnavailable."""
    try:
        clients = await async_get_implementations(hass, DOMAIN)
    except ImplementationUnavailableError as error:
        raise TokenUnavailable("the credentials cannot be read now") from error
    client = clients.get(data[CONF_AUTH_IMPLEMENTATION])
    if not isinstance(client, MailOAuth2Implementation):
        raise TokenRevoked("the application credentials are gone")
    try:
        return await client.at(
            provider_from_data(data), public=data.get(CONF_OAUTH_DEVICE, False)
        ).async_refresh_token(data[CONF_TOKEN])
    except OAuth2TokenRequestReauthError:
        raise TokenRevoked("the provider renews the token no more") from None
    except OAuth2TokenRequestBaseError:
        raise TokenUnavailable("the provider does not answer") from None


def _expires_soon(token: Mapping[str, Any]) -> bool:
    margin = min(MARGIN, token["expires_in"] * MARGIN_SHARE)
    return bool(token["expires_at"] - margin < time.time())


def _request_info(url: str) -> RequestInfo:
    """Return whom we asked, as it may be logged: the user's own endpoint may hold a key."""
    origin = URL(url).origin()
    return RequestInfo(origin, "POST", CIMultiDictProxy(CIMultiDict()), origin)
