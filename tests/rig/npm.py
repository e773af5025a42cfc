"""Installation of npm packages for tests and benchmarks."""

from pathlib import Path
import shutil
import subprocess
from typing import Final

_INSTALL_SECONDS: Final = 180


def install(source: Path, folder: Path) -> str | None:
    """Copy a project to a folder and install its packages; return the reason if that fails, or None."""
    if not (shutil.which("node") and shutil.which("npm")):
        return "Node.js with npm is not installed"
    shutil.copytree(source, folder, dirs_exist_ok=True)
    command = ("npm", "install", "--no-package-lock", "--no-audit", "--no-fund")
    try:
        subprocess.run(
            command,
            cwd=folder,
            check=True,
            capture_output=True,
            timeout=_INSTALL_SECONDS,
        )
    except subprocess.SubprocessError as err:
        return f"npm cannot install {source.name} ({type(err).__name__})"
    return None
