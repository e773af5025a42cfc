"""Answers of malicious or broken servers do no harm."""

import asyncio
import gzip
import ssl

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.imap_push.imap.discovery import sources
from custom_components.imap_push.imap.discovery.address import host_name, parse_address
from custom_components.imap_push.imap.discovery.autoconfig import (
    MAX_SERVERS,
    read_autoconfig,
)
from custom_components.imap_push.imap.discovery.guess import guess_server
from custom_components.imap_push.imap.discovery.http import MAX_OCTETS, addresses_of

from ..loop import EngineLoop
from .conftest import Discover
from .internet import (
    PUBLIC,
    Answer,
    Internet,
    abort,
    config,
    file,
    no_response,
    redirect,
    send_slowly,
)
from .test_sources import ADDRESS, AUTOCONFIG, ISPDB, server

GOOD = config()
PATH = "/mail/config-v1.1.xml"
LAUGHS = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(9))


def declared(declarations: str, entity: str) -> bytes:
    """Return a config whose user name is an entity."""
    body = config(username=f"&{entity};").decode().removeprefix('<?xml version="1.0"?>')
    return f'<?xml version="1.0"?><!DOCTYPE c [{declarations}]>{body}'.encode()


@pytest.mark.parametrize(
    "answer",
    [
        file(GOOD + b" " * MAX_OCTETS),
        send_slowly(GOOD),
        no_response,
        abort,
        file(b""),
        file(b"<html><body>Welcome!<br></body></html>", content_type="text/html"),
        file(b"\x00\xff\xfe" * 100),
        file(b'{"imap": "imap.example.org"}', content_type="application/json"),
        file(GOOD[:-10]),
        file(b"<other>" + GOOD[21:] + b"</other>"),
        file(gzip.compress(b" " * 10_000_000), headers={"Content-Encoding": "gzip"}),
        file(GOOD, status=404),
        file(GOOD, status=500),
        file(declared(f'<!ENTITY a0 "ha">{LAUGHS}', "a9")),
        file(declared(f'<!ENTITY a "{"ha" * 20_000}">', "a")),
        file(declared('<!ENTITY a SYSTEM "file:///etc/passwd">', "a")),
        file(declared('<!ENTITY % a SYSTEM "http://example.org/a">%a;', "b")),
        file(config(username="&ouml;")),
        file(b"<clientConfig>" + b"<a>" * 30_000),
        file(b"<a>" * 15 + GOOD[21:] + b"</a>" * 15),
        file(GOOD.replace(b'"?>', b'" encoding="zlib_codec"?>', 1)),
        file(GOOD.replace(b'"?>', b'" encoding="utf-7"?>', 1)),
    ],
    ids=[
        "too big",
        "endless",
        "no response",
        "aborted",
        "empty",
        "a web page",
        "binary",
        "JSON",
        "half of it",
        "XML of another kind",
        "compressed",
        "not found",
        "server error",
        "a billion laughs",
        "a quadratic bomb",
        "an entity of a file",
        "an entity of another server",
        "an entity without a declaration",
        "deep and open",
        "deep",
        "a codec that is not a charset",
        "an unusual encoding",
    ],
)
async def test_invalid_answer_is_ignored(
    answer: Answer, internet: Internet, find: Discover
) -> None:
    """The answer is ignored within the deadline, and other sources still have results."""
    internet.serve(AUTOCONFIG, answer)
    internet.serve(ISPDB, config(host="imap.ispdb.example"))
    loop = asyncio.get_running_loop()
    started = loop.time()
    found = await find(ADDRESS)
    assert [item.server for item in found] == [server("imap.ispdb.example")]
    assert loop.time() - started < sources.DEADLINE_SECONDS + 1


@pytest.mark.parametrize(
    "changes",
    [
        {"host": ""},
        {"host": "imap"},
        {"host": "imap.exa mple.org"},
        {"host": "imap.example.org/x"},
        {"host": "-imap.example.org"},
        {"host": "a" * 64 + ".example.org"},
        {"host": "localhost"},
        {"host": "imap.localhost"},
        {"host": "192.168.1.1"},
        {"host": "127.1"},
        {"host": "0x7f.0.0.1"},
        {"host": "2130706433"},
        {"host": "127.0.0.１"},
        {"host": "[::1]"},
        {"host": "93.184.216.34"},
        {"host": "router.local"},
        {"host": "imap.fritz.box"},
        {"host": "%MX%"},
        {"port": ""},
        {"port": "0"},
        {"port": "-1"},
        {"port": "65536"},
        {"port": "9" * 5000},
        {"port": "٩٩٣"},
        {"security": "plain"},
        {"security": ""},
        {"auth": "<authentication>NTLM</authentication>"},
    ],
    ids=lambda changes: " ".join(f"{k}={v[:30]}" for k, v in changes.items()),
)
def test_invalid_server_is_ignored(changes: dict[str, str]) -> None:
    """A server with an invalid host, port, encryption or authentication is not returned."""
    assert read_autoconfig(config(**changes), parse_address(ADDRESS)) == []


