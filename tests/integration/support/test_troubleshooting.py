"""The page for troubleshooting is complete and refers to existing errors."""

from itertools import product
from pathlib import Path
import re

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
DOCUMENTED = [
    name
    for row in re.findall(r"^\| (`[A-Z]\w+`.*?) \|", PAGE, re.MULTILINE)
    for name in re.findall(r"`(\w+)`", row)
]


@pytest.mark.parametrize("name", DOCUMENTED)
def test_documented_error_exists(name: str) -> None:
    """Diagnostics and log contain these class names. Not every error needs a row."""
    assert issubclass(getattr(imap, name), ImapError)


@pytest.mark.parametrize("key", TEXTS)
def test_every_repair_is_documented(key: str) -> None:
    """By its title."""
    assert f"**{TEXTS[key]['title'].replace('{account}', '…')}**" in PAGE


def test_every_reason_for_the_push_mode_is_documented() -> None:
    """With the text of the diagnostics."""
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
