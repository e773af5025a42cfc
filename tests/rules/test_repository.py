"""What hassfest and HACS ask of the manifest, of the repository and of the brand."""

from pathlib import Path
import re
import struct

import pytest

from . import INTEGRATION, ROOT, read_json

MANIFEST = read_json(INTEGRATION / "manifest.json")
HACS = read_json(ROOT / "hacs.json")

# What hassfest knows, of that what we may need.
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


def test_manifest_has_the_keys_that_hassfest_knows_in_its_order() -> None:
    """The domain first, then the name, the others by the alphabet."""
    keys = list(MANIFEST)
    assert keys[:2] == ["domain", "name"]
    assert keys[2:] == sorted(keys[2:])
    assert set(keys) >= REQUIRED
    assert set(keys) <= KNOWN


def test_manifest_says_what_a_custom_integration_has_to_say() -> None:
    """Addresses, owners, a version that compares, and requirements from PyPI."""
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


def test_hacs_knows_every_key() -> None:
    """And a zip file would need a name."""
    assert set(HACS) <= HACS_KNOWN
    assert not HACS.get("zip_release") or HACS["filename"]


def test_minimum_is_the_same_everywhere() -> None:
    """What HACS asks for is tested, and is what blueprints ask for."""
    minimum = HACS["homeassistant"]
    tested = re.search(
        r"^minimum=(\S+)", (ROOT / "scripts/test").read_text(), re.MULTILINE
    )
    assert tested is not None
    assert tested[1].rpartition(".")[0] == minimum.rpartition(".")[0]
    for blueprint in ROOT.glob("blueprints/**/*.yaml"):
        assert f"min_version: {minimum}\n" in blueprint.read_text()


def test_repository_has_one_integration_and_what_hacs_looks_for() -> None:
    """HACS takes the only folder for the integration."""
    folders = [path for path in INTEGRATION.parent.iterdir() if path.is_dir()]
    assert [path.name for path in folders if path.name != "__pycache__"] == [
        INTEGRATION.name
    ]
    assert (ROOT / "README.md").is_file()
    assert "Apache License" in (ROOT / "LICENSE").read_text()


def test_integration_brings_its_brand() -> None:
    """Home Assistant serves no other images, and needs at least the icon."""
    images = {path.name for path in BRAND.iterdir()}
    assert images <= BRAND_NAMES
    assert {"icon.png", "icon@2x.png"} <= images


@pytest.mark.parametrize("image", sorted(BRAND.iterdir()), ids=lambda path: path.name)
def test_brand_image_has_the_size_that_it_should_have(image: Path) -> None:
    """An icon is a square; the shorter side of a logo is as long as that of an icon."""
    header = image.read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", header[16:24])
    scale = 2 if "@2x" in image.name else 1
    if "icon" in image.name:
        assert (width, height) == (256 * scale, 256 * scale)
    else:
        assert 128 * scale <= min(width, height) <= 256 * scale


def test_integration_says_that_it_has_no_yaml_configuration() -> None:
    """An `async_setup` without a CONFIG_SCHEMA would be asked for it."""
    source = (INTEGRATION / "__init__.py").read_text()
    if "async def async_setup(" in source:
        assert "CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)" in source


@pytest.mark.parametrize(
    "page", ["SECURITY.md", ".github/ISSUE_TEMPLATE/config.yml"], ids=str
)
def test_vulnerability_can_be_reported_in_private(page: str) -> None:
    """The link goes to the private reports of this repository."""
    repository = MANIFEST["issue_tracker"].removesuffix("/issues")
    assert f"{repository}/security/advisories/new" in (ROOT / page).read_text()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_security_policy_is_linked(page: str) -> None:
    """The policy can be found from the pages that people read first."""
    assert "](SECURITY.md)" in (ROOT / page).read_text()
