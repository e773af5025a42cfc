"""What the user sees while an account is set up and changed."""

import logging
import ssl
from typing import Any
from unittest.mock import AsyncMock

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.const import CONF_SECURITY, DOMAIN
from custom_components.imap_push.imap import (
    AccountState,
    AppPasswordNeeded,
    CannotConnect,
    CatchUp,
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
    NotImap,
    OAuthNeeded,
    PlainTextInjected,
    PortRefused,
    ProtocolError,
    Security,
    ServerLeft,
    ServerNotAuthentic,
    ServerSilent,
    StartTlsMissing,
    StartTlsOffered,
    TlsError,
    TlsExpected,
    TlsNotSpoken,
    TlsTooOld,
    TokenRefused,
    TokenRevoked,
    TokensNotTaken,
    TokenUnavailable,
    WatchedFolder,
    WatchOptions,
)
from homeassistant.config_entries import SOURCE_USER, ConfigEntryState
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

from .. import (
    ACCOUNT_DATA,
    BY_PASSWORD,
    CORE_IMAP_DATA,
    ENTRY_DATA,
    HOST,
    PASSWORD,
    USERNAME,
    open_form,
    suggested,
)
from ..conftest import FakeWatcher

pytestmark = pytest.mark.usefixtures("watchers")


def _case(error: Exception, field: str, key: str, **placeholders: str) -> Any:
    """Return one row of the table, named by the text that the user sees."""
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
    _case(ServerLeft("no guests"), CONF_BASE, "command_refused", answer="no guests"),
    _case(ServerLeft(" "), CONF_BASE, "connection_lost"),
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
    """The defaults of the form are those of most providers."""
    flow_id = await open_form(hass)
    result = await hass.config_entries.flow.async_configure(
        flow_id,
        {CONF_USERNAME: USERNAME, CONF_PASSWORD: PASSWORD, CONF_HOST: HOST},
    )
    await hass.async_block_till_done()

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == USERNAME
    assert result["data"] == ENTRY_DATA
    entry = result["result"]
    assert entry.state is ConfigEntryState.LOADED
    assert entry.unique_id == "jane@example.com@imap.example.com"
    (subentry,) = entry.subentries.values()
    assert subentry.subentry_type == "folder"
    assert subentry.title == subentry.unique_id == "INBOX"
    assert subentry.data == {"folder": "INBOX"}
    assert watchers[0].folders == {"INBOX": WatchedFolder()}
    assert watchers[0].running
    check_account.assert_awaited_once_with(watchers[0].account, "INBOX")


@pytest.mark.parametrize(("error", "field", "key", "placeholders"), ERRORS)
async def test_error_is_told_at_its_field_and_the_flow_goes_on(
    hass: HomeAssistant,
    check_account: AsyncMock,
    error: Exception,
    field: str,
    key: str,
    placeholders: dict[str, str],
) -> None:
    """The form keeps what was typed; once mended, the account is added."""
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


async def test_words_of_the_server_are_not_logged(
    hass: HomeAssistant, check_account: AsyncMock, caplog: pytest.LogCaptureFixture
) -> None:
    """They may hold the login; what kind of error it is tells enough."""
    caplog.set_level(logging.DEBUG)
    check_account.side_effect = LoginRefused("no such user: jane")
    await hass.config_entries.flow.async_configure(await open_form(hass), ENTRY_DATA)
    assert "LoginRefused" in caplog.text
    assert "no such user" not in caplog.text


async def test_a_bug_is_logged(
    hass: HomeAssistant, check_account: AsyncMock, caplog: pytest.LogCaptureFixture
) -> None:
    """Only what is no error of the engine is logged with its traceback."""
    flow_id = await open_form(hass)
    check_account.side_effect = LoginRefused()
    await hass.config_entries.flow.async_configure(flow_id, ENTRY_DATA)
    assert "Unexpected exception" not in caplog.text

    check_account.side_effect = RuntimeError("a bug")
    await hass.config_entries.flow.async_configure(flow_id, ENTRY_DATA)
    assert "RuntimeError: a bug" in caplog.text


