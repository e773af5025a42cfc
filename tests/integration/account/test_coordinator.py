"""How the coordinator passes new mail and state from the watcher to Home Assistant."""

import asyncio
from datetime import timedelta
import logging
from unittest.mock import Mock

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
    async_mock_service,
)

from custom_components.imap_push.const import EVENT_NEW_MAIL
from custom_components.imap_push.imap import AccountState, ConnectionLost, HostNotFound
from homeassistant.config_entries import SOURCE_REAUTH
from homeassistant.core import CoreState, HomeAssistant, callback
from homeassistant.helpers import entity_component
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.setup import async_setup_component

from .. import (
    CONNECTIVITY,
    NEW_MAIL,
    PASSWORD,
    READABLE,
    UNREAD,
    get_state,
    make_arrival,
    make_state,
)
from ..automations import automate, device_id
from ..conftest import FakeWatcher


@READABLE
async def test_fifty_mails_at_once_are_fifty_events_in_order(
    hass: HomeAssistant, watcher: FakeWatcher
) -> None:
    """The bus and the event entity both report every mail."""
    events = async_capture_events(hass, EVENT_NEW_MAIL)
    states = async_capture_events(hass, "state_changed")
    uids = list(range(1, 51))
    for uid in uids:
        await watcher.listener.mail_arrived(make_arrival(uid))
    await hass.async_block_till_done()
    assert [event.data["uid"] for event in events] == uids
    shown = [event.data["new_state"] for event in states]
    assert [state.attributes["uid"] for state in shown] == uids
    assert len({state.state for state in shown}) == 50


async def test_bus_event_entity_and_automation_share_a_context(
    hass: HomeAssistant, watcher: FakeWatcher
) -> None:
    """The logbook uses it to show why an automation ran; each mail has its own context."""
    trigger = {
        "trigger": "imap_push.new_mail",
        "target": {"device_id": device_id(hass, "01IMAPPUSH")},
    }
    done = await automate(hass, trigger)
    events = async_capture_events(hass, EVENT_NEW_MAIL)
    for uid in (1, 2):
        await watcher.listener.mail_arrived(make_arrival(uid))
        await hass.async_block_till_done()
        context = events[-1].context
        assert get_state(hass, NEW_MAIL).context is context
        assert done[-1].context.parent_id == context.id
    assert events[0].context is not events[1].context


