"""Signing in at the provider's page by clicking, and living with tokens that end soon."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Page
import pytest
import pytest_asyncio

from custom_components.imap_push.const import DOMAIN

from .conftest import ARTIFACTS, ROOT, VENVS
from .home import entities
from .waiting import take, until_equal

from tests.required import require
from tests.rig import local_providers
from tests.rig.browser import Browser
from tests.rig.certificate import Certificate
from tests.rig.dovecot import PASSWORD, Dovecot
from tests.rig.home_assistant import HomeAssistant
from tests.rig.lmtp import deliver
from tests.rig.mails import plain
from tests.rig.oauth_server import (
    CLIENT_ID,
    CLIENT_SECRET,
    INTROSPECT,
    TOKEN,
    OAuthServer,
)

pytestmark = pytest.mark.browser

GOOGLE_USER = "jane@gmail.com"
MICROSOFT_USER = "jane@outlook.com"
LIFETIME_SECONDS = 20


@dataclass(frozen=True)
class World:
    """A home with a browser, and all providers on loopback."""

    home: HomeAssistant
    browser: Browser
    issuer: OAuthServer
    dovecot: Dovecot

    async def begin(self, user: str) -> Page:
        """Click up to the first form, and type the mail address."""
        self.issuer.user = user
        page = self.browser.page
        await self.browser.open("/config/integrations/dashboard")
        await page.get_by_role("button", name="Add integration").click()
        await page.get_by_text("Set up a new integration").wait_for()
        await self.browser.settle()
        await page.keyboard.type("IMAP Push")
        await page.get_by_text("IMAP Push", exact=True).first.click()
        await page.locator("input[name=address]").wait_for()
        await page.locator("input[name=address]").fill(user)
        await page.get_by_role("button", name="Submit").click()
        return page

    async def until_added(self, user: str) -> None:
        """Wait until the account is watched; a mail comes in."""
        await self.browser.page.get_by_role("button", name="Skip and finish").click()
        await self.until_connected(user)
        await self.until_mail_comes(user)

    async def until_connected(self, user: str) -> None:
        """Wait until an account is connected."""
        entity_id = entities(user)["connectivity"]
        await until_equal(lambda: self.state(entity_id), "on")

    async def until_mail_comes(self, user: str) -> None:
        """Deliver a mail, and wait until Home Assistant tells of it."""
        mails = await self.home.client.subscribe_events("new_mail")
        await deliver(self.dovecot.lmtp_port, user, plain("Hello"))
        [mail] = await take(mails)
        assert mail["subject"] == "Hello"

    async def state(self, entity_id: str) -> str | None:
        """Return the state of an entity, None where there is no such entity."""
        state = await self.home.client.get_state(entity_id)
        return str(state["state"]) if state else None

    def leaks(self, secrets: set[str]) -> list[str]:
        """Return the lines of the log that hold a secret.

        Home Assistant itself logs at this level what comes by its websocket.
        """
        return [
            line
            for line in self.home.log.splitlines()
            if any(secret in line for secret in secrets)
            and "[homeassistant.components.websocket_api." not in line
        ]

    async def reauth_flows(self) -> list[str]:
        """Return where the user is asked to sign in again."""
        flows = await self.home.client.call("config_entries/flow/progress")
        return [
            flow["context"]["title_placeholders"]["name"]
            for flow in flows
            if flow["context"]["source"] == "reauth"
        ]


@pytest_asyncio.fixture(loop_scope="session")
async def world(
    version: str, certificate: Certificate, tmp_path: Path
) -> AsyncIterator[World]:
    """Run it all; in the end no secret is in the log."""
    require(Dovecot.available(), "Dovecot 2.3 with LMTP")
    require(Browser.available(), "Chromium")
    components = tmp_path / "custom_components"
    components.mkdir()
    (components / local_providers.DOMAIN).symlink_to(
        Path(local_providers.__file__).parent
    )
    users = dict.fromkeys((GOOGLE_USER, MICROSOFT_USER), PASSWORD)
    async with OAuthServer(lifetime=LIFETIME_SECONDS, interval=1) as issuer:
        with Dovecot(
            certificate, users=users, introspection=issuer.url + INTROSPECT
        ) as dovecot:
            home = HomeAssistant(
                tmp_path,
                python=ROOT / VENVS[version] / "bin" / "python",
                configuration=(
                    "logger:\n  default: debug\n"
                    f"{local_providers.DOMAIN}:\n  issuer: {issuer.url}\n"
                    f"  imap_port: {dovecot.imaps_port}\n"
                ),
                ca=certificate.ca,
            )
            async with (
                home,
                Browser(home.url, home.token, ARTIFACTS) as browser,
            ):
                await home.client.call(
                    "application_credentials/create",
                    domain=DOMAIN,
                    client_id=CLIENT_ID,
                    client_secret=CLIENT_SECRET,
                    name="mine",
                )
                yield World(home, browser, issuer, dovecot)


async def test_sign_in_in_the_browser(world: World) -> None:
    """From the mail address over the provider's page to the first mail, and over a restart."""
    page = await world.begin(GOOGLE_USER)
    await page.get_by_text("How to sign in").wait_for()
    async with page.context.expect_page() as opened:
        await page.get_by_text("Sign in with Gmail").click()
    provider = await opened.value
    await provider.locator("#allow").wait_for()
    await world.browser.screenshot("oauth_1_waiting")
    await provider.locator("#allow").click()
    await world.until_added(GOOGLE_USER)
    await world.browser.screenshot("oauth_2_added")

    secrets = {CLIENT_SECRET, *world.issuer.secrets}
    world.issuer.expire_access()
    asked = world.issuer.asked[TOKEN]
    assert await world.home.stop() == 0
    await world.home.start()
    await world.until_connected(GOOGLE_USER)
    await world.until_mail_comes(GOOGLE_USER)
    assert world.issuer.asked[TOKEN] > asked

    secrets |= {*world.issuer.secrets}
    world.issuer.revoke_all()
    [entry] = await world.home.client.config_entries(DOMAIN)
    await world.home.client.reload_entry(entry["entry_id"])
    await until_equal(world.reauth_flows, [GOOGLE_USER])
    assert world.leaks(secrets) == []


async def test_sign_in_with_a_code(world: World) -> None:
    """No page has to find the way back: the code is typed elsewhere."""
    page = await world.begin(MICROSOFT_USER)
    await page.get_by_text("Sign in with a code").click()
    link = page.get_by_role("link", name=world.issuer.url)
    await link.wait_for()
    await world.browser.screenshot("oauth_3_code")
    code = await page.locator("ha-markdown strong").inner_text()
    world.issuer.answer_device(code, allow=True)
    await world.until_added(MICROSOFT_USER)
    assert world.leaks({CLIENT_SECRET, *world.issuer.secrets}) == []
