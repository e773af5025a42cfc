"""Refused logins: how often they are tried again, and when new credentials are requested."""

import asyncio

from custom_components.imap_push.imap import LoginDisabled

from ..light import HOUR, MINUTE, each, served
from ..scripted import Peer
from ..virtual import VirtualLoop, run, watched
from .support import (
    EVERY_MODE,
    POLLED,
    TWO,
    drop_after_sync,
    quiet_script,
    refuse,
    unavailable,
    watched_inbox,
)


async def throttle(peer: Peer) -> None:
    """Request a pause of twenty minutes."""
    peer.say(b"* OK [CAPABILITY IMAP4rev1] ready")
    text = b"NO Request is throttled. Suggested Backoff Time: 1200000 milliseconds"
    await peer.answer("LOGIN", ok=text)
    await peer.until_closed()


def test_temporary_refusals_do_not_ask_for_credentials() -> None:
    """The login is tried again until it succeeds."""

    async def main(loop: VirtualLoop) -> None:
        loop.scripts = [unavailable] * 5
        loop.after_last = quiet_script()
        async with watched_inbox() as recorder:
            await asyncio.sleep(HOUR)
            assert recorder.states[-1].connected
            assert recorder.refused == 0
            assert len(loop.connected_at) == 6

    run(main)


def test_wrong_password_is_tried_three_times() -> None:
    """The three logins take more than a minute; then new credentials are requested, one time."""

    async def main(loop: VirtualLoop) -> None:
        loop.after_last = refuse
        async with watched_inbox() as recorder:
            await asyncio.sleep(100 * HOUR)
            assert len(loop.connected_at) == 3
            assert loop.connected_at[-1] - loop.connected_at[0] > MINUTE
            assert recorder.refused == 1
            assert [state.connected for state in recorder.states] == [False] * 3

    run(main)


def test_successful_login_resets_refusals() -> None:
    """Refusals before a successful login do not count."""

    async def main(loop: VirtualLoop) -> None:
        loop.scripts = [refuse, refuse, drop_after_sync, refuse, refuse]
        loop.after_last = quiet_script()
        async with watched_inbox() as recorder:
            await asyncio.sleep(HOUR)
            assert recorder.refused == 0
            assert recorder.states[-1].connected

    run(main)


def test_pause_requested_by_the_server() -> None:
    """No login is tried before the requested time is over."""

    async def main(loop: VirtualLoop) -> None:
        loop.scripts = [throttle]
        loop.after_last = quiet_script()
        async with watched_inbox() as recorder:
            await asyncio.sleep(21 * MINUTE)
            assert loop.connected_at[1] - loop.connected_at[0] >= 20 * MINUTE
            assert recorder.refused == 0
            assert recorder.states[-1].connected

    run(main)


def test_login_that_needs_tls() -> None:
    """It is tried again rarely, until the server accepts it or the user asks for a check."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop)

        def refuse(line: bytes) -> list[bytes] | None:
            tag, _, command = line.partition(b" ")
            refusal = tag + b" NO [PRIVACYREQUIRED] TLS required"
            return [refusal] if command.startswith(b"LOGIN") else None

        server.habits.twist = refuse
        async with watched({"INBOX": None}) as recorder:
            await asyncio.sleep(29 * MINUTE)
            assert server.logins == 2
            assert isinstance(recorder.state.error, LoginDisabled)
            assert recorder.refused == 0
            recorder.watcher.check_now()
            await asyncio.sleep(MINUTE / 2)
            assert server.logins == 3
            server.habits.twist = None
            await asyncio.sleep(16 * MINUTE)
            assert recorder.state.connected

    run(main)


def test_alert_hides_the_password() -> None:
    """The text of ALERT is passed on with the password removed."""

    async def alert(peer: Peer) -> None:
        await peer.log_in()
        peer.say(b"* OK [ALERT] secret is no good password")
        await peer.answer(
            "EXAMINE", ok=b"NO [ALERT] Please log in via your web browser"
        )
        await peer.until_closed()

    async def main(loop: VirtualLoop) -> None:
        loop.scripts = [alert]
        async with watched_inbox() as recorder:
            await asyncio.sleep(1)
            assert recorder.alerts == [
                "*** is no good password",
                "Please log in via your web browser",
            ]

    run(main)


@EVERY_MODE
def test_preauth(capabilities: bytes) -> None:
    """No password is sent, and the watcher works."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop, *TWO, capabilities=capabilities, greeting=b"PREAUTH")
        async with watched(dict.fromkeys(TWO)) as recorder:
            await asyncio.sleep(MINUTE)
            for name in TWO:
                server.deliver(1, name)
            await asyncio.sleep(POLLED)
            assert recorder.uids_by_folder == each(TWO, [1])
            assert server.logins == 0
            assert b"secret" not in b"".join(loop.written)

    run(main)


def test_error_in_login_refused() -> None:
    """The watcher continues, and the number of logins stays the same."""

    async def main(loop: VirtualLoop) -> None:
        server = served(loop)

        def refuse(line: bytes) -> list[bytes] | None:
            tag, _, command = line.partition(b" ")
            refusal = tag + b" NO [AUTHENTICATIONFAILED] no"
            return [refusal] if command.startswith(b"LOGIN") else None

        server.habits.twist = refuse
        async with watched({"INBOX": None}) as recorder:
            recorder.errors = 1000
            await asyncio.sleep(HOUR)
            names = [task.get_name() for task in asyncio.all_tasks()]
            assert "imap_push watcher" in names
            assert recorder.refused == 1
            assert server.logins == 3

    run(main)
