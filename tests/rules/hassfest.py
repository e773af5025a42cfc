"""Rules of hassfest, Home Assistant's check of integrations, which is not on PyPI.

Each rule takes an integration and yields faults. Home Assistant's own integrations are the
oracle: hassfest accepts them, so a rule that finds a fault in one of them is wrong.
"""

import ast
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
import json
from pathlib import Path
import re
from typing import Any, Final, cast

from awesomeversion import (
    AwesomeVersion,
    AwesomeVersionException,
    AwesomeVersionStrategy,
)

from homeassistant import components
from homeassistant.const import Platform
from homeassistant.loader import Manifest
from homeassistant.requirements import DISCOVERY_INTEGRATIONS
from homeassistant.util.yaml import parse_yaml

CORE: Final = Path(components.__file__).parent


class Integration:
    """The files of an integration."""

    def __init__(self, path: Path, *, is_core: bool = False) -> None:
        """Use a folder; the rules differ for an integration of Home Assistant."""
        self.path = path
        self.is_core = is_core
        self.name = path.name

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Return the manifest."""
        return self.json("manifest.json")

    @cached_property
    def texts(self) -> dict[str, Any]:
        """Return the English texts."""
        return self.json("translations/en.json")

    @cached_property
    def icons(self) -> dict[str, Any]:
        """Return the icons."""
        return self.json("icons.json")

    def json(self, name: str) -> dict[str, Any]:
        """Return a JSON object in the order of its keys, an empty one if it is missing."""
        path = self.path / name
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def yaml(self, name: str) -> dict[str, Any]:
        """Return a YAML mapping, an empty one if it is missing."""
        path = self.path / name
        found = parse_yaml(path.read_text()) if path.exists() else None
        return cast(dict[str, Any], found or {})

    def has(self, module: str) -> bool:
        """Return whether there is a module or a package of this name."""
        return (self.path / f"{module}.py").is_file() or (self.path / module).is_dir()


def core_integrations() -> list[Integration]:
    """Return the integrations of the installed Home Assistant."""
    manifests = sorted(CORE.glob("*/manifest.json"))
    return [Integration(path.parent, is_core=True) for path in manifests]


# Dependencies.

# Components that may be imported without a declaration.
_ALWAYS_ALLOWED: Final = {
    *(platform.value for platform in Platform),
    *("alert", "automation", "conversation", "default_config", "device_automation"),
    *("frontend", "group", "homeassistant", "input_boolean", "input_button"),
    *("input_datetime", "input_number", "input_select", "input_text", "labs"),
    *("media_source", "mjpeg", "onboarding", "panel_custom", "persistent_notification"),
    *("person", "script", "shopping_list", "stream", "sun"),
    *("system_health", "system_log", "timer", "webhook", "websocket_api"),
    *("zone",),
}
# Integrations of Home Assistant that depend on each other, as hassfest lists them.
_CIRCULAR: Final = {
    *(("demo", "manual"), ("ffmpeg_noise", "ffmpeg_motion"), ("http", "cloud")),
    *(("http", "network"), ("labs", "backup"), ("lutron_caseta", "lutron")),
    *(("websocket_api", "shopping_list"),),
    *(("homeassistant_hardware", "zha"), ("homeassistant_sky_connect", "zha")),
    *(
        ("zha", f"homeassistant_{part}")
        for part in ("hardware", "sky_connect", "yellow")
    ),
}


def dependencies(integration: Integration) -> Iterator[str]:
    """Every imported component is declared, or the integration has a platform for it."""
    manifest = integration.manifest
    allowed = {
        *_ALWAYS_ALLOWED,
        *manifest.get("dependencies", ()),
        *manifest.get("after_dependencies", ()),
        integration.name,
    }
    if "bluetooth_adapters" in allowed:
        allowed.add("bluetooth")
    allowed |= {
        component
        for component, keys in DISCOVERY_INTEGRATIONS.items()
        if any(key in manifest for key in keys)
    }
    if integration.name == "logbook":  # It describes the events of many others.
        return
    for path in sorted(integration.path.rglob("*.py")):
        relative = path.relative_to(integration.path)
        platform = relative.parts[0].removesuffix(".py")
        for component in imported_components(path):
            if (
                component in allowed
                or (integration.name, component) in _CIRCULAR
                or integration.has(component)
                or (integration.is_core and platform == component)
            ):
                continue
            yield f"{relative} imports {component}, which is not declared"


def imported_components(path: Path) -> set[str]:
    """Return the components that a file imports outside `if TYPE_CHECKING`."""
    source = path.read_text()
    if "homeassistant.components" not in source:
        return set()
    return set(_imported(ast.parse(source)))


def _imported(tree: ast.AST) -> Iterator[str]:
    match tree:
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            for otherwise in tree.orelse:
                yield from _imported(otherwise)
            return
        case ast.ImportFrom(
            module="homeassistant.components.http.auth",
            names=[ast.alias(name="async_sign_path")],
        ):
            return
        case ast.ImportFrom(module="homeassistant.components", names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=str(module)):
            yield from _component_of(module)
        case ast.Import(names=names):
            for alias in names:
                yield from _component_of(alias.name)
    for node in ast.iter_child_nodes(tree):
        yield from _imported(node)


def _component_of(module: str) -> Iterator[str]:
    prefix, _, component = module.partition("homeassistant.components.")
    if not prefix and component:
        yield component.partition(".")[0]


# Manifest.

# Keys that Home Assistant itself sets.
_COMPUTED: Final = {"is_built_in", "overwrites_built_in"}
_CORE_ONLY: Final = {
    *("disabled", "iot_standards", "preview_features", "quality_scale", "supported_by"),
    # `categories` and `connectivity` are for the filters of the dialog "Add integration" since
    # 2026.11. Its loader reads them from custom integrations, too, but there is no evidence that
    # hassfest accepts them there: its source is not published with Home Assistant, and its schema
    # for custom integrations refuses unknown keys. hassfest of 2026.10 knows them nowhere.
    *("categories", "connectivity"),
}
_IOT_CLASSES: Final = {
    *("assumed_state", "calculated", "cloud_polling", "cloud_push"),
    *("local_polling", "local_push"),
}
_LISTS: Final = (
    *("after_dependencies", "codeowners", "dependencies", "loggers", "requirements"),
)
_VERSIONS: Final = [
    AwesomeVersionStrategy.CALVER,
    AwesomeVersionStrategy.SEMVER,
    AwesomeVersionStrategy.SIMPLEVER,
    AwesomeVersionStrategy.BUILDVER,
    AwesomeVersionStrategy.PEP440,
]


def manifest(integration: Integration) -> Iterator[str]:
    """Keys are known and sorted, and their values are valid."""
    found = integration.manifest
    keys = list(found)
    known = {*Manifest.__annotations__, "iot_standards", "supported_by"} - _COMPUTED
    if not integration.is_core:
        known -= _CORE_ONLY
    elif "version" in found:
        yield "version is for custom integrations"
    yield from (f"{key} is unknown" for key in keys if key not in known)
    if keys != [*("domain", "name"), *sorted(set(keys) - {"domain", "name"})]:
        yield "the order is: domain, name, all others by name"
    if found.get("domain") != integration.name:
        yield "domain is not the name of the folder"
    if found.get("integration_type") == "virtual":
        return
    yield from (
        f"{key} is missing"
        for key in ("codeowners", "documentation")
        if key not in found
    )
    yield from _values(integration, found)
    if not integration.is_core:
        yield from _custom(found)


def _values(integration: Integration, found: Mapping[str, Any]) -> Iterator[str]:
    for key in _LISTS:
        values = found.get(key, [])
        if not isinstance(values, list) or not all(
            isinstance(item, str) for item in values
        ):
            yield f"{key} is not a list of strings"
    yield from (
        f"{owner} is not a code owner"
        for owner in found.get("codeowners", ())
        if not re.fullmatch(r"@[\w-]+(/[\w-]+)?", owner)
    )
    yield from (
        f"{component} is both a dependency and an after_dependency"
        for component in {*found.get("dependencies", ())}
        & {*found.get("after_dependencies", ())}
    )
    yield from (
        f"there is no component {component}"
        for key in ("dependencies", "after_dependencies")
        for component in found.get(key, ())
        if not (CORE / component / "manifest.json").is_file()
    )
    if "iot_class" in found and found["iot_class"] not in _IOT_CLASSES:
        yield f"iot_class {found['iot_class']} is unknown"
    if found.get("config_flow") and not integration.has("config_flow"):
        yield "there is no config_flow.py"


def _custom(found: Mapping[str, Any]) -> Iterator[str]:
    yield from (
        f"{key} is missing"
        for key in ("config_flow", "integration_type", "iot_class")
        if key not in found
    )
    for key in ("documentation", "issue_tracker"):
        url = found.get(key, "")
        if not url.startswith("https://") or "home-assistant.io" in url:
            yield f"{key} is not a page of its own: {url!r}"
    try:
        AwesomeVersion(found.get("version", ""), ensure_strategy=_VERSIONS)
    except AwesomeVersionException:
        yield "version is missing or invalid"
    yield from (
        f"{requirement} has no version"
        for requirement in found.get("requirements", ())
        if not re.match(r"[A-Za-z0-9._-]+(\[\w+\])?(==|>=|~=)\d", requirement)
    )


# Texts.

# None is a text, and "*" any key. A group with the key "" may also be a text.
type Shape = dict[str, "Shape | None"]

_ANY: Final[Shape] = {"*": None}
_SECTION: Final[Shape] = {
    **dict.fromkeys(("name", "description")),
    **dict.fromkeys(("data", "data_description"), _ANY),
}
_STEP: Final[Shape] = {
    **dict.fromkeys(("title", "description", "submit")),
    **dict.fromkeys(("data", "data_description"), _ANY),
    **dict.fromkeys(("menu_options", "menu_option_descriptions"), _ANY),
    "sections": {"*": _SECTION},
}
_FLOW: Final[Shape] = {
    "flow_title": None,
    "step": {"*": _STEP},
    **dict.fromkeys(("abort", "create_entry", "error", "progress"), _ANY),
}
_ENTITY: Final[Shape] = {
    "name": None,
    "unit_of_measurement": None,
    "state": _ANY,
    "state_attributes": {"*": {"name": None, "state": _ANY}},
}
_FIELDS: Final[Shape] = {"*": dict.fromkeys(("name", "description", "example"))}
_DESCRIBED: Final[Shape] = {
    **dict.fromkeys(("name", "description")),
    "fields": _FIELDS,
    "sections": {"*": dict.fromkeys(("name", "description"))},
    "description_configured": None,
}
TEXTS: Final[Shape] = {
    "title": None,
    "config": {"initiate_flow": _ANY, **_FLOW},
    "options": _FLOW,
    "config_subentries": {
        "*": {"entry_type": None, "initiate_flow": _ANY, **_FLOW},
    },
    "selector": {
        "*": {
            "options": _ANY,
            "choices": _ANY,
            "fields": {"*": {"": None, "name": None, "description": None}},
            "unit_of_measurement": _ANY,
        },
    },
    "issues": {
        "*": {
            **dict.fromkeys(("title", "short_title", "description")),
            "fix_flow": _FLOW,
        },
    },
    "entity": {"*": {"*": _ENTITY}},
    "device": {"*": {"name": None}},
    "exceptions": {"*": {"message": None}},
    "services": {"*": _DESCRIBED},
    "triggers": {"*": _DESCRIBED},
    "conditions": {"*": _DESCRIBED},
    "system_health": {"info": _ANY},
    "application_credentials": {"description": None},
    "common": _ANY,
    "device_automation": {"*": _ANY},
    "preview_features": {
        "*": dict.fromkeys(
            ("name", "description", "enable_confirmation", "disable_confirmation")
        )
    },
}


def texts(integration: Integration) -> Iterator[str]:
    """Each text is at a place where Home Assistant looks for one."""
    for part, tree in integration.texts.items():
        if part in TEXTS or not integration.is_core:
            yield from _misplaced({part: tree}, TEXTS)


def _misplaced(tree: Mapping[str, Any], shape: Shape, path: str = "") -> Iterator[str]:
    for key, value in tree.items():
        here = f"{path}.{key}" if path else key
        if key not in shape and "*" not in shape:
            yield f"{here} is unknown"
            continue
        below = shape[key] if key in shape else shape["*"]
        if isinstance(value, Mapping):
            if below is None:
                yield f"{here} is not a text"
            else:
                yield from _misplaced(value, below, here)
        elif below is not None and "" not in below:
            yield f"{here} is a text"


def text_forms(integration: Integration) -> Iterator[str]:
    """Each text has the form that form_faults requires."""
    for path, text in _leaves(integration.texts):
        yield from (f"{path}: {fault}" for fault in form_faults(path, text))


def form_faults(path: str, text: str) -> Iterator[str]:
    """Yield the faults of a text in any language, and of its keys."""
    if not text or text != text.strip():
        yield "is empty, or has spaces at its ends"
    if re.search(r"<[a-z/]", text):
        yield "has HTML"
    if re.search(r"'\{\w+\}'", text):
        yield "has a placeholder in quotes"
    if not all(name.isidentifier() for name in re.findall(r"\{([^}]*)\}", text)):
        yield "has a placeholder without a name"
    # A URL belongs into a placeholder, so that it is the same in all languages.
    if re.search(r"https?://[\w-]+\.\w", text) and not path.startswith(
        "preview_features"
    ):
        yield "has a URL"
    keys = path.split(".")
    if (
        not all(re.fullmatch(r"[a-z0-9_-]*", key) for key in keys)
        and "data" not in keys
    ):
        yield "has a key that is not in snake case"


# Actions, triggers and conditions.

_KINDS: Final = {
    "services": "service",
    "triggers": "trigger",
    "conditions": "condition",
}


def descriptions(integration: Integration) -> Iterator[str]:
    """Each action, trigger and condition, and each field of it, has a name and a description."""
    for kind in _KINDS:
        texts_of_kind = integration.texts.get(kind, {})
        for name, described in integration.yaml(f"{kind}.yaml").items():
            if name.startswith("."):
                continue
            # A few old ones have their texts in YAML.
            text = texts_of_kind.get(name) or (described if integration.is_core else {})
            yield from (
                f"{kind} {name}: no {key}"
                for key in ("name", "description")
                if key not in text
            )
            for field in fields(described):
                if "name" not in text.get("fields", {}).get(field, {}):
                    yield f"{kind} {name}: field {field} has no name"
            for section in sections(described):
                if "name" not in text.get("sections", {}).get(section, {}):
                    yield f"{kind} {name}: section {section} has no name"


def fields(described: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the fields, including those in sections."""
    found: dict[str, Any] = {}
    for name, field in ((described or {}).get("fields") or {}).items():
        found |= field["fields"] if "fields" in (field or {}) else {name: field}
    return found


