"""The bundled table of well-known providers (providers.json)."""

from collections.abc import Mapping
import ipaddress
import json
from pathlib import Path
from typing import Any, Final

from ..models import Security
from .address import MailAddress
from .models import Auth, Discovery, Provider, Server, Source

_APP_PASSWORD: Final = "app_password"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _provider(key: str, facts: Mapping[str, Any]) -> Provider:
    auth = facts.get("auth", ())
    return Provider(
        key=key,
        name=facts["name"],
        domains=tuple(facts.get("domains", ())),
        mx=tuple(facts.get("mx", ())),
        host=facts.get("host"),
        port=facts.get("port", 993),
        security=Security(facts.get("security", Security.TLS)),
        takes_local_part=facts.get("username") == "local_part",
        auth=tuple(
            Auth.OAUTH2 if kind == Auth.OAUTH2 else Auth.PASSWORD for kind in auth
        ),
        needs_app_password=_APP_PASSWORD in auth,
        page=facts.get("page"),
        oauth=facts.get("oauth"),
        hint=facts.get("hint"),
    )


# Read when the module is imported, which Home Assistant does in an executor.
PROVIDERS: Final[Mapping[str, Provider]] = {
    key: _provider(key, facts)
    for key, facts in json.loads(
        (Path(__file__).parent / "providers.json").read_text(encoding="utf-8")
    ).items()
}
_BY_DOMAIN: Final = {
    domain: provider for provider in PROVIDERS.values() for domain in provider.domains
}
_BY_MX: Final = {
    suffix: provider for provider in PROVIDERS.values() for suffix in provider.mx
}
# If several providers share a host, the last in the table counts: it is the one for custom domains.
# A server on loopback can belong to any provider.
_BY_HOST: Final = {
    provider.host: provider
    for provider in PROVIDERS.values()
    if provider.host and not _is_loopback(provider.host)
}


# Not a provider, but a server that a company runs itself. IMAP is disabled there by default.
EXCHANGE: Final = Provider(
    key="exchange",
    name="Exchange",
    auth=(Auth.PASSWORD,),
    page="https://learn.microsoft.com/exchange/clients/pop3-and-imap4/configure-imap4",
    hint="exchange",
)


def provider_of_domain(domain: str) -> Provider | None:
    """Return the provider whose mail addresses have this domain."""
    return _BY_DOMAIN.get(domain)


def provider_of_host(host: str) -> Provider | None:
    """Return the provider whose IMAP server has this name."""
    return _BY_HOST.get(host.casefold().rstrip("."))


def provider_of_mx(host: str) -> Provider | None:
    """Return the provider of a custom domain by a host of its MX records."""
    labels = host.split(".")
    for start in range(len(labels) - 1):
        if provider := _BY_MX.get(".".join(labels[start:])):
            return provider
    return None


def settings_for(provider: Provider, address: MailAddress, source: Source) -> Discovery:
    """Return the settings of an address at a provider of the table.

    At a custom domain, the user name is always the whole address. Settings on loopback (Proton
    Mail Bridge) are not trusted: the server may run on another host, or not at all.
    """
    is_own_domain = address.domain not in provider.domains
    server = provider.host and Server(
        host=provider.host,
        port=provider.port,
        security=provider.security,
        username=address.local
        if provider.takes_local_part and not is_own_domain
        else str(address),
        auth=provider.auth,
    )
    return Discovery(
        server=server or None,
        source=source,
        is_trusted=not (provider.host and _is_loopback(provider.host)),
        provider=provider,
    )
