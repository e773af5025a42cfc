"""Rules of hassfest, HACS and the Integration Quality Scale, and for the texts."""

from collections.abc import Iterator, Mapping
import json
from pathlib import Path
from typing import Any, Final, cast

from homeassistant.util.yaml import parse_yaml

ROOT: Final = Path(__file__).parents[2]
INTEGRATION: Final = ROOT / "custom_components" / "imap_push"


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object, with its keys in the order of the file."""
    return dict(json.loads(path.read_text()))


def read_yaml(path: Path) -> dict[str, Any]:
    """Return a YAML mapping."""
    return cast(dict[str, Any], parse_yaml(path.read_text()))


def strings(tree: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield each text with its path."""
    if isinstance(tree, str):
        yield path, tree
        return
    for key, value in tree.items():
        yield from strings(value, f"{path}.{key}" if path else key)


def find(tree: Any, key: str) -> Iterator[Any]:
    """Yield the values of a key at any depth."""
    if isinstance(tree, Mapping):
        for name, value in tree.items():
            if name == key:
                yield value
            yield from find(value, key)
    elif isinstance(tree, list):
        for value in tree:
            yield from find(value, key)


ENGLISH: Final = read_json(INTEGRATION / "translations" / "en.json")
ICONS: Final = read_json(INTEGRATION / "icons.json")