@pytest.mark.parametrize(
    "username",
    ["", "%REALNAME%", "a" * 400, "a\nb", "a\u202eb"],
    ids=["none", "unknown placeholder", "long", "two lines", "direction control"],
)
def test_invalid_user_name_is_replaced_by_the_address(username: str) -> None:
    """A server with an invalid user name is returned with the address instead."""
    [found] = read_autoconfig(config(username=username), parse_address(ADDRESS))
    assert found.username == "Ann@example.org"


def test_number_of_servers_is_limited() -> None:
    """A file with 50 servers returns MAX_SERVERS of them."""
    one = config().decode()
    element = one[one.index("<incomingServer") : one.index("</emailProvider")]
    found = read_autoconfig(config(*[element] * 50), parse_address(ADDRESS))
    assert len(found) == MAX_SERVERS


@pytest.mark.parametrize(
    "target",
    [
        "http://autoconfig.example.org/other",
        "https://192.168.1.1/config",
        "https://[::1]/config",
        "https://2130706433/config",
        "https://localhost/config",
        "https://router/config",
        "https://private.example.org/config",
        "https://link-local.example.org/config",
        "https://mapped.example.org/config",
        "file:///etc/passwd",
        "//private.example.org/config",
        "https://[",
        "",
        AUTOCONFIG,
    ],
)
async def test_redirect_is_not_followed(
    target: str, internet: Internet, find: Discover
) -> None:
    """A redirect to http, into the local network or in a loop is not followed."""
    internet.addresses |= {
        "private.example.org": ["10.0.0.1"],
        "link-local.example.org": ["169.254.169.254"],
        "mapped.example.org": ["::ffff:127.0.0.1"],
    }
    internet.serve(AUTOCONFIG, redirect(target))
    for host in ("private", "link-local", "mapped", "autoconfig"):
        internet.serve(f"https://{host}.example.org/config", GOOD)
    internet.serve("http://autoconfig.example.org/other", GOOD)
    assert await find(ADDRESS) == []
    requested = [url for url in internet.requested if url.startswith(AUTOCONFIG)]
    assert len(requested) == (4 if target in ("", AUTOCONFIG) else 1)
    assert not [
        url for url in internet.requested if url.endswith(("/config", "/other"))
    ]


async def test_addresses_of_a_host() -> None:
    """The addresses of localhost are those of loopback."""
    assert set(await addresses_of("localhost")) & {"127.0.0.1", "::1"}


async def test_three_redirects_are_followed(internet: Internet, find: Discover) -> None:
    """Three redirects to https are followed, and a fourth one is not."""
    step = "https://www.example.org/{}"
    internet.serve(AUTOCONFIG, redirect(step.format(1)))
    internet.serve(step.format(1), redirect("/2", 308))
    internet.serve(step.format(2), redirect("https://hoster.example/3", 301))
    internet.serve("https://hoster.example/3", GOOD)
    [found] = await find(ADDRESS)
    assert (found.server, found.is_trusted) == (server(), True)
    internet.serve("https://hoster.example/3", redirect("/4"))
    internet.serve("https://hoster.example/4", GOOD)
    assert await find(ADDRESS) == []


async def test_redirect_from_plain_http_is_not_trusted(
    internet: Internet, find: Discover
) -> None:
    """Settings after a redirect from http have to be confirmed, as it could be forged."""
    internet.serve(
        AUTOCONFIG.replace("https", "http"), redirect("https://hoster.example/3")
    )
    internet.serve("https://hoster.example/3", GOOD)
    [found] = await find(ADDRESS)
    assert not found.is_trusted


PRIVATE = {
    "loopback": "127.0.0.1",
    "private (class A)": "10.0.0.1",
    "private (class B)": "172.16.0.1",
    "private (class C)": "192.168.1.1",
    "link-local": "169.254.169.254",
    "shared (CGNAT)": "100.64.0.1",
    "this network": "0.0.0.0",
    "multicast": "224.0.1.1",
    "broadcast": "255.255.255.255",
    "IPv6 loopback": "::1",
    "IPv6 unspecified": "::",
    "IPv6 unique local": "fd00::1",
    "IPv6 link-local": "fe80::1",
    "IPv6 link-local with a zone": "fe80::1%eth0",
    "IPv6 site-local": "fec0::1",
    "IPv6 multicast": "ff0e::1",
    "IPv4-mapped": "::ffff:192.168.1.1",
    "IPv4-compatible": "::127.0.0.1",
    "IPv4-translated": "::ffff:0:127.0.0.1",
    "NAT64": "64:ff9b::192.168.1.1",
    "NAT64, local": "64:ff9b:1::192.168.1.1",
    "6to4": "2002:c0a8:0101::1",
    "Teredo": "2001:0:4136:e378:8000:63bf:3fff:fdd2",
}
NAT64 = "64:ff9b::5db8:d822"
IPV6 = "2606:2800:220:1:248:1893:25c8:1946"


