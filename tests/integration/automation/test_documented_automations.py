"""The YAML examples in README.md and docs/ run in a Home Assistant with the accounts that they name."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from datetime import timedelta
from importlib import import_module
from pathlib import Path
import re
from typing import Any, cast
from unittest.mock import Mock

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
    async_mock_service,
)

from custom_components.imap_push import condition, trigger
from custom_components.imap_push.imap import (
    Attachment,
    FolderInfo,
    FolderRole,
    FolderState,
    MessageContent,
    SearchCount,
    SearchResult,
    StoreResult,
)
from custom_components.imap_push.imap.models import Authentication
from custom_components.imap_push.mail import filter as mail_filter, patterns
import homeassistant.components
from homeassistant.components.automation.config import async_validate_config_item
from homeassistant.components.trace.util import async_list_traces
from homeassistant.core import HomeAssistant
from homeassistant.helpers import (
    device_registry as dr,
    entity_registry as er,
    label_registry as lr,
)
from homeassistant.helpers.template import Template
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from homeassistant.util.yaml import load_yaml_dict, parse_yaml

from .. import READABLE, get_state, make_arrival, make_mail, make_state
from ..automations import device_id, make_entry
from ..conftest import FakeWatcher
from .lights import FakeLight, add_lights, shown

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
PAGES = {name: (DOCS / name).read_text() for name in ("triggers.md", "conditions.md")}
BLOCK = re.compile(r"^( *)```yaml\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
BLOCKS = [
    (page.name, number, cast(dict[str, Any], parse_yaml(block)))
    for page in (ROOT / "README.md", *sorted(DOCS.glob("*.md")))
    for number, (_, block) in enumerate(BLOCK.findall(page.read_text()))
]
# The first keys of what an action returns.
RESULTS = {"files", "subject", "uid_validity", "uids"}
# Parts of configuration.yaml. Some integrations need a database, or change how the tests log.
NOT_SET_UP = {"logbook", "logger", "recorder"}
CONFIGURATION = {"rest_command", "template"} | NOT_SET_UP
# Actions of integrations that connect to something, or come from another example.
ELSEWHERE = {"imap", "input_number", "mqtt", "rest_command", "smtp", "telegram_bot"}
CORE_EVENT = {"trigger": "event", "event_type": "imap_content"}
NEW_MAIL = {
    "trigger": "imap_push.new_mail",
    "target": {"entity_id": "event.jane_inbox_new_mail"},
}
WAIT_SECONDS = 5


def _automations(block: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the automations of an example; a part of one gets the rest here."""
    match block:
        case {"automation": automations}:
            return list(automations)
        case {"script": scripts}:
            return [{"actions": script["sequence"]} for script in scripts.values()]
        case {"action": _}:
            return [{"actions": [block]}]
        case {"actions": _} | {"conditions": _} | {"triggers": _}:
            return [block]
    return []


def _with(key: str) -> list[dict[str, Any]]:
    """Return the examples that have this key."""
    return [block for _, _, block in BLOCKS if key in block]


AUTOMATIONS = [
    pytest.param(automation, id=f"{page} {number}")
    for page, number, block in BLOCKS
    for automation in _automations(block)
]
CARDS = _with("type")


@pytest.mark.parametrize(
    "block", [pytest.param(block, id=f"{page} {n}") for page, n, block in BLOCKS]
)
def test_every_example_is_checked_by_a_test(block: dict[str, Any]) -> None:
    """It is an automation or a part of one, a card, a configuration, or a result."""
    kinds = (
        bool(_automations(block)),
        "type" in block,
        bool(block.keys() & CONFIGURATION),
        next(iter(block)) in RESULTS,
    )
    assert kinds.count(True) == 1


