"""UIDNEXT, UIDVALIDITY, EXISTS and dates that are wrong, late or missing."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
import re

import pytest

from .scenario import (
    AT_ONCE,
    EVERY_MODE,
    POLLED,
    USUAL,
    Expected,
    Play,
    Scenario,
    play_and_check,
    table,
)

from tests.rig.light_client import Event
from tests.rig.light_folder import UID_VALIDITY
from tests.rig.odd import Answer, changed, odd, slow, tagged, without


def _uid_next(compute: Callable[[int], int]) -> Answer:
    """Replace UIDNEXT by a number that is computed from the right one."""

    def answer(event: Event) -> Iterable[bytes]:
        return [
            re.sub(
                rb"UIDNEXT (\d+)",
                lambda found: b"UIDNEXT %d" % compute(int(found[1])),
                line,
            )
            for line in event.usual()
        ]

    return answer


def _wrong_numbers() -> Iterator[tuple[str, str, str, Answer, Expected]]:
    for name, compute in (
        ("1", lambda right: 1),
        ("one too low", lambda right: right - 1),
        ("two too low", lambda right: max(right - 2, 1)),
        ("1000 too high", lambda right: right + 1000),
        ("one too high", lambda right: right + 1),
        ("4294967295", lambda right: 2**32 - 1),
        ("0", lambda right: 0),
        ("always that of the beginning", lambda right: 4),
    ):
        source = "jstedfast/MailKit#1010, mscdex/node-imap#549, or no public report"
        yield "L10", f"UIDNEXT {name}", source, _uid_next(compute), Expected()
    yield (
        "L10",
        "UIDNEXT -1",
        "no public report",
        changed(rb"UIDNEXT \d+", b"UIDNEXT -1"),
        Expected(),
    )
    yield (
        "L10",
        "UIDNEXT missing",
        "chatmail/core#4842, #5049",
        without(rb"UIDNEXT"),
        Expected(),
    )
    yield (
        "L1",
        "EXISTS with two blanks in EXAMINE",
        "modern-email/defects#45, python/cpython#117152 (DavMail)",
        changed(rb"^\* (\d+ EXISTS)", rb"*  \1"),
        Expected(),
    )
    yield (
        "L1",
        "EXISTS with three blanks in EXAMINE",
        "near modern-email/defects#45 (DavMail)",
        changed(rb"^\* (\d+) EXISTS", rb"*   \1   EXISTS"),
        Expected(),
    )
    for seconds in (35, 55):
        yield (
            "L3",
            f"EXAMINE takes {seconds} s",
            "a large mbox",
            slow(seconds),
            Expected(off=seconds + 1.0),
        )


def _in_each_mode() -> Iterator[Scenario]:
    for row, name, source, answer, expected in _wrong_numbers():
        for mode in EVERY_MODE:
            # Each poll takes as long.
            late = POLLED + 60 if mode == "poll" and row == "L3" else expected.late
            yield Scenario(
                row=row,
                name=name,
                source=source,
                mode=mode,
                hooks=(odd("EXAMINE STATUS" if row == "L10" else "EXAMINE", answer),),
                expected=replace(expected, late=late),
            )
    for mode in EVERY_MODE:
        yield Scenario(
            row="L2",
            name="MESSAGES in the first minute",
            source="every transcript of EXAMINE in MailKit",
            mode=mode,
            arrivals=(),
            minutes=0.8,
        )
        yield Scenario(
            row="L2",
            name="MESSAGES of two folders in the first minute",
            source="every transcript of EXAMINE in MailKit",
            mode=mode,
            folders=("INBOX", "Work"),
            arrivals=(),
            minutes=0.8,
        )
        yield Scenario(
            row="L2",
            name="nothing happens for an hour",
            source="every transcript of EXAMINE in MailKit",
            mode=mode,
            arrivals=(),
            minutes=60,
        )
        yield from _distant_uids(mode)
        for kept in (1, 0, 3):
            yield Scenario(
                row="L16",
                name=f"UIDs start again after {kept}",
                source="chatmail/core#2188 (GMX)",
                mode=mode,
                acts=((300.0, partial(_rewind, kept)),),
                expected=Expected(late=POLLED if mode == "poll" else AT_ONCE),
            )


def _rewind(kept: int, play: Play) -> None:
    """Start again with UIDs after `kept`; UIDVALIDITY stays the same."""
    play.folder().renumber(kept, validity=UID_VALIDITY)


def _distant_uids(mode: str) -> Iterator[Scenario]:
    """Yield servers with UIDs that are 2,000 apart."""
    acts = tuple((seconds, partial(_deliver_far, count)) for seconds, count in USUAL)
    for name, hooks in (
        ("SEARCH UID is refused", (odd("SEARCH", _bad, about=rb"UID \d"),)),
        ("SEARCH UID is refused with NO", (odd("SEARCH", _no, about=rb"UID \d"),)),
        ("every SEARCH is refused", (odd("SEARCH", _bad),)),
        ("all is well", ()),
    ):
        yield Scenario(
            row="L4",
            name=f"UIDs 2,000 apart, {name}",
            source="nextcloud/mail#13117 (grommunio)",
            mode=mode,
            hooks=hooks,
            arrivals=(),
            acts=acts,
            expected=Expected(
                late=POLLED + 5 if mode == "poll" else 15.0,
                unread=name != "every SEARCH is refused",
            ),
        )


_bad = tagged(b"BAD unknown criteria")
_no = tagged(b"NO cannot search that")


def _deliver_far(count: int, play: Play) -> None:
    folder = play.folder()
    folder.gone.update(range(folder.last + 1, folder.last + 2001))
    folder.last += 2000
    play.deliver(count)


@table(_in_each_mode())
def test_wrong_numbers(scenario: Scenario, caplog: pytest.LogCaptureFixture) -> None:
    """New messages are delivered, old ones are not."""
    play_and_check(scenario, caplog)
