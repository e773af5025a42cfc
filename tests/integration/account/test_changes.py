"""Folders and searches are added, changed and removed without disturbing the others."""

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any
from unittest.mock import Mock

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)

from custom_components.imap_push import async_remove_config_entry_device
from custom_components.imap_push.const import (
    CONF_FILTER,
    CONF_FOLDER,
    CONF_FOLDERS,
    CONF_LINKS,
    CONF_TEXT_SIZE,
    DOMAIN,
    EVENT_NEW_MAIL,
    SUBENTRY_TYPE_FOLDER,
    SUBENTRY_TYPE_SEARCH,
)
from custom_components.imap_push.imap import (
    AccountState,
    Attachment,
    Criteria,
    FolderState,
    LoginRefused,
    Mark,
    SearchCount,
    WatchedFolder,
)
from custom_components.imap_push.mail.event_data import SIGNAL_NEW_MAIL
from homeassistant.config_entries import SOURCE_REAUTH, ConfigSubentry
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.dispatcher import async_dispatcher_connect

from .. import NEW_MAIL, READABLE, UNREAD, USERNAME, get_state, make_arrival, make_state
from ..conftest import FakeWatcher

LISTS_UNREAD = "sensor.jane_example_com_lists_unread"
LISTS_NEW_MAIL = "event.jane_example_com_lists_new_mail"
MATCHES = "sensor.jane_example_com_invoices_matches"
MATCHING_MAIL = "event.jane_example_com_invoices_matching_mail"


def _subentry(subentry_type: str, title: str, **data: Any) -> ConfigSubentry:
    """Return a subentry."""
    return ConfigSubentry(
        data=MappingProxyType(data),
        subentry_id=f"01{title.upper()}",
        subentry_type=subentry_type,
        title=title,
        unique_id=title,
    )


def _folder(name: str, **data: Any) -> ConfigSubentry:
    """Return the subentry of a folder."""
    return _subentry(SUBENTRY_TYPE_FOLDER, name, **{CONF_FOLDER: name}, **data)


def _search(*folders: str) -> ConfigSubentry:
    """Return the subentry of a saved search for invoices."""
    return _subentry(
        SUBENTRY_TYPE_SEARCH,
        "Invoices",
        **{CONF_FOLDERS: list(folders), "subject": "invoice"},
    )


@pytest.fixture
async def change(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher
) -> Callable[..., Any]:
    """Return a function that changes a subentry as its flow does."""

    async def change(subentry_id: str, **changes: Any) -> None:
        hass.config_entries.async_update_subentry(
            entry, entry.subentries[subentry_id], **changes
        )
        await hass.async_block_till_done()

    return change


async def _add(
    hass: HomeAssistant, entry: MockConfigEntry, subentry: ConfigSubentry
) -> None:
    """Add a subentry as its flow does."""
    hass.config_entries.async_add_subentry(entry, subentry)
    await hass.async_block_till_done()


@READABLE
async def test_added_folder_is_watched_without_disturbing_others(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    watchers: list[FakeWatcher],
) -> None:
    """Its entities exist at once; those of the others never become unavailable."""
    watcher.listener.state_changed(make_state())
    changes = async_capture_events(hass, "state_changed")
    options = {CONF_TEXT_SIZE: 500, CONF_LINKS: True}
    await _add(hass, entry, _folder("Lists", **options))
    assert watcher.calls == [("add", "Lists")]
    assert watcher.folders["Lists"] == WatchedFolder(text_size=500, links=True)
    assert watchers == [watcher]
    assert watcher.running
    assert {event.data["entity_id"] for event in changes} == {
        LISTS_UNREAD,
        LISTS_NEW_MAIL,
    }
    await watcher.listener.mail_arrived(make_arrival(folder="Lists"))
    assert get_state(hass, LISTS_NEW_MAIL).attributes["subject"] == "Your order"
    assert get_state(hass, NEW_MAIL).state == STATE_UNKNOWN


