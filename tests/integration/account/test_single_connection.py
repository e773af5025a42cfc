"""A server that allows one connection of a user, with the real engine."""

from pathlib import Path
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import async_capture_events

from custom_components.imap_push.const import DOMAIN, EVENT_NEW_MAIL
from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from .. import CONNECTIVITY, get_state, with_sections
from ..light_account import ENTRY_ID, check_until, make_light_entry, wait_until

from tests.required import require
from tests.rig.certificate import make_certificate
from tests.rig.dovecot import PASSWORD, USER, Dovecot
from tests.rig.light_client import Habits
from tests.rig.light_server import LightServer
from tests.rig.lmtp import LmtpSender
from tests.rig.mails import plain

pytestmark = pytest.mark.usefixtures("socket_enabled")


async def _add_folder(hass: HomeAssistant, name: str) -> None:
    """Add a folder by its form."""
    flows = hass.config_entries.subentries
    form: Any = await flows.async_init(
        (ENTRY_ID, "folder"), context={"source": SOURCE_USER}
    )
    user_input = with_sections(form, {"folder": [name]})
    result: Any = await flows.async_configure(form["flow_id"], user_input)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_folder_is_added_and_an_action_works(
    hass: HomeAssistant,
) -> None:
    """The action uses the connection of the watcher."""
    habits = Habits(limit=1)
    async with LightServer("INBOX", "Work", habits=habits) as server:
        entry = make_light_entry(server.port, "INBOX", options={"poll_interval": 10})
        entry.add_to_hass(hass)
        assert await hass.config_entries.async_setup(ENTRY_ID)
        await wait_until(lambda: get_state(hass, CONNECTIVITY).state == "on")
        await wait_until(lambda: server.is_watched)

        await _add_folder(hass, "Work")
        events = async_capture_events(hass, EVENT_NEW_MAIL)
        await wait_until(lambda: entry.runtime_data.data.folders["Work"].available)
        server.deliver(1, "Work")
        await check_until(entry, lambda: events)
        assert events[0].data["folder"] == "Work"

        found: Any = await hass.services.async_call(
            DOMAIN,
            "search",
            {"entry_id": ENTRY_ID, "folder": "Work", "unread": True},
            blocking=True,
            return_response=True,
        )
        assert [mail["uid"] for mail in found["mails"]] == [1]
        server.deliver(1, "Work")
        await check_until(entry, lambda: len(events) == 2)
        assert await hass.config_entries.async_unload(ENTRY_ID)


@pytest.mark.dovecot
@pytest.mark.parametrize(
    "without", [pytest.param((), id="NOTIFY"), pytest.param(("NOTIFY",), id="IDLE")]
)
async def test_folder_is_added_on_dovecot(
    hass: HomeAssistant, tmp_path: Path, without: tuple[str, ...]
) -> None:
    """Dovecot refuses the login of a second connection."""
    require(Dovecot.available(), "Dovecot 2.3")
    settings = "mail_max_userip_connections = 1"
    certificate = make_certificate(tmp_path)
    with Dovecot(certificate, without=without, settings=settings) as server:
        async with LmtpSender(server.lmtp_port) as sender:
            address = USER.replace("@", "+Work@")
            await sender.send_all(address, [plain("Old")])
            entry = make_light_entry(
                server.imap_port, "INBOX", username=USER, password=PASSWORD
            )
            entry.add_to_hass(hass)
            assert await hass.config_entries.async_setup(ENTRY_ID)
            await wait_until(lambda: get_state(hass, CONNECTIVITY).state == "on")
            await _add_folder(hass, "Work")
            await wait_until(lambda: entry.runtime_data.data.folders["Work"].available)
            events = async_capture_events(hass, EVENT_NEW_MAIL)
            await sender.send_all(address, [plain("New")])
            await check_until(entry, lambda: events)
            assert events[0].data["subject"] == "New"
            assert await hass.config_entries.async_unload(ENTRY_ID)
