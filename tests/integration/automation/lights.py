"""Lights for tests: a lamp, and what Home Assistant knows of it."""

import asyncio
from collections.abc import Iterable
from typing import Any, ClassVar, override

from pytest_homeassistant_custom_component.common import setup_test_component_platform

from homeassistant.components.light import ColorMode, LightEntity
from homeassistant.core import HomeAssistant, callback
from homeassistant.setup import async_setup_component

# What a lamp shows: None if it is off.
type Shown = dict[str, Any] | None

_ATTRIBUTES = (
    "brightness",
    "color_temp_kelvin",
    "effect",
    "hs_color",
    "rgb_color",
    "rgbw_color",
    "rgbww_color",
    "xy_color",
)


class FakeLight(LightEntity):
    """A light whose lamp obeys a command at once, unless it is told otherwise.

    A command reaches the lamp after some seconds of `travel`, unless it is canceled before. It
    returns after some further `seconds`. The light reports its state some seconds `late`;
    without it, at once.
    """

    # The reports that are still to come, of all lights.
    coming: ClassVar[list[asyncio.TimerHandle]] = []

    _attr_should_poll = False
    _attr_brightness = None

    def __init__(
        self,
        name: str = "Lamp",
        *,
        on: bool | None = True,
        mode: ColorMode = ColorMode.RGB,
        available: bool = True,
        travel: float = 0,
        seconds: float = 0,
        late: float | None = None,
        **attributes: Any,
    ) -> None:
        """Show `attributes`; `on` is None for a light without a known state."""
        self._attr_name = self._attr_unique_id = name
        self._attr_supported_color_modes = {mode}
        self._attr_color_mode = mode
        self._attr_available = available
        self._travel = travel
        self._seconds = seconds
        self._late = late
        self._on = on
        self._lamp = attributes
        self._set_attributes(on, attributes)
        self.commands: list[bool] = []

    @property
    def shown(self) -> Shown:
        """Return what people see."""
        return self._lamp if self._on else None

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Turn the lamp on."""
        sent = {key: kwargs[key] for key in _ATTRIBUTES if key in kwargs}
        has_color = sent.keys() - {"brightness", "effect"}
        lamp = {"brightness": self._lamp["brightness"]} if has_color else self._lamp
        await self._async_command(True, lamp | sent)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Turn the lamp off; it keeps its color."""
        await self._async_command(False, self._lamp)

    async def _async_command(self, on: bool, lamp: dict[str, Any]) -> None:
        if self._travel:
            await asyncio.sleep(self._travel)
        self.commands.append(on)
        self._on, self._lamp = on, lamp
        if self._seconds:
            await asyncio.sleep(self._seconds)
        if self._late is None:
            self._report(on, lamp)
        else:
            loop = asyncio.get_running_loop()
            self.coming.append(loop.call_later(self._late, self._report, on, lamp))

    @callback
    def _report(self, on: bool, lamp: dict[str, Any]) -> None:
        if self._late is not None:
            self.coming.pop(0)
        self._set_attributes(on, lamp)
        self.async_write_ha_state()

    def _set_attributes(self, on: bool | None, lamp: dict[str, Any]) -> None:
        self._attr_is_on = on
        for key, value in lamp.items():
            setattr(self, f"_attr_{key}", value)

    @callback
    def become_available(self, available: bool) -> None:
        """Connect or disconnect the lamp."""
        self._attr_available = available
        self.async_write_ha_state()


class DisconnectedLight(FakeLight):
    """A light that fails to obey, such as a lamp without power."""

    @override
    async def _async_command(self, on: bool, lamp: dict[str, Any]) -> None:
        raise OSError("no power")


async def add_lights(hass: HomeAssistant, *lights: FakeLight) -> None:
    """Set up the lights."""
    setup_test_component_platform(hass, "light", lights)
    assert await async_setup_component(hass, "light", {"light": {"platform": "test"}})
    await hass.async_block_till_done()


def shown(lights: Iterable[FakeLight]) -> list[Shown]:
    """Return what people see of some lights."""
    return [light.shown for light in lights]
