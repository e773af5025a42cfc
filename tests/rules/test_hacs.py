"""HACS accepts the repository.

Its own validators are not on PyPI. These follow its source of August 2026: the checks
"hacsjson", "integration_manifest", "brands" and "information". The checks "description",
"topics", "issues", "archived" and "license" look at settings on GitHub.
"""

from collections.abc import Iterator
import json
from pathlib import Path
from typing import Any

from awesomeversion import AwesomeVersion
import pytest
import voluptuous as vol

from homeassistant.helpers import config_validation as cv

from . import ROOT, read_json

HACS_JSON = vol.Schema(
    {
        vol.Required("name"): str,
        vol.Optional("content_in_root"): bool,
        vol.Optional("country"): vol.Any(str, [str]),
        vol.Optional("filename"): str,
        vol.Optional("hacs"): str,
        vol.Optional("hide_default_branch"): bool,
        vol.Optional("homeassistant"): str,
        vol.Optional("persistent_directory"): str,
        vol.Optional("render_readme"): bool,
        vol.Optional("zip_release"): bool,
    }
)
MANIFEST = vol.Schema(
    {
        vol.Required("codeowners"): list,
        vol.Required("documentation"): cv.url,
        vol.Required("domain"): str,
        vol.Required("issue_tracker"): cv.url,
        vol.Required("name"): str,
        vol.Required("version"): vol.Coerce(AwesomeVersion),
    },
    extra=vol.ALLOW_EXTRA,
)


def faults(root: Path) -> Iterator[str]:
    """Yield what HACS would report of a repository."""
    hacs = read_json(root / "hacs.json")
    [manifest] = root.glob("custom_components/*/manifest.json")
    for name, schema, content in (
        ("hacs.json", HACS_JSON, hacs),
        ("manifest.json", MANIFEST, read_json(manifest)),
    ):
        try:
            schema(content)
        except vol.Invalid as err:
            yield f"{name}: {err}"
    if hacs.get("zip_release") and not str(hacs.get("filename")).endswith(".zip"):
        yield "hacs.json: zip_release needs the name of a zip file"
    if not (manifest.parent / "brand" / "icon.png").is_file():
        yield "there is no brand/icon.png"
    if not {"readme", "readme.md", "info", "info.md"} & {
        path.name.lower() for path in root.iterdir()
    }:
        yield "there is no README"


def test_hacs_accepts_the_repository() -> None:
    """It installs the zip of a release, and shows no commits as versions."""
    assert list(faults(ROOT)) == []
    hacs = read_json(ROOT / "hacs.json")
    assert hacs["zip_release"]
    assert hacs["hide_default_branch"]


def test_marketplace_reads_hacs_json() -> None:
    """Home Assistant 2026.11 has its own installer, which ignores invalid values."""
    read = pytest.importorskip(
        "homeassistant.components.marketplace.repositories.base",
        reason="Home Assistant 2026.10, or no start of 2026.11 installed its requirements",
    ).RepositoryManifest.from_dict(read_json(ROOT / "hacs.json"))
    assert read.manifest == read_json(ROOT / "hacs.json")


@pytest.mark.parametrize(
    ("name", "change", "fault"),
    [
        ("hacs.json", {"name": None}, "hacs.json: required key not provided"),
        ("hacs.json", {"zip": True}, "hacs.json: not a valid option"),
        ("hacs.json", {"zip_release": "yes"}, "hacs.json: expected bool"),
        ("hacs.json", {"filename": None}, "hacs.json: zip_release needs"),
        ("manifest.json", {"version": None}, "manifest.json: required key"),
        ("manifest.json", {"issue_tracker": "x"}, "manifest.json: invalid url"),
        ("README.md", None, "there is no README"),
        ("icon.png", None, "there is no brand/icon.png"),
    ],
    ids=str,
)
def test_faults(
    tmp_path: Path, name: str, change: dict[str, Any] | None, fault: str
) -> None:
    """A key is changed, or removed if it is None, or the file is removed."""
    for path in (
        *(ROOT / "hacs.json", ROOT / "README.md"),
        *ROOT.glob("custom_components/*/manifest.json"),
        *ROOT.glob("custom_components/*/brand/icon.png"),
    ):
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.name != name:
            copy.write_bytes(path.read_bytes())
        elif change is not None:
            content = {**read_json(path), **change}
            kept = {key: value for key, value in content.items() if value is not None}
            copy.write_text(json.dumps(kept))
    [found] = faults(tmp_path)
    assert found.startswith(fault)
