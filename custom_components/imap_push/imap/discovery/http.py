"""Fetching small files of strangers."""

import asyncio
from ipaddress import ip_address
import socket
from typing import Final

import aiohttp
from yarl import URL

from .address import host_name

MAX_OCTETS: Final = 100_000
MAX_REDIRECTS: Final = 3

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_WINDOWS: Final = frozenset({"negotiate", "ntlm"})
# A file that unpacks to gigabytes is not asked for, and not read either.
_HEADERS: Final = {"Accept": "text/xml, application/xml", "Accept-Encoding": "identity"}


async def fetch(session: aiohttp.ClientSession, url: URL) -> bytes | None:
    """Return what is at a URL; None if that is nothing, or more than such a file can hold.

    A redirect leads to https only, where nobody can stand in for a host who is not it: not
    to plain http, nor to anything in the user's own network.
    """
    for _ in range(MAX_REDIRECTS + 1):
        async with session.get(
            url, headers=_HEADERS, allow_redirects=False, raise_for_status=False
        ) as response:
            if response.status not in _REDIRECTS:
                return await _body(response)
            target = url.join(URL(response.headers.get("Location", "")))
        if not await _may_follow(target):
            return None
        url = target
    return None


async def asks_for_windows_login(session: aiohttp.ClientSession, url: URL) -> bool:
    """Return if somebody wants to be told at a URL who asks, in the way of Windows (RFC 4559)."""
    async with session.get(
        url, allow_redirects=False, raise_for_status=False
    ) as response:
        offered = response.headers.getall("WWW-Authenticate", ())
    kinds = {words.partition(" ")[0].casefold() for words in offered}
    return response.status == 401 and not kinds.isdisjoint(_WINDOWS)


async def _body(response: aiohttp.ClientResponse) -> bytes | None:
    if response.status != 200 or "Content-Encoding" in response.headers:
        return None
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_OCTETS:
            return None
    return bytes(body)


async def _may_follow(target: URL) -> bool:
    """Return if a redirect leads to a public host, with TLS.

    Whoever makes the name lead elsewhere afterwards has no certificate for that place.
    """
    host = host_name(target.host or "")
    if target.scheme != "https" or host is None:
        return False
    return all(ip_address(address).is_global for address in await addresses_of(host))


async def addresses_of(host: str) -> list[str]:
    """Return the addresses of a host."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host, 443, type=socket.SOCK_STREAM
    )
    return [str(address[0]) for *_, address in found]