@pytest.fixture
async def jane(
    hass: HomeAssistant, imap_client: Mock, watchers: list[FakeWatcher], tmp_path: Path
) -> FakeWatcher:
    """Set up the accounts, lights and integrations of the examples; return a watcher.

    The accounts are called Jane and Work, all users may read their mail, and there is unread mail.
    """
    _let_client_answer(imap_client)
    hass.config.media_dirs = {"local": str(tmp_path)}
    for domain in ("homeassistant", "notify", "persistent_notification", "trace"):
        assert await async_setup_component(hass, domain, {})
    shades: dict[str, Any] = {"brightness": 180, "rgb_color": (255, 170, 90)}
    desk, hall = FakeLight("Desk", **shades), FakeLight("Hall", on=False, **shades)
    await add_lights(hass, desk, hall)
    assert await async_setup_component(hass, "scene", {})
    for entry in (
        make_entry("jane", "Inbox", searches={"Bills": {"folders": ["Inbox"]}}),
        make_entry("work", "Inbox", "Bills"),
    ):
        await _add(hass, entry)
    for watcher in watchers:
        state = FolderState(available=True, unread=30, last_mail=make_mail())
        watcher.listener.state_changed(make_state({"Inbox": state, "Bills": state}))
    family = lr.async_get(hass).async_create("Family")
    inbox = device_id(hass, "jane", "Inbox")
    dr.async_get(hass).async_update_device(inbox, labels={family.label_id})
    await hass.async_block_till_done()
    return watchers[0]


