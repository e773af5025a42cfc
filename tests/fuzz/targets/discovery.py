"""Discovery: what users type, and the responses of foreign name servers and web servers."""

from collections import Counter
from collections.abc import AsyncIterator
import contextlib
import ipaddress
import socket
from typing import Any, Final, cast, override

from aiodns.error import ARES_ENOTFOUND, DNSError
import aiohttp
from multidict import CIMultiDict
import pycares
from yarl import URL

from custom_components.imap_push.imap import Discovery, InvalidAddress
from custom_components.imap_push.imap.discovery.sources import discover

from ..loop import MeasuredLoop
from ..server import Script, write_script
from ..target import Target, Violation

from tests.engine.discovery.internet import config

# Octets of a response of a web server, and of one read.
_MAX_HEAD: Final = 8_190
_MAX_BODY: Final = 200_000
_MAX_READ: Final = 65_536
_MAX_DNS: Final = 65_535  # octets of a response (RFC 1035 4.2.2)
_PUBLIC: Final = "93.184.216.34"


class _Response:
    """A response of a web server: status, header fields, an empty line, body."""

    def __init__(self, octets: bytes) -> None:
        head, _, body = octets.partition(b"\n\n")
        self._body = body[:_MAX_BODY]
        status, *fields = head[:_MAX_HEAD].decode("latin-1").split("\n")
        self.status = int(status) if status.isascii() and status.isdigit() else 200
        pairs = (field.partition(":")[::2] for field in fields)
        self.headers = CIMultiDict((name, value.strip()) for name, value in pairs)
        self.content = self

    async def iter_any(self) -> AsyncIterator[bytes]:
        """Yield the body."""
        for start in range(0, len(self._body), _MAX_READ):
            yield self._body[start : start + _MAX_READ]


