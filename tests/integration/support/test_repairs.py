"""What only the user can mend is mended from the repairs, and stays as mended as it is."""

from collections.abc import Awaitable, Callable, Iterator
from http import HTTPStatus
import json
from pathlib import Path
import re
from typing import Any
from unittest.mock import AsyncMock, patch

from aiohttp.test_utils import TestClient
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
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
    FolderNotFound,
    FolderState,
    ImapError,
    LoginRefused,
    OAuthNeeded,
    TokenRefused,
    Unreachable,
)
from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.const import CONF_PASSWORD, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.helpers.issue_registry import IssueEntry, IssueRegistry
from homeassistant.setup import async_setup_component

from .. import ENTRY_DATA, HOST, PASSWORD, USERNAME, make_state
from ..conftest import FakeWatcher

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
    """The repairs page of a browser: starts fix flows and answers them."""

    def __init__(self, client: TestClient[Any, Any], registry: IssueRegistry) -> None:
        """Show these issues."""
        self._client = client
        self._registry = registry
        self._flow_id = ""
        self._issue: IssueEntry

    @property
    def shown(self) -> dict[str, IssueEntry]:
        """Return the issues of ours that are shown, by what they are about."""
        return {
            issue.translation_key or "": issue
            for issue in self._registry.issues.values()
            if issue.domain == DOMAIN
        }

    async def start(self, key: str) -> Step:
        """Click on an issue."""
        self._issue = issue = self.shown[key]
        assert issue.is_fixable
        step = await self._post(
            "", {"handler": issue.domain, "issue_id": issue.issue_id}
        )
        self._flow_id = step["flow_id"]
        return step

    async def choose(self, option: str) -> Step:
        """Choose from a menu."""
        return await self.submit(next_step_id=option)

    async def submit(self, **values: Any) -> Step:
        """Submit a form."""
        return await self._post(f"/{self._flow_id}", values)

    async def _post(self, path: str, body: dict[str, Any]) -> Step:
        response = await self._client.post(f"/api/repairs/issues/fix{path}", json=body)
        assert response.status == HTTPStatus.OK
        step: Step = await response.json()
        self._read(step)
        return step

    def _read(self, step: Step) -> None:
        """Read what the dialog says: every text is there, and all that it needs."""
        texts = TEXTS[self._issue.translation_key or ""]["fix_flow"]
        known = {**(step["description_placeholders"] or {})}
        read: list[str] = []
        match step["type"]:
            case "abort":
                read = [texts["abort"][step["reason"]]]
                known |= self._issue.translation_placeholders or {}
            case "form" | "menu":
                words = texts["step"][step["step_id"]]
                read = [words["title"], words["description"]]
                read += [
                    words["menu_options"][it] for it in step.get("menu_options", ())
                ]
                read += [texts["error"][it] for it in step.get("errors", {}).values()]
                fields = [
                    it["name"] for it in step["data_schema"] if step["type"] == "form"
                ]
                read += [words["data"][it] for it in fields]
                read += [words["data_description"][it] for it in fields]
        assert _placeholders(" ".join(read)) <= set(known)


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
    """Replace the try-out of an account; it succeeds unless told otherwise."""
    with patch("custom_components.imap_push.repairs.check_account") as mock:
        yield mock


@pytest.fixture(autouse=True)
def _core_imap_connects_to_nobody() -> Iterator[None]:
    """Let entries of core IMAP be set up without a server."""
    with (
        patch("homeassistant.components.imap.async_setup_entry", return_value=True),
        patch("homeassistant.components.imap.async_unload_entry", return_value=True),
    ):
        yield


def _core_imap(hass: HomeAssistant, **changes: Any) -> MockConfigEntry:
    """Set an account up with core IMAP."""
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


def test_every_issue_is_described() -> None:
    """One that can be fixed by its flow, and no text is for one that is not there."""
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
            *("account", "answer", "text")
        }


# What goes wrong with the connection


@pytest.mark.parametrize(
    ("error", "key"),
    [
        pytest.param(NO_APP_PASSWORD, "app_password", id="app password"),
        pytest.param(OAuthNeeded("AADSTS"), "oauth_needed", id="OAuth"),
        pytest.param(EXPIRED, "certificate", id="certificate"),
    ],
)
@pytest.mark.parametrize(
    "mended",
    [
        pytest.param(make_state(), id="connected"),
        pytest.param(AccountState(error=LoginRefused("no")), id="another refusal"),
    ],
)
async def test_an_issue_stays_until_it_is_seen_to_be_mended(
    watcher: FakeWatcher,
    repairs: Repairs,
    error: ImapError,
    key: str,
    mended: AccountState,
) -> None:
    """An outage in between, or a start, mends nothing."""
    watcher.listener.state_changed(AccountState(error=error))
    watcher.listener.state_changed(AccountState(error=Unreachable("no way")))
    watcher.listener.state_changed(AccountState())
    assert list(repairs.shown) == [key]
    watcher.listener.state_changed(mended)
    assert not repairs.shown


