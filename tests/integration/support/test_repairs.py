"""Fix flows of the repair issues, and when issues are deleted."""

from collections.abc import Awaitable, Callable, Iterator
from http import HTTPStatus
import json
import logging
from pathlib import Path
import re
from types import MappingProxyType
from typing import Any
from unittest.mock import AsyncMock, patch

from aiohttp.test_utils import TestClient
from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)
from pytest_homeassistant_custom_component.typing import (
    ClientSessionGenerator,
    WebSocketGenerator,
)

from custom_components.imap_push import issues
from custom_components.imap_push.const import CONF_FINGERPRINT, CONF_FOLDER, DOMAIN
from custom_components.imap_push.imap import (
    AccountState,
    AppPasswordNeeded,
    Certificate,
    CertificateChanged,
    CertificateError,
    CertificateProblem,
    CommandRefused,
    FolderNotFound,
    FolderState,
    ImapError,
    LoginRefused,
    OAuthNeeded,
    TokenRefused,
    Unavailable,
    Unreachable,
)
from custom_components.imap_push.server_text import without_links
from homeassistant.config_entries import ConfigEntryDisabler, ConfigSubentry
from homeassistant.const import CONF_PASSWORD, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.helpers.issue_registry import IssueEntry, IssueRegistry
from homeassistant.setup import async_setup_component

from .. import (
    CONNECTIVITY,
    ENTRY_DATA,
    HOST,
    PASSWORD,
    UNREAD,
    USERNAME,
    get_state,
    make_state,
)
from ..conftest import FakeWatcher

WORK_UNREAD = "sensor.jane_example_com_work_unread"
MISSING = AccountState(folders={"INBOX": FolderState(missing=True)})
EXPIRED = CertificateError(CertificateProblem.EXPIRED, "expired")
NO_APP_PASSWORD = AppPasswordNeeded("Application-specific password required")

TEXTS: dict[str, Any] = json.loads(
    (Path(issues.__file__).parent / "translations/en.json").read_text()
)["issues"]

type Step = dict[str, Any]


