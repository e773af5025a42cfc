"""The blueprint that flashes lights, with lights of many kinds.

The phases of a flash, and what is late, take so little time that the tests can wait for it.
"""

import asyncio
from datetime import UTC, datetime
import logging
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from homeassistant.components.light import ColorMode
from homeassistant.core import HomeAssistant
from homeassistant.helpers import area_registry as ar, entity_registry as er
from homeassistant.setup import async_setup_component

from .. import get_state, make_arrival
from ..automations import device_id, make_entry
from ..conftest import FakeWatcher
from .lights import DisconnectedLight, FakeLight, add_lights, shown

BLUEPRINT = (
    Path(__file__).parents[3]
    / "blueprints"
    / "automation"
    / "imap_push"
    / "flash_light.yaml"
)
# Seconds: between on and off, for a command, and until a light reports.
PHASE = 0.05
SLOW = 0.05
LATE = 0.4
FASTER = {
    "milliseconds: 250": f"seconds: {PHASE}",
    "timeout: 10\n": f"timeout: {2 * LATE}\n",
}

AUTOMATION = "automation.flash"
LAMP = "light.lamp"
DIM: dict[str, Any] = {"brightness": 77, "rgb_color": (1, 2, 3)}
RGBWW = ColorMode.RGBWW


@pytest.fixture
def hass_config_dir(tmp_path: Path) -> str:
    """Return a configuration directory with the blueprint, which flashes faster."""
    file = tmp_path / "blueprints" / "automation" / "imap_push" / "flash_light.yaml"
    file.parent.mkdir(parents=True)
    text = BLUEPRINT.read_text()
    for seconds, less in FASTER.items():
        assert text.count(seconds) == 1
        text = text.replace(seconds, less)
    file.write_text(text)
    return str(tmp_path)


@pytest.fixture(autouse=True)
async def watcher(hass: HomeAssistant, watchers: list[FakeWatcher]) -> FakeWatcher:
    """Set up two accounts; return the watcher of "work"."""
    for component in ("homeassistant", "scene"):
        assert await async_setup_component(hass, component, {})
    for entry in (make_entry("work", "INBOX", "Bills"), make_entry("home", "INBOX")):
        entry.add_to_hass(hass)
        assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return watchers[0]


def _automation(hass: HomeAssistant, name: str = "flash", **inputs: Any) -> Any:
    """Return the configuration of an automation."""
    inputs = {
        "mailboxes": {"device_id": [device_id(hass, "work")]},
        "lights": [LAMP],
        "times": 2,
        **inputs,
    }
    blueprint = {"path": "imap_push/flash_light.yaml", "input": inputs}
    return {"id": name, "alias": name, "use_blueprint": blueprint}


async def _automate(hass: HomeAssistant, *automations: Any) -> None:
    """Create automations from the blueprint."""
    config = {"automation": list(automations)}
    assert await async_setup_component(hass, "automation", config)
    await hass.async_block_till_done()
    for automation in automations:
        assert get_state(hass, f"automation.{automation['alias']}").state == "on"


async def _deliver(
    watcher: FakeWatcher, *, catch_up: bool = False, **mail: Any
) -> None:
    """Deliver a mail."""
    arrival = make_arrival(**mail)._replace(catch_up=catch_up)
    await watcher.listener.mail_arrived(arrival)


async def _until_idle(hass: HomeAssistant) -> None:
    """Wait until no automation runs, and every light has reported."""
    async with asyncio.timeout(10):
        while FakeLight.coming or any(
            state.attributes.get("current")
            for state in hass.states.async_all("automation")
        ):
            await asyncio.sleep(PHASE / 4)
    await hass.async_block_till_done()


async def _in_phase(light: FakeLight, phase: int) -> None:
    """Wait until the middle of a phase of the flash; the first one is 1."""
    async with asyncio.timeout(10):
        while len(light.commands) < phase:
            await asyncio.sleep(PHASE / 10)
    await asyncio.sleep(PHASE / 2)


def _assert_silent(hass: HomeAssistant, caplog: pytest.LogCaptureFixture) -> None:
    """Assert that no scene is left, and that nothing was logged as a problem."""
    assert not hass.states.async_entity_ids("scene")
    assert not [
        record.getMessage()
        for record in caplog.records
        # Ignore warnings of asyncio about slow callbacks, which occur under load.
        if record.levelno >= logging.WARNING
        and record.name != "asyncio"
        and "which has not been tested" not in record.message
        and "isal" not in record.message
    ]


