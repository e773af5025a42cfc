"""Repair issues are created and deleted with their problem."""

import dataclasses

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.const import DOMAIN
from custom_components.imap_push.imap import AccountState, FolderNotFound, FolderState
from custom_components.imap_push.server_text import without_links
from homeassistant.core import HomeAssistant
from homeassistant.helpers.issue_registry import IssueRegistry

from .. import UNREAD, get_state, make_state
from ..conftest import FakeWatcher

MISSING = AccountState(
    folders={"INBOX": FolderState(missing=True)}, error=FolderNotFound("no such folder")
)


async def test_missing_folder_has_an_issue_until_it_is_back(
    hass: HomeAssistant, watcher: FakeWatcher, issue_registry: IssueRegistry
) -> None:
    """Its entities are unavailable meanwhile."""
    watcher.listener.state_changed(make_state())
    watcher.listener.state_changed(MISSING)
    [issue] = issue_registry.issues.values()
    assert (issue.domain, issue.translation_key) == (DOMAIN, "folder_missing")
    assert issue.translation_placeholders == {
        "account": "jane\N{WORD JOINER}@example.com",
        "folder": "INBOX",
    }
    assert get_state(hass, UNREAD).state == "unavailable"

    watcher.listener.state_changed(make_state())
    assert not issue_registry.issues
    assert get_state(hass, UNREAD).state == "2"


async def test_rate_limit_has_an_issue_until_all_mail_is_handled(
    hass: HomeAssistant, watcher: FakeWatcher, issue_registry: IssueRegistry
) -> None:
    """An outage does not delete the issue."""
    limited = make_state(
        folders={"INBOX": FolderState(available=True, rate_limited=True)}
    )
    watcher.listener.state_changed(limited)
    [issue] = issue_registry.issues.values()
    assert (issue.domain, issue.translation_key) == (DOMAIN, "too_much_mail")
    assert issue.translation_placeholders == {
        "account": "jane\N{WORD JOINER}@example.com"
    }
    watcher.listener.state_changed(AccountState())
    assert issue_registry.issues
    watcher.listener.state_changed(make_state())
    assert not issue_registry.issues


async def test_alert_of_the_server_is_an_issue(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    issue_registry: IssueRegistry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A newer one replaces it. The log does not contain the text."""
    for text in ("Please log in via your web browser", "Mailbox is almost full"):
        watcher.listener.alerted(text)
        [issue] = issue_registry.issues.values()
        assert issue.translation_placeholders == {
            "account": without_links(entry.title),
            "text": text,
        }
        assert text not in caplog.text
    assert caplog.text.count("the server sent an alert") == 2


async def test_removed_account_has_no_issues(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    issue_registry: IssueRegistry,
) -> None:
    """All its issues are deleted."""
    watcher.listener.alerted("Mailbox is almost full")
    watcher.listener.state_changed(dataclasses.replace(MISSING))
    assert len(issue_registry.issues) == 2
    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    assert not issue_registry.issues
