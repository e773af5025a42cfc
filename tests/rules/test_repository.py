"""Requirements of hassfest and HACS for manifest, repository and brand images."""

from pathlib import Path
import re
import struct

import pytest

from . import INTEGRATION, ROOT, read_json

MANIFEST = read_json(INTEGRATION / "manifest.json")
HACS = read_json(ROOT / "hacs.json")

# The keys of hassfest that are useful here.
KNOWN = {
    *(
        "after_dependencies",
        "codeowners",
        "config_flow",
        "dependencies",
        "documentation",
    ),
    *("domain", "integration_type", "iot_class", "issue_tracker", "loggers", "name"),
    *("requirements", "single_config_entry", "version"),
}
REQUIRED = {
    *("codeowners", "config_flow", "documentation", "domain", "integration_type"),
    *("iot_class", "issue_tracker", "name", "version"),
}
HACS_KNOWN = {
    *("content_in_root", "country", "filename", "hacs", "hide_default_branch"),
    *("homeassistant", "name", "persistent_directory", "render_readme", "zip_release"),
}
BRAND_NAMES = {
    f"{dark}{image}{scale}.png"
    for dark in ("", "dark_")
    for image in ("icon", "logo")
    for scale in ("", "@2x")
}
BRAND = INTEGRATION / "brand"


def test_keys_of_the_manifest() -> None:
    """Domain, name, then all others sorted; hassfest knows no other keys."""
    keys = list(MANIFEST)
    assert keys[:2] == ["domain", "name"]
    assert keys[2:] == sorted(keys[2:])
    assert set(keys) >= REQUIRED
    assert set(keys) <= KNOWN


def test_values_of_the_manifest() -> None:
    """URLs, owners, a version, and requirements from PyPI."""
    assert MANIFEST["domain"] == INTEGRATION.name
    assert MANIFEST["name"] == HACS["name"]
    assert MANIFEST["iot_class"] == "cloud_push"
    assert MANIFEST["integration_type"] == "service"
    for key in ("documentation", "issue_tracker"):
        assert MANIFEST[key].startswith("https://")
        assert "home-assistant.io" not in MANIFEST[key]
    assert MANIFEST["codeowners"]
    assert all(owner.startswith("@") for owner in MANIFEST["codeowners"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", MANIFEST["version"])
    assert all(
        re.match(r"[a-z0-9-]+[=<>~]=", package) for package in MANIFEST["requirements"]
    )


def test_keys_of_hacs_json() -> None:
    """A zip release requires a file name."""
    assert set(HACS) <= HACS_KNOWN
    assert not HACS.get("zip_release") or HACS["filename"]


def test_minimum_version_of_home_assistant_is_consistent() -> None:
    """HACS, scripts/test and blueprints have the same minimum."""
    minimum = HACS["homeassistant"]
    tested = re.search(
        r"^minimum=(\S+)", (ROOT / "scripts/test").read_text(), re.MULTILINE
    )
    assert tested is not None
    assert tested[1].rpartition(".")[0] == minimum.rpartition(".")[0]
    for blueprint in ROOT.glob("blueprints/**/*.yaml"):
        assert f"min_version: {minimum}\n" in blueprint.read_text()


def test_repository_has_the_layout_for_hacs() -> None:
    """HACS installs the only folder in custom_components."""
    folders = [path for path in INTEGRATION.parent.iterdir() if path.is_dir()]
    assert [path.name for path in folders if path.name != "__pycache__"] == [
        INTEGRATION.name
    ]
    assert (ROOT / "README.md").is_file()
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


def test_integration_has_a_config_schema() -> None:
    """Hassfest requires it for an `async_setup` without YAML configuration."""
    source = (INTEGRATION / "__init__.py").read_text()
    if "async def async_setup(" in source:
        assert "CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)" in source


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
