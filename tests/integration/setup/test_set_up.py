"""From a mail address to an account: what the user is asked for, and what it ends with."""

from collections.abc import Iterator, Mapping
from typing import Any
from unittest.mock import ANY, AsyncMock, patch

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.const import CONF_SECURITY, DOMAIN
from custom_components.imap_push.flows.oauth_flow import OAuthSteps
from custom_components.imap_push.imap import (
    AccountState,
    AppPasswordNeeded,
    Auth,
    Discovery,
    HostNotFound,
    ImapError,
    InvalidAddress,
    LoginRefused,
    OAuthNeeded,
    Provider,
    Security,
    Server,
    ServerSilent,
    Source,
    TokenRefused,
    provider_of_domain,
    provider_of_host,
)
from custom_components.imap_push.imap.discovery.providers import EXCHANGE
from homeassistant.components.application_credentials import (
    ClientCredential,
    async_import_client_credential,
)
from homeassistant.config_entries import SOURCE_USER, ConfigFlowResult
from homeassistant.const import (
    CONF_ADDRESS,
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
    CORE_IMAP_DATA,
    ENTRY_DATA,
    HOST,
    PASSWORD,
    USERNAME,
    suggested,
)
from ..conftest import FakeWatcher

pytestmark = pytest.mark.usefixtures("watchers")

PREFILLED = ACCOUNT_DATA | BY_PASSWORD


@pytest.fixture
def discover() -> Iterator[AsyncMock]:
    """Replace the discovery; it finds the server that the account is at."""
    with patch(
        "custom_components.imap_push.flows.setup_steps.discover",
        return_value=[_found()],
    ) as mock:
        yield mock


def _server(**changes: Any) -> Server:
    fields: dict[str, Any] = {
        "host": HOST,
        "port": 993,
        "security": Security.TLS,
        "username": USERNAME,
    }
    return Server(**fields | changes)


def _found(
    server: Server | None = None,
    provider: Provider | None = None,
    *,
    source: Source = Source.AUTOCONFIG,
    is_trusted: bool = True,
) -> Discovery:
    return Discovery(
        server=server or _server(),
        source=source,
        is_trusted=is_trusted,
        provider=provider,
    )


def _at(domain: str) -> Discovery:
    """Return what the bundled table says of an address at a provider."""
    provider = provider_of_domain(domain)
    assert provider is not None
    assert provider.host is not None
    server = _server(host=provider.host, username=f"jane@{domain}", auth=provider.auth)
    return _found(server, provider, source=Source.BUNDLED)


async def _start(hass: HomeAssistant) -> str:
    """Begin to add an account."""
    form = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_USER}
    )
    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == "user"
    flow_id: str = form["flow_id"]
    return flow_id


async def _type_address(hass: HomeAssistant, address: str = USERNAME) -> Any:
    """Add the account of an address; return what is asked then."""
    return await _submit(hass, await _start(hass), {CONF_ADDRESS: address})


async def _submit(hass: HomeAssistant, flow: Any, typed: Mapping[str, Any]) -> Any:
    """Submit a form."""
    flow_id = flow if isinstance(flow, str) else flow["flow_id"]
    return await hass.config_entries.flow.async_configure(flow_id, dict(typed))


async def _type_password(
    hass: HomeAssistant, form: Any, password: str = PASSWORD, **server: Any
) -> Any:
    """Submit a form for the password, with changes to the server that it shows."""
    typed = {CONF_PASSWORD: password} if password else {}
    typed["server"] = suggested(form)["server"] | server
    return await _submit(hass, form, typed)


async def _choose(hass: HomeAssistant, flow: Any, option: str) -> Any:
    """Choose from a menu."""
    return await _submit(hass, flow, {"next_step_id": option})


