"""Sign-in with OAuth2 in the config flow: browser, credentials, device code."""

import asyncio
import time
from typing import Any
from unittest.mock import patch

import pytest
from yarl import URL

from custom_components.imap_push.const import DOMAIN
from custom_components.imap_push.flows.oauth_flow import is_secure_url
from custom_components.imap_push.oauth import tokens as oauth
from custom_components.imap_push.oauth.endpoint import post_form
from custom_components.imap_push.oauth.providers import PROVIDERS, accepts_client_id
from custom_components.imap_push.oauth.tokens import token_source_for_entry
from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import UnknownFlow
from homeassistant.setup import async_setup_component

from .. import USERNAME, suggested
from ..conftest import FakeWatcher
from ..flow_forms import choose, submit
from ..oauth_flow_handler import SignIn
from .conftest import (
    CALLBACK,
    GOOGLE_ID,
    MICROSOFT_ID,
    SignInPage,
    add_credential,
    start_with_code,
    wait_for_result,
)

from tests.rig.oauth_server import AUTHORIZE, DEVICE, TOKEN, Fault, OAuthServer


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
async def test_sign_in_with_the_browser(
    page: SignInPage, provider: str, parameters: dict[str, str]
) -> None:
    """The authorization request has login hint, scope and PKCE challenge (RFC 7636)."""
    shown = await page.start(provider)
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
async def test_client_secret_is_sent_only_if_the_provider_has_one(
    hass: HomeAssistant, page: SignInPage, provider: str, has_secret: bool
) -> None:
    """Home Assistant requires a secret in the dialog even for public clients."""
    with patch.object(oauth, "post_form", wraps=post_form) as post:
        result = await page.answer(await page.start(provider))
        await hass.async_block_till_done()
        source = token_source_for_entry(hass, result["result"])
        assert source is not None
        await source.token(renew=True)
    sent = ["client_secret" in call.args[2] for call in post.call_args_list]
    assert sent == [has_secret] * 2


async def test_custom_provider(page: SignInPage, server: OAuthServer) -> None:
    """The user enters the endpoints, which are stored for renewals."""
    form = await page.start("custom")
    endpoints = {
        "authorize_url": f" {server.url}{AUTHORIZE}?tenant=home",
        "token_url": "http://example.com/token",
        "scope": "mail",
    }
    form = await page.submit(form, endpoints)
    assert form["errors"] == {"token_url": "https_needed"}
    shown = await page.submit(form, {**endpoints, "token_url": server.url + TOKEN})
    assert URL(shown["url"]).query["tenant"] == "home"
    result = await page.answer(shown)
    assert result["data"]["oauth_endpoints"] == {
        "authorize_url": f"{server.url}{AUTHORIZE}?tenant=home",
        "token_url": server.url + TOKEN,
        "scope": "mail",
    }


async def test_endpoints_are_shown_again_after_a_failed_sign_in(
    hass: HomeAssistant, page: SignInPage, server: OAuthServer
) -> None:
    """The user need not type them again."""
    endpoints = {
        "authorize_url": server.url + AUTHORIZE,
        "token_url": server.url + TOKEN,
        "scope": "mail",
    }

    async def refuse(flow: SignIn, _data: dict[str, Any]) -> Any:
        return await flow.async_start_oauth("custom", USERNAME)

    with patch.object(SignIn, "async_handle_token", refuse):
        shown = await page.submit(await page.start("custom"), endpoints)
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
def test_secure_urls(address: str, expected: bool) -> None:
    """HTTPS, or HTTP within the local network."""
    assert is_secure_url(address) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param("temporarily_unavailable", "sign_in_unreachable", id="busy"),
        pytest.param("invalid_scope", "sign_in_refused", id="not for mail"),
    ],
)
async def test_redirect_with_an_error(
    page: SignInPage, error: str, expected: str
) -> None:
    """The user sees that the provider refused, not the user (RFC 6749 4.1.2.1)."""
    shown = await page.start()
    state = {"flow_id": shown["flow_id"], "redirect_uri": CALLBACK}
    await page.submit(shown, {"state": state, "error": error})
    form = await page.submit(shown)
    assert form["errors"] == {"base": expected}
    assert form["description_placeholders"] == {"reason": error}


