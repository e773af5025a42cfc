"""The fuzzer: runs mutated inputs, keeps those that reach new code, and reports findings."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
import contextlib
from dataclasses import dataclass, field, replace
import gc
from hashlib import sha256
from pathlib import Path
from random import Random
import re
import signal
import time
import traceback
from types import FrameType
from typing import Final

from .edges import Edges
from .memory import Gauge, high_water_mark, measure, reset_high_water_mark
from .mutator import MAX_INPUT, Mutator
from .target import Hang, Target, deadline

# Repetitions of an input that seems slow; the fastest one counts.
_REPETITIONS: Final = 3
# Seconds of CPU time for minimizing a finding.
_MINIMIZING_SECONDS: Final = 5.0
# Factor by which an execution may be slower while its memory is traced.
_TRACING_FACTOR: Final = 10
# The inputs that were added last are mutated more often than others.
_RECENT: Final = 50
_NEWEST: Final = 3
# Seconds of CPU time between samples of the running function, and the number of samples.
_SAMPLE_INTERVAL: Final = 0.001
_MAX_SAMPLES: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A fault that an input shows. Findings with the same `key` have the same cause."""

    target: str
    kind: str
    key: str
    detail: str
    data: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """Return a file name that depends only on the cause."""
        digest = sha256(f"{self.kind} {self.key}".encode()).hexdigest()[:8]
        return f"{self.target}-{self.kind}-{digest}"

    def __str__(self) -> str:
        """Return a line for the output."""
        return f"{self.target}: {self.kind}: {self.key} ({self.detail})"


