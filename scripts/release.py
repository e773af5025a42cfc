"""Check that a version can be released, and build the files of the release.

To release a version:

1. In CHANGELOG.md, move the entries of "Unreleased" to a new version with today's date; commit.
2. Run `scripts/release VERSION` and push the commit.
3. Publish the draft on GitHub with the version as its tag, without "v". The workflow "Release"
   checks the tag again and attaches the files.

The manifest in git always has the version 0.0.0, as in HACS and Spook: the tag alone decides,
so no commit can have a wrong version, and a bug report from a checkout is recognizable as one.
"""

import asyncio
from collections.abc import Callable, Iterator
import contextlib
from datetime import date, datetime, timedelta
from functools import partial
import hashlib
import json
from pathlib import Path
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any, Final, NamedTuple, cast
import zipfile

from homeassistant.util.yaml import load_yaml
from scripts.demo import (
    AUTOMATION,
    HOME_TEMPLATE,
    WATCH_SECONDS,
    Demo,
    DemoError,
    add_account,
    make_home,
    run_once,
    say,
)

from tests.rig.certificate import make_certificate
from tests.rig.client import CallError
from tests.rig.home_assistant import HomeAssistant, StartError
from tests.rig.pymap_server import PymapServer

ROOT: Final = Path(__file__).parents[1]
ARTIFACTS: Final = ROOT / ".artifacts" / "release"
DOMAIN: Final = "imap_push"
INTEGRATION: Final = Path("custom_components") / DOMAIN

VERSION: Final = re.compile(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}(-(beta|rc)\.[1-9]\d*)?")
VERSION_IN_GIT: Final = "0.0.0"
ENTRY: Final = re.compile(
    r"^## \[(?P<version>[^]]+)\](?: - (?P<date>\S+))?$", re.MULTILINE
)
MAX_AGE: Final = timedelta(days=7)
# A regular file, in the upper half of a zip entry's attributes.
MODE: Final = 0o100644 << 16


class CheckError(Exception):
    """A check failed; the text says why, and what to do."""


# Checks of the repository.


def check_version(version: str) -> str:
    """Check the form of a version: Semantic Versioning, with "-beta.1" or "-rc.1"."""
    if not VERSION.fullmatch(version):
        raise CheckError(f"{version!r} is not like 1.2.3, 1.2.3-beta.1 or 1.2.3-rc.1.")
    return f"{version} is a semantic version"


def check_changelog(version: str, text: str, today: date) -> str:
    """Check that the newest entry is that of the version, and has the date of these days."""
    entries = list(ENTRY.finditer(text))
    names = [entry["version"] for entry in entries]
    if names[:2] != ["Unreleased", version]:
        raise CheckError(
            f"CHANGELOG.md starts with {names[:2]}: move what is released from Unreleased"
            f" to {version}, and keep an empty Unreleased above it."
        )
    unreleased, released = entries[:2]
    end = entries[2].start() if len(entries) > 2 else len(text)
    if text[unreleased.end() : released.start()].strip():
        raise CheckError("CHANGELOG.md has unreleased entries. Release them, too.")
    if not re.search(r"^- ", text[released.end() : end], re.MULTILINE):
        raise CheckError(f"CHANGELOG.md says nothing about {version}.")
    try:
        day = date.fromisoformat(released["date"] or "")
    except ValueError:
        raise CheckError(
            f"The entry of {version} has no date: add it, as in 2026-01-31."
        ) from None
    # It may be tomorrow already where the release is made.
    if not today - MAX_AGE <= day <= today + timedelta(days=1):
        raise CheckError(f"The entry of {version} is dated {day}; today is {today}.")
    return f"CHANGELOG.md describes {version} of {day}"


def check_manifest(manifest: str) -> str:
    """Check that the manifest in git does not claim to be a release."""
    found = json.loads(manifest)["version"]
    if found != VERSION_IN_GIT:
        raise CheckError(f"The manifest has version {found}: set it to 0.0.0.")
    return "the manifest in git has version 0.0.0"


def check_git(version: str, repository: Path) -> str:
    """Check that everything is committed and that the tag is free, or at this commit."""
    if changed := _git(repository, "status", "--porcelain").splitlines():
        raise CheckError(f"Commit or remove these files first: {', '.join(changed)}")
    commit = _git(repository, "rev-parse", "HEAD")
    tags = _git(repository, "tag", "--list", version, "--format=%(objectname)")
    if tags and _git(repository, "rev-list", "-1", version) != commit:
        raise CheckError(f"The tag {version} is at another commit.")
    return f"everything is committed: {commit[:10]}"


def _git(repository: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments],
        cwd=repository,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout.strip()


