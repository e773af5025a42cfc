"""Fixtures for all tests of the engine."""

from collections.abc import Iterator

import pytest

from custom_components.imap_push.imap import Account, Security
from custom_components.imap_push.imap.wire import connection

from tests.required import require
from tests.rig.certificate import make_certificate
from tests.rig.dovecot import Dovecot


@pytest.fixture(autouse=True)
def _sockets(socket_enabled: None) -> None:
    """Allow connections to servers on loopback, which the test harness forbids."""


@pytest.fixture(autouse=True)
def _short_logout_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait long for a response to LOGOUT, which many scripts do not have."""
    monkeypatch.setattr(connection, "LOGOUT_DEADLINE_SECONDS", 0.1)


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
