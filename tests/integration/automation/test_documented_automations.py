"""The examples of automations in the documentation."""

from collections.abc import Collection
from pathlib import Path
import re
from typing import Any, cast

import pytest

from custom_components.imap_push import condition, trigger
from custom_components.imap_push.mail import filter as mail_filter, patterns
from homeassistant.components.automation.config import async_validate_config_item
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import parse_yaml

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
PAGES = {name: (DOCS / name).read_text() for name in ("triggers.md", "conditions.md")}
OTHERS = [ROOT / "README.md", DOCS / "core-imap.md"]
EXAMPLES = [
    pytest.param(example, id=f"{name} {number}")
    for name, page in (PAGES | {path.name: path.read_text() for path in OTHERS}).items()
    for number, example in enumerate(re.findall(r"```yaml\n(.*?)```", page, re.DOTALL))
]
TIME = {"trigger": "time", "at": "12:00:00"}


@pytest.mark.parametrize("example", EXAMPLES)
async def test_example_is_valid(hass: HomeAssistant, example: str) -> None:
    """Users can paste it. A condition or actions without a trigger get one here."""
    assert await async_setup_component(hass, "automation", {})
    config = cast(dict[str, Any], parse_yaml(example))
    if "automation" in config:
        [config] = config["automation"]
    config = {"triggers": [TIME], "actions": []} | config
    validated = await async_validate_config_item(hass, "example", config)
    assert validated is not None
    assert validated.validation_error is None


async def test_every_trigger_and_condition_has_its_page(hass: HomeAssistant) -> None:
    """The page has all required sections."""
    parts = [
        "In the automation editor",
        "In YAML",
        "Options",
        "Good to know",
        "Examples",
    ]
    keys: dict[str, Collection[str]] = {
        "triggers.md": await trigger.async_get_triggers(hass),
        "conditions.md": await condition.async_get_conditions(hass),
    }
    for name, page in PAGES.items():
        for key in keys[name]:
            assert f"`imap_push.{key}`" in page
        for part in parts:
            assert page.count(f"\n### {part}\n") == len(keys[name])


def test_every_option_is_in_the_table() -> None:
    """The limits are documented, too."""
    options = re.findall(r"^\| `(\w+)` \|", PAGES["triggers.md"], re.MULTILINE)
    assert options == [str(marker) for marker in mail_filter.FILTER_FIELDS]
    limits = f"{patterns.MAX_PATTERN} characters, a list {patterns.MAX_PATTERNS}"
    assert limits in PAGES["triggers.md"]
