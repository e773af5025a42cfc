"""Fixtures for all tests."""

import pytest

# Home Assistant's test harness has its own package `custom_components`. The one that is
# imported first is used.
import custom_components.imap_push  # noqa: F401


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the recorded properties: measurements, and seeds that repeat a run."""
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports(
        "failed"
    )
    for report in reports:
        for name, value in report.user_properties:
            terminalreporter.line(f"{report.nodeid}: {name}: {value}")
