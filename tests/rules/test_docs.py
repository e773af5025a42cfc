"""Links, labels and example IDs in README.md and the pages of docs/."""

from collections.abc import Iterator
import json
from pathlib import Path
import re
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from awesomeversion import AwesomeVersion
import hass_frontend
import pytest

from custom_components.imap_push.media_source import AttachmentSource
from homeassistant.const import __version__
from homeassistant.util.yaml import parse_yaml

from . import ENGLISH, INTEGRATION, ROOT, find, read_json, strings

DOCS: Final = ROOT / "docs"
README: Final = ROOT / "README.md"
MANIFEST: Final = read_json(INTEGRATION / "manifest.json")
REPOSITORY: Final = MANIFEST["documentation"]
MINIMUM: Final = read_json(ROOT / "hacs.json")["homeassistant"]
MAX_WORDS: Final = 1200

OTHERS: Final = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
PAGES: Final = [README, *(ROOT / name for name in OTHERS), *sorted(DOCS.glob("*.md"))]
# Pages for developers have headings in bold, and name no labels.
DEVELOPERS: Final = {"corpus", "engine", "performance", "reliability", "servers"}
GUIDES: Final = [
    page for page in PAGES if page.name not in OTHERS and page.stem not in DEVELOPERS
]

# The labels that Home Assistant 2026.10 does not have.
NEW_LABELS: Final = {
    *(
        "Add custom repository",
        "Add from link",
        "Before you install from the Marketplace",
    ),
    *("Connect GitHub", "I understand the risks and agree", "Install another version"),
    "Marketplace",
}
# Labels of HACS, and one with a name after it.
FOREIGN: Final = {
    "troubleshooting.md": {"Authentication expired"},
    "README.md": {"Download"},
    "getting-started.md": {"Download", "Remove"},
    "upgrading.md": {"Redownload"},
}

CODE: Final = re.compile(r"^( *)(```|~~~).*?^\1\2 *$", re.DOTALL | re.MULTILINE)
LINK: Final = re.compile(
    r"\]\(([^()\s]+)\)|^\[[^\]]+\]: (\S+)$|(?:src|srcset)=\"([^\"]+)\"", re.MULTILINE
)
REFERENCE: Final = re.compile(r"\]\[([^\]]+)\]")
HEADING: Final = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
BOLD: Final = re.compile(r"\*\*(.+?)\*\*", re.DOTALL)
YAML: Final = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
DOMAINS: Final = (
    "automation|binary_sensor|button|event|image|light|notify|scene|sensor|todo"
)
ENTITY_ID: Final = re.compile(rf"(?<![\w./])(?:{DOMAINS})\.[a-z0-9_]+(?![\w(./*])")


def _names(pages: list[Path]) -> pytest.MarkDecorator:
    """Run a test for each page."""
    return pytest.mark.parametrize("page", pages, ids=lambda page: page.name)


def _prose(page: Path) -> str:
    """Return a page without its code."""
    return re.sub(r"`[^`\n]*`", "", CODE.sub("", page.read_text()))


def _links(page: Path) -> list[str]:
    """Return the targets of all links and pictures."""
    return ["".join(found) for found in LINK.findall(CODE.sub("", page.read_text()))]


def _anchors(page: Path) -> Iterator[str]:
    """Yield the anchors of the headings, as GitHub and the docs site make them."""
    for title in HEADING.findall(CODE.sub("", page.read_text())):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
        yield re.sub(r"[^\w -]", "", text).strip().lower().replace(" ", "-")


@_names(PAGES)
def test_relative_links_lead_somewhere(page: Path) -> None:
    """The file exists, and the heading in it."""
    for link in _links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            # GitHub and the docs site number equal headings differently.
            assert list(_anchors(target)).count(anchor) == 1, link
        # A page of the docs site cannot link to a file outside of it.
        assert DOCS not in page.parents or DOCS in {target, *target.parents}, link


@_names(PAGES)
def test_external_links_are_well_formed(page: Path) -> None:
    """They use https and name a host; links into this repository name existing files."""
    for link in _links(page):
        if not re.match(r"[a-z]+:", link):
            continue
        url = urlsplit(link)
        assert url.scheme == "https", link
        assert re.fullmatch(r"([a-z0-9-]+\.)+[a-z]{2,}", url.hostname or ""), link
        if url.hostname == "my.home-assistant.io":
            _check_my_link(
                url.path, parse_qs(url.query, strict_parsing=bool(url.query))
            )
        elif link.startswith(f"{REPOSITORY}/blob/main/"):
            assert (ROOT / link.removeprefix(f"{REPOSITORY}/blob/main/")).is_file(), (
                link
            )


def _check_my_link(path: str, query: dict[str, list[str]]) -> None:
    """Check a link that opens a page of the user's Home Assistant."""
    values = {key: value for key, [value] in query.items()}
    match path.strip("/").split("/"):
        case ["badges", badge]:
            assert badge.removesuffix(".svg") in _MY_LINKS
        case ["redirect", "hacs_repository"]:
            owner, name = urlsplit(REPOSITORY).path.strip("/").split("/")
            assert values == {
                "owner": owner,
                "repository": name,
                "category": "integration",
            }
        case ["redirect", "config_flow_start"]:
            assert values == {"domain": INTEGRATION.name}
        case ["redirect", "blueprint_import"]:
            assert list(values) == ["blueprint_url"]
            start = f"{REPOSITORY}/blob/main/"
            assert values["blueprint_url"].startswith(start)
            assert (ROOT / values["blueprint_url"].removeprefix(start)).is_file()
        case other:
            raise AssertionError(other)


