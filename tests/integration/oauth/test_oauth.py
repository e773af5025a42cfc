"""Signing in with OAuth2: a real authorisation server, Home Assistant's callback, real tokens."""

import asyncio
from collections.abc import AsyncIterator, Iterator
import dataclasses
import logging
import time
from typing import Any
from unittest.mock import patch

from aiohttp import ClientSession
from aiohttp.test_utils import TestClient
import pytest
from pytest_homeassistant_custom_component.common import mock_config_flow
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
from yarl import URL

from custom_components.imap_push.const import DOMAIN
from custom_components.imap_push.flows import oauth_flow
from custom_components.imap_push.flows.oauth_flow import is_secure_url
from custom_components.imap_push.imap import TokenRevoked, TokenUnavailable
from custom_components.imap_push.oauth import (
    device_code,
    endpoint,
    providers as oauth_providers,
    tokens as oauth,
)
from custom_components.imap_push.oauth.endpoint import post_form
from custom_components.imap_push.oauth.providers import PROVIDERS, accepts_client_id
from custom_components.imap_push.oauth.tokens import (
    token_source_for_data,
    token_source_for_entry,
)
from homeassistant.components.application_credentials import (
    ClientCredential,
    async_import_client_credential,
)
from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import UnknownFlow
from homeassistant.exceptions import ImplementationUnavailableError
from homeassistant.setup import async_setup_component

from .. import ENTRY_DATA, USERNAME, suggested
from ..conftest import FakeWatcher
from ..oauth_flow_handler import SignIn

from tests.rig.oauth_server import (
    AUTHORIZE,
    CLIENT_ID,
    CLIENT_SECRET,
    DEVICE,
    TOKEN,
    Fault,
    OAuthServer,
)

CALLBACK = "https://example.com/auth/external/callback"
SERVER = {key: value for key, value in ENTRY_DATA.items() if key != "password"}
GOOGLE_ID = "123-abc.apps.googleusercontent.com"
MICROSOFT_ID = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.fixture(autouse=True)
def _short_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask again soon, and wait for no answer long."""
    monkeypatch.setattr(device_code, "MIN_INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr(device_code, "MAX_INTERVAL_SECONDS", 0.05)
    monkeypatch.setattr(endpoint, "REQUEST_TIMEOUT_SECONDS", 0.5)


@pytest.fixture
async def server(
    socket_enabled: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[OAuthServer]:
    """Run an authorisation server in place of all providers."""
    async with OAuthServer(user=USERNAME, interval=0) as server:
        for key, provider in PROVIDERS.items():
            at_home = dataclasses.replace(
                provider,
                authorize_url=server.url + AUTHORIZE,
                token_url=server.url + TOKEN,
                device_url=provider.device_url and server.url + DEVICE,
                client_id=None,
            )
            monkeypatch.setitem(oauth_providers.PROVIDERS, key, at_home)
        yield server


@pytest.fixture
async def credentials(hass: HomeAssistant) -> None:
    """Make the application credentials known."""
    assert await async_setup_component(hass, "application_credentials", {})
    await add_credential(hass, CLIENT_ID, "mine")


async def add_credential(hass: HomeAssistant, client_id: str, name: str) -> None:
    """Add a client of the user's."""
    credential = ClientCredential(client_id, CLIENT_SECRET, name)
    await async_import_client_credential(hass, DOMAIN, credential, name)


@pytest.fixture
def handler() -> Iterator[type[SignIn]]:
    """Let the flow do nothing but sign in."""
    SignIn.server = SERVER
    with mock_config_flow(DOMAIN, SignIn):
        yield SignIn


