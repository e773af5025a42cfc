"""The integration follows the rules of hassfest, and so do Home Assistant's own."""

from collections.abc import Iterator
import json
from pathlib import Path
from typing import Any

import pytest

from . import INTEGRATION
from .hassfest import (
    RULES,
    Integration,
    Rule,
    config_schema,
    core_integrations,
    dependencies,
    descriptions,
    icons,
    imported_components,
    manifest,
    text_forms,
    texts,
)

CORE = core_integrations()
MANIFEST = Integration(INTEGRATION).manifest


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_integration_follows_the_rules(rule: Rule) -> None:
    """As hassfest checks it in the workflow "Validate"."""
    assert list(rule(Integration(INTEGRATION))) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_rules_accept_the_integrations_of_home_assistant(rule: Rule) -> None:
    """A rule with a fault there is wrong. Only a part is searched for imports, which is slow."""
    assert len(CORE) > 1_000
    sample = CORE[::6] if rule is dependencies else CORE
    faults = [(each.name, fault) for each in sample for fault in rule(each)]
    assert faults == []


def test_every_dependency_is_used() -> None:
    """An unused one delays the start."""
    used = set().union(*map(imported_components, INTEGRATION.rglob("*.py")))
    assert used >= {*MANIFEST["dependencies"]}


# One change of a correct integration, and the fault.
GOOD_MANIFEST = {
    "domain": "good",
    "name": "Good",
    "codeowners": ["@somebody"],
    "config_flow": True,
    "documentation": "https://example.org",
    "integration_type": "service",
    "iot_class": "cloud_push",
    "issue_tracker": "https://example.org/issues",
    "requirements": ["package>=1.0,<=1.2"],
    "version": "1.0.0",
}
GOOD_FILES = {
    "__init__.py": "CONFIG_SCHEMA = 1\nasync def async_setup(hass, config): ...",
    "config_flow.py": "",
    "services.yaml": "run:\n  fields:\n    speed:\n    more:\n      fields:\n        color:",
    "icons.json": '{"services": {"run": {"service": "mdi:run"}}}',
    "translations/en.json": json.dumps(
        {
            "config": {"step": {"user": {"title": "Add", "data": {"host": "Host"}}}},
            "services": {
                "run": {
                    "name": "Run",
                    "description": "Runs.",
                    "fields": {"speed": {"name": "Speed"}, "color": {"name": "Color"}},
                    "sections": {"more": {"name": "More"}},
                }
            },
        }
    ),
}


@pytest.fixture
def good(tmp_path: Path) -> Integration:
    """Return a correct integration."""
    path = tmp_path / "good"
    (path / "translations").mkdir(parents=True)
    for name, text in GOOD_FILES.items():
        (path / name).write_text(text)
    _write_manifest(path, GOOD_MANIFEST)
    return Integration(path)


def _write_manifest(path: Path, content: dict[str, Any]) -> None:
    (path / "manifest.json").write_text(json.dumps(content))


def _faults(integration: Integration) -> Iterator[str]:
    for rule in RULES:
        yield from rule(integration)


def test_a_correct_integration_has_no_fault(good: Integration) -> None:
    """The cases below differ from it in one place."""
    assert list(_faults(good)) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"colour": "red"}, "colour is unknown"),
        ({"quality_scale": "gold"}, "quality_scale is unknown"),
        ({"categories": ["messaging"]}, "categories is unknown"),
        ({"domain": "bad"}, "domain is not the name of the folder"),
        ({"codeowners": ["somebody"]}, "somebody is not a code owner"),
        ({"dependencies": "http"}, "dependencies is not a list of strings"),
        ({"dependencies": ["htp"]}, "there is no component htp"),
        ({"documentation": "https://www.home-assistant.io/x"}, "documentation is not"),
        ({"issue_tracker": "http://example.org"}, "issue_tracker is not"),
        ({"iot_class": "push"}, "iot_class push is unknown"),
        ({"iot_class": None}, "iot_class is missing"),
        ({"integration_type": None}, "integration_type is missing"),
        ({"codeowners": None}, "codeowners is missing"),
        ({"version": None}, "version is missing or invalid"),
        ({"version": "one"}, "version is missing or invalid"),
        ({"requirements": ["package"]}, "package has no version"),
        (
            {"dependencies": ["http"], "after_dependencies": ["http"]},
            "http is both a dependency and an after_dependency",
        ),
    ],
    ids=str,
)
def test_faults_of_a_manifest(
    good: Integration, change: dict[str, Any], fault: str
) -> None:
    """A key that is None is left out."""
    changed = {**GOOD_MANIFEST, **change}
    keys = ["domain", "name", *sorted(changed.keys() - {"domain", "name"})]
    content = {key: changed[key] for key in keys if changed[key] is not None}
    _write_manifest(good.path, content)
    assert [found for found in manifest(good) if found.startswith(fault)]