def _placeholders(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


class Repairs:
    """The repairs page of a browser: starts fix flows and submits their steps."""

    def __init__(self, client: TestClient[Any, Any], registry: IssueRegistry) -> None:
        """Read issues from this registry."""
        self._client = client
        self._registry = registry
        self._flow_id = ""
        self._issue: IssueEntry

    @property
    def shown(self) -> dict[str, IssueEntry]:
        """Return the issues of the integration by translation key."""
        return {
            issue.translation_key or "": issue
            for issue in self._registry.issues.values()
            if issue.domain == DOMAIN
        }

    async def start(self, key: str) -> Step:
        """Start the fix flow of an issue."""
        self._issue = issue = self.shown[key]
        assert issue.is_fixable
        step = await self._post(
            "", {"handler": issue.domain, "issue_id": issue.issue_id}
        )
        self._flow_id = step["flow_id"]
        return step

    async def choose(self, option: str) -> Step:
        """Select an option of a menu."""
        return await self.submit(next_step_id=option)

    async def submit(self, **values: Any) -> Step:
        """Submit a form."""
        return await self._post(f"/{self._flow_id}", values)

    async def _post(self, path: str, body: dict[str, Any]) -> Step:
        response = await self._client.post(f"/api/repairs/issues/fix{path}", json=body)
        assert response.status == HTTPStatus.OK
        step: Step = await response.json()
        self._check_texts(step)
        return step

    def _check_texts(self, step: Step) -> None:
        """Check that every text of a step exists and that its placeholders are filled."""
        texts = TEXTS[self._issue.translation_key or ""]["fix_flow"]
        known = {**(step["description_placeholders"] or {})}
        shown_texts: list[str] = []
        match step["type"]:
            case "abort":
                shown_texts = [texts["abort"][step["reason"]]]
                known |= self._issue.translation_placeholders or {}
            case "form" | "menu":
                step_texts = texts["step"][step["step_id"]]
                shown_texts = [step_texts["title"], step_texts["description"]]
                shown_texts += [
                    step_texts["menu_options"][option]
                    for option in step.get("menu_options", ())
                ]
                shown_texts += [
                    texts["error"][key] for key in step.get("errors", {}).values()
                ]
                if step["type"] == "form":
                    for field in step["data_schema"]:
                        shown_texts.append(step_texts["data"][field["name"]])
                        shown_texts.append(
                            step_texts["data_description"][field["name"]]
                        )
        assert _placeholders(" ".join(shown_texts)) <= set(known)


@pytest.fixture
async def repairs(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    issue_registry: IssueRegistry,
) -> Repairs:
    """Open the repairs page."""
    for component in ("application_credentials", "repairs", "websocket_api"):
        assert await async_setup_component(hass, component, {})
    return Repairs(await hass_client(), issue_registry)


@pytest.fixture
def check_account() -> Iterator[AsyncMock]:
    """Replace the login of the fix flows; it succeeds by default."""
    with patch("custom_components.imap_push.repairs.imap.check_account") as mock:
        yield mock


@pytest.fixture(autouse=True)
def _core_imap_without_server() -> Iterator[None]:
    """Set up entries of core IMAP without a connection."""
    with (
        patch("homeassistant.components.imap.async_setup_entry", return_value=True),
        patch("homeassistant.components.imap.async_unload_entry", return_value=True),
    ):
        yield


def _add_core_imap(hass: HomeAssistant, **changes: Any) -> MockConfigEntry:
    """Add an entry of core IMAP."""
    data = {
        "username": USERNAME,
        "password": PASSWORD,
        "server": HOST,
        "port": 993,
        "folder": "INBOX",
    }
    core_entry = MockConfigEntry(domain="imap", data=data | changes)
    core_entry.add_to_hass(hass)
    return core_entry


def test_every_issue_has_texts() -> None:
    """A fixable one has a fix flow, all others have a description."""
    assert set(TEXTS) == {
        value for name, value in vars(issues).items() if name.startswith("ISSUE_")
    }
    fixable = {key for key, texts in TEXTS.items() if "fix_flow" in texts}
    assert fixable == {
        *("app_password", "certificate", "core_imap_too"),
        *("folder_missing", "nothing_watched"),
    }
    assert all(TEXTS[key]["description"] for key in TEXTS if key not in fixable)
    for texts in TEXTS.values():
        assert _placeholders(texts["title"]) <= {"account"}
        assert _placeholders(texts.get("description", "")) <= {
            *("account", "answer", "date", "folder", "now", "text")
        }


# Connection


@pytest.mark.parametrize(
    ("error", "key"),
    [
        pytest.param(NO_APP_PASSWORD, "app_password", id="app password"),
        pytest.param(OAuthNeeded("AADSTS"), "oauth_needed", id="OAuth"),
        pytest.param(EXPIRED, "certificate", id="certificate"),
    ],
)
@pytest.mark.parametrize(
    "solved",
    [
        pytest.param(make_state(), id="connected"),
        pytest.param(AccountState(error=LoginRefused("no")), id="another refusal"),
    ],
)
async def test_issue_stays_until_its_problem_is_solved(
    watcher: FakeWatcher,
    repairs: Repairs,
    error: ImapError,
    key: str,
    solved: AccountState,
) -> None:
    """Neither an outage nor a start of the watcher solves it."""
    watcher.listener.state_changed(AccountState(error=error))
    watcher.listener.state_changed(AccountState(error=Unreachable("no way")))
    watcher.listener.state_changed(AccountState())
    assert list(repairs.shown) == [key]
    watcher.listener.state_changed(solved)
    assert not repairs.shown


async def test_connection_issue_replaces_another(
    watcher: FakeWatcher, repairs: Repairs
) -> None:
    """Only the current problem is shown."""
    for error, key in (
        (EXPIRED, "certificate"),
        (NO_APP_PASSWORD, "app_password"),
        (OAuthNeeded("AADSTS"), "oauth_needed"),
    ):
        watcher.listener.state_changed(AccountState(error=error))
        assert list(repairs.shown) == [key]
    assert repairs.shown["oauth_needed"].translation_placeholders == {
        "account": without_links(USERNAME),
        "answer": "AADSTS",
    }
    assert not repairs.shown["oauth_needed"].is_fixable


@pytest.mark.parametrize(
    ("now", "problem", "key"),
    [
        pytest.param(
            "2018-01-02 03:04", "not_yet_valid", "clock_wrong", id="no clock battery"
        ),
        pytest.param(
            "2026-11-30 12:00", "not_yet_valid", "clock_wrong", id="some days behind"
        ),
        pytest.param("1970-01-01 00:00", "expired", "clock_wrong", id="never set"),
        pytest.param("2106-02-07 06:28", "expired", "clock_wrong", id="far ahead"),
        pytest.param("2026-11-30 12:00", "expired", "certificate", id="expired"),
        pytest.param("2033-05-01 12:00", "expired", "certificate", id="old release"),
        pytest.param("1970-01-01 00:00", "wrong_host", "certificate", id="other host"),
        pytest.param("1970-01-01 00:00", "changed", "certificate", id="changed"),
    ],
)
async def test_wrong_clock_is_reported_as_such(
    hass: HomeAssistant,
    watcher: FakeWatcher,
    repairs: Repairs,
    freezer: FrozenDateTimeFactory,
    now: str,
    problem: str,
    key: str,
) -> None:
    """The issue shows what the clock says, and disappears when the server is connected."""
    await hass.config.async_set_time_zone("UTC")
    freezer.move_to(now)
    error = CertificateError(CertificateProblem(problem), "certificate verify failed")
    watcher.listener.state_changed(AccountState(error=error))
    assert list(repairs.shown) == [key]
    shown = repairs.shown[key].translation_placeholders or {}
    assert shown.get("now") == (now if key == "clock_wrong" else None)
    watcher.listener.state_changed(make_state())
    assert not repairs.shown


async def test_successful_login_ends_reauthentication(
    hass: HomeAssistant, watcher: FakeWatcher, issue_registry: IssueRegistry
) -> None:
    """A server can refuse valid credentials for some time."""
    watcher.listener.state_changed(AccountState(error=TokenRefused("no")))
    watcher.listener.login_refused()
    await hass.async_block_till_done()
    assert issue_registry.issues
    assert hass.config_entries.flow.async_progress()
    watcher.listener.state_changed(AccountState(connected=True))
    await hass.async_block_till_done()
    assert not issue_registry.issues
    assert not hass.config_entries.flow.async_progress()


@pytest.mark.parametrize(
    ("host", "page"),
    [
        ("imap.gmail.com", "https://myaccount.google.com/apppasswords"),
        ("imap.example.com", "\N{EM DASH}"),
    ],
)
async def test_issue_has_the_url_for_app_passwords(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watchers: list[FakeWatcher],
    repairs: Repairs,
    host: str,
    page: str,
) -> None:
    """The provider is known by the host of its server."""
    hass.config_entries.async_update_entry(entry, data={**entry.data, "host": host})
    assert await hass.config_entries.async_setup(entry.entry_id)
    watchers[-1].listener.state_changed(AccountState(error=NO_APP_PASSWORD))
    step = await repairs.start("app_password")
    assert step["description_placeholders"]["url"] == page


async def test_long_server_text_is_truncated(
    watcher: FakeWatcher, repairs: Repairs
) -> None:
    """It must not fill the page."""
    watcher.listener.alerted("x" * 9999)
    watcher.listener.state_changed(AccountState(error=AppPasswordNeeded("x" * 9999)))
    assert len(str(repairs.shown["app_password"].data)) < 1000
    assert len(str(repairs.shown["alert"].data)) < 1000


async def test_refused_login_is_an_issue_of_home_assistant(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    repairs: Repairs,
    hass_ws_client: WebSocketGenerator,
) -> None:
    """Its fix is the reauthentication form; the integration creates no second issue."""
    watcher.listener.state_changed(AccountState(error=LoginRefused("no")))
    watcher.listener.login_refused()
    await hass.async_block_till_done()
    assert not repairs.shown
    browser = await hass_ws_client()
    await browser.send_json_auto_id({"type": "repairs/list_issues"})
    [issue] = (await browser.receive_json())["result"]["issues"]
    assert issue["issue_id"] == f"config_entry_reauth_{DOMAIN}_{entry.entry_id}"
    assert not issue["ignored"]
    await browser.send_json_auto_id(
        {
            "type": "repairs/get_issue_data",
            "domain": issue["domain"],
            "issue_id": issue["issue_id"],
        }
    )
    data = (await browser.receive_json())["result"]["issue_data"]
    flow = hass.config_entries.flow.async_get(data["flow_id"])
    assert flow["step_id"] == "reauth_confirm"


async def test_app_password_is_tried_and_stored(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    watchers: list[FakeWatcher],
    repairs: Repairs,
    check_account: AsyncMock,
    issue_registry: IssueRegistry,
) -> None:
    """A new watcher uses it, and reauthentication ends."""
    watcher.listener.state_changed(AccountState(error=NO_APP_PASSWORD))
    watcher.listener.login_refused()
    await hass.async_block_till_done()
    step = await repairs.start("app_password")
    assert (step["type"], step["step_id"]) == ("form", "password")
    assert step["description_placeholders"]["answer"] == str(NO_APP_PASSWORD)

    check_account.side_effect = AppPasswordNeeded("that is not one")
    step = await repairs.submit(password="usual")
    assert step["errors"] == {"base": "login_refused"}
    assert step["description_placeholders"]["answer"] == "that is not one"
    check_account.side_effect = LoginRefused("no" * 1000)
    step = await repairs.submit(password="usual")
    assert len(step["description_placeholders"]["answer"]) == 500
    check_account.side_effect = Unreachable("no way")
    step = await repairs.submit(password="abcd efgh")
    assert step["errors"] == {"base": "cannot_connect"}

    check_account.side_effect = None
    step = await repairs.submit(password="abcd efgh")
    assert step["type"] == "create_entry"
    await hass.async_block_till_done()
    assert entry.data[CONF_PASSWORD] == "abcd efgh"
    assert watchers[-1].account.password == "abcd efgh"
    assert len(watchers) == 2
    assert not issue_registry.issues
    assert not hass.config_entries.flow.async_progress()


@pytest.mark.parametrize(
    "problem",
    [item for item in CertificateProblem if item.value != "not_yet_valid"],
)
async def test_retry_checks_the_certificate(
    hass: HomeAssistant,
    watcher: FakeWatcher,
    watchers: list[FakeWatcher],
    repairs: Repairs,
    check_account: AsyncMock,
    problem: CertificateProblem,
) -> None:
    """The issue stays while the certificate is refused or the server cannot be reached."""
    error = CertificateError(problem, "no")
    watcher.listener.state_changed(AccountState(error=error))
    for trouble, reason in (
        (error, "still_refused"),
        (Unreachable("no way"), "cannot_connect"),
    ):
        check_account.side_effect = trouble
        step = await repairs.start("certificate")
        assert (step["type"], step["step_id"]) == ("menu", problem.value)
        step = await repairs.choose("retry")
        assert (step["type"], step["reason"]) == ("abort", reason)
        assert repairs.shown

    check_account.side_effect = LoginRefused("no")
    await repairs.start("certificate")
    assert (await repairs.choose("retry"))["type"] == "create_entry"
    await hass.async_block_till_done()
    assert not repairs.shown
    assert len(watchers) == 2


async def test_verification_is_turned_off_after_confirmation(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher, repairs: Repairs
) -> None:
    """Nothing changes before."""
    watcher.listener.state_changed(AccountState(error=EXPIRED))
    await repairs.start("certificate")
    step = await repairs.choose("do_not_verify")
    assert (step["type"], step["step_id"]) == ("form", "do_not_verify")
    assert dict(entry.data) == ENTRY_DATA
    assert (await repairs.submit())["type"] == "create_entry"
    await hass.async_block_till_done()
    assert dict(entry.data) == ENTRY_DATA | {CONF_VERIFY_SSL: False}
    assert not repairs.shown


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(CertificateChanged("ab"), id="changed"),
        pytest.param(
            CertificateError(CertificateProblem.UNTRUSTED, "no"), id="untrusted"
        ),
    ],
)
async def test_shown_certificate_is_trusted(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    repairs: Repairs,
    error: CertificateError,
) -> None:
    """The fingerprint is that of the shown certificate, even if the server changes it."""
    watcher.listener.state_changed(AccountState(error=error))
    seen = Certificate(
        fingerprint="ab" * 32,
        subject="nas.local",
        issuer="nas.local",
        not_after=None,
        problem=error.problem,
    )
    fetch = "custom_components.imap_push.repairs.imap.fetch_certificate"
    with patch(fetch, return_value=seen):
        await repairs.start("certificate")
        step = await repairs.choose("trust")
    assert (step["type"], step["step_id"]) == ("form", "trust")
    assert step["description_placeholders"]["fingerprint"].startswith("ABAB ABAB")
    assert dict(entry.data) == ENTRY_DATA
    assert (await repairs.submit())["type"] == "create_entry"
    await hass.async_block_till_done()
    assert dict(entry.data) == ENTRY_DATA | {CONF_FINGERPRINT: "ab" * 32}
    assert not repairs.shown


