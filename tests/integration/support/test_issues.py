"""What only the user can mend is shown as a repair, and no longer than it is true."""

import dataclasses

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.const import DOMAIN
from custom_components.imap_push.imap import AccountState, FolderNotFound, FolderState
from homeassistant.core import HomeAssistant
from homeassistant.helpers.issue_registry import IssueRegistry

from .. import UNREAD, get_state, make_state
from ..conftest import FakeWatcher

MISSING = AccountState(
    folders={"INBOX": FolderState(missing=True)}, error=FolderNotFound("no such folder")
)


async def test_a_folder_that_vanished_and_is_back(
    hass: HomeAssistant, watcher: FakeWatcher, issue_registry: IssueRegistry
) -> None:
    """Its entities are unavailable and an issue says why, until it is back."""
    watcher.listener.state_changed(make_state())
    watcher.listener.state_changed(MISSING)
    [issue] = issue_registry.issues.values()
    assert (issue.domain, issue.translation_key) == (DOMAIN, "folder_missing")
    assert issue.translation_placeholders == {
        "account": "jane@example.com",
        "folder": "INBOX",
    }
    assert get_state(hass, UNREAD).state == "unavailable"

    watcher.listener.state_changed(make_state())
    assert not issue_registry.issues
    assert get_state(hass, UNREAD).state == "2"


async def test_more_new_mail_than_is_handled_at_once(
    hass: HomeAssistant, watcher: FakeWatcher, issue_registry: IssueRegistry
) -> None:
    """An issue says so, through an outage as well, until all of it is handled."""
    limited = make_state(
        folders={"INBOX": FolderState(available=True, rate_limited=True)}
    )
    watcher.listener.state_changed(limited)
    [issue] = issue_registry.issues.values()
    assert (issue.domain, issue.translation_key) == (DOMAIN, "too_much_mail")
    assert issue.translation_placeholders == {"account": "jane@example.com"}
    watcher.listener.state_changed(AccountState())
    assert issue_registry.issues
    watcher.listener.state_changed(make_state())
    assert not issue_registry.issues


async def test_an_alert_of_the_server(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    issue_registry: IssueRegistry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It stands among the repairs, and a newer one takes its place; the log has no word of it."""
    for text in ("Please log in via your web browser", "Mailbox is almost full"):
        watcher.listener.alerted(text)
        [issue] = issue_registry.issues.values()
        assert issue.translation_placeholders == {"account": entry.title, "text": text}
        assert text not in caplog.text
    assert caplog.text.count("the server has a message") == 2


async def test_removing_the_account_takes_its_issues_along(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    issue_registry: IssueRegistry,
) -> None:
    """Nothing is left to repair."""
    watcher.listener.alerted("Mailbox is almost full")
    watcher.listener.state_changed(dataclasses.replace(MISSING))
    assert len(issue_registry.issues) == 2
    await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    assert not issue_registry.issues