@pytest.mark.parametrize("address", PRIVATE.values(), ids=PRIVATE)
async def test_web_server_in_the_local_network_is_not_contacted(
    address: str, internet: Internet, find: Discover
) -> None:
    """No source sends a request to a name with an address that is not public."""
    names = ("autoconfig.example.org", "example.org", "autodiscover.example.org")
    internet.addresses |= {name: [address] for name in names}
    for scheme in ("http", "https"):
        internet.serve(f"{scheme}://autoconfig.example.org{PATH}", GOOD)
    assert await find(ADDRESS) == []
    assert internet.requested == [ISPDB]
    assert {address for address, _ in internet.http_connections} == {PUBLIC}


@pytest.mark.parametrize(
    ("addresses", "connected"),
    [
        pytest.param(["10.0.0.1", PUBLIC], PUBLIC, id="after a private one"),
        pytest.param([PUBLIC, "::1"], PUBLIC, id="before a private one"),
        pytest.param([IPV6], IPV6, id="IPv6"),
        pytest.param([NAT64], NAT64, id="NAT64"),
    ],
)
async def test_public_address_of_a_web_server_is_contacted(
    addresses: list[str], connected: str, internet: Internet, find: Discover
) -> None:
    """The connection goes to the address that was checked; the certificate is for the name."""
    internet.addresses["autoconfig.example.org"] = addresses
    internet.serve(AUTOCONFIG, GOOD)
    [found] = await find(ADDRESS)
    assert found.server == server()
    assert connected in {address for address, _ in internet.http_connections}
    assert not {address for address, _ in internet.http_connections} - {
        connected,
        PUBLIC,
    }


@pytest.mark.parametrize(
    "domain",
    [
        *("router.local", "fritz.box", "mail.fritz.box", "host.internal"),
        *("a.home.arpa", "nas.lan", "x.home", "x.corp", "x.intranet", "x.localdomain"),
    ],
)
async def test_nothing_is_sent_for_a_local_domain(
    domain: str, internet: Internet, find: Discover
) -> None:
    """The address is valid, but the user has to enter its server."""
    assert await find(f"ann@{domain}") == []
    assert internet.requested == []
    assert internet.http_connections == []
    assert internet.imap_connections == []


@pytest.mark.parametrize("address", PRIVATE.values(), ids=PRIVATE)
async def test_mail_server_in_the_local_network_is_not_contacted(
    address: str, internet: Internet, engine_loop: EngineLoop
) -> None:
    """A guess does not connect to the address, and resolves each name only one time per port."""
    names = ("imap.example.org", "mail.example.org", "example.org")
    internet.addresses |= {name: [address] for name in names}
    context = ssl.create_default_context()
    assert await guess_server(parse_address(ADDRESS), context) is None
    expected = [(name, port) for name in names for port in (143, 993)]
    assert sorted(engine_loop.lookups) == sorted(expected)
    assert engine_loop.dialed == []


async def test_guess_connects_to_the_address_that_was_checked(
    internet: Internet, engine_loop: EngineLoop
) -> None:
    """If a name has a public and a private address, only the public one is contacted."""
    names = ("imap.example.org", "mail.example.org", "example.org")
    internet.addresses |= {name: ["192.168.1.1", PUBLIC] for name in names}
    context = ssl.create_default_context()
    assert await guess_server(parse_address(ADDRESS), context) is None
    assert {address for address, _ in engine_loop.dialed} == {PUBLIC}


PIECES = st.sampled_from(
    [
        "<clientConfig>", "</clientConfig>", "<emailProvider>", "</emailProvider>",
        '<incomingServer type="imap">', "</incomingServer>", "<hostname>", "</hostname>",
        "<port>", "</port>", "<socketType>SSL</socketType>", "imap.example.org", "993",
        "%EMAILDOMAIN%", "<!DOCTYPE a>", "<!--", "-->", "<![CDATA[", "]]>", "&lt;", "&#0;",
        "<?xml version='1.0'?>", "\0", "\ud7ff", " ",
    ]
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.lists(st.one_of(PIECES, st.text(max_size=5)), max_size=40).map(
            lambda pieces: "".join(pieces).encode(errors="replace")
        ),
        st.tuples(st.integers(0, len(GOOD) - 1), st.binary(max_size=8)).map(
            lambda change: GOOD[: change[0]] + change[1] + GOOD[change[0] + 1 :]
        ),
    )
)
def test_garbage(text: bytes) -> None:
    """Any octets result in valid servers or none, and in no error."""
    for found in read_autoconfig(text, parse_address(ADDRESS)):
        assert host_name(found.host) == found.host
        assert 0 < found.port < 65536
        assert found.username
        assert found.auth