_MY_LINKS: Final = {"blueprint_import", "config_flow_start", "hacs_repository"}


@_names(PAGES)
def test_reference_links_are_defined(page: Path) -> None:
    """Markdown shows the brackets of others."""
    defined = set(re.findall(r"^\[([^\]]+)\]: ", page.read_text(), re.MULTILINE))
    assert set(REFERENCE.findall(_prose(page))) <= defined


def test_every_blueprint_has_an_import_button() -> None:
    """In README and in the page about blueprints."""
    for path in (ROOT / "blueprints").rglob("*.yaml"):
        for page in (README, DOCS / "blueprints.md"):
            assert f"%2F{path.name})" in page.read_text()


BLUEPRINT_LINK: Final = re.compile(r"(?<!!)\[([^\]]+)\]\(([^()\s]+/\w+\.yaml)\)")


@_names([README, *sorted(DOCS.glob("*.md"))])
def test_blueprints_have_their_own_names(page: Path) -> None:
    """The text of a link to a blueprint is the name that Home Assistant lists."""
    for text, link in BLUEPRINT_LINK.findall(page.read_text()):
        path = ROOT / link.removeprefix(f"{REPOSITORY}/blob/main/")
        if path.is_relative_to(ROOT / "blueprints"):
            content: Any = parse_yaml(path.read_text())
            assert text == content["blueprint"]["name"]


def _labels() -> Iterator[str]:
    """Yield all texts that the integration and Home Assistant show."""
    yield from (MANIFEST["name"], AttachmentSource.name)
    yield from (text for _, text in strings(ENGLISH))
    for path in (ROOT / "blueprints").rglob("*.yaml"):
        yield from map(str, find(parse_yaml(path.read_text()), "name"))
    for path in (hass_frontend.where() / "static" / "translations").rglob("en-*.json"):
        if "en-GB" not in path.name:
            yield from json.loads(path.read_text()).values()


@pytest.fixture(scope="module")
def labels() -> set[str]:
    """Return all texts that the integration and Home Assistant show."""
    is_old = AwesomeVersion(__version__) < "2026.11.0"
    return {*_labels(), *(NEW_LABELS if is_old else ())}


# A placeholder in a title stands for any text.
TITLES: Final = [
    re.compile(re.sub(r"\\{\w+\\}", ".+", re.escape(text)))
    for _, text in strings(ENGLISH)
    if re.search(r"\{\w+\}.*\w{3}|\w{3}.*\{\w+\}", text)
]


def _quoted_labels(page: Path) -> set[str]:
    """Return what is in bold; a heading within a paragraph ends with a period."""
    found = (" ".join(text.split()) for text in BOLD.findall(_prose(page)))
    return {text for text in found if text[-1] != "."}


@_names(GUIDES)
def test_labels_exist(page: Path, labels: set[str]) -> None:
    """A label of the user interface is in bold, with a `>` between the steps to it."""
    unknown = {
        label
        for label in _quoted_labels(page) - labels
        if not any(title.fullmatch(label) for title in TITLES)
    }
    assert unknown <= FOREIGN.get(page.name, set())


def _documented_ids() -> set[str]:
    """Return the entity IDs of the table in automations.md."""
    text = (DOCS / "automations.md").read_text().partition("\n## Example IDs\n")[2]
    return set(ENTITY_ID.findall(text))


@_names(GUIDES)
def test_entity_ids_are_documented_examples(page: Path) -> None:
    """Each example uses the same few IDs, and the page says that they are examples."""
    used = {
        entity_id
        for block in YAML.findall(page.read_text())
        for entity_id in ENTITY_ID.findall(block)
        # Actions look like entity IDs; a scene and a sensor are created by the example.
        if f"action: {entity_id}" not in block
        and entity_id not in {"scene.before_the_flash", "sensor.newest_emails"}
    }
    assert used <= _documented_ids()
    if used:
        assert (
            "automations.md#example-ids)" in page.read_text()
            or page.stem == "automations"
        )


@_names(PAGES)
def test_yaml_can_be_parsed(page: Path) -> None:
    """Indentation and quotes are right."""
    for block in YAML.findall(page.read_text()):
        assert parse_yaml(block)


def test_readme_is_short() -> None:
    """Its prose can be read in five minutes; the rest is in the docs."""
    text = re.sub(r"<[^>]+>|\]\([^)]*\)|^\[[^\]]+\]: .*$|[|#*>-]", " ", _prose(README))
    assert len(text.split()) < MAX_WORDS


def test_readme_leads_to_every_page() -> None:
    """And so does the navigation of the docs site."""
    navigation = (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")[2]
    for page in DOCS.glob("*.md"):
        assert re.search(rf"\b{page.name}$", navigation, re.MULTILINE)
    linked = {link.partition("#")[0] for link in _links(README)}
    described = {link.partition("#")[0] for page in GUIDES for link in _links(page)}
    for page in GUIDES[1:]:
        assert page.stem == "index" or {f"docs/{page.name}", page.name} & (
            linked | described
        )


@pytest.mark.parametrize(
    "page", [README, DOCS / "getting-started.md"], ids=lambda p: p.name
)
def test_minimum_version_of_home_assistant(page: Path) -> None:
    """It is the one that the Marketplace and HACS enforce."""
    assert f"Home Assistant {MINIMUM} or newer" in page.read_text()
    named = set(re.findall(r"Home Assistant (\d{4}\.\d+\.\d+)", page.read_text()))
    assert named == {MINIMUM}
