"""The condition `imap_push.unread`."""

from datetime import timedelta
from typing import Any, cast

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)
from pytest_homeassistant_custom_component.typing import WebSocketGenerator
import voluptuous as vol

from custom_components.imap_push.const import DOMAIN
from custom_components.imap_push.imap import AccountState, FolderState
from homeassistant.components.websocket_api.automation import (
    async_get_conditions_for_target,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers import area_registry as ar, device_registry as dr
from homeassistant.helpers.condition import (
    async_from_config,
    async_get_all_descriptions,
    async_validate_condition_config,
)
from homeassistant.helpers.icon import async_get_icons
from homeassistant.helpers.translation import async_get_translations
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from homeassistant.util.yaml import parse_yaml

from .. import make_state
from ..automations import PICKED, automate, device_id, make_entry
from ..conftest import FakeWatcher

CONDITION = "imap_push.unread"


@pytest.fixture
async def accounts(
    hass: HomeAssistant, watchers: list[FakeWatcher]
) -> dict[str, MockConfigEntry]:
    """Set up two accounts: one with 3 and 2 unread mails, the other with 1."""
    entries = {
        "work": make_entry("work", "INBOX", "Bills"),
        "home": make_entry("home", "INBOX"),
    }
    for entry in entries.values():
        entry.add_to_hass(hass)
        assert await hass.config_entries.async_setup(entry.entry_id)
    _count(watchers[0], INBOX=3, Bills=2)
    _count(watchers[1], INBOX=1)
    await hass.async_block_till_done()
    return entries


def _count(watcher: FakeWatcher, **counts: int | None) -> None:
    """Report the unread counts of folders."""
    watcher.listener.state_changed(
        make_state(
            {
                folder: FolderState(available=True, unread=unread)
                for folder, unread in counts.items()
            }
        )
    )


async def _check(
    hass: HomeAssistant, target: dict[str, Any], above: int | None = None
) -> bool | None:
    """Return the result of the condition."""
    options = {} if above is None else {"options": {"above": above}}
    config = await async_validate_condition_config(
        hass, {"condition": CONDITION, "target": target, **options}
    )
    condition = await async_from_config(hass, config)
    try:
        return condition.async_check()
    finally:
        condition.async_unload()


@pytest.mark.parametrize(
    ("target", "unread"),
    [
        pytest.param([("work",)], 5, id="account"),
        pytest.param([("work", "Bills")], 2, id="folder"),
        pytest.param([("work", "Bills"), ("home",)], 3, id="folder and account"),
        pytest.param([("work",), ("work", "Bills")], 5, id="folder counts once"),
        pytest.param("sensor.work_inbox_unread", 3, id="entity"),
        pytest.param("office", 5, id="area"),
    ],
)
async def test_condition_compares_the_total_of_all_folders(
    hass: HomeAssistant,
    accounts: dict[str, MockConfigEntry],
    target: list[tuple[str, ...]] | str,
    unread: int,
) -> None:
    """All folders of the target are added up."""
    office = ar.async_get(hass).async_create("Office")
    dr.async_get(hass).async_update_device(device_id(hass, "work"), area_id=office.id)
    if isinstance(target, list):
        config = {"device_id": [device_id(hass, *name) for name in target]}
    else:
        config = {"entity_id" if "." in target else "area_id": [target]}
    assert await _check(hass, config)
    assert await _check(hass, config, unread - 1)
    assert not await _check(hass, config, unread)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param(make_state({"INBOX": FolderState(unread=3)}), False, id="lost"),
        pytest.param(
            make_state({"INBOX": FolderState(available=True)}), False, id="unknown"
        ),
        pytest.param(
            make_state({"INBOX": FolderState(available=True, unread=0)}),
            False,
            id="none",
        ),
        pytest.param(AccountState(), False, id="not connected yet"),
        pytest.param(
            make_state(
                {
                    "INBOX": FolderState(available=True),
                    "Bills": FolderState(available=True, unread=1),
                }
            ),
            True,
            id="known for one folder",
        ),
    ],
)
async def test_unknown_counts_are_ignored(
    hass: HomeAssistant,
    accounts: dict[str, MockConfigEntry],
    watchers: list[FakeWatcher],
    state: AccountState,
    expected: bool,
) -> None:
    """The condition is false and raises no error."""
    watchers[0].listener.state_changed(state)
    target = {"device_id": [device_id(hass, "work")]}
    assert await _check(hass, target) is expected


