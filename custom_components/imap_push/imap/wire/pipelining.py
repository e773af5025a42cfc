"""Detect servers that fail on pipelined commands (RFC 3501 5.5)."""

from collections.abc import Callable
from enum import Enum, auto
from typing import Final

# Failed writes in a row until commands are sent one at a time; the second number applies to
# a kind of write that has worked before.
MAX_DOUBTS: Final = 3
MAX_DOUBTS_OF_PROVEN: Final = 20
# Times that sending one at a time must work directly after failed writes: one success may be
# chance.
MIN_TRIALS: Final = 3


class Write(Enum):
    """A kind of write: some servers drop commands after DONE and support all other pipelining."""

    PLAIN = auto()
    BEHIND_DONE = auto()


class Pipelining:
    """Pipelining, until a server is found not to support it.

    RFC 3501 5.5 allows it, and every server that we tested supports it. A server without support
    answers BAD, closes the connection or stops answering. A bad network has the same effect. So
    after a number of failures in a row, commands are sent one at a time. If that works where
    pipelining failed, MIN_TRIALS times, the server is the cause: `on_blame` is called, and
    pipelining stays off.

        pipelined --failures--> one at a time --fails--> pipelined (the network was the cause)
                                     |
                                     +--works--> pipelined; the third time: off permanently
    """

    def __init__(
        self, allowed: bool = True, on_blame: Callable[[], None] = lambda: None
    ) -> None:
        """Start with pipelining on, unless the server is known not to support it."""
        self.is_on = allowed
        self._on_blame = on_blame
        self._trial: Write | None = None  # the kind of write that is sent one at a time
        self._trials = dict.fromkeys(Write, 0)  # successful ones in a row
        self._doubts = dict.fromkeys(Write, 0)
        self._proven: set[Write] = set()

    def worked(self, write: Write, *, is_serial: bool) -> None:
        """Record that all commands of the last write of this kind were answered."""
        if is_serial and self._trial is write:
            self._trial = None
            self._trials[write] += 1
            if self._trials[write] >= MIN_TRIALS:
                self._on_blame()
            else:
                self.is_on = True
        elif not is_serial:
            self._trials[write] = self._doubts[write] = 0
            self._proven.add(write)

    def failed(self, write: Write, *, is_serial: bool) -> None:
        """Record that the connection ended before all commands were answered."""
        if is_serial and self._trial is not None:
            # The network is the cause: one at a time does not work either.
            self._trial, self.is_on = None, True
            self._trials = dict.fromkeys(Write, 0)
            self._doubts = dict.fromkeys(Write, 0)
        elif self.is_on and not is_serial:
            self._doubts[write] += 1
            proven = write in self._proven
            if self._doubts[write] >= (MAX_DOUBTS_OF_PROVEN if proven else MAX_DOUBTS):
                self._trial, self.is_on = write, False
