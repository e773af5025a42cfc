"""A custom integration for tests that redirects all mail providers to loopback."""

from typing import Final

from custom_components.imap_push.imap.discovery import providers
from custom_components.imap_push.oauth import providers as oauth_providers
from homeassistant.core import HomeAssistant
from homeassistant.helpers.typing import ConfigType

DOMAIN: Final = "local_providers"
HOST: Final = "localhost"


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Replace all providers by one mail server and one authorization server."""
    issuer, port = config[DOMAIN]["issuer"], config[DOMAIN]["imap_port"]
    for domain, provider in providers._BY_DOMAIN.items():
        providers._BY_DOMAIN[domain] = provider._replace(host=HOST, port=port)
    # All providers have the same host now, so a look-up by host can return only one.
    providers._BY_HOST[HOST] = providers.PROVIDERS[config[DOMAIN]["provider"]]
    for key, oauth in oauth_providers.PROVIDERS.items():
        oauth_providers.PROVIDERS[key] = oauth._replace(
            authorize_url=f"{issuer}/authorize",
            token_url=f"{issuer}/token",
            device_url=oauth.device_url and f"{issuer}/device",
            client_id=None,
        )
    return True
