"""Inputs that once showed a fault, in a folder for each target."""

from pathlib import Path


def committed(target: str) -> list[Path]:
    """Return the files of a target."""
    return sorted((Path(__file__).parent / target).glob("*.bin"))
