"""A private Dovecot 2.3 on loopback ports."""

from collections.abc import Iterator
import contextlib
import ctypes
from dataclasses import dataclass
import getpass
import grp
import os
from pathlib import Path
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from types import TracebackType
from typing import Final, Self

from .certificate import Certificate
from .ports import LOOPBACK, free_port

USER: Final = "user@example.org"
PASSWORD: Final = "hush-2X7Q9"
START_SECONDS: Final = 20.0
STOP_SECONDS: Final = 10.0
PR_SET_CHILD_SUBREAPER: Final = 36

# The default capabilities of Dovecot 2.3. To leave one out, `imap_capability` needs the complete
# list of the others.
CAPABILITIES: Final = (
    "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE SORT SORT=DISPLAY "
    "THREAD=REFERENCES THREAD=REFS THREAD=ORDEREDSUBJECT MULTIAPPEND URL-PARTIAL "
    "CATENATE UNSELECT CHILDREN NAMESPACE UIDPLUS LIST-EXTENDED I18NLEVEL=1 CONDSTORE "
    "QRESYNC ESEARCH ESORT SEARCHRES WITHIN CONTEXT=SEARCH LIST-STATUS BINARY MOVE "
    "SNIPPET=FUZZY PREVIEW=FUZZY PREVIEW STATUS=SIZE SAVEDATE LITERAL+ NOTIFY"
)

CONFIG: Final = """\
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
protocols = imap lmtp
listen = {host}
ssl = yes
ssl_cert = <{cert}
ssl_key = <{key}
disable_plaintext_auth = no
auth_mechanisms = plain login scram-sha-256
default_internal_user = {internal_user}
default_internal_group = {internal_group}
default_login_user = {login_user}
mail_location = maildir:{folder}/mail/%u
mail_uid = {mail_user}
mail_gid = {mail_group}
first_valid_uid = 1
first_valid_gid = 1
mailbox_list_index = yes
mail_max_userip_connections = 1000
lmtp_save_to_detail_mailbox = yes
lda_mailbox_autocreate = yes
lda_mailbox_autosubscribe = yes
{capability}
# A refused login must not delay the following logins.
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/users
}}
userdb {{
  driver = static
  args = home={folder}/mail/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  {chroot}
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = {imaps_port}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = {host}
    port = {lmtp_port}
  }}
}}
service anvil {{
  {chroot}
}}
service stats {{
  {chroot}
}}
"""


# Tokens are checked by an authorization server (RFC 7662), for these mechanisms only.
OAUTH2: Final = """\
auth_mechanisms = plain login scram-sha-256 xoauth2 oauthbearer
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {folder}/oauth2.conf
}}
"""
OAUTH2_LOOKUP: Final = """\
introspection_mode = post
introspection_url = {introspection}
username_attribute = username
active_attribute = active
active_value = true
timeout_msecs = 1000
"""