async def test_certificate_that_cannot_be_fetched_is_not_trusted(
    watcher: FakeWatcher, repairs: Repairs
) -> None:
    """The flow aborts."""
    watcher.listener.state_changed(AccountState(error=CertificateChanged("ab")))
    await repairs.start("certificate")
    fetch = "custom_components.imap_push.repairs.imap.fetch_certificate"
    with patch(fetch, side_effect=Unreachable("no way")):
        step = await repairs.choose("trust")
    assert (step["type"], step["reason"]) == ("abort", "cannot_connect")
    assert set(repairs.shown) == {"certificate"}


# Folders


async def test_missing_folder_is_removed(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher, repairs: Repairs
) -> None:
    """It was the last folder, which creates another issue."""
    watcher.listener.state_changed(MISSING)
    step = await repairs.start("folder_missing")
    assert (step["type"], step["menu_options"]) == ("menu", ["remove", "wait"])
    assert step["description_placeholders"]["folder"] == "INBOX"
    assert (await repairs.choose("remove"))["type"] == "create_entry"
    await hass.async_block_till_done()
    assert not entry.subentries
    assert list(repairs.shown) == ["nothing_watched"]


async def test_ignored_missing_folder_stays_ignored_until_it_is_back(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    watchers: list[FakeWatcher],
    repairs: Repairs,
) -> None:
    """Also after a reload. If it is missing again later, the issue is shown again."""
    watcher.listener.state_changed(MISSING)
    await repairs.start("folder_missing")
    step = await repairs.choose("wait")
    assert (step["type"], step["reason"]) == ("abort", "issue_ignored")

    await hass.config_entries.async_reload(entry.entry_id)
    watchers[-1].listener.state_changed(AccountState(folders={"INBOX": FolderState()}))
    watchers[-1].listener.state_changed(MISSING)
    assert repairs.shown["folder_missing"].dismissed_version is not None
    watchers[-1].listener.state_changed(make_state())
    assert not repairs.shown
    watchers[-1].listener.state_changed(MISSING)
    assert repairs.shown["folder_missing"].dismissed_version is None


