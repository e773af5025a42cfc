"""Short timeouts for the engine, so that a minute of a test covers hours of operation."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Final

import pytest

from custom_components.imap_push.imap.auth import login_limiter
from custom_components.imap_push.imap.auth.login_limiter import Backoff
from custom_components.imap_push.imap.quirks import Quirks
from custom_components.imap_push.imap.session import sync
from custom_components.imap_push.imap.watch import (
    folder,
    folder_loop,
    schedule,
    supervisor,
    wait_strategy,
)
from custom_components.imap_push.imap.wire import command, connection, protocol, tcp

# Dovecot announces new mail half a second late. A shorter IDLE would count as silent push.
REFRESH: Final = 0.6

# Module, constant and its value during a test, in seconds. Keep this list in step with the engine.
SHORTENED: Final[tuple[tuple[ModuleType, str, object], ...]] = (
    (connection, "TLS_DEADLINE_SECONDS", 0.5),
    (connection, "GREETING_DEADLINE_SECONDS", 0.3),
    (connection, "DONE_DEADLINE_SECONDS", 0.3),
    (connection, "LOGOUT_DEADLINE_SECONDS", 0.1),
    (login_limiter, "LOGIN_INTERVAL_SECONDS", 0.001),
    (login_limiter, "REFUSAL_PAUSE_SECONDS", 0.1),
    (tcp, "CONNECT_DEADLINE_SECONDS", 0.5),
    (tcp, "RETRY_PAUSE_SECONDS", 0.02),
    (tcp, "RETRY_DEADLINE_SECONDS", 0.5),
    (folder, "REFUSED_PAUSE_SECONDS", 0.05),
    (folder, "LOST_PAUSE_SECONDS", 0.05),
    (folder, "UNSHOWN_PAUSES", (0.0, 0.05, 0.1)),
    (protocol, "COMMAND_LIMIT_SECONDS", 3.0),
    (folder_loop, "MIN_IDLE_SECONDS", 0.1),
    (supervisor, "quirks_of", lambda _: Quirks(idle_refresh=REFRESH)),
    (wait_strategy, "SILENT_SECONDS", 1.0),
    (schedule, "CYCLE_INTERVAL_SECONDS", 0.05),
    # Mails per FETCH, not a time: small, so that more than one FETCH follows an outage.
    (sync, "BATCH", 3),
)
COMMAND_DEADLINE: Final = 0.3
BACKOFF: Final = 0.01


@contextmanager
def short_timeouts() -> Iterator[None]:
    """Shorten the timeouts and pauses of the engine."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name, value in SHORTENED:
            patch.setattr(module, name, value)
        patch.setattr(
            command.Command.__init__, "__defaults__", _shortened_command_defaults()
        )
        patch.setattr(Backoff, "delay", lambda *_: BACKOFF)
        yield


def _shortened_command_defaults() -> tuple[object, ...]:
    """Return the defaults of Command, which bind the deadline when the class is defined."""
    defaults = command.Command.__init__.__defaults__
    assert defaults is not None
    normal = command.COMMAND_DEADLINE_SECONDS
    return tuple(COMMAND_DEADLINE if value == normal else value for value in defaults)
