"""What nobody should ask for is told clearly, and the rest goes on."""

import asyncio
import logging
from typing import Any
from unittest.mock import AsyncMock

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.const import DOMAIN
from custom_components.imap_push.imap import CatchUp, WatchOptions
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_BASE
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData

from .. import ENTRY_DATA, open_form
from ..conftest import FakeWatcher

OPTIONS = {"push": True, "notify": True, "poll_interval": 60, "catch_up": "all"}


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
async def test_an_option_that_cannot_be_used_counts_as_not_set(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watchers: list[FakeWatcher],
    caplog: pytest.LogCaptureFixture,
    option: str,
    value: Any,
) -> None:
    """The account is watched, and one line says which option of which account is wrong."""
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
async def test_options_that_can_be_used_cost_no_line(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watchers: list[FakeWatcher],
    caplog: pytest.LogCaptureFixture,
    options: dict[str, Any],
) -> None:
    """What is not set has its default."""
    hass.config_entries.async_update_entry(entry, options=options)
    assert await hass.config_entries.async_setup(entry.entry_id)
    assert watchers[0].options.poll_interval == options.get("poll_interval", 60)
    assert not _warnings(caplog)


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
async def test_the_form_refuses_an_option_and_goes_on(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    option: str,
    value: Any,
    message: str,
) -> None:
    """The field says why; nothing has changed, and the right value is taken then."""
    form = await hass.config_entries.options.async_init(entry.entry_id)
    typed = {"catch_up": "all", "connection": {}}
    wrong = typed | (
        {option: value} if option in typed else {"connection": {option: value}}
    )
    with pytest.raises(InvalidData) as refused:
        await hass.config_entries.options.async_configure(form["flow_id"], wrong)
    # Home Assistant tells on top of the form what is wrong inside of a section.
    field = option if option in typed else CONF_BASE
    assert list(refused.value.schema_errors) == [field]
    assert message in str(refused.value.schema_errors[field])
    assert entry.options == {}

    result = await hass.config_entries.options.async_configure(form["flow_id"], typed)
    await hass.async_block_till_done()
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options == entry.options | OPTIONS


async def test_another_account_is_not_touched(
    hass: HomeAssistant, entry: MockConfigEntry, watchers: list[FakeWatcher]
) -> None:
    """One account's options are nothing to the others."""
    hass.config_entries.async_update_entry(entry, options={"catch_up": "everything"})
    other = MockConfigEntry(domain=DOMAIN, data=ENTRY_DATA, title="other")
    other.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert [entry.state, other.state] == [ConfigEntryState.LOADED] * 2
    assert [watcher.running for watcher in watchers] == [True, True]


async def test_one_account_added_in_two_windows(
    hass: HomeAssistant, watchers: list[FakeWatcher], check_account: AsyncMock
) -> None:
    """Both forms are open; who comes second is told that the account is there."""
    first, second = await open_form(hass), await open_form(hass)
    result = await hass.config_entries.flow.async_configure(first, ENTRY_DATA)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    result = await hass.config_entries.flow.async_configure(second, ENTRY_DATA)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"
    await hass.async_block_till_done()
    assert [watcher.running for watcher in watchers] == [True]


async def test_one_account_added_twice_in_the_same_moment(
    hass: HomeAssistant, watchers: list[FakeWatcher], check_account: AsyncMock
) -> None:
    """Who comes second is told; there is one account, watched once."""
    tried_out = asyncio.Event()

    async def try_out(*_: object) -> frozenset[str]:
        await tried_out.wait()
        return frozenset()

    check_account.side_effect = try_out
    flows = [await open_form(hass) for _ in range(2)]
    attempts = [
        asyncio.create_task(hass.config_entries.flow.async_configure(flow, ENTRY_DATA))
        for flow in flows
    ]
    while check_account.await_count < 2:
        await asyncio.sleep(0)
    tried_out.set()
    first, second = await asyncio.gather(*attempts)
    await hass.async_block_till_done()
    assert first["type"] is FlowResultType.CREATE_ENTRY
    assert second.get("reason") == "already_configured"
    [entry] = hass.config_entries.async_entries(DOMAIN)
    assert entry.state is ConfigEntryState.LOADED
    assert [watcher.running for watcher in watchers] == [True]


def _warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the integration said that somebody should do something about."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("custom_components.imap_push")
        and record.levelno >= logging.WARNING
    ]
