"""When the next sync cycle of the selected folder is due."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from enum import Enum, auto
import math
from typing import Final

from ..limits import doubled

# Seconds between two cycles that are not urgent, for example after changed flags.
CYCLE_INTERVAL_SECONDS: Final = 0.5
# Consecutive cycles that found nothing. After these, the interval doubles with each cycle: some
# servers report a change whenever IDLE begins.
MAX_EMPTY_CYCLES: Final = 3
MAX_INTERVAL_SECONDS: Final = 60.0


class Reason(Enum):
    """Why a cycle is started."""

    MAIL = auto()  # the server announced new messages in the selected folder
    FOLDER = auto()  # a folder is due
    CHANGE = auto()  # another change of the selected folder


class SyncSchedule:
    """Decides when the changes of the selected folder are synced. Times are of the event loop."""

    def __init__(self) -> None:
        """Start without changes."""
        self._loop = asyncio.get_running_loop()
        self._cycle_ended_at = -math.inf
        self._changed_at = math.inf  # the first change since the last cycle
        self._empty: Counter[Reason] = (
            Counter()
        )  # consecutive cycles that found nothing

    @property
    def has_changes(self) -> bool:
        """Return whether the selected folder has changed since the last cycle."""
        return self._changed_at < math.inf

    def record_change(self) -> None:
        """Record that the selected folder has changed."""
        self._changed_at = min(self._changed_at, self._loop.time())

    def begin_cycle(self) -> bool:
        """Forget the changes, as a cycle begins; return whether there were any."""
        had_changes, self._changed_at = self.has_changes, math.inf
        return had_changes

    def record_found(self) -> None:
        """Record that a cycle or a push found new messages, or other numbers of messages."""
        self._cycle_ended_at = self._loop.time()
        self._empty.clear()

    def record_empty(self, reasons: Iterable[Reason]) -> None:
        """Record a cycle that had these reasons but found nothing."""
        self._cycle_ended_at = self._loop.time()
        self._empty.update(reasons)

    def due_at(self, *, has_growth: bool, is_mail_pushed: bool) -> float:
        """Return when the next cycle is due, infinity if nothing has changed.

        `is_mail_pushed`: NOTIFY brings the mail, so a cycle only finds what NOTIFY left out.
        """
        if not self.has_changes:
            return math.inf
        reason = Reason.MAIL if has_growth else Reason.CHANGE
        if is_mail_pushed and not self._empty[reason]:
            return self._changed_at + CYCLE_INTERVAL_SECONDS
        return self.not_before(reason)

    def not_before(self, reason: Reason) -> float:
        """Return the earliest time of the next cycle for a reason."""
        excess = self._empty[reason] - MAX_EMPTY_CYCLES
        if reason is not Reason.CHANGE and excess < 0:
            return -math.inf
        times = max(excess, 0)
        interval = doubled(CYCLE_INTERVAL_SECONDS, times, MAX_INTERVAL_SECONDS)
        return self._cycle_ended_at + interval
