"""The open folder is not what it was: recreated, renumbered, or a view that does not move."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
import re

import pytest

from custom_components.imap_push.imap import (
    ConnectionLost,
    FolderNotFound,
    Mark,
    PushMode,
)

from ..light import POLL
from .scenario import (
    AT_ONCE,
    EVERY_MODE,
    POLLED,
    PUSH,
    REFRESH,
    Expected,
    Play,
    Scenario,
    play_and_check,
    table,
)

from tests.rig.light_client import Event
from tests.rig.light_folder import UID_VALIDITY
from tests.rig.odd import Answer, Hook, changed, odd, tagged

OTHER: int = UID_VALIDITY + 1
RECREATED_AT = 300.0


def _late(mode: str) -> float:
    """Return the seconds after which a change without any sign is noticed."""
    return POLLED if mode == "poll" else REFRESH


# F2: a folder that was deleted or renamed, and created again


def _if_replaced(names: str, answer: Answer) -> Hook:
    """Return a hook for clients whose open folder is not the one of this name any more."""
    hook = odd(names, answer)

    def replaced(event: Event) -> Iterable[bytes] | None:
        selected = event.client.selected
        if selected is None or event.store.folders.get(selected.name) is selected:
            return None
        return hook(event)

    return replaced


def _refused(text: bytes) -> Callable[[], tuple[Hook, ...]]:
    return lambda: (_if_replaced("FETCH", tagged(text)),)


# What a server says to clients that have the old folder open.
OLD_FOLDER: dict[str, tuple[str, Callable[[], tuple[Hook, ...]]]] = {
    "NO Mailbox does not exist": (
        "Cyrus 3.6 and 3.12",
        _refused(b"NO Mailbox does not exist"),
    ),
    "NO [NONEXISTENT]": ("RFC 5530", _refused(b"NO [NONEXISTENT] Unknown Mailbox")),
    "NO without a reason": ("near Cyrus 3.6", _refused(b"NO FETCH failed")),
    "BAD": ("RFC 3501 6.4.8", _refused(b"BAD No mailbox selected")),
    "an empty view": ("Gluon 0.17", tuple),
    "NO to every command": (
        "near Cyrus 3.6",
        lambda: (
            _if_replaced(
                "FETCH SEARCH NOOP CHECK IDLE", tagged(b"NO Mailbox does not exist")
            ),
        ),
    ),
}


def _recreated() -> Iterator[Scenario]:
    for name, (source, hooks) in OLD_FOLDER.items():
        for mode in EVERY_MODE:
            for validity in (UID_VALIDITY, OTHER):
                for renamed in (False, True):
                    yield Scenario(
                        row="F2",
                        name=f"{'renamed' if renamed else 'deleted'} and created, "
                        f"{'same' if validity == UID_VALIDITY else 'other'} UIDVALIDITY, {name}",
                        source=source,
                        mode=mode,
                        hooks=hooks(),
                        acts=((RECREATED_AT, partial(_recreate, validity, renamed)),),
                        expected=_noticed(mode),
                    )


def _noticed(mode: str) -> Expected:
    late = _late(mode)
    usual = POLLED if mode == "poll" else AT_ONCE
    return Expected(late_for={7: late}, late=usual, logins=3)


def _recreate(validity: int, renamed: bool, play: Play, name: str = "INBOX") -> None:
    old = play.server.forget(name, renamed=renamed)
    play.server.create(name, validity=validity, after=old.number(old.last))


def _other_ways() -> Iterator[Scenario]:
    for mode in EVERY_MODE:
        yield Scenario(
            row="F2",
            name="the view moves to the new folder",
            source="Courier 5.0.13",
            mode=mode,
            acts=((RECREATED_AT, lambda play: play.folder().renumber(0)),),
            expected=_noticed(mode),
        )
        yield Scenario(
            row="F2",
            name="gone for ten minutes",
            source="Cyrus 3.6 and 3.12",
            mode=mode,
            hooks=_refused(b"NO Mailbox does not exist")(),
            arrivals=((60.0, 3), (1000.0, 1), (1500.0, 1)),
            acts=((RECREATED_AT, _remove), (900.0, _restore)),
            expected=Expected(
                late_for={7: 310.0, 8: 310.0},
                logins=12,
                off=950.0,
                errors=(FolderNotFound,),
            ),
        )
        yield Scenario(
            row="F2",
            name="Work, deleted and created",
            source="Cyrus 3.6 and 3.12",
            mode=mode,
            folders=("INBOX", "Work"),
            hooks=_refused(b"NO Mailbox does not exist")(),
            acts=(
                (RECREATED_AT, lambda play: _recreate(OTHER, False, play, "Work")),
                (500.0, lambda play: play.deliver(2, "Work")),
                (1400.0, lambda play: play.deliver(1, "Work")),
            ),
            expected=Expected(
                late_for=dict.fromkeys([("Work", 4), ("Work", 5)], _late(mode))
                | {("Work", 6): POLLED},
                logins=5,
            ),
        )
        for again in (1.0, 20.0):
            yield Scenario(
                row="F8",
                name=f"BYE, and created {again:.0f} s later",
                source="Dovecot 2.4: BYE where a folder is deleted",
                mode=mode,
                arrivals=((60.0, 1), (61.0, 2), (1500.0, 1)),
                acts=(
                    (RECREATED_AT, lambda play: play.server.remove("INBOX")),
                    (RECREATED_AT + again, _restore),
                    (RECREATED_AT + again, lambda play: play.deliver(1)),
                ),
                expected=Expected(
                    late_for={7: POLLED if mode == "poll" else 10.0 + again},
                    logins=6,
                    off=60.0,
                    errors=(FolderNotFound, ConnectionLost),
                ),
            )
        yield Scenario(
            row="F8",
            name="three other UIDVALIDITYs in a minute",
            source="near Dovecot 2.4",
            mode=mode,
            arrivals=((60.0, 1), (61.0, 2), (345.0, 1), (1500.0, 1)),
            acts=tuple(
                (RECREATED_AT + 20 * number, partial(_renumber_with_bye, number))
                for number in range(3)
            ),
            expected=Expected(
                late_for={7: POLLED if mode == "poll" else 10.0},
                logins=5,
                busiest=100,
            ),
        )


def _checked_now() -> Iterator[Scenario]:
    """Yield changes without any sign, after which the user asks for a check."""
    for name, (source, hooks) in OLD_FOLDER.items():
        for mode in PUSH:
            for renamed in (False, True):
                yield Scenario(
                    row="F2",
                    name=f"{'renamed' if renamed else 'deleted'} and created, check now, {name}",
                    source=source,
                    mode=mode,
                    hooks=hooks(),
                    arrivals=((60.0, 1), (61.0, 2), (1500.0, 1)),
                    acts=(
                        (RECREATED_AT, partial(_recreate, OTHER, renamed)),
                        (RECREATED_AT + 1, lambda play: play.deliver(1)),
                        (RECREATED_AT + 5, lambda play: play.check_now()),
                    ),
                    expected=Expected(late=AT_ONCE, late_for={7: 15.0}, logins=3),
                )


def _renumber_with_bye(number: int, play: Play) -> None:
    play.folder().renumber(0, validity=OTHER + number)
    play.server.dismiss_all()


def _remove(play: Play) -> None:
    """Remove INBOX for clients that do not have it open."""
    play.server.forget("INBOX")


def _restore(play: Play) -> None:
    play.server.create("INBOX", validity=OTHER, after=6)


@table(_recreated(), _other_ways(), _checked_now())
def test_recreated_folder(scenario: Scenario, caplog: pytest.LogCaptureFixture) -> None:
    """It is noticed within one refresh, and all messages in the new folder are delivered."""
    play_and_check(scenario, caplog)


# F4: a view that does not move


def _stale() -> Iterator[Scenario]:
    for mode in EVERY_MODE:
        for exists in (0, 3):
            for counted in ("STATUS", "SEARCH"):
                capabilities = {
                    "idle": b" IDLE",
                    "notify": b" IDLE NOTIFY",
                    "poll": b"",
                }[mode]
                if counted == "SEARCH":
                    capabilities += b" ESEARCH"
                yield Scenario(
                    row="F4",
                    name=f"stale from {exists} messages on, unread by {counted}",
                    source="GNU mailutils imap4d 3.15, mbox",
                    mode=mode,
                    capabilities=POLL.replace(b" ESEARCH", b"") + capabilities,
                    hooks=(
                        odd("EXAMINE", _fixed),
                        odd("FETCH SEARCH IDLE NOOP NOTIFY", _as_fixed),
                        odd("NEWS", lambda event: ()),
                    ),
                    exists=exists,
                    # Nothing is announced, so that another mode is right, too.
                    expected=Expected(late=_late(mode), modes=tuple(PushMode)),
                )
    for mode in PUSH:
        yield Scenario(
            row="F4",
            name="stale, check now",
            source="GNU mailutils imap4d 3.15, mbox",
            mode=mode,
            hooks=(
                odd("EXAMINE", _fixed),
                odd("FETCH SEARCH IDLE NOOP NOTIFY", _as_fixed),
                odd("NEWS", lambda event: ()),
            ),
            arrivals=((60.0, 1),),
            acts=((65.0, lambda play: play.check_now()),),
            expected=Expected(late=15.0),
        )


def _fixed(event: Event) -> Iterable[bytes]:
    """Remember the last UID of the view."""
    lines = event.usual()
    selected = event.client.selected
    event.client.memory["view"] = selected.last if selected else 0
    return lines


def _as_fixed(event: Event) -> Iterable[bytes]:
    """Answer for the view, in which nothing is new."""
    view = event.client.memory["view"]
    for line in event.usual():
        if re.fullmatch(rb"\* \d+ EXISTS", line):
            continue
        if found := re.search(rb"FETCH \(UID (\d+)", line):
            if int(found[1]) > view:
                continue
        if line.startswith(b"* SEARCH"):
            uids = [uid for uid in line.split()[2:] if int(uid) <= view]
            line = b" ".join((b"* SEARCH", *uids))
        yield re.sub(rb"COUNT \d+", b"COUNT %d" % view, line)


@table(_stale())
def test_stale_view(scenario: Scenario, caplog: pytest.LogCaptureFixture) -> None:
    """Messages that only another EXAMINE shows are found within one refresh."""
    play_and_check(scenario, caplog)


# F3: dates that no calendar has


DATES = (
    b"01-Jan-0001 00:00:00 +0000",
    b"01-Jan-0001 00:00:00 +1400",
    b"31-Dec-9999 23:59:59 -1400",
    b"01-Jan-0000 00:00:00 +0000",
    b"31-Feb-2026 00:00:00 +0000",
    b" 1-Jan-1970 00:00:00 +0000",
    b"17-Jul-1996 02:44:25 -0700",
)


def _dates() -> Iterator[Scenario]:
    source = "Go servers print a zero time like this (Gluon 0.17)"
    for date in DATES:
        dated = odd(
            "FETCH NEWS",
            changed(rb'INTERNALDATE "[^"]*"', b'INTERNALDATE "%b"' % date),
        )
        for mode in EVERY_MODE:
            scenario = Scenario(
                row="F3",
                name=f"{date.decode()}, another UIDVALIDITY",
                source=source,
                mode=mode,
                hooks=(dated,),
                acts=((RECREATED_AT, partial(_renumber_with_bye, 0)),),
                expected=Expected(logins=3),
            )
            yield scenario
            yield replace(
                scenario, name=f"{date.decode()}, the same UIDVALIDITY", acts=()
            )
    for year in (1, 9999):
        received = datetime(year, 1, 1, tzinfo=UTC)
        for mode in EVERY_MODE:
            yield Scenario(
                row="F3",
                name=f"a mark of the year {year}, another UIDVALIDITY",
                source=source,
                mode=mode,
                exists=0,
                marks={"INBOX": Mark(OTHER, 4, received)},
            )


@table(_dates())
def test_odd_dates(scenario: Scenario, caplog: pytest.LogCaptureFixture) -> None:
    """No date stops the watcher."""
    play_and_check(scenario, caplog)


# F7: UIDs that are given twice


def _given_twice() -> Iterator[Scenario]:
    for mode in ("idle", "notify"):
        for seconds in (0.06, 1.0, 5.0):
            yield Scenario(
                row="F7",
                name=f"a message gets the next UID after {seconds:g} s",
                source="Courier 5.0.13: local delivery and APPEND at the same time",
                mode=mode,
                arrivals=((60.0, 1), (400.0, 1), (1500.0, 1)),
                acts=((60.0 + seconds, _exchange),),
                expected=Expected(late=AT_ONCE, late_for={4: 6.0}, taken=(4, 5)),
            )


def _exchange(play: Play) -> None:
    """Give UID 4 to another message; the one that had it gets UID 5."""
    play.folder().numbers.update({4: 5, 5: 4})
    play.arrived["INBOX", 5] = play.recorder.seconds
    play.server.deliver(1)


@table(_given_twice())
def test_uid_given_twice(scenario: Scenario, caplog: pytest.LogCaptureFixture) -> None:
    """A documented limit: one is delivered again in place of the other, and nothing else is lost."""
    play_and_check(scenario, caplog)
