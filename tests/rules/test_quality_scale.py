"""Every rule of Home Assistant's Integration Quality Scale has a status and evidence."""

from pathlib import Path
import re
from typing import Any

import pytest

from . import INTEGRATION, ROOT, read_yaml

TIERS = {
    "bronze": """
        action-setup appropriate-polling brands common-modules config-flow
        config-flow-test-coverage dependency-transparency docs-actions docs-conditions
        docs-high-level-description docs-installation-instructions
        docs-removal-instructions docs-triggers entity-event-setup entity-unique-id
        has-entity-name runtime-data test-before-configure test-before-setup
        unique-config-entry
    """,
    "silver": """
        action-exceptions config-entry-unloading docs-configuration-parameters
        docs-installation-parameters entity-unavailable integration-owner
        log-when-unavailable parallel-updates reauthentication-flow test-coverage
    """,
    "gold": """
        devices diagnostics discovery discovery-update-info docs-data-update docs-examples
        docs-known-limitations docs-supported-devices docs-supported-functions
        docs-troubleshooting docs-use-cases dynamic-devices entity-category
        entity-device-class entity-disabled-by-default entity-translations
        exception-translations icon-translations reconfiguration-flow repair-issues
        stale-devices
    """,
    "platinum": "async-dependency inject-websession strict-typing",
}
RULES: dict[str, Any] = read_yaml(INTEGRATION / "quality_scale.yaml")["rules"]
DONE = {name: rule for name, rule in RULES.items() if rule["status"] == "done"}

# Rules without exceptions, as their pages in Home Assistant's developer documentation say.
WITHOUT_EXCEPTIONS = frozenset({"dependency-transparency", "test-before-setup"})

# A file, and a heading in it. Tests are not named: they can be renamed freely.
EVIDENCE = re.compile(
    r"(?P<path>[\w./-]*\w\.(?:json|md|png|pyi?|toml|yaml)|scripts/\w+)"
    r"(?:#(?P<heading>[\w-]+))?"
)


def test_all_rules_are_listed() -> None:
    """They have the order of the tiers."""
    assert list(RULES) == [rule for tier in TIERS.values() for rule in tier.split()]


@pytest.mark.parametrize("rule", RULES)
def test_status_of_a_rule(rule: str) -> None:
    """A rule that is not followed has the status todo: few rules have exceptions."""
    assert set(RULES[rule]) == {"status", "comment"}
    assert RULES[rule]["status"] in {"done", "exempt", "todo"}
    assert RULES[rule]["status"] != "exempt" or rule not in WITHOUT_EXCEPTIONS


@pytest.mark.parametrize("rule", DONE)
def test_rule_that_is_done_has_evidence(rule: str) -> None:
    """Every file and heading that the comment names exists."""
    evidence = list(EVIDENCE.finditer(DONE[rule]["comment"]))
    assert evidence
    for found in evidence:
        path = _find(found["path"])
        if found["heading"]:
            assert found["heading"] in _headings(path.read_text())


@pytest.mark.parametrize("rule", sorted(RULES.keys() - DONE.keys()))
def test_rule_that_is_not_done_has_a_reason(rule: str) -> None:
    """The reason may name files."""
    comment = RULES[rule]["comment"]
    assert comment
    assert all(_find(found["path"]) for found in EVIDENCE.finditer(comment))


def _find(path: str) -> Path:
    """Return a file of the repository or of the folder of the integration."""
    for folder in (ROOT, INTEGRATION):
        if (folder / path).is_file():
            return folder / path
    raise AssertionError(f"{path} does not exist")


def _headings(markdown: str) -> set[str]:
    """Return the anchors of the headings."""
    titles: list[str] = re.findall(r"^#+ +(.+)$", markdown, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