@dataclass(slots=True, kw_only=True)
class Report:
    """The result of a run; `slowest` is in seconds of CPU time, `grown` in octets of memory."""

    target: str
    executions: int = 0
    edges: int = 0
    corpus: int = 0
    slowest: float = 0.0
    grown: int = 0
    findings: dict[str, Finding] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return a line for the output."""
        return (
            f"{self.target}: {self.executions} executions, {self.edges} edges, "
            f"{self.corpus} inputs, slowest step {self.slowest * 1000:.1f} ms, "
            f"memory +{self.grown / 1e6:.0f} MB, {len(self.findings)} findings"
        )


def run_and_check(
    target: Target, data: bytes, folder: Path
) -> tuple[float, Finding | None]:
    """Run an input; return the longest step (CPU seconds) and the finding, if any.

    `folder` has the code in which the cause is searched. A step is too slow only if it is slow
    in each of several runs. Memory is not checked.
    """
    try:
        step = _run(target, data)
        if step <= target.limits.step:
            return step, None
        step = min(step, *(_run(target, data) for _ in range(_REPETITIONS)))
        if step <= target.limits.step:
            return step, None
        return step, Finding(
            target=target.name,
            kind="slow",
            key=_hottest(lambda: target.execute(data), folder),
            detail=f"{step * 1000:.0f} ms in one step",
            data=data,
        )
    except Hang:
        key = _hottest(lambda: target.execute(data), folder)
        detail = f"no end after {target.limits.total:.0f} s of CPU time"
        return 0.0, Finding(
            target=target.name, kind="hang", key=key, detail=detail, data=data
        )
    except Exception as error:  # noqa: BLE001
        key = re.sub(r"0x[0-9a-f]+|\d+", "N", f"{type(error).__name__}: {error}"[:100])
        return 0.0, Finding(
            target=target.name,
            kind="error",
            key=f"{key} in {_place(error, folder)}",
            detail=f"{type(error).__name__}: {error}"[:500],
            data=data,
        )


def check_memory(target: Target, data: bytes) -> Finding | None:
    """Run an input several times; return a finding if it takes too much memory."""

    def run() -> None:
        with contextlib.suppress(Exception, Hang):
            _run(target, data, slowed_down=_TRACING_FACTOR)

    usage, limits = measure(run), target.limits
    if usage.peak > limits.peak:
        kind, detail = "memory", f"{usage.peak / 1e6:.0f} MB at the most"
    elif usage.retained > limits.retained:
        kind, detail = "leak", f"{usage.retained / 1e3:.0f} KB more after each run"
    else:
        return None
    return Finding(
        target=target.name, kind=kind, key=target.name, detail=detail, data=data
    )


class Fuzzer:
    """Fuzzes one target; the same seed and inputs give the same executions.

    `on_new` is called with each input that reached new code.
    """

    def __init__(
        self,
        target: Target,
        edges: Edges,
        folder: Path,
        *,
        seed: str,
        on_new: Callable[[bytes], None] = lambda _: None,
    ) -> None:
        """Start without inputs; `folder` has the code in which causes are searched."""
        self._target = target
        self._edges = edges
        self._folder = folder
        self._random = Random(seed)
        self._mutator = Mutator(self._random, target.words)
        self._on_new = on_new
        self._corpus: list[bytes] = []
        self.report = Report(target=target.name)

    def run(self, inputs: Iterable[bytes], is_running: Callable[[int], bool]) -> Report:
        """Run all of these inputs, then mutated ones while `is_running(executions)` is true.

        A finding that is known already is not reported reproduce.
        """
        for data in inputs:
            self._run_input(data)
            self._corpus.append(data)
        # The garbage collector need not visit the objects that exist already.
        gc.collect()
        gc.freeze()
        gauge, before = Gauge(), high_water_mark()
        try:
            while is_running(self.report.executions):
                data = self._mutator.mutate(self._choose(), self._choose())
                if self._run_input(data) and len(data) <= MAX_INPUT:
                    self._corpus.append(data)
                    self._on_new(data)
                if gauge.has_risen() and (found := check_memory(self._target, data)):
                    self._add(found)
        finally:
            gc.unfreeze()
            gc.collect()
        self.report.edges = self._edges.count
        self.report.corpus = len(self._corpus)
        self.report.grown = (
            reset_high_water_mark() - before - sum(map(len, self._corpus))
        )
        if self.report.grown > self._target.limits.peak:
            self._add_growth()
        return self.report

    def _add_growth(self) -> None:
        """Report that memory grew during the run, without a specific input."""
        name = self._target.name
        detail = f"{self.report.grown / 1e6:.0f} MB more after all executions"
        found = Finding(target=name, kind="growth", key=name, detail=detail, data=b"")
        self.report.findings[found.name] = found

    def _choose(self) -> bytes:
        """Return an input; the newest ones are chosen more often."""
        newest = self._random.choice((len(self._corpus), _RECENT, _NEWEST))
        return self._random.choice(self._corpus[-newest:] or [b""])

    def _run_input(self, data: bytes) -> bool:
        """Run an input; return whether it reached new code without a finding."""
        step, found = run_and_check(self._target, data, self._folder)
        self.report.executions += 1
        self.report.slowest = max(self.report.slowest, step)
        if found is not None:
            self._add(found)
        return bool(self._edges.take_new()) and found is None

    def _add(self, found: Finding) -> None:
        if found.name not in self.report.findings:
            self.report.findings[found.name] = minimize(
                self._target, found, self._folder
            )


def minimize(target: Target, finding: Finding, folder: Path) -> Finding:
    """Return the finding with an input that is as small as possible after a few seconds."""

    def reproduce(data: bytes) -> Finding | None:
        if finding.kind in {"memory", "leak"}:
            found = check_memory(target, data)
        else:
            _, found = run_and_check(target, data, folder)
        if found is None or found.kind != finding.kind:
            return None
        # The slowest function is found by sampling and is not always the same.
        is_same = found.kind != "error" or found.key == finding.key
        return replace(found, key=finding.key) if is_same else None

    end = time.process_time() + _MINIMIZING_SECONDS
    if finding.kind == "hang":
        return finding
    size = len(finding.data) // 2
    while size:
        for data in _without_pieces(finding, size):
            if time.process_time() > end:
                return finding
            if smaller := reproduce(data):
                finding = smaller
                break
        else:
            size //= 2
        size = min(size, len(finding.data))
    return finding


def _without_pieces(finding: Finding, size: int) -> Iterator[bytes]:
    data = finding.data
    for start in range(0, len(data), size):
        yield data[:start] + data[start + size :]


def _run(target: Target, data: bytes, *, slowed_down: int = 1) -> float:
    with deadline(target.limits.total * slowed_down):
        return target.execute(data)


def _place(error: Exception, folder: Path) -> str:
    """Return the innermost function of a traceback, preferably one in `folder`."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(f"{folder}/")]
    frame = (ours or frames)[-1]
    return f"{Path(frame.filename).name} {frame.name}"


def _hottest(call: Callable[[], object], folder: Path) -> str:
    """Return the function in a folder in which a call spends most of its time."""
    samples: Counter[str] = Counter()

    def sample(_signal: int, frame: FrameType | None) -> None:
        while frame and not frame.f_code.co_filename.startswith(f"{folder}/"):
            frame = frame.f_back
        code = frame.f_code if frame else None
        samples[
            f"{Path(code.co_filename).name} {code.co_qualname}" if code else "?"
        ] += 1
        if samples.total() > _MAX_SAMPLES:
            raise Hang

    before = signal.signal(signal.SIGPROF, sample)
    signal.setitimer(signal.ITIMER_PROF, _SAMPLE_INTERVAL, _SAMPLE_INTERVAL)
    try:
        with contextlib.suppress(Exception, Hang):
            call()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    return samples.most_common(1)[0][0] if samples else "?"
