"""The examples of automations in the documentation."""

from collections.abc import Collection
from pathlib import Path
import re
from typing import Any, cast

import pytest

from custom_components.imap_push import condition, trigger
from custom_components.imap_push.imap import FolderState
from custom_components.imap_push.mail import filter as mail_filter, patterns
from homeassistant.components.automation.config import async_validate_config_item
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.template import Template
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import parse_yaml

from .. import READABLE, make_mail, make_state
from ..conftest import FakeWatcher

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
PAGES = {name: (DOCS / name).read_text() for name in ("triggers.md", "conditions.md")}
DASHBOARDS = DOCS / "dashboards.md"
OTHERS = [
    ROOT / "README.md",
    DASHBOARDS,
    DOCS / "core-imap.md",
    DOCS / "recipes.md",
]
EXAMPLES = [
    pytest.param(example, id=f"{name} {number}")
    for name, page in (PAGES | {path.name: path.read_text() for path in OTHERS}).items()
    for number, example in enumerate(re.findall(r"```yaml\n(.*?)```", page, re.DOTALL))
    # Not a card, and not a part of configuration.yaml.
    if not example.startswith(("type:", "rest_command:"))
]
CARDS = [
    cast(dict[str, Any], parse_yaml(card))
    for card in re.findall(r"```yaml\n(type:.*?)```", DASHBOARDS.read_text(), re.DOTALL)
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


@READABLE
async def test_entities_on_dashboards_exist(
    watcher: FakeWatcher, entity_registry: er.EntityRegistry
) -> None:
    """The IDs in all examples are those that the integration chooses."""
    names = {*re.findall(r"\b\w+\.jane_\w+", DASHBOARDS.read_text())}
    assert len(names) == 4
    assert names <= entity_registry.entities.keys()


@READABLE
async def test_card_shows_no_markdown_of_a_sender(
    hass: HomeAssistant, watcher: FakeWatcher
) -> None:
    """The template of the Markdown card leaves only words of sender and subject."""
    [card] = [card for card in CARDS if card["type"] == "markdown"]
    subject = "Invoice 7: ![x](https://x.example/1.gif) <img src=//x> *b*"
    mail = make_mail(sender_name="Jörg's [shop]", subject=subject)
    state = FolderState(available=True, last_mail=mail)
    watcher.listener.state_changed(make_state({"INBOX": state}))
    text = Template(card["content"], hass).async_render()
    assert text == "Jörgs shop: Invoice 7 xhttpsx.example1.gif img srcx b"
