"""The page for when something is wrong knows all that can go wrong."""

from itertools import product
from pathlib import Path

import pytest

from custom_components.imap_push import imap
from custom_components.imap_push.imap import (
    FolderState,
    ImapError,
    PushMode,
    Quirks,
    WatchOptions,
    explain_push,
)

from .test_repairs import TEXTS

PAGE = (Path(__file__).parents[3] / "docs/troubleshooting.md").read_text()
ERRORS = [
    name
    for name, it in vars(imap).items()
    if isinstance(it, type) and issubclass(it, ImapError)
]


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_is_told(name: str) -> None:
    """By the name that the diagnostics and the log give it."""
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("key", TEXTS)
def test_every_repair_is_told(key: str) -> None:
    """By its title."""
    assert f"**{TEXTS[key]['title'].replace('{account}', '…')}**" in PAGE


def test_every_reason_for_less_than_the_best_is_told() -> None:
    """In the words of the diagnostics."""
    for push, notify, deaf, idle, silent in product((True, False), repeat=5):
        can_idle = push and idle and not deaf
        for mode in (PushMode.IDLE, PushMode.POLL) if can_idle else (PushMode.POLL,):
            words = explain_push(
                WatchOptions(push=push, notify=notify),
                Quirks(idle_is_deaf=deaf),
                frozenset({"NOTIFY", "IDLE"} if idle else {"NOTIFY"}),
                FolderState(push_mode=mode, push_is_silent=silent),
            )
            assert f"`{words}`" in PAGE
