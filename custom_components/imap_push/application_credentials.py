"""Application credentials: OAuth2 client IDs. The config flow selects the provider later."""

from homeassistant.components.application_credentials import ClientCredential
from homeassistant.core import HomeAssistant

from .oauth.tokens import MailOAuth2Implementation

_DOCS = "https://github.com/imap-push/imap_push/blob/main/docs"


async def async_get_auth_implementation(
    hass: HomeAssistant, auth_domain: str, credential: ClientCredential
) -> MailOAuth2Implementation:
    """Return the OAuth2 client for a credential, without a provider."""
    return MailOAuth2Implementation(hass, auth_domain, credential)


async def async_get_description_placeholders(hass: HomeAssistant) -> dict[str, str]:
    """Return the URLs of the setup guides."""
    return {
        "google_url": f"{_DOCS}/google.md",
        "microsoft_url": f"{_DOCS}/microsoft.md",
    }