def test_keys_of_a_manifest_are_sorted(good: Integration) -> None:
    """Domain and name are first."""
    _write_manifest(good.path, dict(sorted(GOOD_MANIFEST.items())))
    assert list(manifest(good)) == ["the order is: domain, name, all others by name"]


@pytest.mark.parametrize(
    ("rule", "name", "old", "new", "fault"),
    [
        (manifest, "config_flow.py", None, None, "there is no config_flow.py"),
        (config_schema, "__init__.py", "CONFIG_SCHEMA", "x", "__init__.py has a setup"),
        (icons, "icons.json", "mdi:run", "hass:run", "services.run.service: hass:run"),
        (icons, "icons.json", '"service"', '"icon"', "services run: no icon service"),
        (icons, "icons.json", '"run"', '"go"', "services go: an icon or a description"),
        (
            descriptions,
            "services.yaml",
            "speed",
            "pace",
            "services run: field pace has",
        ),
        (descriptions, "services.yaml", "more", "rest", "services run: section rest"),
        (descriptions, "services.yaml", "run", "go", "services go: no name"),
        (texts, "translations/en.json", '"config"', '"setup"', "setup is unknown"),
        (texts, "translations/en.json", '"title"', '"name"', "config.step.user.name"),
        (
            texts,
            "translations/en.json",
            '"Add"',
            '{"a": "b"}',
            "config.step.user.title",
        ),
        (
            texts,
            "translations/en.json",
            '{"host": "Host"}',
            '"x"',
            "config.step.user.data",
        ),
    ],
)
def test_faults_of_other_files(
    good: Integration, rule: Rule, name: str, old: str | None, new: str, fault: str
) -> None:
    """A text is replaced, or the file is removed."""
    path = good.path / name
    if old is None:
        path.unlink()
    else:
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
    assert [found for found in rule(good) if found.startswith(fault)]


@pytest.mark.parametrize(
    ("path", "text", "fault"),
    [
        ("title", "", "is empty, or has spaces at its ends"),
        ("title", "Add ", "is empty, or has spaces at its ends"),
        ("title", "<b>Add</b>", "has HTML"),
        ("title", "Add '{name}'", "has a placeholder in quotes"),
        ("title", "Add {a name}", "has a placeholder without a name"),
        ("title", "See https://example.org", "has a URL"),
        ("config.Step", "Add", "has a key that is not in snake case"),
    ],
)
def test_faults_of_a_text(good: Integration, path: str, text: str, fault: str) -> None:
    """In any of the texts."""
    content: dict[str, Any] = {}
    *groups, last = path.split(".")
    group = content
    for name in groups:
        group = group.setdefault(name, {})
    group[last] = text
    (good.path / "translations" / "en.json").write_text(json.dumps(content))
    assert list(text_forms(good)) == [f"{path}: {fault}"]


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
def test_reported_imports(good: Integration, code: str, reported: set[str]) -> None:
    """An import is reported unless it is declared, allowed, for type checking or a platform."""
    (good.path / "repairs.py").write_text("")
    (good.path / "module.py").write_text(code)
    assert set(dependencies(good)) == {
        f"module.py imports {component}, which is not declared"
        for component in reported
    }
