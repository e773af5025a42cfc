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

# The onboarding steps that would set up weather and radio and use the internet.
SKIPPED_STEPS: Final = ["core_config", "analytics", "integration"]

# Warnings of any minimal installation: a part of the line, and the reason.
KNOWN_WARNINGS: Final = (
    ("zlib_ng and isal are not available", "isal is not installed: only slower"),
    ("[haffmpeg.", "the program ffmpeg is not installed; text-to-speech uses it"),
    ("Error loading libturbojpeg", "the library is not installed; cameras use it"),
    (
        "custom integration imap_push which has not been tested by Home Assistant",
        "logged for every custom integration",
    ),
)
PROBLEM: Final = re.compile(r"^\S+ \S+ (WARNING|ERROR|CRITICAL) \(")


class StartError(Exception):
    """Home Assistant ended during its start."""


class HomeAssistant(Running):
    """A Home Assistant that keeps its folder, port and user after stop() and start()."""

    def __init__(
        self,
        folder: Path,
        *,
        python: Path = Path(sys.executable),
        port: int | None = None,
        configuration: str = "",
        ca: Path | None = None,
    ) -> None:
        """Use `folder`, and add `configuration` (YAML) to the common configuration.

        If `ca` is given, only this authority is trusted.
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
        """Return whether start() has completed and stop() or kill() was not called after it."""
        return self._client is not None

    @property
    def pid(self) -> int:
        """Return the process ID."""
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def token(self) -> str:
        """Return the long-lived access token of the user."""
        return self._token_path.read_text()

    @property
    def log_path(self) -> Path:
        """Return the file of the console output, including tracebacks."""
        return self.folder / "console.log"

    @property
    def log(self) -> str:
        """Return the log of all runs in this folder."""
        return self.log_path.read_text(errors="replace")

    def warnings(self) -> list[str]:
        """Return the logged warnings and errors except the known ones."""
        return [
            line
            for line in self.log.splitlines()
            if PROBLEM.match(line)
            and not any(part in line for part, _ in KNOWN_WARNINGS)
        ]

    @override
    async def start(self) -> None:
        """Start, and return when setup is complete and the client is connected.

        The first start of an installation installs the requirements of Home Assistant's
        integrations, which takes minutes on a slow network.
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
            await self._end_start()
            raise

    @override
    async def stop(self) -> int:
        """Stop Home Assistant with SIGTERM and return its exit code."""
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
        """Kill Home Assistant with SIGKILL, like a power cut."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        self._process = None
        await self._disconnect()

    @property
    def _token_path(self) -> Path:
        """Return the file that keeps the token for the next start."""
        return self.folder / ".rig_token"

    def _write_files(self) -> None:
        """Write the configuration, and link the integration unless it is installed."""
        storage = self.folder / ".storage"
        components = self.folder / "custom_components"
        storage.mkdir(parents=True, exist_ok=True)
        components.mkdir(exist_ok=True)
        # Not /media, the default in a container, which several Home Assistants would share.
        media = self.folder / "media"
        media.mkdir(exist_ok=True)
        (self.folder / "configuration.yaml").write_text(
            CONFIGURATION.format(media=media) + self._configuration
        )
        link = components / INTEGRATION.name
        if link.is_symlink() or not link.exists():
            link.unlink(missing_ok=True)  # It may point to a checkout that was moved.
            link.symlink_to(INTEGRATION)
        _store_if_missing(storage, "onboarding", 4, {"done": SKIPPED_STEPS})
        # HTTP settings in YAML would be reverted after five minutes without confirmation.
        server = {"server_host": [LOOPBACK], "server_port": self.port}
        _store_if_missing(storage, "http", 1, server)

    async def _run(self) -> None:
        """Start the process in its own process group."""
        with self.log_path.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                self._python,
                *("-m", "homeassistant", "--config", self.folder, "--log-no-color"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                # A folder `custom_components` in the working directory would hide the one in
                # the configuration folder.
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
        """Wait until Home Assistant reports that it is running."""
        while (await self.client.call("get_config"))["state"] != "RUNNING":
            self._check_alive()
            await asyncio.sleep(0.05)

    async def _create_user(self) -> None:
        """Do the onboarding and store a long-lived token."""
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
        """Raise StartError if the process has ended."""
        assert self._process is not None
        if self._process.returncode is not None:
            raise StartError(f"Home Assistant did not start:\n{self.log}")

    async def _end_start(self) -> None:
        """End a process that is starting, but give it time to finish installing a package.

        An incomplete package in the environment would count as installed from then on.
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


def _store_if_missing(
    storage: Path, key: str, version: int, data: dict[str, Any]
) -> None:
    """Write a storage file, if it does not exist yet."""
    path = storage / key
    if not path.exists():
        content = {"version": version, "minor_version": 1, "key": key, "data": data}
        path.write_text(json.dumps(content))


def _compiler_flags() -> dict[str, str]:
    """Return compiler flags for a Python that scripts/setup unpacked into a folder.

    Home Assistant compiles two of its requirements at its first start, and Debian's pyconfig.h
    includes a file from the parent of the include folder.
    """
    flags = f"-idirafter {Path(sysconfig.get_path('include')).parent}"
    return {"CFLAGS": flags, "CXXFLAGS": flags}


async def _post(session: ClientSession, path: str, **body: Any) -> dict[str, Any]:
    """Send a POST request and return the decoded response."""
    async with session.post(path, **body) as response:
        response.raise_for_status()
        answer: dict[str, Any] = await response.json()
        return answer
