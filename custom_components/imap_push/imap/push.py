"""The ways to wait for new mail."""

from typing import ClassVar, Final, Protocol, override

from .errors import CommandRefused
from .models import PushMode
from .session import Session

# Seconds of the first IDLE after news. Some servers (pymap is one) never announce what came
# between the last command and IDLE; each IDLE without news makes the next one longer.
IDLE_FIRST: Final = 2.0
IDLE_GROWTH: Final = 4.0
# Seconds that a shortened refresh has at the least.
IDLE_SHORTEST: Final = 30.0
# Sweeps in a row that found mail which IDLE did not announce, until IDLE counts as silent.
MAX_MISSES: Final = 3
# Seconds until a silent IDLE is tried again.
SILENCE: Final = 3600.0


class Push(Protocol):
    """A way to wait."""

    mode: ClassVar[PushMode]

    async def wait(self, session: Session) -> None:
        """Return when a sweep is due; raise what ended the connection."""


class Idle(Push):
    """The server announces changes while IDLE is under way (RFC 2177).

    IDLE is left and begun again after `refresh` seconds, with a sweep between: that bounds how
    long a link that died unseen stays unnoticed. A refresh of up to 29 minutes is allowed.
    """

    mode = PushMode.IDLE

    def __init__(self, refresh: float) -> None:
        """Start with a short IDLE."""
        self._refresh = refresh
        self._seconds = IDLE_FIRST
        self._announced = True
        self._misses = 0

    @property
    def is_silent(self) -> bool:
        """Return if mail keeps coming that IDLE does not announce."""
        return self._misses >= MAX_MISSES

    @override
    async def wait(self, session: Session) -> None:
        """Wait until the server announces something, or a refresh is due."""
        try:
            self._announced = await session.idle(min(self._seconds, self._refresh))
        except CommandRefused:
            self._misses = MAX_MISSES
            return
        grown = min(self._seconds * IDLE_GROWTH, self._refresh)
        self._seconds = IDLE_FIRST if self._announced else grown

    def learn(self, found: int) -> None:
        """Learn from how many mails the sweep after an IDLE found."""
        if not found:
            return
        if self._announced:
            self._misses = 0
            return
        self._misses += 1
        self._refresh = max(self._refresh / 2, IDLE_SHORTEST)


class Poll(Push):
    """The folder is looked at afresh every `interval` seconds."""

    mode = PushMode.POLL

    def __init__(self, interval: float) -> None:
        """Look that often."""
        self._interval = interval

    @override
    async def wait(self, session: Session) -> None:
        """Wait for the interval, or until the server tells of a change unasked."""
        await session.pause(self._interval)
        # NOOP does not show new mail on every server; EXAMINE does.
        await session.examine()
