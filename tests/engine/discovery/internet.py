"""A simulated internet on loopback: DNS records, web servers and mail servers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
import contextlib
import socket
import ssl
from typing import Any, Final, override

from aiodns.error import ARES_ENOTFOUND, DNSError
import aiohttp
from aiohttp import web
from aiohttp.abc import ResolveResult
from aiohttp.test_utils import TestServer
import pycares

from tests.engine.loop import Address
from tests.engine.scripted import ScriptedServer
from tests.rig.certificate import Certificate
from tests.rig.ports import LOOPBACK

PUBLIC: Final = "93.184.216.34"

type Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Internet:
    """The names and servers that exist; it starts without any."""

    def __init__(self, certificate: Certificate) -> None:
        """Start without any names or servers."""
        self._certificate = certificate
        self._ports: dict[int, int] = {}
        self._files: dict[str, Answer] = {}
        self._records: dict[tuple[str, str], list[object]] = {}
        self._mail: dict[tuple[str, int], ScriptedServer] = {}
        self.addresses: dict[str, list[str]] = {}
        self.http_connections: list[tuple[str, int]] = []  # address and port
        self.requested: list[str] = []
        self.imap_connections: list[tuple[str, int]] = []
        self.is_online = True

    @contextlib.asynccontextmanager
    async def run(
        self, *, check_hostname: bool = False
    ) -> AsyncIterator[aiohttp.ClientSession]:
        """Start the web servers; yield a session that connects to them for all host names.

        All share one certificate, so host names are not verified by default.
        """
        context = self._certificate.client_context()
        context.check_hostname = check_hostname
        async with contextlib.AsyncExitStack() as stack:
            for port, tls in ((80, None), (443, self._certificate.server_context())):
                application = web.Application()
                application.router.add_get("/{path:.*}", self._answer)
                server = TestServer(application, scheme="https" if tls else "http")
                await server.start_server(ssl=tls)
                stack.push_async_callback(server.close)
                self._ports[port] = server.port or 0
            connector = _Loopback(self, ssl=context)
            yield await stack.enter_async_context(
                aiohttp.ClientSession(connector=connector)
            )

    def serve(self, url: str, answer: Answer | bytes) -> None:
        """Set the answer for a URL without its query."""
        self._files[url] = file(answer) if isinstance(answer, bytes) else answer

    def add(self, name: str, kind: str, *data: object) -> None:
        """Set the records of a name."""
        self._records[name, kind] = list(data)

    def mx(self, name: str, *hosts: str) -> None:
        """Set the MX records of a domain, the preferred host first."""
        records = [pycares.MXRecordData(10 * n, host) for n, host in enumerate(hosts)]
        self.add(name, "MX", *reversed(records))

    def srv(self, name: str, *services: tuple[int, int, int, str]) -> None:
        """Set SRV records: priority, weight, port, target."""
        self.add(
            name, "SRV", *(pycares.SRVRecordData(*service) for service in services)
        )

    async def query_dns(self, host: str, qtype: str, /) -> pycares.DNSResult:
        """Answer like aiodns."""
        if not self.is_online:
            await asyncio.Event().wait()
        if (data := self._records.get((host, qtype))) is None:
            raise DNSError(ARES_ENOTFOUND, "not found")
        records = [pycares.DNSRecord(host, 1, 1, 60, item) for item in data]  # type: ignore[arg-type]
        return pycares.DNSResult(records, [], [])

    def mail_server(self, host: str, port: int, server: ScriptedServer) -> None:
        """Add a mail server that is already running."""
        self._mail[host, port] = server

    async def resolve(self, host: str, port: int) -> Iterable[Address]:
        """Return the addresses of a host, each with the port of its server on loopback."""
        if port != 443:
            self.imap_connections.append((host, port))
        if not self.is_online:
            await asyncio.Event().wait()
        if server := self._mail.get((host, port)):
            return [(PUBLIC, server.port)]
        return [(address, port) for address in self.addresses.get(host, [PUBLIC])]

    def route(self, address: Address) -> Address:
        """Return the address on loopback of a server, or raise an error if there is none."""
        ports = [
            *self._ports.values(),
            *(server.port for server in self._mail.values()),
        ]
        if address[1] not in ports:
            raise ConnectionRefusedError
        return LOOPBACK, address[1]

    def port(self, port: int) -> int:
        """Return the port on loopback of the web server for a port."""
        return self._ports[port]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        url = str(request.url.with_query(None).with_port(None))
        self.requested.append(str(request.url.with_port(None)))
        if (answer := self._files.get(url)) is None:
            raise web.HTTPNotFound
        return await answer(request)


class _Loopback(aiohttp.TCPConnector):
    """Connects to loopback instead of the requested address."""

    def __init__(self, internet: Internet, ssl: ssl.SSLContext) -> None:
        super().__init__(ssl=ssl)
        self._internet = internet

    @override
    async def _resolve_host(
        self, host: str, port: int, traces: Any = None
    ) -> list[ResolveResult]:
        self._internet.http_connections.append((host, port))
        if not self._internet.is_online:
            raise OSError("no network")
        return [
            ResolveResult(
                hostname=host,
                host="127.0.0.1",
                port=self._internet.port(port),
                family=socket.AF_INET,
                proto=0,
                flags=0,
            )
        ]


def file(content: bytes, **options: Any) -> Answer:
    """Answer with a file."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=content, **{"content_type": "text/xml"} | options)

    return answer


def redirect(target: str, status: int = 302) -> Answer:
    """Answer with a redirect."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": target})

    return answer


def send_slowly(first: bytes) -> Answer:
    """Answer with `first`, then with a blank every half second, endlessly."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(first)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.5)

    return answer


async def abort(request: web.Request) -> web.StreamResponse:
    """Abort the connection."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def no_response(_request: web.Request) -> web.StreamResponse:
    """Send no response."""
    return await asyncio.Event().wait()  # type: ignore[return-value]


def config(
    *servers: str,
    host: str = "imap.example.org",
    port: str = "993",
    security: str = "SSL",
    username: str = "%EMAILADDRESS%",
    auth: str = "<authentication>password-cleartext</authentication>",
) -> bytes:
    """Return a config-v1.1.xml with these servers, or with one that has these values."""
    one = (
        f'<incomingServer type="imap"><hostname>{host}</hostname><port>{port}</port>'
        f"<socketType>{security}</socketType><username>{username}</username>{auth}"
        "</incomingServer>"
    )
    return (
        '<?xml version="1.0"?><clientConfig version="1.1"><emailProvider id="example.org">'
        f"{''.join(servers) or one}</emailProvider></clientConfig>"
    ).encode()
