"""Each mail fires one event despite broken connections, dead servers and restarts."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
import contextlib
import time
from typing import Final

import pytest_asyncio

from custom_components.imap_push.const import DOMAIN

from .home import COUNT_SUBJECT, COUNTER, Account, Home
from .mailbox import Mailbox
from .waiting import next_events, until, until_equal

from tests.rig.dovecot import Dovecot
from tests.rig.ports import LOOPBACK
from tests.rig.proxy import Proxy

RECONNECT_SECONDS: Final = 1.0
# Waiting for a dead server would take more than ten seconds.
SET_UP_SECONDS: Final = 5.0
# The longest pause of the watcher after failed attempts during the start.
BACKOFF_SECONDS: Final = 60.0


async def test_a_reset_connection_is_back_within_a_second(
    account: Account,
    mailbox: Mailbox,
    proxy: Proxy,
    record_property: Callable[[str, object], None],
) -> None:
    """Mail that arrives while the connection is down fires one event."""
    arrivals = await account.home.new_mail()
    await mailbox.deliver("Before")
    await next_events(arrivals)

    before = len(account.home.log)
    seconds = await _reset(proxy)
    record_property("seconds until reconnected", round(seconds, 3))
    assert seconds < RECONNECT_SECONDS
    await mailbox.deliver("At the first reset")
    await account.until_state("connectivity", "on")

    # The second time the watcher pauses first, which leaves time for a mail.
    reconnected = asyncio.create_task(_reset(proxy))
    await mailbox.deliver("At the second reset")
    await reconnected
    await mailbox.deliver("Afterwards")
    mails = await next_events(arrivals, 3)
    assert [(mail["uid"], mail["subject"]) for mail in mails] == (
        await mailbox.listing()
    )[1:]
    await account.until_state("unread", "4")
    # An interruption of less than 30 seconds changes no entity and logs nothing.
    assert "not connected" not in account.home.log[before:]


async def test_a_restart_neither_repeats_nor_loses_mail(
    account: Account, mailbox: Mailbox
) -> None:
    """An automation counts the twenty mails that arrived during the restart, in order."""
    home = account.home
    await home.reset_counter()
    await mailbox.deliver(COUNT_SUBJECT)
    await until_equal(lambda: home.state(COUNTER), "1")

    assert await home.stop() == 0
    await mailbox.deliver_all([COUNT_SUBJECT] * 20)
    await home.start()
    await until_equal(lambda: home.state(COUNTER), "21")

    await mailbox.deliver(COUNT_SUBJECT)
    await until_equal(lambda: home.state(COUNTER), "22")
    pushed, caught_up = False, True
    assert account.fired_uids() == [
        (1, pushed),
        *((uid, caught_up) for uid in range(2, 22)),
        (22, pushed),
    ]


@pytest_asyncio.fixture(loop_scope="session")
async def silent_port() -> AsyncIterator[int]:
    """Run a server that accepts connections and sends nothing."""
    server = await asyncio.start_server(lambda _reader, _writer: None, LOOPBACK, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        server.abort_clients()


async def test_dead_servers_do_not_delay_the_start(
    account: Account,
    dovecot: Dovecot,
    mailbox: Mailbox,
    proxy: Proxy,
    silent_port: int,
    users: Iterator[str],
    record_property: Callable[[str, object], None],
) -> None:
    """One refuses connections, one sends nothing; each account connects when its server works."""
    home = account.home
    refused = await home.add_account(next(users), dovecot.imaps_port)
    await refused.until_state("connectivity", "on")

    home.expect_warnings("): not connected")
    with _stopped(dovecot):
        proxy.target_port = silent_port
        assert await home.stop() == 0
        await home.start()
        seconds = await _seconds_of_set_up(home)
        record_property("seconds of a set-up with dead servers", round(seconds, 2))
        assert seconds < SET_UP_SECONDS
        dead = {"connectivity": "off", "push_mode": "off", "unread": "unavailable"}
        for states in (await account.states(), await refused.states()):
            assert dead.items() <= states.items()

    proxy.target_port = dovecot.imaps_port
    proxy.reset_all()
    arrivals = await home.new_mail()
    for connected in (account, refused):
        await connected.until_state("connectivity", "on", seconds=BACKOFF_SECONDS)
    await mailbox.deliver("Connected again")
    [mail] = await next_events(arrivals)
    assert mail["subject"] == "Connected again"


@contextlib.contextmanager
def _stopped(dovecot: Dovecot) -> Iterator[None]:
    """Stop a server temporarily."""
    dovecot.stop()
    try:
        yield
    finally:
        dovecot.start()


async def _reset(proxy: Proxy) -> float:
    """Reset every connection; return the seconds until there is a new one."""
    connections = proxy.connections
    started = time.monotonic()
    proxy.reset_all()
    await until(lambda: proxy.connections > connections)
    return time.monotonic() - started


async def _seconds_of_set_up(home: Home) -> float:
    """Return the setup time of the integration in seconds, measured by Home Assistant."""
    timings = await home.client.call("integration/setup_info")
    return next(float(time["seconds"]) for time in timings if time["domain"] == DOMAIN)
