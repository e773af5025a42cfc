"""Each source of settings, each failing in each way, and which of them wins."""

import asyncio
from collections.abc import Callable
import logging
import time

from aiohttp import web
import pycares
import pytest
from yarl import URL

from custom_components.imap_push.imap import (
    Auth,
    Discovery,
    Security,
    Server,
    Source,
    discover,
)
from custom_components.imap_push.imap.discovery import sources
from custom_components.imap_push.imap.discovery.providers import EXCHANGE

from .conftest import Discover
from .internet import Answer, Internet, config, cut, file, never, redirect

from tests.engine.scripted import Peer, ScriptedServer
from tests.rig.certificate import Certificate

ADDRESS = "Ann@Example.ORG"
AUTOCONFIG = "https://autoconfig.example.org/mail/config-v1.1.xml"
WELL_KNOWN = "https://example.org/.well-known/autoconfig/mail/config-v1.1.xml"
ISPDB = f"{sources.ISPDB}/example.org"
EXCHANGES = (
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
    """Return a server, with the usual settings unless told otherwise."""
    return Server(
        host=host,
        port=port,
        security=security,
        username=username,
        auth=auth or (Auth.PASSWORD,),
    )


def only(found: list[Discovery]) -> tuple[Server | None, Source, bool]:
    """Return the one thing that was found."""
    [discovery] = found
    return discovery.server, discovery.source, discovery.is_trusted


async def test_nothing_is_found(internet: Internet, find: Discover) -> None:
    """See an empty list where nothing is, and that everyone was asked."""
    assert await find(ADDRESS) == []
    query = "?emailaddress=Ann@example.org"
    assert sorted(internet.asked) == sorted(
        [
            AUTOCONFIG + query,
            WELL_KNOWN + query,
            ISPDB,
            # Without TLS, nobody is told who asks.
            AUTOCONFIG.replace("https", "http"),
            WELL_KNOWN.replace("https", "http"),
            *EXCHANGES,
        ]
    )
    assert len(internet.dialled) == 6


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
async def test_files(
    url: str, source: Source, is_trusted: bool, internet: Internet, find: Discover
) -> None:
    """See what is read with TLS trusted, and nothing else."""
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
        "elsewhere is to be confirmed",
        "a name that only ends alike",
        "an address in the place of a name",
        "not a name",
        "no records",
    ],
)
async def test_services(
    records: dict[str, list[tuple[int, int, int, str]]],
    found: list[tuple[Server, bool]],
    internet: Internet,
    find: Discover,
) -> None:
    """See the services that a domain announces in its name servers."""
    for label, services in records.items():
        internet.srv(f"{label}.example.org", *services)
    discovered = await find(ADDRESS)
    assert [(item.server, item.is_trusted) for item in discovered] == found
    assert all(item.source is Source.SRV for item in discovered)


async def test_other_records_under_the_name_are_nothing(
    internet: Internet, find: Discover
) -> None:
    """See aliases that come along with an answer passed over."""
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


async def test_mail_exchange_of_a_hoster(internet: Internet, find: Discover) -> None:
    """See settings of the hoster where the domain itself has none."""
    internet.mx("example.org", "mx1.mail.hoster.co.uk", "mx2.other.example")
    internet.serve(f"{sources.ISPDB}/hoster.co.uk", config(host="imap.hoster.co.uk"))
    found = only(await find(ADDRESS))
    assert found == (server("imap.hoster.co.uk"), Source.MX, True)


async def test_mail_exchange_that_tells_of_itself(
    internet: Internet, find: Discover
) -> None:
    """See what a hoster says confirmed first, as name servers may have lied who it is."""
    internet.mx("example.org", "mx.hoster.example")
    internet.serve(
        "https://autoconfig.hoster.example/mail/config-v1.1.xml",
        config(host="imap.hoster.example"),
    )
    found = only(await find(ADDRESS))
    assert found == (server("imap.hoster.example"), Source.MX, False)
    assert not [
        url for url in internet.asked if "hoster" in url and "ann" in url.lower()
    ]


async def test_own_mail_exchange_is_asked_once(
    internet: Internet, find: Discover
) -> None:
    """See nobody asked twice where a domain takes in its mail itself."""
    internet.mx("example.org", "mail.example.org", ".")
    assert await find(ADDRESS) == []
    assert internet.asked.count(ISPDB) == 1


