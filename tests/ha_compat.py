"""Let one test harness serve both Home Assistant versions.

A pytest plugin, loaded with `-p` before the plugins of installed packages.
pytest-homeassistant-custom-component 0.13.375 is made for Home Assistant 2026.10;
on 2026.11 it fails for two reasons, and this module takes both away:

- Home Assistant replaces httpx with httpx2, and has to come before the first import
  of httpx: here it does.
- `_clear_logger_overwrites` is no longer to be had from `components.logger`, only from
  its `helpers`.

The harness patches functions of Home Assistant that other modules bind when they are
imported. So these patches stay the first thing that happens, in the harness's order.
"""

from homeassistant import const  # noqa: F401  # isort: skip
from pytest_homeassistant_custom_component import patch_json  # noqa: F401  # isort: skip
from pytest_homeassistant_custom_component import patch_recorder  # noqa: F401  # isort: skip
from pytest_homeassistant_custom_component import patch_time  # noqa: F401  # isort: skip

from homeassistant.components import logger
from homeassistant.components.logger import helpers

if not hasattr(logger, "_clear_logger_overwrites"):
    vars(logger)["_clear_logger_overwrites"] = helpers._clear_logger_overwrites