@pytest.mark.parametrize(
    ("typed", "security", "verify_mode"),
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
async def test_account_is_tried_as_typed(
    hass: HomeAssistant,
    check_account: AsyncMock,
    typed: dict[str, Any],
    security: Security,
    verify_mode: ssl.VerifyMode,
) -> None:
    """What is typed reaches the server, except for blanks around it."""
    flow_id = await open_form(hass)
    await hass.config_entries.flow.async_configure(flow_id, ENTRY_DATA | typed)
    account = check_account.await_args_list[0].args[0]
    assert (account.username, account.password) == (USERNAME, PASSWORD)
    assert (account.host, account.port) == (HOST, 993)
    assert account.security is security
    assert account.ssl_context.verify_mode is verify_mode


@pytest.mark.parametrize(
    "again",
    [
        pytest.param({}, id="same"),
        pytest.param({CONF_USERNAME: "Jane@Example.com"}, id="other case"),
        pytest.param({CONF_HOST: " IMAP.example.com"}, id="other case of host"),
        pytest.param({CONF_PORT: 143, CONF_SECURITY: "starttls"}, id="other port"),
    ],
)
async def test_the_same_account_twice_is_refused(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    check_account: AsyncMock,
    again: dict[str, Any],
) -> None:
    """An account is a login at a host."""
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
    ],
)
async def test_another_account_is_added(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    check_account: AsyncMock,
    other: dict[str, Any],
) -> None:
    """Several logins at a host, and a login at several hosts, are several accounts."""
    flow_id = await open_form(hass)
    result = await hass.config_entries.flow.async_configure(flow_id, ENTRY_DATA | other)
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize(
    "password",
    [
        pytest.param("battery staple", id="new password"),
        pytest.param(PASSWORD, id="the provider unlocked the old password"),
    ],
)
async def test_password_is_renewed_and_watching_goes_on(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    watchers: list[FakeWatcher],
    check_account: AsyncMock,
    password: str,
) -> None:
    """A refused login asks for the password; a new watcher starts with it."""
    watcher.listener.login_refused()
    watcher.listener.login_refused()
    await hass.async_block_till_done()
    (flow,) = hass.config_entries.flow.async_progress()
    assert flow["step_id"] == "reauth_confirm"
    assert flow["context"]["title_placeholders"] == {"name": USERNAME}

    result = await hass.config_entries.flow.async_configure(
        flow["flow_id"], {CONF_PASSWORD: password}
    )
    await hass.async_block_till_done()
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "reauth_successful"
    assert entry.data == ENTRY_DATA | {CONF_PASSWORD: password}
    assert [watcher.running for watcher in watchers] == [False, True]
    assert watchers[1].account.password == password


@pytest.mark.parametrize(
    ("error", "key"),
    [
        pytest.param(LoginRefused(), "login_refused", id="still refused"),
        pytest.param(
            HostNotFound(), "host_not_found", id="about a field of another form"
        ),
        pytest.param(RuntimeError(), "unknown", id="bug"),
    ],
)
async def test_renewing_the_password_survives_an_error(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    check_account: AsyncMock,
    error: Exception,
    key: str,
) -> None:
    """An error shows in the form, wherever its field is, and the flow goes on."""
    result = await entry.start_reauth_flow(hass)
    check_account.side_effect = error
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], {CONF_PASSWORD: "battery staple"}
    )
    assert result["errors"] == {CONF_BASE: key}
    assert entry.data == ENTRY_DATA

    check_account.side_effect = None
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], {CONF_PASSWORD: "battery staple"}
    )
    assert result["reason"] == "reauth_successful"
    await hass.async_block_till_done()


async def test_renewing_the_password_begins_with_why(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher
) -> None:
    """The server's words say best what it wants."""
    words = "Application-specific password required"
    watcher.listener.state_changed(
        AccountState(connected=False, error=AppPasswordNeeded(words))
    )
    result = await entry.start_reauth_flow(hass)
    assert result["errors"] == {CONF_BASE: "app_password_needed"}
    assert result["description_placeholders"] == {"name": USERNAME, "answer": words}


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(None, id="nothing"),
        pytest.param(ConnectionLost("bye"), id="something else"),
    ],
)
async def test_renewing_the_password_begins_without_what_is_not_known(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    error: ImapError | None,
) -> None:
    """Only why the login was refused is told."""
    watcher.listener.state_changed(AccountState(connected=False, error=error))
    result = await entry.start_reauth_flow(hass)
    assert not result["errors"]


async def test_password_is_renewed_while_the_account_is_not_loaded(
    hass: HomeAssistant, entry: MockConfigEntry, check_account: AsyncMock
) -> None:
    """Nothing is known of it then."""
    result = await entry.start_reauth_flow(hass)
    assert not result["errors"]
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], {CONF_PASSWORD: "battery staple"}
    )
    await hass.async_block_till_done()
    assert result["reason"] == "reauth_successful"