class SignInPage:
    """The user in front of the browser."""

    def __init__(self, hass: HomeAssistant, home: TestClient[Any, Any]) -> None:
        """Look at Home Assistant from outside."""
        self._hass = hass
        self._home = home

    async def begin(self, provider: str = "google") -> dict[str, Any]:
        """Start the flow."""
        return {
            **await self._hass.config_entries.flow.async_init(
                DOMAIN, context={"source": "user"}, data={"provider": provider}
            )
        }

    async def go_on(
        self, result: dict[str, Any], user_input: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Submit what is shown."""
        return {
            **await self._hass.config_entries.flow.async_configure(
                result["flow_id"], user_input
            )
        }

    async def answer(
        self, result: dict[str, Any], answer: str = "allow"
    ) -> dict[str, Any]:
        """Press a button on the provider's page, and come back to Home Assistant."""
        assert result["type"] == "external", result
        async with (
            ClientSession() as browser,
            browser.post(
                result["url"], data={"answer": answer}, allow_redirects=False
            ) as page,
        ):
            back = URL(page.headers["Location"])
        assert str(back.with_query(None)) == CALLBACK
        assert (await self._home.get(str(back.relative()))).status == 200
        return await self.go_on(result)


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
    """Return the user."""
    assert await async_setup_component(hass, DOMAIN, {})
    return SignInPage(hass, await hass_client_no_auth())


@pytest.fixture
async def entry(hass: HomeAssistant, page: SignInPage) -> ConfigEntry:
    """Sign in; return the entry that comes of it."""
    result = await page.answer(await page.begin())
    assert result["type"] == "create_entry", result
    await hass.async_block_till_done()
    entry: ConfigEntry = result["result"]
    return entry


# In the browser


@pytest.mark.parametrize(
    ("provider", "parameters"),
    [
        pytest.param(
            "google",
            {
                "scope": "https://mail.google.com/",
                "access_type": "offline",
                "prompt": "consent",
            },
            id="google",
        ),
        pytest.param("yahoo", {"scope": "mail-w"}, id="yahoo"),
        pytest.param(
            "fastmail",
            {"scope": "https://www.fastmail.com/dev/protocol-imap offline_access"},
            id="fastmail",
        ),
    ],
)
async def test_sign_in_in_the_browser(
    page: SignInPage, provider: str, parameters: dict[str, str]
) -> None:
    """The provider knows who, for what, and that nobody else can use the code."""
    shown = await page.begin(provider)
    query = URL(shown["url"]).query
    assert query["login_hint"] == USERNAME
    assert query["code_challenge_method"] == "S256"
    assert {key: query[key] for key in parameters} == parameters
    result = await page.answer(shown)
    data = result["data"]
    assert result["type"] == "create_entry"
    assert data["auth_implementation"] == "mine"
    assert data["oauth_provider"] == provider
    assert not data["oauth_device"]
    assert data["token"]["refresh_token"]
    assert data["token"]["expires_at"] > time.time()


@pytest.mark.parametrize(
    ("provider", "has_secret"),
    [
        pytest.param("google", True, id="google"),
        pytest.param("fastmail", False, id="fastmail"),
    ],
)
async def test_who_is_told_a_secret(
    hass: HomeAssistant, page: SignInPage, provider: str, has_secret: bool
) -> None:
    """Home Assistant wants one to be typed even where clients have none."""
    with patch.object(oauth, "post_form", wraps=post_form) as post:
        result = await page.answer(await page.begin(provider))
        await hass.async_block_till_done()
        source = token_source_for_entry(hass, result["result"])
        assert source is not None
        await source.token(renew=True)
    told = ["client_secret" in call.args[2] for call in post.call_args_list]
    assert told == [has_secret] * 2


async def test_provider_of_the_users_own(page: SignInPage, server: OAuthServer) -> None:
    """The user types the addresses, which are kept for the renewals."""
    form = await page.begin("custom")
    endpoints = {
        "authorize_url": f" {server.url}{AUTHORIZE}?tenant=home",
        "token_url": "http://example.com/token",
        "scope": "mail",
    }
    form = await page.go_on(form, endpoints)
    assert form["errors"] == {"token_url": "https_needed"}
    shown = await page.go_on(form, {**endpoints, "token_url": server.url + TOKEN})
    assert URL(shown["url"]).query["tenant"] == "home"
    result = await page.answer(shown)
    assert result["data"]["oauth_endpoints"] == {
        "authorize_url": f"{server.url}{AUTHORIZE}?tenant=home",
        "token_url": server.url + TOKEN,
        "scope": "mail",
    }


async def test_refused_at_a_provider_of_the_users_own(
    hass: HomeAssistant, page: SignInPage, server: OAuthServer
) -> None:
    """Who signs in once more need not type the addresses again."""
    endpoints = {
        "authorize_url": server.url + AUTHORIZE,
        "token_url": server.url + TOKEN,
        "scope": "mail",
    }

    async def refuse(flow: SignIn, _data: dict[str, Any]) -> Any:
        return await flow.async_start_oauth("custom", USERNAME)

    with patch.object(SignIn, "async_handle_token", refuse):
        shown = await page.go_on(await page.begin("custom"), endpoints)
        form = await page.answer(shown)
    assert form["step_id"] == "oauth_endpoints"
    assert suggested(form) == endpoints


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        pytest.param("https://login.example.com/token", True, id="https"),
        pytest.param("http://192.168.1.4:8080/token", True, id="at home"),
        pytest.param("http://203.0.113.9/token", False, id="elsewhere"),
        pytest.param("http://home/token", False, id="plain name"),
        pytest.param("https:token", False, id="no host"),
        pytest.param("https://[", False, id="no address"),
        pytest.param("https://xn--/", False, id="no IDN"),
    ],
)
def test_where_tokens_may_be_sent(address: str, expected: bool) -> None:
    """Encrypted, or within the house."""
    assert is_secure_url(address) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param("temporarily_unavailable", "sign_in_unreachable", id="busy"),
        pytest.param("invalid_scope", "sign_in_refused", id="not for mail"),
    ],
)
async def test_page_that_sends_back_with_an_error(
    page: SignInPage, error: str, expected: str
) -> None:
    """The user is told that it was not them."""
    shown = await page.begin()
    state = {"flow_id": shown["flow_id"], "redirect_uri": CALLBACK}
    await page.go_on(shown, {"state": state, "error": error})
    form = await page.go_on(shown)
    assert form["errors"] == {"base": expected}
    assert form["description_placeholders"] == {"reason": error}


