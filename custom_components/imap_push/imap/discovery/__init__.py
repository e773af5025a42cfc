"""Find the settings of the IMAP server for a mail address."""

from .address import InvalidAddress
from .dns import Resolver
from .models import Auth, Discovery, Provider, Server, Source
from .providers import provider_of_domain, provider_of_host
from .sources import discover

__all__ = [
    "Auth",
    "Discovery",
    "InvalidAddress",
    "Provider",
    "Resolver",
    "Server",
    "Source",
    "discover",
    "provider_of_domain",
    "provider_of_host",
]
