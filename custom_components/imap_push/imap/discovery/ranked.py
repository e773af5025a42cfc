"""Asking several at once, of whom the first knows best."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
import logging
from typing import Any

_LOGGER = logging.getLogger(__name__)


async def ask[Answer](
    sources: Iterable[Coroutine[Any, Any, Answer]],
    is_final: Callable[[Answer], bool],
    seconds: float,
) -> list[Answer]:
    """Return the answers in the order of the sources, as soon as none can come that is better.

    Nobody waits for those behind a final answer, nor any longer than so many seconds; a
    source that fails has no answer.
    """
    tasks = [asyncio.create_task(source) for source in sources]
    try:
        async with asyncio.timeout(seconds):
            for task in tasks:
                await asyncio.wait([task])
                if any(map(is_final, _answers([task]))):
                    break
    except TimeoutError:
        pass
    finally:
        answers = _answers(tasks)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    return answers


def _answers[Answer](tasks: Iterable[asyncio.Task[Answer]]) -> list[Answer]:
    answers = []
    for task in tasks:
        if not task.done() or task.cancelled():
            continue
        if error := task.exception():
            # Its text could hold the address.
            _LOGGER.debug("A source of settings failed: %s", type(error).__name__)
        else:
            answers.append(task.result())
    return answers
