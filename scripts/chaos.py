"""Inject faults between the engine and real servers, one run after another, for some minutes.

Called by scripts/chaos, which installs the requirements.
"""

import argparse
import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
import logging
from pathlib import Path
import sys
import tempfile
import time

from tests.faults.fault_run import STORMS, VARIANTS, Variant, run_with_faults, storms
from tests.rig.certificate import Certificate, make_certificate
from tests.rig.servers import reason_against, start
from tests.rig.servers.server import DOVECOT_2_3


def parse_arguments() -> argparse.Namespace:
    """Return the command line options."""
    parser = argparse.ArgumentParser(prog="scripts/chaos")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--variant")
    parser.add_argument("--server", choices=STORMS)
    return parser.parse_args()


async def run(
    options: argparse.Namespace, variants: Sequence[Variant], certificate: Certificate
) -> int:
    """Run until the time is over or a violation is found; return the exit code."""
    end = time.monotonic() + options.minutes * 60
    seed, runs, mails, faults, actions = options.seed, 0, 0, 0, 0
    while time.monotonic() < end:
        variant = variants[seed % len(variants)]
        outcome = await run_with_faults(variant, seed, options.faults, certificate)
        if outcome.violations:
            print(
                f"VIOLATION\n{outcome.report()}\nRepeat with --minutes 1"
                f" --seed {outcome.seed} --variant '{outcome.variant}'"
            )
            return 1
        print(outcome, flush=True)
        seed, runs = seed + 1, runs + 1
        mails += outcome.mails
        faults += sum(outcome.faults.values())
        actions += sum(outcome.actions.values())
    print(
        f"{runs} runs, {faults} faults, {actions} actions, {mails} mails: each fired once"
    )
    return 0


def main() -> int:
    """Run and return the exit code."""
    options = parse_arguments()
    # asyncio logs a warning for each write to a connection that was reset.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    name = options.server
    if reason := reason_against(name or DOVECOT_2_3):
        sys.exit(f"{name or DOVECOT_2_3}: {reason}")
    with ExitStack() as stack:
        if name:
            server = stack.enter_context(start(name))
            variants, certificate = storms(server), server.certificate
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-"))
            variants, certificate = VARIANTS, make_certificate(Path(folder))
        wanted = [it for it in variants if options.variant in {None, it.name}]
        if not wanted:
            sys.exit(f"the variants are: {', '.join(it.name for it in variants)}")
        return asyncio.run(run(options, wanted, certificate))


if __name__ == "__main__":
    sys.exit(main())