class _Internet:
    """A web client and a resolver whose responses come from the input."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._counts: Counter[bytes] = Counter()
        self.urls: list[URL] = []

    @contextlib.asynccontextmanager
    async def get(self, url: URL, **_options: Any) -> AsyncIterator[_Response]:
        """Return a response like aiohttp."""
        self.urls.append(url)
        yield _Response(self._next(b"HTTP"))

    async def query_dns(self, _host: str, kind: str, /) -> pycares.DNSResult:
        """Return an answer like aiodns."""
        octets = self._next(kind.encode())[:_MAX_DNS]
        lines = octets.decode("utf-8", "replace").split("\n")
        records = [record for line in lines if (record := _record(kind, line))]
        if not records:
            raise DNSError(ARES_ENOTFOUND, "not found")
        answer = [
            pycares.DNSRecord("x", 1, 1, 60, cast(Any, record)) for record in records
        ]
        return pycares.DNSResult(answer, [], [])

    def _next(self, name: bytes) -> bytes:
        said = self._script.blocks.get(name, [b""])
        self._counts[name] += 1
        return said[min(self._counts[name], len(said)) - 1]


class _PublicLoop(MeasuredLoop):
    """An event loop on which all names have the same public address."""

    @override
    async def getaddrinfo(self, *_args: Any, **_options: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (_PUBLIC, 443))]


def _record(kind: str, line: str) -> object | None:
    """Return the record in a line, which has numbers and then a name."""
    words = line.split(" ")
    numbers = [
        int(word) % 65_536 for word in words if word.isascii() and word.isdigit()
    ]
    name = words[-1]
    if kind == "CNAME":
        return pycares.CNAMERecordData(name)
    if kind == "MX" and numbers:
        return pycares.MXRecordData(numbers[0], name)
    if kind == "SRV" and len(numbers) >= 3:
        priority, weight, port = numbers[:3]
        return pycares.SRVRecordData(priority, weight, port, name)
    return None


def execute(data: bytes) -> float:
    """Run discovery for an address. Blocks: ADDRESS, MX, SRV, CNAME and HTTP."""
    script = Script.parse(data)
    loop = _PublicLoop()
    with contextlib.closing(loop):
        loop.run_until_complete(_discover(script))
    for problem in loop.problems:
        raise problem if isinstance(problem, Exception) else Violation(problem)
    return loop.watch.longest


async def _discover(script: Script) -> None:
    internet = _Internet(script)
    typed = script.blocks.get(b"ADDRESS", [b"jane@example.com"])[0]
    session = cast(aiohttp.ClientSession, internet)
    try:
        found = await discover(typed.decode("utf-8", "replace"), session, internet)
    except InvalidAddress:
        return
    for discovery in found:
        _check(discovery)
    local = typed.decode("utf-8", "replace").strip().rpartition("@")[0]
    for url in internet.urls:
        _check_host(url.raw_host or "")
        if url.scheme == "http" and url.query_string and local in url.query_string:
            raise Violation("the address is sent without encryption")


def _check(discovery: Discovery) -> None:
    server = discovery.server
    if server is None:
        return
    if discovery.provider is None:
        _check_host(server.host)
    if not 0 < server.port < 65_536:
        raise Violation("an invalid port")
    if not server.username.isprintable() or len(server.username) > 320:
        raise Violation("a user name that cannot be used")


def _check_host(host: str) -> None:
    """Raise Violation unless a host could be a public name; addresses are not allowed."""
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        raise Violation("an IP address as a host")
    if not host.isascii() or "." not in host or host.rpartition(".")[2][:1].isdigit():
        raise Violation("a host that is not a public name")


def _seeds() -> list[bytes]:
    xml = config(username="%EMAILLOCALPART%", auth="")
    answers = (
        (b"MX", b"10 mx.example.net\n20 aspmx.l.google.com"),
        (b"SRV", b"0 1 993 imap.example.com"),
        (b"SRV", b"0 1 143 imap.example.org"),
        (b"CNAME", b"autodiscover.outlook.com"),
        (b"HTTP", b"200\nContent-Type: text/xml\n\n%b" % config()),
    )
    typed = (
        b"jane@example.com",
        "j\xe4ne@b\xfccher.example".encode(),
        b'"a b"@x.example',
    )
    redirect = b"302\nLocation: https://elsewhere.example/\n\n"
    login = b"401\nWWW-Authenticate: Negotiate\nWWW-Authenticate: NTLM\n\n"
    return [
        *(write_script((b"ADDRESS", address), *answers) for address in typed),
        write_script((b"ADDRESS", typed[0]), (b"MX", b"10 mx.example.co.uk")),
        write_script(
            (b"ADDRESS", typed[0]), (b"HTTP", b"404\n\n"), (b"HTTP", b"200\n\n" + xml)
        ),
        write_script((b"ADDRESS", typed[0]), (b"HTTP", redirect), answers[-1]),
        write_script((b"ADDRESS", typed[0]), (b"HTTP", login)),
        write_script(
            (b"ADDRESS", typed[0]), *answers[1:3], (b"HTTP", b"200\n\n" + xml)
        ),
        b"ADDRESS\njane@gmail.com",
    ]


_WORDS: Final = (
    *(b"<", b">", b"</", b"/>", b'"', b"'", b"&amp;", b"&#0;", b"&#x110000;", b"<!DOCTYPE x>"),
    *(b"<![CDATA[", b"]]>", b"<!--", b"-->", b"<?xml ", b'encoding="utf-16"', b"\xff\xfe", b"\0"),
    *(b"incomingServer", b"emailProvider", b"clientConfig", b'type="imap"', b"hostname", b"port"),
    *(b"socketType", b"SSL", b"STARTTLS", b"plain", b"authentication", b"OAuth2", b"username"),
    *(b"%EMAILADDRESS%", b"%EMAILLOCALPART%", b"%EMAILDOMAIN%", b"%", b"xmlns:a=", b"<a:b>"),
    *(b"@", b".", b"..", b"xn--", b"xn--a", b"localhost", b"127.0.0.1", b"0x7f.1", b"[::1]", b"-"),
    *("\u3002".encode(), "\uff11".encode(), "\u0131".encode(), "\u200d".encode(), b"\xc2\xad"),
    *(b"Location: ", b"https://", b"http://", b"//", b"302\n", b"\n\n", b"Content-Encoding: gzip\n"),
    *(b"\x1eHTTP\n", b"\x1eMX\n", b"\x1eSRV\n", b"\x1eCNAME\n", b"ADDRESS\n", b"a" * 64),
)  # fmt: skip

TARGET: Final = Target(name="discovery", execute=execute, seeds=_seeds, words=_WORDS)
