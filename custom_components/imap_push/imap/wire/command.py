"""A command and its completion, which a task can wait for."""

import asyncio
from collections.abc import Callable
import contextlib
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ..errors import CommandRefused
from .parser import Data, Status
from .request import Request

# Seconds without a byte from the server after which a command times out.
COMMAND_DEADLINE_SECONDS: Final = 30.0


class Completion(NamedTuple):
    """A command's tagged OK and the untagged data that it collected.

    `exists` is the number of messages in the selected folder at that moment.
    """

    status: Status
    data: list[Data]
    exists: int = 0


@dataclass(eq=False, slots=True)
class Command(Request):
    """A command that is sent or about to be; `await wait()` returns its completion.

    `continuation` returns the octets that answer `+ text`, without CRLF, or None to send nothing
    (IDLE). `deadline`: seconds without a byte from the server after which it fails, None for no
    limit. `started` is the time of the event loop.
    """

    continuation: Callable[[bytes], bytes | None] | None = None
    deadline: float | None = COMMAND_DEADLINE_SECONDS
    started: float = 0.0
    completed: asyncio.Future[Completion] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def complete(self, status: Status, exists: int = 0) -> None:
        """End the command with its tagged OK."""
        if not self.completed.done():
            self.completed.set_result(Completion(status, self.data, exists))

    def fail(self, error: BaseException) -> None:
        """End the command with an error."""
        if not self.completed.done():
            self.completed.set_exception(error)
            # Mark the exception as retrieved: of several commands in one write only the first
            # failure is raised, and asyncio must not log the others.
            self.completed.exception()

    @property
    def is_done(self) -> bool:
        """Return True if the command has completed or failed."""
        return self.completed.done()

    @property
    def is_answered(self) -> bool:
        """Return whether the server has answered the command with OK, NO or BAD."""
        if not self.is_done:
            return False
        return self.error is None or isinstance(self.error, CommandRefused)

    @property
    def is_complete(self) -> bool:
        """Return True if the command has completed with OK."""
        return self.is_done and self.error is None

    @property
    def error(self) -> BaseException | None:
        """Return the error of a command that is done, or None after OK."""
        return self.completed.exception()

    async def wait(self) -> Completion:
        """Wait for the tagged OK; raise CommandRefused or the error that ended the connection.

        Cancelling this does not cancel the command: the server answers it anyway.
        """
        if not self.completed.done():
            await asyncio.wait([self.completed])
        return self.completed.result()

    async def wait_until_done(self) -> None:
        """Wait until the command is done; do not raise CommandRefused."""
        with contextlib.suppress(CommandRefused):
            await self.wait()
