"""Fixtures of the discovery tests."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from custom_components.imap_push.imap import Discovery
from custom_components.imap_push.imap.discovery.sources import discover

from ..loop import EngineLoop
from .internet import Internet

from tests.rig.certificate import Certificate, make_certificate

type Discover = Callable[[str], Awaitable[list[Discovery]]]


@pytest.fixture(name="certificate", scope="session")
def certificate_fixture(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Return a certificate for imap.example.org."""
    folder: Path = tmp_path_factory.mktemp("tls")
    return make_certificate(folder, host="imap.example.org")


@pytest.fixture(name="internet")
async def internet_fixture(
    certificate: Certificate, engine_loop: EngineLoop, _skips_time: None
) -> Internet:
    """Return an empty internet, to which the event loop connects."""
    internet = Internet(certificate)
    engine_loop.resolve = internet.resolve
    engine_loop.route = internet.route
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
