"""Wait for conditions and events, with a deadline."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

type Json = dict[str, Any]

# The longest time that a busy machine takes.
WAIT_SECONDS: Final = 20.0
CHECK_SECONDS: Final = 0.005


async def until(
    condition: Callable[[], bool], *, seconds: float = WAIT_SECONDS
) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(CHECK_SECONDS)


async def until_equal[T](
    get: Callable[[], Awaitable[T | None]],
    expected: T,
    *,
    seconds: float = WAIT_SECONDS,
) -> None:
    """Wait until the result is the expected one; the error has the last result."""
    deadline = asyncio.get_running_loop().time() + seconds
    while (answer := await get()) != expected:
        assert asyncio.get_running_loop().time() < deadline, f"{answer} != {expected}"
        await asyncio.sleep(0.05)


async def next_events(
    events: asyncio.Queue[Json], count: int = 1, *, seconds: float = WAIT_SECONDS
) -> list[Json]:
    """Return the data of the next events."""
    received: list[Json] = []
    try:
        async with asyncio.timeout(seconds):
            while len(received) < count:
                received.append((await events.get())["data"])
    except TimeoutError:
        raise AssertionError(f"{len(received)} of {count} events: {received}")
    return received
