"""Every rule of Home Assistant's Integration Quality Scale, and what shows that it is kept."""

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

# A file, and what is in it: a test after ::, a heading after #.
EVIDENCE = re.compile(
    r"(?P<path>[\w./-]*\w\.(?:json|md|png|pyi?|toml|yaml)|scripts/\w+)"
    r"(?:::(?P<test>\w+)|#(?P<heading>[\w-]+))?"
)


def test_all_rules_are_there_in_their_order() -> None:
    """No more, no less: 54."""
    rules = [rule for tier in TIERS.values() for rule in tier.split()]
    assert len(rules) == 54
    assert list(RULES) == rules


@pytest.mark.parametrize("rule", RULES)
def test_rule_is_kept_or_does_not_apply(rule: str) -> None:
    """What is still to do is not told as done."""
    assert set(RULES[rule]) == {"status", "comment"}
    assert RULES[rule]["status"] in {"done", "exempt"}


@pytest.mark.parametrize("rule", DONE)
def test_rule_that_is_kept_has_its_evidence(rule: str) -> None:
    """Every file that is named is there, and holds what is said to be in it."""
    evidence = list(EVIDENCE.finditer(DONE[rule]["comment"]))
    assert evidence
    for found in evidence:
        text = _find(found["path"]).read_bytes().decode(errors="replace")
        if found["test"]:
            assert f"def {found['test']}(" in text
        if found["heading"]:
            assert found["heading"] in _headings(text)


@pytest.mark.parametrize("rule", sorted(RULES.keys() - DONE.keys()))
def test_rule_that_does_not_apply_has_its_reason(rule: str) -> None:
    """A reason is a sentence, and may name files as well."""
    comment = RULES[rule]["comment"]
    assert len(comment.split()) >= 8
    assert all(_find(found["path"]) for found in EVIDENCE.finditer(comment))


def _find(path: str) -> Path:
    """Return the file, which is in the repository or in the integration's folder."""
    for folder in (ROOT, INTEGRATION):
        if (folder / path).is_file():
            return folder / path
    raise AssertionError(f"{path} is not there")


def _headings(markdown: str) -> set[str]:
    """Return the headings as a link names them."""
    titles: list[str] = re.findall(r"^#+ +(.+)$", markdown, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
