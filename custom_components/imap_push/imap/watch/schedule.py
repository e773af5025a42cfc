"""When the next sync cycle of the selected folder is due."""

import asyncio
from collections import Counter
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
        self._ended_at = -math.inf  # the last cycle
        self._changed_at = math.inf  # the first change since the last cycle
        self._reasons: set[Reason] = set()  # for the last cycle
        self._empty = Counter[Reason]()  # consecutive cycles that found nothing

    @property
    def has_changes(self) -> bool:
        """Return whether the selected folder has changed since the last cycle."""
        return self._changed_at < math.inf

    def record_change(self) -> None:
        """Record that the selected folder has changed."""
        self._changed_at = min(self._changed_at, self._loop.time())

    def begin_cycle(self, *, has_growth: bool, is_due: bool) -> bool:
        """Record why a cycle begins; return whether the selected folder has changed."""
        has_changes = has_growth or self._changed_at < math.inf
        self._changed_at = math.inf
        reasons = {
            Reason.MAIL: has_growth,
            Reason.FOLDER: is_due,
            Reason.CHANGE: has_changes and not has_growth,
        }
        self._reasons = {reason for reason, is_one in reasons.items() if is_one}
        return has_changes

    def end_cycle(self, *, found: bool) -> None:
        """Record whether a cycle or a push found new messages, or other numbers of messages."""
        self._ended_at = self._loop.time()
        if found:
            self._empty.clear()
        else:
            self._empty.update(self._reasons)

    def due_at(self, *, has_growth: bool, is_mail_pushed: bool) -> float:
        """Return when the next cycle is due, infinity if nothing has changed.

        `is_mail_pushed`: NOTIFY brings the mail, so a cycle only finds what NOTIFY left out.
        """
        if self._changed_at == math.inf:
            return math.inf
        reason = Reason.MAIL if has_growth else Reason.CHANGE
        if is_mail_pushed and not self._empty[reason]:
            return self._changed_at + CYCLE_INTERVAL_SECONDS
        return self.not_before(reason)

    @property
    def restart_at(self) -> float:
        """Return the earliest time of a cycle that only begins IDLE again."""
        return max(map(self.not_before, self._empty), default=-math.inf)

    def not_before(self, reason: Reason) -> float:
        """Return the earliest time of the next cycle for a reason."""
        excess = self._empty[reason] - MAX_EMPTY_CYCLES
        if reason is not Reason.CHANGE and excess < 0:
            return -math.inf
        pause = doubled(CYCLE_INTERVAL_SECONDS, max(excess, 0), MAX_INTERVAL_SECONDS)
        return self._ended_at + pause
