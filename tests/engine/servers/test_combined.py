"""Servers that are odd in two ways at once."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
import math

import pytest

from custom_components.imap_push.imap import ConnectionLost, ImapError, PushMode

from .scenario import (
    CAPABILITIES,
    EVERY_MODE,
    POLLED,
    Act,
    Expected,
    Play,
    Scenario,
    marks_at,
    play_and_check,
    table,
)

from tests.rig.light_client import Event, LightClient
from tests.rig.odd import Answer, changed, dead, odd, requested, silent, tagged, without

BODY = rb"BODY"
RENUMBERED_AT = 300.0
REFUSED = tagged(b"NO [CANNOT] not here")


# Another UIDVALIDITY, and something that keeps its new messages from being found


def _renumber(kept: int, play: Play) -> None:
    play.server.close_all()
    play.folder().renumber(kept)
    play.deliver(1)


def _renumbered() -> Iterator[Scenario]:
    for mode in EVERY_MODE:
        for name, hooks, expected in (
            (
                "SEARCH is refused with BAD",
                (odd("SEARCH", tagged(b"BAD unknown")),),
                Expected(unread=False),
            ),
            (
                "SEARCH is refused with NO",
                (odd("SEARCH", REFUSED),),
                Expected(unread=False),
            ),
            (
                "FETCH of a new message is refused",
                (odd("FETCH", REFUSED, about=BODY, folder="INBOX", includes=4),),
                Expected(bare=frozenset({4, 7}), unlogged=True),
            ),
            (
                "a message was delivered without its header",
                (odd("FETCH", REFUSED, about=BODY, includes=6), _only_exists),
                Expected(bare=frozenset({6, 9}), unlogged=True),
            ),
            (
                "FETCH of the last old message is refused",
                (odd("FETCH", REFUSED, about=BODY, includes=3),),
                Expected(),
            ),
            (
                "FETCH leaves a new message out once",
                (
                    odd(
                        "FETCH",
                        without(rb"FETCH \(UID 4 "),
                        about=BODY,
                        includes=4,
                        during=(RENUMBERED_AT, math.inf),
                        times=1,
                    ),
                ),
                Expected(),
            ),
            (
                "FETCH of a new message ends the session",
                (
                    odd(
                        "FETCH",
                        dead,
                        about=BODY,
                        includes=4,
                        during=(RENUMBERED_AT, math.inf),
                    ),
                ),
                Expected(
                    bare=frozenset({7}),
                    unlogged=True,
                    logins=9,
                    off=300.0,
                    errors=(ConnectionLost,),
                ),
            ),
        ):
            yield Scenario(
                row="F2",
                name=f"another UIDVALIDITY, {name}",
                source="GNU mailutils; danchoi/vmail#68, hmailserver/hmailserver#475",
                mode=mode,
                hooks=hooks,
                acts=((RENUMBERED_AT, partial(_renumber, 3)),),
                expected=replace(expected, late=305.0, logins=expected.logins or 3),
            )
    for mode in ("idle", "poll"):
        yield Scenario(
            row="F2",
            name="another UIDVALIDITY at each EXAMINE",
            source="UW IMAP: UIDNOTSTICKY (RFC 4315 3), as EXAMINE cannot write the mbox",
            mode=mode,
            folders=("INBOX", "Work"),
            hooks=(_renumber_at_examine,),
            acts=((200.0, lambda play: play.deliver(2, "Work")),),
            # A poll finds the new messages by date, with twelve commands for each folder.
            expected=Expected(late=POLLED, commands=26.0, busiest=120, warnings=24),
        )


_only_exists = odd("NEWS", without(rb" FETCH "))


def _renumber_at_examine(event: Event) -> None:
    if event.name == b"EXAMINE":
        event.store.folders[event.folder].uid_validity += 1


@table(_renumbered())
def test_another_uid_validity(
    scenario: Scenario, caplog: pytest.LogCaptureFixture
) -> None:
    """New messages are found by date, and each is delivered one time."""
    play_and_check(scenario, caplog)


# A command that ends the session, although it is not needed


def _deadly() -> Iterator[Scenario]:
    ends: dict[str, Answer] = {"closed": dead, "no answer": silent}
    for name, answer in ends.items():
        for mode in EVERY_MODE:
            yield Scenario(
                row="H3",
                name=f"{name} at the last old message, at a restart",
                source="hmailserver/hmailserver#475",
                mode=mode,
                folders=("INBOX", "Work"),
                marks=marks_at(4, "INBOX", "Work"),
                hooks=(odd("FETCH", answer, about=BODY, folder="INBOX", includes=3),),
                expected=_after_losses(POLLED),
            )
            yield Scenario(
                row="H5",
                name=f"{name} at STATUS of the open folder, no ESEARCH",
                source="RFC 3501 6.3.10 advises against it",
                mode=mode,
                capabilities=CAPABILITIES[mode].replace(b" ESEARCH", b""),
                hooks=(odd("STATUS", answer),),
                expected=_after_losses(POLLED + 60.0),
            )

    for mode in EVERY_MODE:
        yield Scenario(
            row="H3",
            name="closed at each of five messages",
            source="hmailserver/hmailserver#475, five times the same newsletter",
            mode=mode,
            hooks=(_dead_from_4_on,),
            arrivals=((60.0, 5),),
            expected=Expected(
                bare=frozenset(range(4, 9)),
                late=900.0,
                logins=14,
                off=600.0,
                errors=(ConnectionLost,),
            ),
        )
    yield Scenario(
        row="C2",
        name="a login ends the oldest session",
        source="RFC 5530 LIMIT leaves open which one is refused",
        folders=("INBOX", "Work"),
        hooks=(odd("LOGIN AUTHENTICATE", _end_others),),
        expected=Expected(late=POLLED, logins=5, off=65.0, errors=(ConnectionLost,)),
    )


def _dead_from_4_on(event: Event) -> Iterable[bytes] | None:
    is_new = BODY in event.arguments and any(uid > 3 for uid in requested(event))
    return dead(event) if is_new else None


def _end_others(event: Event) -> Iterable[bytes]:
    for client in event.store.clients - {event.client}:
        client.close()
    return event.usual()


def _after_losses(late: float) -> Expected:
    return Expected(late=late, logins=6, off=240.0, errors=(ImapError,))


@table(_deadly())
def test_command_that_ends_the_session(
    scenario: Scenario, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not sent again and again."""
    play_and_check(scenario, caplog)


