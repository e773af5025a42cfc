"""Fixtures for all tests."""

import pytest

# Home Assistant's test harness mounts a `custom_components` of its own; the one that is
# imported first is the one that is found.
import custom_components.imap_push  # noqa: F401


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was measured, and the seeds that repeat a run."""
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports(
        "failed"
    )
    for report in reports:
        for name, value in report.user_properties:
            terminalreporter.line(f"{report.nodeid}: {name}: {value}")