async def test_denied_in_the_browser(page: SignInPage) -> None:
    """The user is told, and may try again."""
    form = await page.answer(await page.begin(), "deny")
    assert form["errors"] == {"base": "sign_in_denied"}
    assert (await page.go_on(form))["errors"] == form["errors"]
    result = await page.answer(await page.go_on(form, {}))
    assert result["type"] == "create_entry"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        pytest.param(Fault.SERVER_ERROR, "sign_in_unreachable", id="server error"),
        pytest.param(Fault.NO_JSON, "sign_in_unreachable", id="no JSON"),
        pytest.param(Fault.SILENT, "sign_in_unreachable", id="silent"),
        pytest.param(Fault.THROTTLED, "sign_in_unreachable", id="throttled"),
        pytest.param("invalid_client", "sign_in_refused", id="wrong client"),
        pytest.param("temporarily_unavailable", "sign_in_unreachable", id="busy"),
    ],
)
async def test_no_token_for_the_code(
    page: SignInPage, server: OAuthServer, fault: Fault | str, error: str
) -> None:
    """The user is told, and may try again."""
    server.faults[TOKEN] = fault
    form = await page.answer(await page.begin())
    assert form["errors"] == {"base": error}
    reason = fault if error == "sign_in_refused" else "no token"
    assert form["description_placeholders"] == {"reason": reason}
    server.faults.clear()
    result = await page.answer(await page.go_on(form, {}))
    assert result["type"] == "create_entry"