async def test_folder_removed_while_its_fix_flow_is_open(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher, repairs: Repairs
) -> None:
    """Its issue is deleted, and the flow ends."""
    watcher.listener.state_changed(MISSING)
    await repairs.start("folder_missing")
    hass.config_entries.async_remove_subentry(entry, "01INBOX")
    assert "folder_missing" not in repairs.shown
    assert (await repairs.choose("remove"))["type"] == "create_entry"


REFUSED = CommandRefused("EXAMINE", "NO", "SERVERBUG", "*Internal* error for jane")
LOCKED = Unavailable("Mailbox is in use")


def _state_with_error(error: ImapError | None) -> AccountState:
    """Return a connected account; Work has this error or is watched."""
    work = FolderState(available=error is None, error=error, unread=4)
    return make_state({"INBOX": FolderState(available=True, unread=2), "Work": work})


@pytest.fixture
async def with_work(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher
) -> None:
    """Watch Work, too."""
    work = ConfigSubentry(
        data=MappingProxyType({CONF_FOLDER: "Work"}),
        subentry_id="01WORK",
        subentry_type="folder",
        title="Work",
        unique_id="Work",
    )
    hass.config_entries.async_add_subentry(entry, work)
    await hass.async_block_till_done()


async def _pass(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, seconds: float
) -> None:
    freezer.tick(seconds)
    async_fire_time_changed(hass)
    await hass.async_block_till_done()


