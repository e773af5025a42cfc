"""IDLE (RFC 2177): the server reports changes until the client sends DONE."""

import asyncio

from .command import Command
from .unsolicited import UnsolicitedQueue


class Idle:
    """An IDLE command, and whether the server has already answered it with `+` or a refusal."""

    def __init__(self, unsolicited: UnsolicitedQueue) -> None:
        """Create the command. Its end wakes the task that waits for unsolicited responses."""
        self.command = Command("IDLE", continuation=self._accept)
        self.is_accepted = False
        self._answered = asyncio.Event()
        self.command.completed.add_done_callback(lambda _: self._answered.set())
        self.command.completed.add_done_callback(lambda _: unsolicited.wake())

    async def wait_for_answer(self) -> None:
        """Wait until the server has answered: only then may DONE be sent."""
        await self._answered.wait()

    def _accept(self, _text: bytes) -> None:
        self.command.deadline = None
        self.is_accepted = True
        self._answered.set()