async def test_address_and_password_are_all_that_is_typed(
    hass: HomeAssistant, discover: AsyncMock, check_account: AsyncMock
) -> None:
    """Two forms; the password goes to what was found for the address, and nowhere else."""
    form = await _type_address(hass, f" {USERNAME} ")
    discover.assert_awaited_once_with(USERNAME, ANY, ANY, ssl_context=ANY)
    assert form["step_id"] == "password"
    assert form["description_placeholders"] == {"host": HOST}
    assert suggested(form) == {"server": PREFILLED}
    check_account.assert_not_awaited()

    result = await _type_password(hass, form)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == USERNAME
    assert result["data"] == ENTRY_DATA
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    ("username", "title"), [("jane", USERNAME), ("doe@example.net", "doe@example.net")]
)
async def test_username_unlike_the_address(
    hass: HomeAssistant,
    discover: AsyncMock,
    check_account: AsyncMock,
    username: str,
    title: str,
) -> None:
    """It can be typed below the password; the account is called by an address if there is one."""
    form = await _type_address(hass)
    result = await _type_password(hass, form, username=f" {username} ")
    assert result["data"] == ENTRY_DATA | {CONF_USERNAME: username}
    assert result["title"] == title
    await hass.async_block_till_done()


async def test_login_typed_by_hand_is_what_the_account_is_called(
    hass: HomeAssistant, check_account: AsyncMock
) -> None:
    """There is no address."""
    typed = {CONF_ADDRESS: "jane", "manual": True}
    form = await _submit(hass, await _start(hass), typed)
    typed = suggested(form) | {CONF_HOST: HOST, CONF_PASSWORD: PASSWORD}
    assert (await _submit(hass, form, typed))["title"] == "jane"
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
async def test_the_end_says_how_new_mail_becomes_known(
    hass: HomeAssistant,
    discover: AsyncMock,
    check_account: AsyncMock,
    host: str,
    capabilities: set[str],
    end: str,
) -> None:
    """By what the server offers, and by what is known of it."""
    discover.return_value = [_found(_server(host=host))]
    check_account.return_value = frozenset(capabilities)
    result = await _type_password(hass, await _type_address(hass))
    assert result["description"] == end
    assert result["description_placeholders"] == {"seconds": "60"}
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
async def test_address_that_leads_nowhere_is_told_and_the_flow_goes_on(
    hass: HomeAssistant,
    discover: AsyncMock,
    check_account: AsyncMock,
    address: str,
    key: str,
    found: Any,
) -> None:
    """The form keeps it; another address can be typed."""
    discover.side_effect = [found]
    form = await _type_address(hass, address)
    assert form["step_id"] == "user"
    assert form["errors"] == {CONF_ADDRESS: key}
    assert suggested(form)[CONF_ADDRESS] == address
    if key == "no_imap":
        assert form["description_placeholders"]["provider"] == "Tuta"

    discover.side_effect = None
    form = await _submit(hass, form, {CONF_ADDRESS: USERNAME})
    result = await _type_password(hass, form)
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
async def test_what_the_provider_wants_is_said_before(
    hass: HomeAssistant,
    discover: AsyncMock,
    check_account: AsyncMock,
    domain: str,
    step: str,
) -> None:
    """With the page where to do it; the step takes the password."""
    found = _at(domain)
    assert found.provider is not None
    discover.return_value = [found]
    form = await _type_address(hass, f"jane@{domain}")
    assert form["step_id"] == step
    assert form["description_placeholders"]["provider"] == found.provider.name
    url = form["description_placeholders"]["url"]
    assert url.startswith("https://") == (step != "password")

    result = await _type_password(hass, form)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    "host", ["mail.your-server.de", "mail.privateemail.com", "secure.emailsrvr.com"]
)
async def test_domain_of_ones_own_at_a_hoster(
    hass: HomeAssistant, discover: AsyncMock, check_account: AsyncMock, host: str
) -> None:
    """Set up an account at a provider that has no mail addresses of its own."""
    discover.return_value = [
        _found(_server(host=host), provider_of_host(host), source=Source.MX)
    ]
    form = await _type_address(hass)
    assert form["step_id"] == "password"
    result = await _type_password(hass, form)
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
    """With the server's own words; the flow goes on."""
    discover.return_value = [_at("icloud.com")]
    form = await _type_address(hass, "jane@icloud.com")
    check_account.side_effect = error
    form = await _type_password(hass, form)
    assert form["step_id"] == "app_password"
    assert form["errors"] == {CONF_BASE: key}
    assert form["description_placeholders"] == {
        "answer": answer,
        "host": "imap.mail.me.com",
        "provider": "iCloud",
        "url": ANY,
    }
    check_account.side_effect = None
    result = await _type_password(hass, form)
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
async def test_error_is_told_where_it_can_be_mended(
    hass: HomeAssistant,
    discover: AsyncMock,
    check_account: AsyncMock,
    error: ImapError,
    step: str,
    errors: dict[str, str],
) -> None:
    """What is wrong with the server opens its form, with the password that was typed."""
    form = await _type_address(hass)
    check_account.side_effect = error
    form = await _type_password(hass, form)
    assert form["step_id"] == step
    assert form["errors"] == errors
    if step == "server":
        assert suggested(form) == ENTRY_DATA | BY_PASSWORD

    check_account.side_effect = None
    if step == "password":
        result = await _type_password(hass, form)
    else:
        result = await _submit(hass, form, ENTRY_DATA)
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
async def test_what_nobody_vouches_for_is_confirmed_before_a_password_is_sent(
    hass: HomeAssistant,
    discover: AsyncMock,
    check_account: AsyncMock,
    source: Source,
    provider: Provider | None,
    step: str,
) -> None:
    """The form has all but the password; after an error it is the same form."""
    discover.return_value = [_found(None, provider, source=source, is_trusted=False)]
    form = await _type_address(hass)
    assert form["step_id"] == step
    assert suggested(form) == PREFILLED
    check_account.assert_not_awaited()

    check_account.side_effect = LoginRefused()
    form = await _submit(hass, form, ENTRY_DATA)
    assert form["step_id"] == step
    check_account.side_effect = None
    result = await _submit(hass, form, ENTRY_DATA)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


