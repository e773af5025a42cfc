"""Fetching small files of strangers."""

import asyncio
from collections.abc import AsyncIterator, Mapping
import contextlib
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
# A file that unpacks to gigabytes is not asked for, and not read either.
_HEADERS: Final = {"Accept": "text/xml, application/xml", "Accept-Encoding": "identity"}


async def fetch(session: aiohttp.ClientSession, url: URL) -> bytes | None:
    """Return what is at a URL; None if that is nothing, or more than such a file can hold.

    Only public addresses are asked. A redirect leads to https only, where nobody can stand in
    for a host who is not it.
    """
    for _ in range(MAX_REDIRECTS + 1):
        async with _get(session, url, _HEADERS) as response:
            if response.status not in _REDIRECTS:
                return await _body(response)
            target = url.join(URL(response.headers.get("Location", "")))
        if target.scheme != "https" or host_name(target.host or "") is None:
            return None
        url = target
    return None


async def asks_for_windows_login(session: aiohttp.ClientSession, url: URL) -> bool:
    """Return if somebody wants to be told at a URL who asks, in the way of Windows (RFC 4559)."""
    async with _get(session, url, {}) as response:
        offered = response.headers.getall("WWW-Authenticate", ())
    kinds = {words.partition(" ")[0].casefold() for words in offered}
    return response.status == 401 and not kinds.isdisjoint(_WINDOWS)


@contextlib.asynccontextmanager
async def _get(
    session: aiohttp.ClientSession, url: URL, headers: Mapping[str, str]
) -> AsyncIterator[aiohttp.ClientResponse]:
    """Ask a public address of the URL's host; raise OSError if it has none.

    The URL that is requested has the address that was checked, so that no second answer of a
    name server can lead elsewhere. The certificate must be that of the host.
    """
    async with await _first_answer(session, url, headers) as response:
        yield response


async def _first_answer(
    session: aiohttp.ClientSession, url: URL, headers: Mapping[str, str]
) -> aiohttp.ClientResponse:
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
    """Return the addresses of a host, those of IPv4 first: more networks have a way to them."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host, 443, type=socket.SOCK_STREAM
    )
    found.sort(key=lambda info: info[0] != socket.AF_INET)
    return [str(address[0]) for *_, address in found]
