"""The sources of server settings: their results, their failures, and their order."""

import asyncio
from collections.abc import Callable
import logging

from aiohttp import web
import pycares
import pytest
from yarl import URL

from custom_components.imap_push.imap import Auth, Discovery, Security, Server, Source
from custom_components.imap_push.imap.discovery import sources
from custom_components.imap_push.imap.discovery.providers import EXCHANGE
from custom_components.imap_push.imap.discovery.sources import discover

from .conftest import Discover
from .internet import Answer, Internet, abort, config, file, no_response, redirect

from tests.engine.scripted import Peer, ScriptedServer
from tests.rig.certificate import Certificate

ADDRESS = "Ann@Example.ORG"
AUTOCONFIG = "https://autoconfig.example.org/mail/config-v1.1.xml"
WELL_KNOWN = "https://example.org/.well-known/autoconfig/mail/config-v1.1.xml"
ISPDB = f"{sources.ISPDB}/example.org"
AUTODISCOVER_URLS = (
    "https://autodiscover.example.org/autodiscover/autodiscover.xml",
    "https://example.org/autodiscover/autodiscover.xml",
)


def server(
    host: str = "imap.example.org",
    port: int = 993,
    security: Security = Security.TLS,
    username: str = "Ann@example.org",
    *auth: Auth,
) -> Server:
    """Return a server with these settings."""
    return Server(
        host=host,
        port=port,
        security=security,
        username=username,
        auth=auth or (Auth.PASSWORD,),
    )


def only(found: list[Discovery]) -> tuple[Server | None, Source, bool]:
    """Return server, source and trust of the only result."""
    [discovery] = found
    return discovery.server, discovery.source, discovery.is_trusted


async def test_nothing_is_found(internet: Internet, find: Discover) -> None:
    """All sources are queried, and the result is empty."""
    assert await find(ADDRESS) == []
    query = "?emailaddress=Ann@example.org"
    assert sorted(internet.requested) == sorted(
        [
            AUTOCONFIG + query,
            WELL_KNOWN + query,
            ISPDB,
            # Without TLS, the address is not sent.
            AUTOCONFIG.replace("https", "http"),
            WELL_KNOWN.replace("https", "http"),
            *AUTODISCOVER_URLS,
        ]
    )
    assert len(internet.imap_connections) == 6


@pytest.mark.parametrize(
    ("url", "source", "is_trusted"),
    [
        (AUTOCONFIG, Source.AUTOCONFIG, True),
        (WELL_KNOWN, Source.AUTOCONFIG, True),
        (ISPDB, Source.ISPDB, True),
        (AUTOCONFIG.replace("https", "http"), Source.AUTOCONFIG, False),
        (WELL_KNOWN.replace("https", "http"), Source.AUTOCONFIG, False),
    ],
    ids=["autoconfig", "well-known", "ISPDB", "plain autoconfig", "plain well-known"],
)
async def test_autoconfig_files(
    url: str, source: Source, is_trusted: bool, internet: Internet, find: Discover
) -> None:
    """Each location is read; only files over https are trusted."""
    internet.serve(url, config())
    assert only(await find(ADDRESS)) == (server(), source, is_trusted)