async def test_token_that_could_not_be_renewed(
    page: SignInPage, server: OAuthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would end with an hour, so that it is none."""
    issue = server._issue

    def issue_once(*args: Any) -> dict[str, object]:
        return {
            key: value for key, value in issue(*args).items() if key != "refresh_token"
        }

    monkeypatch.setattr(server, "_issue", issue_once)
    form = await page.answer(await page.begin())
    assert form["errors"] == {"base": "sign_in_refused"}


# Which credentials


@pytest.mark.parametrize(
    ("client_id", "providers"),
    [
        pytest.param(GOOGLE_ID, {"google"}, id="google"),
        pytest.param(MICROSOFT_ID, {"microsoft"}, id="microsoft"),
        pytest.param("dj0yJmk9abc--", {"yahoo"}, id="yahoo"),
        pytest.param("something", {"fastmail"}, id="unknown"),
    ],
)
def test_client_is_offered_where_it_can_be_from(
    client_id: str, providers: set[str]
) -> None:
    """At the user's own endpoints it may be any."""
    found = {key for key in (*PROVIDERS, "custom") if accepts_client_id(client_id, key)}
    assert found == providers | {"custom"}


async def test_no_credentials(
    hass: HomeAssistant,
    handler: type[SignIn],
    current_request_with_host: None,
) -> None:
    """Home Assistant asks for them then."""
    assert await async_setup_component(hass, "application_credentials", {})
    await add_credential(hass, MICROSOFT_ID, "work")
    result: Any = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": "user"}, data={"provider": "google"}
    )
    assert (result["type"], result["reason"]) == ("abort", "missing_credentials")


async def test_several_credentials(hass: HomeAssistant, page: SignInPage) -> None:
    """The user chooses by their names."""
    await add_credential(hass, "another", "other")
    form = await page.begin()
    assert form["step_id"] == "pick_implementation"
    result = await page.answer(await page.go_on(form, {"implementation": "mine"}))
    assert result["data"]["auth_implementation"] == "mine"


async def test_dialog_of_the_credentials(
    hass: HomeAssistant, credentials: None, hass_ws_client: Any
) -> None:
    """It links to the guides."""
    client = await hass_ws_client()
    await client.send_json_auto_id({"type": "application_credentials/config"})
    answer = (await client.receive_json())["result"]
    placeholders = answer["integrations"][DOMAIN]["description_placeholders"]
    assert {URL(url).name for url in placeholders.values()} == {
        "google.md",
        "microsoft.md",
    }


# With a code


async def begin_with_code(page: SignInPage) -> dict[str, Any]:
    """Choose the code."""
    menu = await page.begin("microsoft")
    assert menu["menu_options"] == ["auth", "oauth_device", "server"]
    return await page.go_on(menu, {"next_step_id": "oauth_device"})


async def finish(
    hass: HomeAssistant, page: SignInPage, shown: dict[str, Any]
) -> dict[str, Any]:
    """Wait until what was shown goes on by itself."""
    async with asyncio.timeout(5):
        while (result := await page.go_on(shown))["type"] == "progress":
            await asyncio.sleep(0.02)
    return result


async def test_sign_in_with_a_code(
    hass: HomeAssistant, page: SignInPage, server: OAuthServer
) -> None:
    """No page has to find the way back to Home Assistant."""
    shown = await begin_with_code(page)
    placeholders = shown["description_placeholders"]
    assert placeholders["url"].startswith(server.url)
    server.answer_device(placeholders["code"], allow=True)
    result = await finish(hass, page, shown)
    assert result["type"] == "create_entry"
    assert result["data"]["oauth_device"]
    assert result["data"]["oauth_provider"] == "microsoft"
    # A public client is refused by Microsoft if it tells a secret.
    source = token_source_for_entry(hass, result["result"])
    assert source is not None
    old = await source.token()
    with patch.object(oauth, "post_form", wraps=post_form) as post:
        assert await source.token(renew=True) != old
    assert "client_secret" not in post.call_args.args[2]


