"""Every form, error, entity and action has texts and icons, as hassfest requires."""

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
    button,
    config_flow,
    event,
    image,
    sensor,
    services,
    todo,
    value_sensor,
)
from custom_components.imap_push.const import DOMAIN
from custom_components.imap_push.flows import (
    account_forms,
    folder_flow,
    form_errors,
    oauth_flow,
    options_flow,
    search_flow,
    setup_steps,
)
from custom_components.imap_push.imap import FolderRole, PushMode
from custom_components.imap_push.mail import patterns, service_schemas as service_data
from custom_components.imap_push.mail.errors import ERROR_KEYS
from custom_components.imap_push.oauth.device_code import SignInProblem
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import section
from homeassistant.helpers.entity import EntityDescription
from homeassistant.helpers.selector import SelectSelector, validate_selector
from homeassistant.util.yaml import load_yaml_dict

FOLDER = Path(config_flow.__file__).parent


def _read_json(name: str) -> dict[str, Any]:
    """Return a JSON file of the integration."""
    return dict(json.loads((FOLDER / name).read_text()))


ENGLISH = _read_json("translations/en.json")
ICONS = _read_json("icons.json")

DESCRIPTIONS: list[tuple[str, EntityDescription]] = [
    ("binary_sensor", binary_sensor.CONNECTIVITY),
    ("button", button.CHECK_NOW),
    *(("event", description) for description in event.EVENTS.values()),
    *(("sensor", description) for description in sensor.ACCOUNT_SENSORS),
    *(("sensor", description) for description in sensor.FOLDER_SENSORS),
    ("sensor", sensor.MATCHES),
    ("sensor", value_sensor.VALUE),
    ("image", image.PICTURE),
    ("todo", todo.TODO),
]


SERVICES = load_yaml_dict(str(FOLDER / "services.yaml"))


def _texts(path: str) -> Any:
    """Return the texts at a path."""
    texts: Any = ENGLISH
    for key in path.split("."):
        texts = texts[key]
    return texts


FORMS = {
    "config.step.user": account_forms.ADDRESS_SCHEMA,
    "config.step.reauth_confirm": account_forms.REAUTH_SCHEMA,
    "config.step.reconfigure": account_forms.SERVER_SCHEMA,
    "config.step.take_over": account_forms.take_over_schema([]),
    "config.step.own_ca": account_forms.CA_SCHEMA,
    "config.step.sign_in_refused": vol.Schema({}),
    **{
        f"config.step.{step}": account_forms.PASSWORD_SCHEMA
        for step in setup_steps.PASSWORD_STEPS.values()
    },
    **{
        f"config.step.{step}": account_forms.SERVER_SCHEMA
        for step in (
            "server",
            setup_steps.CONFIRM_GUESS,
            setup_steps.CONFIRM_SERVER,
            *setup_steps.CONFIRM_HINTS,
        )
    },
    "config_subentries.folder.step.user": folder_flow.folder_schema([], {}),
    "config_subentries.folder.step.reconfigure": vol.Schema(
        folder_flow.folder_options_schema({})
    ),
    "config_subentries.search.step.user": search_flow.search_schema([], {}, []),
    "config_subentries.search.step.reconfigure": search_flow.search_schema([], {}, []),
    "options.step.init": options_flow.OPTIONS_SCHEMA,
    "config.step.oauth_endpoints": oauth_flow.ENDPOINTS_SCHEMA,
    "config.step.oauth_device": vol.Schema({}),
    "config.step.oauth_failed": vol.Schema({}),
    "config.step.oauth_method": vol.Schema({}),
    "config.step.pick_implementation": oauth_flow.implementation_schema({}),
}


# Menus: options and placeholders.
CERTIFICATE_PLACEHOLDERS = {"fingerprint", "host", "issuer", "not_after", "subject"}
MENUS = {
    "user": ({"take_over", "set_up_again", "server"}, set()),
    "certificate": ({"trust", "own_ca", "go_back"}, CERTIFICATE_PLACEHOLDERS),
    "certificate_changed": ({"trust", "go_back"}, CERTIFICATE_PLACEHOLDERS),
    "choose_sign_in": ({"sign_in", "password", "server"}, {"provider", "url"}),
    "credentials": (
        {"add_credentials", "server", "set_up_again"},
        {"guide", "provider"},
    ),
    "not_encrypted": ({"allow_not_encrypted", "go_back"}, {"host"}),
}


