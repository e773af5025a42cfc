"""A custom integration for pictures: mail servers have their usual names, but are on loopback."""

import socket
from typing import Any, Final

from custom_components.imap_push.imap.discovery import providers
from homeassistant.core import HomeAssistant
from homeassistant.helpers.typing import ConfigType

DOMAIN: Final = "local_hosts"
LOOPBACK: Final = "127.0.0.1"


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Resolve the hosts of all providers to loopback, where one server has this port."""
    hosts = set()
    for domain, provider in providers._BY_DOMAIN.items():
        hosts.add(provider.host)
        providers._BY_DOMAIN[domain] = provider._replace(
            port=config[DOMAIN]["imap_port"]
        )
    getaddrinfo = socket.getaddrinfo

    def resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
        return getaddrinfo(LOOPBACK if host in hosts else host, *args, **kwargs)

    socket.getaddrinfo = resolve
    return True
