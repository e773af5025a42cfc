"""Lost and silent connections: detected, reported, and opened again."""

import asyncio
import contextlib
import itertools
import random
from typing import override

import pytest

from custom_components.imap_push.imap import Mark, PushMode
from custom_components.imap_push.imap.auth.login_limiter import Backoff
from custom_components.imap_push.imap.watch.supervisor import OUTAGE_GRACE_SECONDS

from ..light import HOUR, IDLE, MINUTE, NOTIFY, served
from ..recorder import Recorder
from ..scripted import Peer
from ..virtual import VirtualLoop, run, watched
from .support import (
    EVERY_MODE,
    PUSH_MODES,
    drop_after_sync,
    idle_forever,
    quiet,
    quiet_script,
    unavailable,
    watched_inbox,
    watching,
)

from tests.rig.light_client import Pipelining
from tests.rig.light_folder import UID_VALIDITY


async def drop(peer: Peer) -> None:
    """Accept the login and close the connection."""
    await peer.log_in()
    peer.close()


async def never_respond(_peer: Peer) -> None:
    """Accept the connection and send nothing."""
    await asyncio.sleep(10 * HOUR)


async def test_connection_reset_during_idle() -> None:
    """The watcher reconnects immediately, and delivers what arrived meanwhile, without duplicates."""

    async def reset(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_next=5)
        await peer.sync()
        await peer.idle()
        await asyncio.sleep(0.05)
        peer.reset()

    async def again(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_next=6)
        assert b"UID FETCH 5:504" in await peer.sync(5)
        await idle_forever(peer)

    loop = asyncio.get_running_loop()
    async with watching(reset, again) as recorder:
        await recorder.until(lambda: recorder.states)
        lost = loop.time()
        await recorder.until(lambda: recorder.arrivals)
        assert loop.time() - lost < 1
    # A short outage is not reported.
    assert all(state.connected for state in recorder.states)
    assert [(a.mail.uid, a.catch_up) for a in recorder.arrivals] == [(5, False)]


def test_long_outage_is_reported() -> None:
    """The outage is reported with its error after half a minute, and its end, too."""

    async def main(loop: VirtualLoop) -> None:
        loop.scripts = [drop_after_sync]
        loop.after_last = unavailable
        async with watched_inbox() as recorder:
            await asyncio.sleep(OUTAGE_GRACE_SECONDS - 1)
            connected = [recorder.state.connected]
            await asyncio.sleep(2)
            connected.append(recorder.state.connected)
            assert connected == [True, False]
            assert recorder.state.error is not None
            await asyncio.sleep(10 * MINUTE)
            loop.after_last = quiet_script()
            await asyncio.sleep(HOUR)
        reported = [
            (state.connected, state.folders["INBOX"].available)
            for state in recorder.states
        ]
        changes = [state for state, _ in itertools.groupby(reported)]
        assert changes == [(True, True), (False, False), (True, True)]

    run(main)


class BrokenOnce(Recorder):
    """A listener with a defect that shows one time."""

    @override
    def mark_moved(self, folder: str, mark: Mark) -> None:
        super().mark_moved(folder, mark)
        if len(self.marks) == 1:
            raise KeyError("ours")


