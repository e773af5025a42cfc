"""What a fuzzer runs, and how it sees that something is wrong."""

from collections.abc import Callable, Iterator
import contextlib
from dataclasses import dataclass, field
import signal
import time
from types import FrameType

from .memory import MEGABYTE


class Violation(Exception):
    """What came out breaks a promise; the text is the same for all inputs that do so."""


class Hang(KeyboardInterrupt):
    """An execution does not end. Neither asyncio nor our code catches this class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one execution may take: seconds of CPU time of a step and in all, octets of memory.

    `retained` is what each repetition of an execution may leave in memory.
    """

    step: float = 0.05
    total: float = 10.0
    peak: int = 64 * MEGABYTE
    retained: int = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Code to try.

    `execute` runs an input, raises for what is wrong, and returns the seconds of CPU time of
    its longest step. A step is what runs until the event loop gets its turn again. `seeds`
    are inputs to begin with, `words` pieces of further ones.
    """

    name: str
    execute: Callable[[bytes], float]
    seeds: Callable[[], list[bytes]]
    words: tuple[bytes, ...] = ()
    limits: Limits = field(default_factory=Limits)


class Stopwatch:
    """Keeps the longest of several steps, in seconds of CPU time."""

    def __init__(self) -> None:
        """Start with none."""
        self.longest = 0.0

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        """Measure one step."""
        began = time.thread_time()
        yield
        self.add(time.thread_time() - began)

    def add(self, seconds: float) -> None:
        """Take a step that was measured elsewhere."""
        self.longest = max(self.longest, seconds)


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raise Hang after so many seconds of CPU time."""

    def end(_signal: int, _frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
