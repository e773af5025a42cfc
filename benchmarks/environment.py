"""The servers, Home Assistants and certificates that the parts of the benchmark use."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
import io
from pathlib import Path
import shutil
import subprocess
import tarfile
from typing import Final

from .entries import Json
from .home import Home

from tests.rig.certificate import Certificate, make_certificate
from tests.rig.dovecot import PASSWORD, Dovecot
from tests.rig.home_assistant import INTEGRATION

ROOT: Final = Path(__file__).parents[1]
ARTIFACTS: Final = ROOT / ".artifacts" / "bench"
HOME_ASSISTANT: Final = "2026.11.0"
PYTHON: Final = ROOT / f".venv-{HOME_ASSISTANT}" / "bin" / "python"

# With one login process per connection, Dovecot would allow a hundred connections at most.
DOVECOT_SETTINGS: Final = """\
service imap-login {
  service_count = 0
}
"""


@dataclass(frozen=True)
class Environment:
    """The folder and the options of a run."""

    folder: Path
    template: Path
    certificate: Certificate
    is_quick: bool

    def dovecot(self, users: Iterable[str], *, notify: bool) -> Dovecot:
        """Return a server that is not started yet, with or without NOTIFY."""
        return Dovecot(
            self.certificate,
            users=dict.fromkeys(users, PASSWORD),
            without=() if notify else ("NOTIFY",),
            settings=DOVECOT_SETTINGS,
        )

    def home(
        self,
        name: str,
        entries: Iterable[Json] = (),
        *,
        has_loop_meter: bool = False,
        integration: Path = INTEGRATION,
    ) -> Home:
        """Return a Home Assistant that is not started yet."""
        return Home(
            self.folder / name,
            python=PYTHON,
            certificate=self.certificate,
            template=self.template,
            entries=entries,
            has_loop_meter=has_loop_meter,
            integration=integration,
        )

    def integration_at(self, commit: str) -> Path:
        """Return the integration as it was at a commit."""
        archive = subprocess.run(
            ("git", "-C", ROOT, "archive", commit, INTEGRATION.relative_to(ROOT)),
            check=True,
            capture_output=True,
        ).stdout
        folder = self.folder / f"commit-{commit}"
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
        integration = folder / INTEGRATION.relative_to(ROOT)
        _compile(integration)
        return integration


async def make_environment(*, is_quick: bool) -> Environment:
    """Prepare a folder for this run and a Home Assistant to copy."""
    folder = ARTIFACTS / "run"
    shutil.rmtree(folder, ignore_errors=True)
    certificate = await asyncio.to_thread(make_certificate, folder / "certificate")
    await asyncio.to_thread(_compile, INTEGRATION)
    return Environment(folder, await _make_template(), certificate, is_quick)


def _compile(integration: Path) -> None:
    """Write the bytecode, as the first start of an installation does, also where it is off.

    Home Assistant's own bytecode comes with its package.
    """
    subprocess.run((PYTHON, "-m", "compileall", "-q", integration), check=True)


async def _make_template() -> Path:
    """Return an empty Home Assistant that has been started, creating it in the first run.

    The first start of an installation also installs packages, which would distort the figures.
    """
    template = ARTIFACTS / f"home-{HOME_ASSISTANT}"
    if template.exists():
        return template
    being_made = template.with_suffix(".new")
    async with Home(being_made, python=PYTHON):
        pass
    return being_made.rename(template)
