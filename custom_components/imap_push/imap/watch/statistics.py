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

    @property
    def mean(self) -> float:
        """Return the mean duration in seconds, 0 if there is none."""
        return self.total / self.count if self.count else 0.0

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
