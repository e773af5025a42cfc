"""The fuzzer finds planted faults, and nothing in code without faults."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from .edges import Edges
from .fuzzer import Finding, Fuzzer, Report, run_and_check
from .planted import (
    endless,
    large,
    large_event,
    leak,
    nothing,
    rare_error,
    slow_once,
    slow_step,
)
from .target import Hang, Limits, Stopwatch, Target, Violation

HERE = Path(__file__).parent
PLANTED = HERE / "planted"
NOWHERE = HERE / "nothing"


def fuzz(
    execute: Callable[[bytes], float],
    executions: int,
    *,
    folder: Path = PLANTED,
    seed: str = "1",
) -> Report:
    """Fuzz a target, guided by the coverage of the code in `folder`."""
    # Not shorter: on a busy machine, allocating much memory takes up to 0.1 s of CPU time.
    limits = Limits(total=0.25)
    target = Target(
        name="planted", execute=execute, seeds=list, words=(b"!",), limits=limits
    )
    with Edges(folder) as edges:
        fuzzer = Fuzzer(target, edges, PLANTED, seed=seed)
        findings = fuzzer.report.findings
        return fuzzer.run([b"seed"], lambda done: done < executions and not findings)


def fuzz_alone(*arguments: Any, **options: Any) -> Report:
    """Fuzz a target in a new process, so that memory is not affected by other tests."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as pool:
        return pool.submit(fuzz, *arguments, **options).result()


@pytest.mark.parametrize(
    ("execute", "kind", "executions"),
    [
        (rare_error, "error", 100_000),
        (slow_step, "slow", 500),
        (leak, "leak", 500),
        (large, "memory", 500),
        (large_event, "error", 20_000),
        (endless, "hang", 10),
    ],
    ids=["rare error", "slow step", "leak", "memory peak", "large event", "hang"],
)
def test_planted_fault_is_found(
    execute: Callable[[bytes], float], kind: str, executions: int
) -> None:
    """Each fault has one finding, and its input reproduces the fault."""
    report = fuzz_alone(execute, executions)
    assert [found.kind for found in report.findings.values()] == [kind]
    [found] = report.findings.values()
    if kind == "error":
        with pytest.raises((LookupError, Violation)):
            execute(found.data)
    else:
        assert b"!" in found.data


def test_rare_error_needs_guidance() -> None:
    """Without coverage, the same number of executions does not find it."""
    assert not fuzz_alone(rare_error, 100_000, folder=NOWHERE).findings


@pytest.mark.parametrize("execute", [nothing, slow_once], ids=["clean", "slow once"])
def test_target_without_fault_has_no_finding(
    execute: Callable[[bytes], float],
) -> None:
    """A step that is slow only the first time is not a finding."""
    report = fuzz_alone(execute, 300)
    assert not report.findings
    assert report.executions == 300


def test_same_seed_repeats_a_run() -> None:
    """The same inputs are run, in the same order."""
    runs: list[list[bytes]] = []
    for seed in ("1", "1", "2"):
        seen: list[bytes] = []
        runs.append(seen)

        def keep(data: bytes, seen: list[bytes] = seen) -> float:
            seen.append(data)
            return rare_error(data)

        fuzz(keep, 500, seed=seed)
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_finding_is_made_small() -> None:
    """Parts of the input that are not needed for the fault are removed."""
    report = fuzz(large_event, 20_000)
    [found] = report.findings.values()
    assert 32_000 < 2 * len(found.data) < 33_500


def test_finding_says_where_to_look() -> None:
    """The key of an error has its type and the function that raises it."""
    target = Target(name="planted", execute=rare_error, seeds=list)
    _, found = run_and_check(
        target, bytes(octet ^ 0x5A for octet in b"\x91\x27\xe3"), PLANTED
    )
    assert isinstance(found, Finding)
    assert found.key == "LookupError: planted in __init__.py rare_error"


def test_hang_passes_through_what_catches_errors() -> None:
    """Even asyncio does not handle it as the failure of a task."""
    assert not issubclass(Hang, Exception)
    with pytest.raises(Hang):
        raise Hang


def test_stopwatch_keeps_the_longest_step() -> None:
    """The longest of several steps is kept."""
    watch = Stopwatch()
    with watch.step():
        sum(range(1000))
    watch.add(0.5)
    watch.add(0.25)
    assert watch.longest == 0.5
