"""Token logins on a real Dovecot, with tokens of a real authorization server."""

import asyncio
from collections.abc import AsyncIterator, Iterator
import contextlib
import dataclasses
import logging

import aiohttp
import pytest

from custom_components.imap_push.imap import (
    Account,
    AccountWatcher,
    Security,
    TokenRefused,
    TokenRevoked,
    TokenUnavailable,
    Unavailable,
    WatchedFolder,
    WatchOptions,
    check_account,
)
from custom_components.imap_push.imap.auth import oauth as bearer
from custom_components.imap_push.imap.auth.login_limiter import STABLE_SECONDS

from ..conftest import account
from ..loop import EngineLoop
from ..recorder import Recorder

from tests.required import require
from tests.rig.certificate import Certificate, make_certificate
from tests.rig.dovecot import USER, Dovecot
from tests.rig.lmtp import LmtpSender
from tests.rig.mails import plain
from tests.rig.oauth_server import INTROSPECT, TOKEN, Fault, OAuthServer
from tests.rig.oauth_tokens import OAuthTokens
from tests.rig.ports import LOOPBACK, free_port
from tests.rig.proxy import Proxy

pytestmark = pytest.mark.dovecot

CUTS = 15


class Site:
    """A Dovecot that validates tokens at a local port."""

    def __init__(self, certificate: Certificate, mechanisms: str) -> None:
        """Start Dovecot, which accepts tokens with these mechanisms."""
        self.certificate = certificate
        self.port = free_port()
        self.dovecot = Dovecot(
            certificate,
            settings=f"auth_failure_delay = 0\nauth_mechanisms = plain {mechanisms}\n",
            introspection=f"http://{LOOPBACK}:{self.port}{INTROSPECT}",
        )
        self.dovecot.start()


@pytest.fixture(scope="module")
def sites() -> Iterator[dict[str, Site]]:
    """Close each Dovecot that a test has started. Opens no socket before the first test."""
    started: dict[str, Site] = {}
    yield started
    for site in started.values():
        site.dovecot.close()


@pytest.fixture
def mechanism() -> str:
    """Return the mechanisms for tokens that Dovecot offers: all of them."""
    return " ".join(bearer.MECHANISMS)


each_mechanism = pytest.mark.parametrize("mechanism", bearer.MECHANISMS)


@pytest.fixture
def site(
    sites: dict[str, Site],
    tmp_path_factory: pytest.TempPathFactory,
    _sockets: None,
    mechanism: str,
) -> Site:
    """Return a Dovecot, the same one for all tests with the same mechanisms."""
    require(Dovecot.available(), "Dovecot 2.3")
    if mechanism not in sites:
        certificate = make_certificate(tmp_path_factory.mktemp("certificate"))
        sites[mechanism] = Site(certificate, mechanism.lower())
    return sites[mechanism]


@pytest.fixture
async def issuer(site: Site) -> AsyncIterator[OAuthServer]:
    """Run the authorization server that Dovecot queries."""
    async with OAuthServer(port=site.port) as server:
        yield server


@pytest.fixture
async def tokens(issuer: OAuthServer) -> AsyncIterator[OAuthTokens]:
    """Return tokens that the user has just authorized."""
    async with aiohttp.ClientSession() as session:
        yield OAuthTokens(session, issuer)


def signed_in(site: Site, tokens: OAuthTokens, **changes: object) -> Account:
    """Return an account that logs in with tokens."""
    settings: dict[str, object] = {
        "host": "localhost",
        "username": USER,
        "security": Security.TLS,
        "ssl_context": site.certificate.client_context(),
        "token": tokens,
    }
    return account(site.dovecot.imaps_port, **settings | changes)


@each_mechanism
async def test_log_in(site: Site, tokens: OAuthTokens) -> None:
    """A valid token is accepted over TLS and STARTTLS."""
    assert "NOTIFY" in await check_account(signed_in(site, tokens))
    by_starttls = dataclasses.replace(
        signed_in(site, tokens),
        port=site.dovecot.imap_port,
        security=Security.STARTTLS,
    )
    assert "NOTIFY" in await check_account(by_starttls)
    assert tokens.renewals == 0


