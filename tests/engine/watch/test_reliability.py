"""What a year brings, in virtual time: storms, refusals, silence, and cuts at every octet."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
import random

import pytest

from custom_components.imap_push.imap import CatchUp, Mail, Mark, PushMode, WatchOptions

from .. import virtual
from ..recorder import Recorder
from ..scripted import Peer, Script, mail
from ..virtual import VirtualLoop, run

MINUTE = 60.0
HOUR = 60 * MINUTE


def watched(
    mark: Mark | None = None,
    options: WatchOptions | None = None,
    **changes: object,
) -> contextlib.AbstractAsyncContextManager[Recorder]:
    """Watch INBOX; at the end nothing is left of the watcher."""
    return virtual.watched({"INBOX": mark}, options, recorder=None, **changes)


async def drop(peer: Peer) -> None:
    """Take the login and drop it."""
    await peer.log_in()
    peer.close()


async def refuse(peer: Peer) -> None:
    """Refuse the password."""
    peer.say(b"* OK [CAPABILITY IMAP4rev1] ready")
    await peer.answer("LOGIN", ok=b"NO [AUTHENTICATIONFAILED] wrong")
    await peer.until_closed()


async def throttle(peer: Peer) -> None:
    """Ask to be left alone for twenty minutes."""
    peer.say(b"* OK [CAPABILITY IMAP4rev1] ready")
    text = b"NO Request is throttled. Suggested Backoff Time: 1200000 milliseconds"
    await peer.answer("LOGIN", ok=text)
    await peer.until_closed()


async def black_hole(_peer: Peer) -> None:
    """Accept and never say a word."""
    await asyncio.sleep(10 * HOUR)


def quiet(uid_next: int = 5, *found: int) -> Script:
    """Return a script that serves a folder where nothing more happens."""

    async def serve(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_next=uid_next)
        await peer.sweep(*found)
        while True:
            await peer.done(await peer.idle())
            await peer.sweep(*found)

    return serve


@pytest.mark.parametrize("seed", range(20))
def test_server_that_takes_logins_and_drops_them(seed: int) -> None:
    """See no storm: at most ten logins in the first ten minutes, and it never gives up."""

    async def main(loop: VirtualLoop) -> None:
        loop.after_last = drop
        async with watched():
            await asyncio.sleep(10 * MINUTE)
            assert 3 <= len(loop.connected_at) <= 10
            await asyncio.sleep(10 * HOUR)
            assert len(loop.connected_at) >= 10 + 10 * HOUR / (6 * MINUTE)
            loop.after_last = quiet()
            await asyncio.sleep(6 * MINUTE)

    random.seed(seed)
    run(main)


def test_wrong_password_is_tried_three_times_ever() -> None:
    """See the user asked once after more than a minute, and no login after that."""

    async def main(loop: VirtualLoop) -> None:
        loop.after_last = refuse
        async with watched() as recorder:
            await asyncio.sleep(100 * HOUR)
            assert len(loop.connected_at) == 3
            assert loop.connected_at[-1] - loop.connected_at[0] > MINUTE
            assert recorder.refused == 1

    run(main)


def test_refusal_that_was_a_hiccup() -> None:
    """See the count of refusals begin anew after a login that went well."""

    async def main(loop: VirtualLoop) -> None:
        loop.scripts = [refuse, refuse, drop_after_sweep, refuse, refuse]
        loop.after_last = quiet()
        async with watched() as recorder:
            await asyncio.sleep(HOUR)
            assert recorder.refused == 0
            assert recorder.states[-1].connected

    run(main)


def test_wait_that_the_server_states_is_honoured() -> None:
    """See no login before the time is over."""

    async def main(loop: VirtualLoop) -> None:
        loop.scripts = [throttle]
        loop.after_last = quiet()
        async with watched() as recorder:
            await asyncio.sleep(21 * MINUTE)
            assert loop.connected_at[1] - loop.connected_at[0] >= 20 * MINUTE
            assert recorder.refused == 0
            assert recorder.states[-1].connected

    run(main)


def test_black_hole() -> None:
    """See a link that died without a word found within five minutes, and the mail fired."""

    async def falls_silent(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_next=5)
        await peer.sweep()
        while True:
            tag = await peer.idle()
            if len(peer.received) > 25:
                break
            await peer.done(tag)
            await peer.sweep()
        await asyncio.sleep(10 * HOUR)

    async def main(loop: VirtualLoop) -> None:
        loop.scripts = [falls_silent]
        loop.after_last = quiet(6, 5)
        async with watched() as recorder:
            await asyncio.sleep(2 * HOUR)
            assert recorder.uids == [5]
            assert len(loop.connected_at) == 2

    run(main)


def test_silence_at_every_step_ends() -> None:
    """See a server that never greets left, and tried again."""

    async def main(loop: VirtualLoop) -> None:
        loop.scripts = [black_hole]
        loop.after_last = quiet()
        async with watched() as recorder:
            await asyncio.sleep(5 * MINUTE)
            assert recorder.states[-1].connected

    run(main)


@pytest.mark.once
def test_login_lives_a_day() -> None:
    """See a routine disconnect renewed at once, told to nobody, whenever it comes."""

    async def for_a_day(peer: Peer) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(24 * HOUR):
                await quiet()(peer)
        peer.say(b"* BYE session expired")

    async def main(loop: VirtualLoop) -> None:
        loop.after_last = for_a_day
        async with watched() as recorder:
            await asyncio.sleep(30 * 24 * HOUR)
            assert 29 <= len(loop.connected_at) <= 31
            assert all(state.connected for state in recorder.states)

    run(main)


def test_idle_that_announces_nothing() -> None:
    """See polling take over from a silent IDLE, said so, and IDLE tried again in an hour."""

    async def silent(peer: Peer) -> None:
        await peer.log_in()
        uid, is_found = 0, False
        while True:
            tag, _, command = (await peer.line()).partition(b" ")
            if command == b"IDLE":
                peer.say(b"+ idling")
                await peer.done(tag)
            elif command.startswith(b"EXAMINE"):
                uid += not is_found
                is_found = False
                peer.say(
                    b"* OK [UIDVALIDITY 1] valid", b"* OK [UIDNEXT %d] next" % (uid + 1)
                )
                peer.say(tag + b" OK [READ-ONLY] opened")
            elif command.endswith(b" (UID)"):
                uid, is_found = uid + 1, True
                peer.say(b"* 1 FETCH (UID %d)" % uid, tag + b" OK fetched")
            elif command.startswith(b"UID FETCH"):
                peer.say_raw(mail(1, uid))
                peer.say(tag + b" OK fetched")
            else:
                peer.say(tag + b" OK counted")

    async def main(loop: VirtualLoop) -> None:
        loop.after_last = silent
        async with watched() as recorder:
            await asyncio.sleep(50 * MINUTE)
            state = recorder.states[-1]
            assert state.push_mode is PushMode.POLL
            assert state.folders["INBOX"].push_is_silent
            assert recorder.uids == list(range(2, len(recorder.uids) + 2))
            modes = {state.push_mode for state in recorder.states[-5:]}
            assert modes == {PushMode.POLL}
            count = len(recorder.states)
            await asyncio.sleep(20 * MINUTE)
            modes = {state.push_mode for state in recorder.states[count:]}
            assert modes == {PushMode.POLL, PushMode.IDLE}

    run(main)


def test_idle_that_is_refused() -> None:
    """See polling where IDLE is offered and refused."""

    async def refusing(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_next=1)
        await peer.sweep()
        await peer.answer("IDLE", ok=b"NO not for you")
        while True:
            await peer.examine(uid_next=1)
            await peer.sweep()

    async def main(loop: VirtualLoop) -> None:
        loop.after_last = refusing
        async with watched() as recorder:
            await asyncio.sleep(10 * MINUTE)
            assert recorder.states[-1].push_mode is PushMode.POLL
            assert len(loop.connected_at) == 1

    run(main)


def test_server_that_always_has_news() -> None:
    """See no storm of sweeps when EXISTS comes in each IDLE, and nothing new with it."""

    async def chatty(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_next=1)
        await peer.sweep()
        while True:
            tag = await peer.expect("IDLE")
            peer.say(b"+ idling", b"* 1 EXISTS")
            await peer.done(tag)
            await peer.sweep()
            sweeps.append(asyncio.get_running_loop().time())

    sweeps: list[float] = []

    async def main(loop: VirtualLoop) -> None:
        loop.scripts = [chatty]
        async with watched():
            await asyncio.sleep(MINUTE)

    run(main)
    assert 60 < len(sweeps) <= 130


def test_folder_that_vanishes_and_comes_back() -> None:
    """See it told at once, tried again, and mail of the new folder fire."""

    async def gone(peer: Peer) -> None:
        await peer.log_in()
        await peer.answer("EXAMINE", ok=b"NO [NONEXISTENT] gone")
        await peer.until_closed()

    async def main(loop: VirtualLoop) -> None:
        loop.scripts = [quiet(), gone, gone]
        loop.scripts[0] = drop_after_sweep
        loop.after_last = quiet()
        async with watched() as recorder:
            await asyncio.sleep(5 * MINUTE)
            missing = [state.folders["INBOX"].missing for state in recorder.states]
            assert missing[0] is False
            assert missing[1] is True
            assert missing[-1] is False
            assert recorder.states[-1].connected

    run(main)


async def drop_after_sweep(peer: Peer) -> None:
    """Drop the connection once it was useful."""
    await peer.log_in()
    await peer.examine(uid_next=5)
    await peer.sweep()
    await peer.idle()
    peer.close()


def test_alert() -> None:
    """See what the server wants the user to know handed on, without the password."""

    async def alert(peer: Peer) -> None:
        await peer.log_in()
        peer.say(b"* OK [ALERT] secret is no good password")
        await peer.answer(
            "EXAMINE", ok=b"NO [ALERT] Please log in via your web browser"
        )
        await peer.until_closed()

    async def main(loop: VirtualLoop) -> None:
        loop.scripts = [alert]
        async with watched() as recorder:
            await asyncio.sleep(1)
            assert recorder.alerts == [
                "*** is no good password",
                "Please log in via your web browser",
            ]

    run(main)


NOW = datetime.now(UTC)


def dated(uid: int, age: timedelta, name: str) -> bytes:
    """Return a FETCH of a mail of this age."""
    date = (NOW - age).strftime("%d-%b-%Y %H:%M:%S +0000").encode()
    standard = mail(uid, uid, name).replace(b"23-Nov-2026 09:00:00 +0000", date)
    return standard.replace(
        b"Subject: ", b"Message-ID: <%b>\r\nSubject: " % name.encode()
    ).replace(
        b"{%d}" % len(header_of(name)),
        b"{%d}" % (len(header_of(name)) + 16 + len(name)),
    )


def header_of(name: str) -> bytes:
    """Return the header that `scripted.mail` writes."""
    return f"From: Ann <ann@example.org>\r\nSubject: {name}\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("catch_up", "fired"),
    [
        (CatchUp.ALL, ["old", "fresh"]),
        (CatchUp.LAST_DAY, ["fresh"]),
        (CatchUp.NONE, []),
    ],
)
def test_what_is_caught_up(catch_up: CatchUp, fired: list[str]) -> None:
    """See as much of what arrived meanwhile as the user wants, and what comes then."""

    async def serve(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_next=7)
        for first in (True, False):
            fetch, count = await peer.sweep_tags()
            if first and catch_up is not CatchUp.NONE:
                peer.say_raw(dated(5, timedelta(days=3), "old"))
                peer.say_raw(dated(6, timedelta(hours=3), "fresh"))
            elif not first:
                peer.say_raw(dated(7, timedelta(), "live"))
            peer.say(fetch + b" OK", count + b" OK")
            tag = await peer.idle()
            peer.say(*([b"* 7 EXISTS"] if first else []))
            await peer.done(tag)

    async def main(loop: VirtualLoop) -> None:
        loop.scripts = [serve]
        async with watched(Mark(1, 5), WatchOptions(catch_up=catch_up)) as recorder:
            await asyncio.sleep(1)
            subjects = [arrival.mail.subject for arrival in recorder.arrivals]
            assert subjects == [*fired, "live"]

    run(main)


def test_folder_numbered_anew_loses_nothing_and_floods_nothing() -> None:
    """See what arrived after the last delivered mail fire, and none of what was known."""
    hour = timedelta(hours=1)
    mark = Mark(1, 50)
    for uid, (age, name) in enumerate([(5 * hour, "a"), (4 * hour, "b")], 48):
        received = (NOW - age).replace(microsecond=0)
        mark = mark.passed(
            Mail(
                folder="INBOX",
                uid_validity=1,
                uid=uid,
                message_id=f"<{name}>",
                received=received,
            )
        )

    async def serve(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_validity=2, uid_next=5)
        # What was asked for before that was known.
        await peer.sweep()
        await peer.done(await peer.idle())
        await peer.answer(r"UID SEARCH SINCE \d+-\w+-\d+$", b"* SEARCH 1 2 3 4")
        dates = await peer.expect(r"UID FETCH 1,2,3,4 \(UID INTERNALDATE\)")
        peer.say_raw(dated(1, 5 * hour, "a"))
        peer.say_raw(dated(2, 2 * hour, "new and late"))
        peer.say_raw(dated(3, 4 * hour, "b"))
        peer.say_raw(dated(4, 3 * hour, "new and early"))
        peer.say(dates + b" OK")
        fetch = await peer.expect("UID FETCH 3,4,2 ")
        peer.say_raw(dated(2, 2 * hour, "new and late"))
        peer.say_raw(dated(3, 4 * hour, "b"))
        peer.say_raw(dated(4, 3 * hour, "new and early"))
        peer.say(fetch + b" OK")
        assert b"UID FETCH 5:504" in await peer.sweep()
        await peer.done(await peer.idle())

    async def main(loop: VirtualLoop) -> None:
        loop.scripts = [serve]
        async with watched(mark) as recorder:
            await asyncio.sleep(1)
            subjects = [arrival.mail.subject for arrival in recorder.arrivals]
            assert subjects == ["new and early", "new and late"]
            assert recorder.marks[-1].uid_validity == 2
            assert recorder.marks[-1].next_uid == 5

    run(main)


def test_uidnext_that_goes_back_repeats_nothing() -> None:
    """See a server that lags behind itself tell of a delivered mail again, in vain."""

    async def ahead(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_next=10)
        await peer.sweep(10)
        await peer.idle()
        peer.close()

    async def behind(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_next=10)
        # What was asked for before that was known.
        await peer.sweep()
        await peer.done(await peer.idle())
        await peer.answer("UID SEARCH SINCE", b"* SEARCH")
        await peer.sweep(10, 11)
        await peer.done(await peer.idle())

    async def main(loop: VirtualLoop) -> None:
        loop.scripts = [ahead, behind]
        async with watched(Mark(1, 10)) as recorder:
            await asyncio.sleep(3)
            assert recorder.uids == [10, 11]
            assert recorder.marks[-1].next_uid == 12

    run(main)