def test_unexpected_exception_reconnects(caplog: pytest.LogCaptureFixture) -> None:
    """The exception is logged, and the watcher reconnects."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop)
        async with watched({"INBOX": None}, recorder=BrokenOnce()) as recorder:
            await asyncio.sleep(MINUTE)
            server.deliver(1)
            await asyncio.sleep(1)
            assert recorder.state.connected
            assert recorder.uids == [1]
            assert server.logins == 2
            assert server.connections == 1
        assert caplog.text.count("Unexpected error") == 1

    run(main)


async def test_cancellation_logs_out() -> None:
    """DONE and LOGOUT are sent in one write."""
    left = asyncio.Event()

    async def serve(peer: Peer) -> None:
        await quiet(peer)
        left.set()

    async with watching(serve) as recorder:
        await recorder.until(lambda: recorder.states)
    assert left.is_set()


def test_backoff() -> None:
    """The first retry is immediate. Delays grow with jitter; only a long session resets them."""
    backoff = Backoff()
    assert backoff.delay(lasted=10) == 0
    limits = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert all(0 <= backoff.delay(lasted=10) <= limit for limit in limits)
    draws = [backoff.delay(lasted=10) for _ in range(200)]
    assert 225 <= min(draws) < max(draws) <= 300
    assert max(draws) - min(draws) > 50
    assert backoff.delay(lasted=300) == 0


@pytest.mark.parametrize("seed", range(20))
def test_connection_dropped_after_each_login(seed: int) -> None:
    """At most ten logins in ten minutes, and the watcher never stops trying."""

    async def main(loop: VirtualLoop) -> None:
        loop.after_last = drop
        async with watched_inbox():
            await asyncio.sleep(10 * MINUTE)
            assert 3 <= len(loop.connected_at) <= 10
            await asyncio.sleep(10 * HOUR)
            assert len(loop.connected_at) >= 10 + 10 * HOUR / (6 * MINUTE)
            loop.after_last = quiet_script()
            await asyncio.sleep(6 * MINUTE)

    random.seed(seed)
    run(main)


def test_silent_connection_is_detected() -> None:
    """A dead connection is found within five minutes, and new mail is delivered."""

    async def falls_silent(peer: Peer) -> None:
        await peer.log_in()
        await peer.examine(uid_next=5)
        await peer.sync()
        while True:
            tag = await peer.idle()
            if len(peer.received) > 25:
                break
            await peer.done(tag)
            await peer.sync()
        await asyncio.sleep(10 * HOUR)

    async def main(loop: VirtualLoop) -> None:
        loop.scripts = [falls_silent]
        loop.after_last = quiet_script(6, 5)
        async with watched_inbox() as recorder:
            await asyncio.sleep(2 * HOUR)
            assert recorder.uids == [5]
            assert len(loop.connected_at) == 2

    run(main)


def test_server_that_never_greets() -> None:
    """The connection is closed and opened again."""

    async def main(loop: VirtualLoop) -> None:
        loop.scripts = [never_respond]
        loop.after_last = quiet_script()
        async with watched_inbox() as recorder:
            await asyncio.sleep(5 * MINUTE)
            assert recorder.states[-1].connected

    run(main)


@pytest.mark.once
def test_daily_disconnect_is_not_reported() -> None:
    """After each BYE the watcher reconnects immediately, and the state stays connected."""

    async def for_a_day(peer: Peer) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(24 * HOUR):
                await quiet_script()(peer)
        peer.say(b"* BYE session expired")

    async def main(loop: VirtualLoop) -> None:
        loop.after_last = for_a_day
        async with watched_inbox() as recorder:
            await asyncio.sleep(30 * 24 * HOUR)
            assert 29 <= len(loop.connected_at) <= 31
            assert all(state.connected for state in recorder.states)

    run(main)


@PUSH_MODES
@pytest.mark.parametrize(
    "seconds", [MINUTE, HOUR, pytest.param(10 * HOUR, marks=pytest.mark.once)]
)
@pytest.mark.parametrize("is_nameless", [False, True], ids=["dark", "nameless"])
def test_network_outage(capabilities: bytes, seconds: float, is_nameless: bool) -> None:
    """It is found within five minutes, and mail is delivered soon after its end."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, "INBOX", "Work", capabilities=capabilities)
        async with watched({"INBOX": None, "Work": None}) as recorder:
            await asyncio.sleep(HOUR * random.random() + 1)
            server.deliver(1)
            server.deliver(1, "Work")
            await asyncio.sleep(MINUTE)
            loop.is_blackhole, loop.is_nameless = True, is_nameless
            await asyncio.sleep(seconds / 2)
            server.deliver(2)
            server.deliver(2, "Work")
            await asyncio.sleep(seconds / 2)
            if seconds > 6 * MINUTE:
                assert not recorder.state.connected
            loop.is_blackhole = loop.is_nameless = False
            await asyncio.sleep(5)
            assert recorder.uids_by_folder == {"INBOX": [1, 2, 3], "Work": [1, 2, 3]}
            await asyncio.sleep(10 * MINUTE)
            assert recorder.state.connected
            assert len(recorder.arrivals) == 6

    random.seed(seconds)
    run(main)