async def test_denied_in_the_browser(page: SignInPage) -> None:
    """The form shows it, and the user can try again."""
    form = await page.answer(await page.start(), "deny")
    assert form["errors"] == {"base": "sign_in_denied"}
    assert (await page.submit(form))["errors"] == form["errors"]
    result = await page.answer(await page.submit(form, {}))
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
async def test_token_request_fails(
    page: SignInPage, server: OAuthServer, fault: Fault | str, error: str
) -> None:
    """The form shows it, and the user can try again."""
    server.faults[TOKEN] = fault
    form = await page.answer(await page.start())
    assert form["errors"] == {"base": error}
    reason = fault if error == "sign_in_refused" else "no token"
    assert form["description_placeholders"] == {"reason": reason}
    server.faults.clear()
    result = await page.answer(await page.submit(form, {}))
    assert result["type"] == "create_entry"


async def test_sign_in_without_refresh_token_fails(
    page: SignInPage, server: OAuthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The access token would soon expire."""
    issue = server._issue

    def issue_once(*args: Any) -> dict[str, object]:
        return {
            key: value for key, value in issue(*args).items() if key != "refresh_token"
        }

    monkeypatch.setattr(server, "_issue", issue_once)
    form = await page.answer(await page.start())
    assert form["errors"] == {"base": "sign_in_refused"}


@pytest.mark.parametrize(
    ("client_id", "providers"),
    [
        pytest.param(GOOGLE_ID, {"google"}, id="google"),
        pytest.param(MICROSOFT_ID, {"microsoft"}, id="microsoft"),
        pytest.param("dj0yJmk9abc--", {"yahoo"}, id="yahoo"),
        pytest.param("something", {"fastmail"}, id="unknown"),
    ],
)
def test_client_ids_by_provider(client_id: str, providers: set[str]) -> None:
    """A custom provider accepts every client ID."""
    found = {key for key in (*PROVIDERS, "custom") if accepts_client_id(client_id, key)}
    assert found == providers | {"custom"}


async def test_no_credentials(
    hass: HomeAssistant,
    handler: type[SignIn],
    current_request_with_host: None,
) -> None:
    """The user learns why Home Assistant asks for them."""
    assert await async_setup_component(hass, "application_credentials", {})
    await add_credential(hass, MICROSOFT_ID, "work")
    result: Any = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": "user"}, data={"provider": "google"}
    )
    assert (result["type"], result["step_id"]) == ("menu", "credentials")
    assert result["menu_options"] == ["add_credentials", "server", "set_up_again"]
    assert result["description_placeholders"]["provider"] == "Google"
    assert result["description_placeholders"]["guide"].endswith("docs/google.md")
    result = await choose(hass, result, "add_credentials")
    assert (result["type"], result["reason"]) == ("abort", "missing_credentials")


async def test_no_credentials_for_a_custom_provider(
    hass: HomeAssistant, handler: type[SignIn], current_request_with_host: None
) -> None:
    """There is no guide."""
    assert await async_setup_component(hass, "application_credentials", {})
    form: Any = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": "user"}, data={"provider": "custom"}
    )
    url = "https://example.com/"
    user_input = {"authorize_url": url, "token_url": url, "scope": "mail"}
    result = await submit(hass, form, user_input)
    assert (result["type"], result["reason"]) == ("abort", "missing_credentials")


async def test_several_credentials(hass: HomeAssistant, page: SignInPage) -> None:
    """The user selects one by its name."""
    await add_credential(hass, "another", "other")
    form = await page.start()
    assert form["step_id"] == "pick_implementation"
    result = await page.answer(await page.submit(form, {"implementation": "mine"}))
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


async def test_sign_in_with_a_device_code(
    hass: HomeAssistant, page: SignInPage, server: OAuthServer
) -> None:
    """This needs no redirect to Home Assistant."""
    shown = await start_with_code(page)
    placeholders = shown["description_placeholders"]
    assert placeholders["url"].startswith(server.url)
    server.answer_device(placeholders["code"], allow=True)
    result = await wait_for_result(hass, page, shown)
    assert result["type"] == "create_entry"
    assert result["data"]["oauth_device"]
    assert result["data"]["oauth_provider"] == "microsoft"
    # Microsoft refuses public clients that send a secret.
    source = token_source_for_entry(hass, result["result"])
    assert source is not None
    old = await source.token()
    with patch.object(oauth, "post_form", wraps=post_form) as post:
        assert await source.token(renew=True) != old
    assert "client_secret" not in post.call_args.args[2]


def count_polls() -> int:
    """Return how many tasks poll for a token."""
    return sum(
        task.get_name() == f"{DOMAIN} device code" for task in asyncio.all_tasks()
    )


async def test_device_code_step_submitted_twice(
    page: SignInPage, server: OAuthServer
) -> None:
    """One code is shown, and one task polls."""
    menu = await page.start("microsoft")
    choice = {"next_step_id": "oauth_device"}
    first, second = await asyncio.gather(
        page.submit(menu, choice), page.submit(menu, choice)
    )
    assert first["description_placeholders"] == second["description_placeholders"]
    assert count_polls() == 1


async def test_flow_closed_during_the_device_code_request(
    hass: HomeAssistant, page: SignInPage, server: OAuthServer
) -> None:
    """No task polls."""
    menu = await page.start("microsoft")
    request = asyncio.create_task(page.submit(menu, {"next_step_id": "oauth_device"}))
    async with asyncio.timeout(5):
        while not server.asked[DEVICE]:
            await asyncio.sleep(0)
    hass.config_entries.flow.async_abort(menu["flow_id"])
    with pytest.raises(UnknownFlow):
        await request
    assert not count_polls()


async def test_flow_closed_while_the_device_code_is_shown(
    hass: HomeAssistant, page: SignInPage
) -> None:
    """The task is cancelled."""
    shown = await start_with_code(page)
    assert count_polls() == 1
    hass.config_entries.flow.async_abort(shown["flow_id"])
    await asyncio.sleep(0)
    assert not count_polls()


async def test_result_of_the_device_code_requested_twice(
    hass: HomeAssistant, page: SignInPage, server: OAuthServer
) -> None:
    """A page that is reloaded while the account is tried gets the result, too."""
    shown = await start_with_code(page)
    server.answer_device(shown["description_placeholders"]["code"], allow=True)
    both = asyncio.Barrier(2)
    done = SignIn.async_handle_token

    async def try_account(flow: SignIn, data: dict[str, Any]) -> Any:
        await both.wait()
        return await done(flow, data)

    with patch.object(SignIn, "async_handle_token", try_account):
        results = await asyncio.wait_for(
            asyncio.gather(
                wait_for_result(hass, page, shown),
                wait_for_result(hass, page, shown),
                return_exceptions=True,
            ),
            5,
        )
    [result] = [result for result in results if not isinstance(result, UnknownFlow)]
    assert isinstance(result, dict), result
    assert result["type"] == "create_entry"


@pytest.mark.parametrize("allow", [False, None], ids=["denied", "expired"])
async def test_device_code_denied_or_expired(
    hass: HomeAssistant, page: SignInPage, server: OAuthServer, allow: bool | None
) -> None:
    """The form shows it, and the user gets another code."""
    if allow is None:
        server.device_lifetime = 0
    shown = await start_with_code(page)
    if allow is not None:
        server.answer_device(shown["description_placeholders"]["code"], allow=allow)
    form = await wait_for_result(hass, page, shown)
    assert form["errors"] == {
        "base": "sign_in_expired" if allow is None else "sign_in_denied"
    }
    server.device_lifetime = 900
    menu = await page.submit(form, {})
    shown = await page.submit(menu, {"next_step_id": "oauth_device"})
    server.answer_device(shown["description_placeholders"]["code"], allow=True)
    assert (await wait_for_result(hass, page, shown))["type"] == "create_entry"


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
async def test_device_code_request_fails(
    page: SignInPage, server: OAuthServer, fault: Fault | str, error: str, reason: str
) -> None:
    """The form shows the error code of the provider."""
    server.faults[DEVICE] = fault
    form = await start_with_code(page)
    assert form["errors"] == {"base": error}
    assert form["description_placeholders"] == {"reason": reason}


async def test_reauth_uses_the_same_client(
    hass: HomeAssistant,
    oauth_entry: ConfigEntry,
    page: SignInPage,
    watchers: list[FakeWatcher],
) -> None:
    """The user is not requests for the client credentials."""
    await add_credential(hass, "another", "other")
    old = oauth_entry.data["token"]
    oauth_entry.async_start_reauth(hass)
    await hass.async_block_till_done()
    [flow] = hass.config_entries.flow.async_progress()
    shown = {**flow, "type": "external"}
    flow_handler: Any = hass.config_entries.flow._progress[flow["flow_id"]]
    shown["url"] = flow_handler.cur_step["url"]
    result = await page.answer(shown)
    assert (result["type"], result["reason"]) == ("abort", "reauth_successful")
    assert oauth_entry.data["token"] != old
    assert oauth_entry.data["auth_implementation"] == "mine"
    await hass.async_block_till_done()
    assert len(watchers) == 2
    assert oauth_entry.state is ConfigEntryState.LOADED
