"""Setup, reauthentication and reconfiguration of accounts with OAuth2."""

from collections.abc import Iterator
from typing import Any
from unittest.mock import AsyncMock, patch

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.const import CONF_SECURITY, DOMAIN
from custom_components.imap_push.flows.oauth_flow import OAuthSteps
from custom_components.imap_push.imap import (
    AccountState,
    Auth,
    ImapError,
    LoginRefused,
    OAuthNeeded,
    TokenRefused,
)
from homeassistant.components.application_credentials import (
    ClientCredential,
    async_import_client_credential,
)
from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import (
    CONF_BASE,
    CONF_HOST,
    CONF_PASSWORD,
    CONF_PORT,
    CONF_USERNAME,
    CONF_VERIFY_SSL,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.setup import async_setup_component

from .. import (
    ACCOUNT_DATA,
    BY_OAUTH,
    BY_PASSWORD,
    ENTRY_DATA,
    HOST,
    PASSWORD,
    USERNAME,
    suggested,
)
from ..conftest import FakeWatcher
from ..flow_forms import (
    choose,
    make_discovery,
    make_server,
    provider_discovery,
    start_flow,
    submit,
    submit_address,
    submit_password,
)

pytestmark = pytest.mark.usefixtures("watchers")

PREFILLED = ACCOUNT_DATA | BY_PASSWORD
TOKEN = {
    "access_token": "abc",
    "refresh_token": "def",
    "expires_at": 0,
    "expires_in": 1,
}
SIGNED_IN = {
    "oauth_provider": "microsoft",
    "oauth_device": False,
    "oauth_signed_in": "2026-11-24T12:00:00+00:00",
    "auth_implementation": "imap_push",
    "token": TOKEN,
}


@pytest.fixture
def sign_ins() -> Iterator[list[tuple[Any, ...]]]:
    """Replace the sign-in at the provider by one that succeeds; return its arguments."""
    made: list[tuple[Any, ...]] = []

    async def sign_in(flow: OAuthSteps, *how: Any) -> ConfigFlowResult:
        made.append(how)
        return await flow.async_handle_token(SIGNED_IN)

    with (
        patch.object(OAuthSteps, "async_start_oauth", sign_in),
        patch.object(OAuthSteps, "async_start_oauth_again", sign_in),
    ):
        yield made


async def test_oauth_and_app_password_are_offered(
    hass: HomeAssistant, discover: AsyncMock, check_account: AsyncMock
) -> None:
    """The user can select the app password."""
    discover.return_value = [provider_discovery("gmail.com")]
    menu = await submit_address(hass, "jane@gmail.com")
    assert menu["step_id"] == "choose_sign_in"
    assert menu["menu_options"] == ["sign_in", "password", "server"]
    assert menu["description_placeholders"]["provider"] == "Gmail"
    form = await choose(hass, menu, "password")
    assert form["step_id"] == "app_password"
    assert Auth.OAUTH2 in provider_discovery("gmail.com").server.auth  # type: ignore[union-attr]
    result = await submit_password(hass, form)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


async def test_provider_without_password_login(
    hass: HomeAssistant,
    discover: AsyncMock,
    check_account: AsyncMock,
    sign_ins: list[tuple[Any, ...]],
) -> None:
    """Only the address is typed. After a refused login the user can sign in again."""
    found = provider_discovery("outlook.com")
    assert found.server is not None
    discover.return_value = [found]
    check_account.side_effect = TokenRefused("AUTHENTICATE failed")
    form = await submit_address(hass)
    assert form["step_id"] == "sign_in_refused"
    assert form["errors"] == {CONF_BASE: "token_refused"}
    check_account.side_effect = None
    result = await submit(hass, form, {})
    assert sign_ins == [("microsoft", found.server.username)] * 2
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"] == {
        **SIGNED_IN,
        CONF_USERNAME: found.server.username,
        CONF_HOST: found.server.host,
        CONF_PORT: 993,
        CONF_SECURITY: "tls",
        CONF_VERIFY_SSL: True,
    }
    assert check_account.await_args is not None
    assert check_account.await_args.args[0].token is not None
    await hass.async_block_till_done()


async def test_oauth_is_selected(
    hass: HomeAssistant,
    discover: AsyncMock,
    check_account: AsyncMock,
    sign_ins: list[tuple[Any, ...]],
) -> None:
    """An app password would be possible, too."""
    discover.return_value = [provider_discovery("gmail.com")]
    menu = await submit_address(hass, "jane@gmail.com")
    result = await choose(hass, menu, "sign_in")
    assert sign_ins == [("google", "jane@gmail.com")]
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