@pytest.mark.parametrize(
    ("port", "security", "line"),
    [
        (993, Security.TLS, b"* OK [CAPABILITY IMAP4rev1] ready"),
        (143, Security.STARTTLS, b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready"),
    ],
    ids=["TLS", "STARTTLS"],
)
async def test_guess(
    port: int,
    security: Security,
    line: bytes,
    internet: Internet,
    find: Discover,
    certificate: Certificate,
) -> None:
    """See a server that answers with a valid certificate offered for confirmation."""
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


def ask_to_sign_in(*ways: str, status: int = 401) -> Answer:
    """Answer as somebody who wants to know who asks."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(
            status=status, headers=[("WWW-Authenticate", it) for it in ways]
        )

    return answer


# As Exchange says it behind its proxy (ews-managed-api#26).
AS_EXCHANGE = ("Negotiate", "Kerberos", "NTLM", 'Basic realm="example.org"')


@pytest.mark.parametrize("url", EXCHANGES)
@pytest.mark.parametrize(
    ("answer", "is_exchange"),
    [
        (ask_to_sign_in(*AS_EXCHANGE), True),
        (ask_to_sign_in("NTLM"), True),
        (ask_to_sign_in("negotiate x"), True),
        (ask_to_sign_in('Basic realm="mailcow"'), False),
        (ask_to_sign_in(), False),
        (ask_to_sign_in(*AS_EXCHANGE, status=200), False),
        (redirect("https://www.example.org/exchange"), False),
        (cut, False),
        (never, False),
    ],
    ids=[
        "all",
        "NTLM",
        "Negotiate",
        "Basic",
        "none",
        "200",
        "redirect",
        "cut",
        "silent",
    ],
)
async def test_exchange_of_ones_own(
    url: str, answer: Answer, is_exchange: bool, internet: Internet, find: Discover
) -> None:
    """See Exchange offered for confirmation at the name where it is, and nobody told who asks."""
    internet.serve(url, answer)
    internet.serve("https://www.example.org/exchange", ask_to_sign_in("NTLM"))
    found = await find(ADDRESS)
    expected = Discovery(
        server=server(URL(url).host or ""),
        source=Source.AUTODISCOVER,
        is_trusted=False,
        provider=EXCHANGE,
    )
    assert found == ([expected] if is_exchange else [])
    assert url in internet.asked


async def test_imap_of_an_exchange_of_ones_own(
    internet: Internet, find: Discover, certificate: Certificate
) -> None:
    """See the server that answers offered before the one whose IMAP nobody knows of."""

    async def greet(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1] The Microsoft Exchange IMAP4 service")
        await peer.until_closed()

    internet.serve(EXCHANGES[0], ask_to_sign_in(*AS_EXCHANGE))
    async with ScriptedServer(greet, context=certificate.server_context()) as imap:
        internet.mail_server("imap.example.org", 993, imap)
        found = await find(ADDRESS)
    assert [it.source for it in found] == [Source.GUESS, Source.AUTODISCOVER]


async def test_guesses_that_are_not_offered(
    internet: Internet, find: Discover, certificate: Certificate
) -> None:
    """See nothing offered that has no valid certificate, no TLS, or no IMAP."""

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


async def test_the_best_guess_is_silent(
    internet: Internet, find: Discover, certificate: Certificate
) -> None:
    """See the next best guess when the best one keeps silent for too long."""

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


async def test_web_servers_without_a_valid_certificate(internet: Internet) -> None:
    """See nothing that a web server says who cannot show that it is one of the domain."""
    internet.serve(AUTOCONFIG, config())
    async with internet.run(check_hostname=True) as session:
        assert await discover(ADDRESS, session, internet) == []


async def test_nothing_is_guessed_without_a_context(
    internet: Internet, find: Discover
) -> None:
    """See no server tried whose certificate could not be checked."""
    async with internet.run() as session:
        assert await discover(ADDRESS, session, internet) == []
    assert internet.dialled == []


async def test_the_best_source_wins(internet: Internet, find: Discover) -> None:
    """See who knows best first, what is not trusted last, and each server once."""
    everything: dict[str, Callable[[], None]] = {
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
    for host, appear in reversed(everything.items()):
        appear()
        found = [item.server.host for item in await find(ADDRESS) if item.server]
        assert found[0] == host
        assert len(found) == len(set(found))


async def test_sources_that_agree(internet: Internet, find: Discover) -> None:
    """See a server of several sources once, and where the best of them has it."""
    internet.srv(
        "_imaps._tcp.example.org", (0, 0, 993, "a.example"), (1, 0, 993, "b.example")
    )
    internet.serve(AUTOCONFIG.replace("https", "http"), config(host="a.example"))
    found = await find(ADDRESS)
    assert [(item.server, item.source) for item in found] == [
        (server("a.example"), Source.SRV),
        (server("b.example"), Source.SRV),
    ]


async def test_nobody_waits_for_the_less_good(
    internet: Internet, find: Discover
) -> None:
    """See an answer at once although others keep silent, and the better ones waited for."""
    internet.serve(ISPDB, never)
    internet.serve(WELL_KNOWN, never)
    internet.serve(AUTOCONFIG, config())
    started = time.monotonic()
    assert only(await find(ADDRESS))[1] is Source.AUTOCONFIG
    assert time.monotonic() - started < 1.5


async def test_a_better_source_is_silent(internet: Internet, find: Discover) -> None:
    """See the lesser answer once the time for the better one is over."""
    internet.serve(AUTOCONFIG, never)
    internet.serve(WELL_KNOWN, never)
    internet.serve(ISPDB, config())
    assert only(await find(ADDRESS)) == (server(), Source.ISPDB, True)


async def test_offline(internet: Internet, find: Discover) -> None:
    """See well-known providers found without a network, and the others given up in time."""
    internet.is_online = False
    [found] = await find("ann@gmail.com")
    assert found.server == server(
        "imap.gmail.com", 993, Security.TLS, "ann@gmail.com", Auth.PASSWORD, Auth.OAUTH2
    )
    started = time.monotonic()
    assert await find(ADDRESS) == []
    assert time.monotonic() - started < 10
    assert internet.asked == []


async def test_nobody_hears_of_the_addresses_of_well_known_providers(
    internet: Internet, find: Discover
) -> None:
    """See no question asked that the table answers."""
    await find("ann@gmx.de")
    assert (internet.asked, internet.dialled) == ([], [])


async def test_cancelled(internet: Internet, find: Discover) -> None:
    """See nothing go on when whoever asked has gone."""
    internet.is_online = False
    before = asyncio.all_tasks()
    asking = asyncio.ensure_future(find(ADDRESS))
    await asyncio.sleep(0.05)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert asyncio.all_tasks() == before


async def test_known_server_is_signed_in_to_as_we_know(
    internet: Internet, find: Discover
) -> None:
    """See the provider by its server, and its ways of signing in in the place of those told."""
    internet.serve(AUTOCONFIG, config(host="outlook.office365.com"))
    [found] = await find(ADDRESS)
    assert found.provider is not None
    assert (found.provider.key, found.provider.oauth) == ("microsoft365", "microsoft")
    assert found.server is not None
    assert found.server.auth == (Auth.OAUTH2,)


async def test_service_at_a_known_provider_is_trusted(
    internet: Internet, find: Discover
) -> None:
    """See a service elsewhere trusted if everyone knows who that is."""
    internet.srv("_imaps._tcp.example.org", (0, 0, 993, "imap.fastmail.com."))
    [found] = await find(ADDRESS)
    assert found.is_trusted
    assert found.provider is not None
    assert found.provider.key == "fastmail"


async def test_file_with_several_servers(internet: Internet, find: Discover) -> None:
    """See the order of the file, without what is no IMAP, and the forms of user names."""

    def element(kind: str, host: str, username: str, *auth: str) -> str:
        ways = "".join(f"<authentication>{way}</authentication>" for way in auth)
        return (
            f'<incomingServer type="{kind}"><hostname>{host}</hostname><port> 993 </port>'
            f"<socketType>SSL</socketType><username>{username}</username>{ways}</incomingServer>"
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
    """See the encodings that are in use read."""
    text = config(username="jörg").decode()
    text = text.replace('"1.0"?>', f'"1.0" encoding="{encoding}"?>', 1)
    internet.serve(AUTOCONFIG, text.encode(encoding))
    assert only(await find(ADDRESS))[0] == server(username="jörg")


async def test_no_address_in_any_log(
    internet: Internet, find: Discover, caplog: pytest.LogCaptureFixture
) -> None:
    """See neither address nor domain in what is logged, though all sources fail."""
    caplog.set_level(logging.DEBUG)
    for url in (AUTOCONFIG, WELL_KNOWN, ISPDB):
        internet.serve(url, cut)
    await find(ADDRESS)
    logged = [line for line in caplog.records if line.name != "aiohttp.access"]
    assert "A source of settings failed" in caplog.text
    for line in logged:
        text = f"{line.getMessage()} {line.exc_text}".casefold()
        assert "ann@" not in text
        assert "example.org" not in text
