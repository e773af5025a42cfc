"""When the next sync cycle of the selected folder is due."""

import asyncio
import math
from typing import Final

# Seconds between two cycles that are not urgent, for example after changed flags.
CYCLE_INTERVAL_SECONDS: Final = 0.5
# Consecutive cycles that found nothing. After these, the interval doubles with each cycle: some
# servers report a change whenever IDLE begins.
MAX_EMPTY_CYCLES: Final = 3
MAX_INTERVAL_SECONDS: Final = 60.0


class SyncSchedule:
    """Decides when the changes of the selected folder are synced. Times are of the event loop."""

    def __init__(self) -> None:
        """Start without changes."""
        self._loop = asyncio.get_running_loop()
        self._cycle_ended_at = -math.inf
        self._changed_at = math.inf  # the first change since the last cycle
        # Consecutive cycles that found nothing, after growth and after other changes.
        self._empty = {True: 0, False: 0}

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

    def end_cycle(self) -> None:
        """Record the end of a cycle."""
        self._cycle_ended_at = self._loop.time()

    def record_found(self) -> None:
        """Record that there were new messages, or other numbers of messages."""
        self._empty = {True: 0, False: 0}

    def record_empty(self, *, had_growth: bool) -> None:
        """Record a cycle that had a reason but found nothing; `had_growth`: mail was expected."""
        self._empty[had_growth] += 1

    def due_at(self, *, has_growth: bool, is_mail_pushed: bool) -> float:
        """Return when the next cycle is due, infinity if nothing has changed.

        `is_mail_pushed`: NOTIFY brings the mail, so a cycle only finds what NOTIFY left out.
        """
        if not self.has_changes:
            return math.inf
        if is_mail_pushed and not self._empty[has_growth]:
            return self._changed_at + CYCLE_INTERVAL_SECONDS
        return self.not_before(is_urgent=has_growth)

    def not_before(self, *, is_urgent: bool) -> float:
        """Return the earliest time of the next cycle; `is_urgent`: new mail is expected."""
        excess = self._empty[is_urgent] - MAX_EMPTY_CYCLES
        if is_urgent and excess < 0:
            return -math.inf
        interval = CYCLE_INTERVAL_SECONDS * 2.0 ** min(max(excess, 0), 16)
        return self._cycle_ended_at + min(interval, MAX_INTERVAL_SECONDS)
