"""Fetch small files from untrusted web servers."""

import asyncio
from collections.abc import Mapping
import socket
from typing import Final

import aiohttp
from yarl import URL

from ..wire.tcp import is_public
from .address import host_name

MAX_OCTETS: Final = 100_000
MAX_REDIRECTS: Final = 3

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_WINDOWS: Final = frozenset({"negotiate", "ntlm"})
# No compression: a small compressed file could expand to gigabytes.
_HEADERS: Final = {"Accept": "text/xml, application/xml", "Accept-Encoding": "identity"}


async def fetch(session: aiohttp.ClientSession, url: URL) -> bytes | None:
    """Return the content of a URL; None if it does not exist or is larger than MAX_OCTETS.

    Only public addresses are contacted. Redirects are followed to https only, where the
    certificate identifies the host.
    """
    for _ in range(MAX_REDIRECTS + 1):
        async with await _get(session, url, _HEADERS) as response:
            if response.status not in _REDIRECTS:
                return await _body(response)
            target = url.join(URL(response.headers.get("Location", "")))
        if target.scheme != "https" or host_name(target.host or "") is None:
            return None
        url = target
    return None


async def asks_for_windows_login(session: aiohttp.ClientSession, url: URL) -> bool:
    """Return True if a URL requires Windows authentication (Negotiate or NTLM, RFC 4559)."""
    async with await _get(session, url, {}) as response:
        challenges = response.headers.getall("WWW-Authenticate", ())
    schemes = {challenge.partition(" ")[0].casefold() for challenge in challenges}
    return response.status == 401 and not schemes.isdisjoint(_WINDOWS)


async def _get(
    session: aiohttp.ClientSession, url: URL, headers: Mapping[str, str]
) -> aiohttp.ClientResponse:
    """Request a URL from a public address of its host; raise OSError if it has none.

    The request goes to the address that was checked: a second DNS lookup could return another
    one. The certificate must be that of the host.
    """
    error: OSError = OSError("the name has no public address")
    for address in filter(is_public, await addresses_of(url.raw_host or "")):
        try:
            return await session.get(
                url.with_host(address),
                headers={**headers, "Host": url.host_port_subcomponent or ""},
                server_hostname=url.raw_host,
                allow_redirects=False,
                raise_for_status=False,
            )
        except aiohttp.ClientConnectorError as err:
            error = err
    raise error


async def _body(response: aiohttp.ClientResponse) -> bytes | None:
    if response.status != 200 or "Content-Encoding" in response.headers:
        return None
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_OCTETS:
            return None
    return bytes(body)


async def addresses_of(host: str) -> list[str]:
    """Return the addresses of a host, IPv4 first: not all networks can reach IPv6 addresses."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host, 443, type=socket.SOCK_STREAM
    )
    found.sort(key=lambda info: info[0] != socket.AF_INET)
    return [str(address[0]) for *_, address in found]
