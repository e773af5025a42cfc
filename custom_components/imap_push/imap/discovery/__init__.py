"""Find the settings of the IMAP server for a mail address."""

from .address import InvalidAddress as InvalidAddress
from .dns import Resolver as Resolver
from .models import (
    Auth as Auth,
    Discovery as Discovery,
    Provider as Provider,
    Server as Server,
    Source as Source,
)
from .providers import (
    provider_of_domain as provider_of_domain,
    provider_of_host as provider_of_host,
)
from .sources import discover as discover