LIGHTS = [
    pytest.param([DIM], id="rgb"),
    pytest.param([{"mode": "hs", "brightness": 9, "hs_color": (10.0, 20.0)}], id="hs"),
    pytest.param([{"mode": "xy", "brightness": 9, "xy_color": (0.2, 0.3)}], id="xy"),
    pytest.param(
        [{"mode": "rgbw", "brightness": 9, "rgbw_color": (1, 2, 3, 4)}], id="rgbw"
    ),
    pytest.param(
        [{"mode": "rgbww", "brightness": 9, "rgbww_color": (1, 2, 3, 4, 5)}], id="rgbww"
    ),
    pytest.param(
        [{"mode": "color_temp", "brightness": 9, "color_temp_kelvin": 3000}], id="white"
    ),
    pytest.param([{"mode": "brightness", "brightness": 9}], id="brightness"),
    pytest.param([{"mode": "onoff"}], id="switch"),
    pytest.param([{"on": False, **DIM}], id="off"),
    pytest.param([{"on": False, "mode": "onoff"}], id="switch that is off"),
    pytest.param([{"late": LATE, **DIM}], id="late"),
    pytest.param([{"late": LATE, "mode": "onoff"}], id="late switch"),
    pytest.param(
        [{"late": LATE, "on": False, "mode": "onoff"}], id="late switch that is off"
    ),
    pytest.param(
        [{"late": LATE, "mode": "brightness", "brightness": 9}], id="late brightness"
    ),
    pytest.param([{"seconds": SLOW, **DIM}], id="slow"),
    pytest.param(
        [DIM, {"on": False, **DIM}, {"late": LATE, **DIM}, {"seconds": SLOW, **DIM}],
        id="several",
    ),
]


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("kinds", LIGHTS)
async def test_lights_flash_and_are_restored(
    hass: HomeAssistant,
    watcher: FakeWatcher,
    caplog: pytest.LogCaptureFixture,
    kinds: list[dict[str, Any]],
    times: int,
) -> None:
    """Every kind of light is on and off as often as configured, and then as before."""
    lights = [
        FakeLight(
            f"Lamp {number}", **{**kind, "mode": ColorMode(kind.get("mode", "rgb"))}
        )
        for number, kind in enumerate(kinds)
    ]
    await add_lights(hass, *lights)
    ids = [light.entity_id for light in lights]
    await _automate(hass, _automation(hass, lights=ids, times=times))
    before = shown(lights)
    await _deliver(watcher)
    await _until_idle(hass)
    for light in lights:
        assert light.commands[:-1] == [True, False] * times
        assert get_state(hass, light.entity_id).state == "on" if light.shown else "off"
    assert shown(lights) == before
    _assert_silent(hass, caplog)


async def test_color_and_brightness_of_the_flash(
    hass: HomeAssistant, watcher: FakeWatcher
) -> None:
    """The lamp is as bright as it can be."""
    lamp = FakeLight(**DIM)
    await add_lights(hass, lamp)
    await _automate(hass, _automation(hass, color=[255, 0, 0]))
    await _deliver(watcher)
    await asyncio.sleep(PHASE / 2)
    assert lamp.shown == {"brightness": 255, "rgb_color": (255, 0, 0)}
    await _until_idle(hass)


@pytest.mark.parametrize("late", [None, LATE], ids=["prompt", "late"])
@pytest.mark.parametrize("phases", [0, 0.3, 0.8, 1.5, 2.5, 3.5, 4.5])
async def test_two_automations_flash_one_lamp(
    hass: HomeAssistant,
    watcher: FakeWatcher,
    caplog: pytest.LogCaptureFixture,
    phases: float,
    late: float | None,
) -> None:
    """The second one waits for the first one. At 0 phases, one mail starts both."""
    lamp = FakeLight(late=late, **DIM)
    await add_lights(hass, lamp)
    await _automate(
        hass,
        _automation(hass, "boss", subject=["boss"], color=[255, 0, 0]),
        _automation(hass, "family", subject=["family"], color=[0, 255, 0]),
        _automation(hass, "all", subject=["family"], lights=[LAMP, "light.gone"]),
    )
    if phases:
        await _deliver(watcher, subject="from the boss")
        await asyncio.sleep(phases * PHASE)
        await _deliver(watcher, subject="from the family")
    else:
        await _deliver(watcher, subject="boss and family")
    await _until_idle(hass)
    assert lamp.commands == [True, False, True, False, True] * 3
    assert lamp.shown == DIM
    _assert_silent(hass, caplog)