async def test_nothing_is_found(
    hass: HomeAssistant, discover: AsyncMock, check_account: AsyncMock
) -> None:
    """The form has what is known: the address."""
    discover.return_value = []
    form = await _type_address(hass)
    assert form["step_id"] == "server"
    assert form["errors"] == {CONF_BASE: "nothing_found"}
    assert suggested(form) == {CONF_USERNAME: USERNAME}
    result = await _submit(hass, form, ENTRY_DATA)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


async def test_by_hand_nothing_is_looked_up(
    hass: HomeAssistant, discover: AsyncMock, check_account: AsyncMock
) -> None:
    """The address is not lost if there is one."""
    typed = {CONF_ADDRESS: USERNAME, "manual": True}
    form = await _submit(hass, await _start(hass), typed)
    assert form["step_id"] == "server"
    assert suggested(form) == {CONF_USERNAME: USERNAME}
    discover.assert_not_awaited()


async def test_beside_core_imap_an_address_can_be_typed(
    hass: HomeAssistant, discover: AsyncMock, check_account: AsyncMock
) -> None:
    """Taking an account over is one of three ways."""
    MockConfigEntry(domain="imap", data=CORE_IMAP_DATA).add_to_hass(hass)
    menu = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_USER}
    )
    form = await _choose(hass, menu, "set_up_anew")
    assert form["step_id"] == "user"
    form = await _submit(hass, form, {CONF_ADDRESS: USERNAME})
    result = await _type_password(hass, form)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


async def test_account_that_is_here_already_is_told_before_its_password_is_typed(
    hass: HomeAssistant, entry: MockConfigEntry, discover: AsyncMock
) -> None:
    """Two entries never watch the same account."""
    result = await _type_address(hass)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"


