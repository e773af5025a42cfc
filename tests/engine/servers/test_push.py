"""IDLE and NOTIFY that break the connection, or that announce what is not new."""

from collections.abc import Iterable, Iterator
from itertools import accumulate

import pytest

from custom_components.imap_push.imap import CommandRefused, ConnectionLost, PushMode

from .scenario import (
    AT_ONCE,
    POLLED,
    PUSH,
    REFRESH,
    Expected,
    Scenario,
    play_and_check,
    table,
)

from tests.rig.light_client import Event, LightClient
from tests.rig.odd import (
    Answer,
    Hook,
    after,
    also,
    changed,
    dead,
    odd,
    said,
    silent,
    tagged,
)

# Until it is known that push does not work.
LEARNING = dict.fromkeys((4, 5, 6), 150.0)
POLL_ONLY = (PushMode.POLL,)
IDLE_OR_POLL = (PushMode.IDLE, PushMode.POLL)
LOST = (ConnectionLost, CommandRefused)


def _then(answer: Answer, seconds: float, *lines: bytes) -> Answer:
    """Return an answer after which the server sends lines and closes the connection."""

    def both(event: Event) -> Iterable[bytes]:
        sent = answer(event)

        def end(client: LightClient) -> None:
            client.say(*lines)
            client.close()

        event.later(seconds, end)
        return sent

    return both


def _with_tag_twice(event: Event) -> Iterable[bytes]:
    lines = list(event.usual())
    return [*lines, *lines]


def _without_tagged(event: Event) -> Iterable[bytes]:
    """Leave IDLE at DONE without a response."""
    event.client.end_idle()
    return ()


def _deaf(event: Event) -> Iterable[bytes]:
    """Answer neither DONE nor any later command."""
    event.client.end_idle()
    event.client.hold()
    return ()


def _tagged_plus(event: Event) -> Iterable[bytes]:
    event.usual()
    return [event.tag + b" + idling"]


def _announced_without_plus(event: Event) -> Iterable[bytes]:
    return [line for line in event.usual() if not line.startswith(b"+")]


def _breaks() -> Iterator[Scenario]:
    """Yield servers at which each IDLE ends the connection, or never answers."""
    for name, source, hooks, modes, logins in (
        (
            "no answer to IDLE",
            "RFC 2177 requires +",
            (odd("IDLE", silent), odd("NEWS", said())),
            POLL_ONLY,
            6,
        ),
        (
            "no + but EXISTS",
            "RFC 2177 requires +",
            (odd("IDLE", _announced_without_plus),),
            IDLE_OR_POLL,
            6,
        ),
        (
            "untagged BAD",
            "jstedfast/MailKit#860",
            (odd("IDLE", said(b"* BAD Command unrecognized")),),
            POLL_ONLY,
            6,
        ),
        (
            "untagged NO",
            "near jstedfast/MailKit#860",
            (odd("IDLE", said(b"* NO IDLE is not enabled")),),
            POLL_ONLY,
            6,
        ),
        (
            "closed at IDLE",
            "stalwartlabs/stalwart#280",
            (odd("IDLE", dead),),
            POLL_ONLY,
            6,
        ),
        (
            "BYE in place of +",
            "iroco-co/aioimaplib#110",
            (odd("IDLE", said(b"* BYE timeout", ends=True)),),
            POLL_ONLY,
            6,
        ),
        (
            "closed after +",
            "stalwartlabs/stalwart#280",
            (odd("IDLE", said(b"+ idling", ends=True)),),
            POLL_ONLY,
            6,
        ),
        (
            "BYE after +",
            "stalwartlabs/stalwart#280",
            (odd("IDLE", said(b"+ idling", b"* BYE", ends=True)),),
            POLL_ONLY,
            6,
        ),
        (
            "closed 5 s into IDLE",
            "near thunderbird/thunderbird-android#1701",
            (odd("IDLE", after(5, ends=True)),),
            POLL_ONLY,
            7,
        ),
        (
            "closed 30 s into IDLE",
            "thunderbird/thunderbird-android#1701",
            (odd("IDLE", after(30, ends=True)),),
            IDLE_OR_POLL,
            8,
        ),
        (
            "BYE 60 s into IDLE",
            "thunderbird/thunderbird-android#1701",
            (odd("IDLE", after(60, b"* BYE idle for too long", ends=True)),),
            IDLE_OR_POLL,
            8,
        ),
        (
            "closed 100 s into IDLE",
            "near thunderbird/thunderbird-android#1701",
            (odd("IDLE", after(100, ends=True)),),
            IDLE_OR_POLL,
            8,
        ),
        (
            "no answer to DONE",
            "RFC 2177 requires the tagged response",
            (odd("DONE", _without_tagged),),
            IDLE_OR_POLL,
            6,
        ),
        (
            "no answer to DONE and to what follows",
            "RFC 2177 requires the tagged response",
            (odd("DONE", _deaf),),
            IDLE_OR_POLL,
            6,
        ),
        (
            "closed at DONE",
            "near iroco-co/aioimaplib#110",
            (odd("DONE", dead),),
            IDLE_OR_POLL,
            6,
        ),
        (
            "+ with the tag in front",
            "grommunio/gromox#27",
            (odd("IDLE", _tagged_plus),),
            IDLE_OR_POLL,
            6,
        ),
        (
            "two tagged OK",
            "grommunio/gromox#27",
            (odd("DONE", _with_tag_twice),),
            IDLE_OR_POLL,
            6,
        ),
        (
            "tagged OK at once",
            "RFC 2177 requires +",
            (odd("IDLE", tagged(b"OK IDLE completed")),),
            POLL_ONLY,
            6,
        ),
        (
            "tagged BAD",
            "IDLE is in CAPABILITY, but a proxy does not know it",
            (odd("IDLE", tagged(b"BAD unknown command")),),
            POLL_ONLY,
            6,
        ),
    ):
        yield _broken("idle", name, source, hooks, modes, logins)
    for name, source, answer in (
        ("NOTIFY is not answered", "RFC 5465 3.1", silent),
        ("closed at NOTIFY", "near stalwartlabs/stalwart#280", dead),
        ("BYE at NOTIFY", "near iroco-co/aioimaplib#110", said(b"* BYE", ends=True)),
        ("untagged BAD at NOTIFY", "jstedfast/MailKit#860", said(b"* BAD what?")),
        (
            "closed 5 s after NOTIFY",
            "near thunderbird/thunderbird-android#1701",
            _then(lambda event: event.usual(), 5),
        ),
    ):
        modes = (PushMode.IDLE, PushMode.POLL)
        yield _broken("notify", name, source, (odd("NOTIFY", answer),), modes, 7)


