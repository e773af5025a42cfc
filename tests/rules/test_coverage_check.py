"""scripts/check_coverage accepts and rejects coverage reports."""

import json
from pathlib import Path
import subprocess
import sys
from typing import Any

import pytest

from . import INTEGRATION, ROOT

CONFIG_FLOW = "config_flow.py"
WIRE = "imap/wire/parser.py"


def summary(covered: int, total: int) -> dict[str, Any]:
    """Return what coverage.py reports of a module with so many lines and branches."""
    return {
        "covered_lines": covered - covered // 2,
        "covered_branches": covered // 2,
        "num_statements": total - total // 2,
        "num_branches": total // 2,
        "percent_covered": 100 * covered / total,
    }


def check(folder: Path, changes: dict[str, dict[str, Any] | None]) -> tuple[int, str]:
    """Return exit code and output for a complete report with these changes."""
    modules = {
        str(path.relative_to(INTEGRATION)): summary(100, 100)
        for path in INTEGRATION.rglob("*.py")
    }
    files = {
        str(INTEGRATION.relative_to(ROOT) / name): {"summary": value}
        for name, value in (modules | changes).items()
        if value is not None
    }
    report = folder / "coverage.json"
    report.write_text(json.dumps({"files": files}))
    run = subprocess.run(
        [sys.executable, "scripts/check_coverage", report],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, run.stdout


def test_complete_coverage_passes(tmp_path: Path) -> None:
    """Nothing is reported."""
    assert check(tmp_path, {}) == (0, "every package is covered well enough\n")


def test_module_below_the_minimum_passes_in_a_well_covered_package(
    tmp_path: Path,
) -> None:
    """Packages are checked, not modules."""
    assert check(tmp_path, {WIRE: summary(80, 100)})[0] == 0


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        pytest.param(
            {WIRE: summary(0, 10_000)}, "imap/wire: ", id="package below the minimum"
        ),
        pytest.param(
            {"coordinator.py": summary(0, 100_000)},
            "custom_components/imap_push: ",
            id="package that contains the others",
        ),
        pytest.param(
            {CONFIG_FLOW: summary(99, 100)},
            "config_flow.py: 99.00 % (required: 100 %)",
            id="config flow not complete",
        ),
        pytest.param(
            {WIRE: None}, f"{WIRE} is not in the report", id="module not measured"
        ),
    ],
)
def test_low_coverage_fails(
    tmp_path: Path, changes: dict[str, dict[str, Any] | None], line: str
) -> None:
    """The output names the package or module."""
    code, output = check(tmp_path, changes)
    assert code == 1
    assert line in output


def test_missing_report_fails(tmp_path: Path) -> None:
    """The output says how to create it."""
    run = subprocess.run(
        [sys.executable, "scripts/check_coverage", tmp_path / "none.json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert "run scripts/test first" in run.stdout
