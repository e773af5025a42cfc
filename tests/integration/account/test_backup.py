"""A restored backup: mail that arrived since it was made is not repeated silently."""

from copy import deepcopy
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.const import DOMAIN
from custom_components.imap_push.imap import Mark, WatchedFolder
from custom_components.imap_push.server_text import without_links
from homeassistant.components.backup.const import DATA_MANAGER
from homeassistant.core import HomeAssistant
from homeassistant.helpers.issue_registry import IssueEntry, IssueRegistry
from homeassistant.setup import async_setup_component

from .. import USERNAME
from ..conftest import FakeWatcher

KEY = "imap_push.01IMAPPUSH"


async def _back_up(
    hass: HomeAssistant, hass_storage: dict[str, Any], watcher: FakeWatcher
) -> dict[str, Any]:
    """Let Home Assistant make a backup, during which mail arrives; return its marks."""
    assert await async_setup_component(hass, "backup", {})
    await hass.async_block_till_done()
    manager = hass.data[DATA_MANAGER]
    assert DOMAIN in manager.platforms
    await manager.async_pre_backup_actions()
    watcher.listener.mark_moved("INBOX", Mark(3, 9))
    await hass.async_block_till_done()
    copy: dict[str, Any] = deepcopy(hass_storage[KEY])
    await manager.async_post_backup_actions()
    return copy


def _issue(issue_registry: IssueRegistry) -> IssueEntry | None:
    return issue_registry.async_get_issue(DOMAIN, "restored_01IMAPPUSH")


@pytest.mark.freeze_time("2026-11-03 12:30:00")
@pytest.mark.parametrize(
    ("entry_options", "is_reported"),
    [
        pytest.param({}, True, id="all mail"),
        pytest.param({"catch_up": "last_day"}, True, id="mail of the last day"),
        pytest.param({"catch_up": "none"}, False, id="no mail"),
    ],
)
async def test_restored_backup_is_reported_if_mail_can_be_repeated(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    watchers: list[FakeWatcher],
    issue_registry: IssueRegistry,
    is_reported: bool,
) -> None:
    """The issue has the time of the backup, and the next start does not report it again."""
    await hass.config.async_set_time_zone("Europe/Amsterdam")
    watcher.listener.mark_moved("INBOX", Mark(3, 8))
    copy = await _back_up(hass, hass_storage, watcher)
    watcher.listener.mark_moved("INBOX", Mark(3, 12))
    await hass.config_entries.async_unload(entry.entry_id)

    hass_storage[KEY] = copy
    await hass.config_entries.async_setup(entry.entry_id)
    assert watchers[-1].folders == {"INBOX": WatchedFolder(mark=Mark(3, 8))}
    issue = _issue(issue_registry)
    assert (issue is not None) == is_reported
    if issue is not None:
        placeholders = {"account": without_links(USERNAME), "date": "2026-11-03 13:30"}
        assert issue.translation_placeholders == placeholders
        assert issue.is_persistent and not issue.is_fixable
        issue_registry.async_ignore(DOMAIN, issue.issue_id, True)
    assert await hass.config_entries.async_reload(entry.entry_id)
    issue = _issue(issue_registry)
    assert issue is None or issue.dismissed_version

    await hass.config_entries.async_unload(entry.entry_id)
    hass_storage[KEY] = copy
    await hass.config_entries.async_setup(entry.entry_id)
    issue = _issue(issue_registry)
    assert (issue is not None and not issue.dismissed_version) == is_reported


@pytest.mark.parametrize("ending", ["completed", "reloaded"])
async def test_backup_that_was_not_restored_is_not_reported(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    issue_registry: IssueRegistry,
    ending: str,
) -> None:
    """The marks stay in use during and after a backup."""
    await _back_up(hass, hass_storage, watcher)
    if ending == "reloaded":
        await hass.data[DATA_MANAGER].async_pre_backup_actions()
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert _issue(issue_registry) is None
    stored = hass_storage[KEY]["data"]
    assert stored["backup_at"] is None
    assert stored["folders"]["INBOX"]["next_uid"] == 9


@pytest.mark.parametrize("value", [True, "yesterday", "", None, 7, {"a": 1}])
async def test_invalid_time_of_a_backup_does_not_cost_the_marks(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    entry: MockConfigEntry,
    watchers: list[FakeWatcher],
    issue_registry: IssueRegistry,
    value: object,
) -> None:
    """It is ignored."""
    mark = {"uid_validity": 3, "next_uid": 9}
    data = {"username": USERNAME, "backup_at": value, "folders": {"INBOX": mark}}
    hass_storage[KEY] = {"version": 1, "data": data}
    await hass.config_entries.async_setup(entry.entry_id)
    assert watchers[0].folders == {"INBOX": WatchedFolder(mark=Mark(3, 9))}
    assert _issue(issue_registry) is None
