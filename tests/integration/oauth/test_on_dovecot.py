"""An account with tokens inside Home Assistant, on a real Dovecot that asks for each token."""

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
from custom_components.imap_push.imap.auth import backoff, login_limiter as logins
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


class Signed:
    """An account that is signed in to, on a Dovecot behind a proxy."""

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
            title="signed in",
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
        """Return what the user is asked for."""
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
        """Wait until mail can come."""
        await self.until(lambda: self.entry.runtime_data.data.connected)


@pytest.fixture
async def signed(
    hass: HomeAssistant,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Signed]:
    """Return an account whose tokens live shortly."""
    require(Dovecot.available(), "Dovecot 2.3")
    monkeypatch.setattr(logins, "INTERVAL", 0.05)
    monkeypatch.setattr(backoff, "STABLE_LIFE", 0.1)
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
                signed = Signed(hass, issuer, dovecot, proxy)
                yield signed
                await hass.config_entries.async_unload(signed.entry.entry_id)


async def test_many_lifetimes(signed: Signed, caplog: pytest.LogCaptureFixture) -> None:
    """No mail is lost and no secret logged, while tokens die young and connections are cut."""
    caplog.set_level(logging.DEBUG)
    secrets = {*signed.issuer.secrets}
    await signed.start()
    await signed.until_connected()
    coordinator = signed.entry.runtime_data
    sent = [f"mail {number}" for number in range(2 * CUTS)]
    async with LmtpSender(signed.dovecot.lmtp_port) as mail:
        for number, subject in enumerate(sent):
            await mail.send(USER, plain(subject))
            if number % 2:
                await asyncio.sleep(0.8)
                secrets |= {*signed.issuer.secrets}
                signed.proxy.reset_all()
    await signed.until(lambda: len(signed.subjects) >= len(sent))
    assert signed.subjects == sent
    assert signed.issuer.asked[TOKEN] >= CUTS // 3
    assert not signed.flows
    assert signed.entry.runtime_data is coordinator
    assert not [secret for secret in {*secrets, CLIENT_SECRET} if secret in caplog.text]


async def test_end_of_what_the_user_allowed(signed: Signed) -> None:
    """The user is asked to sign in again."""
    signed.issuer.revoke_all()
    await signed.start()
    await signed.until(lambda: signed.flows)
    [flow] = signed.flows
    assert flow["context"]["source"] == "reauth"


@pytest.mark.parametrize(
    "fault", [Fault.SERVER_ERROR, Fault.NO_JSON, "temporarily_unavailable"], ids=str
)
async def test_outage_of_the_provider(signed: Signed, fault: Fault | str) -> None:
    """Nobody is asked for anything, and mail comes when the provider is back."""
    signed.issuer.faults[TOKEN] = fault
    signed.issuer.expire_access()
    await signed.start()
    await signed.until(lambda: signed.entry.runtime_data.data.error)
    assert not signed.flows
    signed.issuer.faults.clear()
    signed.entry.runtime_data._watcher.check_now()
    await signed.until_connected()
    async with LmtpSender(signed.dovecot.lmtp_port) as mail:
        await mail.send(USER, plain("after the outage"))
    await signed.until(lambda: signed.subjects)
    assert not signed.flows


async def test_after_a_restart(signed: Signed) -> None:
    """The token of before is renewed, and mail of the meantime comes."""
    await signed.start()
    await signed.until_connected()
    await signed.until(lambda: signed.entry.runtime_data.mark_store.marks)
    assert await signed.hass.config_entries.async_unload(signed.entry.entry_id)
    async with LmtpSender(signed.dovecot.lmtp_port) as mail:
        await mail.send(USER, plain("meanwhile"))
    signed.issuer.expire_access()
    await signed.start()
    await signed.until(lambda: signed.subjects == ["meanwhile"])
