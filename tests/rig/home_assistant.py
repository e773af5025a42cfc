"""A real Home Assistant process in a folder of its own."""

import asyncio
import contextlib
import json
import os
from pathlib import Path
import re
import signal
import sys
import sysconfig
from typing import Any, Final, override

from aiohttp import ClientError, ClientSession

from .client import Client
from .ports import LOOPBACK, free_port
from .running import Running

START_SECONDS: Final = 300
STOP_SECONDS: Final = 60
INSTALL_SECONDS: Final = 20
USERNAME: Final = "demo"
PASSWORD: Final = "demo"
INTEGRATION: Final = Path(__file__).parents[2] / "custom_components" / "imap_push"

CONFIGURATION: Final = """\
homeassistant:
  media_dirs:
    local: {media}
  name: Home
  latitude: 52.37
  longitude: 4.89
  elevation: 2
  unit_system: metric
  currency: EUR
  country: NL
  time_zone: Europe/Amsterdam
config:
"""

# The steps that would set up weather and radio and reach for the internet.
SKIPPED_STEPS: Final = ["core_config", "analytics", "integration"]

# What any minimal installation logs: a part of the line, and why it is there.
KNOWN_WARNINGS: Final = (
    ("zlib_ng and isal are not available", "isal is not installed: slower, no harm"),
    ("[haffmpeg.", "the program ffmpeg is not installed; text-to-speech looks for it"),
    ("Error loading libturbojpeg", "the library is not installed; cameras look for it"),
    (
        "custom integration imap_push which has not been tested by Home Assistant",
        "said of every custom integration",
    ),
)
PROBLEM: Final = re.compile(r"^\S+ \S+ (WARNING|ERROR|CRITICAL) \(")


class StartError(Exception):
    """Home Assistant ended before it had started."""


