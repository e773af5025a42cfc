"""Application credentials: client IDs of OAuth2 providers. The flow selects the provider."""

from homeassistant.components.application_credentials import ClientCredential
from homeassistant.core import HomeAssistant

from .oauth.tokens import MailOAuth2Implementation

_DOCS = "https://github.com/imap-push/imap_push/blob/main/docs"


async def async_get_auth_implementation(
    hass: HomeAssistant, auth_domain: str, credential: ClientCredential
) -> MailOAuth2Implementation:
    """Return a client without a provider."""
    return MailOAuth2Implementation(hass, auth_domain, credential)


async def async_get_description_placeholders(hass: HomeAssistant) -> dict[str, str]:
    """Return the URLs of the guides."""
    return {
        "google_url": f"{_DOCS}/google.md",
        "microsoft_url": f"{_DOCS}/microsoft.md",
    }
