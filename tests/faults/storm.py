"""One storm: an account is watched while everything around it breaks."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
import logging
from random import Random
import time
from typing import Any, Final

from custom_components.imap_push.imap import Account, PushMode, Security, WatchOptions

from .hasty import hasty
from .home import Home
from .mailbox import Mailbox
from .servers import DovecotServer, MailServer, Pymap

from tests.rig.certificate import Certificate
from tests.rig.fault_proxy import Fault, FaultProxy
from tests.rig.ports import LOOPBACK

FOLDERS: Final = ("INBOX", "Work")
CLIENTS: Final = 2
# Seconds. Each is the longest pause between two deeds.
CLIENT_PAUSE: Final = 0.15
RELOAD_PAUSE: Final = 1.0
OUTAGE_PAUSE: Final = 4.0
OUTAGE: Final = 0.4
# Seconds within which all mail has to fire once the way is free.
CATCH_UP: Final = 5.0
# Seconds in which a mail may fire once more.
SUSPENSE: Final = 0.3
# Seconds that one fault may take on the average: whoever is slower has fallen asleep.
SECONDS_PER_FAULT: Final = 1.0
START_SECONDS: Final = 20.0

ENGINE_LOGGER: Final = "custom_components.imap_push"

# What does not push is looked at this often.
PUSH: Final = WatchOptions(poll_interval=0.2)
NO_PUSH: Final = WatchOptions(poll_interval=0.1, push=False)


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A server and a way to watch it; `push` is how mail is expected to come at least once."""

    name: str
    serve: Callable[[Certificate], MailServer]
    security: Security = Security.NONE
    options: WatchOptions = PUSH
    push: PushMode = PushMode.IDLE


def _dovecot(*without: str) -> Callable[[Certificate], MailServer]:
    return lambda certificate: DovecotServer(certificate, without=without)


VARIANTS: Final = (
    Variant(name="notify", serve=_dovecot(), push=PushMode.NOTIFY),
    Variant(
        name="notify tls",
        serve=_dovecot(),
        security=Security.TLS,
        push=PushMode.NOTIFY,
    ),
    Variant(
        name="notify serial",
        serve=_dovecot(),
        options=replace(PUSH, pipeline=False),
        push=PushMode.NOTIFY,
    ),
    Variant(name="idle", serve=_dovecot("NOTIFY")),
    Variant(name="idle tls", serve=_dovecot("NOTIFY"), security=Security.TLS),
    Variant(
        name="starttls",
        serve=_dovecot(),
        security=Security.STARTTLS,
        options=replace(PUSH, notify=False),
    ),
    Variant(
        name="idle serial",
        serve=_dovecot("NOTIFY"),
        options=replace(PUSH, pipeline=False),
    ),
    Variant(name="no idle", serve=_dovecot("IDLE"), push=PushMode.POLL),
    Variant(
        name="push off",
        serve=_dovecot(),
        options=NO_PUSH,
        push=PushMode.POLL,
    ),
    Variant(name="pymap", serve=Pymap),
    Variant(name="pymap tls", serve=Pymap, security=Security.TLS),
)


