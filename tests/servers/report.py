"""The table of docs/servers.md: what was seen on each server."""

from typing import Final

import pytest

from tests.rig.servers import NAMES

# For all servers together, on two cores.
BUDGET_SECONDS: Final = 300.0

WORDS: Final = {
    "passed": "ok",
    "xpassed": "ok",
    "xfailed": "",
    "skipped": "skipped",
    "failed": "FAILED",
    "error": "ERROR",
}


def print_table(reporter: pytest.TerminalReporter) -> None:
    """Print one line per test with the result on each server, and the time that was used."""
    cells: dict[str, dict[str, str]] = {}
    seconds = dict.fromkeys(NAMES, 0.0)
    for outcome, reports in reporter.stats.items():
        for report in reports:
            row, name = _place(getattr(report, "nodeid", ""))
            if not name:
                continue
            # An item that was deselected has none.
            seconds[name] += getattr(report, "duration", 0.0)
            if outcome in WORDS:
                cells.setdefault(row, {})[name] = _cell(report, WORDS[outcome])
    if not cells:
        return
    used = [name for name in NAMES if any(name in row for row in cells.values())]
    reporter.section("servers")
    reporter.line(_line("", *used))
    reporter.line(_line("---", *("---" for _ in used)))
    for row, found in sorted(cells.items()):
        reporter.line(_line(row, *(found.get(name, "-") for name in used)))
    reporter.line(_line("seconds", *(f"{seconds[name]:.0f}" for name in used)))
    longest = max(seconds.values())
    reporter.line(f"The slowest server took {longest:.0f} s of {BUDGET_SECONDS:.0f} s.")


def _cell(report: pytest.TestReport, word: str) -> str:
    """Return the result: figures, or the name of a known failure."""
    if not word:
        reason = str(getattr(report, "wasxfail", ""))
        return reason.removeprefix("sometimes ").partition(" ")[0]
    facts = [f"{name} {value}" for name, value in report.user_properties]
    return ", ".join(facts) if facts and word == "ok" else word


def _place(nodeid: str) -> tuple[str, str]:
    """Return the row and the server of a test, "" if it is none of these tests."""
    path, _, test = nodeid.partition("::")
    name, _, parameters = test.partition("[")
    parameters = parameters.partition("@")[0].removesuffix("]")
    found = [it for it in NAMES if (parameters + "-").startswith(it + "-")]
    if "tests/servers/" not in path or not found:
        return "", ""
    server = max(found, key=len)
    rest = parameters[len(server) :].strip("-").replace("-", " ")
    return f"{name.removeprefix('test_').replace('_', ' ')} {rest}".strip(), server


def _line(*cells: str) -> str:
    """Return a line of a Markdown table."""
    return f"| {' | '.join(cells)} |"
