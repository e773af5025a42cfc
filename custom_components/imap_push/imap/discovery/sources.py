"""Query all sources of server settings for a mail address concurrently."""

import asyncio
from collections.abc import Iterable
import ssl
from typing import Final

import aiohttp
from yarl import URL

from ..models import Security
from .address import MailAddress, base_domain, host_name, is_within, parse_address
from .autoconfig import read_autoconfig
from .dns import Resolver, Service, find_alias, find_mx_hosts, find_services
from .first_answer import gather_until
from .guess import guess_server
from .http import asks_for_windows_login, fetch
from .models import Discovery, Server, Source
from .providers import (
    EXCHANGE,
    PROVIDERS,
    provider_of_domain,
    provider_of_host,
    provider_of_mx,
    settings_for,
)

# For all sources together, and for the files of one source.
DEADLINE_SECONDS: Final = 5.0
FETCH_DEADLINE_SECONDS: Final = 4.0

ISPDB: Final = "https://autoconfig.thunderbird.net/v1.1"

# The prefix of the host, and the path, of the autoconfig file of a domain.
_AUTOCONFIG_LOCATIONS: Final = (
    ("autoconfig.", "/mail/config-v1.1.xml"),
    ("", "/.well-known/autoconfig/mail/config-v1.1.xml"),
)
_AUTODISCOVER: Final = "/autodiscover/autodiscover.xml"
_MICROSOFT_AUTODISCOVER: Final = "autodiscover.outlook.com"


async def discover(
    address: str,
    session: aiohttp.ClientSession,
    resolver: Resolver,
    *,
    ssl_context: ssl.SSLContext | None = None,
    ispdb: str = ISPDB,
) -> list[Discovery]:
    """Return the settings that are found within five seconds, the best first.

    For the domains of well-known providers and of local networks, nothing is sent. Otherwise only
    public addresses are contacted, so that a domain cannot direct requests into the local
    network. Without `ssl_context`, no servers are guessed. Raises only InvalidAddress.
    """
    parsed = parse_address(address)
    if provider := provider_of_domain(parsed.domain):
        return [settings_for(provider, parsed, Source.BUNDLED)]
    if host_name(parsed.domain) is None:
        return []
    search = _Search(parsed, session, resolver, ispdb)
    sources = [
        search.mx_provider(),
        search.autoconfig(),
        search.services(),
        search.ispdb(),
        search.microsoft365(),
        search.plain_autoconfig(),
        search.mx_autoconfig(),
    ]
    if ssl_context is not None:
        sources.append(search.guess(ssl_context))
    sources.append(search.exchange_server())
    found = await gather_until(
        sources,
        lambda found: any(server.is_trusted for server in found),
        DEADLINE_SECONDS,
    )
    return _best_first(found)


def _best_first(results: Iterable[list[Discovery]]) -> list[Discovery]:
    """Return the settings without duplicate servers; trusted settings come first."""
    found = [discovery for result in results for discovery in result]
    found.sort(key=lambda discovery: not discovery.is_trusted)
    unique: dict[Server | None, Discovery] = {}
    for discovery in found:
        unique.setdefault(discovery.server, discovery)
    return list(unique.values())


