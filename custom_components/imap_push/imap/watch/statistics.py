"""What a watcher has done so far, in numbers: nothing of a server's or a mail's words."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from ..wire.command import Command


@dataclass(slots=True)
class Durations:
    """How often something was done, and the seconds that it took."""

    count: int = 0
    last: float = 0.0
    longest: float = 0.0
    total: float = 0.0

    @property
    def mean(self) -> float:
        """Return the seconds that it took on average."""
        return self.total / self.count if self.count else 0.0

    def measure(self, command: Command) -> None:
        """Note how long it takes until a command is done well."""

        def note(_: object) -> None:
            if command.is_complete:
                self.took(asyncio.get_running_loop().time() - command.started)

        command.completed.add_done_callback(note)

    def took(self, seconds: float) -> None:
        """Note that it was done once more."""
        self.count += 1
        self.last = seconds
        self.longest = max(self.longest, seconds)
        self.total += seconds


@dataclass(slots=True)
class Statistics:
    """What a watcher has done so far.

    `mails` are those delivered, `sweeps` the round trips that looked for them. `sessions` are
    those that logged in; `losses` tells, by the error's class, why sessions ended or did not
    come about.
    """

    mails: int = 0
    sessions: int = 0
    losses: Counter[str] = field(default_factory=Counter)
    sweeps: Durations = field(default_factory=Durations)
