"""When the next sync cycle is due, and why."""

import asyncio
import math
from typing import Final

from ..wire.unsolicited import Unsolicited

# Seconds between two cycles that are not urgent: after changed flags, or if cycles were empty.
CYCLE_INTERVAL_SECONDS: Final = 0.5
# Consecutive cycles with a reason that found no mail. After these, cycles are rate limited.
MAX_EMPTY_CYCLES: Final = 3


class SyncSchedule:
    """Collects the reasons for the next sync cycle. All times are those of the event loop."""

    def __init__(self) -> None:
        """Start with a full sync: nothing is known yet."""
        self._loop = asyncio.get_running_loop()
        self._cycle_ended_at = -math.inf
        self._changed_at = math.inf  # the first change since the last cycle
        self.growth = 0  # messages added since the last cycle, according to EXISTS
        self._was_pushed = False
        self._empty_cycles = 0
        # A UID check, which requests UIDs only, is not sufficient.
        self.needs_full_sync = True

    @property
    def has_changes(self) -> bool:
        """Return whether the selected folder has changed since the last cycle."""
        return self._changed_at < math.inf

    @property
    def expects_mail(self) -> bool:
        """Return whether there is probably new mail to fetch."""
        return self.needs_full_sync or (self.growth > 0 and not self._was_pushed)

    @property
    def is_rate_limited(self) -> bool:
        """Return whether too many cycles in a row had a reason but found no mail."""
        return self._empty_cycles >= MAX_EMPTY_CYCLES

    @property
    def rate_limited_until(self) -> float:
        """Return when a cycle that is not urgent may start."""
        return self._cycle_ended_at + CYCLE_INTERVAL_SECONDS

    def record(self, unsolicited: Unsolicited) -> None:
        """Record unsolicited responses about the selected folder."""
        if unsolicited.changed:
            self._changed_at = min(self._changed_at, self._loop.time())
            self.growth += unsolicited.grown

    def mark_pushed(self) -> None:
        """Record that NOTIFY already brought the new mail."""
        self._was_pushed = True

    def begin_cycle(self) -> bool:
        """Clear all reasons; return whether the selected folder had grown."""
        has_grown = self.growth > 0
        self._changed_at = math.inf
        self.growth = 0
        self._was_pushed = self.needs_full_sync = False
        return has_grown

    def end_cycle(self, *, found: int, had_reason: bool) -> None:
        """Record the number of new messages and whether there was a reason to expect any."""
        self._cycle_ended_at = self._loop.time()
        self._empty_cycles = 0 if found else self._empty_cycles + had_reason

    def due_at(self, *, is_mail_pushed: bool) -> float:
        """Return when the next cycle is due, infinity if nothing has changed.

        `is_mail_pushed`: NOTIFY brings the mail, so a cycle only finds what NOTIFY left out.
        """
        if not self.has_changes:
            return math.inf
        if is_mail_pushed:
            return self._changed_at + CYCLE_INTERVAL_SECONDS
        is_urgent = self.growth and not self.is_rate_limited
        return -math.inf if is_urgent else self.rate_limited_until
