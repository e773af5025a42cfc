"""Fixtures for the tests of the fuzzer."""

import pytest


@pytest.fixture(autouse=True)
def _sockets(socket_enabled: None) -> None:
    """Let the engine create sockets, which the test plugin forbids. None of them connects."""
