"""Automations for tests: two folders of an account, and what an automation does."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)

from custom_components.imap_push.const import (
    CONF_FOLDER,
    DOMAIN,
    SUBENTRY_TYPE_FOLDER,
    SUBENTRY_TYPE_SEARCH,
)
from homeassistant.config_entries import ConfigSubentryDataWithId
from homeassistant.core import Event, HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component

from . import ENTRY_DATA

AUTOMATION = "automation.mail"
DONE = "automation_ran"
# What the target picker lists: a line for each folder and search, and one for each account.
PICKED = [
    {"integration": DOMAIN, "domain": ["event"]},
    {"integration": DOMAIN, "domain": ["binary_sensor"]},
]


def make_entry(
    name: str, *folders: str, searches: Mapping[str, Any] | None = None
) -> MockConfigEntry:
    """Return an entry with these folders, and searches by title; its IDs contain the name."""
    return MockConfigEntry(
        domain=DOMAIN,
        title=name,
        data=ENTRY_DATA,
        unique_id=name,
        entry_id=name,
        subentries_data=[
            ConfigSubentryDataWithId(
                data=MappingProxyType({CONF_FOLDER: folder}),
                subentry_id=f"{name}_{folder}",
                subentry_type=SUBENTRY_TYPE_FOLDER,
                title=folder,
                unique_id=folder,
            )
            for folder in folders
        ]
        + [
            ConfigSubentryDataWithId(
                data=MappingProxyType(data),
                subentry_id=f"{name}_{title}",
                subentry_type=SUBENTRY_TYPE_SEARCH,
                title=title,
                unique_id=None,
            )
            for title, data in (searches or {}).items()
        ],
    )


def device_id(hass: HomeAssistant, entry_id: str, folder: str | None = None) -> str:
    """Return the device of an account, or of one of its folders or searches."""
    name = f"{entry_id}_{entry_id}_{folder}" if folder else entry_id
    device = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, name), entry_id)
    assert device is not None
    return device.id


async def automate(
    hass: HomeAssistant, trigger: Mapping[str, Any], *conditions: Mapping[str, Any]
) -> list[Event[dict[str, Any]]]:
    """Make an automation; return what it does, as it happens."""
    config = {
        "alias": "Mail",
        "mode": "queued",
        "triggers": [trigger],
        "conditions": list(conditions),
        "actions": {
            "event": DONE,
            "event_data": {
                "mail": "{{ trigger.mail }}",
                "description": "{{ trigger.description }}",
            },
        },
    }
    done = async_capture_events(hass, DONE)
    assert await async_setup_component(hass, "automation", {"automation": config})
    await hass.async_block_till_done()
    return done
