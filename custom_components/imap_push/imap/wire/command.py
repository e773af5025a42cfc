"""One command on its way: what is sent, what it collects, how it ends."""

import asyncio
from collections.abc import Callable
import contextlib
from dataclasses import dataclass, field
from typing import Final

from ..errors import CommandRefused
from .parser import Data, Status

# Seconds without a byte after which a command counts as unanswered.
COMMAND_DEADLINE: Final = 30.0


@dataclass(frozen=True, slots=True)
class Completion:
    """A command's tagged OK and the untagged data that it collected."""

    status: Status
    data: list[Data]


@dataclass(eq=False, slots=True)
class Command:
    """One command on its way; `await wait()` gives its completion.

    `collects` names the untagged responses that belong to it. `continuation` answers a
    `+ text` with the octets of the next line; IDLE answers None, which sends nothing.
    `more` goes out behind the first line without waiting (LITERAL+, RFC 7888).
    `secrets` never reach a log. `opens_folder`: what is told before its tagged OK is of the
    folder that was open before, and belongs to no command behind it.
    """

    name: str
    arguments: str = field(default="", repr=False)
    collects: frozenset[str] = frozenset()
    continuation: Callable[[bytes], bytes | None] | None = None
    more: bytes = field(default=b"", repr=False)
    deadline: float | None = COMMAND_DEADLINE
    secrets: tuple[str, ...] = field(default=(), repr=False)
    opens_folder: bool = False
    tag: bytes = b""
    started: float = 0.0
    data: list[Data] = field(default_factory=list)
    collected: int = 0  # octets of untagged data
    cut: int = 0  # responses of which there was no room for more than the beginning
    completed: asyncio.Future[Completion] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def line(self) -> bytes:
        """Return the command as it is sent; refuse a first line that would be more than one."""
        text = f"{self.name} {self.arguments}".rstrip(" ")
        if any(character in text for character in "\0\r\n"):
            raise ValueError(f"NUL, CR or LF in a {self.name} command")
        return self.tag + b" " + text.encode() + b"\r\n" + self.more

    def complete(self, status: Status) -> None:
        """End the command with its tagged OK."""
        if not self.completed.done():
            self.completed.set_result(Completion(status, self.data))

    def fail(self, error: BaseException) -> None:
        """End the command without its tagged OK."""
        if not self.completed.done():
            self.completed.set_exception(error)
            # Of several commands in one write, the first failure is the one that is raised.
            self.completed.exception()

    @property
    def needs_folder(self) -> bool:
        """Return if the command is about the messages of the folder that is open."""
        return self.name.startswith("UID ")

    @property
    def is_done(self) -> bool:
        """Return if the command has ended, one way or the other."""
        return self.completed.done()

    @property
    def is_complete(self) -> bool:
        """Return if the command had its tagged OK."""
        return self.is_done and self.error is None

    @property
    def error(self) -> BaseException | None:
        """Return why a command that is done had no tagged OK."""
        return self.completed.exception()

    async def wait(self) -> Completion:
        """Wait for the tagged OK; raise CommandRefused or what ended the connection.

        Whoever stops waiting leaves the command under way: its answer will come all the same.
        """
        await asyncio.wait([self.completed])
        return self.completed.result()

    async def wait_until_done(self) -> None:
        """Wait until the command is done; raise what ended the connection, but no refusal."""
        with contextlib.suppress(CommandRefused):
            await self.wait()
