"""OAuth2 endpoints and scopes of mail providers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
import re
from typing import Any, Final

from ..const import CONF_OAUTH_ENDPOINTS, CONF_OAUTH_PROVIDER

CUSTOM: Final = "custom"


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthProvider:
    """An OAuth2 provider.

    `device_url` is the device authorization endpoint (RFC 8628), if there is one.
    `authorize_data` is added to the query of the authorization request. `client_id` matches
    the client IDs of the provider, if their format is known. If `has_secret` is False, all
    clients are public, and a client secret is not sent.
    """

    authorize_url: str
    token_url: str
    scope: str
    device_url: str | None = None
    authorize_data: Mapping[str, str] = field(default_factory=dict)
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
        # Without both, only the first sign-in returns a refresh token.
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
    """Return the provider for entry data; it may be a custom one."""
    key = data[CONF_OAUTH_PROVIDER]
    if key == CUSTOM:
        return OAuthProvider(**data[CONF_OAUTH_ENDPOINTS])
    return PROVIDERS[key]


def accepts_client_id(client_id: str, key: str) -> bool:
    """Return whether a client ID can be for this provider.

    Custom providers accept every ID, and providers without a known format accept every ID
    that matches no other provider.
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
