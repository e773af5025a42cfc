"""A server that allows one connection of a user, with the real engine."""

from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import async_capture_events

from custom_components.imap_push.const import DOMAIN, EVENT_NEW_MAIL
from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import HomeAssistantError

from .. import CONNECTIVITY, get_state
from ..light_account import ENTRY_ID, check_until, make_light_entry, wait_until

from tests.rig.light_client import Habits
from tests.rig.light_server import LightServer

pytestmark = pytest.mark.usefixtures("socket_enabled")


async def test_folder_is_added_and_an_action_says_why_it_fails(
    hass: HomeAssistant,
) -> None:
    """The watcher has the only connection."""
    habits = Habits(limit=1)
    async with LightServer("INBOX", "Work", habits=habits) as server:
        entry = make_light_entry(server, "INBOX", options={"poll_interval": 10})
        entry.add_to_hass(hass)
        assert await hass.config_entries.async_setup(ENTRY_ID)
        await wait_until(lambda: get_state(hass, CONNECTIVITY).state == "on")
        await wait_until(lambda: server.is_watched)

        flows = hass.config_entries.subentries
        form: Any = await flows.async_init(
            (ENTRY_ID, "folder"), context={"source": SOURCE_USER}
        )
        user_input = {"folder": "Work", "filter": {}}
        result: Any = await flows.async_configure(form["flow_id"], user_input)
        assert result["type"] is FlowResultType.CREATE_ENTRY
        events = async_capture_events(hass, EVENT_NEW_MAIL)
        await wait_until(lambda: entry.runtime_data.data.folders["Work"].available)
        server.deliver(1, "Work")
        await check_until(entry, lambda: events)
        assert events[0].data["folder"] == "Work"

        with pytest.raises(
            HomeAssistantError, match="allows no further connection"
        ) as raised:
            await hass.services.async_call(
                DOMAIN,
                "search",
                {"entry_id": ENTRY_ID, "folder": "INBOX", "unread": True},
                blocking=True,
                return_response=True,
            )
        assert raised.value.translation_key == "too_many_connections"
        assert await hass.config_entries.async_unload(ENTRY_ID)
