"""A run in virtual time detects hidden errors, leaked tasks and a logged password."""

import asyncio
from collections.abc import Callable, Coroutine
import logging
from typing import Any, Final

import pytest

from .loop import MeasuredLoop
from .target import Violation
from .virtual_run import SECRET, run_in_virtual_time

LOGGER: Final = logging.getLogger("custom_components.imap_push.imap.planted")


async def log_password(_loop: MeasuredLoop) -> None:
    """Write the password into the debug log."""
    LOGGER.debug("> %s", f"LOGIN user {SECRET}")


async def log_error(_loop: MeasuredLoop) -> None:
    """Log an error without an exception."""
    LOGGER.error("planted")


async def log_exception(_loop: MeasuredLoop) -> None:
    """Log an exception that was caught."""
    try:
        [].pop()
    except IndexError:
        LOGGER.exception("caught")


async def fail_in_callback(loop: MeasuredLoop) -> None:
    """Raise in a callback, where only the event loop handles it."""
    loop.call_soon([].pop)


async def leave_task(loop: MeasuredLoop) -> None:
    """Start a task that does not end."""

    async def planted() -> None:
        await asyncio.sleep(1e6)

    loop.planted = asyncio.create_task(planted())  # type: ignore[attr-defined]


async def fail(_loop: MeasuredLoop) -> None:
    """Raise."""
    raise LookupError("planted")


@pytest.mark.parametrize(
    ("main", "error", "text"),
    [
        (log_password, Violation, "the password is in the log"),
        (log_error, Violation, "planted"),
        (log_exception, IndexError, "pop from empty list"),
        (fail_in_callback, IndexError, "pop from empty list"),
        (leave_task, Violation, "tasks are left: .*planted"),
        (fail, LookupError, "planted"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_fault_is_detected(
    main: Callable[[MeasuredLoop], Coroutine[Any, Any, None]],
    error: type[Exception],
    text: str,
) -> None:
    """The fault is raised even if the engine hides it."""
    with pytest.raises(error, match=text):
        run_in_virtual_time(main, debug=True)


def test_waiting_takes_no_time() -> None:
    """An hour of waiting does not count as a step."""

    async def main(loop: MeasuredLoop) -> None:
        began = loop.time()
        await asyncio.sleep(3600)
        assert loop.time() - began >= 3600

    run_in_virtual_time(main)


def test_work_in_a_thread_is_not_part_of_the_turn() -> None:
    """Its result and its exceptions are passed on as from a thread."""

    async def main(loop: MeasuredLoop) -> None:
        assert await asyncio.to_thread(sum, [1, 2]) == 3
        with pytest.raises(ValueError, match="invalid literal"):
            await asyncio.to_thread(int, "x")

    run_in_virtual_time(main)
