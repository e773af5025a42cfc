"""Fuzz the integration. scripts/fuzz describes the options."""

import argparse
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from hashlib import sha256
import multiprocessing
import os
from pathlib import Path
from random import Random
import sys
import time
from typing import Final

from tests.fuzz.edges import Edges
from tests.fuzz.fuzzer import Finding, Fuzzer, Report, check_memory, run_and_check
from tests.fuzz.inputs import committed
from tests.fuzz.targets import TARGETS

ROOT: Final = Path(__file__).parents[1]
CODE: Final = ROOT / "custom_components/imap_push"
KEPT: Final = ROOT / ".artifacts/fuzz"
# Inputs of earlier runs to start with; more would take most of a minute.
MAX_KEPT: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """The work of one process: one target for a time or a number of executions."""

    target: str
    seed: str
    seconds: float
    executions: int | None
    uses_kept: bool


def parse_arguments() -> argparse.Namespace:
    """Return the command line options."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--target", choices=TARGETS)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--executions", type=int)
    parser.add_argument("inputs", metavar="INPUT", nargs="*", type=Path)
    return parser.parse_args()


def slices(options: argparse.Namespace) -> Iterator[Slice]:
    """Yield the work of all processes, with the same time for each target."""
    names = [options.target] if options.target else list(TARGETS)
    seed = time.time_ns() if options.seed is None else options.seed
    for name in names:
        for job in range(options.jobs):
            yield Slice(
                target=name,
                seed=f"{seed}-{job}",
                seconds=options.minutes * 60 / len(names),
                executions=options.executions,
                uses_kept=options.seed is None,
            )


def fuzz(work: Slice) -> Report:
    """Fuzz one target; runs in its own process."""
    target, corpus = TARGETS[work.target], KEPT / "corpus" / work.target
    files = committed(work.target)
    if work.uses_kept:
        corpus.mkdir(parents=True, exist_ok=True)
        kept = sorted(corpus.iterdir())
        files += Random(work.seed).sample(kept, min(len(kept), MAX_KEPT))
    inputs = [*target.seeds(), *(path.read_bytes() for path in files)]

    def keep(data: bytes) -> None:
        if work.uses_kept:
            (corpus / sha256(data).hexdigest()[:16]).write_bytes(data)

    with Edges(CODE) as edges:
        fuzzer = Fuzzer(target, edges, CODE, seed=work.seed, on_new=keep)
        return fuzzer.run(inputs, _run_condition(work))


def _run_condition(work: Slice) -> Callable[[int], bool]:
    if (executions := work.executions) is not None:
        return lambda done: done < executions
    end = time.monotonic() + work.seconds
    return lambda _: time.monotonic() < end


def run(options: argparse.Namespace) -> int:
    """Fuzz in several processes; return the exit code."""
    findings: dict[str, Finding] = {}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, context, max_tasks_per_child=1) as pool:
        for done in as_completed([pool.submit(fuzz, work) for work in slices(options)]):
            report = done.result()
            print(report, flush=True)
            for finding in report.findings.values():
                if finding.name not in findings:
                    findings[finding.name] = finding
                    print_finding(finding)
    print(f"{len(findings)} findings")
    return 1 if findings else 0


def replay(options: argparse.Namespace) -> int:
    """Run saved inputs; return the exit code."""
    result = 0
    for path in options.inputs:
        names = [options.target] if options.target else _targets_of(path)
        for name in names:
            target, data = TARGETS[name], path.read_bytes()
            step, finding = run_and_check(target, data, CODE)
            finding = finding or check_memory(target, data)
            print(f"{path}: {name}: longest step {step * 1000:.1f} ms")
            if finding is not None:
                print(f"  {finding}")
                result = 1
    return result


def _targets_of(path: Path) -> list[str]:
    """Return the target in the name of a file or its folder, all targets if there is none."""
    places = {path.parent.name, path.name.split("-")[0]}
    named = [name for name in TARGETS if name in places]
    return named or list(TARGETS)


def print_finding(finding: Finding) -> None:
    """Save the input of a finding and print the command that repeats it."""
    path = KEPT / finding.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(finding.data)
    print(f"FINDING {finding}")
    print(f"  {len(finding.data)} octets: {finding.data[:200]!r}")
    print(f"  Repeat with: scripts/fuzz {path.relative_to(ROOT)}", flush=True)


def main() -> int:
    """Fuzz or replay, and return the exit code."""
    options = parse_arguments()
    return replay(options) if options.inputs else run(options)


if __name__ == "__main__":
    sys.exit(main())