def sections(described: Mapping[str, Any] | None) -> list[str]:
    """Return the names of the sections."""
    declared = (described or {}).get("fields") or {}
    return [name for name, field in declared.items() if "fields" in (field or {})]


# Icons.


def icons(integration: Integration) -> Iterator[str]:
    """Icons are Material Design Icons, and each action, trigger and condition has one."""
    for path, icon in _leaves(integration.icons):
        if not re.fullmatch(r"mdi:[a-z0-9-]+", icon):
            yield f"{path}: {icon}"
    for kind, key in _KINDS.items():
        described = integration.icons.get(kind, {})
        yield from (
            f"{kind} {name}: no icon {key}"
            for name, icon in described.items()
            if key not in icon
        )
        if integration.is_core:
            continue
        for name in integration.yaml(f"{kind}.yaml").keys() ^ described.keys():
            yield f"{kind} {name}: an icon or a description is missing"


def _leaves(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


# Configuration in YAML.


def config_schema(integration: Integration) -> Iterator[str]:
    """An integration that is set up without a config entry has a schema for that."""
    sources = {
        name: path.read_text()
        for name in ("__init__", "config")
        if (path := integration.path / f"{name}.py").exists()
    }
    if integration.name == "homeassistant" or not re.search(
        r"^(async )?def (async_)?setup\(", sources.get("__init__", ""), re.MULTILINE
    ):
        return
    if not re.search(
        r"\b(CONFIG|PLATFORM)_SCHEMA|def async_validate_config\(",
        "".join(sources.values()),
    ):
        yield "__init__.py has a setup function and no CONFIG_SCHEMA"


type Rule = Callable[[Integration], Iterator[str]]

RULES: Final[tuple[Rule, ...]] = (
    *(dependencies, manifest, texts, text_forms, descriptions, icons, config_schema),
)