def _broken(
    mode: str,
    name: str,
    source: str,
    hooks: tuple[Hook, ...],
    modes: tuple[PushMode, ...],
    logins: int,
) -> Scenario:
    return Scenario(
        row="M1",
        name=name,
        source=source,
        mode=mode,
        hooks=hooks,
        expected=Expected(
            late=POLLED,
            late_for=LEARNING,
            logins=logins,
            off=240.0,
            errors=LOST,
            modes=modes,
        ),
    )


@table(_breaks())
def test_push_that_breaks(scenario: Scenario, caplog: pytest.LogCaptureFixture) -> None:
    """It gives way to the next best way, and the account stays connected."""
    play_and_check(scenario, caplog)


def _bad_network() -> Iterator[Scenario]:
    """Yield connections that are lost three times in a row before the first refresh of IDLE."""
    for mode in PUSH:
        for name, ages in (
            ("at different ages", (100, 250, 40)),
            ("at less and less", (200, 90, 20)),
        ):
            moments = accumulate(ages)
            yield Scenario(
                row="M1",
                name=f"the network is lost {name}",
                source="a Wi-Fi that fails for a moment",
                mode=mode,
                arrivals=((1500.0, 1),),
                acts=tuple(
                    (it, lambda play: play.server.reset_all()) for it in moments
                ),
                expected=Expected(logins=4),
            )


@table(_bad_network())
def test_bad_network(scenario: Scenario, caplog: pytest.LogCaptureFixture) -> None:
    """Push is used again at once: the server is not the cause."""
    play_and_check(scenario, caplog)


