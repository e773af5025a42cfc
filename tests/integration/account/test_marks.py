"""Marks survive restarts, and damaged files do not prevent watching."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
import json
from pathlib import Path
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.account import mark_store as marks
from custom_components.imap_push.account.mark_store import MarkStore
from custom_components.imap_push.imap import Mark, WatchedFolder
from homeassistant.core import HomeAssistant

from .. import USERNAME
from ..conftest import FakeWatcher

KEY = "imap_push.01IMAPPUSH"


@pytest.fixture
def hass_storage() -> dict[str, Any]:
    """Let Home Assistant write to disk instead of to a dictionary."""
    return {}


@pytest.fixture
def hass_config_dir(tmp_path: Path) -> str:
    """Give each test its own configuration directory."""
    return str(tmp_path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the path of the marks' file."""
    return tmp_path / ".storage" / KEY


def _store(hass: HomeAssistant, username: str = "jane") -> MarkStore:
    """Return the store of an entry's marks."""
    return MarkStore(hass, "01IMAPPUSH", username)


async def test_marks_survive_a_restart(hass: HomeAssistant) -> None:
    """Each folder continues from its own mark; a new one has none."""
    store = _store(hass)
    assert await store.async_load(["INBOX"]) == {"INBOX": None}
    store.async_set_mark("INBOX", Mark(3, 8))
    store.async_set_mark("Größe", Mark(4, 1))
    await store.async_save()
    assert store.marks == {"INBOX": Mark(3, 8), "Größe": Mark(4, 1)}
    assert await _store(hass).async_load(["INBOX", "Größe", "New"]) == {
        "INBOX": Mark(3, 8),
        "Größe": Mark(4, 1),
        "New": None,
    }


async def test_file_of_an_older_version_is_read(
    hass: HomeAssistant, file: Path
) -> None:
    """It has a field that is not used any more, and marks without remembered digests."""
    mark = {"uid_validity": 3, "next_uid": 8}
    data = {"username": "jane", "pipelining": False, "folders": {"INBOX": mark}}
    file.parent.mkdir()
    file.write_text(json.dumps({"version": 1, "data": data}))
    store = _store(hass)
    assert await store.async_load(["INBOX"]) == {"INBOX": Mark(3, 8)}
    await store.async_save()
    assert "pipelining" not in json.loads(file.read_text())["data"]


async def test_remembered_digests_survive_a_restart(hass: HomeAssistant) -> None:
    """After a change of UIDVALIDITY, they decide which mail is new."""
    mark = Mark(3, 8, datetime(2026, 11, 3, 12, tzinfo=UTC), ("a", "b"))
    store = _store(hass)
    await store.async_load(["INBOX"])
    store.async_set_mark("INBOX", mark)
    await store.async_save()
    assert await _store(hass).async_load(["INBOX"]) == {"INBOX": mark}


async def test_folder_that_is_added_again_has_no_mark(hass: HomeAssistant) -> None:
    """Mail that arrived while it was not watched is not new."""
    store = _store(hass)
    store.async_set_mark("INBOX", Mark(3, 8))
    store.async_set_mark("Lists", Mark(4, 1))
    await store.async_save()
    without = _store(hass)
    await without.async_load(["INBOX"])
    await without.async_save()
    assert await _store(hass).async_load(["INBOX", "Lists"]) == {
        "INBOX": Mark(3, 8),
        "Lists": None,
    }


async def test_another_username_has_no_marks(hass: HomeAssistant) -> None:
    """Its mailbox has other mail, but may have the same UIDVALIDITY."""
    store = _store(hass)
    store.async_set_mark("INBOX", Mark(3, 8))
    await store.async_save()
    assert await _store(hass, "joe").async_load(["INBOX"]) == {"INBOX": None}


