"""Start the servers that scripts/servers has unpacked into .servers."""

from dataclasses import dataclass, replace
import json
from pathlib import Path
import shutil
import socket
import subprocess
import tempfile
import time
from types import MappingProxyType, TracebackType
from typing import Final, Self

from .. import dovecot
from ..certificate import Certificate, make_certificate
from ..ports import LOOPBACK, free_port

HERE: Final = Path(__file__).parent
CACHE: Final = HERE.parents[2] / ".servers"
START_SECONDS: Final = 30.0
WILDDUCK: Final = "wildduck"
DOVECOT_2_3: Final = "dovecot-2.3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Packaged:
    """A server of unpacked packages: Debian's suite and package, its script with variables.

    `prefix` and `separator` are those of folder names. With `lmtp`, mail arrives over LMTP.
    """

    suite: str
    package: str
    script: str
    program: str
    variables: tuple[tuple[str, str], ...] = ()
    prefix: str = ""
    separator: str = "/"
    lmtp: bool = False


_COURIER: Final = Packaged(
    suite="bookworm",
    package="courier-imap",
    script="courier.sh",
    program="usr/bin/imapd",
    # By default, IDLE looks for mail once a minute. Our shortest IDLE lasts two seconds.
    variables=(("LIMIT", "20"), ("IDLE_SECONDS", "1")),
    prefix="INBOX.",
    separator=".",
)
_PACKAGED: Final = MappingProxyType(
    {
        "dovecot-2.4": Packaged(
            suite="forky",
            package="dovecot-imapd",
            script="dovecot.sh",
            program="usr/sbin/dovecot",
            lmtp=True,
        ),
        "cyrus-3.6": Packaged(
            suite="bookworm",
            package="cyrus-imapd",
            script="cyrus.sh",
            program="usr/lib/cyrus/bin/imapd",
            variables=(("ALTERNATIVE", "no"),),
            prefix="INBOX.",
            separator=".",
            lmtp=True,
        ),
        "cyrus-3.12": Packaged(
            suite="forky",
            package="cyrus-imapd",
            script="cyrus.sh",
            program="usr/lib/cyrus/bin/imapd",
            variables=(("ALTERNATIVE", "yes"),),
            lmtp=True,
        ),
        "courier": _COURIER,
        "courier-limit-4": replace(
            _COURIER, variables=(("LIMIT", "4"), ("IDLE_SECONDS", "1"))
        ),
        "mailutils": Packaged(
            suite="bookworm",
            package="mailutils-imap4d",
            script="mailutils.sh",
            program="usr/sbin/imap4d",
        ),
    }
)
NAMES: Final = (DOVECOT_2_3, *_PACKAGED, WILDDUCK)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """A running server, how to log in, and where its folders are.

    `lmtp_port` is 0 where mail arrives by APPEND. `security` is what the plain port requires.
    """

    name: str
    user: str
    password: str
    imap_port: int
    imaps_port: int
    lmtp_port: int = 0
    prefix: str = ""
    separator: str = "/"
    certificate: Certificate
    process: subprocess.Popen[bytes] | None = None
    dovecot: dovecot.Dovecot | None = None
    folder: Path | None = None

    def __enter__(self) -> Self:
        """Return the server, which runs already."""
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop it; its mail is lost."""
        if self.dovecot:
            self.dovecot.close()
        if self.process:
            # The kernel ends all processes of the box with its first one.
            self.process.kill()
            self.process.wait()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def needs_starttls(self) -> bool:
        """Return whether the server accepts our password only with TLS."""
        return self.name in {WILDDUCK, "mailutils"}

    def full_name(self, *parts: str) -> str:
        """Return the name of a folder outside INBOX."""
        return self.prefix + self.separator.join(parts)

    @property
    def log(self) -> str:
        """Return what the server has printed."""
        if self.dovecot:
            return self.dovecot.log
        assert self.folder
        return (self.folder / "log").read_text(errors="replace")


def reason_against(name: str) -> str | None:
    """Return why a server cannot be started here, None if it can."""
    if name == DOVECOT_2_3:
        return None if dovecot.Dovecot.available() else "Dovecot 2.3 is not installed"
    if name == WILDDUCK:
        if not shutil.which("node"):
            return "Node.js is not installed"
        has_packages = (CACHE / WILDDUCK / ".installed").exists()
        return None if has_packages else "its npm packages are not in .servers"
    packaged = _PACKAGED[name]
    if not (CACHE / packaged.suite / packaged.program).exists():
        return f"its packages of Debian {packaged.suite} are not in .servers"
    return _reason_against_boxes()


def version_of(name: str) -> str:
    """Return the version of a server that can be started here."""
    if name == DOVECOT_2_3:
        return dovecot.Dovecot.version()
    if name == WILDDUCK:
        package = CACHE / WILDDUCK / "node_modules/@zone-eu/wildduck/package.json"
        return str(json.loads(package.read_text())["version"])
    packaged = _PACKAGED[name]
    files = (CACHE / packaged.suite / ".versions").read_text().splitlines()
    [file] = [it for it in files if it.startswith(f"{packaged.package}_")]
    return file.split("_")[1].rpartition("%3a")[2]


def start(name: str) -> MailServer:
    """Start a server, and return it when it accepts connections; raise RuntimeError with its log.

    Another process may have taken one of the ports, so there is a second attempt.
    """
    try:
        return _start(name)
    except RuntimeError:
        return _start(name)


def _start(name: str) -> MailServer:
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    certificate = make_certificate(folder)
    if name == DOVECOT_2_3:
        return _start_dovecot(folder, certificate)
    ports = {"IMAP_PORT": free_port(), "IMAPS_PORT": free_port()}
    if name == WILDDUCK:
        user, password = "testuser", "pass"
        packaged = None
        command = _wildduck_command(folder, ports)
    else:
        user, password = "user", dovecot.PASSWORD
        packaged = _PACKAGED[name]
        if packaged.lmtp:
            ports["LMTP_PORT"] = free_port()
        command = _box_command(folder, packaged, ports)
    with (folder / "log").open("wb") as log:
        # The server ends with this process, however that ends.
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    server = MailServer(
        name=name,
        user=user,
        password=password,
        imap_port=ports["IMAP_PORT"],
        imaps_port=ports["IMAPS_PORT"],
        lmtp_port=ports.get("LMTP_PORT", 0),
        prefix=packaged.prefix if packaged else "",
        separator=packaged.separator if packaged else "/",
        certificate=certificate,
        process=process,
        folder=folder,
    )
    _wait(server)
    return server


def _start_dovecot(folder: Path, certificate: Certificate) -> MailServer:
    """Start the installed Dovecot."""
    server = dovecot.Dovecot(certificate)
    server.start()
    return MailServer(
        name=DOVECOT_2_3,
        user=dovecot.USER,
        password=dovecot.PASSWORD,
        imap_port=server.imap_port,
        imaps_port=server.imaps_port,
        lmtp_port=server.lmtp_port,
        certificate=certificate,
        dovecot=server,
        folder=folder,
    )


def _box_command(
    folder: Path, packaged: Packaged, ports: dict[str, int]
) -> list[str | Path]:
    """Return the command that runs a server's script in a box."""
    (folder / "box").mkdir()
    shutil.copy(HERE / packaged.script, folder / "start")
    variables = [f"{name}={port}" for name, port in ports.items()]
    variables += [f"{name}={value}" for name, value in packaged.variables]
    variables.append(f"PASSWORD={dovecot.PASSWORD}")
    script = ["env", *variables, "bash", "-e", "/conf/start"]
    return ["bash", HERE / "box.sh", CACHE / packaged.suite, folder, *script]


