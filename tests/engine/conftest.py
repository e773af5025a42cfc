"""Fixtures for all tests of the engine."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping

import pytest

from custom_components.imap_push.imap import Account, Security

from .loop import Address, EngineLoop

from tests.required import require
from tests.rig.certificate import make_certificate
from tests.rig.dovecot import Dovecot
from tests.rig.ports import LOOPBACK


@pytest.fixture(autouse=True)
def _sockets(socket_enabled: None) -> None:
    """Allow connections to servers on loopback, which the test harness forbids."""


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], EngineLoop]]:
    """Run all asynchronous tests in an EngineLoop."""
    return {"engine": EngineLoop}


@pytest.fixture(name="engine_loop")
async def engine_loop_fixture() -> EngineLoop:
    """Return the event loop of the test."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, EngineLoop)
    return loop


@pytest.fixture(name="_skips_time")
async def skips_time_fixture(engine_loop: EngineLoop) -> None:
    """Let waiting for a timer take no time."""
    engine_loop.skips_time = True


@pytest.fixture(name="to_loopback")
async def to_loopback_fixture(engine_loop: EngineLoop) -> EngineLoop:
    """Resolve each host name to loopback."""

    async def resolve(_host: str, port: int) -> Iterable[Address]:
        return [(LOOPBACK, port)]

    engine_loop.resolve = resolve
    return engine_loop


@pytest.fixture
def server(
    tmp_path_factory: pytest.TempPathFactory, socket_enabled: None
) -> Iterator[Dovecot]:
    """Return a Dovecot with an empty mailbox."""
    require(Dovecot.available(), "Dovecot 2.3")
    certificate = make_certificate(tmp_path_factory.mktemp("certificate"))
    with Dovecot(certificate) as dovecot:
        yield dovecot


def account(port: int, **changes: object) -> Account:
    """Return an account at this port of loopback, by default without TLS."""
    settings: dict[str, object] = {
        "host": "127.0.0.1",
        "port": port,
        "username": "user",
        "password": "secret",
        "security": Security.NONE,
    }
    return Account(**settings | changes)  # type: ignore[arg-type]