async def test_frequent_changes_do_not_delay_the_save(
    hass: HomeAssistant, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another change does not restart the delay."""
    monkeypatch.setattr(marks, "SAVE_DELAY_SECONDS", 0.05)
    store = _store(hass)
    behind = []
    for uid in range(1, 60):
        store.async_set_mark("INBOX", Mark(3, uid))
        await asyncio.sleep(0.01)
        behind.append(uid - _next_uid(file))
    await store.async_save()
    assert max(behind) < 30
    assert _next_uid(file) == 59


def _next_uid(file: Path) -> int:
    """Return the mark of INBOX on disk."""
    if not file.exists():
        return 0
    return int(json.loads(file.read_text())["data"]["folders"]["INBOX"]["next_uid"])


def test_mark_is_on_disk_within_a_second() -> None:
    """The delay is shorter, because writing takes time as well."""
    assert marks.SAVE_DELAY_SECONDS < 1


_WHOLE = {"version": 1, "minor_version": 1, "key": KEY}
_MARK: dict[str, Any] = {
    "uid_validity": 3,
    "next_uid": 8,
    "last_received": None,
    "remembered": [],
}


def _stored(mark: Any, **others: Any) -> str:
    """Return the content of a file with this mark for INBOX."""
    folders = {"INBOX": mark, **others}
    return json.dumps(_WHOLE | {"data": {"username": "jane", "folders": folders}})


def _damaged(key: str, value: Any, *, id: str) -> Any:
    """Return a row of the table: a valid mark except for one value."""
    return pytest.param(_stored(_MARK | {key: value}), id=id)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="empty"),
        pytest.param('{"version": 1, "data": {"us', id="cut off"),
        pytest.param("\0" * 64, id="zeros after a power cut"),
        pytest.param("[]", id="a list"),
        pytest.param("{}", id="an empty object"),
        pytest.param('{"version": 1}', id="no data"),
        pytest.param(json.dumps(_WHOLE | {"data": []}), id="data is a list"),
        pytest.param(json.dumps(_WHOLE | {"data": {}}), id="nothing in data"),
        pytest.param(
            json.dumps(_WHOLE | {"data": {"username": "jane", "folders": []}}),
            id="folders are a list",
        ),
        pytest.param(_stored({}), id="mark without a number"),
        pytest.param(_stored(None), id="mark is null"),
        pytest.param(_stored([3, 8]), id="mark is a list"),
        _damaged("uid_validity", "x", id="not a number"),
        _damaged("uid_validity", None, id="no UIDVALIDITY"),
        _damaged("uid_validity", -3, id="a negative UIDVALIDITY"),
        _damaged("next_uid", None, id="no UID"),
        _damaged("next_uid", 0, id="UID zero"),
        _damaged("next_uid", -8, id="a negative UID"),
        _damaged("next_uid", 2**32 + 1, id="a UID beyond all UIDs"),
        _damaged("next_uid", [8], id="a list of UIDs"),
        _damaged("last_received", "yesterday", id="not a date"),
        _damaged("last_received", 20261103, id="a number for a date"),
        _damaged("remembered", "abc", id="remembers letters"),
        _damaged("remembered", [1, 2], id="remembers numbers"),
        _damaged("remembered", 7, id="remembers a number"),
        pytest.param(
            json.dumps(_WHOLE | {"version": 9, "data": {}}), id="from a later version"
        ),
    ],
)
async def test_damaged_file_is_logged_and_replaced(
    hass: HomeAssistant, file: Path, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    """The account is watched without a mark, and the next save writes a valid file."""
    file.parent.mkdir(exist_ok=True)
    file.write_text(content)

    store = _store(hass)
    assert await store.async_load(["INBOX"]) == {"INBOX": None}
    if content != "{}":  # Home Assistant treats this one like a missing file.
        assert KEY in caplog.text
        assert "ERROR" in caplog.text

    store.async_set_mark("INBOX", Mark(3, 8))
    await store.async_save()
    assert await _store(hass).async_load(["INBOX"]) == {"INBOX": Mark(3, 8)}


async def test_damaged_mark_affects_only_its_folder(
    hass: HomeAssistant, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names the folder; the others continue from their marks."""
    file.parent.mkdir(exist_ok=True)
    file.write_text(_stored({"uid_validity": "x"}, Lists=_MARK))
    assert await _store(hass).async_load(["INBOX", "Lists"]) == {
        "INBOX": None,
        "Lists": Mark(3, 8),
    }
    [error] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "INBOX" in error.getMessage()


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda file: file.write_bytes(b"\xff\xfe{"), id="no text"),
        pytest.param(lambda file: file.mkdir(), id="a folder in its place"),
        pytest.param(lambda file: file.symlink_to(file), id="a link to itself"),
    ],
)
async def test_account_is_watched_if_its_file_cannot_be_read(
    hass: HomeAssistant,
    file: Path,
    entry: MockConfigEntry,
    watchers: list[FakeWatcher],
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[Path], object],
) -> None:
    """It starts with the next mail, the log reports it, and the entry can be unloaded."""
    file.parent.mkdir(exist_ok=True)
    damage(file)
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert watchers[0].running
    assert watchers[0].folders == {"INBOX": WatchedFolder()}
    assert KEY in caplog.text
    watchers[0].listener.mark_moved("INBOX", Mark(3, 8))
    assert await hass.config_entries.async_unload(entry.entry_id)


async def test_watcher_starts_from_the_stored_mark(
    hass: HomeAssistant, entry: MockConfigEntry, watchers: list[FakeWatcher]
) -> None:
    """Marks are loaded before the watcher is created."""
    store = _store(hass, USERNAME)
    store.async_set_mark("INBOX", Mark(3, 8))
    await store.async_save()
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert watchers[0].folders == {"INBOX": WatchedFolder(mark=Mark(3, 8))}


async def test_removing_the_account_removes_its_marks(
    hass: HomeAssistant, file: Path, entry: MockConfigEntry, watcher: FakeWatcher
) -> None:
    """The file is readable only for its owner, and it is removed."""
    watcher.listener.mark_moved("INBOX", Mark(3, 8))
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert _next_uid(file) == 8
    assert file.stat().st_mode & 0o077 == 0
    await hass.config_entries.async_remove(entry.entry_id)
    assert not file.exists()