# Numbers that contradict each other


def _contradictions() -> Iterator[Scenario]:
    yield Scenario(
        row="L10",
        name="STATUS: MESSAGES grows, UIDNEXT does not",
        source="UIDNEXT of a cache; chatmail/core#4842",
        mode="poll",
        folders=("INBOX", "Work"),
        hooks=(odd("STATUS", changed(rb"UIDNEXT \d+", b"UIDNEXT 4")),),
        acts=((200.0, lambda play: play.deliver(2, "Work")),),
    )
    for mode in EVERY_MODE:
        yield Scenario(
            row="L10",
            name="4294967295:* returns only the flags of another message",
            source="modern-email/defects#40 (exmail.qq.com), RFC 3501 7.4.2",
            mode=mode,
            hooks=(
                odd(
                    "FETCH",
                    tagged(b"OK done", b"* 1 FETCH (UID 1 FLAGS ())"),
                    about=rb"^4294967295:",
                ),
            ),
            expected=Expected(late=POLLED),
        )
        yield Scenario(
            row="H4",
            name="FETCH leaves 5 out once, and SEARCH finds nothing",
            source="MailCore/mailcore2#1256 (Gmail), a search index that lags",
            mode=mode,
            hooks=(
                odd("NEWS", without(rb"FETCH \(UID 5\b")),
                odd("FETCH", without(rb"FETCH \(UID 5\b"), includes=5, times=1),
                odd("SEARCH", without(rb"^\* SEARCH")),
            ),
            expected=Expected(late=POLLED + 10.0),
        )
    for name, pattern, replacement in (
        ("UNSEEN", rb" ?UNSEEN \d+", b""),
        ("MESSAGES", rb"MESSAGES \d+ ?", b""),
        ("UIDNEXT", rb"UIDNEXT \d+ ?", b""),
        ("numbers", rb"\(.*\)", b"()"),
    ):
        for noise in (False, True):
            answer = changed(pattern, replacement)
            noisy = (odd("IDLE", _with_flags),) if noise else ()
            yield Scenario(
                row="M2",
                name=f"NOTIFY begins without {name}{', flags at each IDLE' * noise}",
                source="RFC 5465 5.1 does not require UNSEEN; Cyrus IMAP 3.12.4",
                mode="notify",
                folders=("INBOX", "Work"),
                hooks=(odd("NOTIFY", answer), *noisy),
                expected=Expected(busiest=90),
            )

    yield Scenario(
        row="M2",
        name="flags at each IDLE, and every BODYSTRUCTURE is refused",
        source="danchoi/vmail#68 (Exchange)",
        hooks=(
            odd("IDLE", _with_flags),
            odd("FETCH", REFUSED, about=rb"BODYSTRUCTURE"),
        ),
        expected=Expected(late=POLLED),
    )


def _with_flags(event: Event) -> Iterable[bytes]:
    return [*event.usual(), b"* 1 FETCH (FLAGS (\\Seen))"]


@table(_contradictions())
def test_contradicting_numbers(
    scenario: Scenario, caplog: pytest.LogCaptureFixture
) -> None:
    """New messages are found, and the server is not asked again and again."""
    play_and_check(scenario, caplog)


# A server that disconnects at a certain age of IDLE, while messages are read


def _after_20_s(event: Event) -> Iterable[bytes]:
    event.client.memory["idles"] += 1
    number = event.client.memory["idles"]

    def end(client: LightClient) -> None:
        if client.is_idle and client.memory["idles"] == number:
            client.say(b"* BYE idle for too long")
            client.close()

    event.later(20.0, end)
    return event.usual()


def _reads() -> Iterator[tuple[float, Act]]:
    for seconds in range(30, 3600, 17):
        yield float(seconds), partial(_read, seconds % 3 + 1)


def _read(uid: int, play: Play) -> None:
    play.server.read(uid)


@table(
    [
        Scenario(
            row="M1",
            name="BYE after 20 s of IDLE, messages are read every 17 s",
            source="near ruby/net-imap#688",
            hooks=(odd("IDLE", _after_20_s),),
            acts=tuple(_reads()),
            minutes=60,
            expected=Expected(
                late=POLLED,
                logins=8,
                off=120.0,
                errors=(ConnectionLost,),
                modes=(PushMode.POLL, PushMode.IDLE),
            ),
        )
    ]
)
def test_limited_idle(scenario: Scenario, caplog: pytest.LogCaptureFixture) -> None:
    """It gives way to polling although some IDLE of less than 20 s is completed."""
    play_and_check(scenario, caplog)
