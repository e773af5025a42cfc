"""Cheap code coverage: each line and branch is reported only the first time that it runs."""

from pathlib import Path
import sys
from types import CodeType, TracebackType
from typing import Final, Self

_EVENTS: Final = sys.monitoring.events
# Tool IDs of sys.monitoring that are not reserved.
_FREE_TOOLS: Final = (3, 4)


class Edges:
    """Counts the executed lines and branches of the code in a folder.

    Use it as a context manager. Only one may be active in a process.
    """

    def __init__(self, folder: Path) -> None:
        """Prepare to count; `folder` must be absolute."""
        self._prefix = f"{folder}/"
        self._taken = 0
        self.count = 0

    def __enter__(self) -> Self:
        """Start counting."""
        monitoring = sys.monitoring
        self._tool = next(
            number for number in _FREE_TOOLS if monitoring.get_tool(number) is None
        )
        monitoring.use_tool_id(self._tool, "imap_push fuzz")
        branches = (_EVENTS.BRANCH_LEFT, _EVENTS.BRANCH_RIGHT)
        for event in branches:
            monitoring.register_callback(self._tool, event, self._branch)
        monitoring.register_callback(self._tool, _EVENTS.LINE, self._line)
        monitoring.set_events(self._tool, _EVENTS.LINE | branches[0] | branches[1])
        # Enable the places that an earlier use of the same tool ID disabled.
        monitoring.restart_events()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop counting."""
        sys.monitoring.set_events(self._tool, 0)
        sys.monitoring.free_tool_id(self._tool)

    def take_new(self) -> int:
        """Return how many new lines and branches ran since the last call."""
        new, self._taken = self.count - self._taken, self.count
        return new

    def _line(self, code: CodeType, _line: int) -> object:
        self.count += code.co_filename.startswith(self._prefix)
        return sys.monitoring.DISABLE

    def _branch(self, code: CodeType, _from: int, _to: int) -> object:
        self.count += code.co_filename.startswith(self._prefix)
        return sys.monitoring.DISABLE