@dataclass
class Outcome:
    """What a storm did and what it found."""

    variant: str
    seed: int
    seconds: float = 0.0
    mails: int = 0
    outages: int = 0
    reloads: int = 0
    faults: Mapping[Fault, int] = field(default_factory=dict)
    pushes: Mapping[PushMode, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Return one line of counts."""
        return (
            f"seed {self.seed}  {self.variant:13}  {self.seconds:5.1f} s"
            f"  {self.mails:5} mails  {sum(self.faults.values()):4} faults"
            f"  {self.outages} outages  {self.reloads} reloads"
            f"  {_counts(self.faults)}  by {_counts(self.pushes)}"
        )

    def story(self) -> str:
        """Return all there is to say."""
        return "\n  ".join((str(self), *self.violations))


def _counts(counter: Mapping[Any, int]) -> str:
    return " ".join(f"{name}:{counter[name]}" for name in sorted(counter))


async def weather(
    variant: Variant, seed: int, faults: int, certificate: Certificate
) -> Outcome:
    """Watch an account through so many faults and return what came of it."""
    started = time.monotonic()
    outcome = Outcome(variant.name, seed)
    with hasty(), _complaints() as complaints:
        try:
            async with variant.serve(certificate) as server:
                port = server.port_for(variant.security)
                async with FaultProxy(port, seed) as proxy:
                    await _Storm(variant, server, proxy, outcome).rage(faults)
        except Exception as error:
            error.add_note(f"FAULT_SEED={seed} {variant.name}")
            raise
    outcome.seconds = time.monotonic() - started
    outcome.violations += complaints
    return outcome


class _Storm:
    """All that goes on at the same time."""

    def __init__(
        self, variant: Variant, server: MailServer, proxy: FaultProxy, outcome: Outcome
    ) -> None:
        self._server = server
        self._proxy = proxy
        self._outcome = outcome
        self._variant = variant
        self._home = Home(
            _account(variant, server, proxy), FOLDERS, variant.options, self._dice("ha")
        )
        self._mailbox = Mailbox(server, FOLDERS, self._home.fired)
        self._is_over = asyncio.Event()

    async def rage(self, faults: int) -> None:
        """Start in peace, break everything, and judge when peace is back."""
        self._proxy.is_faulty = False
        await self._mailbox.prepare()
        async with self._home:
            await self._break_everything(faults)
            await self._calm_down()
        await self._left()
        self._judge()

    async def _break_everything(self, faults: int) -> None:
        """Let all happen at the same time until there were faults enough."""
        self._proxy.is_faulty = True
        self._proxy.reset_all()
        async with asyncio.TaskGroup() as group:
            for number in range(CLIENTS):
                group.create_task(self._use_mailbox(f"client {number}"))
            group.create_task(self._break_server())
            group.create_task(self._reload())
            await self._have_enough(faults)
            self._is_over.set()
        self._proxy.is_faulty = False
        self._proxy.reset_all()

    async def _have_enough(self, faults: int) -> None:
        """Wait until there were faults enough."""
        with suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS + SECONDS_PER_FAULT * faults):
                while self._proxy.counts.total() < faults:
                    await asyncio.sleep(0.02)
                return
        self._outcome.violations.append("asleep: faults meet no connection any more")

    async def _use_mailbox(self, client: str) -> None:
        """Be another client of the mailbox."""
        dice = self._dice(client)
        while await self._goes_on(dice.uniform(0, CLIENT_PAUSE)):
            await self._mailbox.act(dice)

    async def _break_server(self) -> None:
        """Kill the server, or shut it down, and start it again."""
        dice = self._dice("server")
        while await self._goes_on(dice.uniform(0, OUTAGE_PAUSE)):
            end = dice.choice((self._server.kill, self._server.shut_down))
            await end()
            self._outcome.outages += 1
            await self._goes_on(dice.uniform(0, OUTAGE))
            await self._server.start()

    async def _reload(self) -> None:
        """Reload the entry now and then."""
        dice = self._dice("reload")
        while await self._goes_on(dice.uniform(0, RELOAD_PAUSE)):
            await self._home.reload()

    async def _calm_down(self) -> None:
        """Let all that is missing fire, and then what comes in peace."""
        await self._catch_up()
        await self._mailbox.append_to_all()
        await self._catch_up()
        await asyncio.sleep(SUSPENSE)

    async def _catch_up(self) -> None:
        """Wait until all has fired; what has not by then is told of in the end."""
        await self._mailbox.take_stock()
        with suppress(TimeoutError):
            async with asyncio.timeout(CATCH_UP):
                while any(self._missing(folder) for folder in FOLDERS):
                    await asyncio.sleep(0.01)

    def _missing(self, folder: str) -> set[int]:
        fired = {mail.uid for mail in self._home.fired[folder]}
        return self._mailbox.ledgers[folder].wanted - fired

    async def _left(self) -> None:
        """Wait until the engine has left no connection open."""
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                while self._proxy.open_connections:
                    await asyncio.sleep(0.01)

    def _judge(self) -> None:
        outcome, home = self._outcome, self._home
        outcome.mails = sum(map(len, home.fired.values()))
        outcome.faults = dict(self._proxy.counts)
        outcome.reloads = home.reloads.total()
        outcome.pushes = dict(home.pushes)
        outcome.violations += self._violations()

    def _violations(self) -> Iterator[str]:
        """Say what is wrong."""
        for folder, ledger in self._mailbox.ledgers.items():
            for violation in ledger.violations(self._home.fired[folder]):
                yield f"{folder}: {violation}"
        if not self._home.pushes[self._variant.push]:
            yield f"nothing came by {self._variant.push}"
        if self._home.refused:
            yield "faults were taken for a wrong password"
        if self._home.has_ended:
            yield "the watcher ended by itself"
        if self._proxy.open_connections:
            yield "connections were left open"

    async def _goes_on(self, seconds: float) -> bool:
        """Pause; return if the storm is not over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._is_over.wait()
        return not self._is_over.is_set()

    def _dice(self, who: str) -> Random:
        """Return dice of someone's own, so that nobody's decisions depend on who is first."""
        return Random(f"{self._outcome.seed} {who}")


def _account(variant: Variant, server: MailServer, proxy: FaultProxy) -> Account:
    return Account(
        host=LOOPBACK,
        port=proxy.port,
        username=server.user,
        password=server.password,
        security=variant.security,
        ssl_context=server.certificate.client_context(),
    )


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """Collect the errors that the engine contains or forgets: each is a bug all the same.

    A warning is as bad: no folder is numbered anew here. Only push may be found silent, as short
    as an IDLE is.
    """
    complaints: Counter[str] = Counter()
    found: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "announces no new mail" in record.getMessage():
                return
            error = record.exc_info[1] if record.exc_info else None
            complaints[f"in the log: {record.getMessage()} {error!r}"] += 1

    def handle(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, OSError):  # clients that leave pymap in its handshake
            complaints[f"nobody took: {context['message']} {error!r}"] += 1

    handler = Handler(logging.WARNING)
    logger = logging.getLogger(ENGINE_LOGGER)
    loop = asyncio.get_running_loop()
    usual = loop.get_exception_handler()
    logger.addHandler(handler)
    loop.set_exception_handler(handle)
    try:
        yield found
    finally:
        loop.set_exception_handler(usual)
        logger.removeHandler(handler)
        found += [f"{text} ({times} times)" for text, times in complaints.items()]
