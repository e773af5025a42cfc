"""The machine and the versions that are measured."""

import os
from pathlib import Path
import platform
import subprocess
import sys

from .environment import PYTHON, ROOT

from tests.rig.dovecot import Dovecot


def describe(imapflow: str) -> dict[str, str]:
    """Return the properties of the machine and the versions by name."""
    return {
        "Processor": f"{_processor()}, {os.cpu_count()} cores",
        "Memory": f"{_memory_gigabytes():.0f} GB",
        "System": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "Home Assistant": _output(PYTHON, "-m", "homeassistant", "--version"),
        "aioimaplib": _package("aioimaplib"),
        "Dovecot": Dovecot.version(),
        "ImapFlow": imapflow,
        "IMAP Push": _commit(),
        "Load before": f"{os.getloadavg()[0]:.2f}",
    }


def command() -> str:
    """Return the command line."""
    return " ".join(("scripts/bench", *sys.argv[1:]))


def _processor() -> str:
    """Return the processor model, if Linux reports one."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _memory_gigabytes() -> float:
    """Return the memory of the machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _package(name: str) -> str:
    """Return the version of a package of the measured Home Assistant."""
    code = f"from importlib.metadata import version; print(version('{name}'))"
    return _output(PYTHON, "-c", code)


def _commit() -> str:
    """Return the commit, and whether there are uncommitted changes."""
    return _output("git", "-C", ROOT, "describe", "--always", "--dirty")


def _output(*arguments: str | Path) -> str:
    """Return what a program prints."""
    return subprocess.run(
        arguments, check=True, capture_output=True, text=True
    ).stdout.strip()