def count_polls() -> int:
    """Return how many codes are waited for."""
    return sum(
        task.get_name() == f"{DOMAIN} device code" for task in asyncio.all_tasks()
    )


async def test_code_asked_for_twice(page: SignInPage, server: OAuthServer) -> None:
    """A form that is sent twice shows one code, and waits for one."""
    menu = await page.begin("microsoft")
    choice = {"next_step_id": "oauth_device"}
    first, second = await asyncio.gather(
        page.go_on(menu, choice), page.go_on(menu, choice)
    )
    assert first["description_placeholders"] == second["description_placeholders"]
    assert count_polls() == 1


async def test_closed_while_the_code_is_fetched(
    hass: HomeAssistant, page: SignInPage, server: OAuthServer
) -> None:
    """Nothing is waited for any more."""
    menu = await page.begin("microsoft")
    asking = asyncio.create_task(page.go_on(menu, {"next_step_id": "oauth_device"}))
    async with asyncio.timeout(5):
        while not server.asked[DEVICE]:
            await asyncio.sleep(0)
    hass.config_entries.flow.async_abort(menu["flow_id"])
    with pytest.raises(UnknownFlow):
        await asking
    assert not count_polls()


async def test_closed_while_the_code_is_shown(
    hass: HomeAssistant, page: SignInPage
) -> None:
    """Nothing is waited for any more."""
    shown = await begin_with_code(page)
    assert count_polls() == 1
    hass.config_entries.flow.async_abort(shown["flow_id"])
    await asyncio.sleep(0)
    assert not count_polls()


async def test_frontend_that_asks_twice_what_came_of_the_code(
    hass: HomeAssistant, page: SignInPage, server: OAuthServer
) -> None:
    """A page that is loaded anew while the account is tried is told, too."""
    shown = await begin_with_code(page)
    server.answer_device(shown["description_placeholders"]["code"], allow=True)
    both = asyncio.Barrier(2)
    done = SignIn.async_handle_token

    async def try_account(flow: SignIn, data: dict[str, Any]) -> Any:
        await both.wait()
        return await done(flow, data)

    with patch.object(SignIn, "async_handle_token", try_account):
        results = await asyncio.wait_for(
            asyncio.gather(
                finish(hass, page, shown),
                finish(hass, page, shown),
                return_exceptions=True,
            ),
            5,
        )
    [result] = [it for it in results if not isinstance(it, UnknownFlow)]
    assert isinstance(result, dict), result
    assert result["type"] == "create_entry"


@pytest.mark.parametrize("allow", [False, None], ids=["denied", "expired"])
async def test_code_that_nothing_comes_of(
    hass: HomeAssistant, page: SignInPage, server: OAuthServer, allow: bool | None
) -> None:
    """The user is told, and gets another code."""
    if allow is None:
        server.device_lifetime = 0
    shown = await begin_with_code(page)
    if allow is not None:
        server.answer_device(shown["description_placeholders"]["code"], allow=allow)
    form = await finish(hass, page, shown)
    assert form["errors"] == {
        "base": "sign_in_expired" if allow is None else "sign_in_denied"
    }
    server.device_lifetime = 900
    menu = await page.go_on(form, {})
    shown = await page.go_on(menu, {"next_step_id": "oauth_device"})
    server.answer_device(shown["description_placeholders"]["code"], allow=True)
    assert (await finish(hass, page, shown))["type"] == "create_entry"


@pytest.mark.parametrize(
    ("fault", "error", "reason"),
    [
        pytest.param(
            Fault.SERVER_ERROR, "sign_in_unreachable", "JSONDecodeError", id="outage"
        ),
        pytest.param(
            "unauthorized_client",
            "sign_in_refused",
            "unauthorized_client",
            id="no public client",
        ),
    ],
)
async def test_no_code(
    page: SignInPage, server: OAuthServer, fault: Fault | str, error: str, reason: str
) -> None:
    """The user is told why, in the provider's words."""
    server.faults[DEVICE] = fault
    form = await begin_with_code(page)
    assert form["errors"] == {"base": error}
    assert form["description_placeholders"] == {"reason": reason}