async def test_removed_folder_loses_mark_device_and_entities(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    watchers: list[FakeWatcher],
    device_registry: dr.DeviceRegistry,
    entity_registry: er.EntityRegistry,
) -> None:
    """If it is added again, it starts without a mark."""
    await _add(hass, entry, _folder("Lists"))
    for folder in ("INBOX", "Lists"):
        watcher.listener.mark_moved(folder, Mark(3, 8))
    hass.config_entries.async_remove_subentry(entry, "01LISTS")
    await hass.async_block_till_done()
    assert watcher.calls == [("add", "Lists"), ("remove", "Lists")]
    assert list(entry.runtime_data.mark_store.marks) == ["INBOX"]
    devices = dr.async_entries_for_config_entry(device_registry, entry.entry_id)
    assert {device.name for device in devices} == {USERNAME, f"{USERNAME} INBOX"}
    assert hass.states.get(LISTS_UNREAD) is None
    assert entity_registry.async_get(LISTS_UNREAD) is None

    events = async_capture_events(hass, EVENT_NEW_MAIL)
    await watcher.listener.mail_arrived(make_arrival(folder="Lists"))
    assert not events
    await _add(hass, entry, _folder("Lists"))
    assert watcher.folders["Lists"] == WatchedFolder()
    assert get_state(hass, LISTS_UNREAD).state == STATE_UNAVAILABLE
    assert watchers == [watcher]


async def test_folder_that_is_removed_and_added_again_at_once(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher
) -> None:
    """It is treated as a new folder."""
    watcher.listener.mark_moved("INBOX", Mark(3, 8))
    hass.config_entries.async_remove_subentry(entry, "01INBOX")
    hass.config_entries.async_add_subentry(
        entry, _subentry(SUBENTRY_TYPE_FOLDER, "Mine", **{CONF_FOLDER: "INBOX"})
    )
    await hass.async_block_till_done()
    assert watcher.calls == [("remove", "INBOX"), ("add", "INBOX")]
    assert watcher.folders == {"INBOX": WatchedFolder()}


