"""Make the test harness of Home Assistant 2026.10 work with 2026.11.

A pytest plugin, loaded with `-p` before the plugins of installed packages.
pytest-homeassistant-custom-component 0.13.375 is made for Home Assistant 2026.10.
On 2026.11 it fails for two reasons, which this module works around:

- Home Assistant replaces httpx with httpx2 and has to be imported before httpx.
- `_clear_logger_overwrites` has moved from `components.logger` to its `helpers`.

The harness patches functions of Home Assistant that other modules bind at import. So its
patches have to be imported first, in the same order as in the harness.
"""

from homeassistant import const  # noqa: F401  # isort: skip
from pytest_homeassistant_custom_component import patch_json  # noqa: F401  # isort: skip
from pytest_homeassistant_custom_component import patch_recorder  # noqa: F401  # isort: skip
from pytest_homeassistant_custom_component import patch_time  # noqa: F401  # isort: skip

from homeassistant.components import logger
from homeassistant.components.logger import helpers

if not hasattr(logger, "_clear_logger_overwrites"):
    vars(logger)["_clear_logger_overwrites"] = helpers._clear_logger_overwrites
