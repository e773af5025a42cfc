"""A custom integration for tests that logs every new_mail to a file, also before a SIGKILL."""

import json
import os
from typing import Any, Final

from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers.typing import ConfigType

DOMAIN: Final = "event_log"
FILE: Final = "events.jsonl"
KEYS: Final = ("entry_id", "uid", "catch_up")


async def async_setup(hass: HomeAssistant, _config: ConfigType) -> bool:
    """Append a line to the file synchronously for each event."""
    flags = os.O_APPEND | os.O_CREAT | os.O_WRONLY
    path = hass.config.path(FILE)
    file = await hass.async_add_executor_job(os.open, path, flags, 0o600)

    @callback
    def append(event: Event[dict[str, Any]]) -> None:
        values = {key: event.data[key] for key in KEYS}
        line = json.dumps({"fired": event.time_fired_timestamp, **values})
        # os.write hands the line to the kernel, so a SIGKILL of this process cannot lose it.
        os.write(file, f"{line}\n".encode())

    hass.bus.async_listen("new_mail", append)
    return True