@pytest.mark.usefixtures("with_work")
async def test_folder_that_cannot_be_watched_is_named(
    hass: HomeAssistant,
    watcher: FakeWatcher,
    repairs: Repairs,
    freezer: FrozenDateTimeFactory,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Log and issue name it after a delay, the log without the server's text, and only once."""
    caplog.set_level(logging.INFO)
    watcher.listener.state_changed(_state_with_error(REFUSED))
    assert get_state(hass, WORK_UNREAD).state == "unavailable"
    assert get_state(hass, UNREAD).state == "2"
    assert get_state(hass, CONNECTIVITY).state == "on"
    assert not repairs.shown
    await _pass(hass, freezer, 20)
    watcher.listener.state_changed(_state_with_error(REFUSED))
    await _pass(hass, freezer, 15)
    issue = repairs.shown["folder_refused"]
    assert issue.translation_placeholders == {
        "account": without_links(USERNAME),
        "folder": "Work",
        "answer": r"EXAMINE: NO \*Internal\* error for jane",
    }
    assert not issue.is_fixable
    watcher.listener.state_changed(_state_with_error(LOCKED))
    issue = repairs.shown["folder_refused"]
    assert (issue.translation_placeholders or {})["answer"] == "Mailbox is in use"
    await _pass(hass, freezer, 60)
    watcher.listener.state_changed(_state_with_error(None))
    assert not repairs.shown
    assert get_state(hass, WORK_UNREAD).state == "4"
    lines = [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if "the folder" in record.getMessage()
    ]
    account = "imap.example.com (APPUSH)"
    assert lines == [
        (
            "WARNING",
            f"{account}: the folder 'Work' cannot be watched (CommandRefused)",
        ),
        ("INFO", f"{account}: the folder 'Work' is watched again"),
    ]


@pytest.mark.usefixtures("with_work")
@pytest.mark.parametrize(
    ("then", "after"),
    [
        pytest.param(_state_with_error(None), None, id="short"),
        pytest.param(make_state(), None, id="no longer watched"),
        pytest.param(
            make_state({"Work": FolderState(missing=True)}),
            "folder_missing",
            id="missing",
        ),
        pytest.param(AccountState(), None, id="watcher stopped"),
    ],
)
async def test_folder_error_that_does_not_last_is_no_issue(
    hass: HomeAssistant,
    watcher: FakeWatcher,
    repairs: Repairs,
    freezer: FrozenDateTimeFactory,
    caplog: pytest.LogCaptureFixture,
    then: AccountState,
    after: str | None,
) -> None:
    """A folder can be locked for a moment; nothing is logged."""
    watcher.listener.state_changed(_state_with_error(LOCKED))
    await _pass(hass, freezer, 20)
    watcher.listener.state_changed(then)
    await _pass(hass, freezer, 60)
    assert list(repairs.shown) == [after] * bool(after)
    assert "cannot be watched" not in caplog.text


@pytest.mark.usefixtures("with_work")
async def test_reported_folder_error_is_kept_until_it_is_solved(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    watchers: list[FakeWatcher],
    repairs: Repairs,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Neither an outage nor a reload solves it; a folder that is removed takes it along."""
    watcher.listener.state_changed(_state_with_error(REFUSED))
    await _pass(hass, freezer, 60)
    watcher.listener.state_changed(AccountState(error=Unreachable("no way")))
    assert list(repairs.shown) == ["folder_refused"]
    await hass.config_entries.async_reload(entry.entry_id)
    listener = watchers[-1].listener
    listener.state_changed(_state_with_error(REFUSED))
    assert list(repairs.shown) == ["folder_refused"]
    listener.state_changed(make_state({"Work": FolderState(missing=True)}))
    assert list(repairs.shown) == ["folder_missing"]
    listener.state_changed(_state_with_error(REFUSED))
    await _pass(hass, freezer, 60)
    hass.config_entries.async_remove_subentry(entry, "01WORK")
    await hass.async_block_till_done()
    assert not repairs.shown


async def test_inbox_is_added_by_the_fix_flow(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher, repairs: Repairs
) -> None:
    """Two open flows add it only once."""
    hass.config_entries.async_remove_subentry(entry, "01INBOX")
    await hass.async_block_till_done()
    for _ in range(2):
        step = await repairs.start("nothing_watched")
        assert (step["type"], step["step_id"]) == ("form", "confirm")
    assert (await repairs.submit())["type"] == "create_entry"
    await hass.async_block_till_done()
    [subentry] = entry.subentries.values()
    assert subentry.data[CONF_FOLDER] == subentry.title == "INBOX"
    assert not repairs.shown


async def test_folder_added_while_the_fix_flow_is_open(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher, repairs: Repairs
) -> None:
    """INBOX is not added."""
    [inbox] = entry.subentries.values()
    hass.config_entries.async_remove_subentry(entry, inbox.subentry_id)
    await hass.async_block_till_done()
    await repairs.start("nothing_watched")
    hass.config_entries.async_add_subentry(entry, inbox)
    await repairs.submit()
    assert list(entry.subentries.values()) == [inbox]


# Core IMAP


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        pytest.param({}, ["core_imap_too"], id="same account"),
        pytest.param({"folder": "Work"}, ["core_imap_too"], id="another folder"),
        pytest.param({"server": "imap.example.org"}, [], id="another server"),
        pytest.param({"username": "joe@example.com"}, [], id="another login"),
    ],
)
async def test_core_imap_with_the_same_account_is_an_issue(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watchers: list[FakeWatcher],
    repairs: Repairs,
    changes: dict[str, str],
    shown: list[str],
) -> None:
    """It is created during set-up, and deleted when the other entry is removed."""
    core_entry = _add_core_imap(hass, **changes)
    await hass.config_entries.async_setup(entry.entry_id)
    assert list(repairs.shown) == shown
    await hass.config_entries.async_remove(core_entry.entry_id)
    assert not repairs.shown


async def test_core_imap_is_disabled_only_for_this_account(
    hass: HomeAssistant, watcher: FakeWatcher, repairs: Repairs
) -> None:
    """If one entry is enabled again, the issue is back."""
    other = _add_core_imap(hass, server="imap.example.org")
    duplicates = [_add_core_imap(hass), _add_core_imap(hass, folder="Work")]
    await hass.config_entries.async_setup(other.entry_id)
    step = await repairs.start("core_imap_too")
    assert (step["type"], step["menu_options"]) == ("menu", ["disable", "keep_both"])
    assert (await repairs.choose("disable"))["type"] == "create_entry"
    assert {entry.disabled_by for entry in duplicates} == {ConfigEntryDisabler.USER}
    assert other.disabled_by is None
    assert not repairs.shown
    await hass.config_entries.async_set_disabled_by(duplicates[0].entry_id, None)
    assert list(repairs.shown) == ["core_imap_too"]


async def test_kept_core_imap_stays_ignored(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watchers: list[FakeWatcher],
    repairs: Repairs,
) -> None:
    """Also after a reload."""
    _add_core_imap(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    await repairs.start("core_imap_too")
    step = await repairs.choose("keep_both")
    assert (step["type"], step["reason"]) == ("abort", "issue_ignored")
    await hass.config_entries.async_reload(entry.entry_id)
    assert repairs.shown["core_imap_too"].dismissed_version is not None


# Removal

type Leave = Callable[[HomeAssistant, str], Awaitable[object]]


async def _remove(hass: HomeAssistant, entry_id: str) -> None:
    await hass.config_entries.async_remove(entry_id)


async def _disable(hass: HomeAssistant, entry_id: str) -> None:
    await hass.config_entries.async_set_disabled_by(entry_id, ConfigEntryDisabler.USER)


@pytest.mark.parametrize("leave", [_remove, _disable])
async def test_removed_or_disabled_account_has_no_issues(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watchers: list[FakeWatcher],
    repairs: Repairs,
    leave: Leave,
) -> None:
    """All of its issues are deleted."""
    _add_core_imap(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    watchers[-1].listener.state_changed(
        AccountState(folders=MISSING.folders, error=NO_APP_PASSWORD)
    )
    watchers[-1].listener.alerted("Mailbox is almost full")
    assert len(repairs.shown) == 4
    await leave(hass, entry.entry_id)
    assert not repairs.shown


async def test_account_removed_while_a_fix_flow_is_open(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher, repairs: Repairs
) -> None:
    """The flow aborts."""
    watcher.listener.state_changed(
        AccountState(folders=MISSING.folders, error=FolderNotFound("gone"))
    )
    await repairs.start("folder_missing")
    await hass.config_entries.async_remove(entry.entry_id)
    step = await repairs.choose("remove")
    assert (step["type"], step["reason"]) == ("abort", "account_removed")
