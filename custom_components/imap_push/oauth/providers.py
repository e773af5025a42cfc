"""OAuth2 endpoints and scopes of mail providers."""

from collections.abc import Mapping
import re
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from ..const import CONF_OAUTH_ENDPOINTS, CONF_OAUTH_PROVIDER

CUSTOM: Final = "custom"


class OAuthProvider(NamedTuple):
    """An OAuth2 provider.

    `device_url` is the device authorization endpoint (RFC 8628). `authorize_data` is added to
    the query of the authorization request. `client_id` matches client IDs, None if their format
    is unknown. If `has_secret` is False, all clients are public and send no client secret.
    """

    authorize_url: str
    token_url: str
    scope: str
    device_url: str | None = None
    authorize_data: Mapping[str, str] = MappingProxyType({})
    client_id: re.Pattern[str] | None = None
    has_secret: bool = True


_MICROSOFT: Final = "https://login.microsoftonline.com/common/oauth2/v2.0"

PROVIDERS: Final[dict[str, OAuthProvider]] = {
    "fastmail": OAuthProvider(
        authorize_url="https://api.fastmail.com/oauth/authorize",
        token_url="https://api.fastmail.com/oauth/refresh",
        scope="https://www.fastmail.com/dev/protocol-imap offline_access",
        has_secret=False,
    ),
    "google": OAuthProvider(
        authorize_url="https://accounts.google.com/o/oauth2/v2/auth",
        token_url="https://oauth2.googleapis.com/token",
        scope="https://mail.google.com/",
        # Without these parameters, not every sign-in returns a refresh token.
        authorize_data={"access_type": "offline", "prompt": "consent"},
        client_id=re.compile(r"[\w-]+\.apps\.googleusercontent\.com"),
    ),
    "microsoft": OAuthProvider(
        authorize_url=f"{_MICROSOFT}/authorize",
        token_url=f"{_MICROSOFT}/token",
        device_url=f"{_MICROSOFT}/devicecode",
        scope="https://outlook.office.com/IMAP.AccessAsUser.All offline_access",
        client_id=re.compile(r"[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}", re.IGNORECASE),
    ),
    "yahoo": OAuthProvider(
        authorize_url="https://api.login.yahoo.com/oauth2/request_auth",
        token_url="https://api.login.yahoo.com/oauth2/get_token",
        scope="mail-w",
        client_id=re.compile(r"dj0y\S+"),
    ),
}


def provider_from_data(data: Mapping[str, Any]) -> OAuthProvider:
    """Return the provider for entry data, which may be a custom one."""
    key = data[CONF_OAUTH_PROVIDER]
    if key == CUSTOM:
        return OAuthProvider(**data[CONF_OAUTH_ENDPOINTS])
    return PROVIDERS[key]


def accepts_client_id(client_id: str, key: str) -> bool:
    """Return whether a client ID may belong to the provider `key` (see PROVIDERS, CUSTOM).

    A custom provider accepts every ID. A provider whose format is unknown accepts every ID that
    does not match another provider.
    """
    if key == CUSTOM:
        return True
    if (own := PROVIDERS[key].client_id) is not None:
        return own.fullmatch(client_id) is not None
    return not any(
        provider.client_id.fullmatch(client_id)
        for provider in PROVIDERS.values()
        if provider.client_id is not None
    )