class HomeAssistant(Running):
    """A Home Assistant whose folder, port and user outlast stop() and start()."""

    def __init__(
        self,
        folder: Path,
        *,
        python: Path = Path(sys.executable),
        port: int | None = None,
        configuration: str = "",
        ca: Path | None = None,
    ) -> None:
        """Use `folder`, adding `configuration` (YAML) to what every one needs.

        Where `ca` is given, it is the only authority that is trusted.
        """
        self.folder = folder
        self.port = port or free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self._python = python
        self._configuration = configuration
        self._environment = os.environ | _compiler_flags()
        if ca is not None:
            self._environment["REQUESTS_CA_BUNDLE"] = str(ca)
        self._process: asyncio.subprocess.Process | None = None
        self._client: Client | None = None

    @property
    def client(self) -> Client:
        """Return the client that start() connected."""
        assert self._client is not None, "not started"
        return self._client

    @property
    def is_running(self) -> bool:
        """Return whether start() has done its work, and nobody stopped it since."""
        return self._client is not None

    @property
    def pid(self) -> int:
        """Return the number of the process."""
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def token(self) -> str:
        """Return the long-lived access token of the user."""
        return self._token_path.read_text()

    @property
    def log_path(self) -> Path:
        """Return where the console output goes, traces of crashes included."""
        return self.folder / "console.log"

    @property
    def log(self) -> str:
        """Return all that was logged, by every run in this folder."""
        return self.log_path.read_text(errors="replace")

    def warnings(self) -> list[str]:
        """Return the logged warnings and errors that are not known ones."""
        return [
            line
            for line in self.log.splitlines()
            if PROBLEM.match(line)
            and not any(part in line for part, _ in KNOWN_WARNINGS)
        ]

    @override
    async def start(self) -> None:
        """Start, and return when all is set up and the client is connected.

        The first start of an installation installs what Home Assistant's own
        integrations require, which takes some minutes on a slow line.
        """
        self._write_files()
        await self._run()
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._until_it_answers()
                if not self._token_path.exists():
                    await self._create_user()
                client = Client(self.url, self.token)
                await client.connect()
                self._client = client
                await self._until_it_runs()
        except BaseException:
            await self._give_up()
            raise

    @override
    async def stop(self) -> int:
        """Ask Home Assistant to end, wait for it and return its exit code."""
        if self._process is None:
            return 0
        await self._disconnect()
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                code = await self._process.wait()
        except TimeoutError:
            await self.kill()
            raise
        self._process = None
        return code

    async def kill(self) -> None:
        """End Home Assistant at once, as a power cut does."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        self._process = None
        await self._disconnect()

    @property
    def _token_path(self) -> Path:
        """Return where the token is kept for the next start."""
        return self.folder / ".rig_token"

    def _write_files(self) -> None:
        """Write the configuration and put the integration in place."""
        storage = self.folder / ".storage"
        components = self.folder / "custom_components"
        storage.mkdir(parents=True, exist_ok=True)
        components.mkdir(exist_ok=True)
        # Not /media, which every Home Assistant in a container writes to.
        media = self.folder / "media"
        media.mkdir(exist_ok=True)
        (self.folder / "configuration.yaml").write_text(
            CONFIGURATION.format(media=media) + self._configuration
        )
        link = components / INTEGRATION.name
        link.unlink(missing_ok=True)  # It may be of a checkout that was moved.
        link.symlink_to(INTEGRATION)
        _store_once(storage, "onboarding", 4, {"done": SKIPPED_STEPS})
        # Settings out of YAML would be on trial, and taken back after five minutes.
        server = {"server_host": [LOOPBACK], "server_port": self.port}
        _store_once(storage, "http", 1, server)

    async def _run(self) -> None:
        """Start the process in a process group of its own.

        It works in its folder: custom components in the caller's would hide its own.
        """
        with self.log_path.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                self._python,
                *("-m", "homeassistant", "--config", self.folder, "--log-no-color"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                # A folder of that name where Python starts hides this one's
                # `custom_components`.
                cwd=self.folder,
                start_new_session=True,
            )

    async def _until_it_answers(self) -> None:
        """Wait for the web server."""
        async with ClientSession(self.url) as session:
            while True:
                self._check_alive()
                with contextlib.suppress(ClientError):
                    async with session.get("/manifest.json") as response:
                        if response.status == 200:
                            return
                await asyncio.sleep(0.1)

    async def _until_it_runs(self) -> None:
        """Wait for the end of the start-up."""
        while (await self.client.call("get_config"))["state"] != "RUNNING":
            self._check_alive()
            await asyncio.sleep(0.05)

    async def _create_user(self) -> None:
        """Do the onboarding and keep a long-lived token."""
        client_id = f"{self.url}/"
        user = {"name": "Demo", "username": USERNAME, "password": PASSWORD}
        async with ClientSession(self.url) as session:
            onboarded = await _post(
                session,
                "/api/onboarding/users",
                json={**user, "client_id": client_id, "language": "en"},
            )
            grant = {"grant_type": "authorization_code", "client_id": client_id}
            tokens = await _post(
                session, "/auth/token", data={**grant, "code": onboarded["auth_code"]}
            )
        async with Client(self.url, tokens["access_token"]) as client:
            token: str = await client.call(
                "auth/long_lived_access_token", client_name="rig", lifespan=365
            )
        self._token_path.write_text(token)

    def _check_alive(self) -> None:
        """Raise where the process has ended by itself."""
        assert self._process is not None
        if self._process.returncode is not None:
            raise StartError(f"Home Assistant did not start:\n{self.log}")

    async def _give_up(self) -> None:
        """End a start-up, but let it finish a package that it is just installing.

        Half a package in the environment would be taken for a whole one for ever.
        """
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError, TimeoutError):
            self._process.terminate()
            async with asyncio.timeout(INSTALL_SECONDS):
                while True:
                    os.killpg(self._process.pid, 0)
                    await asyncio.sleep(0.1)
        await self.kill()

    async def _disconnect(self) -> None:
        """Close the client."""
        if self._client is not None:
            await self._client.close()
            self._client = None


def _store_once(storage: Path, key: str, version: int, data: dict[str, Any]) -> None:
    """Write what Home Assistant finds in its storage at its very first start."""
    path = storage / key
    if not path.exists():
        content = {"version": version, "minor_version": 1, "key": key, "data": data}
        path.write_text(json.dumps(content))


def _compiler_flags() -> dict[str, str]:
    """Return where the headers of a Python are that was unpacked into a folder.

    Home Assistant compiles two of its requirements when it first starts, and
    Debian's pyconfig.h includes a file that lies beside the folder of headers.
    """
    flags = f"-idirafter {Path(sysconfig.get_path('include')).parent}"
    return {"CFLAGS": flags, "CXXFLAGS": flags}


async def _post(session: ClientSession, path: str, **body: Any) -> dict[str, Any]:
    """Send a POST request and return the decoded answer."""
    async with session.post(path, **body) as response:
        response.raise_for_status()
        answer: dict[str, Any] = await response.json()
        return answer
