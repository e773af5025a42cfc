"""How to wait for new mail: NOTIFY, IDLE or polling, and which of them to use.

IDLE (RFC 2177). It announces changes of the selected folder only. DONE, FETCH and the next IDLE
are sent in one write, so a message arrives one round trip after EXISTS:

    S: * 42 EXISTS                        a message arrived
    C: DONE
    C: a7 UID FETCH 1007:* (UID ...)      from the mark on
    C: a8 UID SEARCH RETURN (COUNT) UNSEEN
    C: a9 IDLE
    S: a6 OK Idle completed
    S: * 42 FETCH (UID 1007 ...)
    S: a7 OK Fetch completed
       ...
    S: + idling

NOTIFY (RFC 5465): see `session/notify.py`. IDLE is sent, too, so that the server reports changes at once.

Push is not trusted: a mode that misses new mail, is refused, or breaks the connection again and
again is not used for an hour. IDLE takes the place of NOTIFY, and polling that of IDLE.
"""

import asyncio
from collections import Counter
import logging
from typing import Final, NamedTuple

from ..models import PushMode, WatchOptions
from ..push_mode import announces_mail
from ..quirks import Quirks

_LOGGER = logging.getLogger(__name__)

# A missed message or a lost connection shortens the refresh interval, but not below this: a
# refresh is four commands.
MIN_REFRESH_SECONDS: Final = 30.0
# Consecutive failures before a push mode is not used: syncs that found unannounced mail, or
# sessions in which no IDLE lasted MIN_IDLE_SECONDS and was ended by us.
MAX_FAILURES: Final = 3
MIN_IDLE_SECONDS: Final = 10.0
# The ages of two lost sessions are similar if they differ by less than this, or than a fifth.
SIMILAR_SECONDS: Final = 5.0
# How long a push mode that failed is not used.
SILENT_SECONDS: Final = 3600.0

WORST_FIRST: Final = (PushMode.POLL, PushMode.IDLE, PushMode.NOTIFY)


class WaitStrategy(NamedTuple):
    """A way to wait, at most `seconds`. IDLE is sent unless `mode` is POLL."""

    mode: PushMode
    seconds: float


class StrategyChooser:
    """Chooses the best way to wait that server and options allow and that has not failed."""

    def __init__(self, options: WatchOptions, quirks: Quirks) -> None:
        """Choose for a server with these quirks."""
        self._options = options
        self._quirks = quirks
        self._refresh = quirks.idle_refresh
        self._misses: Counter[PushMode] = Counter()
        self._losses: Counter[PushMode] = Counter()
        self._dropped_after: dict[PushMode, float] = {}  # seconds of IDLE
        self._silent_until: dict[PushMode, float] = {}  # times of the event loop

    @property
    def is_silent(self) -> bool:
        """Return whether a push mode is not used because it failed."""
        return bool(self._silent())

    def best(self, capabilities: frozenset[str]) -> WaitStrategy:
        """Return the best strategy at the moment."""
        options, silent = self._options, self._silent()
        if announces_mail(options, self._quirks, capabilities):
            notifies = "NOTIFY" in capabilities and options.notify
            if notifies and PushMode.NOTIFY not in silent:
                return WaitStrategy(PushMode.NOTIFY, self._refresh)
            if PushMode.IDLE not in silent:
                return WaitStrategy(PushMode.IDLE, self._refresh)
        return WaitStrategy(PushMode.POLL, options.poll_interval)

    def record_sync(self, mode: PushMode, *, announced: bool) -> None:
        """Record that a sync found new mail, and whether the server had announced it."""
        if announced:
            self._misses[mode] = 0
        else:
            self._shorten(self._refresh / 2)
            self.record_miss(mode)

    def record_miss(self, mode: PushMode) -> None:
        """Record that mail was not announced, or that the server ended IDLE too early."""
        self._misses[mode] += 1
        if self._misses[mode] >= MAX_FAILURES:
            self.record_refused(mode)

    def record_idle(self, mode: PushMode, age: float) -> None:
        """Record that an IDLE lasted so many seconds and was ended by us."""
        # A shorter IDLE does not show that the server no longer disconnects at a certain age.
        if age > self._dropped_after.get(mode, 0.0):
            self._losses[mode] = 0

    def record_drop(self, mode: PushMode, age: float) -> None:
        """Record that the connection ended in IDLE after more seconds than any that we ended.

        Some servers disconnect at a certain age. A bad network does so at any age.
        """
        before = self._dropped_after.get(mode, age)
        self._dropped_after[mode] = age
        if abs(age - before) > max(SIMILAR_SECONDS, age / 5):
            self._losses[mode] = 0
        self.record_loss(mode, age)

    def record_loss(self, mode: PushMode, age: float) -> None:
        """Record that the server did not answer, so many seconds after IDLE was sent."""
        self._losses[mode] += 1
        # Below, an IDLE of MIN_REFRESH_SECONDS would not be completed either.
        if self._losses[mode] > 1 and age > MIN_REFRESH_SECONDS:
            self._shorten(age * 0.75)
        if self._losses[mode] >= MAX_FAILURES:
            self._losses[mode] = MAX_FAILURES - 1  # The next one is enough.
            self.record_refused(mode)

    def record_refused(self, mode: PushMode) -> None:
        """Do not use a push mode for an hour: it was refused, or failed too often."""
        if mode is PushMode.POLL:
            return
        self._misses[mode] = 0
        now = asyncio.get_running_loop().time()
        self._silent_until[mode] = now + SILENT_SECONDS
        message = "%s does not work on this server; it is tried again in an hour"
        _LOGGER.warning(message, mode.upper())

    def _shorten(self, seconds: float) -> None:
        self._refresh = min(self._refresh, max(seconds, MIN_REFRESH_SECONDS))

    def _silent(self) -> set[PushMode]:
        now = asyncio.get_running_loop().time()
        return {mode for mode, until in self._silent_until.items() if now < until}