def _wildduck_command(folder: Path, ports: dict[str, int]) -> list[str | Path]:
    """Return the command that runs WildDuck's IMAP with Node.js."""
    program = HERE / WILDDUCK / "server.js"
    packages = f"NODE_PATH={CACHE / WILDDUCK / 'node_modules'}"
    return ["env", packages, "node", program, *map(str, ports.values()), folder]


def _wait(server: MailServer) -> None:
    """Wait until all ports of a server accept connections; raise RuntimeError with its log."""
    assert server.process
    deadline = time.monotonic() + START_SECONDS
    ports = [server.imap_port, server.imaps_port, server.lmtp_port]
    while not all(_accepts(port) for port in ports if port):
        if server.process.poll() is not None or time.monotonic() > deadline:
            log = server.log
            server.__exit__(None, None, None)
            raise RuntimeError(f"{server.name} did not start:\n{log}")
        time.sleep(0.05)


def _accepts(port: int) -> bool:
    """Return whether a server accepts connections at a port."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1):
            return True
    except OSError:
        return False


def _reason_against_boxes() -> str | None:
    """Return why no program can run in a box here, None if it can."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "box").mkdir()
        command: list[str | Path] = ["bash", HERE / "box.sh"]
        command += [CACHE / "bookworm", folder, "true"]
        tried = subprocess.run(command, capture_output=True, text=True, check=False)
    if not tried.returncode:
        return None
    last = tried.stderr.strip().rpartition("\n")[2]
    return f"it cannot run in a namespace of its own: {last}"
