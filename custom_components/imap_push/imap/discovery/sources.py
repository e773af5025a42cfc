"""From a mail address to the settings of its server: all sources at once, the best wins."""

import asyncio
from collections.abc import Iterable
import dataclasses
import ssl
from typing import Final

import aiohttp
from yarl import URL

from ..models import Security
from .address import MailAddress, base_domain, host_name, is_within, parse_address
from .autoconfig import read_autoconfig
from .dns import Resolver, Service, find_alias, find_exchanges, find_services
from .guess import guess_server
from .http import asks_for_windows_login, fetch
from .models import Discovery, Server, Source
from .providers import (
    EXCHANGE,
    PROVIDERS,
    provider_of_domain,
    provider_of_host,
    provider_of_mx,
    settings_at,
)
from .ranked import ask

# Seconds: for all together, and for the files of one source.
DEADLINE: Final = 5.0
FETCH_DEADLINE: Final = 4.0

ISPDB: Final = "https://autoconfig.thunderbird.net/v1.1"

_PLACES: Final = (
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
    """Return what is found, the best first: after five seconds at most, and without a network.

    Nobody is asked about the addresses of well-known providers, nor about names of a local
    network. Only public addresses are contacted: a domain can name any address. Without a
    `ssl_context` nothing is guessed. Raises InvalidAddress, and nothing else.
    """
    parsed = parse_address(address)
    if provider := provider_of_domain(parsed.domain):
        return [settings_at(provider, parsed, Source.BUNDLED)]
    if host_name(parsed.domain) is None:
        return []
    search = _Search(parsed, session, resolver, ispdb)
    sources = [
        search.known_exchange(),
        search.autoconfig(),
        search.services(),
        search.ispdb(),
        search.microsoft(),
        search.plain_autoconfig(),
        search.exchange(),
    ]
    if ssl_context is not None:
        sources.append(search.guess(ssl_context))
    sources.append(search.microsoft_exchange())
    return _best_first(await ask(sources, _is_final, DEADLINE))


def _is_final(found: Iterable[Discovery]) -> bool:
    return any(discovery.is_trusted for discovery in found)


def _best_first(answers: Iterable[list[Discovery]]) -> list[Discovery]:
    """Return each server once; what is trusted comes before what is not."""
    found = [discovery for answer in answers for discovery in answer]
    found.sort(key=lambda discovery: not discovery.is_trusted)
    unique: dict[Server | None, Discovery] = {}
    for discovery in found:
        unique.setdefault(discovery.server, discovery)
    return list(unique.values())


class _Search:
    """What each of the sources says of an address."""

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
        self._exchanges = asyncio.ensure_future(find_exchanges(resolver, self._domain))

    async def known_exchange(self) -> list[Discovery]:
        """Return the well-known provider that takes in the mail of the domain.

        This is trusted though name servers sign nothing: a forged answer leads to no worse
        place than another well-known provider.
        """
        for exchange in await self._exchanges:
            if provider := provider_of_mx(exchange):
                return [settings_at(provider, self._address, Source.MX)]
        return []

    async def microsoft(self) -> list[Discovery]:
        """Return Microsoft 365 if Outlook finds the domain there, though its MX filters first."""
        alias = await find_alias(self._resolver, f"autodiscover.{self._domain}")
        if alias != _MICROSOFT_AUTODISCOVER:
            return []
        return [settings_at(PROVIDERS["microsoft365"], self._address, Source.MX)]

    async def autoconfig(self) -> list[Discovery]:
        """Return what the domain says with TLS. It may have an answer for each address."""
        query = {"emailaddress": str(self._address)}
        urls = [
            url.with_query(query) for url in _autoconfig_urls("https", self._domain)
        ]
        return await self._read(urls, Source.AUTOCONFIG, is_trusted=True)

    async def plain_autoconfig(self) -> list[Discovery]:
        """Return what the domain, or someone on the way, says without TLS.

        The address is not for all to read.
        """
        urls = _autoconfig_urls("http", self._domain)
        return await self._read(urls, Source.AUTOCONFIG, is_trusted=False)

    async def ispdb(self) -> list[Discovery]:
        """Return what Thunderbird's table says of the domain."""
        return await self._read(
            [self._ispdb / self._domain], Source.ISPDB, is_trusted=True
        )

    async def exchange(self) -> list[Discovery]:
        """Return what those say of themselves who take in the mail of the domain.

        Thunderbird's table has no settings of strangers in it, whatever the name servers say.
        """
        domains = {base_domain(exchange): None for exchange in await self._exchanges}
        domain = next(iter(domains), self._domain)
        if domain == self._domain:
            return []
        known = await self._read([self._ispdb / domain], Source.MX, is_trusted=True)
        urls = _autoconfig_urls("https", domain)
        return known or await self._read(urls, Source.MX, is_trusted=False)

    async def services(self) -> list[Discovery]:
        """Return the services that the domain announces (RFC 6186).

        One under another domain has to be confirmed, as name servers sign nothing (RFC 6186
        6); within the domain, and at a well-known provider, the certificate says who it is.
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
        """Return a server under a usual name, if there is one."""
        server = await guess_server(self._address, ssl_context)
        if server is None:
            return []
        return [self._discovery(server, Source.GUESS, is_trusted=False)]

    async def microsoft_exchange(self) -> list[Discovery]:
        """Return where the domain runs Exchange, under one of the usual names (MS-OXDISCO 3.1.5.3).

        IMAP may be elsewhere, or not switched on: it is not by default. Nobody is told who asks.
        """
        hosts = [f"autodiscover.{self._domain}", self._domain]
        found = await ask(map(self._exchange_at, hosts), bool, FETCH_DEADLINE)
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
        """Return the host if it is one with Exchange."""
        url = URL.build(scheme="https", host=host, path=_AUTODISCOVER)
        return host if await asks_for_windows_login(self._session, url) else None

    async def _read(
        self, urls: Iterable[URL], source: Source, *, is_trusted: bool
    ) -> list[Discovery]:
        """Return what the first file says that says anything."""
        files = [self._servers(url) for url in urls]
        answers = await ask(files, bool, FETCH_DEADLINE)
        servers = next(filter(None, answers), [])
        return [
            self._discovery(server, source, is_trusted=is_trusted) for server in servers
        ]

    async def _servers(self, url: URL) -> list[Server]:
        """Return the servers that the file at a URL tells of."""
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
        """Add what is known of a server: how to sign in there is not for others to say."""
        if provider := provider_of_host(server.host):
            server = dataclasses.replace(server, auth=provider.auth)
        return Discovery(
            server=server, source=source, is_trusted=is_trusted, provider=provider
        )


def _autoconfig_urls(scheme: str, domain: str) -> list[URL]:
    return [
        URL.build(scheme=scheme, host=prefix + domain, path=path)
        for prefix, path in _PLACES
    ]