@each_mechanism
async def test_shared_mailbox(site: Site, issuer: OAuthServer) -> None:
    """The server allows this token to open another mailbox than that of the login."""
    issuer.user = "info@example.org"
    async with aiohttp.ClientSession() as session:
        tokens = OAuthTokens(session, issuer)
        with pytest.raises(TokenRefused):
            await check_account(signed_in(site, tokens))
        shared = signed_in(site, tokens, mailbox=issuer.user)
        assert "NOTIFY" in await check_account(shared)


@each_mechanism
@pytest.mark.parametrize("kind", ["wrong", "expired", "revoked by the server"])
async def test_invalid_token_is_renewed(
    site: Site, issuer: OAuthServer, tokens: OAuthTokens, kind: str
) -> None:
    """The renewed token is accepted."""
    if kind == "wrong":
        tokens.spoil()
    elif kind == "expired":
        issuer.expire_access()
    else:
        issuer.lifetime = -1.0
        await tokens.token(renew=True)
        issuer.lifetime = 60.0
        tokens.renewals = 0
    await check_account(signed_in(site, tokens))
    assert tokens.renewals == 1


@each_mechanism
async def test_refused_renewed_token(
    site: Site, issuer: OAuthServer, tokens: OAuthTokens, mechanism: str
) -> None:
    """The error contains Dovecot's status."""
    issuer.lifetime = -1.0
    issuer.expire_access()
    with pytest.raises(TokenRefused) as caught:
        await check_account(signed_in(site, tokens))
    is_standard = mechanism == "OAUTHBEARER"
    assert caught.value.status == ("invalid_token" if is_standard else "401")
    assert tokens.renewals == 1


@each_mechanism
async def test_token_of_another_user(site: Site, tokens: OAuthTokens) -> None:
    """The token of another user is refused."""
    with pytest.raises(TokenRefused):
        await check_account(signed_in(site, tokens, username="other@example.org"))


@each_mechanism
@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.SILENT])
async def test_unavailable_introspection(
    site: Site, issuer: OAuthServer, tokens: OAuthTokens, fault: Fault
) -> None:
    """A Dovecot that cannot validate tokens raises Unavailable, not TokenRefused."""
    issuer.faults[INTROSPECT] = fault
    with pytest.raises(Unavailable):
        await check_account(signed_in(site, tokens))


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.SERVER_ERROR, TokenUnavailable),
        (Fault.NO_JSON, TokenUnavailable),
        (Fault.SILENT, TokenUnavailable),
        ("invalid_grant", TokenRevoked),
    ],
    ids=str,
)
async def test_errors_of_the_authorization_server(
    site: Site,
    issuer: OAuthServer,
    tokens: OAuthTokens,
    fault: Fault | str,
    error: type[Exception],
) -> None:
    """An outage is not confused with a revoked authorization."""
    tokens.deadline = 0.2
    issuer.faults[TOKEN] = fault
    tokens.age()
    with pytest.raises(error):
        await check_account(signed_in(site, tokens))


async def test_short_tokens_and_interrupted_connections(
    site: Site,
    issuer: OAuthServer,
    engine_loop: EngineLoop,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No mail is lost and no token is logged while tokens expire and connections are cut."""
    caplog.set_level(logging.DEBUG)
    issuer.lifetime = 0.6
    recorder = Recorder()
    async with (
        aiohttp.ClientSession() as session,
        LmtpSender(site.dovecot.lmtp_port) as mail,
        Proxy(site.dovecot.imaps_port) as proxy,
    ):
        tokens = OAuthTokens(session, issuer)
        wanted = dataclasses.replace(signed_in(site, tokens), port=proxy.port)
        folders = {"INBOX": WatchedFolder(mark=None)}
        watcher = AccountWatcher(wanted, folders, WatchOptions(), recorder)
        task = asyncio.create_task(watcher.run())
        await recorder.until(lambda: recorder.states and recorder.state.connected)
        sent = [f"mail {number}" for number in range(2 * CUTS)]
        for subject in sent:
            await mail.send(USER, plain(subject))
            if subject.endswith(tuple("02468")):
                await asyncio.sleep(0.35)
                # Otherwise the next logins would have to wait.
                engine_loop.advance(STABLE_SECONDS)
                proxy.reset_all()
        await recorder.until(lambda: len(recorder.arrivals) >= len(sent))
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert [arrival.mail.subject for arrival in recorder.arrivals] == sent
    assert tokens.renewals >= CUTS // 2
    assert not recorder.refused
    assert "AUTHENTICATE XOAUTH2 ***" in caplog.text
    for secret in issuer.secrets:
        assert secret not in caplog.text
