"""Imports go down only, and each layer uses what the one below shows."""

import ast
from collections.abc import Iterator
from pathlib import Path
import subprocess
import sys
from typing import Final

INTEGRATION: Final = Path(__file__).parents[2] / "custom_components/imap_push"
ENGINE: Final = INTEGRATION / "imap"

# What a package or module of the engine may import: those of a lower level.
LEVELS: Final = {
    "errors": 0,
    "limits": 0,
    "quirks": 0,
    "models": 1,
    "wire": 2,
    "auth": 3,
    "discovery": 3,
    "mime": 3,
    "session": 4,
    "client": 5,
    "probe": 5,
    "watch": 5,
    "__init__": 6,
}


def imported(module: Path) -> Iterator[str]:
    """Yield the modules that a file imports; those of the integration begin with a dot."""
    package = module.relative_to(INTEGRATION).parts[:-1]
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            names = [node.module] if node.module else [it.name for it in node.names]
            for name in names:
                yield ".".join(["", *base, name]) if node.level else name


def is_allowed(place: str, name: str) -> bool:
    """Return if a module in a place of the engine may import another one."""
    if not name.startswith("."):
        return not name.startswith(("homeassistant", "custom_components"))
    _, top, target, *_ = [*name.split("."), ""]
    is_lower = LEVELS.get(target, len(LEVELS)) < LEVELS[place]
    return top == ENGINE.name and (target == place or is_lower)


def test_imports_of_the_engine_go_down() -> None:
    """A package knows those below it, and nothing of Home Assistant."""
    wrong = [
        f"{module.relative_to(ENGINE)}: {name}"
        for module in ENGINE.rglob("*.py")
        for name in imported(module)
        if not is_allowed(module.relative_to(ENGINE).with_suffix("").parts[0], name)
    ]
    assert wrong == []


def test_one_module_knows_aioimaplib() -> None:
    """The protocol class extends the one of the library."""
    found = [
        path for path in INTEGRATION.rglob("*.py") if "aioimaplib" in imported(path)
    ]
    assert found == [ENGINE / "wire/protocol.py"]


def test_integration_uses_what_the_engine_exports() -> None:
    """The integration imports from `imap` only."""
    wrong = [
        f"{module.relative_to(INTEGRATION)}: {name}"
        for module in INTEGRATION.rglob("*.py")
        if not module.is_relative_to(ENGINE)
        for name in imported(module)
        if name.startswith(".imap.")
    ]
    assert wrong == []


def test_engine_runs_without_home_assistant() -> None:
    """Importing the engine loads nothing of Home Assistant."""
    program = (
        f"import sys; sys.path.insert(0, {str(INTEGRATION)!r}); import imap;"
        "print([name for name in sys.modules if name.startswith('homeassistant')])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
