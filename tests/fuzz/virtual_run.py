"""Run the engine in virtual time and check for hidden errors, leaks and leftover tasks."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
import contextlib
from dataclasses import dataclass, field
import logging
import random
import sys
from typing import Any, Final, override

from custom_components.imap_push.imap import (
    AccountState,
    Arrival,
    ImapError,
    Mark,
    ProtocolError,
)
from custom_components.imap_push.imap.wire.protocol import PushProtocol

from .loop import MeasuredLoop
from .target import Violation

SECRET: Final = "hush-2X7Q9"

_LOGGER: Final = logging.getLogger("custom_components.imap_push")


@dataclass
class Listener:
    """Stores the mail that arrives."""

    arrivals: list[Arrival] = field(default_factory=list)

    def state_changed(self, state: AccountState) -> None:
        """Ignore the state."""

    async def mail_arrived(self, arrival: Arrival) -> None:
        """Store a mail."""
        self.arrivals.append(arrival)

    def mark_moved(self, folder: str, mark: Mark) -> None:
        """Ignore the mark."""

    def login_refused(self) -> None:
        """Ignore it; the password does not change."""

    def alerted(self, text: str) -> None:
        """Check an alert of the server."""
        if SECRET in text:
            raise Violation("the password is in an alert")


def run_in_virtual_time(
    main: Callable[[MeasuredLoop], Coroutine[Any, Any, None]], *, debug: bool = False
) -> float:
    """Run the engine; raise for errors that it hides or logs, and for tasks that it leaves.

    Returns the CPU seconds of the longest turn of the event loop, or 0 with `debug`, because
    logging every line is slow. Random numbers in the engine, for example the jitter of its
    back-off, are the same each time.
    """
    random.seed(0)
    loop = MeasuredLoop()
    failures: list[Exception | str] = []
    with _log(debug=debug) as log, hidden_errors() as hidden, contextlib.closing(loop):
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(_to_the_end(main(loop)))
        except Exception as error:  # noqa: BLE001
            failures.append(error)
        finally:
            asyncio.set_event_loop(None)
    # A hidden error is more likely the cause than an error that is its consequence.
    for problem in (*hidden, *log.problems, *loop.problems, *failures):
        raise problem if isinstance(problem, Exception) else Violation(problem)
    return 0.0 if debug else loop.watch.longest


async def _to_the_end(main: Coroutine[Any, Any, None]) -> None:
    await main
    for _ in range(5):
        await asyncio.sleep(0.01)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    if left:
        names = sorted(task.get_coro().__qualname__ for task in left)  # type: ignore[union-attr]
        raise Violation(f"tasks are left: {', '.join(names)}")


class _Log(logging.Handler):
    """Records errors and lines that contain the password."""

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[Exception | str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if SECRET in message:
            self.problems.append("the password is in the log")
        if record.levelno < logging.ERROR:
            return
        error = record.exc_info[1] if record.exc_info else None
        self.problems.append(error if isinstance(error, Exception) else message)


@contextlib.contextmanager
def _log(*, debug: bool) -> Iterator[_Log]:
    """Capture the log of the integration."""
    handler = _Log()
    before = _LOGGER.level, _LOGGER.propagate
    _LOGGER.addHandler(handler)
    _LOGGER.setLevel(logging.DEBUG if debug else logging.INFO)
    _LOGGER.propagate = False
    try:
        yield handler
    finally:
        _LOGGER.removeHandler(handler)
        _LOGGER.level, _LOGGER.propagate = before
        _LOGGER.setLevel(before[0])


@contextlib.contextmanager
def hidden_errors() -> Iterator[list[Exception]]:
    """Collect unexpected exceptions that the protocol turns into an end of the connection."""
    errors: list[Exception] = []
    fail = PushProtocol.fail

    def note(self: PushProtocol, error: ImapError) -> None:
        reason = sys.exception()
        if isinstance(error, ProtocolError) and isinstance(reason, Exception):
            if not isinstance(reason, ImapError):
                errors.append(reason)
        fail(self, error)

    PushProtocol.fail = note  # type: ignore[method-assign]
    try:
        yield errors
    finally:
        PushProtocol.fail = fail  # type: ignore[method-assign]
