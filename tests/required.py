"""Skip tests whose servers or programs are not installed."""

import os

import pytest


def require(is_available: bool, name: str, reason: str = "it is not installed") -> None:
    """Skip the test if a requirement is missing; fail in CI, where nothing may be missing."""
    if is_available:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{name}: {reason}")
    pytest.skip(f"{name}: {reason}")
