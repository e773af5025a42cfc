"""A Home Assistant for which all mail providers are on loopback, and a browser."""

from collections.abc import AsyncIterator
import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.async_api import Locator, Page

from custom_components.imap_push.const import DOMAIN

from .clicking import begin_setup, submit
from .home import entities
from .leaks import find_leaks
from .waiting import next_events, until_equal

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
    """A Home Assistant, a browser, an OAuth2 server and a mail server."""

    home: HomeAssistant
    browser: Browser
    issuer: OAuthServer
    dovecot: Dovecot

    @property
    def page(self) -> Page:
        """Return the browser's page."""
        return self.browser.page

    async def begin(self) -> Page:
        """Open the first form."""
        return await begin_setup(self.browser)

    async def type_address(self, user: str) -> Page:
        """Open the first form and submit a mail address."""
        self.issuer.user = user
        page = await self.begin()
        await page.locator("input[name=address]").fill(user)
        await submit(page)
        return page

    async def allow(self, opening: Locator) -> None:
        """Click on an element that opens the provider's page, and allow access there."""
        async with self.page.context.expect_page() as opened:
            await opening.click()
        provider = await opened.value
        await provider.locator("#allow").click()

    async def until_added(self, user: str) -> None:
        """Finish the dialog and wait until a delivered mail fires an event."""
        await self.browser.page.get_by_role("button", name="Skip and finish").click()
        await self.until_connected(user)
        await self.until_mail_comes(user)

    async def until_connected(self, user: str) -> None:
        """Wait until an account is connected."""
        entity_id = entities(user)["connectivity"]
        await until_equal(lambda: self.state(entity_id), "on")

    async def until_mail_comes(self, user: str) -> None:
        """Deliver a mail and wait for its event."""
        mails = await self.home.client.subscribe_events("new_mail")
        await deliver(self.dovecot.lmtp_port, user, plain("Hello"))
        [mail] = await next_events(mails)
        assert mail["subject"] == "Hello"

    async def state(self, entity_id: str) -> str | None:
        """Return the state of an entity, None if it does not exist."""
        state = await self.home.client.get_state(entity_id)
        return str(state["state"]) if state else None

    def leaks(self, secrets: set[str]) -> list[str]:
        """Return secrets in files in which Home Assistant must not store them."""
        return find_leaks(self.home.folder, secrets=secrets)

    async def reauth_flows(self) -> list[str]:
        """Return the accounts with an open reauthentication flow."""
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
    """Run all parts; the mail server acts as the server of `provider`."""
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
                    # At debug level it would log what the browser sends, including passwords.
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
