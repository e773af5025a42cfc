"""A custom integration for tests: writes down every new mail in a way that outlasts SIGKILL."""

import json
import os
from typing import Any, Final

from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers.typing import ConfigType

DOMAIN: Final = "event_log"
FILE: Final = "events.jsonl"
KEPT: Final = ("entry_id", "uid", "catch_up")


async def async_setup(hass: HomeAssistant, _config: ConfigType) -> bool:
    """Append a line to the file in the moment of each event."""
    flags = os.O_APPEND | os.O_CREAT | os.O_WRONLY
    path = hass.config.path(FILE)
    file = await hass.async_add_executor_job(os.open, path, flags, 0o600)

    @callback
    def write_down(event: Event[dict[str, Any]]) -> None:
        kept = {key: event.data[key] for key in KEPT}
        line = json.dumps({"fired": event.time_fired_timestamp, **kept})
        # What is written is the system's, whatever becomes of this process.
        os.write(file, f"{line}\n".encode())

    hass.bus.async_listen("new_mail", write_down)
    return True
