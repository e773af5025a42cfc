"""`explain_push`: the push mode of a folder, and the reason for it."""

import pytest

from custom_components.imap_push.imap import (
    FolderState,
    PushMode,
    Quirks,
    WatchOptions,
    explain_push,
)
from custom_components.imap_push.imap.watch.wait_strategy import StrategyChooser

BOTH = {"IDLE", "NOTIFY"}


def _state(
    mode: PushMode, *, missing: bool = False, push_is_silent: bool = False
) -> FolderState:
    return FolderState(push_mode=mode, missing=missing, push_is_silent=push_is_silent)


@pytest.mark.parametrize(
    ("options", "quirks", "capabilities", "state", "text"),
    [
        ({}, {}, set(), _state(PushMode.OFF), "off: not connected"),
        (
            {},
            {},
            BOTH,
            _state(PushMode.OFF, missing=True),
            "off: the folder is missing",
        ),
        ({}, {}, BOTH, _state(PushMode.NOTIFY), "notify: offered and allowed"),
        (
            {"notify": False},
            {},
            BOTH,
            _state(PushMode.IDLE),
            "idle: NOTIFY option off",
        ),
        ({}, {}, {"IDLE"}, _state(PushMode.IDLE), "idle: NOTIFY not offered"),
        (
            {},
            {},
            BOTH,
            _state(PushMode.IDLE, push_is_silent=True),
            "idle: NOTIFY offered but silent",
        ),
        (
            {},
            {},
            {"IDLE"},
            _state(PushMode.POLL, push_is_silent=True),
            "poll: IDLE offered but silent",
        ),
        (
            {},
            {},
            {"IDLE"},
            _state(PushMode.POLL),
            "poll: IDLE offered, but no connection to spare for this folder",
        ),
        ({"push": False}, {}, BOTH, _state(PushMode.POLL), "poll: push option off"),
        (
            {},
            {"idle_is_deaf": True},
            BOTH,
            _state(PushMode.POLL),
            "poll: quirk idle_is_deaf",
        ),
        ({}, {}, {"NOTIFY"}, _state(PushMode.POLL), "poll: IDLE not offered"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_explanation(
    options: dict[str, bool],
    quirks: dict[str, bool],
    capabilities: set[str],
    state: FolderState,
    text: str,
) -> None:
    """The text has the mode and the reason why it is not a better one."""
    assert (
        explain_push(
            WatchOptions(**options),  # type: ignore[arg-type]
            Quirks(**quirks),
            frozenset(capabilities),
            state,
        )
        == text
    )


@pytest.mark.parametrize("push", [True, False])
@pytest.mark.parametrize("notify", [True, False])
@pytest.mark.parametrize("deaf", [True, False])
@pytest.mark.parametrize("capabilities", [set(), {"IDLE"}, {"NOTIFY"}, BOTH])
async def test_explanation_agrees_with_the_chooser(
    push: bool, notify: bool, deaf: bool, capabilities: set[str]
) -> None:
    """The reason is silence or a missing connection only if StrategyChooser says so."""
    options = WatchOptions(push=push, notify=notify)
    quirks = Quirks(idle_is_deaf=deaf)
    offered = frozenset(capabilities)
    mode = StrategyChooser(options, quirks).best(offered).mode
    text = explain_push(options, quirks, offered, _state(mode))
    assert text.startswith(mode)
    assert "silent" not in text
    assert "spare" not in text
