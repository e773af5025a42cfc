"""Storm after storm between the engine and real servers, until the time is over.

Run by scripts/chaos, which sets up what this needs.
"""

import argparse
import asyncio
import logging
from pathlib import Path
import sys
import tempfile
import time

from tests.faults.storm import VARIANTS, Outcome, Variant, weather
from tests.rig.certificate import make_certificate
from tests.rig.dovecot import Dovecot


def parse_arguments() -> argparse.Namespace:
    """Return what the user asked for."""
    parser = argparse.ArgumentParser(prog="scripts/chaos")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--variant", choices=[variant.name for variant in VARIANTS])
    return parser.parse_args()


def variant_of(seed: int, name: str | None) -> Variant:
    """Return the variant of a round: the seed tells it unless the user does."""
    named = (variant for variant in VARIANTS if variant.name == name)
    return next(named, VARIANTS[seed % len(VARIANTS)])


async def run(options: argparse.Namespace, folder: Path) -> int:
    """Run rounds until the time is over or a mail is; return the exit code."""
    certificate = make_certificate(folder)
    end = time.monotonic() + options.minutes * 60
    seed, rounds, mails, faults = options.seed, 0, 0, 0
    while time.monotonic() < end:
        variant = variant_of(seed, options.variant)
        outcome = await weather(variant, seed, options.faults, certificate)
        if outcome.violations:
            print(f"VIOLATION\n{outcome.story()}\nAgain: {_again(outcome)}")
            return 1
        print(outcome, flush=True)
        seed, rounds = seed + 1, rounds + 1
        mails += outcome.mails
        faults += sum(outcome.faults.values())
    print(f"{rounds} rounds, {faults} faults, {mails} mails: each fired exactly once")
    return 0


def _again(outcome: Outcome) -> str:
    return (
        f"scripts/chaos --minutes 1 --seed {outcome.seed} --variant '{outcome.variant}'"
    )


def main() -> int:
    """Run the storms and return the exit code."""
    options = parse_arguments()
    if not Dovecot.available():
        print("Dovecot 2.3 is not installed", file=sys.stderr)
        return 2
    # asyncio warns of each word to a connection that has just been reset.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        return asyncio.run(run(options, Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