# Tokens of an account


def data_of(entry: ConfigEntry, **token: Any) -> dict[str, Any]:
    """Return an entry's data with another token."""
    return {**entry.data, "token": {**entry.data["token"], **token}}


def age(hass: HomeAssistant, entry: ConfigEntry, seconds: float) -> None:
    """Let an entry's token end so many seconds from now."""
    data = data_of(entry, expires_at=time.time() + seconds)
    hass.config_entries.async_update_entry(entry, data=data)


@pytest.mark.parametrize(
    ("seconds", "is_renewed"),
    [
        pytest.param(600, False, id="fresh"),
        pytest.param(30, True, id="ends soon"),
        pytest.param(-30, True, id="ended"),
    ],
)
async def test_token_is_renewed_before_it_ends(
    hass: HomeAssistant,
    entry: ConfigEntry,
    watchers: list[FakeWatcher],
    seconds: float,
    is_renewed: bool,
) -> None:
    """What is new is kept in the entry, and the account goes on as if nothing was."""
    old = entry.data["token"]["access_token"]
    age(hass, entry, seconds)
    source = watchers[0].account.token
    assert source is not None
    new = await source.token()
    await hass.async_block_till_done()
    assert (new != old) is is_renewed
    assert entry.data["token"]["access_token"] == new
    assert len(watchers) == 1


async def test_all_that_ask_wait_for_one_renewal(
    hass: HomeAssistant, entry: ConfigEntry, server: OAuthServer
) -> None:
    """A refresh token is good for one use only, also with a reload in between."""
    asked = server.asked[TOKEN]
    sources = [token_source_for_entry(hass, entry), token_source_for_entry(hass, entry)]
    tokens = await asyncio.gather(
        *(source.token(renew=True) for source in sources if source)
    )
    assert len(tokens) == 2
    assert len({*tokens}) == 1
    assert server.asked[TOKEN] == asked + 1


async def test_renewal_outlives_who_asked(
    hass: HomeAssistant, entry: ConfigEntry
) -> None:
    """What the provider has given must not get lost."""
    source = token_source_for_entry(hass, entry)
    assert source is not None
    old = entry.data["token"]
    asking = asyncio.create_task(source.token(renew=True))
    await asyncio.sleep(0)
    asking.cancel()
    await hass.async_block_till_done()
    assert asking.cancelled()
    assert entry.data["token"] != old


