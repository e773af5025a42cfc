"""An account with OAuth2 on a real Dovecot that introspects each token (RFC 7662)."""

import asyncio
from collections.abc import AsyncIterator, Callable
import logging
import time
from types import MappingProxyType
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)

from custom_components.imap_push import helpers
from custom_components.imap_push.const import (
    CONF_FOLDER,
    DOMAIN,
    EVENT_NEW_MAIL,
    SUBENTRY_TYPE_FOLDER,
)
from custom_components.imap_push.imap.auth import login_limiter
from custom_components.imap_push.oauth import endpoint
from homeassistant.components.application_credentials import (
    ClientCredential,
    async_import_client_credential,
)
from homeassistant.config_entries import ConfigSubentryDataWithId
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from tests.required import require
from tests.rig.certificate import make_certificate
from tests.rig.dovecot import USER, Dovecot
from tests.rig.lmtp import LmtpSender
from tests.rig.mails import plain
from tests.rig.oauth_server import (
    AUTHORIZE,
    CLIENT_ID,
    CLIENT_SECRET,
    INTROSPECT,
    TOKEN,
    Fault,
    OAuthServer,
)
from tests.rig.proxy import Proxy

pytestmark = [pytest.mark.dovecot, pytest.mark.usefixtures("socket_enabled")]

CUTS = 8
DEADLINE = 15.0  # seconds