def _noise() -> Iterator[Scenario]:
    """Yield servers that send responses unasked, for two hours."""
    for name, source, hook in (
        (
            "EXISTS after each +",
            "Webklex/php-imap#258 (Outlook)",
            odd("IDLE", also(b"* <exists> EXISTS")),
        ),
        (
            "EXISTS before each +",
            "Webklex/php-imap#258 (Outlook)",
            odd("IDLE", also(b"* <exists> EXISTS", first=True)),
        ),
        (
            "EXISTS and RECENT after each +",
            "Webklex/php-imap#258 (Outlook)",
            odd("IDLE", also(b"* <exists> EXISTS", b"* 0 RECENT")),
        ),
        (
            "flags after each +",
            "iroco-co/aioimaplib#27",
            odd("IDLE", also(b"* 1 FETCH (FLAGS (\\Seen))")),
        ),
        (
            "flags of all messages after each +",
            "iroco-co/aioimaplib#27",
            odd(
                "IDLE",
                also(*(b"* %d FETCH (FLAGS ())" % number for number in (1, 2, 3))),
            ),
        ),
        (
            "flags with UID after each DONE",
            "iroco-co/aioimaplib#27",
            odd("DONE", also(b"* 1 FETCH (UID 1 FLAGS (\\Seen))", first=True)),
        ),
        (
            "a second EXISTS",
            "smiley22/S22.Imap#32",
            odd("NEWS", also(b"* <exists> EXISTS", b"* 1 RECENT")),
        ),
        (
            "EXISTS every 5 s",
            "smiley22/S22.Imap#32",
            odd("IDLE", after(5, b"* <exists> EXISTS", every=True)),
        ),
        (
            "flags every 5 s",
            "iroco-co/aioimaplib#27",
            odd("IDLE", after(5, b"* 2 FETCH (FLAGS ())", every=True)),
        ),
        (
            "EXISTS every second",
            "near smiley22/S22.Imap#32",
            odd("IDLE", after(1, b"* <exists> EXISTS", every=True)),
        ),
        (
            "OK every 15 s",
            "lefcha/imapfilter#66",
            odd("IDLE", after(15, b"* OK Still here", every=True)),
        ),
        (
            "FLAGS and PERMANENTFLAGS every 5 s",
            "near lefcha/imapfilter#66",
            odd(
                "IDLE",
                after(
                    5, b"* FLAGS (\\Seen)", b"* OK [PERMANENTFLAGS ()] x", every=True
                ),
            ),
        ),
        (
            "VANISHED in each answer",
            "RFC 7162 without ENABLE",
            odd(
                "FETCH",
                also(b"* VANISHED (EARLIER) 1:2", b"* VANISHED 900", first=True),
            ),
        ),
        (
            "flags in each answer to FETCH",
            "modern-email/defects#39",
            odd("FETCH", also(b"* 1 FETCH (FLAGS (\\Seen))", first=True)),
        ),
        (
            "EXISTS in each answer",
            "Webklex/php-imap#258 (Outlook)",
            odd("FETCH SEARCH STATUS", also(b"* <exists> EXISTS", first=True)),
        ),
        (
            "STATUS of the open folder after each +",
            "RFC 3501 6.3.10 forbids it",
            odd("IDLE", also(b"* STATUS INBOX (MESSAGES <exists>)")),
        ),
    ):
        for mode in PUSH:
            yield Scenario(
                row="M2",
                name=name,
                source=source,
                mode=mode,
                hooks=(hook,),
                minutes=120,
                expected=Expected(late=AT_ONCE, busiest=120),
            )
    yield Scenario(
        row="M2",
        name="STATUS of another folder every 5 s",
        source="near smiley22/S22.Imap#32",
        mode="notify",
        folders=("INBOX", "Work"),
        hooks=(
            odd(
                "IDLE",
                after(
                    5,
                    b'* STATUS "Work" (MESSAGES 3 UIDNEXT 4 UIDVALIDITY 7 UNSEEN 3)',
                    every=True,
                ),
            ),
        ),
        minutes=120,
        expected=Expected(busiest=120),
    )


@table(_noise())
def test_noise(scenario: Scenario, caplog: pytest.LogCaptureFixture) -> None:
    """What is not new causes at most ten commands a minute, and new messages come at once."""
    play_and_check(scenario, caplog)


def _weak() -> Iterator[Scenario]:
    """Yield servers with an IDLE that says less than it should; these are held."""
    for name, source, hooks, expected in (
        (
            "RECENT only",
            "RFC 3501 7.3.2: new messages are RECENT",
            (odd("NEWS", changed(rb"^\* \d+ EXISTS$", b"* 1 RECENT")),),
            Expected(late=REFRESH, modes=IDLE_OR_POLL),
        ),
        (
            "EXISTS with two blanks",
            "modern-email/defects#45, mguessan/davmail#41 (DavMail)",
            (odd("NEWS IDLE", changed(rb"^\* (\d+)", rb"*  \1")),),
            Expected(),
        ),
        (
            "EXISTS with a tab",
            "near modern-email/defects#45",
            (odd("NEWS IDLE", changed(rb"^\* (\d+) EXISTS", b"* \\1\tEXISTS")),),
            Expected(),
        ),
        (
            "EXISTS with a blank at its end",
            "modern-email/defects#9, #21",
            (odd("NEWS IDLE", changed(rb"EXISTS$", b"EXISTS ")),),
            Expected(),
        ),
        (
            "* OK before +",
            "dinhvh/libetpan#393",
            (odd("IDLE", also(b"* OK waiting", first=True)),),
            Expected(),
        ),
        (
            "+ alone",
            "RFC 3501 7.5",
            (odd("IDLE", changed(rb"^\+ .*", b"+")),),
            Expected(),
        ),
        (
            "no blank after +",
            "a server that writes +idling",
            (odd("IDLE", changed(rb"^\+ ", b"+")),),
            Expected(),
        ),
        (
            "tagged NO after 40 s",
            "ruby/net-imap#688",
            (odd("IDLE", _refused_after_40_s),),
            Expected(modes=IDLE_OR_POLL, late=POLLED),
        ),
    ):
        yield Scenario(
            row="L1" if "EXISTS with" in name else "M1",
            name=name,
            source=source,
            hooks=hooks,
            expected=expected,
        )


def _refused_after_40_s(event: Event) -> Iterable[bytes]:
    lines = event.usual()
    event.later(40, _refuse_idle)
    return lines


def _refuse_idle(client: LightClient) -> None:
    if client.is_idle:
        client.say(client.end_idle() + b" NO idle timed out")


@table(_weak())
def test_weak_idle(scenario: Scenario, caplog: pytest.LogCaptureFixture) -> None:
    """Messages are found at once where the server announces them in any form."""
    play_and_check(scenario, caplog)
