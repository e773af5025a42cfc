"""Workflows have pinned actions and few permissions, and labels exist."""

from pathlib import Path
import re
from typing import Any

import pytest

from homeassistant.util.yaml import parse_yaml

from . import ROOT, find, read_json, read_yaml

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
JOBS = [
    pytest.param(job, id=f"{path.stem} {name}")
    for path in WORKFLOWS
    for name, job in read_yaml(path)["jobs"].items()
]
ACTION = re.compile(r"uses: (?P<name>[\w./-]+)@(?P<commit>\S+)(?P<comment>.*)")
USED = [found for path in WORKFLOWS for found in ACTION.finditer(path.read_text())]


@pytest.mark.parametrize("found", USED, ids=lambda found: found["name"])
def test_actions_are_pinned(found: re.Match[str]) -> None:
    """To a commit, with the version for readers. All workflows use the same commit."""
    assert re.fullmatch(r"[0-9a-f]{40}", found["commit"])
    assert re.fullmatch(r" # (v?\d+\.\d+\.\d+|master)", found["comment"])
    commits = {other["commit"] for other in USED if other["name"] == found["name"]}
    assert commits == {found["commit"]}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_has_no_permissions(path: Path) -> None:
    """Its jobs have the few that they need, with the reason."""
    assert read_yaml(path)["permissions"] == {}
    granted = re.findall(
        r"^ {6}([\w-]+: (?:read|write))(.*)", path.read_text(), re.MULTILINE
    )
    assert granted
    assert [permission for permission, reason in granted if " # " not in reason] == []


@pytest.mark.parametrize("job", JOBS)
def test_job(job: dict[str, Any]) -> None:
    """It has permissions of its own, ends in time, and checks out without credentials."""
    assert job["permissions"]
    assert job["timeout-minutes"] <= 60
    for step in job["steps"]:
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False
        # An expression in a script could run code of a title or a branch.
        assert "${{" not in step.get("run", "")


def test_labels_exist() -> None:
    """Those of issue forms, Dependabot and the notes of a release."""
    known = {label["name"] for label in _read_list(GITHUB / "labels.yml")}
    used = {
        label
        for path in (
            *(GITHUB / "ISSUE_TEMPLATE").glob("*.yml"),
            *(GITHUB / "dependabot.yml", GITHUB / "release-drafter.yml"),
        )
        for labels in find(read_yaml(path), "labels")
        for label in labels
    }
    assert {"bug", "breaking", "dependencies"} <= used <= known


def test_release_has_the_file_that_hacs_installs() -> None:
    """The workflow attests it and attaches it."""
    name = read_json(ROOT / "hacs.json")["filename"]
    attach = read_yaml(GITHUB / "workflows/release.yml")["jobs"]["attach"]
    assert name in set(find(attach, "subject-path"))
    assert f" {name} " in attach["steps"][-1]["run"]


def test_code_owners() -> None:
    """They are those of the manifest."""
    manifest = read_json(next(ROOT.glob("custom_components/*/manifest.json")))
    assert (GITHUB / "CODEOWNERS").read_text().split() == ["*", *manifest["codeowners"]]


def _read_list(path: Path) -> list[dict[str, str]]:
    found = parse_yaml(path.read_text())
    assert isinstance(found, list)
    return found
