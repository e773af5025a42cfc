"""ImapFlow in a Node.js process."""

import asyncio
import json
from pathlib import Path
from typing import Any, Final, override

from .environment import ARTIFACTS

from tests.rig import npm
from tests.rig.certificate import Certificate
from tests.rig.dovecot import PASSWORD
from tests.rig.ports import LOOPBACK
from tests.rig.running import Running

SOURCE: Final = Path(__file__).parent / "imapflow"
FOLDER: Final = ARTIFACTS / "imapflow"
START_SECONDS: Final = 30


class ImapFlow(Running):
    """A client that fetches envelope and structure of each new mail."""

    def __init__(self, port: int, user: str, certificate: Certificate) -> None:
        """Watch a user's inbox with TLS."""
        self._arguments = (LOOPBACK, str(port), user, PASSWORD, str(certificate.ca))

    @override
    async def start(self) -> None:
        """Start, and return when the client waits for mail."""
        self._process = await asyncio.create_subprocess_exec(
            *("node", FOLDER / "listen.js", *self._arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(START_SECONDS):
            await self.next()

    @override
    async def stop(self) -> None:
        """Close its input, which ends it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def next(self) -> Any:
        """Return the next line of its output; raise EOFError if it has ended."""
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise EOFError("ImapFlow has ended")
        return json.loads(line)


def imapflow_version() -> str:
    """Return the installed version."""
    package = FOLDER / "node_modules" / "imapflow" / "package.json"
    version: str = json.loads(package.read_text())["version"]
    return version


def install_imapflow() -> str | None:
    """Install it with npm; return the reason if that fails, None otherwise."""
    return npm.install(SOURCE, FOLDER)
