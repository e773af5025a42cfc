"""Which servers push new mail, and why a folder has its push mode."""

from .models import FolderState, PushMode, WatchOptions
from .quirks import Quirks


def announces_mail(
    options: WatchOptions, quirks: Quirks, capabilities: frozenset[str]
) -> bool:
    """Return whether push is allowed, and the server has an IDLE that announces new mail."""
    return options.push and not quirks.idle_is_deaf and "IDLE" in capabilities


def explain_push(
    options: WatchOptions,
    quirks: Quirks,
    capabilities: frozenset[str],
    state: FolderState,
) -> str:
    """Return the push mode of a folder, and why `StrategyChooser.best` chose no better one."""
    mode = state.push_mode
    is_poll = mode is PushMode.POLL
    reasons = (
        (mode is PushMode.OFF and state.missing, "the folder is missing"),
        (mode is PushMode.OFF, "not connected"),
        (mode is PushMode.NOTIFY, "offered and allowed"),
        (not options.push, "push option off"),
        (quirks.idle_is_deaf, "quirk idle_is_deaf"),
        ("IDLE" not in capabilities, "IDLE not offered"),
        (is_poll and state.push_is_silent, "IDLE offered but silent"),
        (is_poll, "IDLE offered, but no connection to spare for this folder"),
        ("NOTIFY" not in capabilities, "NOTIFY not offered"),
        (options.notify, "NOTIFY offered but silent"),
        (True, "NOTIFY option off"),
    )
    return f"{mode}: {next(reason for holds, reason in reasons if holds)}"
