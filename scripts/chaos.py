"""Inject faults between the engine and real servers, one run after another, for some minutes.

Called by scripts/chaos, which installs the requirements.
"""

import argparse
import asyncio
import logging
from pathlib import Path
import sys
import tempfile
import time

from tests.faults.fault_run import VARIANTS, Outcome, Variant, run_with_faults
from tests.rig.certificate import make_certificate
from tests.rig.dovecot import Dovecot


def parse_arguments() -> argparse.Namespace:
    """Return the command line options."""
    parser = argparse.ArgumentParser(prog="scripts/chaos")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--variant", choices=[variant.name for variant in VARIANTS])
    return parser.parse_args()


def variant_of(seed: int, name: str | None) -> Variant:
    """Return the named variant, or one that depends on the seed."""
    named = (variant for variant in VARIANTS if variant.name == name)
    return next(named, VARIANTS[seed % len(VARIANTS)])


async def run(options: argparse.Namespace, folder: Path) -> int:
    """Run until the time is over or a violation is found; return the exit code."""
    certificate = make_certificate(folder)
    end = time.monotonic() + options.minutes * 60
    seed, runs, mails, faults = options.seed, 0, 0, 0
    while time.monotonic() < end:
        variant = variant_of(seed, options.variant)
        outcome = await run_with_faults(variant, seed, options.faults, certificate)
        if outcome.violations:
            print(
                f"VIOLATION\n{outcome.report()}\nRepeat with: {_repeat_command(outcome)}"
            )
            return 1
        print(outcome, flush=True)
        seed, runs = seed + 1, runs + 1
        mails += outcome.mails
        faults += sum(outcome.faults.values())
    print(f"{runs} runs, {faults} faults, {mails} mails: each fired exactly once")
    return 0


def _repeat_command(outcome: Outcome) -> str:
    return (
        f"scripts/chaos --minutes 1 --seed {outcome.seed} --variant '{outcome.variant}'"
    )


def main() -> int:
    """Run and return the exit code."""
    options = parse_arguments()
    if not Dovecot.available():
        print("Dovecot 2.3 is not installed", file=sys.stderr)
        return 2
    # asyncio logs a warning for each write to a connection that was reset.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        return asyncio.run(run(options, Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