async def test_one_reason_takes_the_place_of_another(
    watcher: FakeWatcher, repairs: Repairs
) -> None:
    """Only what keeps the account from connecting now is shown."""
    for error, key in (
        (EXPIRED, "certificate"),
        (NO_APP_PASSWORD, "app_password"),
        (OAuthNeeded("AADSTS"), "oauth_needed"),
    ):
        watcher.listener.state_changed(AccountState(error=error))
        assert list(repairs.shown) == [key]
    assert repairs.shown["oauth_needed"].translation_placeholders == {
        "account": USERNAME,
        "answer": "AADSTS",
    }
    assert not repairs.shown["oauth_needed"].is_fixable


async def test_sign_in_that_works_again_is_asked_for_no_more(
    hass: HomeAssistant, watcher: FakeWatcher, issue_registry: IssueRegistry
) -> None:
    """A server can refuse good credentials for a while."""
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
async def test_page_for_app_passwords_is_shown_if_it_is_known(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watchers: list[FakeWatcher],
    repairs: Repairs,
    host: str,
    page: str,
) -> None:
    """The provider is known by its server."""
    hass.config_entries.async_update_entry(entry, data={**entry.data, "host": host})
    assert await hass.config_entries.async_setup(entry.entry_id)
    watchers[-1].listener.state_changed(AccountState(error=NO_APP_PASSWORD))
    step = await repairs.start("app_password")
    assert step["description_placeholders"]["url"] == page


async def test_long_words_of_a_server_are_cut(
    watcher: FakeWatcher, repairs: Repairs
) -> None:
    """They must not fill the page."""
    watcher.listener.alerted("x" * 9999)
    watcher.listener.state_changed(AccountState(error=AppPasswordNeeded("x" * 9999)))
    assert len(str(repairs.shown["app_password"].data)) < 1000
    assert len(str(repairs.shown["alert"].data)) < 1000


async def test_sign_in_refused_is_shown_by_home_assistant(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    repairs: Repairs,
    hass_ws_client: WebSocketGenerator,
) -> None:
    """Its repair leads to the form for the password; none of ours doubles it."""
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


async def test_enter_an_app_password(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    watchers: list[FakeWatcher],
    repairs: Repairs,
    check_account: AsyncMock,
    issue_registry: IssueRegistry,
) -> None:
    """It is tried for real; the account is then watched with it, and nothing else asks."""
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


@pytest.mark.parametrize("problem", CertificateProblem)
async def test_a_certificate_is_looked_at_again(
    hass: HomeAssistant,
    watcher: FakeWatcher,
    watchers: list[FakeWatcher],
    repairs: Repairs,
    check_account: AsyncMock,
    problem: CertificateProblem,
) -> None:
    """As long as it is not accepted, or nobody answers, the issue stays."""
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


async def test_a_certificate_is_checked_no_more(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher, repairs: Repairs
) -> None:
    """Only after the user has confirmed it."""
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
async def test_the_new_certificate_is_trusted(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    repairs: Repairs,
    error: CertificateError,
) -> None:
    """The one that was shown, whatever the server shows later."""
    watcher.listener.state_changed(AccountState(error=error))
    seen = Certificate(
        fingerprint="ab" * 32,
        subject="nas.local",
        issuer="nas.local",
        not_after=None,
        problem=error.problem,
    )
    fetch = "custom_components.imap_push.repairs.fetch_certificate"
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


async def test_the_new_certificate_cannot_be_seen(
    watcher: FakeWatcher, repairs: Repairs
) -> None:
    """Then there is nothing to trust."""
    watcher.listener.state_changed(AccountState(error=CertificateChanged("ab")))
    await repairs.start("certificate")
    fetch = "custom_components.imap_push.repairs.fetch_certificate"
    with patch(fetch, side_effect=Unreachable("no way")):
        step = await repairs.choose("trust")
    assert (step["type"], step["reason"]) == ("abort", "cannot_connect")
    assert set(repairs.shown) == {"certificate"}


# Folders