async def test_many_mails_at_a_time_cause_one_flash(
    hass: HomeAssistant, watcher: FakeWatcher, caplog: pytest.LogCaptureFixture
) -> None:
    """The others are ignored."""
    lamp = FakeLight(**DIM)
    await add_lights(hass, lamp)
    await _automate(hass, _automation(hass, times=1))
    for uid in range(1, 20):
        await _deliver(watcher, uid=uid)
    await _until_idle(hass)
    assert lamp.commands == [True, False, True]
    assert lamp.shown == DIM
    _assert_silent(hass, caplog)


async def test_lights_without_a_known_state_flash(
    hass: HomeAssistant, watcher: FakeWatcher, caplog: pytest.LogCaptureFixture
) -> None:
    """They are off afterwards."""
    lamp = FakeLight(on=None, mode=ColorMode.ONOFF)
    await add_lights(hass, lamp)
    assert get_state(hass, LAMP).state == "unknown"
    await _automate(hass, _automation(hass))
    await _deliver(watcher)
    await _until_idle(hass)
    assert lamp.commands == [True, False, True, False, False]
    _assert_silent(hass, caplog)


async def test_a_group_flashes_its_lights(
    hass: HomeAssistant, watcher: FakeWatcher, caplog: pytest.LogCaptureFixture
) -> None:
    """Each of them is restored, and a light in two groups flashes like the others."""
    lights = [FakeLight("One", **DIM), FakeLight("Two", on=False, **DIM)]
    await add_lights(hass, *lights)
    members = {"entities": ["light.one", "light.two"]}
    groups = {"inner": members, "outer": {"entities": ["group.inner", "light.one"]}}
    assert await async_setup_component(hass, "group", {"group": groups})
    await hass.async_block_till_done()
    await _automate(hass, _automation(hass, lights=["group.outer", "light.two"]))
    await _deliver(watcher)
    await _until_idle(hass)
    assert shown(lights) == [DIM, None]
    for light in lights:
        assert light.commands[:-1] == [True, False] * 2
    _assert_silent(hass, caplog)


async def test_unavailable_lights(hass: HomeAssistant, watcher: FakeWatcher) -> None:
    """Other lights flash. A light that is unavailable in between is restored when it is back."""
    lights = [
        FakeLight("Away", available=False, **DIM),
        FakeLight("Returns", **DIM),
        FakeLight("Stays", **DIM),
        DisconnectedLight("Broken", **DIM),
    ]
    await add_lights(hass, *lights)
    ids = [light.entity_id for light in lights]
    await _automate(hass, _automation(hass, lights=[*ids, "light.gone"]))
    await _deliver(watcher)
    await asyncio.sleep(PHASE / 2)
    lights[1].become_available(False)
    await asyncio.sleep(6 * PHASE)
    assert lights[1].shown != DIM
    lights[1].become_available(True)
    await _until_idle(hass)
    assert shown(lights) == [DIM, DIM, DIM, DIM]
    assert not lights[0].commands
    assert not hass.states.async_entity_ids("scene")


@pytest.mark.parametrize(
    ("service", "data"),
    [
        pytest.param("light.turn_off", {"entity_id": LAMP}, id="off"),
        pytest.param("light.turn_off", {"entity_id": [LAMP]}, id="list"),
        pytest.param("light.turn_off", {"area_id": "kitchen"}, id="area"),
        pytest.param("light.turn_off", {"entity_id": "group.all"}, id="group"),
        pytest.param("homeassistant.turn_off", {"entity_id": LAMP}, id="other service"),
    ],
)
@pytest.mark.parametrize("phase", [1, 2, 3])
async def test_a_light_that_somebody_turns_off_stays_off(
    hass: HomeAssistant,
    watcher: FakeWatcher,
    caplog: pytest.LogCaptureFixture,
    service: str,
    data: dict[str, Any],
    phase: int,
) -> None:
    """The other light flashes on and is restored."""
    lights = [FakeLight(**DIM), FakeLight("Other", **DIM)]
    await add_lights(hass, *lights)
    area = ar.async_get(hass).async_create("Kitchen")
    er.async_get(hass).async_update_entity(LAMP, area_id=area.id)
    group = {"all": {"entities": [LAMP]}}
    assert await async_setup_component(hass, "group", {"group": group})
    await _automate(hass, _automation(hass, lights=[LAMP, "light.other"], times=3))
    await _deliver(watcher)
    await _in_phase(lights[0], phase)
    domain, action = service.split(".")
    await hass.services.async_call(domain, action, data, blocking=True)
    await _until_idle(hass)
    assert shown(lights) == [None, DIM]
    assert lights[1].commands == [True, False] * 3 + [True]
    _assert_silent(hass, caplog)