async def _add(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(
        entry, options={"access": "read"}, minor_version=2
    )
    assert await hass.config_entries.async_setup(entry.entry_id)


@pytest.fixture
async def _end(hass: HomeAssistant) -> AsyncIterator[None]:
    """Turn off the automation, which would wait for a time of the day."""
    yield
    for entity_id in hass.states.async_entity_ids("automation"):
        await hass.services.async_call(
            "automation", "turn_off", {"entity_id": entity_id}, blocking=True
        )


@pytest.mark.usefixtures("_end")
@pytest.mark.parametrize("automation", AUTOMATIONS)
async def test_automation_runs(
    hass: HomeAssistant,
    jane: FakeWatcher,
    watchers: list[FakeWatcher],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    automation: dict[str, Any],
) -> None:
    """Home Assistant accepts it, it starts, its conditions are met, and every action succeeds."""
    config = (
        {"alias": "It", "triggers": [_trigger_for(automation)], "actions": []}
        | _fitted(hass, automation, tmp_path)
        | {"id": "it"}
    )
    _mock_actions(hass, config)
    validated = await async_validate_config_item(hass, "it", config)
    assert validated is not None
    assert validated.validation_error is None
    _meet_conditions(hass, config)
    assert await async_setup_component(hass, "automation", {"automation": config})
    await hass.async_block_till_done()
    for started_by in config["triggers"]:
        await _start(hass, watchers, started_by)
    trace = await _trace(hass)
    assert trace["error"] is None
    assert trace["script_execution"] == "finished"
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_light_of_the_readme_is_restored(
    hass: HomeAssistant, jane: FakeWatcher
) -> None:
    """It changes for a second, and is then as before."""
    [(_, _, automation)] = [block for block in BLOCKS if block[0] == "README.md"]
    lights: list[FakeLight] = [
        entity
        for entity in hass.data["light"].entities
        if entity.entity_id == "light.desk"
    ]
    before = shown(lights)
    config = {"automation": automation | {"id": "it"}}
    assert await async_setup_component(hass, "automation", config)
    await jane.listener.mail_arrived(
        make_arrival(folder="Inbox", sender="boss@example.com")
    )
    await _trace(hass)
    assert lights[0].commands == [False, True]
    assert shown(lights) == before


@pytest.mark.parametrize("key", sorted(NOT_SET_UP))
def test_configuration_is_valid(key: str) -> None:
    """The schema of the integration accepts each example."""
    for block in _with(key):
        import_module(f"homeassistant.components.{key}").CONFIG_SCHEMA(block)


@pytest.mark.parametrize("key", sorted(CONFIGURATION - NOT_SET_UP))
async def test_configuration_is_accepted(
    hass: HomeAssistant, jane: FakeWatcher, key: str
) -> None:
    """The integration is set up with each example."""
    for block in _with(key):
        config = _replaced(block, entry_ids="jane")
        assert await async_setup_component(hass, key, config)


async def test_list_of_newest_emails(hass: HomeAssistant, jane: FakeWatcher) -> None:
    """The sensor follows new mail, and the card shows it without Markdown of the sender."""
    [block] = _with("template")
    config = _replaced(block, entry_ids="jane")
    assert await async_setup_component(hass, "template", config)
    await hass.async_block_till_done()
    await jane.listener.mail_arrived(make_arrival(folder="Inbox"))
    await hass.async_block_till_done()
    assert get_state(hass, "sensor.newest_emails").state == "1"
    [card] = [card for card in CARDS if "newest_emails" in card.get("content", "")]
    text = Template(card["content"], hass).async_render()
    assert " ".join(text.split()) == "- The Shop: Your order"


async def test_entities_of_the_examples_exist(
    hass: HomeAssistant, jane: FakeWatcher, entity_registry: er.EntityRegistry
) -> None:
    """Their IDs are those that the integration chooses."""
    page = (DOCS / "automations.md").read_text().partition("\n## Example IDs\n")[2]
    names = set(re.findall(r"`(\w+\.(?:jane|work)_(?!posteingang)\w+)`", page))
    assert len(names) > 5
    assert names <= entity_registry.entities.keys()
    assert {"light.desk", "light.hall"} <= set(hass.states.async_entity_ids())


async def test_entities_on_cards_exist(
    hass: HomeAssistant, jane: FakeWatcher, entity_registry: er.EntityRegistry
) -> None:
    """And so do the attributes that a tile shows after the first new mail."""
    await jane.listener.mail_arrived(make_arrival(folder="Inbox"))
    shown_on = {card["entity"] for card in CARDS if "entity" in card}
    assert shown_on <= entity_registry.entities.keys()
    for card in CARDS:
        for attribute in card.get("state_content", ()):
            assert get_state(hass, card["entity"]).attributes[attribute]


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
async def test_card_shows_no_markdown_of_a_sender(
    hass: HomeAssistant, watcher: FakeWatcher
) -> None:
    """The template of the Markdown card leaves only words of sender and subject."""
    [card] = [card for card in CARDS if "new_mail" in card.get("content", "")]
    subject = "Invoice 7: ![x](https://x.example/1.gif) <img src=//x> *b*"
    arrival = make_arrival(sender_name="Jörg's [shop]", subject=subject)
    await watcher.listener.mail_arrived(arrival)
    text = Template(
        card["content"].replace("jane_", "jane_example_com_"), hass
    ).async_render()
    assert text == "Jörgs shop: Invoice 7 xhttpsx.example1.gif img srcx b"


def _trigger_for(automation: dict[str, Any]) -> dict[str, Any]:
    """Return what starts a part of an automation: new mail, or the event of core IMAP."""
    return CORE_EVENT if "trigger.event" in str(automation) else NEW_MAIL


def _fitted(hass: HomeAssistant, tree: Any, media: Path) -> Any:
    """Replace what differs in every home: IDs of devices and entries, and the media folder."""
    return _replaced(
        tree,
        entry_ids="jane",
        device_ids=device_id(hass, "jane", "Inbox"),
        media=str(media),
    )


def _replaced(tree: Any, **homes: str) -> Any:
    if isinstance(tree, dict):
        return {
            key: homes["entry_ids"]
            if key == "entry_id" and "{{" not in str(value)
            else _replaced(value, **homes)
            for key, value in tree.items()
        }
    if isinstance(tree, list):
        return [_replaced(value, **homes) for value in tree]
    if isinstance(tree, str):
        tree = re.sub(r"^[0-9a-f]{32}$", homes.get("device_ids", ""), tree)
        return re.sub(r"^/media(?=/)", homes.get("media", ""), tree)
    return tree


def _calls(tree: Any) -> Iterator[str]:
    """Yield the names of all actions."""
    if isinstance(tree, dict):
        if isinstance(tree.get("action"), str):
            yield tree["action"]
        tree = list(tree.values())
    if isinstance(tree, list):
        for value in tree:
            yield from _calls(value)


def _mock_actions(hass: HomeAssistant, config: dict[str, Any]) -> None:
    """Replace the actions of other integrations, which describe them."""
    [folder] = homeassistant.components.__path__
    defined = {
        name for block in _with("rest_command") for name in block["rest_command"]
    }
    for name in _calls(config):
        domain, _, action = name.partition(".")
        if domain not in ELSEWHERE:
            continue
        if domain == "rest_command":
            assert action in defined
        else:
            assert action in load_yaml_dict(f"{folder}/{domain}/services.yaml")
        async_mock_service(hass, domain, action, response={"text": "{}"})


def _meet_conditions(hass: HomeAssistant, config: dict[str, Any]) -> None:
    """Set the states that the conditions need."""
    for test in config.get("conditions", ()):
        if isinstance(test, dict) and test["condition"] == "state":
            hass.states.async_set(test["entity_id"], test["state"])


async def _start(
    hass: HomeAssistant, watchers: Sequence[FakeWatcher], started_by: dict[str, Any]
) -> None:
    """Do what a trigger waits for."""
    match started_by:
        case {"trigger": "imap_push.new_mail", **rest}:
            # To every folder, so that every target has one.
            mail = _matching(rest.get("options", {}))
            for watcher in watchers:
                for folder in watcher.folders:
                    await watcher.listener.mail_arrived(
                        make_arrival(folder=folder, **mail)
                    )
        case {"trigger": "event", "event_type": event_type, **rest}:
            mail = {"subject": "Your invoice", "text": "Thank you", "entry_id": "1"}
            hass.bus.async_fire(
                event_type, mail | {"uid": 1} | rest.get("event_data", {})
            )
        case {"trigger": "time", "at": at}:
            hour, minute, _ = map(int, at.split(":"))
            now = dt_util.now() + timedelta(days=1)
            async_fire_time_changed(
                hass, now.replace(hour=hour, minute=minute, second=0, microsecond=0)
            )
        case {"trigger": "state", "entity_id": entity_id}:
            hass.states.async_set(entity_id, "2026-12-01T10:00:00+00:00")
        case other:
            raise AssertionError(other)


def _matching(options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a mail that all options of a trigger let pass."""
    first = {
        key: value[0] if isinstance(value, list) else value
        for key, value in options.items()
    }
    sender = first.get("sender", "shop@example.org")
    sender = sender if "@" in sender else f"anna@{sender}"
    suffix = first.get("attachment_type", ".pdf")
    return {
        "sender": sender,
        "sender_name": "Anna",
        "subject": f"Your {first.get('subject', 'order')}",
        "attachments": (
            Attachment(
                part="2",
                filename=f"one{suffix}",
                content_type="application/pdf",
                size=1400,
            ),
        ),
        "authentication": Authentication(
            server=first.get("authenticated_by", ""),
            dmarc="pass",
            domain=sender.partition("@")[2],
        ),
    }


async def _trace(hass: HomeAssistant) -> dict[str, Any]:
    """Wait until the automation has run; return its trace."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            await hass.async_block_till_done()
            for trace in await async_list_traces(hass, "automation", "automation.it"):
                if trace["state"] == "stopped":
                    return {"error": None} | trace
            await asyncio.sleep(0.02)


def _let_client_answer(imap_client: Mock) -> None:
    """Let every request succeed."""

    async def read_part(*_: object) -> AsyncIterator[bytes]:
        yield b"x"

    def count(_folder: str, searches: Sequence[Any], among: Sequence[int]) -> Any:
        return [SearchCount(30, frozenset(among)) for _ in searches]

    def content(*_: object, part: str | None = None, **__: object) -> MessageContent:
        text = "It arrives today." if part is None else '{"energy": 4.2}'
        return MessageContent(mail=make_mail(), text=text)

    imap_client.count.side_effect = count
    imap_client.search.return_value = SearchResult(3, (7,), 1)
    imap_client.mails.return_value = [make_mail()]
    imap_client.read_part.side_effect = read_part
    imap_client.content.side_effect = content
    imap_client.folders.return_value = [
        FolderInfo(name="Vieux", role=FolderRole.ARCHIVE),
        FolderInfo(name="Work/Invoices"),
        FolderInfo(name="Archive"),
    ]
    for name in ("set_flags", "move", "delete"):
        getattr(imap_client, name).return_value = StoreResult(uids=(7,))
