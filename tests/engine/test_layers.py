"""Imports between packages of the engine go down only.

Ruff (TID253 in pyproject.toml) forbids imports of Home Assistant in the engine.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
import subprocess
import sys
from typing import Final

import pytest

INTEGRATION: Final = Path(__file__).parents[2] / "custom_components/imap_push"
ENGINE: Final = INTEGRATION / "imap"
# `imap` does not import this: it would take time at each start of Home Assistant.
FOR_SETUP: Final = ".imap.discovery.sources"

# A package or module of the engine may import only packages and modules of a lower level.
LEVELS: Final = {
    "errors": 0,
    "quirks": 0,
    "limits": 1,
    "models": 2,
    "push_mode": 3,
    "wire": 3,
    "auth": 4,
    "discovery": 4,
    "mime": 4,
    "session": 5,
    "client": 6,
    "probe": 6,
    "watch": 6,
    "__init__": 7,
}


def imported(module: Path) -> Iterator[str]:
    """Yield the modules that a file imports; relative imports begin with a dot."""
    package = module.relative_to(INTEGRATION).parts[:-1]
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            names = (
                [node.module] if node.module else [alias.name for alias in node.names]
            )
            for name in names:
                yield ".".join(["", *base, name]) if node.level else name


def is_allowed(package: str, name: str) -> bool:
    """Return True if a package of the engine may import a module."""
    if not name.startswith("."):
        return True
    _, top, target, *_ = [*name.split("."), ""]
    is_lower = LEVELS.get(target, len(LEVELS)) < LEVELS[package]
    return top == ENGINE.name and (target == package or is_lower)


def test_imports_of_the_engine_go_down() -> None:
    """A package imports only packages below it, and nothing of the integration."""
    wrong = [
        f"{module.relative_to(ENGINE)}: {name}"
        for module in ENGINE.rglob("*.py")
        for name in imported(module)
        if not is_allowed(module.relative_to(ENGINE).with_suffix("").parts[0], name)
    ]
    assert wrong == []


def test_only_the_protocol_imports_aioimaplib() -> None:
    """The library is an implementation detail of one module."""
    found = [
        path for path in INTEGRATION.rglob("*.py") if "aioimaplib" in imported(path)
    ]
    assert found == [ENGINE / "wire/protocol.py"]


@pytest.mark.parametrize("name", ["framing", "parser", "request", "receiver"])
def test_receive_path_does_no_io(name: str) -> None:
    """It is a state machine: octets in, events out."""
    names = set(imported(ENGINE / f"wire/{name}.py"))
    assert not names & {"asyncio", "socket", "ssl", "time"}


def test_integration_imports_only_what_the_engine_exports() -> None:
    """The integration imports from `imap`, not from its modules. Setup also finds servers."""
    wrong = [
        f"{module.relative_to(INTEGRATION)}: {name}"
        for module in INTEGRATION.rglob("*.py")
        if not module.is_relative_to(ENGINE)
        for name in imported(module)
        if name.startswith(".imap.") and name != FOR_SETUP
    ]
    assert wrong == []


def test_engine_runs_without_home_assistant() -> None:
    """Importing the engine alone loads no module of Home Assistant."""
    program = (
        f"import sys; sys.path.insert(0, {str(INTEGRATION)!r}); import imap;"
        "print([name for name in sys.modules if name.startswith('homeassistant')])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
