"""What the layer above is told, whatever the server does."""

import asyncio
from collections.abc import AsyncIterator
import contextlib
from datetime import UTC, datetime
from typing import Any

import pytest

from custom_components.imap_push.imap import (
    AccountWatcher,
    Mark,
    PushMode,
    WatchedFolder,
    WatchOptions,
)
from custom_components.imap_push.imap.auth import login_limiter as logins
from custom_components.imap_push.imap.auth.login_limiter import Backoff
from custom_components.imap_push.imap.watch import (
    supervisor as link,
    wait_strategy as push,
)
from custom_components.imap_push.imap.watch.folder_loop import FolderLoop

from ..conftest import account
from ..recorder import Recorder
from ..scripted import CAPABILITIES, Peer, Script, ScriptedServer, mail

RECEIVED = datetime(2026, 11, 23, 9, tzinfo=UTC)


def places(marks: list[Mark]) -> list[tuple[int, int]]:
    """Return where the marks stood, without doublets."""
    found = [(mark.uid_validity, mark.next_uid) for mark in marks]
    return list(dict.fromkeys(found))


@contextlib.asynccontextmanager
async def watching(
    *scripts: Script, mark: Mark | None = None, options: WatchOptions | None = None
) -> AsyncIterator[Recorder]:
    """Watch INBOX on a server that plays one script for each connection."""
    recorder = Recorder()
    async with ScriptedServer(*scripts) as server:
        watcher = AccountWatcher(
            account(server.port),
            {"INBOX": WatchedFolder(mark=mark)},
            options or WatchOptions(),
            recorder,
        )
        task = asyncio.ensure_future(watcher.run())
        try:
            yield recorder
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def idle_forever(peer: Peer) -> None:
    """Take IDLE, and DONE and LOGOUT at the end."""
    await peer.done(await peer.idle())
    await peer.leave()


async def quiet(peer: Peer) -> None:
    """Serve a folder where nothing happens."""
    await peer.log_in()
    await peer.examine(uid_next=5)
    await peer.sweep()
    await idle_forever(peer)


