"""Fixtures for all tests."""

# Home Assistant's test harness mounts a `custom_components` of its own; the one that is
# imported first is the one that is found.
import custom_components.imap_push  # noqa: F401
