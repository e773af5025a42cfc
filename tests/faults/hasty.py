"""The engine in a hurry: what lasts minutes lasts a moment, so that a minute is a day."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Final

import pytest

from custom_components.imap_push.imap.auth import login_limiter as logins
from custom_components.imap_push.imap.auth.login_limiter import Backoff
from custom_components.imap_push.imap.session import sync
from custom_components.imap_push.imap.watch import (
    folder,
    schedule as reasons,
    wait_strategy as push,
)
from custom_components.imap_push.imap.wire import (
    command,
    connection,
    protocol,
    tcp as dial,
)

# All that is hurried, and the seconds that it lasts. What moves in the engine is moved here.
HURRIED: Final[tuple[tuple[ModuleType, str, float], ...]] = (
    (connection, "TLS_DEADLINE_SECONDS", 0.5),
    (connection, "GREETING_DEADLINE_SECONDS", 0.3),
    (connection, "DONE_DEADLINE_SECONDS", 0.3),
    (connection, "LOGOUT_DEADLINE_SECONDS", 0.1),
    (logins, "LOGIN_INTERVAL_SECONDS", 0.001),
    (logins, "REFUSAL_PAUSE_SECONDS", 0.1),
    (dial, "CONNECT_DEADLINE_SECONDS", 0.5),
    (dial, "RETRY_PAUSE_SECONDS", 0.02),
    (dial, "RETRY_DEADLINE_SECONDS", 0.5),
    (folder, "RETRY_PAUSE_SECONDS", 0.05),
    (protocol, "COMMAND_LIMIT_SECONDS", 3.0),
    # Dovecot tells of new mail half a second late: a shorter IDLE would find it silent.
    (push, "IDLE_FIRST_SECONDS", 0.6),
    (push, "IDLE_GROWTH", 1.0),
    (push, "SILENT_SECONDS", 1.0),
    (reasons, "CYCLE_INTERVAL_SECONDS", 0.05),
    # Not a time: the mails of one FETCH, so that an outage leaves more than one to be made.
    (sync, "BATCH", 3),
)
COMMAND_DEADLINE: Final = 0.3
BACKOFF: Final = 0.01


@contextmanager
def hasty() -> Iterator[None]:
    """Let the engine wait for a small part of the usual time."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in HURRIED:
            patch.setattr(module, name, value)
        patch.setattr(
            command.Command.__init__, "__defaults__", _hurried_command_defaults()
        )
        patch.setattr(Backoff, "delay", lambda *_: BACKOFF)
        yield


def _hurried_command_defaults() -> tuple[object, ...]:
    """Return the defaults of a command: its deadline is bound where the class is made."""
    defaults = command.Command.__init__.__defaults__
    assert defaults is not None
    usual = command.COMMAND_DEADLINE_SECONDS
    return tuple(COMMAND_DEADLINE if value == usual else value for value in defaults)
