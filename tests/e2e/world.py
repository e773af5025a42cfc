"""A Home Assistant for which all mail providers are on loopback, and a browser before it."""

from collections.abc import AsyncIterator
import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.async_api import Locator, Page

from custom_components.imap_push.const import DOMAIN

from .clicking import submit
from .home import entities
from .leaks import find_leaks
from .waiting import take, until_equal

from tests.rig import local_providers
from tests.rig.browser import Browser
from tests.rig.certificate import Certificate
from tests.rig.dovecot import PASSWORD, Dovecot
from tests.rig.home_assistant import HomeAssistant
from tests.rig.lmtp import deliver
from tests.rig.mails import plain
from tests.rig.oauth_server import CLIENT_ID, CLIENT_SECRET, INTROSPECT, OAuthServer

GOOGLE_USER: Final = "jane@gmail.com"
GMX_USER: Final = "jane@gmx.net"
MICROSOFT_USER: Final = "jane@outlook.com"
LIFETIME_SECONDS: Final = 20


@dataclass(frozen=True)
class World:
    """A home with a browser, and all providers on loopback."""

    home: HomeAssistant
    browser: Browser
    issuer: OAuthServer
    dovecot: Dovecot

    @property
    def page(self) -> Page:
        """Return the page that is clicked on."""
        return self.browser.page

    async def begin(self) -> Page:
        """Click up to the first form."""
        page = self.page
        await self.browser.open("/config/integrations/dashboard")
        await page.get_by_role("button", name="Add integration").click()
        await page.get_by_text("Set up a new integration").wait_for()
        await self.browser.settle()
        await page.keyboard.type("IMAP Push")
        await page.get_by_text("IMAP Push", exact=True).first.click()
        await page.locator("input[name=address]").wait_for()
        return page

    async def type_address(self, user: str) -> Page:
        """Click up to the first form, and type the mail address."""
        self.issuer.user = user
        page = await self.begin()
        await page.locator("input[name=address]").fill(user)
        await submit(page)
        return page

    async def allow(self, opening: Locator) -> None:
        """Click on what opens the provider's page, and allow there what it asks."""
        async with self.page.context.expect_page() as opened:
            await opening.click()
        provider = await opened.value
        await provider.locator("#allow").click()

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
        """Return what Home Assistant wrote down of secrets where they need not be kept."""
        return find_leaks(self.home.folder, secrets=secrets)

    async def reauth_flows(self) -> list[str]:
        """Return where the user is asked to sign in again."""
        flows = await self.home.client.call("config_entries/flow/progress")
        return [
            flow["context"]["title_placeholders"]["name"]
            for flow in flows
            if flow["context"]["source"] == "reauth"
        ]


@contextlib.asynccontextmanager
async def run_world(
    folder: Path,
    *,
    python: Path,
    certificate: Certificate,
    screenshots: Path,
    provider: str,
) -> AsyncIterator[World]:
    """Run it all; the server of mail is known as that of one provider."""
    components = folder / "custom_components"
    components.mkdir()
    (components / local_providers.DOMAIN).symlink_to(
        Path(local_providers.__file__).parent
    )
    users = dict.fromkeys((GOOGLE_USER, GMX_USER, MICROSOFT_USER), PASSWORD)
    async with OAuthServer(lifetime=LIFETIME_SECONDS, interval=1) as issuer:
        with Dovecot(
            certificate, users=users, introspection=issuer.url + INTROSPECT
        ) as dovecot:
            home = HomeAssistant(
                folder,
                python=python,
                configuration=(
                    "logger:\n  default: debug\n"
                    # It logs at this level what comes from the browser.
                    "  logs:\n    homeassistant.components.websocket_api: info\n"
                    f"{local_providers.DOMAIN}:\n  issuer: {issuer.url}\n"
                    f"  imap_port: {dovecot.imaps_port}\n"
                    f"  provider: {provider}\n"
                ),
                ca=certificate.ca,
            )
            async with home, Browser(home.url, home.token, screenshots) as browser:
                await home.client.call(
                    "application_credentials/create",
                    domain=DOMAIN,
                    client_id=CLIENT_ID,
                    client_secret=CLIENT_SECRET,
                    name="mine",
                )
                yield World(home, browser, issuer, dovecot)
            assert "Detected blocking call" not in home.log