async def test_nothing_that_was_there_fires_when_a_folder_is_added() -> None:
    """See old mail known, and only its number and its newest told."""

    async def serve(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(exists=4, uid_next=5)
        assert b"UID FETCH 5:504" in await peer.sweep(4, unread=2)
        await idle_forever(peer)

    async with watching(serve) as recorder:
        await recorder.until(lambda: recorder.states)
    assert recorder.arrivals == []
    assert places(recorder.marks) == [(1, 5)]
    assert recorder.marks[-1].last_received == RECEIVED
    state = recorder.states[0]
    assert (state.connected, state.push_mode) == (True, PushMode.IDLE)
    assert "IDLE" in state.capabilities
    folder = state.folders["INBOX"]
    assert folder.last_mail is not None
    assert (folder.available, folder.unread, folder.last_mail.uid) == (True, 2, 4)


async def test_mail_that_came_while_away_is_caught_up() -> None:
    """See mail above the kept mark fire first, marked as caught up, then the live ones."""

    async def serve(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_next=7)
        assert b"UID FETCH 5:504" in await peer.sweep(5, 6)
        tag = await peer.idle()
        peer.say(b"* 7 EXISTS")
        await peer.done(tag)
        assert b"UID FETCH 7:*" in await peer.sweep(7)
        await idle_forever(peer)

    async with watching(serve, mark=Mark(1, 5)) as recorder:
        await recorder.until(lambda: len(recorder.states) == 2)
    assert [(a.mail.uid, a.catch_up, a.push) for a in recorder.arrivals] == [
        (5, True, PushMode.IDLE),
        (6, True, PushMode.IDLE),
        (7, False, PushMode.IDLE),
    ]
    assert places(recorder.marks) == [(1, 6), (1, 7), (1, 8)]


async def test_burst() -> None:
    """See every mail of a burst, however the announcements are bundled."""

    async def serve(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_next=1)
        await peer.sweep()
        tag = await peer.idle()
        peer.say(*(b"* %d EXISTS" % count for count in range(1, 31)))
        await peer.done(tag)
        fetch = await peer.expect("UID FETCH 1:")
        count = await peer.expect("UID SEARCH")
        # Another mail arrives while the first thirty are being fetched.
        for uid in range(1, 31):
            peer.say_raw(mail(uid, uid))
        peer.say(b"* 31 EXISTS", fetch + b" OK", count + b" OK")
        tag = await peer.idle()
        await peer.done(tag)
        await peer.sweep(31)
        await idle_forever(peer)

    async with watching(serve) as recorder:
        await recorder.until(lambda: len(recorder.arrivals) == 31)
    assert recorder.uids == list(range(1, 32))


async def test_newest_mail_deleted_by_another_client() -> None:
    """See no event: the server gives an older mail as the last one."""

    async def serve(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_next=6)
        await peer.sweep(5, unread=1)
        tag = await peer.idle()
        peer.say(b"* 2 EXPUNGE")
        await peer.done(tag)
        await peer.sweep(3, unread=0)
        await idle_forever(peer)

    async with watching(serve) as recorder:
        await recorder.until(lambda: len(recorder.states) == 2)
    assert recorder.arrivals == []
    assert recorder.states[-1].folders["INBOX"].unread == 0


async def test_reset_during_idle() -> None:
    """See the watcher back at once, and what came meanwhile fire once."""

    async def reset(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_next=5)
        await peer.sweep()
        await peer.idle()
        await asyncio.sleep(0.05)
        peer.reset()

    async def again(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_next=6)
        assert b"UID FETCH 5:504" in await peer.sweep(5)
        await idle_forever(peer)

    loop = asyncio.get_running_loop()
    async with watching(reset, again) as recorder:
        await recorder.until(lambda: recorder.states)
        lost = loop.time()
        await recorder.until(lambda: len(recorder.states) == 2)
        assert loop.time() - lost < 1
    # An outage that is over at once changes no entity.
    assert [state.connected for state in recorder.states] == [True, True]
    assert [(a.mail.uid, a.catch_up) for a in recorder.arrivals] == [(5, False)]


async def test_outage_that_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    """See a longer outage told once, with its reason, and its end."""
    monkeypatch.setattr(link, "GRACE", 0.05)
    monkeypatch.setattr(Backoff, "delay", lambda *_: 0.1)

    async def reset(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_next=5)
        await peer.sweep()
        await peer.idle()
        peer.reset()

    async with watching(reset, unavailable, quiet) as recorder:
        await recorder.until(lambda: len(recorder.states) >= 3)
        await recorder.until(lambda: recorder.states[-1].connected)
    told = [
        (state.connected, state.folders["INBOX"].available) for state in recorder.states
    ]
    assert told[0] == told[-1] == (True, True)
    assert set(told[1:-1]) == {(False, False)}
    assert recorder.states[1].error is not None


async def test_mail_is_not_lost_with_a_sweep_that_breaks() -> None:
    """See mail of a sweep without its OK fire in the next one, once."""

    async def broken(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_next=7)
        await peer.expect("UID FETCH 5:")
        peer.say_raw(mail(1, 5))
        peer.reset()

    async def whole(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_next=7)
        assert b"UID FETCH 5:504" in await peer.sweep(5, 6)
        await idle_forever(peer)

    async with watching(broken, whole, mark=Mark(1, 5)) as recorder:
        await recorder.until(lambda: recorder.states and recorder.states[-1].connected)
    assert recorder.uids == [5, 6]


@pytest.mark.parametrize(
    ("capabilities", "options"),
    [
        (b"IMAP4rev1 ESEARCH", WatchOptions(poll_interval=0.05)),
        (CAPABILITIES, WatchOptions(push=False, poll_interval=0.05)),
    ],
    ids=["no IDLE", "push switched off"],
)
async def test_polling(capabilities: bytes, options: WatchOptions) -> None:
    """See mail found within the interval."""

    async def serve(peer: Peer) -> None:
        await peer.log_in(capabilities)
        await peer.examine(uid_next=5)
        await peer.sweep()
        await peer.examine(uid_next=6)
        await peer.sweep(5)
        await peer.leave()

    async with watching(serve, options=options) as recorder:
        await recorder.until(lambda: len(recorder.states) == 2)
    assert [(a.mail.uid, a.push) for a in recorder.arrivals] == [(5, PushMode.POLL)]
    assert recorder.states[-1].push_mode is PushMode.POLL


async def test_idle_is_refreshed_with_a_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """See mail found soon that came before IDLE and that the server did not announce."""
    monkeypatch.setattr(push, "IDLE_FIRST", 0.05)

    async def serve(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_next=5)
        await peer.sweep()
        await peer.done(await peer.idle())
        await peer.sweep(5)
        await peer.until_closed()

    async with watching(serve) as recorder:
        await recorder.until(lambda: recorder.arrivals)
    assert recorder.uids == [5]


@pytest.mark.parametrize(
    ("mark", "uid_validity", "uid_next"),
    [(Mark(1, 5), 2, 9), (Mark(1, 50), 1, 9)],
    ids=["UIDVALIDITY changed", "UIDNEXT went back"],
)
async def test_folder_numbered_anew(
    mark: Mark, uid_validity: int, uid_next: int, caplog: pytest.LogCaptureFixture
) -> None:
    """See no flood, one log line, and the next mail fire."""

    async def serve(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_validity=uid_validity, uid_next=uid_next)
        # What was asked for before that was known.
        await peer.sweep(8)
        await peer.done(await peer.idle())
        assert b"UID FETCH %d:" % uid_next in await peer.sweep(8)
        tag = await peer.idle()
        peer.say(b"* 9 EXISTS")
        await peer.done(tag)
        await peer.sweep(9)
        await idle_forever(peer)

    async with watching(serve, mark=mark) as recorder:
        await recorder.until(lambda: recorder.arrivals)
    assert [
        (a.mail.uid_validity, a.mail.uid, a.catch_up) for a in recorder.arrivals
    ] == [(uid_validity, 9, False)]
    assert places(recorder.marks)[0] == (uid_validity, uid_next)
    assert caplog.text.count("finding new messages by date") == 1


async def test_errors_of_the_listener_are_its_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """See the watcher go on when those above fail, with the error in the log."""

    async def serve(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_next=7)
        await peer.sweep(5, 6)
        await idle_forever(peer)

    recorder: Recorder
    async with watching(serve, mark=Mark(1, 5)) as recorder:
        recorder.errors = 3
        await recorder.until(lambda: recorder.states)
    assert recorder.uids == [5, 6]
    assert caplog.text.count("a listener's own error") >= 3
    assert places(recorder.marks)[-1] == (1, 7)


async def test_defect_of_ours_costs_a_log_line_and_a_reconnect(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """See the watcher survive any exception."""
    failures = [KeyError("ours")]

    def fail_once(*arguments: Any) -> FolderLoop:
        if failures:
            raise failures.pop()
        return FolderLoop(*arguments)

    monkeypatch.setattr(link, "FolderLoop", fail_once)

    async def opened(peer: Peer) -> None:
        await peer.log_in()
        await peer.until_closed()

    async with watching(opened, quiet) as recorder:
        await recorder.until(lambda: recorder.states and recorder.states[-1].connected)
    assert "Unexpected error" in caplog.text


async def refuse(peer: Peer) -> None:
    """Refuse the login."""
    peer.say(b"* OK [CAPABILITY IMAP4rev1] ready")
    await peer.answer("LOGIN", ok=b"NO [AUTHENTICATIONFAILED] wrong")
    await peer.until_closed()


async def test_wrong_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """See the user asked after three refusals, and no further login tried."""
    monkeypatch.setattr(logins, "REFUSAL_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(Backoff, "delay", lambda *_: 0.0)
    async with watching(refuse, refuse, refuse, refuse) as recorder:
        await recorder.until(lambda: recorder.refused)
        await asyncio.sleep(0.1)
        assert len(recorder.states) == 3
    assert recorder.refused == 1
    assert not recorder.states[-1].connected


async def unavailable(peer: Peer) -> None:
    """Refuse the login for now."""
    peer.say(b"* OK [CAPABILITY IMAP4rev1] ready")
    await peer.answer("LOGIN", ok=b"NO [UNAVAILABLE] try again later")
    await peer.until_closed()


async def test_outage_never_asks_for_a_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """See passing refusals lead to further tries, and a good end."""
    monkeypatch.setattr(Backoff, "delay", lambda *_: 0.0)
    monkeypatch.setattr(logins, "LOGIN_INTERVAL_SECONDS", 0.01)
    async with watching(*[unavailable] * 5, quiet) as recorder:
        await recorder.until(lambda: recorder.states and recorder.states[-1].connected)
    assert recorder.refused == 0


async def test_cancelling_logs_out() -> None:
    """See IDLE ended and LOGOUT sent in one write."""
    left = asyncio.Event()

    async def serve(peer: Peer) -> None:
        await quiet(peer)
        left.set()

    async with watching(serve) as recorder:
        await recorder.until(lambda: recorder.states)
    assert left.is_set()


def test_idle_grows_while_nothing_happens() -> None:
    """See doubt shrink with each IDLE that was followed by a sweep, and begin anew with news."""
    idle = push.IdleWait(285)
    seconds = []
    for announced in (False, False, False, False, False, True, False):
        seconds.append(idle.seconds)
        idle.learn(0, announced=announced)
    assert seconds == [2, 8, 32, 128, 285, 285, 2]


def test_backoff() -> None:
    """See the first try at once, then growth with jitter, reset by survival alone."""
    backoff = Backoff()
    assert backoff.delay(lasted=10) == 0
    limits = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert all(0 <= backoff.delay(lasted=10) <= limit for limit in limits)
    draws = [backoff.delay(lasted=10) for _ in range(200)]
    assert 225 <= min(draws) < max(draws) <= 300
    assert max(draws) - min(draws) > 50
    assert backoff.delay(lasted=300) == 0
