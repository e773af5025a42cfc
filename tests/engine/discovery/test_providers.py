"""The settings of each provider in the table, by the domain or the MX record of an address."""

import csv
from pathlib import Path
import re
from typing import Final

import pytest

from custom_components.imap_push.imap import (
    Auth,
    Discovery,
    Security,
    Server,
    Source,
    provider_of_domain,
    provider_of_host,
)
from custom_components.imap_push.imap.discovery.address import host_name
from custom_components.imap_push.imap.discovery.providers import PROVIDERS

from .conftest import Discover
from .internet import Internet
from .page import PAGE, rows

with (Path(__file__).parent / "providers.csv").open(encoding="utf-8") as table:
    CASES: Final = list(csv.DictReader(table))

# Hints whose forms link to a page, and the others.
HINTS_WITH_PAGE: Final = {
    "authorization_code",
    "enable_imap",
    "icloud_domain",
    "paid_plan",
    "proton_bridge",
    "secure_mail_key",
}
HINTS: Final = {*HINTS_WITH_PAGE, "microsoft"}


def expected(case: dict[str, str]) -> Server | None:
    """Return the expected server of a case."""
    if not case["host"]:
        return None
    return Server(
        host=case["host"],
        port=int(case["port"]),
        security=Security(case["security"]),
        username=case["username"],
        auth=tuple(map(Auth, case["auth"].split())),
    )


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{case['address']} {case['mx']}".strip() for case in CASES]
)
async def test_settings_of_an_address(
    case: dict[str, str], internet: Internet, find: Discover
) -> None:
    """The domain or its MX record determines server, user name and authentication."""
    if case["mx"]:
        internet.mx("example.org", case["mx"], "backup.example.net")
    [found] = await find(case["address"])
    assert found.server == expected(case)
    assert found.source is (Source.MX if case["mx"] else Source.BUNDLED)
    assert found.is_trusted == (case["provider"] != "proton")
    assert found.provider is not None
    assert found.provider.key == case["provider"]
    assert (found.provider.oauth or "") == case["oauth"]
    assert found.provider.needs_app_password == bool(case["app_password"])


def test_every_provider_has_a_case() -> None:
    """The cases have each provider, and each provider with MX records also by its MX record."""
    assert {case["provider"] for case in CASES} == set(PROVIDERS)
    by_mx = {case["provider"] for case in CASES if case["mx"]}
    assert by_mx == {key for key, provider in PROVIDERS.items() if provider.mx}


def test_table() -> None:
    """Names are valid and unique, links use https and hints have a text."""
    for kind in ("domains", "mx"):
        names = [
            name for provider in PROVIDERS.values() for name in getattr(provider, kind)
        ]
        assert len(names) == len(set(names))
        assert [name for name in names if host_name(name) != name] == []
    for provider in PROVIDERS.values():
        assert provider.domains or provider.mx
        assert bool(provider.host) == bool(provider.auth)
        assert provider.security is not Security.NONE
        assert provider.oauth is None or Auth.OAUTH2 in provider.auth
        assert re.match("https://|None$", str(provider.page))
        assert provider.hint is None or provider.hint in HINTS


def test_pages() -> None:
    """Each provider whose form links to a page has one."""
    assert [
        key
        for key, provider in PROVIDERS.items()
        if provider.page is None
        and (provider.needs_app_password or provider.hint in HINTS_WITH_PAGE)
    ] == []


def test_documentation_matches_the_table() -> None:
    """docs/providers.md is up to date (`python -m tests.engine.discovery.page` writes it)."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("|")] == rows()


async def test_server_in_the_srv_record_of_a_custom_domain(
    internet: Internet, find: Discover
) -> None:
    """The server in the SRV record is found although it is also the MX host of the domain."""
    internet.mx("example.org", "mail.example.org")
    internet.srv("_imaps._tcp.example.org", (0, 1, 993, "mail.example.org."))
    assert await find("ann@example.org") == [
        Discovery(
            server=Server(
                host="mail.example.org",
                port=993,
                security=Security.TLS,
                username="ann@example.org",
            ),
            source=Source.SRV,
            is_trusted=True,
        )
    ]


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("imap.gmail.com", "google"),
        ("IMAP.GMAIL.COM.", "google"),
        ("outlook.office365.com", "microsoft365"),
        ("imap.mail.me.com", "icloud_domain"),
        ("imap.mail.yahoo.com", "yahoo"),
        ("imap.example.org", None),
        ("127.0.0.1", None),
    ],
)
def test_provider_of_a_server(host: str, key: str | None) -> None:
    """A host belongs to a provider; one on loopback can belong to any."""
    provider = provider_of_host(host)
    assert (provider and provider.key) == key


def test_provider_of_a_domain() -> None:
    """A domain belongs to a provider, but its subdomains do not."""
    provider = provider_of_domain("gmail.com")
    assert provider is not None
    assert provider.name == "Gmail"
    assert provider_of_domain("mail.gmail.com") is None