@pytest.mark.parametrize(
    ("records", "found"),
    [
        (
            {"_imaps._tcp": [(0, 1, 993, "imap.example.org.")]},
            [(server(), True)],
        ),
        (
            {"_imap._tcp": [(0, 1, 143, "imap.example.org")]},
            [(server(port=143, security=Security.STARTTLS), True)],
        ),
        (
            {
                "_imaps._tcp": [
                    (10, 1, 993, "c.example.org"),
                    (0, 1, 1993, "b.example.org"),
                    (0, 9, 993, "a.example.org"),
                ],
                "_imap._tcp": [(0, 1, 143, "d.example.org")],
            },
            [
                (server("a.example.org"), True),
                (server("b.example.org", 1993), True),
                (server("c.example.org"), True),
                (server("d.example.org", 143, Security.STARTTLS), True),
            ],
        ),
        (
            {
                "_imaps._tcp": [(0, 0, 0, ".")],
                "_imap._tcp": [(0, 1, 143, "imap.example.org")],
            },
            [(server(port=143, security=Security.STARTTLS), True)],
        ),
        (
            {"_imaps._tcp": [(0, 1, 993, "mail.hoster.example")]},
            [(server("mail.hoster.example"), False)],
        ),
        (
            {"_imaps._tcp": [(0, 1, 993, "notexample.org")]},
            [(server("notexample.org"), False)],
        ),
        ({"_imaps._tcp": [(0, 1, 993, "127.0.0.1")]}, []),
        ({"_imaps._tcp": [(0, 1, 993, "a b.example.org")]}, []),
        ({"_imaps._tcp": []}, []),
    ],
    ids=[
        "TLS",
        "STARTTLS",
        "by priority, then weight, and TLS first",
        "a dot means not offered",
        "another domain is not trusted",
        "a domain with the same suffix is not trusted",
        "an address instead of a name",
        "an invalid name",
        "no records",
    ],
)
async def test_srv_records(
    records: dict[str, list[tuple[int, int, int, str]]],
    found: list[tuple[Server, bool]],
    internet: Internet,
    find: Discover,
) -> None:
    """The services of a domain are sorted by encryption, priority and weight (RFC 6186)."""
    for label, services in records.items():
        internet.srv(f"{label}.example.org", *services)
    discovered = await find(ADDRESS)
    assert [(item.server, item.is_trusted) for item in discovered] == found
    assert all(item.source is Source.SRV for item in discovered)


async def test_records_of_other_types_are_ignored(
    internet: Internet, find: Discover
) -> None:
    """A CNAME record in an answer to SRV or MX is ignored, and vice versa."""
    alias = pycares.CNAMERecordData("imap.example.org")
    for name, kind in (
        ("_imaps._tcp.example.org", "SRV"),
        ("example.org", "MX"),
        ("autodiscover.example.org", "MX"),
    ):
        internet.add(name, kind, alias)
    internet.add(
        "autodiscover.example.org", "CNAME", pycares.MXRecordData(0, "x.example")
    )
    assert await find(ADDRESS) == []


async def test_ispdb_entry_of_the_mx_host(internet: Internet, find: Discover) -> None:
    """The ISPDB entry of the domain of the MX host is trusted."""
    internet.mx("example.org", "mx1.mail.hoster.co.uk", "mx2.other.example")
    internet.serve(f"{sources.ISPDB}/hoster.co.uk", config(host="imap.hoster.co.uk"))
    found = only(await find(ADDRESS))
    assert found == (server("imap.hoster.co.uk"), Source.MX, True)


async def test_autoconfig_of_the_mx_host(internet: Internet, find: Discover) -> None:
    """It is not trusted, as the MX record could be forged; the address is not sent to it."""
    internet.mx("example.org", "mx.hoster.example")
    internet.serve(
        "https://autoconfig.hoster.example/mail/config-v1.1.xml",
        config(host="imap.hoster.example"),
    )
    found = only(await find(ADDRESS))
    assert found == (server("imap.hoster.example"), Source.MX, False)
    assert not [
        url for url in internet.requested if "hoster" in url and "ann" in url.lower()
    ]


async def test_domain_that_is_its_own_mx_is_requested_only_once(
    internet: Internet, find: Discover
) -> None:
    """The ISPDB is not requested again for the domain of the MX host."""
    internet.mx("example.org", "mail.example.org", ".")
    assert await find(ADDRESS) == []
    assert internet.requested.count(ISPDB) == 1


