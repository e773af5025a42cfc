"""Password logins on a real Dovecot, with each mechanism that it can offer."""

from collections.abc import Iterator
import contextlib
import logging

import pytest

from custom_components.imap_push.imap import (
    ImapError,
    LoginRefused,
    MailboxNotSelectable,
    Security,
    StartTlsOffered,
    check_account,
)
from custom_components.imap_push.imap.auth.login import log_in
from custom_components.imap_push.imap.wire.connection import Connection

from ..conftest import account

from tests.required import require
from tests.rig.certificate import Certificate, make_certificate
from tests.rig.dovecot import PASSWORD, USER, Dovecot

pytestmark = pytest.mark.dovecot

OTHER = "jos\u00e9=x,y@example.org"
OTHER_PASSWORD = "p\u00e4ss w\u00f6rt \U0001f511"
HASHED = "hashed@example.org"
# A hash of PASSWORD with which Dovecot cannot do SCRAM.
HASH = (
    "{SHA512-CRYPT}$6$rounds=1000$saltsaltsalt$SJ2GwYSfTUdIBTBbDEYRPAnT5rOmhIafM/oxBTRlBCqG"
    "NZ2aESJ21nzIm.TMf2XVfe.aMmvDt3qKiXG2FNLw11"
)
USERS = {USER: PASSWORD, OTHER: OTHER_PASSWORD, HASHED: HASH}


@pytest.fixture(name="certificate", scope="module")
def certificate_fixture(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Return a certificate for localhost."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


@contextlib.contextmanager
def dovecot(
    certificate: Certificate, mechanisms: str, settings: str = ""
) -> Iterator[Dovecot]:
    """Run a Dovecot with these mechanisms."""
    require(Dovecot.available(), "Dovecot 2.3")
    added = (
        f"auth_mechanisms = {mechanisms}\nauth_failure_delay = 0\n"
        f"auth_username_chars =\n{settings}"
    )
    with Dovecot(certificate, users=USERS, settings=added) as server:
        yield server


@pytest.mark.parametrize("security", list(Security))
@pytest.mark.parametrize(
    ("mechanisms", "settings", "sent"),
    [
        pytest.param("scram-sha-256 plain", "", "SCRAM-SHA-256", id="SCRAM-SHA-256"),
        pytest.param("scram-sha-1 plain", "", "SCRAM-SHA-1", id="SCRAM-SHA-1"),
        pytest.param(
            "scram-sha-1 scram-sha-256", "", "SCRAM-SHA-256", id="both SCRAM mechanisms"
        ),
        pytest.param("plain", "", "PLAIN", id="PLAIN"),
        pytest.param(
            "login", "disable_plaintext_auth = yes\n", "LOGIN", id="AUTH=LOGIN alone"
        ),
    ],
)
async def test_account_logs_in(
    certificate: Certificate,
    mechanisms: str,
    settings: str,
    sent: str,
    security: Security,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each mechanism works with each kind of encryption and with non-ASCII credentials."""
    caplog.set_level(logging.DEBUG)
    with dovecot(certificate, mechanisms, settings) as server:
        for username, password in ((USER, PASSWORD), (OTHER, OTHER_PASSWORD)):
            wanted = account(
                server.imaps_port if security is Security.TLS else server.imap_port,
                host="localhost",
                username=username,
                password=password,
                security=security,
                ssl_context=certificate.client_context(),
            )
            connection = await Connection.open(wanted)
            await log_in(connection, wanted)
            assert "IDLE" in connection.capabilities
            # A password is never sent without TLS.
            assert connection.is_encrypted or sent.startswith("SCRAM")
            await connection.close()
        assert "Login: user=" in server.log
    assert f"AUTHENTICATE {sent}" in caplog.text
    assert PASSWORD not in caplog.text


MASTER = "passdb {\n  driver = static\n  master = yes\n  args = password=%s\n}\n"


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
@pytest.mark.parametrize(
    ("mechanisms", "password", "error"),
    [
        pytest.param("plain", PASSWORD, None, id="PLAIN"),
        pytest.param("scram-sha-256 plain", PASSWORD, None, id="SCRAM is not used"),
        pytest.param("plain", "wrong", LoginRefused, id="wrong password"),
        pytest.param("login", PASSWORD, MailboxNotSelectable, id="no PLAIN"),
    ],
)
async def test_shared_mailbox(
    certificate: Certificate,
    mechanisms: str,
    password: str,
    error: type[ImapError] | None,
    security: Security,
) -> None:
    """A master user of Dovecot reads the mailbox of another user."""
    with dovecot(certificate, mechanisms, MASTER % PASSWORD) as server:
        is_tls = security is Security.TLS
        wanted = account(
            server.imaps_port if is_tls else server.imap_port,
            host="localhost",
            username="boss",
            mailbox=USER,
            password=password,
            security=security,
            ssl_context=certificate.client_context(),
        )
        with pytest.raises(error) if error else contextlib.nullcontext():
            await check_account(wanted)
        assert (f"Login: user=<{USER}>" in server.log) is (error is None)


@pytest.mark.parametrize(
    ("username", "password", "security", "error"),
    [
        pytest.param(HASHED, PASSWORD, Security.TLS, None, id="only a hash is kept"),
        pytest.param(
            HASHED,
            PASSWORD,
            Security.NONE,
            LoginRefused,
            id="only a hash is kept, no TLS",
        ),
        pytest.param(USER, "wrong", Security.TLS, LoginRefused, id="wrong"),
        pytest.param(USER, "wrong", Security.NONE, LoginRefused, id="wrong, no TLS"),
        pytest.param("nobody", "x", Security.TLS, LoginRefused, id="no such user"),
    ],
)
async def test_fallback_from_scram(
    certificate: Certificate,
    username: str,
    password: str,
    security: Security,
    error: type[ImapError] | None,
) -> None:
    """If SCRAM is refused, the right password is sent over TLS; a wrong one is refused."""
    with dovecot(certificate, "plain scram-sha-256") as server:
        wanted = account(
            server.imaps_port if security is Security.TLS else server.imap_port,
            host="localhost",
            username=username,
            password=password,
            security=security,
            ssl_context=certificate.client_context(),
        )
        if error is None:
            assert "IDLE" in await check_account(wanted)
            return
        with pytest.raises(ImapError) as caught:
            await check_account(wanted)
        assert type(caught.value) is error


async def test_check_requires_starttls_if_it_is_offered(
    certificate: Certificate,
) -> None:
    """A new account must choose STARTTLS; an existing account uses it without being changed."""
    with dovecot(certificate, "plain login") as server:
        wanted = account(server.imap_port, username=USER, password=PASSWORD)
        with pytest.raises(StartTlsOffered):
            await check_account(wanted)
        connection = await Connection.open(wanted)
        await log_in(connection, wanted)
        assert connection.is_encrypted
        await connection.close()
        assert "TLS" in server.log


async def test_login_in_plain_text_without_tls(
    certificate: Certificate,
) -> None:
    """A server without TLS is used if the user chose it."""
    with dovecot(certificate, "plain login", "ssl = no\n") as server:
        wanted = account(server.imap_port, username=USER, password=PASSWORD)
        assert "IDLE" in await check_account(wanted)