async def _reload(hass: HomeAssistant, **changes: Any) -> None:
    config = {"automation": [_automation(hass, **changes)]}
    with patch(
        "homeassistant.config.load_yaml_config_file", autospec=True, return_value=config
    ):
        await hass.services.async_call("automation", "reload", blocking=True)


async def _interrupt(hass: HomeAssistant, how: str) -> None:
    """Interrupt the automation, as a user can."""
    match how:
        case "edited":
            await _reload(hass, times=4, lights=[LAMP])
        case "reloaded":
            await _reload(hass, times=3, lights=[LAMP, "light.two", "light.three"])
        case "restart":
            for job in list(hass._shutdown_jobs):
                if task := hass.async_run_hass_job(job.job, *job.args):
                    await task
        case _:
            target = {"entity_id": AUTOMATION}
            await hass.services.async_call("automation", how, target, blocking=True)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param({}, id="prompt"),
        pytest.param({"seconds": SLOW}, id="slow"),
        pytest.param({"travel": SLOW}, id="far"),
    ],
)
@pytest.mark.parametrize("phase", [1, 2, 3])
@pytest.mark.parametrize("how", ["turn_off", "toggle", "edited", "reloaded", "restart"])
async def test_lights_are_restored_if_the_flash_is_interrupted(
    hass: HomeAssistant,
    watcher: FakeWatcher,
    caplog: pytest.LogCaptureFixture,
    how: str,
    phase: int,
    kind: dict[str, Any],
) -> None:
    """At a restart, they are restored before Home Assistant stops its integrations."""
    lights = [FakeLight(name, **DIM, **kind) for name in ("Lamp", "Two", "Three")]
    await add_lights(hass, *lights)
    ids = [light.entity_id for light in lights]
    await _automate(hass, _automation(hass, lights=ids, times=3))
    await _deliver(watcher)
    await _in_phase(lights[0], phase)
    assert shown(lights) != [DIM, DIM, DIM]
    await _interrupt(hass, how)
    if how == "restart":
        assert shown(lights) == [DIM, DIM, DIM]
    await _until_idle(hass)
    assert shown(lights) == [DIM, DIM, DIM]
    _assert_silent(hass, caplog)


async def test_automations_are_turned_off_together(
    hass: HomeAssistant, watcher: FakeWatcher, caplog: pytest.LogCaptureFixture
) -> None:
    """The lights of each of them are restored."""
    names = ["one", "two", "three", "four"]
    lights = [FakeLight(name, travel=SLOW, **DIM) for name in names]
    await add_lights(hass, *lights)
    await _automate(
        hass, *(_automation(hass, name, lights=[f"light.{name}"]) for name in names)
    )
    await _deliver(watcher)
    await _in_phase(lights[-1], 1)
    target = {"entity_id": [f"automation.{name}" for name in names]}
    await hass.services.async_call("automation", "turn_off", target, blocking=True)
    assert shown(lights) == [DIM] * len(lights)
    await _until_idle(hass)
    assert shown(lights) == [DIM] * len(lights)
    _assert_silent(hass, caplog)


@pytest.fixture
async def stopped(hass: HomeAssistant, watcher: FakeWatcher) -> FakeLight:
    """Return a lamp whose automation was stopped so suddenly that the lamp stays blue."""
    lamp = FakeLight(**DIM)
    await add_lights(hass, lamp)
    await _automate(
        hass, _automation(hass, times=1), _automation(hass, "other", subject=["y"])
    )
    scene = {"scene_id": "imap_push_flash_flash", "snapshot_entities": [LAMP]}
    await hass.services.async_call(
        "automation", "turn_off", {"entity_id": AUTOMATION}, blocking=True
    )
    await hass.services.async_call("scene", "create", scene, blocking=True)
    blue = {"entity_id": LAMP, "rgb_color": [0, 0, 255], "brightness": 255}
    await hass.services.async_call("light", "turn_on", blue, blocking=True)
    lamp.commands.clear()
    return lamp


@pytest.mark.parametrize("cause", ["turned on again", "other automation"])
async def test_lights_are_restored_later(
    hass: HomeAssistant,
    watcher: FakeWatcher,
    caplog: pytest.LogCaptureFixture,
    stopped: FakeLight,
    cause: str,
) -> None:
    """If an automation was stopped before it could restore them."""
    if cause == "other automation":
        await _deliver(watcher, subject="y")
    else:
        await hass.services.async_call(
            "automation", "turn_on", {"entity_id": AUTOMATION}, blocking=True
        )
    await hass.async_block_till_done()
    await _until_idle(hass)
    assert stopped.shown == DIM
    _assert_silent(hass, caplog)


