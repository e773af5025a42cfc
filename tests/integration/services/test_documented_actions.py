"""The examples of actions in the documentation."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
import re
from typing import Any
from unittest.mock import Mock

import pytest
from pytest_homeassistant_custom_component.common import async_mock_service
import voluptuous as vol

from custom_components.imap_push import services
from custom_components.imap_push.imap import (
    Attachment,
    FolderInfo,
    FolderRole,
    MessageContent,
    StoreResult,
)
from custom_components.imap_push.mail import service_schemas as service_data
import homeassistant.components
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.selector import selector
from homeassistant.setup import async_setup_component
from homeassistant.util.yaml import load_yaml_dict, parse_yaml

from .. import NEW_MAIL, make_arrival, make_mail
from ..conftest import FakeWatcher

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "actions.md").read_text()
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
        data = call.get("data", {})
        schema({key: values.get(key, data[key]) for key in data})


@pytest.mark.parametrize(
    "page",
    sorted([*DOCS.glob("*.md"), DOCS.parent / "README.md"]),
    ids=lambda p: p.name,
)
def test_no_action_that_needs_a_legacy_notifier(page: Path) -> None:
    """A new Home Assistant does not have `notify.notify`."""
    assert not re.search(r"\bnotify\.notify\b", page.read_text())


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


INVOICE = Attachment(
    part="2", filename="invoice.pdf", content_type="application/pdf", size=1400
)
CATALOG = Attachment(
    part="3", filename="catalog.pdf", content_type="application/pdf", size=9
)
REPORT = Attachment(
    part="1.10", filename="day.json", content_type="application/json", size=9
)
AUTOMATIONS = {
    automation["alias"]: automation
    for block in BLOCKS
    if isinstance(block, dict)
    for automation in block.get("automation", ())
}
# A mail that starts the automation, and the calls of other actions, with their data.
RUNS: dict[str, tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]] = {
    "File emails from the shop": ({"sender": "shop@example.com"}, []),
    "Keep invoices": (
        {"subject": "Your invoice", "attachments": (INVOICE, CATALOG)},
        [
            (
                "notify.send_message",
                {"message": "Saved: invoice.pdf. Not saved: catalog.pdf."},
            )
        ],
    ),
    "Forward messages from the alarm company to a phone": (
        {"sender": "alarm@example.com"},
        [("notify.send_message", {"title": "Your order", "message": "All is well"})],
    ),
    "Read the inverter's report": (
        {"sender": "inverter@example.com", "attachments": (REPORT,)},
        [("input_number.set_value", {"value": 4.2})],
    ),
    "Answer the boss during a vacation": (
        {"sender": "boss@example.com"},
        [
            (
                "smtp.send_message",
                {
                    "title": "Re: Your order",
                    "message": "Thank you for your email. I am on vacation and will answer next week.",
                },
            )
        ],
    ),
}
# What the client is asked to do; the folder for archived mail is named otherwise.
REQUESTS: dict[str, dict[str, Any]] = {
    "File emails from the shop": {
        "set_flags": {"add": [r"\Seen"], "remove": ()},
        "move": "Vieux",
    },
    "Answer the boss during a vacation": {
        "set_flags": {"add": [r"\Answered"], "remove": []},
    },
}


def test_every_automation_is_run() -> None:
    """None is left out."""
    assert set(AUTOMATIONS) == set(RUNS)


@pytest.mark.parametrize("alias", RUNS)
async def test_automation(
    hass: HomeAssistant,
    imap_client: Mock,
    watcher: FakeWatcher,
    tmp_path: Path,
    alias: str,
) -> None:
    """It runs without an error, and does what the page says."""
    changes, expected = RUNS[alias]
    hass.config.media_dirs = {"local": str(tmp_path)}
    hass.states.async_set("input_boolean.vacation", "on")
    _let_client_answer(imap_client, make_mail(**changes))
    calls = [
        async_mock_service(hass, domain, service, schema)
        for domain, service, schema in (
            ("notify", "send_message", None),
            ("smtp", "send_message", _schema_of("smtp", "send_message")),
            ("input_number", "set_value", None),
        )
    ]
    config = _replaced(AUTOMATIONS[alias], "/media", str(tmp_path))
    config = _replaced(config, "event.jane_inbox_new_mail", NEW_MAIL)
    assert await async_setup_component(hass, "automation", {"automation": config})
    await watcher.listener.mail_arrived(make_arrival(**changes))
    await hass.async_block_till_done()
    done = [
        (
            f"{call.domain}.{call.service}",
            {key: call.data[key] for key in call.data if key != "entity_id"},
        )
        for made in calls
        for call in made
    ]
    assert done == expected
    requests = REQUESTS.get(alias, {})
    for name in ("set_flags", "move"):
        mocked = getattr(imap_client, name)
        match requests.get(name):
            case None:
                mocked.assert_not_called()
            case str(target):
                mocked.assert_awaited_once_with("INBOX", 3, [7], target)
            case flags:
                mocked.assert_awaited_once_with("INBOX", 3, [7], **flags)


def _schema_of(domain: str, action: str) -> vol.Schema:
    """Return a schema with the fields that an integration of Home Assistant describes."""
    [folder] = homeassistant.components.__path__
    described = load_yaml_dict(f"{folder}/{domain}/services.yaml")[action]
    fields = {
        (vol.Required if field.get("required") else vol.Optional)(name): selector(
            field["selector"]
        )
        for name, field in described["fields"].items()
    }
    assert described["target"]
    return vol.Schema({vol.Required("entity_id"): cv.entity_ids, **fields})


def _replaced(tree: Any, old: str, new: str) -> Any:
    """Replace a text in all values of an example."""
    if isinstance(tree, dict):
        return {key: _replaced(value, old, new) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_replaced(value, old, new) for value in tree]
    return tree.replace(old, new) if isinstance(tree, str) else tree


def _let_client_answer(imap_client: Mock, mail: Any) -> None:
    async def read_part(*args: Any) -> AsyncIterator[bytes]:
        yield b"x" * (26_000_000 if args[-1] == "3" else 10)

    def content(*_: object, part: str | None, **__: object) -> MessageContent:
        text = "All is well" if part is None else '{"energy": 4.2}'
        return MessageContent(mail=mail, text=text if part != "1.1" else "")

    imap_client.mails.return_value = [mail]
    imap_client.read_part.side_effect = read_part
    imap_client.content.side_effect = content
    imap_client.folders.return_value = [
        FolderInfo(name="Vieux", role=FolderRole.ARCHIVE)
    ]
    for name in ("set_flags", "move"):
        getattr(imap_client, name).return_value = StoreResult(uids=(7,))


def _markers(action: str) -> list[Any]:
    """Return the fields in an action's schema."""
    schema: Any = getattr(service_data, f"{action.upper()}_SCHEMA")
    while not hasattr(schema, "schema"):
        schema = schema.validators[-1]
    return list(schema.schema)
