"""Run the benchmark. scripts/bench installs the requirements."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Sequence
import signal
import sys
import time
from typing import Final

from .environment import ARTIFACTS, ROOT, Environment, make_environment
from .imapflow_client import imapflow_version, install_imapflow
from .machine import command, describe
from .parts import (
    accounts,
    burst,
    compression,
    folders,
    latency,
    lists,
    loop,
    mailbox,
    octets,
    start,
    steps,
)
from .plot import plot_latency
from .report import Report
from .table import Table
from .targets import compare
from .testbed import Testbed, open_testbed

from tests.rig.dovecot import Dovecot

# Parts that use one Home Assistant with every client in it, and parts that start their own.
ON_TESTBED: Final[dict[str, Callable[[Testbed], Awaitable[Table]]]] = {
    "latency": latency.measure,
    "burst": burst.measure,
    "bytes": octets.measure_mail,
    "bigmail": octets.measure_big,
}
STANDALONE: Final[dict[str, Callable[[Environment], Awaitable[Table]]]] = {
    "mailbox": mailbox.measure,
    "accounts": accounts.measure,
    "folders": folders.measure,
    "start": start.measure,
    "loop": loop.measure,
    "lists": lists.measure,
    "compression": compression.measure,
    "steps": steps.measure,
}
PARTS: Final = (*ON_TESTBED, *STANDALONE)


def say(text: str = "") -> None:
    """Print a line and flush."""
    print(text, flush=True)


async def run(parts: Sequence[str], *, is_quick: bool, imapflow: bool) -> Report:
    """Measure these parts."""
    environment = await make_environment(is_quick=is_quick)
    why_not = await asyncio.to_thread(install_imapflow) if imapflow else "not requested"
    version = imapflow_version() if why_not is None else f"skipped: {why_not}"
    machine = await asyncio.to_thread(describe, version)
    for name, value in machine.items():
        say(f"  {name:15} {value}")
    tables: dict[str, Table] = {}
    on_testbed = [part for part in parts if part in ON_TESTBED]
    if on_testbed:
        async with open_testbed(environment, imapflow=why_not is None) as testbed:
            for part in on_testbed:
                tables[part] = await _measure(part, ON_TESTBED[part](testbed))
    for part in parts:
        if part in STANDALONE:
            tables[part] = await _measure(part, STANDALONE[part](environment))
    return Report(command(), machine, is_quick, tables, compare(tables))


async def _measure(part: str, measurement: Awaitable[Table]) -> Table:
    """Measure a part and print it."""
    began = time.monotonic()
    table = await measurement
    say(f"\n{table.title} ({part}, {time.monotonic() - began:.0f} s)\n{table.plain()}")
    return table


def _parts(text: str) -> list[str]:
    """Return the parts in a comma-separated list, in the order in which they run."""
    names = set(text.split(","))
    if unknown := names.difference(PARTS):
        raise argparse.ArgumentTypeError(f"no such part: {', '.join(sorted(unknown))}")
    return [part for part in PARTS if part in names]


def parse_arguments() -> argparse.Namespace:
    """Return the command line options."""
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument(
        "--only", type=_parts, default=list(PARTS), metavar=",".join(PARTS)
    )
    parser.add_argument("--quick", action="store_true", help="only test that it works")
    parser.add_argument("--no-imapflow", action="store_true")
    return parser.parse_args()


async def run_until_interrupted(options: argparse.Namespace) -> int:
    """Run, write the results and return the exit code."""
    imapflow = not options.no_imapflow
    running = run(options.only, is_quick=options.quick, imapflow=imapflow)
    task = asyncio.create_task(running)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, _interrupt, task)
    await asyncio.wait([task])
    if task.cancelled():
        return 130
    report = task.result()
    report.write(ARTIFACTS)
    if "latency" in report.tables:
        plot_latency(report.tables["latency"], ARTIFACTS / "latency.png")
    say(f"\nTargets\n{report.plain_targets()}")
    say(f"\nresults.json, results.md and latency.png: {ARTIFACTS.relative_to(ROOT)}/")
    return 1 if report.missed and not report.is_quick else 0


def _interrupt(task: asyncio.Task[Report]) -> None:
    """Cancel the task at the first signal; a second one must not interrupt the cleanup."""
    if not task.cancelling():
        task.cancel()
        say("\nEnding everything.")


def main() -> int:
    """Run the benchmark and return the exit code: 1 if a target is missed."""
    options = parse_arguments()
    if not Dovecot.available():
        print("The benchmark needs Dovecot 2.3 with LMTP.", file=sys.stderr)
        return 1
    return asyncio.run(run_until_interrupted(options))


if __name__ == "__main__":
    sys.exit(main())