async def test_reauth_of_an_account_with_oauth(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    check_account: AsyncMock,
    sign_ins: list[tuple[Any, ...]],
) -> None:
    """It signs in at the same provider; a refused login is shown."""
    data = ACCOUNT_DATA | SIGNED_IN | {"token": {}, "oauth_signed_in": "before"}
    hass.config_entries.async_update_entry(entry, data=data)
    check_account.side_effect = TokenRefused("")
    form = await entry.start_reauth_flow(hass)
    assert form["step_id"] == "reauth_confirm"
    assert not sign_ins
    form = await submit(hass, form, {})
    assert form["step_id"] == "sign_in_refused"
    check_account.side_effect = None
    result = await submit(hass, form, {})
    assert sign_ins == [(data,)] * 2
    assert result["reason"] == "reauth_successful"
    assert entry.data == ACCOUNT_DATA | SIGNED_IN
    await hass.async_block_till_done()


async def test_reconfigure_replaces_the_token_by_a_password(
    hass: HomeAssistant, entry: MockConfigEntry, check_account: AsyncMock
) -> None:
    """Without a typed password nothing changes."""
    data = ACCOUNT_DATA | SIGNED_IN
    hass.config_entries.async_update_entry(entry, data=data)
    form = await entry.start_reconfigure_flow(hass)
    assert suggested(form) == ACCOUNT_DATA | BY_OAUTH
    result = await submit(hass, form, ACCOUNT_DATA | BY_OAUTH)
    assert result["reason"] == "reconfigure_successful"
    assert entry.data == data

    form = await entry.start_reconfigure_flow(hass)
    form = await submit(hass, form, PREFILLED)
    assert form["errors"] == {CONF_PASSWORD: "password_missing"}
    await submit(hass, form, ENTRY_DATA)
    assert entry.data == ENTRY_DATA
    await hass.async_block_till_done()


async def test_address_is_kept_while_the_user_registers(
    hass: HomeAssistant, discover: AsyncMock, current_request_with_host: None
) -> None:
    """Without credentials, the flow ends in the dialog of Home Assistant, and starts again."""
    assert await async_setup_component(hass, "application_credentials", {})
    found = provider_discovery("outlook.com")
    assert found.server is not None
    discover.return_value = [found]
    form = await submit_address(hass)
    assert form["step_id"] == "credentials"
    again = await choose(hass, form, "set_up_again")
    assert (again["step_id"], suggested(again)) == ("user", {})
    form = await submit_address(hass)
    await choose(hass, form, "add_credentials")
    for expected in ({"address": found.server.username}, {}):
        form = await hass.config_entries.flow.async_init(
            DOMAIN, context={"source": "user"}
        )
        assert suggested(form) == expected


@pytest.mark.parametrize("domain", ["gmail.com", "outlook.com"])
async def test_server_form_instead_of_oauth(
    hass: HomeAssistant, discover: AsyncMock, domain: str
) -> None:
    """It shows the discovered server."""
    assert await async_setup_component(hass, "application_credentials", {})
    credential = ClientCredential("01234567-89ab-cdef-0123-456789abcdef", "secret")
    await async_import_client_credential(hass, DOMAIN, credential)
    found = provider_discovery(domain)
    discover.return_value = [found]
    menu = await submit_address(hass, f"jane@{domain}")
    assert menu["type"] is FlowResultType.MENU
    form = await choose(hass, menu, "server")
    assert form["step_id"] == "server"
    assert found.server is not None
    assert suggested(form)[CONF_HOST] == found.server.host


