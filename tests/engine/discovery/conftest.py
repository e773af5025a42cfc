"""Fixtures of the discovery tests."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from custom_components.imap_push.imap import Discovery, discover
from custom_components.imap_push.imap.discovery import guess, http, sources
from custom_components.imap_push.imap.wire import connection

from .internet import Internet

from tests.rig.certificate import Certificate, make_certificate

type Discover = Callable[[str], Awaitable[list[Discovery]]]


@pytest.fixture(name="certificate", scope="session")
def certificate_fixture(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Return a certificate for imap.example.org."""
    folder: Path = tmp_path_factory.mktemp("tls")
    return make_certificate(folder, host="imap.example.org")


@pytest.fixture(name="internet")
def internet_fixture(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> Internet:
    """Return an empty internet, with short deadlines."""
    internet = Internet(certificate)
    monkeypatch.setattr(connection, "connect_tcp_public", internet.dial)
    monkeypatch.setattr(http, "addresses_of", internet.addresses_of)
    monkeypatch.setattr(sources, "DEADLINE_SECONDS", 3.0)
    monkeypatch.setattr(sources, "FETCH_DEADLINE_SECONDS", 2.0)
    monkeypatch.setattr(guess, "DEADLINE_SECONDS", 2.0)
    return internet


@pytest.fixture(name="find")
async def find_fixture(
    internet: Internet, certificate: Certificate
) -> AsyncIterator[Discover]:
    """Return a function that queries all sources for an address."""
    context = certificate.client_context()
    async with internet.run() as session:

        async def find(address: str) -> list[Discovery]:
            return await discover(address, session, internet, ssl_context=context)

        yield find
