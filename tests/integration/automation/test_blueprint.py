"""The blueprint that flashes lights, in an automation with real light entities."""

import logging
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)

from custom_components.imap_push.const import EVENT_NEW_MAIL
from custom_components.imap_push.mail.event_data import new_mail_from_arrival
from homeassistant.const import Platform
from homeassistant.core import Context, HomeAssistant
from homeassistant.setup import async_setup_component

from .. import get_state, make_arrival

BLUEPRINT = (
    Path(__file__).parents[3]
    / "blueprints"
    / "automation"
    / "imap_push"
    / "flash_light.yaml"
)

# A light of each kind: on with a color, off with a color, on without colors.
COLORED = "light.kitchen_lights"
DARK = "light.bed_light"
WARM = "light.ceiling_lights"
LIGHTS = [COLORED, DARK, WARM]


@pytest.fixture
def hass_config_dir(tmp_path: Path) -> str:
    """Return a configuration directory with the blueprint, without its delays."""
    file = tmp_path / "blueprints" / "automation" / "imap_push" / "flash_light.yaml"
    file.parent.mkdir(parents=True)
    text = BLUEPRINT.read_text()
    assert text.count("milliseconds: 400") == 2
    file.write_text(text.replace("milliseconds: 400", "milliseconds: 1"))
    return str(tmp_path)


@pytest.fixture(autouse=True)
async def _lights(hass: HomeAssistant) -> None:
    """Set up lights, and the components for scenes."""
    assert await async_setup_component(hass, "homeassistant", {})
    assert await async_setup_component(hass, "scene", {})
    entry = MockConfigEntry(domain="demo")
    entry.add_to_hass(hass)
    with patch(
        "homeassistant.components.demo.COMPONENTS_WITH_CONFIG_ENTRY_DEMO_PLATFORM",
        [Platform.LIGHT],
    ):
        assert await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done()


async def _automate(hass: HomeAssistant, **inputs: Any) -> None:
    """Create an automation from the blueprint."""
    assert await async_setup_component(
        hass,
        "automation",
        {
            "automation": {
                "alias": "Flash",
                "use_blueprint": {
                    "path": "imap_push/flash_light.yaml",
                    "input": {"lights": LIGHTS, **inputs},
                },
            }
        },
    )
    await hass.async_block_till_done()
    assert get_state(hass, "automation.flash").state == "on"


def _fire(hass: HomeAssistant, **mail: Any) -> None:
    """Fire the event of a new mail."""
    hass.bus.async_fire(
        EVENT_NEW_MAIL,
        new_mail_from_arrival(
            make_arrival(**mail), entry_id="entry", device_id="device", account="Work"
        ),
        context=Context(),
    )


def _appearance(hass: HomeAssistant, entity_id: str) -> tuple[object, ...]:
    """Return the state and the visible attributes of a light."""
    state = get_state(hass, entity_id)
    attributes = ("brightness", "color_mode", "hs_color", "color_temp_kelvin")
    return (state.state, *(state.attributes.get(key) for key in attributes))


async def test_all_lights_flash_and_are_restored(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture
) -> None:
    """Every kind of light is on and off as often as configured."""
    await _automate(hass, times=2, color=[255, 0, 0])
    before = {light: _appearance(hass, light) for light in LIGHTS}
    changes = async_capture_events(hass, "state_changed")
    _fire(hass)
    await hass.async_block_till_done()

    seen: dict[str, list[Any]] = {light: [] for light in LIGHTS}
    for change in changes:
        if change.data["entity_id"] in seen:
            seen[change.data["entity_id"]].append(change.data["new_state"])
    for light in LIGHTS:
        on_and_off = [state.state for state in seen[light]]
        assert on_and_off[:4] == ["on", "off", "on", "off"]
        assert seen[light][0].attributes["brightness"] == 255
        assert _appearance(hass, light) == before[light]
    assert seen[COLORED][0].attributes["rgb_color"] == (255, 0, 0)
    assert not hass.states.async_entity_ids("scene")
    assert "ERROR" not in caplog.text


@pytest.mark.parametrize(
    ("inputs", "flashes"),
    [
        pytest.param({}, True, id="any mail"),
        pytest.param({"sender": "SHOP@example"}, True, id="part of the address"),
        pytest.param({"sender": "the shop"}, True, id="part of the name"),
        pytest.param({"sender": " shop "}, True, id="spaces around"),
        pytest.param({"sender": "bank"}, False, id="another sender"),
        pytest.param({"subject": "ORDER"}, True, id="part of the subject"),
        pytest.param({"subject": "invoice"}, False, id="another subject"),
        pytest.param({"subject": 4711}, True, id="a number"),
        pytest.param({"sender": "shop", "subject": "order"}, True, id="both"),
        pytest.param({"sender": "shop", "subject": "bill"}, False, id="one of two"),
        pytest.param({"lights": []}, False, id="no lights"),
        pytest.param({"lights": ["light.gone"]}, False, id="a light that is gone"),
        pytest.param({"lights": [DARK, "light.gone"]}, True, id="one of two is gone"),
    ],
)
async def test_only_matching_mail_flashes(
    hass: HomeAssistant,
    caplog: pytest.LogCaptureFixture,
    inputs: dict[str, Any],
    flashes: bool,
) -> None:
    """Sender and subject are compared case-insensitively; an empty input matches all."""
    await _automate(hass, times=1.0, **inputs)
    calls = async_capture_events(hass, "call_service")
    _fire(hass, subject="Your order 4711")
    await hass.async_block_till_done()
    called = [call.data["service"] for call in calls if call.data["domain"] == "light"]
    assert bool(called) is flashes
    assert "ERROR" not in caplog.text
    # Ignore warnings of asyncio about slow callbacks, which occur under load.
    assert not [
        record
        for record in caplog.records
        if record.levelno >= logging.WARNING
        and record.name != "asyncio"
        and "which has not been tested" not in record.message
    ]


async def test_empty_mail_flashes(hass: HomeAssistant) -> None:
    """Empty inputs match it."""
    await _automate(hass, times=1)
    calls = async_capture_events(hass, "call_service")
    _fire(hass, subject="", sender="", sender_name="")
    await hass.async_block_till_done()
    assert "turn_on" in [call.data["service"] for call in calls]


async def test_many_mails_at_a_time_cause_one_flash(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture
) -> None:
    """Lights are saved only before the first flash, so they are restored correctly."""
    await _automate(hass, times=1)
    before = {light: _appearance(hass, light) for light in LIGHTS}
    for uid in range(1, 20):
        _fire(hass, uid=uid)
    await hass.async_block_till_done()
    assert {light: _appearance(hass, light) for light in LIGHTS} == before
    assert "Already running" not in caplog.text
