"""Copying an account of Home Assistant's own IMAP integration."""

from typing import Any
from unittest.mock import AsyncMock

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.imap_push.const import DOMAIN
from custom_components.imap_push.imap import LoginRefused
from homeassistant.config_entries import SOURCE_USER
from homeassistant.const import CONF_ADDRESS, CONF_BASE, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from .. import (
    ACCOUNT_DATA,
    BY_PASSWORD,
    CORE_IMAP_DATA,
    ENTRY_DATA,
    PASSWORD,
    USERNAME,
    open_form,
    suggested,
)
from ..conftest import FakeWatcher
from ..flow_forms import choose, submit, submit_password

pytestmark = pytest.mark.usefixtures("watchers")


def _add_core_entry(hass: HomeAssistant, **changes: Any) -> None:
    """Add an entry of core IMAP, which watches one folder."""
    MockConfigEntry(domain="imap", data=CORE_IMAP_DATA | changes).add_to_hass(hass)


async def _start_from_menu(hass: HomeAssistant, choice: str) -> Any:
    """Start the setup and select an option of the first menu."""
    result = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_USER}
    )
    assert result["type"] is FlowResultType.MENU
    assert result["menu_options"] == ["take_over", "set_up_again", "server"]
    return await hass.config_entries.flow.async_configure(
        result["flow_id"], {"next_step_id": choice}
    )


async def test_account_of_core_imap_is_copied(
    hass: HomeAssistant, check_account: AsyncMock, watchers: list[FakeWatcher]
) -> None:
    """Username, server and folders are known; the password is not shown."""
    _add_core_entry(hass, folder="Work", verify_ssl=False)
    _add_core_entry(hass, folder="inbox", search="ALL")
    _add_core_entry(hass, folder="Work", search="FROM boss")
    _add_core_entry(hass, username="joe@example.com")
    form = await _start_from_menu(hass, "take_over")
    assert form["step_id"] == "take_over"
    selector = form["data_schema"].schema["account"]
    assert [option["label"] for option in selector.config["options"]] == [
        "jane@example.com (imap.example.com)",
        "joe@example.com (imap.example.com)",
    ]
    assert PASSWORD not in repr((form, selector.config))

    result = await hass.config_entries.flow.async_configure(
        form["flow_id"], suggested(form)
    )
    await hass.async_block_till_done()
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == "jane"
    entry = result["result"]
    assert entry.data == ENTRY_DATA | {CONF_VERIFY_SSL: False}
    assert [
        (subentry.subentry_type, subentry.unique_id, subentry.title, {**subentry.data})
        for subentry in entry.subentries.values()
    ] == [
        ("folder", "Work", "Work", {"folder": "Work"}),
        ("folder", "INBOX", "Inbox", {"folder": "INBOX"}),
    ]
    assert list(watchers[0].folders) == ["Work", "INBOX"]


async def test_copied_account_that_fails_can_be_corrected(
    hass: HomeAssistant, check_account: AsyncMock
) -> None:
    """The server form shows everything but the password; the folders are kept."""
    _add_core_entry(hass, folder="Work")
    form = await _start_from_menu(hass, "take_over")
    check_account.side_effect = LoginRefused("Wrong password")
    form = await hass.config_entries.flow.async_configure(
        form["flow_id"], suggested(form)
    )
    assert form["step_id"] == "server"
    assert form["errors"] == {CONF_BASE: "login_refused_because"}
    assert form["description_placeholders"] == {"answer": "Wrong password"}
    assert suggested(form) == ACCOUNT_DATA | BY_PASSWORD

    check_account.side_effect = None
    result = await hass.config_entries.flow.async_configure(form["flow_id"], ENTRY_DATA)
    await hass.async_block_till_done()
    assert result["type"] is FlowResultType.CREATE_ENTRY
    (subentry,) = result["result"].subentries.values()
    assert subentry.title == "Work"


async def test_server_form_next_to_core_imap(
    hass: HomeAssistant, check_account: AsyncMock
) -> None:
    """INBOX is watched, independent of core IMAP."""
    _add_core_entry(hass, folder="Work")
    form = await _start_from_menu(hass, "server")
    assert form["step_id"] == "server"
    assert suggested(form) == {}
    result = await hass.config_entries.flow.async_configure(form["flow_id"], ENTRY_DATA)
    await hass.async_block_till_done()
    (subentry,) = result["result"].subentries.values()
    assert subentry.title == "Inbox"


async def test_address_form_next_to_core_imap(
    hass: HomeAssistant, discover: AsyncMock, check_account: AsyncMock
) -> None:
    """Copying an account is one of three options."""
    MockConfigEntry(domain="imap", data=CORE_IMAP_DATA).add_to_hass(hass)
    menu = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_USER}
    )
    form = await choose(hass, menu, "set_up_again")
    assert form["step_id"] == "user"
    form = await submit(hass, form, {CONF_ADDRESS: USERNAME})
    result = await submit_password(hass, form)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


async def test_configured_account_is_not_offered(
    hass: HomeAssistant, entry: MockConfigEntry
) -> None:
    """Without an account to copy, there is no menu."""
    _add_core_entry(hass)
    await open_form(hass)


async def test_account_added_meanwhile_is_not_copied(
    hass: HomeAssistant, check_account: AsyncMock
) -> None:
    """Two entries never watch the same account."""
    _add_core_entry(hass)
    form = await _start_from_menu(hass, "take_over")
    MockConfigEntry(
        domain=DOMAIN, data=ENTRY_DATA, unique_id="jane@example.com@imap.example.com"
    ).add_to_hass(hass)
    result = await hass.config_entries.flow.async_configure(
        form["flow_id"], suggested(form)
    )
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"