@pytest.mark.parametrize(("path", "schema"), FORMS.items(), ids=FORMS)
def test_every_field_has_a_name_and_a_description(
    path: str, schema: vol.Schema
) -> None:
    """There are no texts for other fields."""
    texts = _texts(path)
    assert texts["title"]
    sections = {
        str(marker): field
        for marker, field in schema.schema.items()
        if isinstance(field, section)
    }
    fields = {str(marker) for marker in schema.schema} - set(sections)
    assert set(texts.get("data", {})) == fields
    assert set(texts.get("data_description", {})) == fields
    assert set(texts.get("sections", {})) == set(sections)
    for name, field in sections.items():
        # With a default, the frontend ignores the suggested values of the fields.
        assert (
            next(key for key in schema.schema if key == name).default == vol.UNDEFINED
        )
        inside = {str(marker) for marker in field.schema.schema}
        assert texts["sections"][name]["name"]
        assert texts["sections"][name]["description"]
        assert set(texts["sections"][name]["data"]) == inside
        assert set(texts["sections"][name]["data_description"]) == inside


def _selectors(schema: vol.Schema) -> Iterator[Any]:
    """Yield the selectors of a form, including those in sections."""
    for field in schema.schema.values():
        if isinstance(field, section):
            yield from _selectors(field.schema)
        else:
            yield from getattr(field, "validators", [field])


@pytest.mark.parametrize("schema", FORMS.values(), ids=FORMS)
def test_every_option_of_a_field_has_a_name(schema: vol.Schema) -> None:
    """There are no texts for other options."""
    for selector in _selectors(schema):
        config = getattr(selector, "config", {})
        if not (key := config.get("translation_key")):
            continue
        texts = ENGLISH["selector"][key]
        if isinstance(selector, SelectSelector):
            assert set(texts["options"]) == set(config["options"])
        else:
            assert set(texts["unit_of_measurement"]) == {config["unit_of_measurement"]}


def test_every_step_has_texts() -> None:
    """There are no texts for other steps."""
    steps = {
        f"{flow}.step.{step}"
        for flow in (
            "config",
            "config_subentries.folder",
            "config_subentries.search",
            "options",
        )
        for step in _texts(flow)["step"]
    }
    menus = {f"config.step.{menu}" for menu in MENUS}
    assert steps == set(FORMS) | menus | set(PREVIEWS)


# Menus of the flows of folders and searches: their placeholders.
PREVIEWS = {
    "config_subentries.folder.step.preview": {"mails", "matching", "total"},
    "config_subentries.folder.step.preview_empty": set(),
    "config_subentries.folder.step.no_preview": set(),
    "config_subentries.search.step.preview": {"mails", "matching", "total"},
    "config_subentries.search.step.preview_not_watched": {
        *("mails", "matching", "total", "not_watched")
    },
    "config_subentries.search.step.preview_empty": set(),
    "config_subentries.search.step.no_preview": set(),
}


@pytest.mark.parametrize(("path", "placeholders"), PREVIEWS.items(), ids=PREVIEWS)
def test_previews_have_texts(path: str, placeholders: set[str]) -> None:
    """The rows of the table follow its heading in a line of their own."""
    texts = _texts(path)
    assert texts["title"]
    assert set(texts["menu_options"]) == {"save", "change"}
    assert set(re.findall(r"\{(\w+)\}", texts["description"])) == placeholders
    assert ("|---|\n{mails}" in texts["description"]) is bool(placeholders)


@pytest.mark.parametrize("menu", MENUS)
def test_every_menu_option_has_a_text(menu: str) -> None:
    """The placeholders are those that the flow fills."""
    options, placeholders = MENUS[menu]
    texts = _texts(f"config.step.{menu}")
    assert texts["title"]
    assert set(texts["menu_options"]) == options
    all_texts = " ".join([texts["description"], *texts["menu_options"].values()])
    assert set(re.findall(r"\{(\w+)\}", all_texts)) == placeholders


