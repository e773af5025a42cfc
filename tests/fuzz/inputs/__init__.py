"""Inputs that once showed a fault, by target: one file each."""

from pathlib import Path


def committed(target: str) -> list[bytes]:
    """Return the inputs of a target."""
    folder = Path(__file__).parent / target
    return [path.read_bytes() for path in sorted(folder.glob("*.bin"))]
