"""Whether a server stands several commands in one write: found out, not believed."""

from collections.abc import Callable
from enum import Enum, auto
from typing import Final

# Writes in a row that ended badly, until the same is tried one command at a time; and where
# such writes were answered before.
MAX_DOUBTS: Final = 3
MAX_DOUBTS_OF_PROVEN: Final = 20
# Times that one by one has to work right after the other did not: once may be luck.
MIN_TRIALS: Final = 3


class Write(Enum):
    """A kind of write: some servers drop what comes behind DONE, and stand all else."""

    PLAIN = auto()
    BEHIND_DONE = auto()


class Pipelining:
    """Several commands in one write, until a server turns out not to stand them.

    RFC 3501 5.5 allows it, and every server that we tried stands it. One that does not answers
    BAD, hangs up or falls silent, which a bad network does too. So after some such ends in a
    row commands go one by one, and only if that works where the other did not, time and again,
    is the server to blame: `on_blame` is told, once, and commands go one by one for ever.
    """

    def __init__(
        self, allowed: bool = True, on_blame: Callable[[], None] = lambda: None
    ) -> None:
        """Start in good faith, unless it is known not to work."""
        self.is_on = allowed
        self._on_blame = on_blame
        self._trial: Write | None = None  # what is tried one by one
        self._trials = dict.fromkeys(Write, 0)  # that worked, in a row
        self._doubts = dict.fromkeys(Write, 0)
        self._proven: set[Write] = set()

    def worked(self, write: Write, *, is_serial: bool) -> None:
        """Learn that all commands of the last such write were answered."""
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
        """Learn that the connection ended before all commands were answered."""
        if is_serial and self._trial is not None:
            # It was the network: one by one does not work either.
            self._trial, self.is_on = None, True
            self._trials = dict.fromkeys(Write, 0)
            self._doubts = dict.fromkeys(Write, 0)
        elif self.is_on and not is_serial:
            self._doubts[write] += 1
            proven = write in self._proven
            if self._doubts[write] >= (MAX_DOUBTS_OF_PROVEN if proven else MAX_DOUBTS):
                self._trial, self.is_on = write, False