def test_placeholders_of_password_steps() -> None:
    """The flow fills no others."""
    for step in setup_steps.PASSWORD_STEPS.values():
        text = _texts(f"config.step.{step}.description")
        known = {"host"} if step == "password" else {"host", "provider", "url"}
        assert set(re.findall(r"\{(\w+)\}", text)) == known


def test_last_step_has_texts() -> None:
    """They say how new mail is detected."""
    assert set(_texts("config.create_entry")) == {"push", "poll"}


def test_device_code_step_has_texts() -> None:
    """The menu before it, and the progress."""
    assert set(_texts("config.step.oauth_method.menu_options")) == {
        "auth",
        "oauth_device",
        "server",
    }
    assert set(_texts("config.progress")) == {"oauth_device"}


@pytest.mark.parametrize("kind", ["folder", "search"])
def test_subentry_types_have_texts(kind: str) -> None:
    """The name of the type and the buttons."""
    texts = _texts(f"config_subentries.{kind}")
    assert texts["entry_type"]
    assert set(texts["initiate_flow"]) == {"user", "reconfigure"}


REQUEST_ERRORS = {
    *form_errors.REQUEST_ERRORS.values(),
    *("command_refused", "folder_not_found", "unknown"),
}


@pytest.mark.parametrize(
    ("flow", "errors"),
    [
        pytest.param(
            "config",
            {
                *(key for _, key in form_errors.ACCOUNT_ERRORS.values()),
                *(key for _, key in form_errors.CERTIFICATE_ERRORS.values()),
                *form_errors.REFUSED_LOGINS.values(),
                *("command_refused", "folder_not_found", "other_protocol", "unknown"),
                *("app_password_needed_at", "ca_invalid", "encryption_missing"),
                *("invalid_address", "no_imap", "nothing_found", "password_missing"),
                *(f"sign_in_{problem}" for problem in SignInProblem),
                *("clock_wrong", "fetch_refused", "https_needed"),
            },
            id="account",
        ),
        pytest.param(
            "config_subentries.folder",
            REQUEST_ERRORS
            | {"no_folders"}
            | (set(patterns.REASONS) - {"filter_wildcards"}),
            id="folder",
        ),
        pytest.param(
            "config_subentries.search",
            REQUEST_ERRORS
            | {"criteria_refused", "no_criteria", "no_folders", "no_name"}
            | {"no_template", "wrong_state_class", "wrong_unit"}
            | (set(patterns.REASONS) - {"filter_no_attachment", "filter_no_names"}),
            id="search",
        ),
    ],
)
def test_every_error_has_a_text(flow: str, errors: set[str]) -> None:
    """There are no texts for other errors."""
    assert set(_texts(flow)["error"]) == errors


@pytest.mark.parametrize("flow", ["config", "config_subentries.folder"])
def test_every_own_abort_reason_has_a_text(flow: str) -> None:
    """Home Assistant has texts for the others."""
    assert set(_texts(flow)["abort"]) == {"already_configured"}


# Placeholders of errors; all others have none.
PLACEHOLDERS = {
    "wrong_unit": {"units"},
    "app_password_needed": {"answer"},
    "app_password_needed_at": {"answer", "provider", "url"},
    "clock_wrong": {"now"},
    "command_refused": {"answer"},
    "criteria_refused": {"answer"},
    "fetch_refused": {"answer"},
    "filter_characters": {"field", "value"},
    "filter_empty": {"field"},
    "filter_header": {"field", "value"},
    "filter_incomplete": {"field", "value"},
    "filter_no_names": {"field", "value"},
    "filter_no_text": {"field", "value"},
    "filter_sizes": {"field"},
    "filter_wildcards": {"field", "value"},
    "folder_not_found": {"folder"},
    "login_refused_because": {"answer"},
    "token_refused": {"answer"},
    "no_imap": {"provider"},
    "oauth_needed": {"answer"},
    "other_protocol": {"protocol"},
    "sign_in_refused": {"reason"},
}


