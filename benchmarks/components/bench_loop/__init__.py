"""A component that measures how long Home Assistant's event loop is blocked."""

from typing import Any, Final

import voluptuous as vol

from homeassistant.components import websocket_api
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import ConfigType

from .meter import LoopMeter

DOMAIN: Final = "bench_loop"
CONFIG_SCHEMA = cv.empty_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register two websocket commands. The timer starts with the first one."""
    meter = LoopMeter(hass.loop)

    @websocket_api.websocket_command({vol.Required("type"): "bench_loop/start"})
    @callback
    def start(
        _hass: HomeAssistant,
        connection: websocket_api.ActiveConnection,
        message: dict[str, Any],
    ) -> None:
        """Start measuring."""
        meter.start()
        connection.send_result(message["id"])

    @websocket_api.websocket_command({vol.Required("type"): "bench_loop/stop"})
    @callback
    def stop(
        _hass: HomeAssistant,
        connection: websocket_api.ActiveConnection,
        message: dict[str, Any],
    ) -> None:
        """Stop measuring and send the figures."""
        connection.send_result(message["id"], meter.stop())

    websocket_api.async_register_command(hass, start)
    websocket_api.async_register_command(hass, stop)
    return True