async def test_without_encryption_only_after_it_is_confirmed(
    hass: HomeAssistant, check_account: AsyncMock
) -> None:
    """Nothing is sent before; the user can go back, and is asked once for a host."""
    typed = ENTRY_DATA | {CONF_SECURITY: "none", CONF_PORT: 143}
    form = await _submit(hass, await _start(hass), {"manual": True})
    menu = await _submit(hass, form, typed)
    assert menu["type"] is FlowResultType.MENU
    assert menu["step_id"] == "not_encrypted"
    assert menu["description_placeholders"] == {"host": HOST}
    check_account.assert_not_awaited()

    form = await _choose(hass, menu, "go_back")
    assert form["step_id"] == "server"
    assert form["errors"] == {CONF_SECURITY: "encryption_missing"}
    assert suggested(form) == typed | BY_PASSWORD

    menu = await _submit(hass, form, typed)
    check_account.side_effect = LoginRefused()
    form = await _choose(hass, menu, "allow_not_encrypted")
    assert form["errors"] == {CONF_BASE: "login_refused"}

    check_account.side_effect = None
    result = await _submit(hass, form, typed)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"] == typed
    await hass.async_block_till_done()


async def test_account_without_encryption_is_changed_without_being_asked_again(
    hass: HomeAssistant, entry: MockConfigEntry, check_account: AsyncMock
) -> None:
    """At another host it is confirmed anew."""
    plain = ENTRY_DATA | {CONF_SECURITY: "none"}
    hass.config_entries.async_update_entry(entry, data=plain)
    form = await entry.start_reconfigure_flow(hass)
    menu = await _submit(hass, form, plain | {CONF_HOST: "mail.example.com"})
    assert menu["step_id"] == "not_encrypted"
    form = await _choose(hass, menu, "go_back")
    result = await _submit(hass, form, plain | {CONF_VERIFY_SSL: False})
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()


async def test_both_ways_to_sign_in_are_offered(
    hass: HomeAssistant, discover: AsyncMock, check_account: AsyncMock
) -> None:
    """The app password is one of them."""
    discover.return_value = [_at("gmail.com")]
    menu = await _type_address(hass, "jane@gmail.com")
    assert menu["step_id"] == "choose_sign_in"
    assert menu["menu_options"] == ["sign_in", "password", "server"]
    assert menu["description_placeholders"]["provider"] == "Gmail"
    form = await _choose(hass, menu, "password")
    assert form["step_id"] == "app_password"
    assert Auth.OAUTH2 in _at("gmail.com").server.auth  # type: ignore[union-attr]
    result = await _type_password(hass, form)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


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
    """Replace the sign-in at the provider; it succeeds at once."""
    made: list[tuple[Any, ...]] = []

    async def sign_in(flow: OAuthSteps, *how: Any) -> ConfigFlowResult:
        made.append(how)
        return await flow.async_handle_token(SIGNED_IN)

    with (
        patch.object(OAuthSteps, "async_start_oauth", sign_in),
        patch.object(OAuthSteps, "async_start_oauth_again", sign_in),
    ):
        yield made


async def test_sign_in_where_no_password_is_taken(
    hass: HomeAssistant,
    discover: AsyncMock,
    check_account: AsyncMock,
    sign_ins: list[tuple[Any, ...]],
) -> None:
    """Nothing but the address is typed here; a refusal lets the user sign in once more."""
    found = _at("outlook.com")
    assert found.server is not None
    discover.return_value = [found]
    check_account.side_effect = TokenRefused("AUTHENTICATE failed")
    form = await _type_address(hass)
    assert form["step_id"] == "sign_in_refused"
    assert form["errors"] == {CONF_BASE: "token_refused"}
    check_account.side_effect = None
    result = await _submit(hass, form, {})
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


async def test_sign_in_is_chosen(
    hass: HomeAssistant,
    discover: AsyncMock,
    check_account: AsyncMock,
    sign_ins: list[tuple[Any, ...]],
) -> None:
    """Where an app password would do, too."""
    discover.return_value = [_at("gmail.com")]
    menu = await _type_address(hass, "jane@gmail.com")
    result = await _choose(hass, menu, "sign_in")
    assert sign_ins == [("google", "jane@gmail.com")]
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