class OAuthAccount:
    """An account with a token, on a Dovecot that is reached through a proxy."""

    def __init__(
        self, hass: HomeAssistant, issuer: OAuthServer, dovecot: Dovecot, proxy: Proxy
    ) -> None:
        """Add the account's entry; it is not set up."""
        self.hass = hass
        self.issuer = issuer
        self.dovecot = dovecot
        self.proxy = proxy
        self.events = async_capture_events(hass, EVENT_NEW_MAIL)
        self.entry = MockConfigEntry(
            domain=DOMAIN,
            title="oauth_account in",
            data={
                "username": USER,
                "host": "localhost",
                "port": proxy.port,
                "security": "tls",
                "verify_ssl": True,
                "auth_implementation": "mine",
                "oauth_provider": "custom",
                "oauth_endpoints": {
                    "authorize_url": issuer.url + AUTHORIZE,
                    "token_url": issuer.url + TOKEN,
                    "scope": "mail",
                },
                "oauth_device": False,
                "token": {
                    **issuer.issue(),
                    "expires_at": time.time() + issuer.lifetime,
                },
            },
            subentries_data=[
                ConfigSubentryDataWithId(
                    data=MappingProxyType({CONF_FOLDER: "INBOX"}),
                    subentry_id="01INBOX",
                    subentry_type=SUBENTRY_TYPE_FOLDER,
                    title="INBOX",
                    unique_id="INBOX",
                )
            ],
        )
        self.entry.add_to_hass(hass)

    @property
    def subjects(self) -> list[str]:
        """Return the subjects of all new mail so far."""
        return [event.data["subject"] for event in self.events]

    @property
    def flows(self) -> list[Any]:
        """Return the config flows in progress."""
        return list(self.hass.config_entries.flow.async_progress())

    async def start(self) -> None:
        """Watch the account."""
        assert await self.hass.config_entries.async_setup(self.entry.entry_id)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until a condition holds."""
        async with asyncio.timeout(DEADLINE):
            while not condition():
                await asyncio.sleep(0.01)

    async def until_connected(self) -> None:
        """Wait until the account is connected."""
        await self.until(lambda: self.entry.runtime_data.data.connected)


@pytest.fixture
async def oauth_account(
    hass: HomeAssistant,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[OAuthAccount]:
    """Return an account with short-lived tokens."""
    require(Dovecot.available(), "Dovecot 2.3")
    monkeypatch.setattr(login_limiter, "LOGIN_INTERVAL_SECONDS", 0.05)
    monkeypatch.setattr(login_limiter, "STABLE_SECONDS", 0.1)
    monkeypatch.setattr(endpoint, "REQUEST_TIMEOUT_SECONDS", 1.0)
    certificate = make_certificate(tmp_path_factory.mktemp("certificate"))
    context = certificate.client_context()
    monkeypatch.setattr(helpers, "client_context", lambda: context)
    assert await async_setup_component(hass, "application_credentials", {})
    credential = ClientCredential(CLIENT_ID, CLIENT_SECRET)
    await async_import_client_credential(hass, DOMAIN, credential, "mine")
    async with OAuthServer(lifetime=2) as issuer:
        with Dovecot(
            certificate,
            settings="auth_failure_delay = 0\n",
            introspection=issuer.url + INTROSPECT,
        ) as dovecot:
            async with Proxy(dovecot.imaps_port) as proxy:
                oauth_account = OAuthAccount(hass, issuer, dovecot, proxy)
                yield oauth_account
                await hass.config_entries.async_unload(oauth_account.entry.entry_id)


async def test_no_mail_is_lost_over_many_token_lifetimes(
    oauth_account: OAuthAccount, caplog: pytest.LogCaptureFixture
) -> None:
    """Tokens expire and connections are reset meanwhile; no secret is logged."""
    caplog.set_level(logging.DEBUG)
    secrets = {*oauth_account.issuer.secrets}
    await oauth_account.start()
    await oauth_account.until_connected()
    coordinator = oauth_account.entry.runtime_data
    sent = [f"mail {number}" for number in range(2 * CUTS)]
    async with LmtpSender(oauth_account.dovecot.lmtp_port) as mail:
        for number, subject in enumerate(sent):
            await mail.send(USER, plain(subject))
            if number % 2:
                await asyncio.sleep(0.8)
                secrets |= {*oauth_account.issuer.secrets}
                oauth_account.proxy.reset_all()
    await oauth_account.until(lambda: len(oauth_account.subjects) >= len(sent))
    assert oauth_account.subjects == sent
    assert oauth_account.issuer.asked[TOKEN] >= CUTS // 3
    assert not oauth_account.flows
    assert oauth_account.entry.runtime_data is coordinator
    assert not [secret for secret in {*secrets, CLIENT_SECRET} if secret in caplog.text]


async def test_revoked_token_starts_reauthentication(
    oauth_account: OAuthAccount,
) -> None:
    """The user is asked to sign in again."""
    oauth_account.issuer.revoke_all()
    await oauth_account.start()
    await oauth_account.until(lambda: oauth_account.flows)
    [flow] = oauth_account.flows
    assert flow["context"]["source"] == "reauth"


@pytest.mark.parametrize(
    "fault", [Fault.SERVER_ERROR, Fault.NO_JSON, "temporarily_unavailable"], ids=str
)
async def test_provider_outage_needs_no_user(
    oauth_account: OAuthAccount, fault: Fault | str
) -> None:
    """Mail is delivered when the provider is back."""
    oauth_account.issuer.faults[TOKEN] = fault
    oauth_account.issuer.expire_access()
    await oauth_account.start()
    await oauth_account.until(lambda: oauth_account.entry.runtime_data.data.error)
    assert not oauth_account.flows
    oauth_account.issuer.faults.clear()
    oauth_account.entry.runtime_data._watcher.check_now()
    await oauth_account.until_connected()
    async with LmtpSender(oauth_account.dovecot.lmtp_port) as mail:
        await mail.send(USER, plain("after the outage"))
    await oauth_account.until(lambda: oauth_account.subjects)
    assert not oauth_account.flows


async def test_expired_token_is_renewed_after_a_restart(
    oauth_account: OAuthAccount,
) -> None:
    """Mail that arrived meanwhile is delivered."""
    await oauth_account.start()
    await oauth_account.until_connected()
    await oauth_account.until(lambda: oauth_account.entry.runtime_data.mark_store.marks)
    assert await oauth_account.hass.config_entries.async_unload(
        oauth_account.entry.entry_id
    )
    async with LmtpSender(oauth_account.dovecot.lmtp_port) as mail:
        await mail.send(USER, plain("meanwhile"))
    oauth_account.issuer.expire_access()
    await oauth_account.start()
    await oauth_account.until(lambda: oauth_account.subjects == ["meanwhile"])