@pytest.mark.parametrize(
    ("typed", "changed", "unique_id", "title"),
    [
        pytest.param(
            ENTRY_DATA
            | {CONF_HOST: "10.0.0.5", CONF_PORT: 143, CONF_SECURITY: "starttls"},
            {CONF_HOST: "10.0.0.5", CONF_PORT: 143, CONF_SECURITY: "starttls"},
            "jane@example.com@10.0.0.5",
            USERNAME,
            id="the server moved",
        ),
        pytest.param(
            ACCOUNT_DATA | {CONF_USERNAME: "Jane2@example.com"},
            {CONF_USERNAME: "Jane2@example.com"},
            "jane2@example.com@imap.example.com",
            "Jane2@example.com",
            id="the login changed",
        ),
        pytest.param(
            ENTRY_DATA | {CONF_PASSWORD: "battery staple"},
            {CONF_PASSWORD: "battery staple"},
            "jane@example.com@imap.example.com",
            USERNAME,
            id="the password changed",
        ),
        pytest.param(
            ACCOUNT_DATA | {CONF_PASSWORD: ""},
            {},
            "jane@example.com@imap.example.com",
            USERNAME,
            id="nothing changed",
        ),
    ],
)
async def test_account_is_changed_and_watching_goes_on(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    watchers: list[FakeWatcher],
    check_account: AsyncMock,
    typed: dict[str, Any],
    changed: dict[str, Any],
    unique_id: str,
    title: str,
) -> None:
    """All can be changed; the form shows what is known, but never the password."""
    result = await entry.start_reconfigure_flow(hass)
    assert result["step_id"] == "reconfigure"
    assert suggested(result) == ACCOUNT_DATA | BY_PASSWORD

    result = await hass.config_entries.flow.async_configure(result["flow_id"], typed)
    await hass.async_block_till_done()
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "reconfigure_successful"
    assert entry.data == ENTRY_DATA | changed
    assert entry.unique_id == unique_id
    assert entry.title == title
    assert [watcher.running for watcher in watchers] == [False, True]
    assert watchers[1].account.host == entry.data[CONF_HOST]


async def test_a_name_that_the_user_gave_is_kept(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    check_account: AsyncMock,
) -> None:
    """Only a title that is the login follows the login."""
    hass.config_entries.async_update_entry(entry, title="Work")
    await hass.async_block_till_done()
    result = await entry.start_reconfigure_flow(hass)
    await hass.config_entries.flow.async_configure(
        result["flow_id"], ACCOUNT_DATA | {CONF_USERNAME: "jane2@example.com"}
    )
    await hass.async_block_till_done()
    assert entry.title == "Work"


async def test_an_account_cannot_become_another_one_that_is_there(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    check_account: AsyncMock,
) -> None:
    """Two entries never watch the same account."""
    MockConfigEntry(
        domain=DOMAIN,
        data=ENTRY_DATA | {CONF_USERNAME: "joe@example.com"},
        unique_id="joe@example.com@imap.example.com",
    ).add_to_hass(hass)
    result = await entry.start_reconfigure_flow(hass)
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], ACCOUNT_DATA | {CONF_USERNAME: "Joe@example.com"}
    )
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"
    assert entry.data == ENTRY_DATA


async def test_changing_the_account_survives_an_error(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    check_account: AsyncMock,
) -> None:
    """The form keeps what was typed, and the flow goes on."""
    result = await entry.start_reconfigure_flow(hass)
    typed = ENTRY_DATA | {CONF_HOST: "imap.exmaple.com"}
    check_account.side_effect = HostNotFound()
    result = await hass.config_entries.flow.async_configure(result["flow_id"], typed)
    assert result["errors"] == {CONF_HOST: "host_not_found"}
    assert suggested(result) == typed | BY_PASSWORD
    assert entry.data == ENTRY_DATA

    check_account.side_effect = None
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], ENTRY_DATA | {CONF_HOST: "imap2.example.com"}
    )
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()


async def test_options_are_changed_and_watching_goes_on(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    watchers: list[FakeWatcher],
) -> None:
    """Push is on at first, and polling is every minute."""
    assert watcher.options == WatchOptions(push=True, poll_interval=60)
    result = await hass.config_entries.options.async_init(entry.entry_id)
    assert result["step_id"] == "init"
    connection = {"push": False, "notify": False, "poll_interval": 300}
    others = {
        "access": "change",
        "catch_up": "last_day",
        "read_only": True,
        "assistant": True,
        "record_mail": True,
    }
    result = await hass.config_entries.options.async_configure(
        result["flow_id"], others | {"connection": connection}
    )
    await hass.async_block_till_done()
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options == others | connection
    assert [watcher.running for watcher in watchers] == [False, True]
    assert watchers[1].options == WatchOptions(
        push=False, notify=False, poll_interval=300, catch_up=CatchUp.LAST_DAY
    )

    result = await hass.config_entries.options.async_init(entry.entry_id)
    assert suggested(result) == others | {"connection": connection}


async def test_nothing_that_is_of_consequence_is_on_at_first(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher
) -> None:
    """Nobody reads, and nothing is kept, unless the user says so."""
    result = await hass.config_entries.options.async_init(entry.entry_id)
    await hass.config_entries.options.async_configure(
        result["flow_id"], {"connection": {}}
    )
    await hass.async_block_till_done()
    assert entry.options == {
        "access": "none",
        "catch_up": "all",
        "read_only": False,
        "assistant": False,
        "record_mail": False,
        "push": True,
        "notify": True,
        "poll_interval": 60,
    }


