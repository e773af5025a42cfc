"""A listener that records all calls."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from custom_components.imap_push.imap import AccountState, AccountWatcher, Arrival, Mark

DEADLINE = 5.0  # seconds


@dataclass
class Recorder:
    """A listener that records all calls."""

    arrivals: list[Arrival] = field(default_factory=list)
    states: list[AccountState] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    alerts: list[str] = field(default_factory=list)
    refused: int = 0
    errors: int = 0  # how many of the next calls are to fail
    moved: list[str] = field(default_factory=list)  # folders whose mark moved

    watcher: AccountWatcher = field(init=False)  # that calls this listener

    def state_changed(self, state: AccountState) -> None:
        """Record the state."""
        self.states.append(state)
        self._fail()

    async def mail_arrived(self, arrival: Arrival) -> None:
        """Record the arrival."""
        self.arrivals.append(arrival)
        self._fail()

    def mark_moved(self, folder: str, mark: Mark) -> None:
        """Record the mark."""
        self.marks.append(mark)
        self.moved.append(folder)

    def alerted(self, text: str) -> None:
        """Record the alert."""
        self.alerts.append(text)

    def login_refused(self) -> None:
        """Count the call."""
        self.refused += 1
        self._fail()

    @property
    def uids(self) -> list[int]:
        """Return the UIDs that arrived, in order."""
        return [arrival.mail.uid for arrival in self.arrivals]

    @property
    def uids_by_folder(self) -> dict[str, list[int]]:
        """Return the UIDs that arrived, in order, by folder."""
        uids: dict[str, list[int]] = {}
        for arrival in self.arrivals:
            uids.setdefault(arrival.mail.folder, []).append(arrival.mail.uid)
        return uids

    @property
    def state(self) -> AccountState:
        """Return the latest state."""
        return self.states[-1]

    async def until(
        self, condition: Callable[[], object], seconds: float = DEADLINE
    ) -> None:
        """Wait until a condition is true; raise TimeoutError after so many seconds."""
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.005)

    def _fail(self) -> None:
        if self.errors:
            self.errors -= 1
            raise RuntimeError("a listener's own error")
