"""Actions, triggers and conditions have descriptions for the automation editor."""

import re

import pytest

from homeassistant.helpers.selector import selector

from . import ENGLISH, ICONS, INTEGRATION, ROOT, find, read_yaml
from .hassfest import fields, sections

# File of descriptions: key in the icons, page of the documentation.
KINDS = {
    "services": ("service", "actions"),
    "triggers": ("trigger", "triggers"),
    "conditions": ("condition", "conditions"),
}
DESCRIPTIONS = {kind: read_yaml(INTEGRATION / f"{kind}.yaml") for kind in KINDS}
ALL = [
    pytest.param(kind, name, id=f"{kind} {name}")
    for kind, described in DESCRIPTIONS.items()
    for name in described
]


@pytest.mark.parametrize("kind", KINDS)
def test_texts_and_icons_match_the_descriptions(kind: str) -> None:
    """None is missing, none is unused."""
    assert set(ENGLISH[kind]) == set(DESCRIPTIONS[kind])
    assert set(ICONS[kind]) == set(DESCRIPTIONS[kind])
    assert not [name for name in DESCRIPTIONS[kind] if name.startswith(".")]


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_names_and_descriptions(kind: str, name: str) -> None:
    """Fields in sections have them, too. Sections have a name."""
    texts = ENGLISH[kind][name]
    described = DESCRIPTIONS[kind][name]
    assert texts["name"]
    assert texts["description"].endswith(".")
    assert set(texts.get("fields", {})) == set(fields(described))
    for field in texts.get("fields", {}).values():
        assert field["name"]
        assert field["description"].endswith(".")
    assert set(texts.get("sections", {})) == set(sections(described))
    assert all(section["name"] for section in texts.get("sections", {}).values())


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_icons(kind: str, name: str) -> None:
    """Sections may have one."""
    icons = ICONS[kind][name]
    assert icons[KINDS[kind][0]].startswith("mdi:")
    assert set(icons.get("sections", {})) <= set(sections(DESCRIPTIONS[kind][name]))


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_every_field_has_a_selector(kind: str, name: str) -> None:
    """It is valid, and its options have texts."""
    for field in fields(DESCRIPTIONS[kind][name]).values():
        assert selector(field["selector"])
        for key in find(field["selector"], "translation_key"):
            assert ENGLISH["selector"][key]["options"]


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_documentation_has_every_field(kind: str, name: str) -> None:
    """The page names the action, trigger or condition and its fields."""
    page = (ROOT / "docs" / f"{KINDS[kind][1]}.md").read_text()
    assert f"imap_push.{name}" in page
    for field in fields(DESCRIPTIONS[kind][name]):
        assert f"`{field}`" in page, field


def test_every_registered_action_has_a_description() -> None:
    """Hassfest requires services.yaml."""
    source = (INTEGRATION / "services.py").read_text()
    registered = set(re.findall(r'^SERVICE_\w+: Final = "(\w+)"', source, re.MULTILINE))
    assert registered == set(DESCRIPTIONS["services"])


@pytest.mark.parametrize("kind", ["triggers", "conditions"])
def test_every_trigger_and_condition_has_a_description(kind: str) -> None:
    """Those that the platform returns to Home Assistant."""
    module = kind.removesuffix("s")
    source = (INTEGRATION / f"{module}.py").read_text()
    returned = re.search(
        rf"def async_get_{kind}\(.*?return (\{{.*?\}})", source, re.DOTALL
    )
    assert returned is not None
    assert set(re.findall(r'"(\w+)":', returned[1])) == set(DESCRIPTIONS[kind])
