"""What the tests of the fuzzer share."""

import pytest


@pytest.fixture(autouse=True)
def _sockets(socket_enabled: None) -> None:
    """Let the engine make sockets: the harness forbids it. None of them is connected."""
