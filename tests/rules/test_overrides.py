"""scripts/overrides.py prints the versions that an unreleased Home Assistant needs."""

from importlib.metadata import version
import json
from pathlib import Path
import subprocess
import sys

import pytest

import homeassistant

from . import ROOT

IMAP = Path(homeassistant.__file__).parent / "components" / "imap"


def overrides(source: str) -> list[str]:
    """Return the lines for the Home Assistant that runs this test."""
    command = [sys.executable, "scripts/overrides.py", source]
    return subprocess.check_output(command, cwd=ROOT, text=True).splitlines()


@pytest.mark.parametrize(
    ("source", "line"),
    [
        pytest.param(
            "homeassistant", f"homeassistant=={version('homeassistant')}", id="PyPI"
        ),
        pytest.param(
            "homeassistant @ https://example.com/x.zip",
            "homeassistant @ https://example.com/x.zip",
            id="URL",
        ),
    ],
)
def test_home_assistant_is_the_installed_one(source: str, line: str) -> None:
    """A version on PyPI is pinned, a URL is kept."""
    assert overrides(source)[0] == line


def test_packages_have_the_versions_that_home_assistant_pins() -> None:
    """The test harness is the newest, and nothing but requirements is in the output."""
    lines = overrides("homeassistant")
    manifest = json.loads((IMAP / "manifest.json").read_text())
    assert set(manifest["requirements"]) <= set(lines)
    assert lines[1] == "pytest-homeassistant-custom-component"
    assert all("==" in line and not line.startswith("#") for line in lines[2:])
