"""One command: the line that is sent, the data that it collects, its completion."""

import asyncio
from collections.abc import Callable
import contextlib
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ..errors import CommandRefused
from .parser import Data, Status

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
class Command:
    """A command that is sent or about to be; `await wait()` returns its completion.

    `collects`: names of the untagged responses that belong to it. `continuation` returns the
    octets that answer `+ text`, without CRLF, or None to send nothing (IDLE). `more` is sent
    after the first line without waiting for `+` (LITERAL+, RFC 7888). `secrets` are never
    logged. `opens_folder`: SELECT or EXAMINE. Data before its tagged OK may belong to the
    folder that was selected before, so later commands do not collect it.
    """

    name: str
    arguments: str = field(default="", repr=False)
    collects: frozenset[str] = frozenset()
    continuation: Callable[[bytes], bytes | None] | None = None
    more: bytes = field(default=b"", repr=False)
    deadline: float | None = COMMAND_DEADLINE_SECONDS
    secrets: tuple[str, ...] = field(default=(), repr=False)
    opens_folder: bool = False
    tag: bytes = b""
    started: float = 0.0
    data: list[Data] = field(default_factory=list)
    collected: int = 0  # octets of untagged data
    cut: int = 0  # number of responses that did not fit and were cut to their beginning
    completed: asyncio.Future[Completion] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def line(self) -> bytes:
        """Return the octets to send; raise ValueError if they would contain NUL, CR or LF."""
        text = f"{self.name} {self.arguments}".rstrip(" ")
        if any(character in text for character in "\0\r\n"):
            raise ValueError(f"NUL, CR or LF in a {self.name} command")
        # Names of folders may contain any octets: see `encode_folder`.
        octets = text.encode("utf-8", "surrogateescape")
        return self.tag + b" " + octets + b"\r\n" + self.more

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
    def needs_folder(self) -> bool:
        """Return True if the command needs a selected folder."""
        return self.name.startswith("UID ")

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
        await asyncio.wait([self.completed])
        return self.completed.result()

    async def wait_until_done(self) -> None:
        """Wait until the command is done; do not raise CommandRefused."""
        with contextlib.suppress(CommandRefused):
            await self.wait()
