"""The NOTIFY command that is in effect on a session (RFC 5465)."""

from ..errors import CommandRefused
from ..wire.command import Command
from ..wire.parser import Data
from .wait_strategy import NotifyWait


class NotifyState:
    """Tracks which notifications were requested, by their `NotifyWait.spec`."""

    def __init__(self) -> None:
        """Start without notifications, like every session."""
        self._command: Command | None = None

    def mark_expired(self) -> None:
        """Record that the server no longer sends notifications (NOTIFICATIONOVERFLOW)."""
        self._command = None

    def clear(self) -> list[Command]:
        """Return the command that must precede an EXAMINE or another `spec`, if any."""
        if self._command is None:
            return []
        self._command = None
        return [NotifyWait.clear_command()]

    def is_set_to(self, spec: str) -> bool:
        """Return whether exactly this `spec` is in effect."""
        return self._command is not None and self._command.arguments == spec

    def set(self, spec: str) -> list[Command]:
        """Return the command that sets `spec`; [] if it is "" or a NOTIFY is in effect."""
        if not spec or self._command is not None:
            return []
        self._command = NotifyWait.set_command(spec)
        return [self._command]

    async def take_initial_status(self) -> list[Data]:
        """Return the STATUS responses to NOTIFY SET STATUS, each only one time.

        Raises CommandRefused if the server refused NOTIFY.
        """
        if (command := self._command) is None:
            return []
        try:
            await command.wait()
        except CommandRefused:
            self._command = None
            raise
        statuses = command.data.copy()
        command.data.clear()
        return statuses