@pytest.mark.parametrize(
    "flow", ["config", "config_subentries.folder", "config_subentries.search"]
)
def test_placeholders_of_errors(flow: str) -> None:
    """The flow fills no others."""
    for key, text in _texts(flow)["error"].items():
        assert set(re.findall(r"\{(\w+)\}", text)) == PLACEHOLDERS.get(key, set())


def test_every_special_folder_has_a_name() -> None:
    """It is shown in lists, and that of INBOX is its title."""
    assert set(_texts("selector.folder_role.options")) == {*FolderRole}


@pytest.mark.parametrize(
    ("platform", "description"),
    DESCRIPTIONS,
    ids=[description.key for _, description in DESCRIPTIONS],
)
def test_every_entity_has_a_name_and_an_icon(
    platform: str, description: EntityDescription
) -> None:
    """A device class has both."""
    if platform == "binary_sensor":
        assert description.device_class
        return
    key = description.translation_key
    assert key is not None
    assert ENGLISH["entity"][platform][key]["name"]
    assert ICONS["entity"][platform][key]["default"].startswith("mdi:")


def test_no_texts_and_icons_for_unknown_entities() -> None:
    """Texts and icons have the same keys."""
    keys: dict[str, set[str | None]] = {
        "button": set(),
        "event": set(),
        "image": set(),
        "sensor": set(),
        "todo": set(),
    }
    for platform, description in DESCRIPTIONS:
        if description.translation_key:
            keys[platform].add(description.translation_key)
    for tree in (ENGLISH["entity"], ICONS["entity"]):
        assert {platform: set(tree[platform]) for platform in tree} == keys


def test_every_state_has_a_name() -> None:
    """Push modes, event types and errors."""
    push_mode = ENGLISH["entity"]["sensor"]["push_mode"]["state"]
    assert set(push_mode) == {mode.value for mode in PushMode}
    for description in event.EVENTS.values():
        texts = ENGLISH["entity"]["event"][description.key]["state_attributes"]
        assert set(texts["event_type"]["state"]) == set(description.event_types or ())
    last_error = ENGLISH["entity"]["sensor"]["last_error"]["state"]
    assert set(last_error) == set(ERROR_KEYS.values())


@pytest.mark.parametrize("platform", PLATFORMS)
def test_platforms_set_parallel_updates(platform: str) -> None:
    """State is pushed, so no limit is needed."""
    modules = {
        "binary_sensor": binary_sensor,
        "button": button,
        "event": event,
        "image": image,
        "sensor": sensor,
        "todo": todo,
    }
    assert modules[platform].PARALLEL_UPDATES == 0


def _fields(action: str) -> dict[str, Any]:
    """Return the fields of an action, including those in sections."""
    fields: dict[str, Any] = {}
    for name, field in SERVICES[action]["fields"].items():
        fields |= field.get("fields", {name: field})
    return fields


async def test_every_action_has_texts_and_an_icon(hass: HomeAssistant) -> None:
    """There are none for other actions."""
    services.async_setup_services(hass)
    actions = set(hass.services.async_services()[DOMAIN])
    assert (
        set(SERVICES) == set(ENGLISH["services"]) == set(ICONS["services"]) == actions
    )
    for icon in ICONS["services"].values():
        assert icon["service"].startswith("mdi:")


@pytest.mark.parametrize("action", SERVICES)
def test_every_field_of_an_action_has_texts(action: str) -> None:
    """Form, texts and schema have the same fields, and the defaults are valid."""
    fields, texts = _fields(action), ENGLISH["services"][action]
    assert texts["name"] and texts["description"]
    assert set(texts["fields"]) == set(fields)
    assert all({*text} == {"name", "description"} for text in texts["fields"].values())
    sections = {
        name for name, field in SERVICES[action]["fields"].items() if "fields" in field
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
    """Return the keys of the innermost dictionary of a schema."""
    if isinstance(schema, vol.Schema):
        return list(schema.schema)
    [*_, last] = schema.validators
    return _markers(last)
