"""The pictures of README and docs, and what each of them shows.

A picture is stale if a text or a file that it shows has changed since scripts/screenshots made it.
"""

from collections.abc import Callable
import hashlib
import json
from pathlib import Path
from typing import Any, Final

from custom_components.imap_push.flows.account_forms import (
    ADDRESS_SCHEMA,
    PASSWORD_SCHEMA,
)
from custom_components.imap_push.flows.folder_flow import folder_schema
from custom_components.imap_push.flows.search_flow import search_schema
from custom_components.imap_push.flows.value_fields import value_schema
from homeassistant.data_entry_flow import section
from homeassistant.util.yaml import parse_yaml

ROOT: Final = Path(__file__).parents[1]
INTEGRATION: Final = ROOT / "custom_components" / "imap_push"
IMAGES: Final = ROOT / "docs" / "images"
BLUEPRINTS: Final = ROOT / "blueprints" / "automation" / "imap_push"
RECORD: Final = IMAGES / "sources.json"

FOLDER: Final = "config_subentries.folder.step"
SEARCH: Final = "config_subentries.search.step"
TRIGGER: Final = "triggers.new_mail"
DASHBOARD: Final = "scripts/demo_home/dashboard.yaml"
FOLDER_ENTITIES: Final = (
    "entity.sensor.unread",
    "entity.event.new_mail",
)

MAX_PICTURE: Final = 150_000
MAX_ANIMATION: Final = 600_000

# The forms, whose fields are compared, too.
FORMS: Final[dict[str, Callable[[], Any]]] = {
    "address": lambda: ADDRESS_SCHEMA,
    "password": lambda: PASSWORD_SCHEMA,
    "folder": lambda: folder_schema([], {}),
    "search": lambda: search_schema([], {}, []),
    "value": lambda: value_schema([]),
}

# What each picture shows: parts of translations/en.json and icons.json, the fields of forms, the
# form of a blueprint, and files. It is in docs/images/ as NAME.png and NAME-dark.png, or as
# NAME.webp if it is an animation.
PICTURES: Final[dict[str, tuple[str, ...]]] = {
    "setup-1": ("config.step.user", "fields:address"),
    "setup-2": ("config.step.app_password", "fields:password"),
    "setup-3": ("config.create_entry.push",),
    "setup-4": FOLDER_ENTITIES,
    "folders": (f"{FOLDER}.user", "fields:folder"),
    "search": (f"{SEARCH}.user", "fields:search"),
    "value": (f"{SEARCH}.user.sections.value", "fields:value"),
    "preview": (f"{SEARCH}.preview",),
    "search-device": (
        "entity.sensor.matches",
        "entity.sensor.value",
        "entity.event.matching_mail",
    ),
    "automation": (TRIGGER, "services.mark_as_read"),
    "blueprint": ("blueprint:flash_light",),
    "dashboard": (*FOLDER_ENTITIES, "entity.sensor.value", "entity.image.picture"),
}
ANIMATIONS: Final[dict[str, tuple[str, ...]]] = {
    "demo": (DASHBOARD, *FOLDER_ENTITIES),
}


def read_texts() -> dict[str, Any]:
    """Return the texts and icons of the integration."""
    texts: dict[str, Any] = json.loads(
        (INTEGRATION / "translations" / "en.json").read_text()
    )
    icons = json.loads((INTEGRATION / "icons.json").read_text())
    return {"texts": texts, "icons": icons}


def digest(sources: tuple[str, ...], texts: dict[str, Any]) -> str:
    """Return a digest of everything that a picture shows."""
    contents = [_content(source, texts) for source in sources]
    return hashlib.sha256(json.dumps(contents).encode()).hexdigest()[:16]


def _content(source: str, texts: dict[str, Any]) -> Any:
    match source.split(":"):
        case ["fields", form]:
            return _fields(FORMS[form]())
        case ["blueprint", name]:
            blueprint: Any = parse_yaml((BLUEPRINTS / f"{name}.yaml").read_text())
            return blueprint["blueprint"]
    if (file := ROOT / source).is_file():
        return file.read_text()
    found = [_part(tree, source) for tree in texts.values()]
    if found[0] is None:
        raise KeyError(source)
    return found


def _part(tree: Any, path: str) -> Any:
    """Return a part of a tree, None if there is none."""
    for key in path.split("."):
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def _fields(schema: Any) -> list[Any]:
    """Return the fields in their order, with those of a section."""
    return [
        [str(name), _fields(field.schema) if isinstance(field, section) else None]
        for name, field in schema.schema.items()
    ]
