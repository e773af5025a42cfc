"""Fixtures of the login tests."""

import pytest

from custom_components.imap_push.imap.auth import password


@pytest.fixture(autouse=True)
def _forget_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget results for a server that another test ran at the same port."""
    monkeypatch.setattr(password, "_without_scram", set())
