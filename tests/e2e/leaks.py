"""Search the files of Home Assistant for secrets and addresses."""

from base64 import b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

# Files in which Home Assistant has to store credentials: config entries, OAuth2 clients, and
# users.
KEEPERS: Final = (
    ".storage/core.config_entries",
    ".storage/application_credentials",
    ".storage/auth",
    ".storage/auth_provider.homeassistant",
    ".rig_token",
)
LOGS: Final = ("console.log", "home-assistant.log")


def find_leaks(
    folder: Path, *, secrets: Iterable[str], addresses: Iterable[str] = ()
) -> list[str]:
    """Return file and line of each find: secrets in any file, addresses in the logs.

    Addresses may be in the database, because events and states have the sender.
    """
    hidden = [spelling for secret in secrets for spelling in _spellings(secret)]
    named = [address.encode() for address in addresses]
    leaks = []
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink() or not path.is_file() or name in KEEPERS:
            continue
        needles = hidden + (named if path.name.startswith(LOGS) else [])
        leaks += [
            f"{name}: {line.decode(errors='replace')}"
            for line in path.read_bytes().splitlines()
            if any(needle in line for needle in needles)
        ]
    return leaks


def _spellings(secret: str) -> Iterator[bytes]:
    """Yield a secret as it is, in a URL, and in base64 at each possible offset.

    The base64 characters that depend on adjacent octets are left out, because AUTHENTICATE sends
    the secret between other values.
    """
    octets = secret.encode()
    yield octets
    yield quote(secret, safe="").encode()
    for before, skipped in ((0, 0), (1, 2), (2, 3)):
        whole = (before + len(octets)) * 8 // 6
        yield b64encode(b"?" * before + octets)[skipped:whole]
