"""Application credentials: OAuth2 client IDs. The config flow selects the provider later."""

from homeassistant.components.application_credentials import ClientCredential
from homeassistant.core import HomeAssistant

from .const import DOCS_URL
from .oauth.tokens import MailOAuth2Implementation


async def async_get_auth_implementation(
    hass: HomeAssistant, auth_domain: str, credential: ClientCredential
) -> MailOAuth2Implementation:
    """Return the OAuth2 client for a credential, without a provider."""
    return MailOAuth2Implementation(hass, auth_domain, credential)


async def async_get_description_placeholders(hass: HomeAssistant) -> dict[str, str]:
    """Return the URLs of the setup guides."""
    return {
        "google_url": f"{DOCS_URL}/google.md",
        "microsoft_url": f"{DOCS_URL}/microsoft.md",
    }
