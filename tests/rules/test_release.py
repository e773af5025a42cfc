"""scripts/release finds what is wrong with a release, and builds the same zip each time."""

from collections.abc import Callable
from datetime import date
import json
import os
from pathlib import Path
import subprocess
import zipfile

import pytest

from scripts.release import (
    CheckError,
    build,
    check_changelog,
    check_git,
    check_manifest,
    check_version,
)

TODAY = date(2026, 11, 30)
GOOD = """\
# Changelog

## [Unreleased]

## [1.1.0] - 2026-11-29

### Added

- A feature.

## [1.0.0] - 2026-10-01

- The first release.
"""


@pytest.mark.parametrize("version", ["0.1.0", "1.0.0", "1.10.2", "2.0.0-beta.1"])
def test_accepted_versions(version: str) -> None:
    """They are semantic versions, with or without the number of a beta."""
    assert check_version(version)


@pytest.mark.parametrize(
    "version", ["v1.0.0", "1.0", "1.0.0b1", "01.0.0", "1.0.0-x", ""]
)
def test_refused_versions(version: str) -> None:
    """HACS and Home Assistant would sort them in different ways, or the tag has another form."""
    with pytest.raises(CheckError, match="is not like"):
        check_version(version)


def test_accepted_changelog() -> None:
    """The newest entry has the version, a date of these days, and a text."""
    assert (
        check_changelog("1.1.0", GOOD, TODAY)
        == "CHANGELOG.md describes 1.1.0 of 2026-11-29"
    )


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("## [Unreleased]\n", "", "keep an empty Unreleased"),
        ("## [Unreleased]\n", "## [Unreleased]\n\n- More.\n", "has unreleased entries"),
        ("[1.1.0]", "[1.2.0]", "move what is released"),
        (" - 2026-11-29", "", "has no date"),
        ("2026-11-29", "29.11.2026", "has no date"),
        ("2026-11-29", "2026-12-02", "is dated 2026-12-02; today is 2026-11-30"),
        ("2026-11-29", "2026-11-22", "is dated 2026-11-22; today is 2026-11-30"),
        ("- A feature.", "", "says nothing about 1.1.0"),
    ],
)
def test_refused_changelogs(old: str, new: str, error: str) -> None:
    """The error says what to do."""
    assert old in GOOD
    with pytest.raises(CheckError, match=error):
        check_changelog("1.1.0", GOOD.replace(old, new), TODAY)


def test_manifest_in_git_has_no_version() -> None:
    """The tag decides."""
    assert check_manifest('{"version": "0.0.0"}')
    with pytest.raises(CheckError, match="has version 1.0.0"):
        check_manifest('{"version": "1.0.0"}')


type Git = Callable[..., str]


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """Return a function that runs git in a repository with a small integration."""
    repository = tmp_path / "repository"
    files = {
        "__init__.py": "",
        "flows/__init__.py": "FLOWS = 1\n",
        "manifest.json": '{\n  "domain": "imap_push",\n  "version": "0.0.0"\n}\n',
    }
    for name, text in files.items():
        path = repository / "custom_components" / "imap_push" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    identity = {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.org"))
    }

    def run(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments],
            cwd=repository,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **identity},
        ).stdout.strip()

    run("init", "--quiet")
    run("add", ".")
    run("commit", "--quiet", "--message=first")
    return run


def test_everything_is_committed_and_the_tag_is_free(git: Git, tmp_path: Path) -> None:
    """A tag at this commit is accepted: the workflow runs after it was made."""
    repository = tmp_path / "repository"
    assert check_git("1.0.0", repository)
    git("tag", "1.0.0")
    assert check_git("1.0.0", repository)
    (repository / "new.py").touch()
    with pytest.raises(CheckError, match=r"Commit or remove .*new\.py"):
        check_git("1.0.0", repository)
    git("add", ".")
    git("commit", "--quiet", "--message=second")
    with pytest.raises(CheckError, match=r"The tag 1\.0\.0 is at another commit"):
        check_git("1.0.0", repository)


def test_zip_for_hacs(git: Git, tmp_path: Path) -> None:
    """The files that git knows are at its top, the manifest with the version."""
    repository = tmp_path / "repository"
    folder = repository / "custom_components" / "imap_push"
    first = build(repository, "1.2.3", tmp_path / "first")
    with zipfile.ZipFile(first) as archive:
        assert archive.namelist() == [
            "__init__.py",
            "flows/__init__.py",
            "manifest.json",
        ]
        manifest = json.loads(archive.read("manifest.json"))
    assert manifest == {"domain": "imap_push", "version": "1.2.3"}

    # The same commit gives the same zip, whatever the dates and modes of the files are.
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "x.pyc").touch()
    (folder / "__init__.py").chmod(0o600)
    os.utime(folder / "__init__.py", (0, 0))
    assert (
        build(repository, "1.2.3", tmp_path / "second").read_bytes()
        == first.read_bytes()
    )
