"""Everything that people read is there: the rules of hassfest that concern this integration."""

from collections.abc import Iterator
import json
from pathlib import Path
import re
from typing import Any

import pytest
import voluptuous as vol

from custom_components.imap_push import (
    PLATFORMS,
    binary_sensor,
    config_flow,
    errors,
    event,
    sensor,
    service_data,
    services,
)
from custom_components.imap_push.const import DOMAIN
from custom_components.imap_push.imap import PushMode, Security
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.selector import validate_selector
from homeassistant.util.yaml import load_yaml_dict

FOLDER = Path(config_flow.__file__).parent


def _read(name: str) -> dict[str, Any]:
    """Return a JSON file of the integration."""
    return dict(json.loads((FOLDER / name).read_text()))


ENGLISH = _read("translations/en.json")
ICONS = _read("icons.json")
MANIFEST = _read("manifest.json")

DESCRIPTIONS: list[tuple[str, EntityDescription]] = [
    ("binary_sensor", binary_sensor.CONNECTIVITY),
    ("event", event.NEW_MAIL),
    *(("sensor", description) for description in sensor.ACCOUNT_SENSORS),
    *(("sensor", description) for description in sensor.FOLDER_SENSORS),
]


def _strings(tree: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text with its path."""
    if isinstance(tree, str):
        yield path, tree
        return
    for key, value in tree.items():
        yield from _strings(value, f"{path}.{key}" if path else key)


SERVICES = load_yaml_dict(str(FOLDER / "services.yaml"))

TEXTS = dict(_strings(ENGLISH))


@pytest.mark.parametrize(("path", "text"), TEXTS.items(), ids=TEXTS)
def test_text_is_well_formed(path: str, text: str) -> None:
    """No address, no HTML, no quoted placeholder, no blank at an end."""
    assert text
    assert text == text.strip()
    assert "://" not in text
    assert not re.search(r"<[a-z/]", text)
    assert not re.search(r"'\{\w+\}'", text)
    assert all(name.isidentifier() for name in re.findall(r"\{([^}]*)\}", text))
    assert all(re.fullmatch(r"[a-z0-9-_]+", key) for key in path.split("."))


@pytest.mark.parametrize(
    ("section", "step", "schema"),
    [
        pytest.param("config", "user", config_flow.USER_SCHEMA, id="user"),
        pytest.param(
            "config", "reauth_confirm", config_flow.REAUTH_SCHEMA, id="reauth"
        ),
        pytest.param(
            "config", "reconfigure", config_flow.RECONFIGURE_SCHEMA, id="reconfigure"
        ),
        pytest.param("options", "init", config_flow.OPTIONS_SCHEMA, id="options"),
    ],
)
def test_every_field_has_a_name_and_a_description(
    section: str, step: str, schema: vol.Schema
) -> None:
    """And no text is for a field that is not there."""
    fields = {str(marker) for marker in schema.schema}
    texts = ENGLISH[section]["step"][step]
    assert texts["title"]
    assert set(texts["data"]) == fields
    assert set(texts["data_description"]) == fields


def test_every_step_is_described() -> None:
    """And no text is for a step that is not there."""
    assert set(ENGLISH["config"]["step"]) == {"user", "reauth_confirm", "reconfigure"}
    assert set(ENGLISH["options"]["step"]) == {"init"}


def test_every_error_and_abort_is_described() -> None:
    """And no text is for an error that does not happen."""
    errors = {
        *(key for _, key in config_flow.FORM_ERRORS.values()),
        *(key for _, key in config_flow.CERTIFICATE_ERRORS.values()),
        *("command_refused", "folder_not_found", "other_protocol", "unknown"),
    }
    assert set(ENGLISH["config"]["error"]) == errors
    assert set(ENGLISH["config"]["abort"]) == {"already_configured"}


@pytest.mark.parametrize(
    ("key", "placeholders"),
    [
        pytest.param("command_refused", {"answer"}, id="command refused"),
        pytest.param("folder_not_found", {"folder"}, id="folder not found"),
        pytest.param("other_protocol", {"protocol"}, id="other protocol"),
    ],
)
def test_placeholders_are_those_that_the_flow_fills(
    key: str, placeholders: set[str]
) -> None:
    """All other errors have none."""
    errors = ENGLISH["config"]["error"]
    assert set(re.findall(r"\{(\w+)\}", errors[key])) == placeholders
    assert [key for key in errors if "{" in errors[key]] == [
        "command_refused",
        "folder_not_found",
        "other_protocol",
    ]


@pytest.mark.parametrize(
    ("platform", "description"),
    DESCRIPTIONS,
    ids=[description.key for _, description in DESCRIPTIONS],
)
def test_every_entity_has_a_name_and_an_icon(
    platform: str, description: EntityDescription
) -> None:
    """A device class brings both along."""
    if platform == "binary_sensor":
        assert description.device_class
        return
    key = description.translation_key
    assert key is not None
    assert ENGLISH["entity"][platform][key]["name"]
    assert ICONS["entity"][platform][key]["default"].startswith("mdi:")


def test_no_text_and_no_icon_is_for_an_entity_that_is_not_there() -> None:
    """Texts and icons name the same entities."""
    keys: dict[str, set[str | None]] = {"event": set(), "sensor": set()}
    for platform, description in DESCRIPTIONS:
        if description.translation_key:
            keys[platform].add(description.translation_key)
    for tree in (ENGLISH["entity"], ICONS["entity"]):
        assert {platform: set(tree[platform]) for platform in tree} == keys


def test_every_state_has_a_name() -> None:
    """Push mode, security and the event type are spelt out."""
    push_mode = ENGLISH["entity"]["sensor"]["push_mode"]["state"]
    assert set(push_mode) == {mode.value for mode in PushMode}
    security = ENGLISH["selector"]["security"]["options"]
    assert set(security) == {security.value for security in Security}
    new_mail = ENGLISH["entity"]["event"]["new_mail"]["state_attributes"]
    assert set(new_mail["event_type"]["state"]) == set(event.NEW_MAIL.event_types or ())


def test_an_icon_that_depends_on_the_state_differs_from_the_usual_one() -> None:
    """Otherwise it need not be there."""
    for entities in ICONS["entity"].values():
        for icons in entities.values():
            others = {
                *icons.get("state", {}).values(),
                *icons.get("range", {}).values(),
            }
            assert icons["default"] not in others
            assert all(icon.startswith("mdi:") for icon in others)


def test_manifest_is_what_hassfest_asks_for() -> None:
    """Known keys in their order, and what a custom integration needs."""
    keys = list(MANIFEST)
    assert keys[:2] == ["domain", "name"]
    assert keys[2:] == sorted(keys[2:])
    assert MANIFEST["domain"] == DOMAIN == FOLDER.name
    assert {"codeowners", "documentation", "iot_class", "issue_tracker", "version"} <= {
        *keys
    }
    assert not {"categories", "connectivity", "quality_scale"} & {*keys}
    assert all(
        MANIFEST[key].startswith("https://")
        for key in ("documentation", "issue_tracker")
    )
    assert all(owner.startswith("@") for owner in MANIFEST["codeowners"])


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_platform_is_there_and_sets_parallel_updates(platform: str) -> None:
    """Entities are pushed to; nothing is to be throttled."""
    modules = {"binary_sensor": binary_sensor, "event": event, "sensor": sensor}
    assert modules[platform].PARALLEL_UPDATES == 0


def _fields(action: str) -> dict[str, Any]:
    """Return the fields of an action as its form shows them, those of its sections too."""
    fields: dict[str, Any] = {}
    for name, field in SERVICES[action]["fields"].items():
        fields |= field.get("fields", {name: field})
    return fields


async def test_every_action_is_described(hass: HomeAssistant) -> None:
    """And none is described that is not there."""
    services.async_setup_services(hass)
    actions = set(hass.services.async_services()[DOMAIN])
    assert (
        set(SERVICES) == set(ENGLISH["services"]) == set(ICONS["services"]) == actions
    )
    for icon in ICONS["services"].values():
        assert icon["service"].startswith("mdi:")


@pytest.mark.parametrize("action", SERVICES)
def test_every_field_of_an_action_is_described(action: str) -> None:
    """Form, texts and schema know the same fields, and the schema takes every default."""
    fields, texts = _fields(action), ENGLISH["services"][action]
    assert texts["name"] and texts["description"]
    assert set(texts["fields"]) == set(fields)
    assert all({*text} == {"name", "description"} for text in texts["fields"].values())
    sections = {
        n for n, field in SERVICES[action]["fields"].items() if "fields" in field
    }
    assert set(texts.get("sections", {})) == sections
    for field in fields.values():
        validate_selector(field["selector"])

    schema = getattr(service_data, f"{action.upper()}_SCHEMA")
    markers = _markers(schema)
    assert {str(marker) for marker in markers} | {"mail"} == {*fields, "mail"}
    for marker in markers:
        if not isinstance(marker.default, vol.Undefined):
            shown = fields[str(marker)]["default"]
            assert marker.default() == shown


def _markers(schema: Any) -> list[Any]:
    """Return the keys of the dictionary that a schema holds somewhere inside."""
    if isinstance(schema, vol.Schema):
        return list(schema.schema)
    [*_, last] = schema.validators
    return _markers(last)


def test_every_failure_of_an_action_is_described() -> None:
    """And no text is for a failure that does not happen."""
    source = "".join(
        (FOLDER / f"{module}.py").read_text() for module in ("services", "media_source")
    )
    raised = {
        *errors.ERROR_TEXTS.values(),
        *re.findall(r'translation_key="(\w+)"', source),
    }
    assert set(ENGLISH["exceptions"]) == raised
    for text in ENGLISH["exceptions"].values():
        assert set(text) == {"message"}
