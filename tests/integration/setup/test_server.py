"""Setup by the server form: errors, encryption, accounts that are configured already."""

import asyncio
import logging
import ssl
from typing import Any
from unittest.mock import AsyncMock, patch

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.const import CONF_SECURITY, DOMAIN
from custom_components.imap_push.helpers import unique_id_from_entry_data
from custom_components.imap_push.imap import (
    AppPasswordNeeded,
    CannotConnect,
    CertificateError,
    CertificateProblem,
    CommandRefused,
    ConnectionLost,
    ConnectTimeout,
    FolderNotFound,
    HostNotFound,
    ImapError,
    LoginDisabled,
    LoginRefused,
    LoginUnsendable,
    MailboxNotSelectable,
    NotImap,
    OAuthNeeded,
    PasswordsNotTaken,
    PlainTextInjected,
    PortRefused,
    ProtocolError,
    Security,
    ServerLeft,
    ServerNotAuthentic,
    ServerSilent,
    StartTlsMissing,
    StartTlsOffered,
    Throttled,
    TlsError,
    TlsExpected,
    TlsNotSpoken,
    TlsTooOld,
    TokenRefused,
    TokenRevoked,
    TokensNotTaken,
    TokenUnavailable,
    TooManyConnections,
    WatchedFolder,
)
from homeassistant.config_entries import ConfigEntryState
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

from .. import (
    ACCOUNT_DATA,
    BY_PASSWORD,
    ENTRY_DATA,
    HOST,
    PASSWORD,
    USERNAME,
    open_form,
    suggested,
)
from ..conftest import FakeWatcher
from ..flow_forms import choose, start_flow, submit, submit_address, submit_password
from . import UNTRUSTED_CERTIFICATE as CERTIFICATE

pytestmark = pytest.mark.usefixtures("watchers")


def _case(error: Exception, field: str, key: str, **placeholders: str) -> Any:
    """Return a row of the table; its ID is the translation key."""
    return pytest.param(error, field, key, placeholders, id=key)


ERRORS = [
    _case(HostNotFound(), CONF_HOST, "host_not_found"),
    _case(PortRefused(), CONF_PORT, "port_refused"),
    _case(ConnectTimeout(), CONF_HOST, "connect_timeout"),
    _case(NotImap(), CONF_PORT, "not_imap"),
    _case(NotImap("POP3"), CONF_PORT, "other_protocol", protocol="POP3"),
    _case(NotImap("SMTP"), CONF_PORT, "other_protocol", protocol="SMTP"),
    _case(
        CertificateError(CertificateProblem.EXPIRED, "expired"),
        CONF_VERIFY_SSL,
        "certificate_expired",
    ),
    _case(
        CertificateError(CertificateProblem.WRONG_HOST, "other name"),
        CONF_HOST,
        "certificate_wrong_host",
    ),
    _case(TlsNotSpoken(), CONF_SECURITY, "tls_not_spoken"),
    _case(TlsExpected(), CONF_SECURITY, "tls_expected"),
    _case(StartTlsMissing(), CONF_SECURITY, "starttls_missing"),
    _case(TlsTooOld(), CONF_SECURITY, "tls_too_old"),
    _case(PlainTextInjected(), CONF_SECURITY, "plain_text_injected"),
    _case(TokensNotTaken(), CONF_BASE, "tokens_not_taken"),
    _case(TokenUnavailable(), CONF_BASE, "token_unavailable"),
    _case(TlsError(), CONF_SECURITY, "tls_failed"),
    _case(LoginRefused(), CONF_BASE, "login_refused"),
    _case(
        LoginRefused("Authentication failed."),
        CONF_BASE,
        "login_refused_because",
        answer="Authentication failed.",
    ),
    _case(
        AppPasswordNeeded(
            "Application-specific password required: see our help (Failure)"
        ),
        CONF_BASE,
        "app_password_needed",
        answer="Application-specific password required: see our help (Failure)",
    ),
    _case(
        OAuthNeeded("LOGIN failed: BasicAuthBlocked"),
        CONF_BASE,
        "oauth_needed",
        answer="LOGIN failed: BasicAuthBlocked",
    ),
    _case(TokenRevoked("renewed no more"), CONF_BASE, "token_revoked"),
    _case(TokenRefused("Bad token"), CONF_BASE, "token_refused", answer="Bad token"),
    _case(TokenRefused(""), CONF_BASE, "login_refused"),
    _case(LoginDisabled(), CONF_SECURITY, "login_disabled"),
    _case(MailboxNotSelectable(), "mailbox", "mailbox_not_selectable"),
    _case(PasswordsNotTaken(), CONF_BASE, "passwords_not_taken"),
    _case(StartTlsOffered(), CONF_SECURITY, "starttls_offered"),
    _case(LoginUnsendable(), CONF_BASE, "login_unsendable"),
    _case(ServerNotAuthentic(), CONF_BASE, "server_not_authentic"),
    _case(FolderNotFound(), CONF_BASE, "folder_not_found", folder="INBOX"),
    _case(
        CommandRefused("LOGIN", "NO", "LIMIT", "Too many connections"),
        CONF_BASE,
        "command_refused",
        answer="Too many connections",
    ),
    _case(
        CommandRefused("greeting", "NO", None, " "),
        CONF_BASE,
        "command_refused",
        answer="\N{EM DASH}",
    ),
    _case(
        CommandRefused("UID FETCH", "BAD", None, "Invalid messageset"),
        CONF_BASE,
        "fetch_refused",
        answer="Invalid messageset",
    ),
    _case(ServerLeft("no guests"), CONF_BASE, "command_refused", answer="no guests"),
    _case(ServerLeft(" "), CONF_BASE, "connection_lost"),
    _case(TooManyConnections("10"), CONF_BASE, "too_many_connections"),
    _case(Throttled("Slow down"), CONF_BASE, "unavailable"),
    _case(ServerSilent(), CONF_BASE, "server_silent"),
    _case(ProtocolError(), CONF_BASE, "unexpected_answer"),
    _case(ConnectionLost(), CONF_BASE, "connection_lost"),
    _case(CannotConnect(), CONF_BASE, "cannot_connect"),
    _case(ImapError(), CONF_BASE, "cannot_connect"),
    _case(RuntimeError("a bug"), CONF_BASE, "unknown"),
]