async def test_stop_watching_a_folder_that_is_gone(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher, repairs: Repairs
) -> None:
    """It was the last one, which is told, too."""
    watcher.listener.state_changed(MISSING)
    step = await repairs.start("folder_missing")
    assert (step["type"], step["menu_options"]) == ("menu", ["remove", "wait"])
    assert step["description_placeholders"]["folder"] == "INBOX"
    assert (await repairs.choose("remove"))["type"] == "create_entry"
    await hass.async_block_till_done()
    assert not entry.subentries
    assert list(repairs.shown) == ["nothing_watched"]


async def test_a_folder_that_will_be_back_is_not_shown_again(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    watchers: list[FakeWatcher],
    repairs: Repairs,
) -> None:
    """Not even after a reload; once it was back, it may be missing again."""
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


async def test_a_folder_that_was_removed_otherwise(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher, repairs: Repairs
) -> None:
    """Its issue goes along, and a fix flow that is open does no harm."""
    watcher.listener.state_changed(MISSING)
    await repairs.start("folder_missing")
    hass.config_entries.async_remove_subentry(entry, "01INBOX")
    assert "folder_missing" not in repairs.shown
    assert (await repairs.choose("remove"))["type"] == "create_entry"


async def test_watch_the_inbox_again(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher, repairs: Repairs
) -> None:
    """An account without a folder offers it; asked twice, it is watched once."""
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


async def test_a_folder_is_watched_by_the_time_that_inbox_is_asked_for(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher, repairs: Repairs
) -> None:
    """Nothing is added to it."""
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
async def test_core_imap_watches_the_same_account(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watchers: list[FakeWatcher],
    repairs: Repairs,
    changes: dict[str, str],
    shown: list[str],
) -> None:
    """It is told from the beginning, until core IMAP is removed."""
    core_entry = _core_imap(hass, **changes)
    await hass.config_entries.async_setup(entry.entry_id)
    assert list(repairs.shown) == shown
    await hass.config_entries.async_remove(core_entry.entry_id)
    assert not repairs.shown


async def test_disable_core_imap(
    hass: HomeAssistant, watcher: FakeWatcher, repairs: Repairs
) -> None:
    """All that it has for this account, and nothing else; enabled again, both watch again."""
    other = _core_imap(hass, server="imap.example.org")
    doubles = [_core_imap(hass), _core_imap(hass, folder="Work")]
    await hass.config_entries.async_setup(other.entry_id)
    step = await repairs.start("core_imap_too")
    assert (step["type"], step["menu_options"]) == ("menu", ["disable", "keep_both"])
    assert (await repairs.choose("disable"))["type"] == "create_entry"
    assert {it.disabled_by for it in doubles} == {ConfigEntryDisabler.USER}
    assert other.disabled_by is None
    assert not repairs.shown
    await hass.config_entries.async_set_disabled_by(doubles[0].entry_id, None)
    assert list(repairs.shown) == ["core_imap_too"]


async def test_keep_both(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watchers: list[FakeWatcher],
    repairs: Repairs,
) -> None:
    """It is not shown again, not even after a reload."""
    _core_imap(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    await repairs.start("core_imap_too")
    step = await repairs.choose("keep_both")
    assert (step["type"], step["reason"]) == ("abort", "issue_ignored")
    await hass.config_entries.async_reload(entry.entry_id)
    assert repairs.shown["core_imap_too"].dismissed_version is not None


# The account as a whole

type Leave = Callable[[HomeAssistant, str], Awaitable[object]]


async def _remove(hass: HomeAssistant, entry_id: str) -> None:
    await hass.config_entries.async_remove(entry_id)


async def _disable(hass: HomeAssistant, entry_id: str) -> None:
    await hass.config_entries.async_set_disabled_by(entry_id, ConfigEntryDisabler.USER)


@pytest.mark.parametrize("leave", [_remove, _disable])
async def test_an_account_takes_its_issues_along(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watchers: list[FakeWatcher],
    repairs: Repairs,
    leave: Leave,
) -> None:
    """Whether it is removed or disabled."""
    _core_imap(hass)
    await hass.config_entries.async_setup(entry.entry_id)
    watchers[-1].listener.state_changed(
        AccountState(folders=MISSING.folders, error=NO_APP_PASSWORD)
    )
    watchers[-1].listener.alerted("Mailbox is almost full")
    assert len(repairs.shown) == 4
    await leave(hass, entry.entry_id)
    assert not repairs.shown


async def test_the_account_is_removed_while_a_repair_is_open(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher, repairs: Repairs
) -> None:
    """The dialog says so."""
    watcher.listener.state_changed(
        AccountState(folders=MISSING.folders, error=FolderNotFound("gone"))
    )
    await repairs.start("folder_missing")
    await hass.config_entries.async_remove(entry.entry_id)
    step = await repairs.choose("remove")
    assert (step["type"], step["reason"]) == ("abort", "account_removed")
