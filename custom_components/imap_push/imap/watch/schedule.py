"""Why, and when, folders have to be looked at again."""

import asyncio
import math
from typing import Final

from ..wire.unsolicited import Unsolicited

# Seconds between rounds that changed flags ask for, or news that turn out to be none.
PACE: Final = 0.5
# Rounds in a row that found nothing though there was a reason to look, until they are paced.
MAX_FRUITLESS: Final = 3


class SyncSchedule:
    """Why the next round is due, and when; all times are the loop's."""

    def __init__(self) -> None:
        """Start with every reason: nothing is known."""
        self._loop = asyncio.get_running_loop()
        self._swept_at = -math.inf
        self._changed_at = math.inf  # of the first news since the last round
        self.growth = 0  # messages more, as far as the server has told
        self._was_pushed = False
        self._fruitless = 0
        # A peek, which asks for UIDs only, is not enough.
        self.must_sweep = True

    @property
    def has_news(self) -> bool:
        """Return if the open folder has changed since the last round."""
        return self._changed_at < math.inf

    @property
    def expects_mail(self) -> bool:
        """Return if there is mail to be fetched, as far as one can tell."""
        return self.must_sweep or (self.growth > 0 and not self._was_pushed)

    @property
    def is_paced(self) -> bool:
        """Return if news turned out to be none again and again."""
        return self._fruitless >= MAX_FRUITLESS

    @property
    def paced_at(self) -> float:
        """Return when the next round may come that is not urgent."""
        return self._swept_at + PACE

    def hear(self, news: Unsolicited) -> None:
        """Take what the server told of the open folder."""
        if news.changed:
            self._changed_at = min(self._changed_at, self._loop.time())
            self.growth += news.grown

    def pushed(self) -> None:
        """Note that the mail itself came with the news."""
        self._was_pushed = True

    def begin(self) -> bool:
        """Begin a round, which answers all reasons so far; return if growth was one."""
        has_grown = self.growth > 0
        self._changed_at = math.inf
        self.growth = 0
        self._was_pushed = self.must_sweep = False
        return has_grown

    def end(self, *, found: int, had_reason: bool) -> None:
        """End a round."""
        self._swept_at = self._loop.time()
        self._fruitless = 0 if found else self._fruitless + had_reason

    def due_at(self, *, brings_mail: bool) -> float:
        """Return when the news so far are to be looked into; `brings_mail`: NOTIFY does."""
        if not self.has_news:
            return math.inf
        if brings_mail:
            # The mail itself has come or is about to: this is for what was passed over.
            return self._changed_at + PACE
        return -math.inf if self.growth and not self.is_paced else self.paced_at