async def test_account_is_added_and_its_inbox_is_watched(
    hass: HomeAssistant, check_account: AsyncMock, watchers: list[FakeWatcher]
) -> None:
    """The defaults of the form fit most providers."""
    flow_id = await open_form(hass)
    result = await hass.config_entries.flow.async_configure(
        flow_id,
        {CONF_USERNAME: USERNAME, CONF_PASSWORD: PASSWORD, CONF_HOST: HOST},
    )
    await hass.async_block_till_done()

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == "jane"
    assert result["data"] == ENTRY_DATA
    entry = result["result"]
    assert entry.state is ConfigEntryState.LOADED
    assert entry.unique_id == "jane@example.com@imap.example.com"
    (subentry,) = entry.subentries.values()
    assert subentry.subentry_type == "folder"
    assert (subentry.title, subentry.unique_id) == ("Inbox", "INBOX")
    assert subentry.data == {"folder": "INBOX"}
    assert watchers[0].folders == {"INBOX": WatchedFolder()}
    assert watchers[0].running
    check_account.assert_awaited_once_with(watchers[0].account, "INBOX")


async def test_username_is_the_title_without_an_address(
    hass: HomeAssistant, check_account: AsyncMock
) -> None:
    """Manual setup accepts a username that is no address."""
    user_input = {CONF_ADDRESS: "jane", "manual": True}
    form = await submit(hass, await start_flow(hass), user_input)
    user_input = suggested(form) | {CONF_HOST: HOST, CONF_PASSWORD: PASSWORD}
    assert (await submit(hass, form, user_input))["title"] == "jane"
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    ("mailbox", "stored"),
    [
        (" info@example.com ", {"mailbox": "info@example.com"}),
        ("", {}),
        (USERNAME, {}),
    ],
    ids=["shared", "empty", "the own one"],
)
async def test_shared_mailbox(
    hass: HomeAssistant,
    check_account: AsyncMock,
    watchers: list[FakeWatcher],
    mailbox: str,
    stored: dict[str, str],
) -> None:
    """Title and unique ID are those of the mailbox that is read, not those of the login."""
    flow_id = await open_form(hass)
    user_input = ENTRY_DATA | {"mailbox": mailbox}
    result = await submit(hass, {"flow_id": flow_id}, user_input)
    await hass.async_block_till_done()
    name = stored.get("mailbox", USERNAME)
    title = name.partition("@")[0]
    assert (result["title"], result["data"]) == (title, ENTRY_DATA | stored)
    assert result["result"].unique_id == f"{name}@{HOST}"
    account = watchers[0].account
    assert (account.username, account.mailbox) == (USERNAME, stored.get("mailbox", ""))


@pytest.mark.parametrize(
    ("now", "problem"),
    [
        pytest.param("2018-01-02 03:04", "not_yet_valid", id="years behind"),
        pytest.param("2026-11-30 12:00", "not_yet_valid", id="days behind"),
        pytest.param("1970-01-01 00:00", "expired", id="never set"),
    ],
)
async def test_form_says_that_the_clock_is_wrong(
    hass: HomeAssistant,
    check_account: AsyncMock,
    freezer: FrozenDateTimeFactory,
    now: str,
    problem: str,
) -> None:
    """It shows what the clock says, and nothing of the certificate."""
    await hass.config.async_set_time_zone("UTC")
    freezer.move_to(now)
    check_account.side_effect = CertificateError(CertificateProblem(problem), "no")
    result = await submit(hass, {"flow_id": await open_form(hass)}, ENTRY_DATA)
    assert result["errors"] == {CONF_BASE: "clock_wrong"}
    assert result["description_placeholders"] == {"now": now}