async def test_failing_subscriber_does_not_harm_the_others(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One line in the log reports the failure; all others still get each mail."""
    failing = callback(Mock(side_effect=RuntimeError("broken subscriber")))
    listening = callback(Mock())
    signal = entry.runtime_data.mail_signal("01INBOX")
    unsubscribe = async_dispatcher_connect(hass, signal, failing)
    async_dispatcher_connect(hass, signal, listening)
    caplog.clear()
    await watcher.listener.mail_arrived(make_arrival(1, subject="Secret subject"))
    assert caplog.text.count("RuntimeError: broken subscriber") == 1
    # Home Assistant logs the arguments of the subscriber.
    assert "Delivery(" in caplog.text
    assert not any(word in caplog.text for word in ("Secret", "@example"))

    unsubscribe()
    await watcher.listener.mail_arrived(make_arrival(2))
    assert failing.call_count == 1
    assert [call.args[0].mail["uid"] for call in listening.call_args_list] == [1, 2]


async def test_mail_is_delivered_after_home_assistant_has_started(
    hass: HomeAssistant, entry: MockConfigEntry, watchers: list[FakeWatcher]
) -> None:
    """Mail from before the start gives an event when all automations are set up."""
    calls = async_mock_service(hass, "test", "automation")
    hass.set_state(CoreState.not_running)
    assert await async_setup_component(
        hass,
        "automation",
        {
            "automation": {
                "trigger": {"platform": "event", "event_type": "new_mail"},
                "action": {
                    "service": "test.automation",
                    "data": {"subject": "{{ trigger.event.data.subject }}"},
                },
            }
        },
    )
    assert await hass.config_entries.async_setup(entry.entry_id)
    events = async_capture_events(hass, EVENT_NEW_MAIL)
    delivery = asyncio.create_task(watchers[0].listener.mail_arrived(make_arrival()))
    await hass.async_block_till_done()
    assert not events
    assert not delivery.done()

    await hass.async_start()
    await delivery
    await hass.async_block_till_done()
    assert len(events) == 1
    assert [call.data for call in calls] == [{"subject": "Your order"}]


async def test_waiting_mail_is_not_delivered_after_unloading(
    hass: HomeAssistant, entry: MockConfigEntry, watchers: list[FakeWatcher]
) -> None:
    """Its mark has not moved, so the next set-up delivers it."""
    hass.set_state(CoreState.not_running)
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert await hass.config_entries.async_unload(entry.entry_id)
    events = async_capture_events(hass, EVENT_NEW_MAIL)
    delivery = asyncio.create_task(watchers[0].listener.mail_arrived(make_arrival()))
    await hass.async_start()
    await hass.async_block_till_done()
    assert not events
    delivery.cancel()


async def test_one_line_when_lost_and_one_when_back(
    hass: HomeAssistant, watcher: FakeWatcher, caplog: pytest.LogCaptureFixture
) -> None:
    """The log lines contain neither text of the server nor the password."""
    caplog.set_level(logging.INFO)
    secret = f"jane.doe {PASSWORD}"
    for state in (
        AccountState(),
        make_state(),
        make_state(connected=False, error=ConnectionLost(secret)),
        make_state(connected=False, error=HostNotFound(secret)),
        make_state(),
        make_state(),
    ):
        watcher.listener.state_changed(state)
    lines = [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if record.name.startswith("custom_components.imap_push")
    ]
    assert lines == [
        ("WARNING", "imap.example.com (APPUSH): not connected (ConnectionLost)"),
        ("INFO", "imap.example.com (APPUSH): connected again"),
    ]


async def test_unreachable_server_is_logged_one_time(
    hass: HomeAssistant, watcher: FakeWatcher, caplog: pytest.LogCaptureFixture
) -> None:
    """The number of attempts makes no difference."""
    for _ in range(3):
        watcher.listener.state_changed(AccountState(error=HostNotFound()))
    assert caplog.text.count("not connected") == 1


async def test_a_refused_login_asks_for_the_password(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher
) -> None:
    """One reauthentication flow is started."""
    watcher.listener.login_refused()
    await hass.async_block_till_done()
    (flow,) = hass.config_entries.flow.async_progress()
    assert flow["context"]["source"] == SOURCE_REAUTH
    assert flow["context"]["entry_id"] == entry.entry_id


async def test_exception_of_the_watcher_is_logged(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The account is shown as not connected."""
    watcher.listener.state_changed(make_state())
    watcher.bug.set()
    await entry.runtime_data._tasks[0]
    await hass.async_block_till_done()
    assert "RuntimeError: bug" in caplog.text
    assert get_state(hass, CONNECTIVITY).state == "off"
    assert get_state(hass, UNREAD).state == "unavailable"
    assert get_state(hass, NEW_MAIL).state == "unknown"


async def test_requested_update_keeps_the_state(
    hass: HomeAssistant, watcher: FakeWatcher
) -> None:
    """Only the watcher changes the state."""
    watcher.listener.state_changed(make_state())
    await entity_component.async_update_entity(hass, UNREAD)
    await hass.async_block_till_done()
    assert get_state(hass, UNREAD).state == "2"


async def test_slow_logout_does_not_delay_unloading(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Logging out has a time limit."""
    monkeypatch.setattr(
        "custom_components.imap_push.coordinator.STOP_TIMEOUT_SECONDS",
        timedelta(milliseconds=10).total_seconds(),
    )
    stubborn = asyncio.create_task(_survive_one_cancellation())
    await asyncio.sleep(0)
    entry.runtime_data._tasks = [stubborn]
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert not stubborn.done()
    stubborn.cancel()


async def _survive_one_cancellation() -> None:
    """Wait like a logout without a response, and ignore the first cancellation."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await asyncio.Event().wait()
