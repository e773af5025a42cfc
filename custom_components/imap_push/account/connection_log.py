"""A log of an account's connection, of limited size, for diagnostics."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from homeassistant.util import dt as dt_util

from ..imap import AccountState, Arrival, Durations, FolderState

MAX_CHANGES: Final = 50


class Change(NamedTuple):
    """A state of an account from the time `at` on; `folders` has the order of AccountState."""

    at: datetime
    connected: bool
    push_mode: str
    error: str | None
    folders: tuple[str, ...]


@dataclass(slots=True)
class ConnectionLog:
    """The last changes of an account's state, and counters since the account was loaded."""

    changes: list[Change] = field(default_factory=list)
    connects: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    mails: Counter[str] = field(default_factory=Counter)
    # Seconds from INTERNALDATE (whole seconds) to the delivery of the mail.
    latencies: Durations = field(default_factory=Durations)

    def record_state(self, state: AccountState) -> None:
        """Record a state if a recorded field has changed."""
        change = Change(
            at=dt_util.utcnow(),
            connected=state.connected,
            push_mode=state.push_mode.value,
            error=type(state.error).__name__ if state.error else None,
            folders=tuple(map(_describe_folder, state.folders.values())),
        )
        last = self.changes[-1] if self.changes else None
        if last is not None and change._replace(at=last.at) == last:
            return
        self.changes = [*self.changes[1 - MAX_CHANGES :], change]
        was_connected = last is not None and last.connected
        self.connects += change.connected and not was_connected
        if change.error and (last is None or change.error != last.error):
            self.reasons[change.error] += 1

    def record_mail(self, arrival: Arrival) -> None:
        """Count a mail. Record its latency, unless it arrived while the account was not watched."""
        if arrival.catch_up:
            self.mails["catch_up"] += 1
            return
        self.mails[arrival.push.value] += 1
        if (received := arrival.mail.received) is not None:
            self.latencies.add((dt_util.utcnow() - received).total_seconds())

    def as_dict(self) -> dict[str, Any]:
        """Return the log for diagnostics, without any text of the server or the user."""
        return {
            "reconnects": max(0, self.connects - 1),
            "reasons": dict(self.reasons),
            "mails": dict(self.mails),
            "latencies_in_seconds": self.latencies.as_dict(),
            "changes": [
                {
                    "at": change.at.isoformat(),
                    "connected": change.connected,
                    "push_mode": change.push_mode,
                    "error": change.error,
                    "folders": list(change.folders),
                }
                for change in self.changes
            ],
        }


def _describe_folder(state: FolderState) -> str:
    """Return "missing", an error, or the push mode ("off" if unavailable) and if it is silent."""
    if state.missing:
        return "missing"
    if state.error is not None:
        return type(state.error).__name__
    mode = state.push_mode.value if state.available else "off"
    return f"{mode}, push is silent" if state.push_is_silent else mode
