"""A listener that keeps all it is told."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from custom_components.imap_push.imap import AccountState, AccountWatcher, Arrival, Mark

DEADLINE = 5.0  # seconds


@dataclass
class Recorder:
    """A listener that keeps all it is told."""

    arrivals: list[Arrival] = field(default_factory=list)
    states: list[AccountState] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    refused: int = 0
    serial: int = 0
    errors: int = 0  # how many of the next calls are to fail
    moved: list[str] = field(default_factory=list)  # folders whose mark moved

    watcher: AccountWatcher = field(init=False)  # who tells it all

    def state_changed(self, state: AccountState) -> None:
        """Keep."""
        self.states.append(state)
        self._fail()

    async def mail_arrived(self, arrival: Arrival) -> None:
        """Keep."""
        self.arrivals.append(arrival)
        self._fail()

    def mark_moved(self, folder: str, mark: Mark) -> None:
        """Keep."""
        self.marks.append(mark)
        self.moved.append(folder)

    def alerted(self, text: str) -> None:
        """Keep."""
        self.alerts.append(text)

    def pipelining_failed(self) -> None:
        """Count."""
        self.serial += 1

    def login_refused(self) -> None:
        """Count."""
        self.refused += 1
        self._fail()

    @property
    def uids(self) -> list[int]:
        """Return the UIDs that arrived, in order."""
        return [arrival.mail.uid for arrival in self.arrivals]

    @property
    def told(self) -> dict[str, list[int]]:
        """Return the UIDs that arrived, in order, by folder."""
        told: dict[str, list[int]] = {}
        for arrival in self.arrivals:
            told.setdefault(arrival.mail.folder, []).append(arrival.mail.uid)
        return told

    @property
    def state(self) -> AccountState:
        """Return the last state."""
        return self.states[-1]

    async def until(
        self, condition: Callable[[], object], seconds: float = DEADLINE
    ) -> None:
        """Wait until a condition holds."""
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.005)

    def _fail(self) -> None:
        if self.errors:
            self.errors -= 1
            raise RuntimeError("a listener's own error")
