"""One Home Assistant with every client in it, each with its own mailbox."""

import asyncio
from collections.abc import AsyncIterator, Callable
import contextlib
from dataclasses import dataclass, field
import time
from typing import Any, Final

from .announcements import Announcements
from .clients import CORE, EVENTS, IDLE, IMAPFLOW, NOTIFY, user_of
from .entries import core_imap, imap_push
from .environment import Environment
from .home import Home
from .imapflow_client import ImapFlow
from .mail import ordinary
from .metered_proxy import MeteredProxy

from tests.rig.dovecot import Dovecot
from tests.rig.lmtp import deliver

ARRIVAL_SECONDS: Final = 20
READY_SECONDS: Final = 60
# After each mail, a client needs a few round trips until it waits again.
RECOVERY_SECONDS: Final = 0.1
RECOVERY_ROUND_TRIPS: Final = 6
WARM_UP_MAILS: Final = 3

type Json = dict[str, Any]


@dataclass(frozen=True)
class Arrival:
    """The event of a mail and the time at which it was received."""

    at: float
    data: Json


@dataclass(frozen=True)
class Watched:
    """A mailbox that one client watches."""

    client: str
    server: Dovecot
    proxy: MeteredProxy
    announcements: Announcements
    arrivals: asyncio.Queue[Arrival] = field(default_factory=asyncio.Queue)

    @property
    def user(self) -> str:
        """Return the user of the mailbox."""
        return user_of(self.client)

    async def deliver(self, subject: str) -> None:
        """Deliver an ordinary mail."""
        await deliver(self.server.lmtp_port, self.user, ordinary(subject))

    async def next(self, *, seconds: float = ARRIVAL_SECONDS) -> Arrival:
        """Return the next event."""
        async with asyncio.timeout(seconds):
            return await self.arrivals.get()

    async def wait_until_waiting(self) -> None:
        """Wait until the client waits for mail, and drop what was recorded."""
        round_trip = 2 * self.proxy.delay
        await asyncio.sleep(RECOVERY_SECONDS + RECOVERY_ROUND_TRIPS * round_trip)
        self.announcements.forget()
        self.proxy.forget()
        while not self.arrivals.empty():
            self.arrivals.get_nowait()


@dataclass(frozen=True)
class Testbed:
    """The servers, proxies and clients of the parts that deliver mail."""

    environment: Environment
    home: Home
    watched: tuple[Watched, ...]

    def set_round_trip(self, seconds: float) -> None:
        """Set the round-trip time to every server, in seconds."""
        for watched in self.watched:
            watched.proxy.delay = seconds / 2


@contextlib.asynccontextmanager
async def open_testbed(
    environment: Environment, *, imapflow: bool
) -> AsyncIterator[Testbed]:
    """Start servers, proxies, Home Assistant and ImapFlow, and wait until all watch for mail."""
    clients = [CORE, IDLE, NOTIFY] + [IMAPFLOW] * imapflow
    users = [user_of(client) for client in clients]
    async with contextlib.AsyncExitStack() as stack:
        servers = {
            notify: stack.enter_context(environment.dovecot(users, notify=notify))
            for notify in (False, True)
        }
        watched = [
            await _watched(stack, client, servers[client == NOTIFY])
            for client in clients
        ]
        ports = {one.client: one.proxy.port for one in watched}
        entries = [
            core_imap(user_of(CORE), ports[CORE]),
            imap_push(user_of(IDLE), ports[IDLE]),
            imap_push(user_of(NOTIFY), ports[NOTIFY]),
        ]
        home = environment.home("testbed", entries, has_loop_meter=True)
        await stack.enter_async_context(home)
        await _queue_events(stack, home, watched)
        for one in watched:
            if one.client == IMAPFLOW:
                await _start_imapflow(stack, environment, one)
        for one in watched:
            await _warm_up(one)
        yield Testbed(environment, home, tuple(watched))


async def _watched(
    stack: contextlib.AsyncExitStack, client: str, server: Dovecot
) -> Watched:
    """Return a mailbox with a proxy and a listener."""
    user = user_of(client)
    proxy = await stack.enter_async_context(MeteredProxy(server.imaps_port))
    listener = Announcements(server.imap_port, user)
    return Watched(client, server, proxy, await stack.enter_async_context(listener))


async def _queue_events(
    stack: contextlib.AsyncExitStack, home: Home, watched: list[Watched]
) -> None:
    """Put each event into the queue of its mailbox."""
    by_user = {one.user: one for one in watched}

    async def pass_on(events: asyncio.Queue[Json], user: Callable[[Json], str]) -> None:
        while True:
            event = await events.get()
            arrival = Arrival(time.monotonic(), event["data"])
            by_user[user(event["data"])].arrivals.put_nowait(arrival)

    new_mail = await home.client.subscribe_events(EVENTS[IDLE])
    content = await home.client.subscribe_events(EVENTS[CORE])
    _run(stack, pass_on(new_mail, lambda data: str(data["account"])))
    _run(stack, pass_on(content, lambda data: str(data["username"])))


async def _start_imapflow(
    stack: contextlib.AsyncExitStack, environment: Environment, watched: Watched
) -> None:
    """Run ImapFlow and queue its output as events."""
    certificate = environment.certificate
    imapflow = ImapFlow(watched.proxy.port, watched.user, certificate)
    await stack.enter_async_context(imapflow)

    async def pass_on() -> None:
        while True:
            data = await imapflow.next()
            watched.arrivals.put_nowait(Arrival(time.monotonic(), data))

    _run(stack, pass_on())


def _run(stack: contextlib.AsyncExitStack, coroutine: Any) -> None:
    """Run a coroutine as a task that the stack cancels."""
    task = asyncio.create_task(coroutine)
    stack.callback(task.cancel)


async def _warm_up(watched: Watched) -> None:
    """Deliver some mails before the measurement."""
    for number in range(WARM_UP_MAILS):
        await watched.deliver(f"Warm up {number}")
        await watched.next(seconds=READY_SECONDS)
        # The first mail loads and caches code, which is not part of the latency.
        await asyncio.sleep(1)
        await watched.wait_until_waiting()