def _add_core_entry(hass: HomeAssistant, **changes: Any) -> None:
    """Set up a folder of an account in the core IMAP integration."""
    MockConfigEntry(domain="imap", data=CORE_IMAP_DATA | changes).add_to_hass(hass)


async def _start_from_menu(hass: HomeAssistant, choice: str) -> Any:
    """Say where the account comes from."""
    result = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_USER}
    )
    assert result["type"] is FlowResultType.MENU
    assert result["menu_options"] == ["take_over", "set_up_anew", "server"]
    return await hass.config_entries.flow.async_configure(
        result["flow_id"], {"next_step_id": choice}
    )


async def test_account_of_core_imap_is_taken_over(
    hass: HomeAssistant, check_account: AsyncMock, watchers: list[FakeWatcher]
) -> None:
    """Without a word typed: login, server and folders are known, and never shown."""
    _add_core_entry(hass, folder="Work", verify_ssl=False)
    _add_core_entry(hass, folder="inbox", search="ALL")
    _add_core_entry(hass, folder="Work", search="FROM boss")
    _add_core_entry(hass, username="joe@example.com")
    form = await _start_from_menu(hass, "take_over")
    assert form["step_id"] == "take_over"
    selector = form["data_schema"].schema["account"]
    assert [option["label"] for option in selector.config["options"]] == [
        "jane@example.com (imap.example.com)",
        "joe@example.com (imap.example.com)",
    ]
    assert PASSWORD not in repr((form, selector.config))

    result = await hass.config_entries.flow.async_configure(
        form["flow_id"], suggested(form)
    )
    await hass.async_block_till_done()
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == USERNAME
    entry = result["result"]
    assert entry.data == ENTRY_DATA | {CONF_VERIFY_SSL: False}
    assert [
        (subentry.subentry_type, subentry.unique_id, subentry.title, {**subentry.data})
        for subentry in entry.subentries.values()
    ] == [
        ("folder", "Work", "Work", {"folder": "Work"}),
        ("folder", "INBOX", "INBOX", {"folder": "INBOX"}),
    ]
    assert list(watchers[0].folders) == ["Work", "INBOX"]


async def test_account_that_cannot_be_taken_over_as_it_is_can_be_mended(
    hass: HomeAssistant, check_account: AsyncMock
) -> None:
    """The form shows all that is known but the password; its folders are kept."""
    _add_core_entry(hass, folder="Work")
    form = await _start_from_menu(hass, "take_over")
    check_account.side_effect = LoginRefused("Wrong password")
    form = await hass.config_entries.flow.async_configure(
        form["flow_id"], suggested(form)
    )
    assert form["step_id"] == "server"
    assert form["errors"] == {CONF_BASE: "login_refused_because"}
    assert form["description_placeholders"] == {"answer": "Wrong password"}
    assert suggested(form) == ACCOUNT_DATA | BY_PASSWORD

    check_account.side_effect = None
    result = await hass.config_entries.flow.async_configure(form["flow_id"], ENTRY_DATA)
    await hass.async_block_till_done()
    assert result["type"] is FlowResultType.CREATE_ENTRY
    (subentry,) = result["result"].subentries.values()
    assert subentry.title == "Work"


async def test_account_is_set_up_anew_beside_core_imap(
    hass: HomeAssistant, check_account: AsyncMock
) -> None:
    """Its inbox is watched, whatever the core integration does."""
    _add_core_entry(hass, folder="Work")
    form = await _start_from_menu(hass, "server")
    assert form["step_id"] == "server"
    assert suggested(form) == {}
    result = await hass.config_entries.flow.async_configure(form["flow_id"], ENTRY_DATA)
    await hass.async_block_till_done()
    (subentry,) = result["result"].subentries.values()
    assert subentry.title == "INBOX"


async def test_account_that_is_here_already_is_not_offered(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """With nothing to take over there is nothing to choose."""
    _add_core_entry(hass)
    await open_form(hass)


async def test_account_that_was_added_meanwhile_is_not_taken_over(
    hass: HomeAssistant, check_account: AsyncMock
) -> None:
    """Two entries never watch the same account."""
    _add_core_entry(hass)
    form = await _start_from_menu(hass, "take_over")
    MockConfigEntry(
        domain=DOMAIN, data=ENTRY_DATA, unique_id="jane@example.com@imap.example.com"
    ).add_to_hass(hass)
    result = await hass.config_entries.flow.async_configure(
        form["flow_id"], suggested(form)
    )
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"
