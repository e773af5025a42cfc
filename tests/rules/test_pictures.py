"""The pictures of README and docs show what Home Assistant shows now."""

from copy import deepcopy
from pathlib import Path
import re

import pytest

from scripts.picture_sources import (
    ANIMATIONS,
    IMAGES,
    MAX_ANIMATION,
    MAX_PICTURE,
    PICTURES,
    RECORD,
    digest,
    read_texts,
)

from . import ROOT, read_json

SOURCES = PICTURES | ANIMATIONS
TEXTS = read_texts()
RECORDED = read_json(RECORD)
FILES = {
    **{f"{name}{scheme}.png": MAX_PICTURE for name in PICTURES for scheme in ("", "-dark")},
    **{f"{name}.webp": MAX_ANIMATION for name in ANIMATIONS},
}  # fmt: skip


@pytest.mark.parametrize("name", SOURCES)
def test_picture_is_current(name: str) -> None:
    """What it shows has not changed since it was made."""
    made_from = RECORDED.get(name)
    assert made_from == digest(SOURCES[name], TEXTS), f"run scripts/screenshots {name}"


def test_record_is_complete() -> None:
    """It names each picture, and no other."""
    assert RECORDED.keys() == SOURCES.keys()


@pytest.mark.parametrize("file", FILES)
def test_picture_is_small(file: str) -> None:
    """It exists, and loads fast."""
    assert 0 < (IMAGES / file).stat().st_size <= FILES[file]


@pytest.mark.parametrize(
    ("path", "stale"),
    [
        ("config.step.user.title", {"setup-1"}),
        ("config.step.app_password.data.password", {"setup-2"}),
        ("config_subentries.search.step.user.data.sender", {"search"}),
        (
            "config_subentries.search.step.user.sections.value.name",
            {"search", "value"},
        ),
        ("triggers.new_mail.fields.subject.name", {"automation"}),
        ("config.error.unknown", set()),
        ("services.delete.name", set()),
    ],
)
def test_a_changed_text_makes_its_pictures_stale(path: str, stale: set[str]) -> None:
    """But not those that do not show it."""
    *parents, key = path.split(".")
    changed = deepcopy(TEXTS)
    tree = changed["texts"]
    for parent in parents:
        tree = tree[parent]
    assert tree[key]
    tree[key] = "Changed"
    assert stale == {
        name
        for name, sources in SOURCES.items()
        if digest(sources, changed) != digest(sources, TEXTS)
    }


def test_pictures_of_the_pages_exist() -> None:
    """A link to an image leads to a file."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    shown = {
        (page.parent / link).resolve()
        for page in pages
        for link in _images(page)
        if "://" not in link
    }
    assert [path for path in shown if not path.is_file()] == []


def _images(page: Path) -> list[str]:
    """Return the links to images of a page, in Markdown and HTML."""
    links = re.findall(
        r'!\[[^\]]*\]\(([^)\s]+)\)|(?:src|srcset)="([^"]+)"', page.read_text()
    )
    return [first or second for first, second in links]
