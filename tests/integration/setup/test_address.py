"""Setup from a mail address: discovery, password form, instructions of providers."""

from typing import Any
from unittest.mock import ANY, AsyncMock

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.const import DOMAIN
from custom_components.imap_push.imap import (
    AppPasswordNeeded,
    Discovery,
    HostNotFound,
    ImapError,
    InvalidAddress,
    LoginRefused,
    Provider,
    ServerSilent,
    Source,
    provider_of_domain,
    provider_of_host,
)
from custom_components.imap_push.imap.discovery.providers import EXCHANGE
from homeassistant.const import (
    CONF_ADDRESS,
    CONF_BASE,
    CONF_HOST,
    CONF_NAME,
    CONF_PORT,
    CONF_USERNAME,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from .. import ACCOUNT_DATA, BY_PASSWORD, ENTRY_DATA, HOST, USERNAME, suggested
from ..flow_forms import (
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


async def test_address_and_password_are_enough(
    hass: HomeAssistant, discover: AsyncMock, check_account: AsyncMock
) -> None:
    """The password is sent only to the discovered server."""
    form = await submit_address(hass, f" {USERNAME} ")
    discover.assert_awaited_once_with(USERNAME, ANY, ANY, ssl_context=ANY)
    assert form["step_id"] == "password"
    assert form["description_placeholders"] == {"host": HOST}
    assert suggested(form) == {"server": PREFILLED}
    check_account.assert_not_awaited()

    result = await submit_password(hass, form)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == "jane"
    assert result["data"] == ENTRY_DATA
    await hass.async_block_till_done()


@pytest.mark.parametrize("username", ["jane", "doe@example.net"])
async def test_username_unlike_the_address(
    hass: HomeAssistant, discover: AsyncMock, check_account: AsyncMock, username: str
) -> None:
    """It can be changed in the password form."""
    form = await submit_address(hass)
    result = await submit_password(hass, form, username=f" {username} ")
    assert result["data"] == ENTRY_DATA | {CONF_USERNAME: username}
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    ("name", "others", "title"),
    [
        ("", [], "jane"),
        (" Work ", [], "Work"),
        ("", ["jane"], USERNAME),
        ("Work", ["Work"], "Work"),
    ],
    ids=["none", "a name", "the short one is in use", "a name that is in use"],
)
async def test_name_of_the_account(
    hass: HomeAssistant,
    discover: AsyncMock,
    check_account: AsyncMock,
    name: str,
    others: list[str],
    title: str,
) -> None:
    """Without a name, it is the part of the address before the @."""
    for other in others:
        MockConfigEntry(domain=DOMAIN, title=other).add_to_hass(hass)
    user_input = {CONF_ADDRESS: USERNAME, CONF_NAME: name}
    form = await submit(hass, await start_flow(hass), user_input)
    result = await submit_password(hass, form)
    assert result["title"] == title
    await hass.async_block_till_done()


async def test_discovered_server_can_be_changed_in_the_password_form(
    hass: HomeAssistant, discover: AsyncMock, check_account: AsyncMock
) -> None:
    """It is shown in a collapsed section."""
    form = await submit_address(hass)
    result = await submit_password(hass, form, host="mail.example.com", port=143)
    assert result["data"] == ENTRY_DATA | {
        CONF_HOST: "mail.example.com",
        CONF_PORT: 143,
    }
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    ("host", "capabilities", "end"),
    [
        pytest.param(HOST, {"IMAP4REV1", "IDLE"}, "push", id="IDLE"),
        pytest.param(HOST, {"IMAP4REV1", "IDLE", "NOTIFY"}, "push", id="NOTIFY"),
        pytest.param(HOST, {"IMAP4REV1"}, "poll", id="neither"),
        pytest.param("imap.qq.com", {"IMAP4REV1", "IDLE"}, "poll", id="deaf IDLE"),
    ],
)
async def test_last_step_says_whether_mail_is_pushed_or_polled(
    hass: HomeAssistant,
    discover: AsyncMock,
    check_account: AsyncMock,
    host: str,
    capabilities: set[str],
    end: str,
) -> None:
    """This depends on the capabilities and the quirks of the server."""
    discover.return_value = [make_discovery(make_server(host=host))]
    check_account.return_value = frozenset(capabilities)
    result = await submit_password(hass, await submit_address(hass))
    assert result["description"] == end
    placeholders = result["description_placeholders"]
    assert placeholders["seconds"] == "60"
    assert set(placeholders) == {"automations", "blueprints", "seconds"}
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    ("address", "key", "found"),
    [
        pytest.param("jane", "invalid_address", InvalidAddress(), id="no address"),
        pytest.param("", "invalid_address", InvalidAddress(), id="nothing typed"),
        pytest.param(
            "jane@tuta.com",
            "no_imap",
            [
                Discovery(
                    server=None,
                    source=Source.BUNDLED,
                    is_trusted=True,
                    provider=provider_of_domain("tuta.com"),
                )
            ],
            id="provider without IMAP",
        ),
    ],
)
async def test_bad_address_shows_an_error_and_can_be_corrected(
    hass: HomeAssistant,
    discover: AsyncMock,
    check_account: AsyncMock,
    address: str,
    key: str,
    found: Any,
) -> None:
    """The form keeps the address."""
    discover.side_effect = [found]
    form = await submit_address(hass, address)
    assert form["step_id"] == "user"
    assert form["errors"] == {CONF_ADDRESS: key}
    assert suggested(form)[CONF_ADDRESS] == address
    if key == "no_imap":
        assert form["description_placeholders"]["provider"] == "Tuta"

    discover.side_effect = None
    form = await submit(hass, form, {CONF_ADDRESS: USERNAME})
    result = await submit_password(hass, form)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    ("domain", "step"),
    [
        pytest.param("icloud.com", "app_password", id="app password"),
        pytest.param("gmx.de", "enable_imap", id="IMAP to switch on"),
        pytest.param("naver.com", "enable_imap_app_password", id="both"),
        pytest.param("qq.com", "authorization_code", id="authorization code"),
        pytest.param("att.net", "secure_mail_key", id="secure mail key"),
        pytest.param("mail.com", "paid_plan", id="paid plan"),
        pytest.param("aol.com", "app_password", id="OAuth only with a client of AOL"),
        pytest.param("ionos.de", "password", id="nothing special"),
    ],
)
async def test_password_step_has_the_instructions_of_the_provider(
    hass: HomeAssistant,
    discover: AsyncMock,
    check_account: AsyncMock,
    domain: str,
    step: str,
) -> None:
    """There is a step per kind of provider, with the URL of the page to use."""
    found = provider_discovery(domain)
    assert found.provider is not None
    discover.return_value = [found]
    form = await submit_address(hass, f"jane@{domain}")
    assert form["step_id"] == step
    assert form["description_placeholders"]["provider"] == found.provider.name
    url = form["description_placeholders"]["url"]
    assert url.startswith("https://") == (step != "password")

    result = await submit_password(hass, form)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    "host", ["mail.your-server.de", "mail.privateemail.com", "secure.emailsrvr.com"]
)
async def test_custom_domain_at_a_hosting_provider(
    hass: HomeAssistant, discover: AsyncMock, check_account: AsyncMock, host: str
) -> None:
    """The provider has no mail domain of its own and is found by its host."""
    discover.return_value = [
        make_discovery(make_server(host=host), provider_of_host(host), source=Source.MX)
    ]
    form = await submit_address(hass)
    assert form["step_id"] == "password"
    result = await submit_password(hass, form)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    ("error", "key", "answer"),
    [
        pytest.param(
            AppPasswordNeeded("Application-specific password required"),
            "app_password_needed_at",
            "Application-specific password required",
            id="the server says so",
        ),
        pytest.param(
            LoginRefused("Authentication failed"),
            "app_password_needed_at",
            "Authentication failed",
            id="the server says little",
        ),
        pytest.param(
            LoginRefused(), "app_password_needed_at", "\N{EM DASH}", id="nothing"
        ),
    ],
)
async def test_refused_login_says_where_to_make_an_app_password(
    hass: HomeAssistant,
    discover: AsyncMock,
    check_account: AsyncMock,
    error: ImapError,
    key: str,
    answer: str,
) -> None:
    """The form shows the text of the server and accepts another password."""
    discover.return_value = [provider_discovery("icloud.com")]
    form = await submit_address(hass, "jane@icloud.com")
    check_account.side_effect = error
    form = await submit_password(hass, form)
    assert form["step_id"] == "app_password"
    assert form["errors"] == {CONF_BASE: key}
    assert form["description_placeholders"] == {
        "answer": answer,
        "host": "imap.mail.me.com",
        "provider": "iCloud",
        "url": ANY,
    }
    check_account.side_effect = None
    result = await submit_password(hass, form)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    ("error", "step", "errors"),
    [
        pytest.param(
            LoginRefused("No."),
            "password",
            {CONF_BASE: "login_refused_because"},
            id="login",
        ),
        pytest.param(
            ServerSilent(), "password", {CONF_BASE: "server_silent"}, id="passing"
        ),
        pytest.param(
            HostNotFound(), "server", {CONF_HOST: "host_not_found"}, id="server"
        ),
    ],
)
async def test_error_opens_the_form_that_can_fix_it(
    hass: HomeAssistant,
    discover: AsyncMock,
    check_account: AsyncMock,
    error: ImapError,
    step: str,
    errors: dict[str, str],
) -> None:
    """An error of the server settings opens the server form, which keeps the password."""
    form = await submit_address(hass)
    check_account.side_effect = error
    form = await submit_password(hass, form)
    assert form["step_id"] == step
    assert form["errors"] == errors
    if step == "server":
        assert suggested(form) == ENTRY_DATA | BY_PASSWORD

    check_account.side_effect = None
    if step == "password":
        result = await submit_password(hass, form)
    else:
        result = await submit(hass, form, ENTRY_DATA)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"] == ENTRY_DATA
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    ("source", "provider", "step"),
    [
        pytest.param(Source.AUTOCONFIG, None, "confirm_server", id="plain http"),
        pytest.param(Source.SRV, None, "confirm_server", id="foreign SRV"),
        pytest.param(Source.GUESS, None, "confirm_guess", id="guess"),
        pytest.param(
            Source.BUNDLED,
            provider_of_domain("proton.me"),
            "proton_bridge",
            id="in the user's own network",
        ),
        pytest.param(Source.AUTODISCOVER, EXCHANGE, "exchange", id="own Exchange"),
    ],
)
async def test_untrusted_discovery_is_confirmed_before_the_password_is_sent(
    hass: HomeAssistant,
    discover: AsyncMock,
    check_account: AsyncMock,
    source: Source,
    provider: Provider | None,
    step: str,
) -> None:
    """The form shows everything but the password, also after an error."""
    discover.return_value = [
        make_discovery(None, provider, source=source, is_trusted=False)
    ]
    form = await submit_address(hass)
    assert form["step_id"] == step
    assert suggested(form) == PREFILLED
    check_account.assert_not_awaited()

    check_account.side_effect = LoginRefused()
    form = await submit(hass, form, ENTRY_DATA)
    assert form["step_id"] == step
    check_account.side_effect = None
    result = await submit(hass, form, ENTRY_DATA)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


async def test_nothing_is_discovered(
    hass: HomeAssistant, discover: AsyncMock, check_account: AsyncMock
) -> None:
    """The server form contains the address."""
    discover.return_value = []
    form = await submit_address(hass)
    assert form["step_id"] == "server"
    assert form["errors"] == {CONF_BASE: "nothing_found"}
    assert suggested(form) == {CONF_USERNAME: USERNAME}
    result = await submit(hass, form, ENTRY_DATA)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


async def test_manual_setup_skips_the_discovery(
    hass: HomeAssistant, discover: AsyncMock, check_account: AsyncMock
) -> None:
    """The address is kept if there is one."""
    user_input = {CONF_ADDRESS: USERNAME, "manual": True}
    form = await submit(hass, await start_flow(hass), user_input)
    assert form["step_id"] == "server"
    assert suggested(form) == {CONF_USERNAME: USERNAME}
    discover.assert_not_awaited()


async def test_configured_account_aborts_before_the_password_form(
    hass: HomeAssistant, entry: MockConfigEntry, discover: AsyncMock
) -> None:
    """Two entries never watch the same account."""
    result = await submit_address(hass)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"
