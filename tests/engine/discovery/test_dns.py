"""DNS queries with aiodns to a name server on loopback."""

import asyncio
from collections.abc import AsyncIterator
import struct
from typing import Final, override

import aiodns
import pytest

from custom_components.imap_push.imap import Security
from custom_components.imap_push.imap.discovery.dns import (
    Service,
    find_alias,
    find_mx_hosts,
    find_services,
)

KINDS: Final = {5: "CNAME", 15: "MX", 33: "SRV"}


def wire(name: str) -> bytes:
    """Return a name in the wire format (RFC 1035 3.1)."""
    labels = [label.encode() for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


class NameServer(asyncio.DatagramProtocol):
    """A name server that answers from a table of record data."""

    def __init__(self) -> None:
        """Start without records."""
        self.records: dict[tuple[str, str], list[bytes]] = {}

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self._transport = transport

    @override
    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        end = data.index(b"\0", 12)
        labels, rest = [], data[12:end]
        while rest:
            labels.append(rest[1 : rest[0] + 1].decode())
            rest = rest[rest[0] + 1 :]
        kind = KINDS[struct.unpack_from(">H", data, end + 1)[0]]
        found = self.records.get((".".join(labels).lower(), kind))
        flags = 0x8180 if found else 0x8183
        head = data[:2] + struct.pack(">HHHHH", flags, 1, len(found or ()), 0, 0)
        answers = (
            b"\xc0\x0c"
            + data[end + 1 : end + 5]
            + struct.pack(">IH", 60, len(item))
            + item
            for item in found or ()
        )
        self._transport.sendto(head + data[12 : end + 5] + b"".join(answers), addr)


@pytest.fixture(name="server")
def server_fixture() -> NameServer:
    """Return a name server without records."""
    return NameServer()


@pytest.fixture(name="resolver")
async def resolver_fixture(server: NameServer) -> AsyncIterator[aiodns.DNSResolver]:
    """Return a resolver that uses the name server."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: server, local_addr=("127.0.0.1", 0)
    )
    port = transport.get_extra_info("sockname")[1]
    async with aiodns.DNSResolver(
        [f"127.0.0.1:{port}"], timeout=1, tries=1
    ) as resolver:
        yield resolver
    transport.close()


async def test_records(server: NameServer, resolver: aiodns.DNSResolver) -> None:
    """SRV, MX and CNAME records are read, and sorted by priority."""
    server.records = {
        ("_imaps._tcp.example.org", "SRV"): [
            struct.pack(">HHH", 10, 0, 993) + wire("b.example.org"),
            struct.pack(">HHH", 0, 0, 1993) + wire("a.example.org"),
        ],
        ("_imap._tcp.example.org", "SRV"): [struct.pack(">HHH", 0, 0, 0) + wire(".")],
        ("example.org", "MX"): [
            struct.pack(">H", 20) + wire("mx2.example.org"),
            struct.pack(">H", 10) + wire("mx1.example.org"),
        ],
        ("autodiscover.example.org", "CNAME"): [wire("autodiscover.outlook.com")],
    }
    assert await find_services(resolver, "example.org") == [
        Service("a.example.org", 1993, Security.TLS),
        Service("b.example.org", 993, Security.TLS),
    ]
    assert await find_mx_hosts(resolver, "example.org") == [
        "mx1.example.org",
        "mx2.example.org",
    ]
    alias = await find_alias(resolver, "autodiscover.example.org")
    assert alias == "autodiscover.outlook.com"


async def test_no_records(resolver: aiodns.DNSResolver) -> None:
    """Names without records have no services, no MX hosts and no alias."""
    assert await find_services(resolver, "example.org") == []
    assert await find_mx_hosts(resolver, "example.org") == []
    assert await find_alias(resolver, "example.org") is None


async def test_no_name_server() -> None:
    """Without an answer of a name server there are no MX hosts."""
    async with aiodns.DNSResolver(["127.0.0.1:1"], timeout=0.1, tries=1) as resolver:
        assert await find_mx_hosts(resolver, "example.org") == []
