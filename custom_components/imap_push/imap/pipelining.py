"""Whether a server stands several commands in one write: found out, not believed."""

from collections.abc import Callable
from typing import Final

# Writes in a row that ended badly, until the same is tried one command at a time.
MAX_DOUBTS: Final = 3


class Pipelining:
    """Several commands in one write, until a server turns out not to stand them.

    RFC 3501 5.5 allows it, and every server that we tried stands it. One that does not answers
    BAD, hangs up or falls silent, which a bad network does too. So after some such ends in a
    row commands go one by one, and only if that works where the other did not is the server
    to blame: `on_blame` is told, once, and commands go one by one for ever.
    """

    def __init__(
        self, allowed: bool = True, on_blame: Callable[[], None] = lambda: None
    ) -> None:
        """Start in good faith, unless it is known not to work."""
        self.is_on = allowed
        self._on_blame = on_blame
        self._is_trial = False
        self._doubts = 0

    def worked(self) -> None:
        """Learn that all commands sent were answered."""
        self._doubts = 0
        if self._is_trial:
            self._is_trial = False
            self._on_blame()

    def failed(self) -> None:
        """Learn that the connection ended before all commands were answered."""
        if self._is_trial:
            # It was the network: one by one does not work either.
            self._is_trial, self.is_on, self._doubts = False, True, 0
        elif self.is_on:
            self._doubts += 1
            if self._doubts >= MAX_DOUBTS:
                self._is_trial, self.is_on = True, False