async def test_error_that_nobody_waits_for(
    hass: HomeAssistant,
    entry: ConfigEntry,
    server: OAuthServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is not told to nobody; who asks next gets it."""
    server.faults[TOKEN] = "invalid_grant"
    source = token_source_for_entry(hass, entry)
    assert source is not None
    asking = asyncio.create_task(source.token(renew=True))
    await asyncio.sleep(0)
    asking.cancel()
    await hass.async_block_till_done()
    assert "never retrieved" not in caplog.text
    with pytest.raises(TokenRevoked):
        await source.token(renew=True)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        pytest.param("invalid_grant", TokenRevoked, id="revoked"),
        pytest.param("invalid_client", TokenRevoked, id="client gone"),
        pytest.param("temporarily_unavailable", TokenUnavailable, id="busy"),
        pytest.param(Fault.SERVER_ERROR, TokenUnavailable, id="server error"),
        pytest.param(Fault.NO_JSON, TokenUnavailable, id="no JSON"),
        pytest.param(Fault.SILENT, TokenUnavailable, id="silent"),
        pytest.param(Fault.THROTTLED, TokenUnavailable, id="throttled"),
        pytest.param(None, TokenUnavailable, id="no network"),
    ],
)
async def test_token_that_cannot_be_renewed(
    hass: HomeAssistant,
    entry: ConfigEntry,
    server: OAuthServer,
    fault: Fault | str | None,
    error: type[Exception],
) -> None:
    """Only the provider's word brings the user in; all else passes."""
    source = token_source_for_entry(hass, entry)
    assert source is not None
    if fault is None:
        await server.stop()
    else:
        server.faults[TOKEN] = fault
    with pytest.raises(error):
        await source.token(renew=True)
    assert not hass.config_entries.flow.async_progress()
    if fault is None:
        await server.start()
    server.faults.clear()
    assert await source.token(renew=True)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(
            {"error": {"errorId": "INVALID_REFRESH_TOKEN"}},
            TokenRevoked,
            id="Yahoo's object",
        ),
        pytest.param({}, TokenUnavailable, id="nothing"),
        pytest.param({"access_token": ["a"]}, TokenUnavailable, id="list"),
        pytest.param({"access_token": "\ud800"}, TokenUnavailable, id="no character"),
        pytest.param({"access_token": "a\1b"}, TokenUnavailable, id="control"),
    ],
)
async def test_answer_that_is_no_token(
    hass: HomeAssistant,
    entry: ConfigEntry,
    answer: dict[str, Any],
    error: type[Exception],
) -> None:
    """The token is as it was, whatever an endpoint says."""
    source = token_source_for_entry(hass, entry)
    assert source is not None
    old = entry.data["token"]
    with (
        patch.object(oauth, "post_form", return_value=answer),
        pytest.raises(error),
    ):
        await source.token(renew=True)
    assert entry.data["token"] == old


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({}, id="no new one"),
        pytest.param({"refresh_token": None}, id="null"),
        pytest.param({"refresh_token": ""}, id="empty"),
        pytest.param({"id_token": "jane", "expires_in": 10**400}, id="too much"),
    ],
)
async def test_what_is_kept_of_a_renewal(
    hass: HomeAssistant, entry: ConfigEntry, answer: dict[str, Any]
) -> None:
    """The refresh token stays unless there is another; what is of no use is not kept."""
    source = token_source_for_entry(hass, entry)
    assert source is not None
    old = entry.data["token"]
    answer = {"access_token": "new", **answer}
    with patch.object(oauth, "post_form", return_value=answer):
        assert await source.token(renew=True) == "new"
    assert entry.data["token"].keys() == old.keys()
    assert entry.data["token"]["refresh_token"] == old["refresh_token"]
    assert entry.data["token"]["expires_in"] < 2**31


