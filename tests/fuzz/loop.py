"""A virtual-time event loop that measures each turn."""

import asyncio
from collections.abc import Callable
import time
from typing import Any, Final, override

from .target import Stopwatch

from tests.engine.virtual import VirtualLoop

# Factor by which work in a thread may be slower than a turn of the event loop.
_THREAD_ALLOWANCE: Final = 10


class MeasuredLoop(VirtualLoop):
    """A VirtualLoop that records its longest turn in CPU time, and unhandled exceptions.

    Calls for a thread run immediately, because virtual time would jump while a thread works.
    They do not count as part of the turn.
    """

    def __init__(self) -> None:
        """Start without a server."""
        super().__init__()
        self.watch = Stopwatch()
        self.problems: list[Exception | str] = []
        self._in_threads = 0.0  # seconds of this turn
        self.set_exception_handler(self._keep_problem)

    def _run_once(self) -> None:
        self._in_threads = 0.0
        began = time.thread_time()
        super()._run_once()  # type: ignore[misc]
        self.watch.add(time.thread_time() - began - self._in_threads)

    @override
    def run_in_executor(  # type: ignore[override]
        self, executor: object, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        future = self.create_future()
        began = time.thread_time()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001
            future.set_exception(error)
        spent = time.thread_time() - began
        self._in_threads += spent
        self.watch.add(spent / _THREAD_ALLOWANCE)
        return future

    def _keep_problem(
        self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]
    ) -> None:
        error: object = context.get("exception")
        message = str(context.get("message"))
        self.problems.append(error if isinstance(error, Exception) else message)
