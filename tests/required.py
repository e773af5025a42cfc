"""What a test needs of the machine it runs on."""

import os

import pytest


def require(there: bool, what: str) -> None:
    """Skip what lacks a real part; where nothing may be missing, fail."""
    if there:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is not installed")
    pytest.skip(f"{what} is not installed")
