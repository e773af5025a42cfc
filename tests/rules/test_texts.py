"""Rules for the texts of all languages. Only English has to be complete."""

from pathlib import Path
import re

import pytest

from . import ENGLISH, ICONS, INTEGRATION, ROOT, find, read_json, read_yaml, strings
from .hassfest import form_faults

TEXTS = dict(strings(ENGLISH))
LANGUAGES = sorted((INTEGRATION / "translations").glob("*.json"))


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda path: path.stem)
def test_texts_are_well_formed(language: Path) -> None:
    """As hassfest requires, also in other languages, and without parts in italics."""
    for path, text in strings(read_json(language)):
        assert list(form_faults(path, text)) == []
        assert "://" not in text, path
        # Home Assistant renders Markdown: text between two * is italic.
        assert text.replace("**", "").count("*") < 2, path


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda path: path.stem)
def test_translation_matches_english(language: Path) -> None:
    """It has no other keys than English, and the same placeholders.

    Keys may be missing: Home Assistant then shows the English text.
    """
    for path, text in strings(read_json(language)):
        outdated = f"{path}: translate it again, or delete it"
        assert path in TEXTS, outdated
        assert _placeholders(text) == _placeholders(TEXTS[path]), outdated


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda path: path.stem)
def test_keys_are_sorted(language: Path) -> None:
    """This makes them easy to find and to merge."""
    for tree in (read_json(language), ICONS):
        assert list(strings(tree)) == list(strings(_sorted(tree)))


# Home Assistant writes "email", also for a message, and plain words.
UNUSUAL = re.compile(
    r"\b((?<!{)mails|mail (account|address|provider)|anew|everybody|for ever|mended|octets?"
    r"|somebody|vouch\w*|whoever)\b",
    re.IGNORECASE,
)
BLUEPRINT_TEXTS = [
    (path.name, text)
    for path in sorted((ROOT / "blueprints").rglob("*.yaml"))
    for key in ("name", "description")
    for text in find(read_yaml(path)["blueprint"], key)
]


def test_english_has_no_unusual_words() -> None:
    """In forms, errors, repairs and blueprints."""
    assert BLUEPRINT_TEXTS
    for path, text in (*TEXTS.items(), *BLUEPRINT_TEXTS):
        assert not UNUSUAL.search(text), path


def test_every_field_has_a_description() -> None:
    """In all steps and sections, also of repairs."""
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


def test_every_issue_has_a_title_and_a_description_or_a_fix_flow() -> None:
    """Hassfest requires one of them, never both."""
    for key, issue in ENGLISH["issues"].items():
        assert issue["title"], key
        assert ("description" in issue) is not ("fix_flow" in issue), key


def test_every_subentry_type_has_texts() -> None:
    """Its name, and the buttons that add and change one."""
    for kind, texts in ENGLISH["config_subentries"].items():
        assert texts["entry_type"], kind
        assert texts["initiate_flow"]["user"], kind


def test_icons_are_material_design_icons() -> None:
    """An icon for a state differs from the default."""
    assert all(re.fullmatch(r"mdi:[a-z0-9-]+", icon) for _, icon in strings(ICONS))
    for entities in ICONS["entity"].values():
        for icons in entities.values():
            states = {
                *icons.get("state", {}).values(),
                *icons.get("range", {}).values(),
            }
            assert icons["default"] not in states


def _placeholders(text: str) -> list[str]:
    """Return the sorted placeholders of a text."""
    return sorted(re.findall(r"\{([^}]*)\}", text))


def _sorted(tree: object) -> object:
    """Return the tree with sorted keys."""
    if not isinstance(tree, dict):
        return tree
    return {key: _sorted(tree[key]) for key in sorted(tree)}


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_examples_say_whose_entity_ids_they_have(page: Path) -> None:
    """They depend on the account and on the language. A wrong one is not reported."""
    text = page.read_text()
    if re.search(r"\b(event|sensor|todo|image)\.jane_", text):
        assert "#example-ids" in text or "## Example IDs" in text


BLUEPRINTS = sorted((ROOT / "blueprints" / "automation" / "imap_push").glob("*.yaml"))


def test_input_of_a_blueprint_is_named_after_what_it_is() -> None:
    """Blueprints cannot be translated. A name that the trigger has, too, means the same field.

    From and To are header fields of an email, so they are no names for times.
    """
    fields = ENGLISH["triggers"]["new_mail"]["fields"]
    keys = {field["name"]: key for key, field in fields.items()}
    inputs = [read_yaml(path)["blueprint"]["input"] for path in BLUEPRINTS]
    assert inputs
    for key, value in (item for found in inputs for item in found.items()):
        assert value["name"] not in {"From", "To", "Until"}
        assert keys.get(value["name"], key) == key
