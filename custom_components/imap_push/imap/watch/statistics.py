"""Counters and durations of a watcher. They contain no text of a server or a message."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from ..wire.command import Command


@dataclass(slots=True)
class Durations:
    """How often something was done, and how many seconds it took."""

    count: int = 0
    last: float = 0.0
    longest: float = 0.0
    total: float = 0.0

    def as_dict(self) -> dict[str, float | None]:
        """Return count, last, mean and longest duration, for diagnostics."""
        if not self.count:
            return {"count": 0, "last": None, "mean": None, "max": None}
        return {
            "count": self.count,
            "last": round(self.last, 3),
            "mean": round(self.total / self.count, 3),
            "max": round(self.longest, 3),
        }

    def measure(self, command: Command) -> None:
        """Add the duration of a command when its tagged OK arrives."""

        def add_if_complete(_: object) -> None:
            if command.is_complete:
                self.add(asyncio.get_running_loop().time() - command.started)

        command.completed.add_done_callback(add_if_complete)

    def add(self, seconds: float) -> None:
        """Add one duration."""
        self.count += 1
        self.last = seconds
        self.longest = max(self.longest, seconds)
        self.total += seconds


@dataclass(slots=True)
class Statistics:
    """What a watcher has done since it was created.

    `mails` counts delivered messages. `syncs` has the durations of the FETCH commands that look
    for new messages. `sessions` counts successful logins. `losses` counts, by class of the
    error, why a session ended or could not be opened.
    """

    mails: int = 0
    sessions: int = 0
    losses: Counter[str] = field(default_factory=Counter)
    syncs: Durations = field(default_factory=Durations)