async def test_signing_in_again(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    check_account: AsyncMock,
    sign_ins: list[tuple[Any, ...]],
) -> None:
    """An account without a password is renewed where it was signed in; a refusal is told."""
    data = ACCOUNT_DATA | SIGNED_IN | {"token": {}, "oauth_signed_in": "before"}
    hass.config_entries.async_update_entry(entry, data=data)
    check_account.side_effect = TokenRefused("")
    form = await entry.start_reauth_flow(hass)
    assert form["step_id"] == "reauth_confirm"
    assert not sign_ins
    form = await _submit(hass, form, {})
    assert form["step_id"] == "sign_in_refused"
    check_account.side_effect = None
    result = await _submit(hass, form, {})
    assert sign_ins == [(data,)] * 2
    assert result["reason"] == "reauth_successful"
    assert entry.data == ACCOUNT_DATA | SIGNED_IN
    await hass.async_block_till_done()


async def test_a_password_replaces_the_sign_in(
    hass: HomeAssistant, entry: MockConfigEntry, check_account: AsyncMock
) -> None:
    """Without one typed, the account stays as it is."""
    data = ACCOUNT_DATA | SIGNED_IN
    hass.config_entries.async_update_entry(entry, data=data)
    form = await entry.start_reconfigure_flow(hass)
    assert suggested(form) == ACCOUNT_DATA | BY_OAUTH
    result = await _submit(hass, form, ACCOUNT_DATA | BY_OAUTH)
    assert result["reason"] == "reconfigure_successful"
    assert entry.data == data

    form = await entry.start_reconfigure_flow(hass)
    form = await _submit(hass, form, PREFILLED)
    assert form["errors"] == {CONF_PASSWORD: "password_missing"}
    await _submit(hass, form, ENTRY_DATA)
    assert entry.data == ENTRY_DATA
    await hass.async_block_till_done()


async def test_what_was_found_can_be_changed_beside_the_password(
    hass: HomeAssistant, discover: AsyncMock, check_account: AsyncMock
) -> None:
    """Setting up by hand is one click away: the server that was found is in a section."""
    form = await _type_address(hass)
    result = await _type_password(hass, form, host="mail.example.com", port=143)
    assert result["data"] == ENTRY_DATA | {
        CONF_HOST: "mail.example.com",
        CONF_PORT: 143,
    }
    await hass.async_block_till_done()


@pytest.mark.parametrize("domain", ["gmail.com", "outlook.com"])
async def test_sign_in_can_be_left_for_the_servers_form(
    hass: HomeAssistant, discover: AsyncMock, domain: str
) -> None:
    """It has what was found in it."""
    assert await async_setup_component(hass, "application_credentials", {})
    credential = ClientCredential("01234567-89ab-cdef-0123-456789abcdef", "secret")
    await async_import_client_credential(hass, DOMAIN, credential)
    found = _at(domain)
    discover.return_value = [found]
    menu = await _type_address(hass, f"jane@{domain}")
    assert menu["type"] is FlowResultType.MENU
    form = await _choose(hass, menu, "server")
    assert form["step_id"] == "server"
    assert found.server is not None
    assert suggested(form)[CONF_HOST] == found.server.host


@pytest.mark.parametrize("step", ["password", "server"])
async def test_password_that_is_not_typed(
    hass: HomeAssistant, discover: AsyncMock, check_account: AsyncMock, step: str
) -> None:
    """It is asked for before anybody is."""
    if step == "server":
        form = await _submit(hass, await _start(hass), {"manual": True})
        form = await _submit(hass, form, ACCOUNT_DATA)
    else:
        form = await _type_password(hass, await _type_address(hass), password="")
    assert form["step_id"] == step
    assert form["errors"] == {CONF_PASSWORD: "password_missing"}
    check_account.assert_not_awaited()