class _Search:
    """The sources of settings for one address; each method queries one of them."""

    def __init__(
        self,
        address: MailAddress,
        session: aiohttp.ClientSession,
        resolver: Resolver,
        ispdb: str,
    ) -> None:
        self._address = address
        self._domain = address.domain
        self._session = session
        self._resolver = resolver
        self._ispdb = URL(ispdb)
        self._mx_hosts = asyncio.ensure_future(find_mx_hosts(resolver, self._domain))

    async def mx_provider(self) -> list[Discovery]:
        """Return the settings of the well-known provider in the MX records of the domain.

        They are trusted although DNS is not signed: a forged record can only select another
        well-known provider.
        """
        for host in await self._mx_hosts:
            if provider := provider_of_mx(host):
                return [settings_for(provider, self._address, Source.MX)]
        return []

    async def microsoft365(self) -> list[Discovery]:
        """Return Microsoft 365 if the Autodiscover record of the domain points to it.

        The MX records of such a domain may name a spam filter.
        """
        alias = await find_alias(self._resolver, f"autodiscover.{self._domain}")
        if alias != _MICROSOFT_AUTODISCOVER:
            return []
        return [settings_for(PROVIDERS["microsoft365"], self._address, Source.MX)]

    async def autoconfig(self) -> list[Discovery]:
        """Return the autoconfig of the domain over https, which may depend on the address."""
        query = {"emailaddress": str(self._address)}
        urls = [
            url.with_query(query) for url in _autoconfig_urls("https", self._domain)
        ]
        return await self._read_first(urls, Source.AUTOCONFIG, is_trusted=True)

    async def plain_autoconfig(self) -> list[Discovery]:
        """Return the autoconfig of the domain over http, where an attacker could forge it.

        The address is not sent: it would be readable.
        """
        urls = _autoconfig_urls("http", self._domain)
        return await self._read_first(urls, Source.AUTOCONFIG, is_trusted=False)

    async def ispdb(self) -> list[Discovery]:
        """Return the entry of the domain in the ISPDB, the database of Thunderbird."""
        return await self._read_first(
            [self._ispdb / self._domain], Source.ISPDB, is_trusted=True
        )

    async def mx_autoconfig(self) -> list[Discovery]:
        """Return the ISPDB entry or the autoconfig of the domain of the preferred MX host.

        Only the ISPDB is trusted: a forged MX record could name any domain, but the ISPDB has
        only the settings of providers.
        """
        hosts = await self._mx_hosts
        domain = base_domain(hosts[0]) if hosts else self._domain
        if domain == self._domain:
            return []
        known = await self._read_first(
            [self._ispdb / domain], Source.MX, is_trusted=True
        )
        urls = _autoconfig_urls("https", domain)
        return known or await self._read_first(urls, Source.MX, is_trusted=False)

    async def services(self) -> list[Discovery]:
        """Return the services in the SRV records of the domain (RFC 6186).

        A service in another domain is not trusted, as DNS is not signed (RFC 6186 6). Within the
        domain, and at a well-known provider, the certificate proves the identity.
        """
        return [
            self._discovery(
                self._server(service),
                Source.SRV,
                is_trusted=is_within(service.host, self._domain)
                or provider_of_host(service.host) is not None,
            )
            for service in await find_services(self._resolver, self._domain)
        ]

    async def guess(self, ssl_context: ssl.SSLContext) -> list[Discovery]:
        """Return the server that answers at one of the usual names and ports, if any."""
        server = await guess_server(self._address, ssl_context)
        if server is None:
            return []
        return [self._discovery(server, Source.GUESS, is_trusted=False)]

    async def exchange_server(self) -> list[Discovery]:
        """Return the Exchange server of the domain by its Autodiscover URL (MS-OXDISCO 3.1.5.3).

        IMAP may run on another host, or may be disabled, which is the default. The address is not
        sent.
        """
        hosts = [f"autodiscover.{self._domain}", self._domain]
        found = await gather_until(
            map(self._exchange_at, hosts), bool, FETCH_DEADLINE_SECONDS
        )
        return [
            Discovery(
                server=self._server(Service(host, 993, Security.TLS)),
                source=Source.AUTODISCOVER,
                is_trusted=False,
                provider=EXCHANGE,
            )
            for host in filter(None, found)
        ][:1]

    async def _exchange_at(self, host: str) -> str | None:
        """Return the host if it has the Autodiscover URL of Exchange."""
        url = URL.build(scheme="https", host=host, path=_AUTODISCOVER)
        return host if await asks_for_windows_login(self._session, url) else None

    async def _read_first(
        self, urls: Iterable[URL], source: Source, *, is_trusted: bool
    ) -> list[Discovery]:
        """Return the settings of the first autoconfig file that has any."""
        files = [self._servers(url) for url in urls]
        results = await gather_until(files, bool, FETCH_DEADLINE_SECONDS)
        servers = next(filter(None, results), [])
        return [
            self._discovery(server, source, is_trusted=is_trusted) for server in servers
        ]

    async def _servers(self, url: URL) -> list[Server]:
        text = await fetch(self._session, url)
        return read_autoconfig(text, self._address) if text else []

    def _server(self, service: Service) -> Server:
        return Server(
            host=service.host,
            port=service.port,
            security=service.security,
            username=str(self._address),
        )

    def _discovery(
        self, server: Server, source: Source, *, is_trusted: bool
    ) -> Discovery:
        """Return the settings; a well-known provider of the server determines how to sign in."""
        if provider := provider_of_host(server.host):
            server = server._replace(auth=provider.auth)
        return Discovery(
            server=server, source=source, is_trusted=is_trusted, provider=provider
        )


def _autoconfig_urls(scheme: str, domain: str) -> list[URL]:
    return [
        URL.build(scheme=scheme, host=prefix + domain, path=path)
        for prefix, path in _AUTOCONFIG_LOCATIONS
    ]
