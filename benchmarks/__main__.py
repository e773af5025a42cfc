"""Run the benchmark. scripts/bench sets up what this needs."""

import argparse
import asyncio
from collections.abc import Awaitable, Callable, Sequence
import signal
import sys
import time
from typing import Final

from .bars import judge
from .imapflow_client import imapflow_version, install_imapflow
from .machine import command, describe
from .parts import (
    accounts,
    burst,
    compression,
    folders,
    latency,
    mailbox,
    octets,
    start,
    steps,
)
from .plot import plot_latency
from .report import Report
from .setting import ARTIFACTS, ROOT, Setting, make_setting
from .stage import Stage, open_stage
from .table import Table

from tests.rig.dovecot import Dovecot

# Those that deliver mail to every client in one Home Assistant, and those that need
# Home Assistants of their own.
ON_STAGE: Final[dict[str, Callable[[Stage], Awaitable[Table]]]] = {
    "latency": latency.measure,
    "burst": burst.measure,
    "bytes": octets.measure_mail,
    "bigmail": octets.measure_big,
}
ALONE: Final[dict[str, Callable[[Setting], Awaitable[Table]]]] = {
    "mailbox": mailbox.measure,
    "accounts": accounts.measure,
    "folders": folders.measure,
    "start": start.measure,
    "compression": compression.measure,
    "steps": steps.measure,
}
PARTS: Final = (*ON_STAGE, *ALONE)


def say(text: str = "") -> None:
    """Print a line at once."""
    print(text, flush=True)


async def run(parts: Sequence[str], *, is_quick: bool, imapflow: bool) -> Report:
    """Measure these parts."""
    setting = await make_setting(is_quick=is_quick)
    why_not = await asyncio.to_thread(install_imapflow) if imapflow else "not asked for"
    version = imapflow_version() if why_not is None else f"skipped: {why_not}"
    machine = await asyncio.to_thread(describe, version)
    for name, value in machine.items():
        say(f"  {name:15} {value}")
    tables: dict[str, Table] = {}
    staged = [part for part in parts if part in ON_STAGE]
    if staged:
        async with open_stage(setting, imapflow=why_not is None) as stage:
            for part in staged:
                tables[part] = await _measure(part, ON_STAGE[part](stage))
    for part in parts:
        if part in ALONE:
            tables[part] = await _measure(part, ALONE[part](setting))
    return Report(command(), machine, is_quick, tables, judge(tables))


async def _measure(part: str, measuring: Awaitable[Table]) -> Table:
    """Measure a part and print it."""
    began = time.monotonic()
    table = await measuring
    say(f"\n{table.title} ({part}, {time.monotonic() - began:.0f} s)\n{table.plain()}")
    return table


def _parts(text: str) -> list[str]:
    """Return the parts out of a list with commas, in the order in which they run."""
    wanted = set(text.split(","))
    if unknown := wanted.difference(PARTS):
        raise argparse.ArgumentTypeError(f"no such part: {', '.join(sorted(unknown))}")
    return [part for part in PARTS if part in wanted]


def parse_arguments() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument(
        "--only", type=_parts, default=list(PARTS), metavar=",".join(PARTS)
    )
    parser.add_argument("--quick", action="store_true", help="see that it works")
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
    say(f"\nBars\n{report.plain_bars()}")
    say(f"\nresults.json, results.md and latency.png: {ARTIFACTS.relative_to(ROOT)}/")
    return 0


def _interrupt(task: asyncio.Task[Report]) -> None:
    """Have everything ended, once: whoever is impatient must not leave half of it."""
    if not task.cancelling():
        task.cancel()
        say("\nEnding everything.")


def main() -> int:
    """Run the benchmark and return the exit code: a bar that is missed is no error."""
    options = parse_arguments()
    if not Dovecot.available():
        print("The benchmark needs Dovecot 2.3 with LMTP.", file=sys.stderr)
        return 1
    return asyncio.run(run_until_interrupted(options))


if __name__ == "__main__":
    sys.exit(main())
