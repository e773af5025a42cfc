"""The engine knows nothing of Home Assistant, and one module alone knows aioimaplib."""

import ast
from pathlib import Path
import subprocess
import sys

import pytest

ENGINE = Path(__file__).parents[2] / "custom_components/imap_push/imap"
INTEGRATION = ENGINE.parent


def imports(module: Path) -> set[str]:
    """Return the modules that a file imports, relative ones with their dots."""
    found = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("." * node.level + (node.module or ""))
    return found


@pytest.mark.parametrize("module", ENGINE.rglob("*.py"), ids=lambda path: path.stem)
def test_engine_imports_nothing_from_above(module: Path) -> None:
    """See that no module of the engine reaches out of its folder."""
    found = imports(module)
    beyond = "." * (len(module.relative_to(ENGINE).parts) + 1)
    assert not [
        name
        for name in found
        if name.startswith(("homeassistant", "custom_components", beyond))
    ]
    assert ("aioimaplib" in found) == (module.stem == "protocol")


@pytest.mark.parametrize("module", INTEGRATION.glob("*.py"), ids=lambda path: path.stem)
def test_integration_uses_what_the_engine_exports(module: Path) -> None:
    """See that the layer above knows the engine by its front door only."""
    found = imports(module)
    assert not [name for name in found if name.startswith((".imap.", "aioimaplib"))]


def test_engine_runs_without_home_assistant() -> None:
    """See that importing the engine alone loads nothing of Home Assistant."""
    program = (
        f"import sys; sys.path.insert(0, {str(INTEGRATION)!r}); import imap;"
        "print([name for name in sys.modules if name.startswith('homeassistant')])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
