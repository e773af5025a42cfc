"""Reauthentication with a password."""

from unittest.mock import AsyncMock

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.const import CONF_SECURITY
from custom_components.imap_push.imap import (
    AccountState,
    AppPasswordNeeded,
    ConnectionLost,
    HostNotFound,
    ImapError,
    LoginRefused,
)
from custom_components.imap_push.server_text import without_links
from homeassistant.const import CONF_BASE, CONF_PASSWORD
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from .. import ENTRY_DATA, PASSWORD, USERNAME
from ..conftest import FakeWatcher
from ..flow_forms import submit

pytestmark = pytest.mark.usefixtures("watchers")


@pytest.mark.parametrize(
    "password",
    [
        pytest.param("battery staple", id="new password"),
        pytest.param(PASSWORD, id="the provider unlocked the old password"),
    ],
)
async def test_new_password_is_stored_and_watching_continues(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    watchers: list[FakeWatcher],
    check_account: AsyncMock,
    password: str,
) -> None:
    """A refused login starts the flow; a new watcher uses the new password."""
    watcher.listener.login_refused()
    watcher.listener.login_refused()
    await hass.async_block_till_done()
    (flow,) = hass.config_entries.flow.async_progress()
    assert flow["step_id"] == "reauth_confirm"
    assert flow["context"]["title_placeholders"] == {"name": USERNAME}
    form = await hass.config_entries.flow.async_configure(flow["flow_id"])
    # Not a link in the description, where Markdown is rendered.
    name = without_links(USERNAME)
    assert form["description_placeholders"] == {"name": name}

    result = await hass.config_entries.flow.async_configure(
        flow["flow_id"], {CONF_PASSWORD: password}
    )
    await hass.async_block_till_done()
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "reauth_successful"
    assert entry.data == ENTRY_DATA | {CONF_PASSWORD: password}
    assert [watcher.running for watcher in watchers] == [False, True]
    assert watchers[1].account.password == password


@pytest.mark.parametrize(
    ("error", "key"),
    [
        pytest.param(LoginRefused(), "login_refused", id="still refused"),
        pytest.param(
            HostNotFound(), "host_not_found", id="about a field of another form"
        ),
        pytest.param(RuntimeError(), "unknown", id="bug"),
    ],
)
async def test_reauth_continues_after_an_error(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    check_account: AsyncMock,
    error: Exception,
    key: str,
) -> None:
    """An error of a field that the form lacks is shown on top."""
    result = await entry.start_reauth_flow(hass)
    check_account.side_effect = error
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], {CONF_PASSWORD: "battery staple"}
    )
    assert result["errors"] == {CONF_BASE: key}
    assert entry.data == ENTRY_DATA

    check_account.side_effect = None
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], {CONF_PASSWORD: "battery staple"}
    )
    assert result["reason"] == "reauth_successful"
    await hass.async_block_till_done()


async def test_reauth_shows_why_the_login_was_refused(
    hass: HomeAssistant, entry: MockConfigEntry, watcher: FakeWatcher
) -> None:
    """The form shows the text of the server."""
    text = "Application-specific password required"
    watcher.listener.state_changed(
        AccountState(connected=False, error=AppPasswordNeeded(text))
    )
    result = await entry.start_reauth_flow(hass)
    assert result["errors"] == {CONF_BASE: "app_password_needed"}
    name = without_links(USERNAME)
    assert result["description_placeholders"] == {"name": name, "answer": text}


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(None, id="nothing"),
        pytest.param(ConnectionLost("bye"), id="something else"),
    ],
)
async def test_reauth_shows_no_other_error(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    error: ImapError | None,
) -> None:
    """Only the error of a refused login is shown."""
    watcher.listener.state_changed(AccountState(connected=False, error=error))
    result = await entry.start_reauth_flow(hass)
    assert not result["errors"]


async def test_reauth_while_the_account_is_not_loaded(
    hass: HomeAssistant, entry: MockConfigEntry, check_account: AsyncMock
) -> None:
    """Then the last error is unknown."""
    result = await entry.start_reauth_flow(hass)
    assert not result["errors"]
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], {CONF_PASSWORD: "battery staple"}
    )
    await hass.async_block_till_done()
    assert result["reason"] == "reauth_successful"


async def test_reauth_does_not_ask_again_about_encryption(
    hass: HomeAssistant, entry: MockConfigEntry, check_account: AsyncMock
) -> None:
    """The user has confirmed it for this host before."""
    data = {**ENTRY_DATA, CONF_SECURITY: "none"}
    hass.config_entries.async_update_entry(entry, data=data)
    form = await entry.start_reauth_flow(hass)
    user_input = {CONF_PASSWORD: "new", "authentication": "password"}
    result = await submit(hass, form, user_input)
    await hass.async_block_till_done()
    assert result.get("reason") == "reauth_successful"
