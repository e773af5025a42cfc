"""Half an hour at an odd server, and what has to come of it.

Expected results are from RFC 3501 and 9051, 2177, 5465 and 5530, and from the rules in
docs/engine.md and docs/reliability.md.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
import contextlib
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, pairwise
import logging
import math
import random
import re
from typing import Any, Final, override

import pytest

from custom_components.imap_push.imap import (
    AccountState,
    Arrival,
    ImapError,
    Mark,
    PushMode,
    TooManyConnections,
    WatchOptions,
)
from custom_components.imap_push.imap.wire.mailbox_name import encode_folder

from ..light import IDLE, NOTIFY, POLL, served
from ..recorder import Recorder
from ..virtual import VirtualLoop, run, watched

from tests.rig.light_client import Event
from tests.rig.light_folder import UID_VALIDITY, LightFolder
from tests.rig.light_server import LightServer
from tests.rig.odd import Hook

CAPABILITIES: Final = {"idle": IDLE, "notify": NOTIFY, "poll": POLL}
EVERY_MODE: Final = tuple(CAPABILITIES)
PUSH: Final = ("idle", "notify")

# Seconds until a message is delivered: at once (a server may need to be asked again), at the
# next poll, or at the next refresh of IDLE.
AT_ONCE: Final = 3.0
POLLED: Final = 61.0
REFRESH: Final = 286.0
# Seconds and numbers of messages that arrive in INBOX.
USUAL: Final = ((60.0, 1), (61.0, 2), (400.0, 1), (1500.0, 1))
# Seconds after which nothing is left to do after a message.
_SETTLED: Final = 300.0
# Outages up to this many seconds are not outages to users.
_SHORT: Final = 10.0
# Commands in a minute after which a scenario ends, as it would take too long.
_FLOOD: Final = 300

type Act = Callable[[Play], object]
# Seconds by number, or by folder and number.
type Delays = Mapping[Any, float]


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What has to come of a scenario. All messages that arrive have to be delivered.

    `late` is the number of seconds until a message is delivered, by default that of the mode, and
    `late_for` those for some, by number. `silent` is when no FETCH may be sent, as the server stated
    how long to wait, from and to these seconds. `bare` are messages that may lack their fields, and
    `given_up` those that may be left out; either way one line of the log names folder and UID.
    `taken`: the first of these messages has taken the place of the second.
    `unlogged`: that line is not needed, as the server refuses the fields of all messages.
    `logins` is the number for the whole time; there are never more than three in a minute.
    `commands` is the number per minute while nothing happens, `busiest` that in any minute. `off` is how long the account may be
    reported as not connected, and `errors` the errors that it may report. `modes` are the push
    modes of INBOX at the end. `broken` and `missing` are folders that are not available at the
    end; a line of the log names them, if `is_named`. `unread`, `messages`: these numbers
    are right at the end. `warnings` is the number of lines in the log at that level.
    """

    late: float | None = None
    late_for: Delays = field(default_factory=dict)
    silent: tuple[float, float] | None = None
    bare: frozenset[int] = frozenset()
    given_up: frozenset[int] = frozenset()
    taken: tuple[int, int] | None = None
    unlogged: bool = False
    logins: int | None = None
    commands: float = 10.0
    busiest: int = 90
    off: float = _SHORT
    errors: tuple[type[ImapError], ...] = ()
    modes: tuple[PushMode, ...] = ()
    broken: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    is_named: bool = True
    connected: bool = True
    unread: bool = True
    messages: bool = True
    warnings: int = 6


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What a server does. `row` is the finding, `source` who reports it.

    `marks` are those of a watcher that was stopped, by folder. `acts` happen on the
    server at these seconds. `exists` is the number of messages in each folder at first.
    """

    row: str
    name: str
    source: str
    hooks: tuple[Hook, ...] = ()
    mode: str = "idle"
    capabilities: bytes = b""
    host: str = "127.0.0.1"
    folders: tuple[str, ...] = ("INBOX",)
    marks: Mapping[str, Mark] = field(default_factory=dict)
    exists: int = 3
    arrivals: tuple[tuple[float, int], ...] = USUAL
    acts: tuple[tuple[float, Act], ...] = ()
    minutes: float = 30.0
    expected: Expected = field(default_factory=Expected)

    @property
    def id(self) -> str:
        """Return the name of the test."""
        return f"{self.row} {self.name} {self.mode}"


def case(name: str, *values: object) -> Any:
    """Return a parameter set. The name begins with the row."""
    return pytest.param(*values, id=name)


def table(*scenarios: Iterable[Scenario]) -> pytest.MarkDecorator:
    """Return the parameters of a test."""
    return pytest.mark.parametrize(
        "scenario", [case(it.id, it) for it in chain.from_iterable(scenarios)]
    )


def marks_at(next_uid: int, *folders: str) -> dict[str, Mark]:
    """Return the same mark for each folder."""
    return dict.fromkeys(folders, Mark(UID_VALIDITY, next_uid))


class TimedRecorder(Recorder):
    """A listener that records when it is called, in seconds since its creation."""

    def __init__(self, server: LightServer) -> None:
        """Start now."""
        super().__init__()
        self._server = server
        self._clock = asyncio.get_running_loop().time
        self._started = self._clock()
        self.numbers: list[tuple[str, int]] = []
        self.arrived_at: list[float] = []
        self.wrong_validity: list[int] = []
        self.changed_at: list[float] = []

    @property
    def seconds(self) -> float:
        """Return the time since the creation."""
        return self._clock() - self._started

    @override
    async def mail_arrived(self, arrival: Arrival) -> None:
        mail = arrival.mail
        folder = self._server.folder(encode_folder(mail.folder))
        by_id = re.fullmatch(r"<?(\d+)@example\.org>?", mail.message_id or "")
        number = int(by_id[1]) if by_id else folder.number(mail.uid)
        if mail.uid_validity != folder.uid_validity:
            self.wrong_validity.append(number)
        self.numbers.append((mail.folder, number))
        self.arrived_at.append(self.seconds)
        await super().mail_arrived(arrival)

    @override
    def state_changed(self, state: AccountState) -> None:
        self.changed_at.append(self.seconds)
        super().state_changed(state)

    def outages(self) -> Iterator[tuple[AccountState, float]]:
        """Yield each state in which the account is not connected, and how long it lasts."""
        ends = [*self.changed_at[1:], self.seconds]
        for state, start, end in zip(self.states, self.changed_at, ends, strict=True):
            if not state.connected:
                yield state, end - start


class FloodError(Exception):
    """The client sent more than _FLOOD commands in a minute."""


@dataclass
class Play:
    """A scenario while it runs, and its result."""

    scenario: Scenario
    loop: VirtualLoop
    arrived: dict[tuple[str, int], float] = field(default_factory=dict)
    commands: list[tuple[float, bytes]] = field(default_factory=list)
    state: AccountState | None = None  # None: the client flooded the server
    outages: tuple[tuple[AccountState, float], ...] = ()
    is_flooded: bool = False

    async def run(self) -> None:
        """Play the scenario."""
        scenario = self.scenario
        self.server = served(
            self.loop,
            *map(encode_folder, scenario.folders),
            capabilities=scenario.capabilities or CAPABILITIES[scenario.mode],
            hooks=(self._record, *scenario.hooks),
        )
        for name in scenario.folders:
            self.folder(name).last = scenario.exists
        self.recorder = TimedRecorder(self.server)
        for name, mark in scenario.marks.items():
            for missed in range(mark.next_uid, scenario.exists + 1):
                self.arrived[name, missed] = 0.0
        folders = {name: scenario.marks.get(name) for name in scenario.folders}
        with contextlib.suppress(FloodError):
            async with watched(
                folders, WatchOptions(), recorder=self.recorder, host=scenario.host
            ):
                await self._watch()

    async def _watch(self) -> None:
        """Cause the events of the scenario, and look at the state at the end."""
        for seconds, act in sorted(self._events(), key=lambda event: event[0]):
            await self._wait(seconds)
            act()
        await self._wait(self.scenario.minutes * 60)
        self.state = self.recorder.state
        self.outages = tuple(self.recorder.outages())

    async def _wait(self, until: float) -> None:
        """Wait until a second of the scenario; raise FloodError."""
        while (seconds := until - self.recorder.seconds) > 1e-6:
            before = len(self.commands)
            await asyncio.sleep(min(seconds, 60.0))
            if self.is_flooded or len(self.commands) - before > _FLOOD:
                raise FloodError

    def _events(self) -> Iterator[tuple[float, Callable[[], object]]]:
        for seconds, count in self.scenario.arrivals:
            yield seconds, partial(self.deliver, count)
        for seconds, act in self.scenario.acts:
            yield seconds, partial(act, self)

    def folder(self, name: str = "INBOX") -> LightFolder:
        """Return a folder of the server."""
        return self.server.folder(encode_folder(name))

    def deliver(self, count: int, name: str = "INBOX") -> None:
        """Add messages to a folder, as LightServer does."""
        folder = self.folder(name)
        for uid in range(folder.last + 1, folder.last + count + 1):
            self.arrived[name, folder.number(uid)] = self.recorder.seconds
        self.server.deliver(count, encode_folder(name))

    def check_now(self) -> None:
        """Check all folders, as the button does."""
        self.recorder.watcher.check_now()

    def _record(self, event: Event) -> Iterable[bytes] | None:
        """Record a command; after a flood of them, close each connection."""
        if event.name in {b"GREETING", b"NEWS"}:
            return None
        now = event.seconds
        self.commands.append((now, event.name))
        if len(self.commands) > _FLOOD and self.commands[-_FLOOD][0] > now - 1:
            self.is_flooded = True
        if not self.is_flooded:
            return None
        event.client.hang_up()
        return ()


def check(play: Play, log: list[logging.LogRecord]) -> list[str]:
    """Return what is wrong with the result of a scenario."""
    if play.state is None:
        return [f"more than {_FLOOD} commands in a minute"]
    return [
        *_check_deliveries(play),
        *_check_delays(play),
        *_check_fields(play, log),
        *_check_commands(play),
        *_check_state(play, play.state, log),
        *_check_log(play, log),
    ]


def _check_deliveries(play: Play) -> Iterator[str]:
    expected, recorder = play.scenario.expected, play.recorder
    for name in play.scenario.folders:
        due = sorted(number for folder, number in play.arrived if folder == name)
        found = [number for folder, number in recorder.numbers if folder == name]
        needed = [it for it in due if it in found or it not in expected.given_up]
        if expected.taken is not None:
            again, lost = expected.taken
            needed = [again if it == lost else it for it in needed]
        if found != needed:
            yield f"{name}: delivered {found}, not {needed}"
    if recorder.wrong_validity:
        yield f"another UIDVALIDITY: {recorder.wrong_validity}"


def _check_delays(play: Play) -> Iterator[str]:
    expected, recorder = play.scenario.expected, play.recorder
    usual = POLLED if play.scenario.mode == "poll" else AT_ONCE
    late = usual if expected.late is None else expected.late
    for key, time in zip(recorder.numbers, recorder.arrived_at, strict=True):
        delay = time - play.arrived.get(key, math.inf)
        limits = expected.late_for
        if delay > limits.get(key, limits.get(key[1], late)):
            yield f"{key[0]} {key[1]}: {delay:.0f} s late"
    if expected.silent is not None:
        start, end = expected.silent
        early = [it for it, name in play.commands if name == b"UID FETCH"]
        if any(start <= time < end for time in early):
            yield f"FETCH in the {end - start:.0f} s that the server asked to wait"


def _check_fields(play: Play, log: list[logging.LogRecord]) -> Iterator[str]:
    expected, recorder = play.scenario.expected, play.recorder
    for (folder, number), arrival in zip(
        recorder.numbers, recorder.arrivals, strict=True
    ):
        mail = arrival.mail
        usual = (f"ann{number % 100}@example.org", f"Mail nº {number}")
        if (mail.sender, mail.subject) == usual:
            continue
        if number not in expected.bare:
            yield f"{folder} {number}: {mail.sender!r} {mail.subject!r}"
        elif not expected.unlogged:
            yield from _check_line(log, folder, mail.uid)
    delivered = {number for _, number in recorder.numbers}
    for number in expected.given_up - delivered:
        yield from _check_line(log, "INBOX", number)


def _check_line(log: list[logging.LogRecord], folder: str, uid: int) -> Iterator[str]:
    """One line of the log names the folder and the UID."""
    lines = [line.getMessage() for line in log]
    pattern = rf"\b{uid}\b"
    naming = [line for line in lines if folder in line and re.search(pattern, line)]
    if len(naming) != 1:
        yield f"{len(naming)} lines of the log name {folder} and {uid}"


def _check_commands(play: Play) -> Iterator[str]:
    scenario, expected = play.scenario, play.scenario.expected
    logins = [
        time for time, name in play.commands if name in {b"LOGIN", b"AUTHENTICATE"}
    ]
    folders = len(scenario.folders)
    most = folders if expected.logins is None else expected.logins
    if len(logins) > most:
        yield f"{len(logins)} logins"
    per_minute = max(
        sum(start <= time < start + 60 for time in logins) for start in (*logins, 0.0)
    )
    # Each connection may log in at once.
    if per_minute > folders + 2:
        yield f"{per_minute} logins in a minute"
    busiest = max(
        sum(start <= time < start + 60 for time, _ in play.commands)
        for start in range(0, int(scenario.minutes * 60), 60)
    )
    if busiest > expected.busiest:
        yield f"{busiest} commands in the busiest minute"
    end = scenario.minutes * 60
    happens = [0.0, *play.arrived.values(), *(time for time, _ in scenario.acts), end]
    happens.sort()
    calm = [
        (start + _SETTLED, stop)
        for start, stop in pairwise(happens)
        if stop - start > _SETTLED + 60
    ]
    seconds = sum(stop - start for start, stop in calm)
    sent = sum(
        any(start <= time < stop for start, stop in calm) for time, _ in play.commands
    )
    if sent > expected.commands * seconds / 60:
        yield f"{sent * 60 / seconds:.0f} commands in a minute for nothing"


def _check_state(
    play: Play, state: AccountState, log: list[logging.LogRecord]
) -> Iterator[str]:
    scenario, expected = play.scenario, play.scenario.expected
    if state.connected != expected.connected:
        yield f"connected: {state.connected}"
    off = sum(seconds for _, seconds in play.outages)
    if off > expected.off:
        yield f"not connected for {off:.0f} s"
    for error in {type(it.error) for it, lasted in play.outages if lasted > _SHORT}:
        if error is type(None):
            continue
        is_known = issubclass(error, expected.errors)
        if not is_known or (
            error is TooManyConnections and error not in expected.errors
        ):
            yield f"error {error.__name__}"
    for name, folder in state.folders.items():
        is_missing = name in expected.missing
        is_available = not is_missing and name not in expected.broken
        if (folder.available, folder.missing) != (is_available, is_missing):
            yield f"{name}: available {folder.available}, missing {folder.missing}"
        if name in expected.broken and expected.is_named:
            if not any(name in line.getMessage() for line in log):
                yield f"the log does not name {name}"
            # A field of the folder's state that is planned.
            if not isinstance(getattr(folder, "error", None), ImapError):
                yield f"the state of {name} has no error"
    for name, folder in state.folders.items():
        if not folder.available:
            continue
        source = play.folder(name)
        if expected.unread and folder.unread != source.unseen:
            yield f"{name}: unread {folder.unread}, not {source.unseen}"
        if expected.messages and folder.messages != source.exists:
            yield f"{name}: messages {folder.messages}, not {source.exists}"
    inbox = state.folders["INBOX"]
    modes = expected.modes or (PushMode(scenario.mode),)
    if inbox.available and inbox.push_mode not in modes:
        yield f"push mode {inbox.push_mode}"


def _check_log(play: Play, log: list[logging.LogRecord]) -> Iterator[str]:
    warnings = [line for line in log if line.levelno >= logging.WARNING]
    if len(warnings) > play.scenario.expected.warnings:
        yield f"{len(warnings)} warnings"
    for line in log:
        if line.exc_info:
            yield f"an exception is logged: {line.exc_info[1]!r}"


def play_and_check(scenario: Scenario, caplog: pytest.LogCaptureFixture) -> None:
    """Play a scenario in virtual time; everything has to be as expected."""
    plays: list[Play] = []

    async def main(loop: VirtualLoop) -> None:
        play = Play(scenario, loop)
        await play.run()
        plays.append(play)

    random.seed(0)
    with caplog.at_level(logging.INFO, "custom_components.imap_push"):
        run(main)
    [play] = plays
    log = [
        line
        for line in caplog.records
        if line.name.startswith("custom_components.imap_push")
    ]
    if problems := check(play, log):
        pytest.fail("\n".join(problems), pytrace=False)