async def test_folder_that_is_added_and_removed_at_once(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    entity_registry: er.EntityRegistry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing of it remains."""
    hass.config_entries.async_add_subentry(entry, _folder("Lists"))
    hass.config_entries.async_remove_subentry(entry, "01LISTS")
    await hass.async_block_till_done()
    assert watcher.folders == {"INBOX": WatchedFolder()}
    assert hass.states.get(LISTS_UNREAD) is None
    assert entity_registry.async_get(LISTS_UNREAD) is None
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    ("changes", "calls", "watched"),
    [
        pytest.param(
            {"data": {CONF_FOLDER: "INBOX", CONF_TEXT_SIZE: 500}},
            [("set_text", "INBOX")],
            WatchedFolder(text_size=500),
            id="text",
        ),
        pytest.param(
            {"data": {CONF_FOLDER: "INBOX", CONF_FILTER: {"sender": ["boss@x.org"]}}},
            [],
            WatchedFolder(),
            id="filter",
        ),
        pytest.param(
            {"data": {CONF_FOLDER: "INBOX", CONF_TEXT_SIZE: 0, CONF_LINKS: False}},
            [],
            WatchedFolder(),
            id="no text, as before",
        ),
        pytest.param(
            {"data": {CONF_FOLDER: "INBOX", CONF_LINKS: True}},
            [("set_text", "INBOX")],
            WatchedFolder(links=True),
            id="links",
        ),
        pytest.param(
            {"data": {CONF_FOLDER: "INBOX", CONF_LINKS: False}},
            [],
            WatchedFolder(),
            id="no links, as in older versions",
        ),
        pytest.param({"title": "Mine"}, [], WatchedFolder(), id="name"),
    ],
)
async def test_changed_folder_is_watched_without_a_restart(
    watcher: FakeWatcher,
    watchers: list[FakeWatcher],
    change: Callable[..., Any],
    changes: Mapping[str, Any],
    calls: list[tuple[str, ...]],
    watched: WatchedFolder,
) -> None:
    """Only options of the text are passed to the watcher."""
    watcher.listener.mark_moved("INBOX", Mark(3, 8))
    await change("01INBOX", **changes)
    assert watcher.calls == calls
    assert watcher.folders == {"INBOX": watched}
    assert watchers == [watcher]


@READABLE
async def test_mail_that_does_not_match_the_filter_gives_no_event(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    change: Callable[..., Any],
) -> None:
    """The filter applies from the moment it is set, for every kind of subscriber."""
    events = async_capture_events(hass, EVENT_NEW_MAIL)
    subscriber = callback(Mock())
    async_dispatcher_connect(hass, SIGNAL_NEW_MAIL, subscriber)
    await watcher.listener.mail_arrived(make_arrival(1))
    await change(
        "01INBOX",
        data={CONF_FOLDER: "INBOX", CONF_FILTER: {"sender": ["boss@example.org"]}},
    )
    await watcher.listener.mail_arrived(make_arrival(2))
    await watcher.listener.mail_arrived(make_arrival(3, sender="boss@example.org"))
    assert [event.data["uid"] for event in events] == [1, 3]
    assert [call.args[0].mail["uid"] for call in subscriber.call_args_list] == [1, 3]
    assert get_state(hass, NEW_MAIL).attributes["uid"] == 3


@pytest.mark.parametrize(
    ("inline_images", "uids"),
    [pytest.param(False, [2], id="off"), pytest.param(True, [1, 2], id="on")],
)
async def test_folder_with_a_filter_for_attachments(
    hass: HomeAssistant,
    watcher: FakeWatcher,
    change: Callable[..., Any],
    inline_images: bool,
    uids: list[int],
) -> None:
    """A mail that only has an inline image gives an event only if inline images count."""
    events = async_capture_events(hass, EVENT_NEW_MAIL)
    mail_filter = {"has_attachment": True, "inline_images": inline_images}
    await change("01INBOX", data={CONF_FOLDER: "INBOX", CONF_FILTER: mail_filter})
    photo = Attachment(part="2", filename="a.jpg", content_type="image/jpeg", size=9)
    logo = photo._replace(inline=True)
    await watcher.listener.mail_arrived(make_arrival(1, attachments=(logo,)))
    await watcher.listener.mail_arrived(make_arrival(2, attachments=(logo, photo)))
    await watcher.listener.mail_arrived(make_arrival(3))
    assert [event.data["uid"] for event in events] == uids


@pytest.mark.parametrize(
    ("subentry_id", "name"),
    [
        pytest.param("01INBOX", "INBOX", id="folder"),
        pytest.param("01INVOICES", "Invoices", id="search"),
    ],
)
async def test_renamed_subentry_renames_its_device(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    change: Callable[..., Any],
    device_registry: dr.DeviceRegistry,
    subentry_id: str,
    name: str,
) -> None:
    """It needs no reload."""
    await _add(hass, entry, _search("INBOX"))
    await change(subentry_id, title="Mine")
    devices = dr.async_entries_for_config_entry(device_registry, entry.entry_id)
    names = {device.name for device in devices}
    assert f"{USERNAME} Mine" in names
    assert f"{USERNAME} {name}" not in names
    assert len(names) == 3


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"title": "Work"}, id="name"),
        pytest.param({"options": {"push": False}}, id="options"),
        pytest.param({"data": {"port": 994}}, id="data"),
    ],
)
async def test_changed_account_is_reloaded(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    watchers: list[FakeWatcher],
    changes: dict[str, Any],
) -> None:
    """It gets a new watcher."""
    if "data" in changes:
        changes = {"data": entry.data | changes["data"]}
    hass.config_entries.async_update_entry(entry, **changes)
    await hass.async_block_till_done()
    assert len(watchers) == 2
    assert not watcher.running


async def test_subentry_with_another_folder_needs_a_reload(
    watchers: list[FakeWatcher], change: Callable[..., Any]
) -> None:
    """Its entities are then those of the other folder."""
    await change("01INBOX", data={CONF_FOLDER: "Lists"})
    assert len(watchers) == 2
    assert watchers[1].folders == {"Lists": WatchedFolder()}


async def test_change_during_set_up_causes_a_reload(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watchers: list[FakeWatcher],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It cannot be applied in place, because set-up is not complete."""
    load = "custom_components.imap_push.account.mark_store.MarkStore.async_load"

    async def load_slowly(*_: object) -> dict[str, None]:
        monkeypatch.undo()
        hass.config_entries.async_add_subentry(entry, _folder("Lists"))
        await asyncio.sleep(0)
        return {}

    monkeypatch.setattr(load, load_slowly)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert set(watchers[-1].folders) == {"INBOX", "Lists"}
    assert get_state(hass, LISTS_UNREAD)


@READABLE
async def test_search_is_counted_and_reports_new_mail(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    imap_client: Mock,
) -> None:
    """From when it is added until it is removed, without a reload."""
    imap_client.count.side_effect = None
    imap_client.count.return_value = [SearchCount(total=3, matching=frozenset({7}))]
    watcher.listener.state_changed(make_state())
    await _add(hass, entry, _search("INBOX"))
    imap_client.count.assert_called_once_with(
        "INBOX", [Criteria(subject="invoice")], []
    )
    assert get_state(hass, MATCHES).state == "3"
    assert get_state(hass, MATCHING_MAIL).state == STATE_UNKNOWN

    entry.runtime_data.searches._folders["INBOX"].not_before = 0.0
    await watcher.listener.mail_arrived(make_arrival())
    await hass.async_block_till_done()
    imap_client.count.assert_called_with("INBOX", [Criteria(subject="invoice")], [7])
    attributes = get_state(hass, MATCHING_MAIL).attributes
    assert attributes["event_type"] == "matching_mail"
    assert attributes["subject"] == "Your order"

    watcher.listener.state_changed(AccountState(folders={"INBOX": FolderState()}))
    assert get_state(hass, MATCHES).state == STATE_UNAVAILABLE
    hass.config_entries.async_remove_subentry(entry, "01INVOICES")
    await hass.async_block_till_done()
    assert hass.states.get(MATCHES) is hass.states.get(MATCHING_MAIL) is None
    assert not watcher.calls


async def test_search_with_changed_criteria_is_counted_again(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    imap_client: Mock,
    change: Callable[..., Any],
) -> None:
    """Right after the change."""
    watcher.listener.state_changed(make_state())
    await _add(hass, entry, _search("INBOX"))
    await change("01INVOICES", data={CONF_FOLDERS: ["Lists"], "unread": True})
    imap_client.count.assert_called_with("Lists", [Criteria(unread=True)], [])
    assert get_state(hass, MATCHES).state == "0"


async def test_searches_need_no_watched_folder(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher, imap_client: Mock
) -> None:
    """Without a watched folder, they do not wait for a connection of the watcher."""
    await _add(hass, entry, _search("Archive"))
    assert get_state(hass, MATCHES).state == STATE_UNAVAILABLE
    hass.config_entries.async_remove_subentry(entry, "01INBOX")
    await hass.async_block_till_done()
    assert get_state(hass, MATCHES).state == "0"
    assert hass.states.get(UNREAD) is None


async def test_refused_login_of_a_search_asks_for_reauthentication(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher, imap_client: Mock
) -> None:
    """The same as for a refused login of the watcher."""
    imap_client.count.side_effect = LoginRefused
    watcher.listener.state_changed(make_state())
    await _add(hass, entry, _search("INBOX"))
    [flow] = hass.config_entries.flow.async_progress()
    assert flow["context"]["source"] == SOURCE_REAUTH
    assert get_state(hass, MATCHES).state == STATE_UNAVAILABLE


async def test_client_is_closed_when_the_account_is_unloaded(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher, imap_client: Mock
) -> None:
    """It is closed exactly one time, and nothing is counted afterwards."""
    imap_client.close.assert_not_called()
    tasks = entry.runtime_data._tasks
    assert await hass.config_entries.async_unload(entry.entry_id)
    imap_client.close.assert_awaited_once_with()
    assert all(task.done() for task in tasks)


@pytest.mark.parametrize(
    ("identifier", "is_removed"),
    [
        pytest.param("01IMAPPUSH", False, id="account"),
        pytest.param("01IMAPPUSH_01INBOX", False, id="folder"),
        pytest.param("01IMAPPUSH_01GONE", True, id="folder that is gone"),
    ],
)
async def test_only_a_stale_device_can_be_removed(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    device_registry: dr.DeviceRegistry,
    identifier: str,
    is_removed: bool,
) -> None:
    """Devices of watched folders would be created again."""
    device = device_registry.async_get_or_create(
        config_entry_id=entry.entry_id,
        config_subentry_id="01INBOX" if identifier.endswith("INBOX") else None,
        identifiers={(DOMAIN, identifier)},
    )
    may_be_removed = await async_remove_config_entry_device(hass, entry, device)
    assert may_be_removed is is_removed
