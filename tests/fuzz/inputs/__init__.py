"""Inputs that have shown a fault in the past, in a folder per target."""

from pathlib import Path


def committed(target: str) -> list[Path]:
    """Return the files of a target."""
    return sorted((Path(__file__).parent / target).glob("*.bin"))
