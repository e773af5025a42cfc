"""Helpers for tests with the light server in virtual time."""

from collections.abc import Iterable

from .virtual import VirtualLoop

from tests.rig.light_client import CAPABILITIES, Habits
from tests.rig.light_server import LightServer

MINUTE = 60.0
HOUR = 60 * MINUTE

IDLE = CAPABILITIES
NOTIFY = CAPABILITIES + b" NOTIFY"
POLL = CAPABILITIES.replace(b" IDLE", b"")


def served(loop: VirtualLoop, *folders: str, **habits: object) -> LightServer:
    """Return a server with these folders and habits, to which the loop connects."""
    server = LightServer(*folders, habits=Habits(**habits))  # type: ignore[arg-type]
    loop.accept = server.accept
    return server


def each(folders: Iterable[str], uids: list[int]) -> dict[str, list[int]]:
    """Return the same UIDs for each folder."""
    return dict.fromkeys(folders, uids)
