"""The states of an account are published before the events of its new mail (real engine)."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)

from custom_components.imap_push.const import EVENT_NEW_MAIL
from homeassistant.core import CoreState, HomeAssistant
from homeassistant.setup import async_setup_component

from .. import CONNECTIVITY, PUSH_MODE, TOTAL_UNREAD, get_state
from ..automations import device_id
from ..light_account import (
    ENTRY_ID,
    check_until,
    make_light_entry,
    stored_marks,
    wait_until,
)

from tests.rig.light_client import CAPABILITIES, Habits
from tests.rig.light_server import LightServer

pytestmark = pytest.mark.usefixtures("socket_enabled")

DONE: Final = "automation_ran"
NOTIFY: Final = {"capabilities": CAPABILITIES + b" NOTIFY"}
IDLE: Final = {"capabilities": CAPABILITIES}
POLL: Final = {"capabilities": CAPABILITIES.replace(b" IDLE", b"")}
ONE: Final = {"limit": 1}


@pytest.fixture
async def server(
    habits: dict[str, Any], socket_enabled: None
) -> AsyncIterator[LightServer]:
    """Return a server with two folders."""
    async with LightServer("INBOX", "Work", habits=Habits(**habits)) as server:
        yield server


@pytest.fixture
async def entry(
    hass: HomeAssistant, server: LightServer
) -> AsyncIterator[MockConfigEntry]:
    """Return an added entry that watches both folders; it is not set up."""
    entry = make_light_entry(server.port, "INBOX", "Work")
    entry.add_to_hass(hass)
    yield entry
    assert await hass.config_entries.async_unload(ENTRY_ID)


def _entity(folder: str, key: str) -> str:
    return f"sensor.jane_example_com_{folder.lower()}_{key}"


async def _automate(hass: HomeAssistant, folder: str, above: int) -> list[Any]:
    """Make an automation that new mail starts; return what it sees, as it happens."""
    target = {"device_id": device_id(hass, ENTRY_ID, folder)}
    is_unread = {
        "condition": "imap_push.unread",
        "target": target,
        "options": {"above": above},
    }
    data = {
        "received": "{{ trigger.mail.received }}",
        "unread": f"{{{{ states('{_entity(folder, 'unread')}') }}}}",
        "total": f"{{{{ states('{TOTAL_UNREAD}') }}}}",
        "last_mail": f"{{{{ states('{_entity(folder, 'last_mail')}') }}}}",
    }
    config = {
        "alias": "Mail",
        "mode": "queued",
        "triggers": {"trigger": "imap_push.new_mail", "target": target},
        "actions": {
            "if": is_unread,
            "then": {"event": DONE, "event_data": data | {"is_above": "yes"}},
            "else": {"event": DONE, "event_data": data | {"is_above": "no"}},
        },
    }
    runs = async_capture_events(hass, DONE)
    assert await async_setup_component(hass, "automation", {"automation": config})
    await hass.async_block_till_done()
    return runs


@pytest.mark.usefixtures("entity_registry_enabled_by_default")
@pytest.mark.parametrize(
    ("habits", "folder"),
    [
        pytest.param(IDLE, "INBOX", id="IDLE"),
        pytest.param(IDLE, "Work", id="IDLE on a second connection"),
        pytest.param(IDLE | ONE, "Work", id="IDLE, unselected"),
        pytest.param(NOTIFY, "INBOX", id="NOTIFY"),
        pytest.param(NOTIFY, "Work", id="NOTIFY, unselected"),
        pytest.param(POLL, "INBOX", id="polling"),
        pytest.param(POLL, "Work", id="polling, unselected"),
    ],
)
@pytest.mark.parametrize("mails", [1, 3])
async def test_automation_sees_the_states_with_the_mail_that_started_it(
    hass: HomeAssistant,
    server: LightServer,
    entry: MockConfigEntry,
    folder: str,
    mails: int,
) -> None:
    """The unread count, the newest mail and the condition include it."""
    server.slip_in(1, folder)
    assert await hass.config_entries.async_setup(ENTRY_ID)
    shown = [_entity(name, "unread") for name in ("INBOX", "Work")]
    await wait_until(lambda: all(get_state(hass, key).state.isdigit() for key in shown))
    runs = await _automate(hass, folder, above=1)

    server.deliver(mails, folder)
    await check_until(entry, lambda: len(runs) == mails)
    for number, run in enumerate(runs, 1):
        assert run.data["is_above"] == "yes"
        assert int(run.data["unread"]) >= 1 + number
        assert int(run.data["total"]) >= 1 + number
        last = datetime.fromisoformat(run.data["last_mail"])
        assert last >= datetime.fromisoformat(run.data["received"])


@pytest.mark.parametrize(
    ("habits", "mode"),
    [
        pytest.param(IDLE | ONE, "poll", id="IDLE and polling"),
        pytest.param(
            NOTIFY,
            "notify",
            id="NOTIFY",
        ),
        pytest.param(POLL, "poll", id="polling"),
    ],
)
async def test_states_are_known_while_mail_waits_for_the_start(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    server: LightServer,
    entry: MockConfigEntry,
    mode: str,
) -> None:
    """Mail from the time away gives its events when all automations are set up."""
    hass_storage |= stored_marks(3, "INBOX", "Work")
    for folder in ("INBOX", "Work"):
        server.slip_in(5, folder)
    hass.set_state(CoreState.not_running)
    events = async_capture_events(hass, EVENT_NEW_MAIL)
    assert await hass.config_entries.async_setup(ENTRY_ID)
    expected = {
        CONNECTIVITY: "on",
        PUSH_MODE: mode,
        _entity("INBOX", "unread"): "5",
        _entity("Work", "unread"): "5",
        TOTAL_UNREAD: "10",
    }
    await wait_until(
        lambda: {key: get_state(hass, key).state for key in expected} == expected
    )
    assert not events
    await hass.async_start()
    await wait_until(lambda: len(events) == 6)
    for folder in ("INBOX", "Work"):
        uids = [e.data["uid"] for e in events if e.data["folder"] == folder]
        assert uids == [3, 4, 5]
    assert all(event.data["catch_up"] for event in events)
