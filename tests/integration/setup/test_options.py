"""Options of an account: form, defaults, invalid stored values."""

import logging
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.const import DOMAIN
from custom_components.imap_push.imap import CatchUp, WatchOptions
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_BASE
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData

from .. import ENTRY_DATA, suggested
from ..conftest import FakeWatcher

OPTIONS = {"push": True, "notify": True, "poll_interval": 60, "catch_up": "all"}


async def test_options_are_changed_and_watching_continues(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    watchers: list[FakeWatcher],
) -> None:
    """A new watcher uses them, and the form shows them."""
    assert watcher.options == WatchOptions(push=True, poll_interval=60)
    result = await hass.config_entries.options.async_init(entry.entry_id)
    assert result["step_id"] == "init"
    connection = {"push": False, "notify": False, "poll_interval": 300}
    others = {
        "access": "change",
        "catch_up": "last_day",
        "read_only": True,
        "assistant": True,
        "record_mail": True,
    }
    result = await hass.config_entries.options.async_configure(
        result["flow_id"], others | {"connection": connection}
    )
    await hass.async_block_till_done()
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options == others | connection
    assert [watcher.running for watcher in watchers] == [False, True]
    assert watchers[1].options == WatchOptions(
        push=False, notify=False, poll_interval=300, catch_up=CatchUp.LAST_DAY
    )

    result = await hass.config_entries.options.async_init(entry.entry_id)
    assert suggested(result) == others | {"connection": connection}


async def test_defaults_grant_no_access_and_record_nothing(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher
) -> None:
    """The user has to turn on each of them."""
    result = await hass.config_entries.options.async_init(entry.entry_id)
    await hass.config_entries.options.async_configure(
        result["flow_id"], {"connection": {}}
    )
    await hass.async_block_till_done()
    assert entry.options == {
        "access": "none",
        "catch_up": "all",
        "read_only": False,
        "assistant": False,
        "record_mail": False,
        "push": True,
        "notify": True,
        "poll_interval": 60,
    }


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        pytest.param("poll_interval", 0, "too small", id="a storm"),
        pytest.param("poll_interval", 9, "too small", id="too often"),
        pytest.param("poll_interval", 3601, "too large", id="too seldom"),
        pytest.param("poll_interval", "often", "float", id="a word for a number"),
        pytest.param("catch_up", "everything", "must be one of", id="unknown choice"),
    ],
)
async def test_form_refuses_an_invalid_option(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    option: str,
    value: Any,
    message: str,
) -> None:
    """The field shows an error, nothing is stored, and a valid value is accepted."""
    form = await hass.config_entries.options.async_init(entry.entry_id)
    user_input = {"catch_up": "all", "connection": {}}
    wrong = user_input | (
        {option: value} if option in user_input else {"connection": {option: value}}
    )
    with pytest.raises(InvalidData) as refused:
        await hass.config_entries.options.async_configure(form["flow_id"], wrong)
    # Home Assistant shows errors of fields in a section on top of the form.
    field = option if option in user_input else CONF_BASE
    assert list(refused.value.schema_errors) == [field]
    assert message in str(refused.value.schema_errors[field])
    assert entry.options == {}

    result = await hass.config_entries.options.async_configure(
        form["flow_id"], user_input
    )
    await hass.async_block_till_done()
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options == entry.options | OPTIONS


@pytest.mark.parametrize(
    ("option", "value"),
    [
        pytest.param("poll_interval", 0, id="a storm"),
        pytest.param("poll_interval", 9, id="too often"),
        pytest.param("poll_interval", 3601, id="too seldom"),
        pytest.param("poll_interval", -60, id="into the past"),
        pytest.param("poll_interval", float("nan"), id="not a number"),
        pytest.param("poll_interval", "often", id="a word for a number"),
        pytest.param("poll_interval", None, id="no interval"),
        pytest.param("catch_up", "everything", id="unknown choice"),
        pytest.param("catch_up", None, id="no choice"),
        pytest.param("catch_up", ["all"], id="a list of choices"),
        pytest.param("push", "maybe", id="neither yes nor no"),
        pytest.param("notify", 1, id="a number for yes"),
    ],
)
async def test_invalid_stored_option_has_its_default(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watchers: list[FakeWatcher],
    caplog: pytest.LogCaptureFixture,
    option: str,
    value: Any,
) -> None:
    """The account is watched, and one log line names option and account."""
    others = {"push": False, "poll_interval": 300, "catch_up": "last_day"}
    hass.config_entries.async_update_entry(entry, options=others | {option: value})
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert entry.state is ConfigEntryState.LOADED

    expected: dict[str, Any] = {
        "push": False,
        "poll_interval": 300,
        "catch_up": CatchUp.LAST_DAY,
        option: getattr(WatchOptions(), option),
    }
    assert watchers[0].running
    assert watchers[0].options == WatchOptions(**expected)
    [line] = _warnings(caplog)
    assert option in line
    assert "imap.example.com (APPUSH)" in line
    assert entry.title not in line


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="none"),
        pytest.param({"push": True}, id="some"),
        pytest.param({"poll_interval": 10}, id="smallest"),
        pytest.param({"poll_interval": 3600}, id="largest"),
        pytest.param(OPTIONS | {"of a later version": 7}, id="one more"),
    ],
)
async def test_valid_stored_options_are_not_logged(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watchers: list[FakeWatcher],
    caplog: pytest.LogCaptureFixture,
    options: dict[str, Any],
) -> None:
    """A missing option has its default."""
    hass.config_entries.async_update_entry(entry, options=options)
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert watchers[0].options.poll_interval == options.get("poll_interval", 60)
    assert not _warnings(caplog)


async def test_invalid_option_does_not_affect_another_account(
    hass: HomeAssistant, entry: MockConfigEntry, watchers: list[FakeWatcher]
) -> None:
    """Both accounts are watched."""
    hass.config_entries.async_update_entry(entry, options={"catch_up": "everything"})
    other = MockConfigEntry(domain=DOMAIN, data=ENTRY_DATA, title="other")
    other.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert [entry.state, other.state] == [ConfigEntryState.LOADED] * 2
    assert [watcher.running for watcher in watchers] == [True, True]


def _warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings of the integration."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("custom_components.imap_push")
        and record.levelno >= logging.WARNING
    ]