async def test_credentials_are_gone(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Only the user can help."""
    data = {**entry.data, "auth_implementation": "gone"}
    with pytest.raises(TokenRevoked):
        await token_source_for_data(hass, data).token(renew=True)


async def test_entry_that_goes_while_its_token_is_renewed(
    hass: HomeAssistant, entry: ConfigEntry
) -> None:
    """Nothing is written."""
    source = token_source_for_entry(hass, entry)
    assert source is not None
    asking = asyncio.create_task(source.token(renew=True))
    await asyncio.sleep(0)
    await hass.config_entries.async_remove(entry.entry_id)
    await asking


async def test_signed_in_anew_while_the_token_is_renewed(
    hass: HomeAssistant, entry: ConfigEntry, server: OAuthServer
) -> None:
    """What the user has just allowed counts."""
    source = token_source_for_entry(hass, entry)
    assert source is not None
    asked = server.asked[TOKEN]
    asking = asyncio.create_task(source.token(renew=True))
    while server.asked[TOKEN] == asked:
        await asyncio.sleep(0)
    data = data_of(entry, access_token="of the user")
    hass.config_entries.async_update_entry(entry, data=data)
    assert await asking == "of the user"


async def test_password_typed_while_the_token_is_renewed(
    hass: HomeAssistant, entry: ConfigEntry
) -> None:
    """What still asks for a token gets none, and the password stays the only secret."""
    source = token_source_for_entry(hass, entry)
    assert source is not None
    asking = asyncio.create_task(source.token(renew=True))
    await asyncio.sleep(0)
    hass.config_entries.async_update_entry(entry, data=ENTRY_DATA)
    with pytest.raises(TokenUnavailable):
        await asking
    with pytest.raises(TokenUnavailable):
        await source.token()
    assert entry.data == ENTRY_DATA


async def test_credentials_that_cannot_be_read_now(
    hass: HomeAssistant, page: SignInPage, entry: ConfigEntry
) -> None:
    """It passes."""
    source = token_source_for_entry(hass, entry)
    assert source is not None
    error = ImplementationUnavailableError()
    with (
        patch.object(oauth, "async_get_implementations", side_effect=error),
        pytest.raises(TokenUnavailable),
    ):
        await source.token(renew=True)
    with patch.object(oauth_flow, "async_get_implementations", side_effect=error):
        result = await page.begin()
    assert result["reason"] == "oauth_implementation_unavailable"


async def test_token_before_there_is_an_entry(
    hass: HomeAssistant, entry: ConfigEntry
) -> None:
    """What is renewed while the account is tried is what the entry gets."""
    data = {**entry.data}
    source = token_source_for_data(hass, data)
    assert await source.token() == entry.data["token"]["access_token"]
    assert await source.token(renew=True) == data["token"]["access_token"]
    assert data["token"] != entry.data["token"]


async def test_after_a_restart(
    hass: HomeAssistant,
    entry: ConfigEntry,
    watchers: list[FakeWatcher],
) -> None:
    """The provider and the client are found again by what the entry says."""
    assert await hass.config_entries.async_reload(entry.entry_id)
    source = watchers[-1].account.token
    assert source is not None
    old = await source.token()
    assert await source.token(renew=True) != old


# Signing in again


async def test_sign_in_again(
    hass: HomeAssistant,
    entry: ConfigEntry,
    page: SignInPage,
    watchers: list[FakeWatcher],
) -> None:
    """With the same client, without being asked which."""
    await add_credential(hass, "another", "other")
    old = entry.data["token"]
    entry.async_start_reauth(hass)
    await hass.async_block_till_done()
    [flow] = hass.config_entries.flow.async_progress()
    shown = {**flow, "type": "external"}
    flow_handler: Any = hass.config_entries.flow._progress[flow["flow_id"]]
    shown["url"] = flow_handler.cur_step["url"]
    result = await page.answer(shown)
    assert (result["type"], result["reason"]) == ("abort", "reauth_successful")
    assert entry.data["token"] != old
    assert entry.data["auth_implementation"] == "mine"
    await hass.async_block_till_done()
    assert len(watchers) == 2
    assert entry.state is ConfigEntryState.LOADED


# Privacy


async def test_no_secret_in_the_log(
    hass: HomeAssistant,
    server: OAuthServer,
    page: SignInPage,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither token nor client secret nor address, whatever happens."""
    caplog.set_level(logging.DEBUG)
    entry = (await page.answer(await page.begin()))["result"]
    await hass.async_block_till_done()
    secrets = {CLIENT_SECRET, *server.secrets}
    source = token_source_for_entry(hass, entry)
    assert source is not None
    await source.token(renew=True)
    secrets |= {*server.secrets}
    for fault in (*Fault, "invalid_grant"):
        server.faults[TOKEN] = fault
        with pytest.raises((TokenRevoked, TokenUnavailable)):
            await source.token(renew=True)
    server.faults.clear()
    shown = await begin_with_code(page)
    server.answer_device(shown["description_placeholders"]["code"], allow=True)
    await finish(hass, page, shown)
    secrets |= {*server.secrets}
    assert not [secret for secret in secrets if secret in caplog.text]
