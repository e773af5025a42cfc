"""A component that measures the event loop and imports inside Home Assistant."""

import time
from typing import Any, Final

import voluptuous as vol

from homeassistant.components import websocket_api
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import ConfigType
from homeassistant.loader import async_get_integration

from .meter import LoopMeter

DOMAIN: Final = "bench_loop"
CONFIG_SCHEMA = cv.empty_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the websocket commands. The timer starts with the first one."""
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

    @websocket_api.websocket_command({vol.Required("type"): "bench_loop/time"})
    @callback
    def loop_time(
        _hass: HomeAssistant,
        connection: websocket_api.ActiveConnection,
        message: dict[str, Any],
    ) -> None:
        """Send the processor time of the event loop's thread, in seconds."""
        connection.send_result(message["id"], time.thread_time())

    for command in (start, stop, loop_time, import_integration):
        websocket_api.async_register_command(hass, command)
    return True


@websocket_api.websocket_command(
    {
        vol.Required("type"): "bench_loop/import",
        vol.Required("domain"): str,
        vol.Required("platforms"): [str],
    }
)
@websocket_api.async_response
async def import_integration(
    hass: HomeAssistant,
    connection: websocket_api.ActiveConnection,
    message: dict[str, Any],
) -> None:
    """Import an integration the way Home Assistant sets it up.

    Send the processor time in milliseconds: Home Assistant does nothing else meanwhile.
    """
    integration = await async_get_integration(hass, message["domain"])
    began = time.process_time()
    await integration.async_get_component()
    await integration.async_get_platforms(message["platforms"])
    connection.send_result(message["id"], (time.process_time() - began) * 1000)
