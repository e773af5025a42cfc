"""Waiting for what is to come, with a deadline."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

type Json = dict[str, Any]

# A machine that is busy with other things takes this long at the worst.
PATIENCE_SECONDS: Final = 20.0
LOOK_SECONDS: Final = 0.005


async def until(
    condition: Callable[[], bool], *, seconds: float = PATIENCE_SECONDS
) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(LOOK_SECONDS)


async def until_equal[T](
    ask: Callable[[], Awaitable[T | None]],
    wanted: T,
    *,
    seconds: float = PATIENCE_SECONDS,
) -> None:
    """Wait until the answer is the wanted one; say what it was if it never is."""
    deadline = asyncio.get_running_loop().time() + seconds
    while (answer := await ask()) != wanted:
        assert asyncio.get_running_loop().time() < deadline, f"{answer} != {wanted}"
        await asyncio.sleep(0.05)


async def take(
    events: asyncio.Queue[Json], count: int = 1, *, seconds: float = PATIENCE_SECONDS
) -> list[Json]:
    """Return the data of the next events."""
    taken: list[Json] = []
    try:
        async with asyncio.timeout(seconds):
            while len(taken) < count:
                taken.append((await events.get())["data"])
    except TimeoutError:
        raise AssertionError(f"{len(taken)} of {count} events: {taken}")
    return taken
