"""The targets of the fuzzer, their limits and violations."""

from collections.abc import Callable, Iterator
import contextlib
from dataclasses import dataclass, field
import signal
import time
from types import FrameType

from .memory import MEGABYTE


class Violation(Exception):
    """A guarantee is violated; the text is the same for all inputs with this fault."""


class Hang(KeyboardInterrupt):
    """An execution does not end. No `except Exception` catches this, and asyncio re-raises it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one execution: CPU seconds per step and in total, octets of memory.

    `retained`: octets that each repetition of an execution may leave in memory.
    """

    step: float = 0.05
    total: float = 10.0
    peak: int = 64 * MEGABYTE
    retained: int = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Code to fuzz.

    `execute` runs an input, raises an exception for a fault, and returns the CPU seconds of its
    longest step. A step is the code that runs without returning to the event loop. `seeds`
    returns the first inputs, `words` are tokens for mutations.
    """

    name: str
    execute: Callable[[bytes], float]
    seeds: Callable[[], list[bytes]]
    words: tuple[bytes, ...] = ()
    limits: Limits = field(default_factory=Limits)


class Stopwatch:
    """Records the longest of several steps, in seconds of CPU time."""

    def __init__(self) -> None:
        """Start with 0."""
        self.longest = 0.0

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        """Measure one step."""
        began = time.thread_time()
        yield
        self.add(time.thread_time() - began)

    def add(self, seconds: float) -> None:
        """Add a step that was already measured."""
        self.longest = max(self.longest, seconds)


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raise Hang after `seconds` of CPU time."""

    def end(_signal: int, _frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
