"""The examples of actions in the documentation."""

from collections.abc import Iterator
from pathlib import Path
import re
from typing import Any

import pytest

from custom_components.imap_push import services
from custom_components.imap_push.mail import service_schemas as service_data
from homeassistant.helpers import config_validation as cv
from homeassistant.util.yaml import parse_yaml

PAGE = (Path(__file__).parents[3] / "docs/actions.md").read_text()
BLOCKS = [
    parse_yaml(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
]
ACTIONS = [
    value for name, value in vars(services).items() if name.startswith("SERVICE_")
]
MAIL = {"entry_id": "1", "folder": "INBOX", "uid": 1, "uid_validity": 1}


def _calls(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield every call of an action in an example."""
    if isinstance(tree, dict):
        if "action" in tree:
            yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for value in tree:
            yield from _calls(value)


CALLS = [call for block in BLOCKS for call in _calls(block)]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: str(call["action"]))
def test_example(call: dict[str, Any]) -> None:
    """The action exists, and its schema accepts the fields."""
    cv.SCRIPT_SCHEMA([call])
    domain, _, action = call["action"].partition(".")
    if domain == "imap_push":
        schema = getattr(service_data, f"{action.upper()}_SCHEMA")
        # Replaces templates.
        values = {"mail": MAIL, "part": "1"}
        assert schema({key: values.get(key, call["data"][key]) for key in call["data"]})


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_is_documented(action: str) -> None:
    """The page has every field, and an example."""
    assert f"imap_push.{action}" in {call["action"] for call in CALLS}
    [section] = re.findall(rf"\[`imap_push\.{action}`\]\(#([a-z-]+)\)", PAGE)
    heading = section.replace("-", " ").capitalize()
    text = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    documented = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    fields = {str(marker) for marker in _markers(action)}
    assert documented - {"mail"} == fields - (set() if action == "search" else {*MAIL})


def _markers(action: str) -> list[Any]:
    """Return the fields in an action's schema."""
    schema: Any = getattr(service_data, f"{action.upper()}_SCHEMA")
    while not hasattr(schema, "schema"):
        schema = schema.validators[-1]
    return list(schema.schema)
