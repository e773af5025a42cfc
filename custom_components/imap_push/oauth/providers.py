"""The providers of OAuth2 for mail: where one signs in, and for what."""

from collections.abc import Mapping
from dataclasses import dataclass, field
import re
from typing import Any, Final

from ..const import CONF_OAUTH_ENDPOINTS, CONF_OAUTH_PROVIDER

CUSTOM: Final = "custom"


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthProvider:
    """Who lets the user sign in.

    `device_url` is where a code is to be had instead of a redirect. `authorize_data` goes with
    the user to the page. `client_id` is what the provider's client IDs look like, if it is
    known. Where no client `has_secret`, what the user typed as one is not told.
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
        # Without both there is no refresh token from the second time on.
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
    """Return the provider of an account, which may be one that the user described."""
    key = data[CONF_OAUTH_PROVIDER]
    if key == CUSTOM:
        return OAuthProvider(**data[CONF_OAUTH_ENDPOINTS])
    return PROVIDERS[key]


def fits(client_id: str, key: str) -> bool:
    """Return whether a client ID can be one of this provider.

    At an endpoint of the user's own it can be anything.
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
