"""The NOTIFY that is in force on a session."""

from ..errors import CommandRefused
from ..wire.command import Command
from ..wire.parser import Data
from .wait_strategy import NotifyWait


class NotifyState:
    """What the server was asked to tell unasked, if anything: by NOTIFY, as `Notify.wish` says it."""

    def __init__(self) -> None:
        """Begin without."""
        self._command: Command | None = None

    def lapse(self) -> None:
        """Note that the server tells of nothing any more."""
        self._command = None

    def disarm(self) -> list[Command]:
        """Return what has to be sent before other folders are opened."""
        if self._command is None:
            return []
        self._command = None
        return [NotifyWait.disarm()]

    def disarm_unless(self, wish: str) -> list[Command]:
        """Return what has to be sent before something else is wished, "" for nothing."""
        return [] if self.grants(wish) else self.disarm()

    def grants(self, wish: str) -> bool:
        """Return if the server was asked for just this."""
        return self._command is not None and self._command.arguments == wish

    def arm(self, wish: str) -> list[Command]:
        """Return what has to be sent to be told, nothing if that was sent already."""
        if not wish or self._command is not None:
            return []
        self._command = NotifyWait.arm(wish)
        return [self._command]

    async def told(self) -> list[Data]:
        """Return, once, the STATUS of each folder when it was sent; raise CommandRefused."""
        if (command := self._command) is None:
            return []
        try:
            await command.wait()
        except CommandRefused:
            self._command = None
            raise
        told = command.data.copy()
        command.data.clear()
        return told