@pytest.mark.parametrize(("error", "field", "key", "placeholders"), ERRORS)
async def test_error_is_shown_at_its_field_and_the_flow_continues(
    hass: HomeAssistant,
    check_account: AsyncMock,
    error: Exception,
    field: str,
    key: str,
    placeholders: dict[str, str],
) -> None:
    """The form keeps its values; after the error is fixed, the account is added."""
    flow_id = await open_form(hass)
    check_account.side_effect = error
    result = await hass.config_entries.flow.async_configure(flow_id, ENTRY_DATA)

    assert result["type"] is FlowResultType.FORM
    assert result["errors"] == {field: key}
    assert (result["description_placeholders"] or {}) == placeholders
    assert suggested(result) == ENTRY_DATA | BY_PASSWORD

    check_account.side_effect = None
    result = await hass.config_entries.flow.async_configure(flow_id, ENTRY_DATA)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_text_of_the_server_is_not_logged(
    hass: HomeAssistant, check_account: AsyncMock, caplog: pytest.LogCaptureFixture
) -> None:
    """It may contain the username; the class of the error is logged."""
    caplog.set_level(logging.DEBUG)
    check_account.side_effect = LoginRefused("no such user: jane")
    await hass.config_entries.flow.async_configure(await open_form(hass), ENTRY_DATA)
    assert "LoginRefused" in caplog.text
    assert "no such user" not in caplog.text


async def test_only_an_unexpected_exception_is_logged_with_its_traceback(
    hass: HomeAssistant, check_account: AsyncMock, caplog: pytest.LogCaptureFixture
) -> None:
    """An error of the engine is not."""
    flow_id = await open_form(hass)
    check_account.side_effect = LoginRefused()
    await hass.config_entries.flow.async_configure(flow_id, ENTRY_DATA)
    assert "Unexpected exception" not in caplog.text

    check_account.side_effect = RuntimeError("a bug")
    await hass.config_entries.flow.async_configure(flow_id, ENTRY_DATA)
    assert "RuntimeError: a bug" in caplog.text


@pytest.mark.parametrize(
    ("user_input", "security", "verify_mode"),
    [
        pytest.param({}, Security.TLS, ssl.CERT_REQUIRED, id="tls"),
        pytest.param(
            {CONF_SECURITY: "starttls"},
            Security.STARTTLS,
            ssl.CERT_REQUIRED,
            id="starttls",
        ),
        pytest.param(
            {CONF_VERIFY_SSL: False}, Security.TLS, ssl.CERT_NONE, id="not verified"
        ),
        pytest.param(
            {CONF_USERNAME: f" {USERNAME} ", CONF_HOST: f"{HOST}\n"},
            Security.TLS,
            ssl.CERT_REQUIRED,
            id="pasted with blanks",
        ),
    ],
)
async def test_form_values_reach_the_server(
    hass: HomeAssistant,
    check_account: AsyncMock,
    user_input: dict[str, Any],
    security: Security,
    verify_mode: ssl.VerifyMode,
) -> None:
    """Host and username are stripped."""
    flow_id = await open_form(hass)
    await hass.config_entries.flow.async_configure(flow_id, ENTRY_DATA | user_input)
    account = check_account.await_args_list[0].args[0]
    assert (account.username, account.password) == (USERNAME, PASSWORD)
    assert (account.host, account.port) == (HOST, 993)
    assert account.security is security
    assert account.ssl_context.verify_mode is verify_mode


@pytest.mark.parametrize("step", ["password", "server"])
async def test_missing_password_shows_an_error(
    hass: HomeAssistant, discover: AsyncMock, check_account: AsyncMock, step: str
) -> None:
    """The server is not contacted."""
    if step == "server":
        form = await submit(hass, await start_flow(hass), {"manual": True})
        form = await submit(hass, form, ACCOUNT_DATA)
    else:
        form = await submit_password(hass, await submit_address(hass), password="")
    assert form["step_id"] == step
    assert form["errors"] == {CONF_PASSWORD: "password_missing"}
    check_account.assert_not_awaited()


