"""Logging in to a real Dovecot with tokens of a real authorisation server."""

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
from custom_components.imap_push.imap.auth import (
    backoff,
    login_limiter as logins,
    oauth as bearer,
)

from ..conftest import account
from ..recorder import Recorder

from tests.required import require
from tests.rig import oauth_tokens
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


class Place:
    """A Dovecot that looks tokens up at a port of loopback."""

    def __init__(self, certificate: Certificate) -> None:
        """Start it."""
        self.certificate = certificate
        self.port = free_port()
        self.dovecot = Dovecot(
            certificate,
            settings="auth_failure_delay = 0\n",
            introspection=f"http://{LOOPBACK}:{self.port}{INTROSPECT}",
        )
        self.dovecot.start()


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Place]]:
    """Close what a test has started; before the first test no socket may be opened."""
    started: list[Place] = []
    yield started
    for it in started:
        it.dovecot.close()


@pytest.fixture
def place(
    places: list[Place], tmp_path_factory: pytest.TempPathFactory, _sockets: None
) -> Place:
    """Return a Dovecot, the same for all tests."""
    require(Dovecot.available(), "Dovecot 2.3")
    if not places:
        certificate = make_certificate(tmp_path_factory.mktemp("certificate"))
        places.append(Place(certificate))
    return places[0]


@pytest.fixture
async def issuer(place: Place) -> AsyncIterator[OAuthServer]:
    """Run the authorisation server that Dovecot asks."""
    async with OAuthServer(port=place.port) as server:
        yield server


@pytest.fixture
async def tokens(issuer: OAuthServer) -> AsyncIterator[OAuthTokens]:
    """Return tokens that the user has just allowed."""
    async with aiohttp.ClientSession() as session:
        yield OAuthTokens(session, issuer)


def signed_in(place: Place, tokens: OAuthTokens, **changes: object) -> Account:
    """Return an account that logs in with tokens."""
    settings: dict[str, object] = {
        "host": "localhost",
        "username": USER,
        "security": Security.TLS,
        "ssl_context": place.certificate.client_context(),
        "token": tokens,
    }
    return account(place.dovecot.imaps_port, **settings | changes)


@pytest.fixture(params=bearer.MECHANISMS)
def mechanism(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Log in by one mechanism only."""
    monkeypatch.setattr(bearer, "MECHANISMS", (request.param,))
    return str(request.param)


@pytest.mark.usefixtures("mechanism")
async def test_log_in(place: Place, tokens: OAuthTokens) -> None:
    """See a good token taken, over TLS and STARTTLS."""
    assert "NOTIFY" in await check_account(signed_in(place, tokens))
    by_starttls = dataclasses.replace(
        signed_in(place, tokens),
        port=place.dovecot.imap_port,
        security=Security.STARTTLS,
    )
    assert "NOTIFY" in await check_account(by_starttls)
    assert tokens.renewals == 0


@pytest.mark.usefixtures("mechanism")
@pytest.mark.parametrize("kind", ["wrong", "expired", "revoked by the server"])
async def test_a_token_that_is_no_good_is_renewed_once(
    place: Place, issuer: OAuthServer, tokens: OAuthTokens, kind: str
) -> None:
    """See the next one taken."""
    if kind == "wrong":
        tokens.spoil()
    elif kind == "expired":
        issuer.expire_access()
    else:
        issuer.lifetime = -1.0
        await tokens.token(renew=True)
        issuer.lifetime = 60.0
        tokens.renewals = 0
    await check_account(signed_in(place, tokens))
    assert tokens.renewals == 1


async def test_a_token_that_is_never_good(
    place: Place, issuer: OAuthServer, tokens: OAuthTokens, mechanism: str
) -> None:
    """See Dovecot's reason."""
    issuer.lifetime = -1.0
    issuer.expire_access()
    with pytest.raises(TokenRefused) as caught:
        await check_account(signed_in(place, tokens))
    is_standard = mechanism == "OAUTHBEARER"
    assert caught.value.status == ("invalid_token" if is_standard else "401")
    assert tokens.renewals == 1


@pytest.mark.usefixtures("mechanism")
async def test_a_token_of_somebody_else(place: Place, tokens: OAuthTokens) -> None:
    """See it refused."""
    with pytest.raises(TokenRefused):
        await check_account(signed_in(place, tokens, username="other@example.org"))


@pytest.mark.usefixtures("mechanism")
@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.SILENT])
async def test_dovecot_that_cannot_ask(
    place: Place, issuer: OAuthServer, tokens: OAuthTokens, fault: Fault
) -> None:
    """See that this says nothing of the token."""
    issuer.faults[INTROSPECT] = fault
    with pytest.raises(Unavailable):
        await check_account(signed_in(place, tokens))


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
async def test_what_the_authorisation_server_says(
    place: Place,
    issuer: OAuthServer,
    tokens: OAuthTokens,
    fault: Fault | str,
    error: type[Exception],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """See an outage told apart from the end of what the user has allowed."""
    monkeypatch.setattr(oauth_tokens, "DEADLINE", 0.2)
    issuer.faults[TOKEN] = fault
    tokens.age()
    with pytest.raises(error):
        await check_account(signed_in(place, tokens))


async def test_many_lifetimes(
    place: Place,
    issuer: OAuthServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """See no mail lost, and no token logged, while tokens die young and connections are cut."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(logins, "INTERVAL", 0.05)
    monkeypatch.setattr(backoff, "STABLE_LIFE", 0.1)
    issuer.lifetime = 0.6
    recorder = Recorder()
    async with (
        aiohttp.ClientSession() as session,
        LmtpSender(place.dovecot.lmtp_port) as mail,
        Proxy(place.dovecot.imaps_port) as proxy,
    ):
        tokens = OAuthTokens(session, issuer)
        wanted = dataclasses.replace(signed_in(place, tokens), port=proxy.port)
        folders = {"INBOX": WatchedFolder(mark=None)}
        watcher = AccountWatcher(wanted, folders, WatchOptions(), recorder)
        task = asyncio.create_task(watcher.run())
        await recorder.until(lambda: recorder.states and recorder.state.connected)
        sent = [f"mail {number}" for number in range(2 * CUTS)]
        for subject in sent:
            await mail.send(USER, plain(subject))
            if subject.endswith(tuple("02468")):
                await asyncio.sleep(0.35)
                proxy.reset_all()
        await recorder.until(lambda: len(recorder.arrivals) >= len(sent))
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert [it.mail.subject for it in recorder.arrivals] == sent
    assert tokens.renewals >= CUTS // 2
    assert not recorder.refused
    assert "AUTHENTICATE XOAUTH2 ***" in caplog.text
    for secret in issuer.secrets:
        assert secret not in caplog.text