@pytest.mark.parametrize(
    ("host", "key"),
    [
        pytest.param("imap.gmail.com", "google", id="known provider"),
        pytest.param(HOST, "custom", id="unknown provider"),
    ],
)
@pytest.mark.parametrize("form_used", ["by hand", "in the password form", "found"])
async def test_sign_in_at_any_provider(
    hass: HomeAssistant,
    discover: AsyncMock,
    check_account: AsyncMock,
    sign_ins: list[tuple[Any, ...]],
    host: str,
    key: str,
    form_used: str,
) -> None:
    """It needs no discovery; a typed password is not stored."""
    if form_used == "by hand":
        form = await submit(hass, await start_flow(hass), {"manual": True})
        user_input = ENTRY_DATA | BY_OAUTH | {CONF_HOST: host}
        result = await submit(hass, form, user_input)
    elif form_used == "in the password form":
        form = await submit_address(hass)
        result = await submit_password(hass, form, host=host, **BY_OAUTH)
    else:
        discover.return_value = [make_discovery(make_server(auth=(Auth.OAUTH2,)))]
        form = await submit_address(hass)
        assert form["step_id"] == "server"
        assert suggested(form) == ACCOUNT_DATA | BY_OAUTH
        result = await submit(hass, form, ACCOUNT_DATA | BY_OAUTH | {CONF_HOST: host})
    assert sign_ins == [(key, USERNAME)]
    assert result["data"] == ACCOUNT_DATA | SIGNED_IN | {CONF_HOST: host}
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(OAuthNeeded("BasicAuthBlocked"), id="the server wants it"),
        pytest.param(LoginRefused("No."), id="the user wants it"),
    ],
)
async def test_reauth_replaces_the_password_by_oauth(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watchers: list[FakeWatcher],
    check_account: AsyncMock,
    sign_ins: list[tuple[Any, ...]],
    error: ImapError,
) -> None:
    """OAuth is suggested if the server requires it; the certificate trust is kept."""
    data = ENTRY_DATA | {"fingerprint": "ab" * 32}
    hass.config_entries.async_update_entry(entry, data=data)
    assert await hass.config_entries.async_setup(entry.entry_id)
    watchers[0].listener.state_changed(AccountState(connected=False, error=error))
    form = await entry.start_reauth_flow(hass)
    requires_oauth = isinstance(error, OAuthNeeded)
    assert suggested(form) == (BY_OAUTH if requires_oauth else BY_PASSWORD)
    check_account.side_effect = TokenRefused("")
    form = await submit(hass, form, BY_OAUTH)
    assert form["step_id"] == "sign_in_refused"
    assert entry.data[CONF_PASSWORD] == PASSWORD

    check_account.side_effect = None
    result = await submit(hass, form, {})
    assert sign_ins == [("custom", USERNAME)] * 2
    assert result["reason"] == "reauth_successful"
    assert entry.data == ACCOUNT_DATA | SIGNED_IN | {"fingerprint": "ab" * 32}
    await hass.async_block_till_done()


async def test_reconfigure_replaces_the_password_by_oauth(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    check_account: AsyncMock,
    sign_ins: list[tuple[Any, ...]],
) -> None:
    """The entry stays the same, with its folders and marks."""
    form = await entry.start_reconfigure_flow(hass)
    result = await submit(hass, form, ACCOUNT_DATA | BY_OAUTH)
    assert sign_ins == [("custom", USERNAME)]
    assert result["reason"] == "reconfigure_successful"
    assert entry.data == ACCOUNT_DATA | SIGNED_IN
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({CONF_USERNAME: "joe@example.com"}, id="login"),
        pytest.param({CONF_HOST: "imap2.example.com"}, id="host"),
    ],
)
async def test_token_is_kept_only_for_its_username_and_host(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    check_account: AsyncMock,
    sign_ins: list[tuple[Any, ...]],
    changed: dict[str, str],
) -> None:
    """After a change of either the user has to sign in; the old token is not sent."""
    hass.config_entries.async_update_entry(
        entry,
        data=ACCOUNT_DATA | SIGNED_IN | {"token": {}, "oauth_signed_in": "before"},
    )
    form = await entry.start_reconfigure_flow(hass)
    await submit(hass, form, ACCOUNT_DATA | BY_OAUTH | changed)
    assert len(sign_ins) == 1
    assert entry.data == ACCOUNT_DATA | SIGNED_IN | changed
    await hass.async_block_till_done()


async def test_watching_continues_with_the_new_token(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watchers: list[FakeWatcher],
    check_account: AsyncMock,
    sign_ins: list[tuple[Any, ...]],
) -> None:
    """A refused login is retried at once."""
    data = ACCOUNT_DATA | SIGNED_IN | {"token": {}, "oauth_signed_in": "before"}
    hass.config_entries.async_update_entry(entry, data=data)
    assert await hass.config_entries.async_setup(entry.entry_id)
    watchers[0].listener.login_refused()
    await hass.async_block_till_done()
    [form] = hass.config_entries.flow.async_progress()
    result = await submit(hass, form, {})
    assert result["reason"] == "reauth_successful"
    await hass.async_block_till_done()
    assert [watcher.running for watcher in watchers] == [False, True]
