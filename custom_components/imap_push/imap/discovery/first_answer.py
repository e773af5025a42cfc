"""Run several sources concurrently and prefer the results of the first ones."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
import logging
from typing import Any

_LOGGER = logging.getLogger(__name__)


async def gather_until[Result](
    sources: Iterable[Coroutine[Any, Any, Result]],
    is_final: Callable[[Result], bool],
    seconds: float,
) -> list[Result]:
    """Run all sources concurrently; return their results in the order of the sources.

    Stops waiting at the first source with a final result, or after `seconds`. Sources that are
    still running are then cancelled; these, and sources that raise, have no result.
    """
    tasks = [asyncio.create_task(source) for source in sources]
    try:
        async with asyncio.timeout(seconds):
            for task in tasks:
                await asyncio.wait([task])
                if any(map(is_final, _results([task]))):
                    break
    except TimeoutError:
        pass
    finally:
        results = _results(tasks)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    return results


def _results[Result](tasks: Iterable[asyncio.Task[Result]]) -> list[Result]:
    results = []
    for task in tasks:
        if not task.done() or task.cancelled():
            continue
        if error := task.exception():
            # The text of the error could contain the mail address.
            _LOGGER.debug("A source of settings failed: %s", type(error).__name__)
        else:
            results.append(task.result())
    return results