class Dovecot:
    """A Dovecot with its own folder and ports, which stay the same after a restart.

    The folder has a short path, because paths of Unix sockets have at most 107 characters, and
    other users can enter it, because a Dovecot started by root reads mail as another user.
    Mail to user+Work@example.org goes to the folder Work, which is created on demand.
    """

    def __init__(
        self,
        certificate: Certificate,
        *,
        users: dict[str, str] | None = None,
        without: tuple[str, ...] = (),
        settings: str = "",
        introspection: str = "",
    ) -> None:
        """Serve `users` (name to password) without the capabilities `without`.

        `settings` are added at the end of Dovecot's configuration and take precedence.
        `introspection` is the URL that checks tokens; without it, tokens are not accepted.
        """
        self.imap_port = free_port()
        self.imaps_port = free_port()
        self.lmtp_port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="dovecot-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = _Owner.of_this_process()
        if introspection:
            lookup = self.folder / "oauth2.conf"
            lookup.write_text(OAUTH2_LOOKUP.format(introspection=introspection))
            settings = OAUTH2.format(folder=self.folder) + settings
        self._write_files(certificate, users or {USER: PASSWORD}, without, settings)

    @staticmethod
    def available() -> bool:
        """Return whether a Dovecot 2.3 with LMTP is installed."""
        return _program() is not None and Dovecot.version().startswith("2.3.")

    @staticmethod
    def version() -> str:
        """Return the version of the installed Dovecot."""
        program = _program()
        assert program, "Dovecot is not installed"
        return subprocess.check_output([program, "--version"], text=True).strip()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop and remove the folder with all its mail."""
        self.close()

    @property
    def log(self) -> str:
        """Return everything that Dovecot has logged."""
        path = self.folder / "dovecot.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start, and return when IMAP and LMTP send a greeting."""
        program = _program()
        assert program, "Dovecot is not installed"
        self._process = subprocess.Popen(
            [program, "-F", "-c", self.folder / "dovecot.conf"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + START_SECONDS
        while not (_greets(self.imap_port) and _greets(self.lmtp_port)):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"Dovecot did not start:\n{self.log}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop Dovecot and every connection in an orderly way."""
        if self._process is None:
            return
        with _adopting_orphans():
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
            self.kill()

    def kill(self) -> None:
        """Kill every process of this Dovecot, without BYE to clients."""
        if self._process is None:
            return
        with _adopting_orphans():
            # All children stay in the process group that start() created.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            _wait_for_group(self._process.pid)
        self._process = None
        # Dovecot would wait two minutes for a lock of a process that was killed.
        for lock in self.folder.glob("mail/**/dovecot-uidlist.lock"):
            lock.unlink()

    def set_password(self, user: str, password: str) -> None:
        """Change a user's password; open sessions continue."""
        path = self.folder / "users"
        users = dict(line.split(":") for line in path.read_text().splitlines())
        path.write_text(_user_list({**users, user: password}))

    def give(self, path: Path) -> None:
        """Change the owner of a path to the user that reads and writes mail."""
        shutil.chown(path, self._owner.mail_user, self._owner.mail_group)

    def close(self) -> None:
        """Kill it, which is a second faster than an orderly end, and remove all its mail."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write_files(
        self,
        certificate: Certificate,
        users: dict[str, str],
        without: tuple[str, ...],
        settings: str,
    ) -> None:
        """Write the configuration and the list of users, and create an empty mail store."""
        owner = self._owner
        mail = self.folder / "mail"
        mail.mkdir()
        self.folder.chmod(0o711)
        self.give(mail)
        (self.folder / "users").write_text(_user_list(users))
        (self.folder / "users").chmod(0o644)
        kept = " ".join(word for word in CAPABILITIES.split() if word not in without)
        (self.folder / "dovecot.conf").write_text(
            CONFIG.format(
                folder=self.folder,
                host=LOOPBACK,
                cert=certificate.cert,
                key=certificate.key,
                capability=f"imap_capability = {kept}" if without else "",
                imap_port=self.imap_port,
                imaps_port=self.imaps_port,
                lmtp_port=self.lmtp_port,
                **vars(owner),
            )
            + settings
        )


@dataclass(frozen=True)
class _Owner:
    """Users of Dovecot's parts: different ones if root starts it, otherwise the own user."""

    internal_user: str
    internal_group: str
    login_user: str
    mail_user: str
    mail_group: str
    chroot: str

    @classmethod
    def of_this_process(cls) -> Self:
        """Return the users for a Dovecot that this process starts."""
        if os.geteuid() == 0:
            return cls("dovecot", "dovecot", "dovenull", "mail", "mail", "")
        user, group = getpass.getuser(), grp.getgrgid(os.getegid()).gr_name
        return cls(user, group, user, user, group, "chroot =")


@contextlib.contextmanager
def _adopting_orphans() -> Iterator[None]:
    """Become the parent of processes whose parent ends (prctl(2), Linux only).

    Only while Dovecot ends: other orphans would become zombies, because we do not wait for them.
    """
    if sys.platform != "linux":
        yield
        return
    set_option = ctypes.CDLL(None).prctl
    set_option(PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        set_option(PR_SET_CHILD_SUBREAPER, 0)


def _wait_for_group(group: int) -> None:
    """Wait until all processes of a group have ended, so that their ports are free."""
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-group, 0)


def _user_list(users: dict[str, str]) -> str:
    """Return the passwd-file that Dovecot reads at every login."""
    return "".join(f"{name}:{password}\n" for name, password in users.items())


def _program() -> str | None:
    """Return the path of Dovecot; sbin is not on every user's PATH."""
    return shutil.which("dovecot", path=f"{os.environ['PATH']}:/usr/sbin")


def _greets(port: int) -> bool:
    """Return whether a server on this port accepts a connection and sends a greeting."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
            connection.settimeout(5)
            return bool(connection.recv(1))
    except OSError:
        return False