def check_rules() -> str:
    """Run the rules of hassfest and HACS that tests/rules has, and the other tests there."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/rules"],
        cwd=ROOT,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise CheckError(f"A rule of hassfest or HACS is broken:\n{done.stdout}")
    return f"rules of hassfest and HACS: {done.stdout.strip().splitlines()[-1]}"


# The zip.


def build(checkout: Path, version: str, target: Path) -> Path:
    """Zip the integration and return the path.

    HACS unpacks it into the folder of the integration, so its files are at the top. Only files
    that git knows are in it, in a fixed order, with the date of the commit and fixed modes: the
    same commit gives the same zip.
    """
    seconds = int(_git(checkout, "log", "-1", "--format=%ct"))
    changed = time.gmtime(seconds)[:6]
    folder = checkout / INTEGRATION
    target.mkdir(parents=True, exist_ok=True)
    path = target / f"{DOMAIN}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(_git(folder, "ls-files").splitlines()):
            content = (folder / name).read_bytes()
            if name == "manifest.json":
                content = with_version(content.decode(), version).encode()
            entry = zipfile.ZipInfo(name, changed)
            entry.external_attr = MODE
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return path


def with_version(manifest: str, version: str) -> str:
    """Return the manifest with a version, and nothing else changed."""
    return manifest.replace(f'"version": "{VERSION_IN_GIT}"', f'"version": "{version}"')


def check_zip(version: str) -> str:
    """Build the zip and its checksum, and build it again from a new clone."""
    shutil.rmtree(ARTIFACTS, ignore_errors=True)
    path = build(ROOT, version, ARTIFACTS)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder, "clone")
        _git(ROOT, "clone", "--quiet", "--shared", ROOT.as_posix(), clone.as_posix())
        again = build(clone, version, Path(folder))
        if again.read_bytes() != path.read_bytes():
            raise CheckError("A new clone of this commit gives another zip.")
    with zipfile.ZipFile(path) as archive:
        found = json.loads(archive.read("manifest.json"))["version"]
    if found != version:
        raise CheckError(f"The manifest in the zip has version {found}.")
    path.with_suffix(".zip.sha256").write_text(f"{digest}  {path.name}\n")
    return (
        f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes, the same from a clone,"
        f" SHA-256 {digest}"
    )


# The zip in Home Assistant.


class Versions(NamedTuple):
    """Versions of Home Assistant."""

    minimum: str
    newest: str


def supported_versions() -> Versions:
    """Return the oldest version that hacs.json allows, and the newest that is tested."""
    minimum = json.loads((ROOT / "hacs.json").read_text())["homeassistant"]
    [newest] = ROOT.glob("requirements_test_*.txt")
    return Versions(minimum, newest.stem.removeprefix("requirements_test_"))


def check_home_assistant(version: str, home_assistant: str) -> str:
    """Install the zip in a new Home Assistant, add an account, and let a mail flash a light."""
    subprocess.run(
        ["scripts/setup", "--venv-only", "--new-home-assistant", home_assistant],
        cwd=ROOT,
        check=True,
    )
    python = ROOT / f".venv-new-{home_assistant}" / "bin" / "python"
    return asyncio.run(_flash(version, home_assistant, python))


async def _flash(version: str, home_assistant: str, python: Path) -> str:
    folder = ARTIFACTS / f"home-{home_assistant}"
    make_home(folder)
    automations = folder / "automations.yaml"
    # A user adds the automation after the account.
    [automation] = cast(list[dict[str, Any]], load_yaml(automations))
    automations.write_text("[]\n")
    with zipfile.ZipFile(ARTIFACTS / f"{DOMAIN}.zip") as archive:
        archive.extractall(folder / INTEGRATION)
    certificate = make_certificate(ARTIFACTS / "certificate")
    home = HomeAssistant(
        folder,
        python=python,
        configuration=(HOME_TEMPLATE / "configuration.yaml").read_text(),
        ca=certificate.ca,
    )
    try:
        async with PymapServer(certificate) as mail_server, home:
            running = (await home.client.call("get_config"))["version"]
            await add_account(home.client, mail_server.tls_port)
            manifest = await home.client.call("manifest/get", integration=DOMAIN)
            path = f"/api/config/automation/config/{automation['id']}"
            await home.client.rest("POST", path, automation)
            async with asyncio.timeout(WATCH_SECONDS):
                while not await home.client.get_state(AUTOMATION):
                    await asyncio.sleep(0.1)
            demo = Demo(mail_server, home.client)
            await demo.observe()
            await run_once(demo)
    except (DemoError, StartError, CallError, TimeoutError) as err:
        reason = str(err) or "Home Assistant is too slow."
        raise CheckError("\n".join([reason, *home.warnings()])) from err
    if (running, manifest["version"]) != (home_assistant, version):
        raise CheckError(f"{manifest['version']} ran in Home Assistant {running}.")
    if warnings := home.warnings():
        raise CheckError("Home Assistant logged:\n" + "\n".join(warnings))
    return f"the zip flashes a light in a new Home Assistant {home_assistant}"


# All checks.


def checks(version: str) -> Iterator[Callable[[], str]]:
    """Yield the checks. The last ones need the zip."""
    changelog = (ROOT / "CHANGELOG.md").read_text()
    manifest = (ROOT / INTEGRATION / "manifest.json").read_text()
    today = datetime.now().astimezone().date()
    yield partial(check_version, version)
    yield partial(check_changelog, version, changelog, today)
    yield partial(check_manifest, manifest)
    yield partial(check_git, version, ROOT)
    yield check_rules
    yield partial(check_zip, version)
    for home_assistant in supported_versions():
        yield partial(check_home_assistant, version, home_assistant)


def main(version: str) -> int:
    """Run all checks, also after one that failed, and return the exit code."""
    failed = 0
    for check in checks(version):
        try:
            say(f"ok      {check()}")
        except (CheckError, OSError, subprocess.CalledProcessError) as err:
            failed += 1
            say(f"FAILED  {err}")
    say(f"\n{version} can be released." if not failed else f"\n{failed} checks failed.")
    return int(failed > 0)


if __name__ == "__main__":
    # As Ctrl-C does, this stops Home Assistant.
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main(*sys.argv[1:]))
    sys.exit(130)
