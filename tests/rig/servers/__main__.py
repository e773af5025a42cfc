"""The Python part of scripts/servers: set up WildDuck, or start a server."""

import sys
import time

from .. import npm
from . import NAMES, reason_against, start, version_of
from .server import CACHE, HERE, WILDDUCK


def set_up() -> None:
    """Install WildDuck's packages if they changed, and print what each server lacks."""
    source, folder = HERE / WILDDUCK, CACHE / WILDDUCK
    stamp = folder / ".installed"
    wanted = (source / "package.json").read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        if reason := npm.install(source, folder):
            print(f"[servers] {reason}", file=sys.stderr)
        else:
            stamp.write_text(wanted)


def run(name: str) -> None:
    """Run a server until the command is interrupted."""
    if reason := reason_against(name):
        sys.exit(f"{name}: {reason}")
    with start(name) as server:
        print(
            f"{name}: IMAP at 127.0.0.1:{server.imap_port}, TLS at {server.imaps_port}"
        )
        if server.lmtp_port:
            print(f"LMTP at {server.lmtp_port}")
        print(f"user {server.user}, password {server.password}; Ctrl+C stops it")
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            print("stopped")


match sys.argv[1:]:
    case ["setup"]:
        set_up()
    case ["list"]:
        print(*NAMES, sep="\n")
    case ["version", name] if name in NAMES and not reason_against(name):
        print(version_of(name))
    case ["start", name] if name in NAMES:
        run(name)
    case _:
        sys.exit(f"usage: scripts/servers [{' | '.join(NAMES)}]")
