"""Observe the calls of functions without replacing them."""

from collections.abc import Callable, Iterator, Mapping
import contextlib
import inspect
import sys
from types import CodeType, FunctionType
from typing import Any, Final

# Tool IDs of sys.monitoring that are not reserved.
_FREE_TOOLS: Final = (3, 4)

type OnCall = Callable[[Mapping[str, Any]], object]


@contextlib.contextmanager
def observed(functions: Mapping[Callable[..., Any], OnCall]) -> Iterator[None]:
    """Call the value with the local variables at each start of the function, in any thread.

    For a generator function it is called at each yield.
    """
    monitoring, events = sys.monitoring, sys.monitoring.events
    tool = next(tool for tool in _FREE_TOOLS if monitoring.get_tool(tool) is None)
    observers: dict[CodeType, OnCall] = {}

    def report(code: CodeType, *_place: object) -> None:
        observers[code](sys._getframe(1).f_locals)

    monitoring.use_tool_id(tool, "imap_push tests")
    for event in (events.PY_START, events.PY_YIELD):
        monitoring.register_callback(tool, event, report)
    for function, observer in functions.items():
        assert isinstance(function, FunctionType)
        is_generator = inspect.isgeneratorfunction(function)
        event = events.PY_YIELD if is_generator else events.PY_START
        observers[function.__code__] = observer
        monitoring.set_local_events(tool, function.__code__, event)
    try:
        yield
    finally:
        for code in observers:
            monitoring.set_local_events(tool, code, 0)
        monitoring.free_tool_id(tool)