async def test_connection_without_encryption_needs_confirmation(
    hass: HomeAssistant, check_account: AsyncMock
) -> None:
    """Nothing is sent before. The user can go back, and confirms only once per host."""
    user_input = ENTRY_DATA | {CONF_SECURITY: "none", CONF_PORT: 143}
    form = await submit(hass, await start_flow(hass), {"manual": True})
    menu = await submit(hass, form, user_input)
    assert menu["type"] is FlowResultType.MENU
    assert menu["step_id"] == "not_encrypted"
    assert menu["description_placeholders"] == {"host": HOST}
    check_account.assert_not_awaited()

    form = await choose(hass, menu, "go_back")
    assert form["step_id"] == "server"
    assert form["errors"] == {CONF_SECURITY: "encryption_missing"}
    assert suggested(form) == user_input | BY_PASSWORD

    menu = await submit(hass, form, user_input)
    check_account.side_effect = LoginRefused()
    form = await choose(hass, menu, "allow_not_encrypted")
    assert form["errors"] == {CONF_BASE: "login_refused"}

    check_account.side_effect = None
    result = await submit(hass, form, user_input)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"] == user_input
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    "again",
    [
        pytest.param({}, id="same"),
        pytest.param({CONF_USERNAME: "Jane@Example.com"}, id="other case"),
        pytest.param({CONF_HOST: " IMAP.example.com"}, id="other case of host"),
        pytest.param({CONF_PORT: 143, CONF_SECURITY: "starttls"}, id="other port"),
    ],
)
async def test_configured_account_aborts(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    check_account: AsyncMock,
    again: dict[str, Any],
) -> None:
    """An account is a username at a host; 143 and 993 are ports of the same server."""
    flow_id = await open_form(hass)
    result = await hass.config_entries.flow.async_configure(flow_id, ENTRY_DATA | again)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"
    check_account.assert_not_awaited()


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({CONF_USERNAME: "joe@example.com"}, id="other login"),
        pytest.param({CONF_HOST: "imap.example.org"}, id="other host"),
        pytest.param({CONF_PORT: 1993}, id="other server at the same host"),
    ],
)
async def test_second_account_is_added(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    check_account: AsyncMock,
    other: dict[str, Any],
) -> None:
    """Several usernames at a host, and one username at several servers, are different accounts."""
    flow_id = await open_form(hass)
    result = await hass.config_entries.flow.async_configure(flow_id, ENTRY_DATA | other)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_account_reconfigured_to_the_same_one_meanwhile(
    hass: HomeAssistant, entry: MockConfigEntry, check_account: AsyncMock
) -> None:
    """Home Assistant would remove the other entry, with its folders, options and marks."""
    moved = {**ENTRY_DATA, CONF_USERNAME: "john@example.com"}
    check_account.side_effect = CertificateError(CertificateProblem.UNTRUSTED, "")
    flow = {"flow_id": await open_form(hass)}
    with patch(
        "custom_components.imap_push.flows.account_steps.fetch_certificate",
        return_value=CERTIFICATE,
    ):
        menu = await submit(hass, flow, moved)
    assert menu["step_id"] == "certificate"
    check_account.side_effect = None
    form = await entry.start_reconfigure_flow(hass)
    hass.config_entries.async_update_entry(
        entry, data=moved, unique_id=unique_id_from_entry_data(moved)
    )
    hass.config_entries.flow.async_abort(form["flow_id"])
    await submit(hass, menu, {"next_step_id": "trust"})
    await hass.async_block_till_done()
    assert hass.config_entries.async_entries(DOMAIN) == [entry]


async def test_same_account_in_two_open_forms(
    hass: HomeAssistant, watchers: list[FakeWatcher], check_account: AsyncMock
) -> None:
    """The second form aborts."""
    first, second = await open_form(hass), await open_form(hass)
    result = await hass.config_entries.flow.async_configure(first, ENTRY_DATA)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    result = await hass.config_entries.flow.async_configure(second, ENTRY_DATA)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"
    await hass.async_block_till_done()
    assert [watcher.running for watcher in watchers] == [True]


async def test_same_account_submitted_twice_at_the_same_time(
    hass: HomeAssistant, watchers: list[FakeWatcher], check_account: AsyncMock
) -> None:
    """One flow adds the account, the other aborts."""
    tried_out = asyncio.Event()

    async def try_out(*_: object) -> frozenset[str]:
        await tried_out.wait()
        return frozenset()

    check_account.side_effect = try_out
    flows = [await open_form(hass) for _ in range(2)]
    attempts = [
        asyncio.create_task(hass.config_entries.flow.async_configure(flow, ENTRY_DATA))
        for flow in flows
    ]
    while check_account.await_count < 2:
        await asyncio.sleep(0)
    tried_out.set()
    first, second = await asyncio.gather(*attempts)
    await hass.async_block_till_done()
    assert first["type"] is FlowResultType.CREATE_ENTRY
    assert second.get("reason") == "already_configured"
    [entry] = hass.config_entries.async_entries(DOMAIN)
    assert entry.state is ConfigEntryState.LOADED
    assert [watcher.running for watcher in watchers] == [True]
