"""Texts read well in every language."""

from pathlib import Path
import re

import pytest

from . import ENGLISH, ICONS, INTEGRATION, find, read_json, strings

TEXTS = dict(strings(ENGLISH))
LANGUAGES = sorted((INTEGRATION / "translations").glob("*.json"))


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda path: path.stem)
def test_texts_are_well_formed(language: Path) -> None:
    """No address, no HTML, no quoted placeholder, no blank at an end."""
    for path, text in strings(read_json(language)):
        assert text, path
        assert text == text.strip(), path
        assert "://" not in text, path
        assert not re.search(r"<[a-z/]", text), path
        # Home Assistant shows texts as Markdown: what is between two * becomes italic.
        assert text.replace("**", "").count("*") < 2, path
        assert not re.search(r"'\{\w+\}'", text), path
        assert all(name.isidentifier() for name in _placeholders(text)), path
        assert all(re.fullmatch(r"[a-z0-9-_]+", key) for key in path.split(".")), path


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda path: path.stem)
def test_a_translation_matches_english(language: Path) -> None:
    """It has no key that English lacks, and the same placeholders.

    It may lag behind: Home Assistant shows the English text of a missing key.
    """
    for path, text in strings(read_json(language)):
        assert path in TEXTS
        assert _placeholders(text) == _placeholders(TEXTS[path]), path


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda path: path.stem)
def test_keys_are_sorted(language: Path) -> None:
    """So that people find them, and changes merge."""
    for tree in (read_json(language), ICONS):
        assert list(strings(tree)) == list(strings(_sorted(tree)))


def test_every_field_of_every_form_is_described() -> None:
    """In every flow, step and section, of repairs as well."""
    forms = [
        form
        for kind in ("step", "sections")
        for forms in find(ENGLISH, kind)
        for form in forms.values()
        if "data" in form or "data_description" in form
    ]
    assert forms
    for form in forms:
        assert set(form["data"]) == set(form.get("data_description", {}))


def test_every_issue_says_what_is_wrong_and_what_to_do() -> None:
    """Hassfest wants either a description or a flow that mends it, never both."""
    for key, issue in ENGLISH["issues"].items():
        assert issue["title"], key
        assert ("description" in issue) is not ("fix_flow" in issue), key


def test_every_kind_of_subentry_has_its_words() -> None:
    """Its name, and the buttons that add and change one."""
    for kind, texts in ENGLISH["config_subentries"].items():
        assert texts["entry_type"], kind
        assert texts["initiate_flow"]["user"], kind


def test_icons_are_material_design_icons() -> None:
    """And one that depends on the state differs from the usual one."""
    assert all(re.fullmatch(r"mdi:[a-z0-9-]+", icon) for _, icon in strings(ICONS))
    for entities in ICONS["entity"].values():
        for icons in entities.values():
            states = {
                *icons.get("state", {}).values(),
                *icons.get("range", {}).values(),
            }
            assert icons["default"] not in states


def _placeholders(text: str) -> list[str]:
    """Return the placeholders of a text, sorted."""
    return sorted(re.findall(r"\{([^}]*)\}", text))


def _sorted(tree: object) -> object:
    """Return the tree with sorted keys."""
    if not isinstance(tree, dict):
        return tree
    return {key: _sorted(tree[key]) for key in sorted(tree)}
