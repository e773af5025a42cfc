"""An authorization server, and a user with a browser."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from aiohttp import ClientSession
from aiohttp.test_utils import TestClient
import pytest
from pytest_homeassistant_custom_component.common import mock_config_flow
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
from yarl import URL

from custom_components.imap_push.const import DOMAIN
from custom_components.imap_push.oauth import (
    device_code,
    endpoint,
    providers as oauth_providers,
)
from custom_components.imap_push.oauth.providers import PROVIDERS
from homeassistant.components.application_credentials import (
    ClientCredential,
    async_import_client_credential,
)
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from .. import ENTRY_DATA, USERNAME
from ..conftest import FakeWatcher
from ..oauth_flow_handler import SignIn

from tests.rig.oauth_server import (
    AUTHORIZE,
    CLIENT_ID,
    CLIENT_SECRET,
    DEVICE,
    TOKEN,
    OAuthServer,
)

CALLBACK = "https://example.com/auth/external/callback"
SERVER = {key: value for key, value in ENTRY_DATA.items() if key != "password"}
GOOGLE_ID = "123-abc.apps.googleusercontent.com"
MICROSOFT_ID = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.fixture
async def server(
    socket_enabled: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[OAuthServer]:
    """Run an authorization server in place of all providers, with short timeouts."""
    monkeypatch.setattr(device_code, "MIN_INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr(device_code, "MAX_INTERVAL_SECONDS", 0.05)
    monkeypatch.setattr(endpoint, "REQUEST_TIMEOUT_SECONDS", 2.0)
    async with OAuthServer(user=USERNAME, interval=0) as server:
        for key, provider in PROVIDERS.items():
            local = provider._replace(
                authorize_url=server.url + AUTHORIZE,
                token_url=server.url + TOKEN,
                device_url=provider.device_url and server.url + DEVICE,
                client_id=None,
            )
            monkeypatch.setitem(oauth_providers.PROVIDERS, key, local)
        yield server


@pytest.fixture
async def credentials(hass: HomeAssistant) -> None:
    """Add the application credentials of the server."""
    assert await async_setup_component(hass, "application_credentials", {})
    await add_credential(hass, CLIENT_ID, "mine")


async def add_credential(hass: HomeAssistant, client_id: str, name: str) -> None:
    """Add client credentials of the user."""
    credential = ClientCredential(client_id, CLIENT_SECRET, name)
    await async_import_client_credential(hass, DOMAIN, credential, name)


@pytest.fixture
def handler() -> Iterator[type[SignIn]]:
    """Replace the config flow by one that only signs in."""
    SignIn.server = SERVER
    with mock_config_flow(DOMAIN, SignIn):
        yield SignIn


class SignInPage:
    """A user with a browser."""

    def __init__(
        self, hass: HomeAssistant, home_assistant: TestClient[Any, Any]
    ) -> None:
        """Use this client as browser for Home Assistant."""
        self._hass = hass
        self._home_assistant = home_assistant

    async def start(self, provider: str = "google") -> dict[str, Any]:
        """Start the flow."""
        return {
            **await self._hass.config_entries.flow.async_init(
                DOMAIN, context={"source": "user"}, data={"provider": provider}
            )
        }

    async def submit(
        self, result: dict[str, Any], user_input: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Submit the current step."""
        return {
            **await self._hass.config_entries.flow.async_configure(
                result["flow_id"], user_input
            )
        }

    async def answer(
        self, result: dict[str, Any], answer: str = "allow"
    ) -> dict[str, Any]:
        """Press a button on the page of the provider, which redirects to Home Assistant."""
        assert result["type"] == "external", result
        async with (
            ClientSession() as browser,
            browser.post(
                result["url"], data={"answer": answer}, allow_redirects=False
            ) as page,
        ):
            redirect = URL(page.headers["Location"])
        assert str(redirect.with_query(None)) == CALLBACK
        assert (await self._home_assistant.get(str(redirect.relative()))).status == 200
        return await self.submit(result)


@pytest.fixture
async def page(
    hass: HomeAssistant,
    server: OAuthServer,
    credentials: None,
    handler: type[SignIn],
    watchers: list[FakeWatcher],
    hass_client_no_auth: ClientSessionGenerator,
    current_request_with_host: None,
) -> SignInPage:
    """Return a user of a running Home Assistant."""
    assert await async_setup_component(hass, DOMAIN, {})
    return SignInPage(hass, await hass_client_no_auth())


@pytest.fixture
async def oauth_entry(hass: HomeAssistant, page: SignInPage) -> ConfigEntry:
    """Sign in; return the new entry."""
    result = await page.answer(await page.start())
    assert result["type"] == "create_entry", result
    await hass.async_block_till_done()
    oauth_entry: ConfigEntry = result["result"]
    return oauth_entry


async def start_with_code(page: SignInPage) -> dict[str, Any]:
    """Start the flow and select the device code."""
    menu = await page.start("microsoft")
    assert menu["menu_options"] == ["auth", "oauth_device", "server"]
    return await page.submit(menu, {"next_step_id": "oauth_device"})


async def wait_for_result(
    hass: HomeAssistant, page: SignInPage, shown: dict[str, Any]
) -> dict[str, Any]:
    """Wait until the progress step is finished; return the next step."""
    async with asyncio.timeout(5):
        while (result := await page.submit(shown))["type"] == "progress":
            await asyncio.sleep(0.02)
    return result
