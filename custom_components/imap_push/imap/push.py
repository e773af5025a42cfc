"""The ways to wait for new mail."""

from dataclasses import dataclass
from typing import ClassVar, Final, Protocol, override

from .models import PushMode, WatchOptions
from .session import Session

# Seconds after which IDLE is left and begun again, with a sweep between: it bounds how long
# a link that died unseen stays unnoticed (RFC 2177 asks for 29 minutes at the most).
IDLE_REFRESH: Final = 285.0
# Seconds of the first IDLE after news. Some servers (pymap is one) never announce what came
# between the last command and IDLE; each IDLE without news makes the next one longer.
IDLE_FIRST: Final = 2.0
IDLE_GROWTH: Final = 4.0


class Push(Protocol):
    """A way to wait."""

    mode: ClassVar[PushMode]

    async def wait(self, session: Session) -> None:
        """Return when a sweep is due; raise what ended the connection."""


class Idle(Push):
    """The server announces changes while IDLE is under way (RFC 2177)."""

    mode = PushMode.IDLE

    def __init__(self) -> None:
        """Start with a short IDLE."""
        self._seconds = IDLE_FIRST

    @override
    async def wait(self, session: Session) -> None:
        """Wait until the server announces something, or a refresh is due."""
        if await session.idle(self._seconds):
            self._seconds = IDLE_FIRST
        else:
            self._seconds = min(self._seconds * IDLE_GROWTH, IDLE_REFRESH)


@dataclass(frozen=True, slots=True)
class Poll(Push):
    """The folder is looked at afresh every `interval` seconds."""

    interval: float
    mode = PushMode.POLL

    @override
    async def wait(self, session: Session) -> None:
        """Wait for the interval, or until the server tells of a change unasked."""
        await session.pause(self.interval)
        # NOOP does not show new mail on every server; EXAMINE does.
        await session.examine()


def choose_push(capabilities: frozenset[str], options: WatchOptions) -> Push:
    """Return the best way that the server offers and the user wants."""
    if options.push and "IDLE" in capabilities:
        return Idle()
    return Poll(options.poll_interval)