@pytest.mark.parametrize(
    ("port", "security", "line"),
    [
        (993, Security.TLS, b"* OK [CAPABILITY IMAP4rev1] ready"),
        (143, Security.STARTTLS, b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready"),
    ],
    ids=["TLS", "STARTTLS"],
)
async def test_guessed_server_is_not_trusted(
    port: int,
    security: Security,
    line: bytes,
    internet: Internet,
    find: Discover,
    certificate: Certificate,
) -> None:
    """A server with a usual name and a valid certificate has to be confirmed."""
    context = certificate.server_context()

    async def serve(peer: Peer) -> None:
        peer.say(line)
        if security is Security.STARTTLS:
            await peer.answer("STARTTLS")
            await peer.start_tls(context)
            await peer.answer("CAPABILITY", b"* CAPABILITY IMAP4rev1")
        assert await peer.until_closed() == b""

    is_tls = security is Security.TLS
    async with ScriptedServer(serve, context=context if is_tls else None) as imap:
        internet.mail_server("imap.example.org", port, imap)
        found = only(await find(ADDRESS))
    assert found == (server(port=port, security=security), Source.GUESS, False)


def require_login(*challenges: str, status: int = 401) -> Answer:
    """Answer with these WWW-Authenticate challenges."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        headers = [("WWW-Authenticate", challenge) for challenge in challenges]
        return web.Response(status=status, headers=headers)

    return answer


# The challenges of Exchange with a proxy (ews-managed-api#26).
EXCHANGE_CHALLENGES = ("Negotiate", "Kerberos", "NTLM", 'Basic realm="example.org"')


@pytest.mark.parametrize("url", AUTODISCOVER_URLS)
@pytest.mark.parametrize(
    ("answer", "is_exchange"),
    [
        (require_login(*EXCHANGE_CHALLENGES), True),
        (require_login("NTLM"), True),
        (require_login("negotiate x"), True),
        (require_login('Basic realm="mailcow"'), False),
        (require_login(), False),
        (require_login(*EXCHANGE_CHALLENGES, status=200), False),
        (redirect("https://www.example.org/exchange"), False),
        (abort, False),
        (no_response, False),
    ],
    ids=[
        "all",
        "NTLM",
        "Negotiate",
        "Basic",
        "none",
        "200",
        "redirect",
        "aborted",
        "silent",
    ],
)
async def test_exchange_server(
    url: str, answer: Answer, is_exchange: bool, internet: Internet, find: Discover
) -> None:
    """The host whose Autodiscover URL requires Windows authentication has to be confirmed."""
    internet.serve(url, answer)
    internet.serve("https://www.example.org/exchange", require_login("NTLM"))
    found = await find(ADDRESS)
    expected = Discovery(
        server=server(URL(url).host or ""),
        source=Source.AUTODISCOVER,
        is_trusted=False,
        provider=EXCHANGE,
    )
    assert found == ([expected] if is_exchange else [])
    assert url in internet.requested


async def test_guessed_server_comes_before_an_exchange_server(
    internet: Internet, find: Discover, certificate: Certificate
) -> None:
    """A server that answers with IMAP comes before a host that may have no IMAP."""

    async def greet(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1] The Microsoft Exchange IMAP4 service")
        await peer.until_closed()

    internet.serve(AUTODISCOVER_URLS[0], require_login(*EXCHANGE_CHALLENGES))
    async with ScriptedServer(greet, context=certificate.server_context()) as imap:
        internet.mail_server("imap.example.org", 993, imap)
        found = await find(ADDRESS)
    assert [item.source for item in found] == [Source.GUESS, Source.AUTODISCOVER]


async def test_unsuitable_servers_are_not_guessed(
    internet: Internet, find: Discover, certificate: Certificate
) -> None:
    """A server without a valid certificate, without TLS or without IMAP is ignored."""

    async def greet(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1] ready")
        await peer.until_closed()

    async def pop3(peer: Peer) -> None:
        peer.say(b"+OK POP3 ready")
        await peer.until_closed()

    context = certificate.server_context()
    async with (
        ScriptedServer(greet, context=context) as wrong_host,
        ScriptedServer(pop3, context=context) as no_imap,
        ScriptedServer(greet) as no_starttls,
    ):
        internet.mail_server("mail.example.org", 993, wrong_host)
        internet.mail_server("imap.example.org", 993, no_imap)
        internet.mail_server("imap.example.org", 143, no_starttls)
        assert await find(ADDRESS) == []


async def test_guess_without_a_response_is_skipped(
    internet: Internet, find: Discover, certificate: Certificate
) -> None:
    """If the preferred server sends no greeting in time, the next one is returned."""

    async def greet(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready")
        await peer.answer("STARTTLS")
        await peer.start_tls(certificate.server_context())
        await peer.answer("CAPABILITY", b"* CAPABILITY IMAP4rev1")
        await peer.until_closed()

    async def keep_silent(peer: Peer) -> None:
        await peer.until_closed()

    async with (
        ScriptedServer(keep_silent) as silent,
        ScriptedServer(greet) as starttls,
    ):
        internet.mail_server("imap.example.org", 993, silent)
        internet.mail_server("imap.example.org", 143, starttls)
        found = only(await find(ADDRESS))
    assert found[0] == server(port=143, security=Security.STARTTLS)


async def test_web_server_with_an_invalid_certificate_is_ignored(
    internet: Internet,
) -> None:
    """The autoconfig file is not read if the certificate is not for the host."""
    internet.serve(AUTOCONFIG, config())
    async with internet.run(check_hostname=True) as session:
        assert await discover(ADDRESS, session, internet) == []


async def test_nothing_is_guessed_without_a_context(
    internet: Internet, find: Discover
) -> None:
    """Without an SSL context no mail server is contacted."""
    async with internet.run() as session:
        assert await discover(ADDRESS, session, internet) == []
    assert internet.imap_connections == []


async def test_order_of_the_sources(internet: Internet, find: Discover) -> None:
    """The best source comes first, untrusted ones last, and no server is repeated."""
    settings: dict[str, Callable[[], None]] = {
        "imap.gmail.com": lambda: internet.mx("example.org", "aspmx.l.google.com"),
        "autoconfig.example": lambda: internet.serve(
            AUTOCONFIG, config(host="autoconfig.example")
        ),
        "srv.example.org": lambda: internet.srv(
            "_imaps._tcp.example.org",
            (0, 0, 993, "elsewhere.example"),
            (1, 0, 993, "srv.example.org"),
        ),
        "ispdb.example": lambda: internet.serve(ISPDB, config(host="ispdb.example")),
        "outlook.office365.com": lambda: internet.add(
            "autodiscover.example.org",
            "CNAME",
            pycares.CNAMERecordData("autodiscover.outlook.com."),
        ),
        "elsewhere.example": lambda: internet.srv(
            "_imaps._tcp.example.org", (0, 0, 993, "elsewhere.example")
        ),
        "plain.example": lambda: internet.serve(
            AUTOCONFIG.replace("https", "http"), config(host="plain.example")
        ),
    }
    for host, add in reversed(settings.items()):
        add()
        found = [item.server.host for item in await find(ADDRESS) if item.server]
        assert found[0] == host
        assert len(found) == len(set(found))


async def test_server_of_several_sources(internet: Internet, find: Discover) -> None:
    """A server that two sources return has the source and the position of the better one."""
    internet.srv(
        "_imaps._tcp.example.org", (0, 0, 993, "a.example"), (1, 0, 993, "b.example")
    )
    internet.serve(AUTOCONFIG.replace("https", "http"), config(host="a.example"))
    found = await find(ADDRESS)
    assert [(item.server, item.source) for item in found] == [
        (server("a.example"), Source.SRV),
        (server("b.example"), Source.SRV),
    ]


async def test_sources_after_a_final_result_are_not_awaited(
    internet: Internet, find: Discover
) -> None:
    """The result is returned without the deadline although later sources do not respond."""
    internet.serve(ISPDB, no_response)
    internet.serve(WELL_KNOWN, no_response)
    internet.serve(AUTOCONFIG, config())
    loop = asyncio.get_running_loop()
    started = loop.time()
    assert only(await find(ADDRESS))[1] is Source.AUTOCONFIG
    assert loop.time() - started < 1.5


async def test_better_source_does_not_respond(
    internet: Internet, find: Discover
) -> None:
    """The result of the next source is returned after the deadline."""
    internet.serve(AUTOCONFIG, no_response)
    internet.serve(WELL_KNOWN, no_response)
    internet.serve(ISPDB, config())
    assert only(await find(ADDRESS)) == (server(), Source.ISPDB, True)


async def test_offline(internet: Internet, find: Discover) -> None:
    """Without a network, well-known providers are found and other domains end in time."""
    internet.is_online = False
    [found] = await find("ann@gmail.com")
    assert found.server == server(
        "imap.gmail.com", 993, Security.TLS, "ann@gmail.com", Auth.PASSWORD, Auth.OAUTH2
    )
    loop = asyncio.get_running_loop()
    started = loop.time()
    assert await find(ADDRESS) == []
    assert loop.time() - started < sources.DEADLINE_SECONDS + 1
    assert internet.requested == []


async def test_nothing_is_sent_for_the_domain_of_a_well_known_provider(
    internet: Internet, find: Discover
) -> None:
    """The bundled table is sufficient."""
    await find("ann@gmx.de")
    assert (internet.requested, internet.imap_connections) == ([], [])


async def test_cancellation_leaves_no_tasks(internet: Internet, find: Discover) -> None:
    """When the caller is cancelled, all sources are cancelled."""
    internet.is_online = False
    before = asyncio.all_tasks()
    task = asyncio.ensure_future(find(ADDRESS))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == before


async def test_authentication_of_a_known_server(
    internet: Internet, find: Discover
) -> None:
    """The table determines the authentication of a known server, not the autoconfig file."""
    internet.serve(AUTOCONFIG, config(host="outlook.office365.com"))
    [found] = await find(ADDRESS)
    assert found.provider is not None
    assert (found.provider.key, found.provider.oauth) == ("microsoft365", "microsoft")
    assert found.server is not None
    assert found.server.auth == (Auth.OAUTH2,)


async def test_service_at_a_known_provider_is_trusted(
    internet: Internet, find: Discover
) -> None:
    """A service in another domain is trusted if it is the server of a well-known provider."""
    internet.srv("_imaps._tcp.example.org", (0, 0, 993, "imap.fastmail.com."))
    [found] = await find(ADDRESS)
    assert found.is_trusted
    assert found.provider is not None
    assert found.provider.key == "fastmail"


async def test_file_with_several_servers(internet: Internet, find: Discover) -> None:
    """The order of the file is kept, other protocols are left out, placeholders are replaced."""

    def element(kind: str, host: str, username: str, *auth: str) -> str:
        methods = "".join(
            f"<authentication>{method}</authentication>" for method in auth
        )
        return (
            f'<incomingServer type="{kind}"><hostname>{host}</hostname><port> 993 </port>'
            f"<socketType>SSL</socketType><username>{username}</username>{methods}</incomingServer>"
        )

    internet.serve(
        AUTOCONFIG,
        file(
            config(
                element("pop3", "pop.example.org", "%EMAILADDRESS%"),
                element(
                    "imap", "a.%EMAILDOMAIN%.", "%EMAILLOCALPART%", "OAuth2", "plain"
                ),
                element("imap", "b.bücher.example", "ann.other", "secure", "plain"),
                element("imap", "c.example", "%EMAILLOCALPART%/%EMAILDOMAIN%"),
            ),
            content_type="text/plain",
        ),
    )
    assert [item.server for item in await find(ADDRESS)] == [
        server("a.example.org", 993, Security.TLS, "Ann", Auth.OAUTH2, Auth.PASSWORD),
        server("b.xn--bcher-kva.example", username="ann.other"),
        server("c.example", username="Ann/example.org"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "utf-16"])
async def test_encodings(encoding: str, internet: Internet, find: Discover) -> None:
    """Files in common encodings are read."""
    text = config(username="jörg").decode()
    text = text.replace('"1.0"?>', f'"1.0" encoding="{encoding}"?>', 1)
    internet.serve(AUTOCONFIG, text.encode(encoding))
    assert only(await find(ADDRESS))[0] == server(username="jörg")


async def test_address_is_not_logged(
    internet: Internet, find: Discover, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has neither the address nor the domain when all sources fail."""
    caplog.set_level(logging.DEBUG)
    for url in (AUTOCONFIG, WELL_KNOWN, ISPDB):
        internet.serve(url, abort)
    await find(ADDRESS)
    logged = [line for line in caplog.records if line.name != "aiohttp.access"]
    assert "A source of settings failed" in caplog.text
    for line in logged:
        text = f"{line.getMessage()} {line.exc_text}".casefold()
        assert "ann@" not in text
        assert "example.org" not in text
