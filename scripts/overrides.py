"""Print uv overrides for a Home Assistant that is not released yet.

scripts/setup runs this in an environment in which that Home Assistant is installed without its
dependencies, so only the standard library can be imported. The output has one line for Home
Assistant, one for the newest test harness, and one for each package of requirements_test.txt
that Home Assistant itself pins.

usage: python scripts/overrides.py SOURCE
  SOURCE    what was installed: "homeassistant", or "homeassistant @ URL"
"""

from collections.abc import Iterator
from importlib.metadata import version
import json
from pathlib import Path
import re
import sys


def package_name(requirement: str) -> str:
    """Return the normalized name of the package in a requirement, "" for a comment."""
    found = re.match(r"[\w.-]*", requirement)
    return found[0].lower().replace("_", "-") if found else ""


def pinned_by_home_assistant(root: Path) -> dict[str, str]:
    """Return the exact requirements of Home Assistant and its integrations, by package."""
    lines = (root / "package_constraints.txt").read_text().splitlines()
    for manifest in root.glob("components/*/manifest.json"):
        lines += json.loads(manifest.read_text()).get("requirements", [])
    return {
        name: line for line in lines if "==" in line and (name := package_name(line))
    }


def overrides(source: str, root: Path, requirements: str) -> Iterator[str]:
    """Yield the overrides."""
    has_url = "@" in source
    yield source if has_url else f"homeassistant=={version('homeassistant')}"
    yield "pytest-homeassistant-custom-component"
    pins = pinned_by_home_assistant(root)
    names = map(package_name, requirements.splitlines())
    yield from (pins[name] for name in names if name in pins)


def main(source: str) -> None:
    """Print the overrides."""
    root = next(Path(sys.prefix).glob("lib/python*/site-packages/homeassistant"))
    requirements = Path(__file__).parents[1] / "requirements_test.txt"
    print(*overrides(source, root, requirements.read_text()), sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
