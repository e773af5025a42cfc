"""Compare the engine with independent mail parsers. scripts/corpus describes the options."""

import argparse
import asyncio
from pathlib import Path
import sys

from tests.corpus import javascript, report
from tests.corpus.compare import FIELDS
from tests.corpus.engine import Push
from tests.corpus.messages import messages_in, pages_in
from tests.corpus.run import run
from tests.rig.browser import Browser
from tests.rig.dovecot import Dovecot


def parse_arguments() -> argparse.Namespace:
    """Return the command line options."""
    parser = argparse.ArgumentParser(prog="scripts/corpus")
    parser.add_argument("folder", metavar="FOLDER", type=Path)
    parser.add_argument("--text-size", type=int, default=4_000)
    parser.add_argument(
        "--push",
        type=Push,
        choices=list(Push),
        default=Push.NOTIFY,
    )
    parser.add_argument("--show", metavar="FIELD", choices=[*FIELDS, "all"])
    return parser.parse_args()


def missing() -> str | None:
    """Return what is missing for a run, None if nothing is."""
    if not Dovecot.available():
        return "Dovecot 2.3 is not installed"
    if not Browser.available():
        return "Chromium is not installed"
    return javascript.install()


def main() -> int:
    """Compare, print the result and return the exit code."""
    options = parse_arguments()
    if (reason := missing()) is not None:
        print(reason, file=sys.stderr)
        return 2
    messages = list(messages_in(options.folder))
    pages = list(pages_in(options.folder))
    if not messages and not pages:
        print(f"no message in {options.folder}", file=sys.stderr)
        return 2
    result = asyncio.run(run(messages, pages, options.push, options.text_size))
    comparisons = result.comparisons
    if options.show:
        field = None if options.show == "all" else options.show
        print(*report.differences(comparisons, field), sep="\n")
    print(
        f"{len(messages)} messages, {len(pages)} HTML files, {options.push}, text of {options.text_size}"
    )
    print(*report.table(comparisons), sep="\n")
    for name in result.lost:
        print(f"not delivered: {name}")
    lines, is_good = report.summary(comparisons, len(result.lost))
    print(*lines, sep="\n")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
