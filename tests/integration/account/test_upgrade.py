"""An upgrade from 0.1.0: nothing is lost or repeated, and entity IDs are kept.

The stored data are those of version 0.1.0 (commit 607e266): an account with two folders, a saved
search and options, which received two mails from Dovecot.
"""

import json
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)

from custom_components.imap_push.const import DOMAIN, EVENT_NEW_MAIL
from homeassistant.config_entries import ConfigEntryState, ConfigSubentryDataWithId
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from ..light_account import wait_until

from tests.rig.light_server import LightServer
from tests.rig.ports import LOOPBACK

STORED: dict[str, Any] = json.loads(
    Path(__file__).with_name("stored_by_0_1_0.json").read_text()
)
ENTRY_ID = STORED["entry"]["entry_id"]


def stored_entry(port: int, **changes: Any) -> MockConfigEntry:
    """Return the stored entry, with another server."""
    stored = STORED["entry"]
    server = {"host": LOOPBACK, "port": port, "security": "none"}
    subentries = [
        cast(ConfigSubentryDataWithId, item | {"data": MappingProxyType(item["data"])})
        for item in stored["subentries"]
    ]
    fields = {key: stored[key] for key in stored if key not in {"data", "subentries"}}
    return MockConfigEntry(
        domain=DOMAIN,
        data=stored["data"] | server,
        subentries_data=subentries,
        **fields | changes,
    )


@pytest.mark.usefixtures("socket_enabled")
async def test_upgrade(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    entity_registry: er.EntityRegistry,
) -> None:
    """Only mail that arrived since is reported, once, and all entities have their IDs."""
    hass_storage[f"{DOMAIN}.{ENTRY_ID}"] = STORED["marks"]
    async with LightServer("INBOX", "Bills") as server:
        for name, mark in STORED["marks"]["data"]["folders"].items():
            server.folder(name).uid_validity = mark["uid_validity"]
        server.slip_in(4)
        server.slip_in(1, "Bills")
        entry = stored_entry(server.port)
        entry.add_to_hass(hass)
        for entity in STORED["entities"]:
            domain, _, object_id = entity["entity_id"].partition(".")
            entity_registry.async_get_or_create(
                domain,
                DOMAIN,
                entity["unique_id"],
                suggested_object_id=object_id,
                config_entry=entry,
                config_subentry_id=entity["config_subentry_id"],
                disabled_by=entity["disabled_by"]
                and er.RegistryEntryDisabler(entity["disabled_by"]),
            )
        events = async_capture_events(hass, EVENT_NEW_MAIL)
        assert await hass.config_entries.async_setup(ENTRY_ID)
        await wait_until(lambda: server.is_watched and len(events) == 3)
        server.deliver(1)
        await wait_until(lambda: len(events) == 4)
        assert sorted(
            (event.data["folder"], event.data["uid"]) for event in events
        ) == [
            ("Bills", 1),
            ("INBOX", 3),
            ("INBOX", 4),
            ("INBOX", 5),
        ]
        for entity in STORED["entities"]:
            found = entity_registry.async_get(entity["entity_id"])
            assert found is not None
            assert found.unique_id == entity["unique_id"]
            state = hass.states.get(entity["entity_id"])
            if entity["disabled_by"] is not None:
                assert state is None
            else:
                assert state is not None
                assert "restored" not in state.attributes
        assert entry.options == STORED["entry"]["options"]
        assert await hass.config_entries.async_unload(ENTRY_ID)


async def test_downgrade(hass: HomeAssistant, caplog: pytest.LogCaptureFixture) -> None:
    """Data of a later version with another format is not touched, and the log says why."""
    entry = stored_entry(1, version=2)
    entry.add_to_hass(hass)
    assert not await hass.config_entries.async_setup(ENTRY_ID)
    assert entry.state is ConfigEntryState.MIGRATION_ERROR
    assert entry.version == 2
    assert "higher than the current version" in caplog.text