async def test_account_that_is_not_loaded_is_ignored(
    hass: HomeAssistant,
    accounts: dict[str, MockConfigEntry],
    watchers: list[FakeWatcher],
) -> None:
    """It counts again after it is loaded."""
    target = {"device_id": [device_id(hass, "home")]}
    assert await hass.config_entries.async_unload("home")
    assert not await _check(hass, target)
    assert await hass.config_entries.async_setup("home")
    _count(watchers[-1], INBOX=1)
    assert await _check(hass, target)


@pytest.mark.parametrize(
    "target",
    [
        pytest.param({"device_id": "gone"}, id="device"),
        pytest.param({"entity_id": "sensor.gone"}, id="entity"),
        pytest.param({"label_id": "gone"}, id="label"),
        pytest.param({}, id="empty"),
    ],
)
async def test_unknown_target_has_no_unread_mail(
    hass: HomeAssistant, accounts: dict[str, MockConfigEntry], target: dict[str, Any]
) -> None:
    """The condition is false."""
    assert not await _check(hass, target)


async def test_folder_without_a_device_is_ignored(
    hass: HomeAssistant, accounts: dict[str, MockConfigEntry]
) -> None:
    """The other folders still count."""
    target = {"device_id": [device_id(hass, "work")]}
    dr.async_get(hass).async_remove_device(device_id(hass, "work", "INBOX"))
    assert await _check(hass, target, 1)
    assert not await _check(hass, target, 2)


async def test_condition_of_an_automation_in_yaml(
    hass: HomeAssistant,
    accounts: dict[str, MockConfigEntry],
    watchers: list[FakeWatcher],
) -> None:
    """The automation runs only if there is enough unread mail."""
    condition = cast(
        dict[str, Any],
        parse_yaml(
            """
            condition: imap_push.unread
            target:
              entity_id: event.work_inbox_new_mail
            options:
              above: 3
            """
        ),
    )
    done = await automate(hass, {"trigger": "event", "event_type": "go"}, condition)
    for unread in (3, 4, 2):
        _count(watchers[0], INBOX=unread)
        hass.bus.async_fire("go")
        await hass.async_block_till_done()
    assert len(done) == 1


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({}, id="no target"),
        pytest.param({"target": {}, "options": {"above": -1}}, id="below zero"),
        pytest.param({"target": {}, "options": {"above": "many"}}, id="not a number"),
        pytest.param({"target": {}, "options": {"below": 1}}, id="unknown option"),
    ],
)
async def test_invalid_config_is_refused(
    hass: HomeAssistant, config: dict[str, Any]
) -> None:
    """The editor shows the error before the automation is saved."""
    with pytest.raises(vol.Invalid):
        await async_validate_condition_config(hass, {"condition": CONDITION, **config})


async def test_editor_shows_the_present_result(
    hass: HomeAssistant,
    accounts: dict[str, MockConfigEntry],
    watchers: list[FakeWatcher],
    hass_ws_client: WebSocketGenerator,
) -> None:
    """It is sent at first, and again when the count changes."""
    client = await hass_ws_client(hass)
    await client.send_json_auto_id(
        {
            "type": "subscribe_condition",
            "condition": {
                "condition": CONDITION,
                "target": {"device_id": [device_id(hass, "home")]},
            },
        }
    )
    assert (await client.receive_json())["success"]
    assert (await client.receive_json())["event"] == {"result": True}
    _count(watchers[1], INBOX=0)
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=2))
    assert (await client.receive_json())["event"] == {"result": False}


async def test_editor_has_texts_and_a_selector(hass: HomeAssistant) -> None:
    """The field has a selector, a name and a description."""
    assert await async_setup_component(hass, DOMAIN, {})
    description = (await async_get_all_descriptions(hass))[CONDITION]
    assert description is not None
    assert description["target"]["entity"] == PICKED
    assert set(description["fields"]) == {"above"}
    assert description["fields"]["above"]["selector"]

    texts = await async_get_translations(hass, "en", "conditions", [DOMAIN])
    assert {
        key.removeprefix("component.imap_push.conditions.unread.") for key in texts
    } == {*("name", "description", "fields.above.name", "fields.above.description")}
    icons = await async_get_icons(hass, "conditions", [DOMAIN])
    assert icons == {DOMAIN: {"unread": {"condition": "mdi:email-mark-as-unread"}}}


async def test_the_editor_offers_the_condition_for_an_account(
    hass: HomeAssistant, accounts: dict[str, MockConfigEntry]
) -> None:
    """It does, although the account's own entities are diagnostic."""
    selection = {"device_id": [device_id(hass, "home")]}
    assert CONDITION in await async_get_conditions_for_target(hass, selection, True)
