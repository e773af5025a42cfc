"""Manifest, versions, brand images and community files of the repository."""

from pathlib import Path
import re
import struct

import pytest

from scripts.release import VERSION_IN_GIT, supported_versions

from . import INTEGRATION, ROOT, read_json, read_yaml

from tests.e2e.conftest import VENVS

MANIFEST = read_json(INTEGRATION / "manifest.json")
HACS = read_json(ROOT / "hacs.json")
NEWEST = supported_versions().newest

BRAND_NAMES = {
    f"{dark}{image}{scale}.png"
    for dark in ("", "dark_")
    for image in ("icon", "logo")
    for scale in ("", "@2x")
}
BRAND = INTEGRATION / "brand"


def test_values_of_the_manifest() -> None:
    """The version is that of scripts/release.py, which sets it in the zip of a release."""
    assert MANIFEST["name"] == HACS["name"]
    assert MANIFEST["iot_class"] == "cloud_push"
    assert MANIFEST["integration_type"] == "service"
    assert MANIFEST["version"] == VERSION_IN_GIT


# Where the minimum version is stated, and how.
MINIMUM = HACS["homeassistant"]
STATEMENTS = {
    "blueprints/**/*.yaml": r"min_version: (\S+)",
    "README.md": r"Home Assistant (\S+) or newer",
    "docs/**/*.md": r"Home Assistant (\S+) or newer",
    "requirements_test.txt": r"of our minimum, (\S+):",
    "scripts/test": r"of the minimum, (\S+):",
    ".github/workflows/tests.yml": r"of the minimum, (\S+)",
}
STATED = [
    pytest.param(path, pattern, id=str(path.relative_to(ROOT)))
    for place, pattern in STATEMENTS.items()
    for path in sorted(ROOT.glob(place))
]


def _is_version(stated: str, version: str) -> bool:
    """Return whether a text means a version; 2026.10 means 2026.10.0."""
    return version in (stated, f"{stated}.0")


@pytest.mark.parametrize(("path", "pattern"), STATED)
def test_minimum_version_of_home_assistant(path: Path, pattern: str) -> None:
    """It is the one in hacs.json, which HACS and Home Assistant enforce.

    The documentation may also say what is different in the newest version.
    """
    stated = re.findall(pattern, path.read_text())
    assert stated or "docs" in path.parts
    if path.suffix == ".md":
        stated = [found for found in stated if not _is_version(found, NEWEST)]
        assert stated or path.name != "README.md"
    assert [found for found in stated if not _is_version(found, MINIMUM)] == []


def test_tested_versions_of_home_assistant() -> None:
    """CI tests those of scripts/test: a patch of the minimum, and the newest."""
    script = (ROOT / "scripts/test").read_text()
    tested = re.findall(r"^(?:minimum|newest)=(\S+)", script, re.MULTILINE)
    workflow = read_yaml(ROOT / ".github/workflows/tests.yml")
    assert workflow["jobs"]["tests"]["strategy"]["matrix"]["home-assistant"] == tested
    assert tested == list(VENVS)
    assert tested[1] == NEWEST
    assert tested[0].rpartition(".")[0] == MINIMUM.rpartition(".")[0]


def test_repository_has_one_integration() -> None:
    """HACS installs the first folder in custom_components."""
    folders = [path for path in INTEGRATION.parent.iterdir() if path.is_dir()]
    assert [path.name for path in folders if path.name != "__pycache__"] == [
        INTEGRATION.name
    ]
    assert "Apache License" in (ROOT / "LICENSE").read_text()


def test_brand_images() -> None:
    """Home Assistant serves only these names, and requires the icon."""
    images = {path.name for path in BRAND.iterdir()}
    assert images <= BRAND_NAMES
    assert {"icon.png", "icon@2x.png"} <= images


@pytest.mark.parametrize("image", sorted(BRAND.iterdir()), ids=lambda path: path.name)
def test_size_of_brand_images(image: Path) -> None:
    """An icon is a square. The shorter side of a logo is between half and full icon size."""
    header = image.read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", header[16:24])
    scale = 2 if "@2x" in image.name else 1
    if "icon" in image.name:
        assert (width, height) == (256 * scale, 256 * scale)
    else:
        assert 128 * scale <= min(width, height) <= 256 * scale


@pytest.mark.parametrize(
    "page", ["SECURITY.md", ".github/ISSUE_TEMPLATE/config.yml"], ids=str
)
def test_link_for_private_vulnerability_reports(page: str) -> None:
    """It leads to the advisories of this repository."""
    repository = MANIFEST["issue_tracker"].removesuffix("/issues")
    assert f"{repository}/security/advisories/new" in (ROOT / page).read_text()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_security_policy_is_linked(page: str) -> None:
    """From the pages that people read first."""
    assert "](SECURITY.md)" in (ROOT / page).read_text()