@pytest.mark.parametrize(
    ("host", "key"),
    [
        pytest.param("imap.gmail.com", "google", id="known provider"),
        pytest.param(HOST, "custom", id="unknown provider"),
    ],
)
@pytest.mark.parametrize("way", ["by hand", "beside the password", "found"])
async def test_sign_in_at_any_provider(
    hass: HomeAssistant,
    discover: AsyncMock,
    check_account: AsyncMock,
    sign_ins: list[tuple[Any, ...]],
    host: str,
    key: str,
    way: str,
) -> None:
    """It needs no discovery; a password that was typed is forgotten."""
    if way == "by hand":
        form = await _submit(hass, await _start(hass), {"manual": True})
        typed = ENTRY_DATA | BY_OAUTH | {CONF_HOST: host}
        result = await _submit(hass, form, typed)
    elif way == "beside the password":
        form = await _type_address(hass)
        result = await _type_password(hass, form, host=host, **BY_OAUTH)
    else:
        discover.return_value = [_found(_server(auth=(Auth.OAUTH2,)))]
        form = await _type_address(hass)
        assert form["step_id"] == "server"
        assert suggested(form) == ACCOUNT_DATA | BY_OAUTH
        result = await _submit(hass, form, ACCOUNT_DATA | BY_OAUTH | {CONF_HOST: host})
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
async def test_password_gives_way_to_a_sign_in_when_logging_in_again(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watchers: list[FakeWatcher],
    check_account: AsyncMock,
    sign_ins: list[tuple[Any, ...]],
    error: ImapError,
) -> None:
    """It is suggested where the server takes nothing else; trust in the server stays."""
    data = ENTRY_DATA | {"fingerprint": "ab" * 32}
    hass.config_entries.async_update_entry(entry, data=data)
    assert await hass.config_entries.async_setup(entry.entry_id)
    watchers[0].listener.state_changed(AccountState(connected=False, error=error))
    form = await entry.start_reauth_flow(hass)
    wants_it = isinstance(error, OAuthNeeded)
    assert suggested(form) == (BY_OAUTH if wants_it else BY_PASSWORD)
    check_account.side_effect = TokenRefused("")
    form = await _submit(hass, form, BY_OAUTH)
    assert form["step_id"] == "sign_in_refused"
    assert entry.data[CONF_PASSWORD] == PASSWORD

    check_account.side_effect = None
    result = await _submit(hass, form, {})
    assert sign_ins == [("custom", USERNAME)] * 2
    assert result["reason"] == "reauth_successful"
    assert entry.data == ACCOUNT_DATA | SIGNED_IN | {"fingerprint": "ab" * 32}
    await hass.async_block_till_done()


async def test_password_gives_way_to_a_sign_in_by_reconfiguring(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    check_account: AsyncMock,
    sign_ins: list[tuple[Any, ...]],
) -> None:
    """Its folders and their marks stay, as the entry does."""
    form = await entry.start_reconfigure_flow(hass)
    result = await _submit(hass, form, ACCOUNT_DATA | BY_OAUTH)
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
async def test_a_token_is_good_for_its_login_only(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    check_account: AsyncMock,
    sign_ins: list[tuple[Any, ...]],
    changed: dict[str, str],
) -> None:
    """Another one has to sign in; the old token goes nowhere else."""
    hass.config_entries.async_update_entry(
        entry,
        data=ACCOUNT_DATA | SIGNED_IN | {"token": {}, "oauth_signed_in": "before"},
    )
    form = await entry.start_reconfigure_flow(hass)
    await _submit(hass, form, ACCOUNT_DATA | BY_OAUTH | changed)
    assert len(sign_ins) == 1
    assert entry.data == ACCOUNT_DATA | SIGNED_IN | changed
    await hass.async_block_till_done()


async def test_watching_goes_on_with_the_new_token(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watchers: list[FakeWatcher],
    check_account: AsyncMock,
    sign_ins: list[tuple[Any, ...]],
) -> None:
    """A login that was refused is tried again at once."""
    data = ACCOUNT_DATA | SIGNED_IN | {"token": {}, "oauth_signed_in": "before"}
    hass.config_entries.async_update_entry(entry, data=data)
    assert await hass.config_entries.async_setup(entry.entry_id)
    watchers[0].listener.login_refused()
    await hass.async_block_till_done()
    [form] = hass.config_entries.flow.async_progress()
    result = await _submit(hass, form, {})
    assert result["reason"] == "reauth_successful"
    await hass.async_block_till_done()
    assert [watcher.running for watcher in watchers] == [False, True]
