"""Changing username, password and server of an account."""

from typing import Any
from unittest.mock import AsyncMock

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.const import CONF_SECURITY, DOMAIN
from custom_components.imap_push.imap import HostNotFound
from homeassistant.const import (
    CONF_HOST,
    CONF_PASSWORD,
    CONF_PORT,
    CONF_USERNAME,
    CONF_VERIFY_SSL,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from .. import ACCOUNT_DATA, BY_PASSWORD, ENTRY_DATA, USERNAME, suggested
from ..conftest import FakeWatcher
from ..flow_forms import choose, submit

pytestmark = pytest.mark.usefixtures("watchers")


@pytest.mark.parametrize(
    ("user_input", "changed", "unique_id", "title"),
    [
        pytest.param(
            ENTRY_DATA
            | {CONF_HOST: "10.0.0.5", CONF_PORT: 143, CONF_SECURITY: "starttls"},
            {CONF_HOST: "10.0.0.5", CONF_PORT: 143, CONF_SECURITY: "starttls"},
            "jane@example.com@10.0.0.5",
            USERNAME,
            id="the server moved",
        ),
        pytest.param(
            ENTRY_DATA | {CONF_PORT: 1993},
            {CONF_PORT: 1993},
            "jane@example.com@imap.example.com:1993",
            USERNAME,
            id="the port changed",
        ),
        pytest.param(
            ACCOUNT_DATA | {CONF_USERNAME: "Jane2@example.com"},
            {CONF_USERNAME: "Jane2@example.com"},
            "jane2@example.com@imap.example.com",
            "Jane2@example.com",
            id="the login changed",
        ),
        pytest.param(
            ENTRY_DATA | {CONF_PASSWORD: "battery staple"},
            {CONF_PASSWORD: "battery staple"},
            "jane@example.com@imap.example.com",
            USERNAME,
            id="the password changed",
        ),
        pytest.param(
            ACCOUNT_DATA | {CONF_PASSWORD: ""},
            {},
            "jane@example.com@imap.example.com",
            USERNAME,
            id="nothing changed",
        ),
    ],
)
async def test_account_is_changed_and_watching_continues(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    watchers: list[FakeWatcher],
    check_account: AsyncMock,
    user_input: dict[str, Any],
    changed: dict[str, Any],
    unique_id: str,
    title: str,
) -> None:
    """Everything can be changed. The form shows all stored values but the password."""
    result = await entry.start_reconfigure_flow(hass)
    assert result["step_id"] == "reconfigure"
    assert suggested(result) == ACCOUNT_DATA | BY_PASSWORD

    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], user_input
    )
    await hass.async_block_till_done()
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "reconfigure_successful"
    assert entry.data == ENTRY_DATA | changed
    assert entry.unique_id == unique_id
    assert entry.title == title
    assert [watcher.running for watcher in watchers] == [False, True]
    assert watchers[1].account.host == entry.data[CONF_HOST]


async def test_title_follows_the_login(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    check_account: AsyncMock,
) -> None:
    """A title that is the part before the @ is changed with the login."""
    hass.config_entries.async_update_entry(entry, title="jane")
    await hass.async_block_till_done()
    result = await entry.start_reconfigure_flow(hass)
    user_input = ACCOUNT_DATA | {CONF_USERNAME: "joe@example.com"}
    await hass.config_entries.flow.async_configure(result["flow_id"], user_input)
    await hass.async_block_till_done()
    assert entry.title == "joe"


async def test_shared_mailbox_is_set_and_removed(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    check_account: AsyncMock,
) -> None:
    """An empty field reads the mailbox of the login again."""
    for mailbox in ("info@example.com", ""):
        result = await entry.start_reconfigure_flow(hass)
        user_input = ACCOUNT_DATA | ({"mailbox": mailbox} if mailbox else {})
        await hass.config_entries.flow.async_configure(result["flow_id"], user_input)
        await hass.async_block_till_done()
        assert entry.data.get("mailbox", "") == mailbox
        assert entry.title == (mailbox or USERNAME)
        assert entry.unique_id == f"{mailbox or USERNAME}@imap.example.com"


async def test_title_of_the_user_is_kept(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    check_account: AsyncMock,
) -> None:
    """A title that equals the username is changed with it."""
    hass.config_entries.async_update_entry(entry, title="Work")
    await hass.async_block_till_done()
    result = await entry.start_reconfigure_flow(hass)
    await hass.config_entries.flow.async_configure(
        result["flow_id"], ACCOUNT_DATA | {CONF_USERNAME: "jane2@example.com"}
    )
    await hass.async_block_till_done()
    assert entry.title == "Work"


async def test_change_to_another_configured_account_aborts(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    check_account: AsyncMock,
) -> None:
    """Two entries never watch the same account."""
    MockConfigEntry(
        domain=DOMAIN,
        data=ENTRY_DATA | {CONF_USERNAME: "joe@example.com"},
        unique_id="joe@example.com@imap.example.com",
    ).add_to_hass(hass)
    result = await entry.start_reconfigure_flow(hass)
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], ACCOUNT_DATA | {CONF_USERNAME: "Joe@example.com"}
    )
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"
    assert entry.data == ENTRY_DATA


async def test_reconfigure_continues_after_an_error(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    watcher: FakeWatcher,
    check_account: AsyncMock,
) -> None:
    """The form keeps its values."""
    result = await entry.start_reconfigure_flow(hass)
    user_input = ENTRY_DATA | {CONF_HOST: "imap.exmaple.com"}
    check_account.side_effect = HostNotFound()
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], user_input
    )
    assert result["errors"] == {CONF_HOST: "host_not_found"}
    assert suggested(result) == user_input | BY_PASSWORD
    assert entry.data == ENTRY_DATA

    check_account.side_effect = None
    result = await hass.config_entries.flow.async_configure(
        result["flow_id"], ENTRY_DATA | {CONF_HOST: "imap2.example.com"}
    )
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()


async def test_stored_password_is_not_sent_to_another_host(
    hass: HomeAssistant, entry: MockConfigEntry, check_account: AsyncMock
) -> None:
    """The host may be mistyped, as with certificate trust and tokens."""
    form = await entry.start_reconfigure_flow(hass)
    user_input = ACCOUNT_DATA | BY_PASSWORD | {CONF_HOST: "imap.exmaple.com"}
    form = await submit(hass, form, user_input)
    await hass.async_block_till_done()
    assert not check_account.await_count


async def test_encryption_is_confirmed_again_only_for_another_host(
    hass: HomeAssistant, entry: MockConfigEntry, check_account: AsyncMock
) -> None:
    """The user has confirmed it for the stored host."""
    plain = ENTRY_DATA | {CONF_SECURITY: "none"}
    hass.config_entries.async_update_entry(entry, data=plain)
    form = await entry.start_reconfigure_flow(hass)
    menu = await submit(hass, form, plain | {CONF_HOST: "mail.example.com"})
    assert menu["step_id"] == "not_encrypted"
    form = await choose(hass, menu, "go_back")
    result = await submit(hass, form, plain | {CONF_VERIFY_SSL: False})
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