# At 3 p.m., with the sun below the horizon and nobody at home.
@pytest.mark.parametrize(
    ("inputs", "mail", "flashes"),
    [
        pytest.param({}, {}, True, id="any mail"),
        pytest.param({}, {"folder": "Bills"}, True, id="another folder"),
        pytest.param({}, {"subject": "", "sender": ""}, True, id="empty mail"),
        pytest.param({"sender": ["example.org"]}, {}, True, id="sender"),
        pytest.param({"sender": ["bank.example"]}, {}, False, id="another sender"),
        pytest.param({"subject": ["ORDER"]}, {}, True, id="subject"),
        pytest.param({"subject": ["invoice"]}, {}, False, id="another subject"),
        pytest.param({}, {"bulk": True}, False, id="bulk"),
        pytest.param({"ignore_bulk": False}, {"bulk": True}, True, id="bulk, too"),
        pytest.param({}, {"catch_up": True}, False, id="missed"),
        pytest.param(
            {"ignore_catch_up": False}, {"catch_up": True}, True, id="missed, too"
        ),
        pytest.param({"not_before": "16:00:00"}, {}, False, id="too early"),
        pytest.param({"not_after": "15:00:00"}, {}, False, id="too late"),
        pytest.param({"not_before": "9:00"}, {}, True, id="time without a zero"),
        pytest.param(
            {"not_before": "15:00:00", "not_after": "15:01:00"}, {}, True, id="in time"
        ),
        pytest.param(
            {"not_before": "22:00:00", "not_after": "07:00:00"},
            {},
            False,
            id="not at night",
        ),
        pytest.param(
            {"not_before": "14:00:00", "not_after": "07:00:00"},
            {},
            True,
            id="over midnight",
        ),
        pytest.param({"only_when_dark": True}, {}, True, id="dark"),
        pytest.param({"only_when_home": True}, {}, False, id="nobody at home"),
        pytest.param({"lights": []}, {}, False, id="no lights"),
        pytest.param({"lights": ["light.gone"]}, {}, False, id="light that is gone"),
        pytest.param({"times": 0}, {}, False, id="no flashes"),
        pytest.param(
            dict.fromkeys(
                (
                    *("color", "times", "sender", "subject", "not_before"),
                    *("not_after", "only_when_dark", "only_when_home"),
                )
            ),
            {},
            True,
            id="inputs without values",
        ),
    ],
)
async def test_only_some_mail_flashes(
    hass: HomeAssistant,
    watcher: FakeWatcher,
    watchers: list[FakeWatcher],
    caplog: pytest.LogCaptureFixture,
    inputs: dict[str, Any],
    mail: dict[str, Any],
    flashes: bool,
) -> None:
    """Mail of the other account never does."""
    await hass.config.async_set_time_zone("UTC")
    lamp = FakeLight(**DIM)
    await add_lights(hass, lamp)
    hass.states.async_set("sun.sun", "below_horizon")
    hass.states.async_set("zone.home", "0")
    await _automate(hass, _automation(hass, **inputs))
    # Not frozen, because delays would not end.
    at_three = datetime(2026, 11, 3, 15, tzinfo=UTC)
    with patch("homeassistant.util.dt.now", return_value=at_three):
        await _deliver(watchers[1])
        await _deliver(watcher, **mail)
        await _until_idle(hass)
    assert (True in lamp.commands[:-1]) is flashes
    assert lamp.shown == DIM
    _assert_silent(hass, caplog)


@pytest.mark.parametrize("home", [True, False])
async def test_by_day_when_someone_is_home(
    hass: HomeAssistant, watcher: FakeWatcher, home: bool
) -> None:
    """The lights flash if they may flash by day."""
    lamp = FakeLight(**DIM)
    await add_lights(hass, lamp)
    hass.states.async_set("sun.sun", "above_horizon")
    hass.states.async_set("zone.home", "1")
    await _automate(
        hass, _automation(hass, only_when_dark=not home, only_when_home=home)
    )
    await _deliver(watcher)
    await _until_idle(hass)
    assert bool(lamp.commands) is home


async def test_run_in_the_menu_flashes(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture
) -> None:
    """Also at a time when mail would not, but not twice at a time."""
    lamp = FakeLight(**DIM)
    await add_lights(hass, lamp)
    await _automate(hass, _automation(hass, only_when_home=True))
    for _ in range(2):
        await hass.services.async_call(
            "automation", "trigger", {"entity_id": AUTOMATION}
        )
    await _until_idle(hass)
    assert lamp.commands == [True, False, True, False, True]
    assert lamp.shown == DIM
    _assert_silent(hass, caplog)