@PUSH_MODES
def test_network_outage_is_reported(capabilities: bytes) -> None:
    """The account is unavailable five minutes and OUTAGE_GRACE_SECONDS after the start."""

    async def main(loop: VirtualLoop) -> None:
        served(loop, capabilities=capabilities)
        async with watched({"INBOX": None}) as recorder:
            await asyncio.sleep(HOUR)
            loop.is_blackhole = True
            await asyncio.sleep(5 * MINUTE + 31)
            assert not recorder.state.connected
            assert recorder.state.error is not None

    run(main)


@EVERY_MODE
@pytest.mark.parametrize("missed", [0, 1, 100])
def test_reconnect_needs_few_writes(capabilities: bytes, missed: int) -> None:
    """Login and one more write, until all mail is delivered and IDLE is sent."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, capabilities=capabilities)
        server.slip_in(10 + missed)
        mark = Mark(UID_VALIDITY, 11)
        async with watched({"INBOX": mark}) as recorder:
            await asyncio.sleep(0.1)
            login, *rest = loop.written
            assert b"LOGIN" in login
            assert len(rest) == 1
            assert recorder.state.connected
            assert len(recorder.uids) == missed
            server.reset_all()
            loop.written.clear()
            await asyncio.sleep(0.1)
            assert len(loop.written) == 2
            assert server.connections == 1

    run(main)


@pytest.mark.parametrize("missed", [0, 1])
def test_reconnect_of_two_folders_needs_few_writes(missed: int) -> None:
    """With NOTIFY, two folders need no more writes than one."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, "INBOX", "Work", capabilities=NOTIFY)
        server.slip_in(10 + missed, "INBOX")
        server.slip_in(10 + missed, "Work")
        mark = Mark(UID_VALIDITY, 11)
        async with watched({"INBOX": mark, "Work": mark}) as recorder:
            await asyncio.sleep(0.1)
            assert len(loop.written) == 2
            assert len(recorder.arrivals) == 2 * missed
            assert recorder.state.push_mode is PushMode.NOTIFY

    run(main)


@pytest.mark.parametrize("is_serial", [False, True], ids=["at once", "one by one"])
@pytest.mark.parametrize("name", ["EXAMINE", "UID FETCH", "UID SEARCH", "IDLE"])
def test_cancelled_during_a_sync_cycle(name: str, is_serial: bool) -> None:
    """No connection stays open, whatever the server has not answered."""

    async def main(loop: VirtualLoop) -> None:
        silent = b" " + name.encode()
        server = served(
            loop,
            capabilities=IDLE,
            twist=lambda line: () if silent in line else None,
            pipelining=Pipelining.ANSWERS_BAD if is_serial else Pipelining.SUPPORTED,
        )
        mark = Mark(UID_VALIDITY, 1)
        async with watched({"INBOX": mark}):
            await asyncio.sleep(1)
            # The last message is fetched in the same write.
            at_once = 2 if name == "UID FETCH" and not is_serial else 1
            assert server.asked[name.encode()] == at_once
            assert server.connections == 1
        await asyncio.sleep(1)
        assert server.connections == 0
        assert server.logins == server.asked[b"LOGOUT"] + (name == "IDLE")

    run(main)


def test_name_server_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only one DNS query is in progress, and the watcher reconnects soon after an answer."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop)
        async with watched({"INBOX": None}) as recorder:
            await asyncio.sleep(MINUTE)
            asked, light = 0, asyncio.Event()
            usual = loop.getaddrinfo

            async def ask(*args: object, **options: object) -> list[object]:
                nonlocal asked
                asked += 1
                await light.wait()
                return await usual(*args, **options)

            monkeypatch.setattr(loop, "getaddrinfo", ask)
            server.reset_all()
            await asyncio.sleep(HOUR)
            assert asked == 1
            assert recorder.state.error is not None
            server.slip_in(1)
            light.set()
            await asyncio.sleep(5)
            assert recorder.state.connected
            assert recorder.uids == [1]

    run(main)
