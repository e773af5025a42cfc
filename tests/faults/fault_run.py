"""One fault run: an account is watched while network and server break."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
import logging
from random import Random
import time
from types import MappingProxyType
from typing import Any, Final

from custom_components.imap_push.imap import Account, PushMode, Security, WatchOptions

from .mailbox import Mailbox
from .oracle import violations
from .restarting_listener import RestartingListener
from .servers import DovecotServer, MailServer, Pymap, RunningServer
from .short_timeouts import short_timeouts

from tests.rig import servers
from tests.rig.certificate import Certificate
from tests.rig.fault_proxy import Fault, FaultProxy
from tests.rig.ports import LOOPBACK

FOLDERS: Final = ("INBOX", "Work")
RECREATED: Final = "Projects"
CLIENTS: Final = 2
# Longest pauses between two actions, and the longest outage, in seconds.
MAX_CLIENT_PAUSE_SECONDS: Final = 0.15
MAX_RELOAD_PAUSE_SECONDS: Final = 1.0
MAX_OUTAGE_PAUSE_SECONDS: Final = 4.0
MAX_OUTAGE_SECONDS: Final = 0.4
# Seconds within which all mail has to fire after the last fault.
CATCH_UP_SECONDS: Final = 5.0
# Seconds to wait at the end for a mail that fires twice.
REPEAT_WAIT_SECONDS: Final = 0.3
# Average seconds per fault; a slower run has stopped reconnecting.
SECONDS_PER_FAULT: Final = 1.0
START_SECONDS: Final = 20.0

ENGINE_LOGGER: Final = "custom_components.imap_push"

# After several sessions that ended during IDLE, while a folder was opened, or while the same
# message was fetched.
EXPECTED_WARNINGS: Final = (
    "does not work on this server",
    "The folder cannot be watched",
    "is delivered without its header",
)
# After a folder was deleted, renamed or replaced.
RECREATED_WARNINGS: Final = ("UIDVALIDITY changed or UIDs went back",)

# Short polling intervals, for servers without push.
PUSH: Final = WatchOptions(poll_interval=0.2)
NO_PUSH: Final = WatchOptions(poll_interval=0.1, push=False)


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A server and options; `push` is a mode by which at least one mail has to come.

    With `recreates`, another folder is watched, which clients delete, rename and replace. Without
    `is_short`, the engine keeps its timeouts, and only the announcements bring mail.
    """

    name: str
    serve: Callable[[Certificate], MailServer]
    security: Security = Security.NONE
    options: WatchOptions = PUSH
    push: PushMode = PushMode.IDLE
    faults: tuple[Fault, ...] = tuple(Fault)
    recreates: bool = False
    is_short: bool = True


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
    Variant(name="idle", serve=_dovecot("NOTIFY")),
    Variant(name="idle tls", serve=_dovecot("NOTIFY"), security=Security.TLS),
    Variant(
        name="starttls",
        serve=_dovecot(),
        security=Security.STARTTLS,
        options=PUSH._replace(notify=False),
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


# Faults of a slow network.
SLOW: Final = (Fault.DELAY, Fault.STALL)


# Servers of scripts/servers on which folders can be renamed and replaced, and their push mode.
STORMS: Final = MappingProxyType(
    {
        "dovecot-2.3": PushMode.NOTIFY,
        "dovecot-2.4": PushMode.NOTIFY,
        "cyrus-3.6": PushMode.IDLE,
        "cyrus-3.12": PushMode.NOTIFY,
    }
)


def storms(server: servers.MailServer) -> tuple[Variant, ...]:
    """Return the variants for a server that runs already and keeps running."""
    make = partial(
        Variant,
        serve=lambda _: RunningServer(server),
        push=STORMS[server.name],
    )
    return (
        make(name="slow", faults=SLOW, is_short=False),
        make(name="folders", faults=SLOW, recreates=True),
        make(name="cuts", recreates=True),
    )


@dataclass
class Outcome:
    """What happened in a run, and the violations."""

    variant: str
    seed: int
    seconds: float = 0.0
    mails: int = 0
    outages: int = 0
    reloads: int = 0
    actions: Mapping[str, int] = field(default_factory=dict)
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
            f"  {sum(self.actions.values())} actions  {_counts(self.actions)}"
        )

    def report(self) -> str:
        """Return the counts and the violations."""
        return "\n  ".join((str(self), *self.violations))


def _counts(counter: Mapping[Any, int]) -> str:
    return " ".join(f"{name}:{counter[name]}" for name in sorted(counter))


async def run_with_faults(
    variant: Variant, seed: int, faults: int, certificate: Certificate
) -> Outcome:
    """Watch an account through this number of faults and return the outcome."""
    started = time.monotonic()
    outcome = Outcome(variant.name, seed)
    expected = EXPECTED_WARNINGS + RECREATED_WARNINGS * variant.recreates
    timeouts = short_timeouts() if variant.is_short else nullcontext()
    with timeouts, _engine_errors(expected) as errors:
        try:
            async with variant.serve(certificate) as server:
                port = server.port_for(variant.security)
                async with FaultProxy(port, seed, variant.faults) as proxy:
                    await _FaultRun(variant, server, proxy, outcome).run(faults)
        except Exception as error:
            error.add_note(f"FAULT_SEED={seed} {variant.name}")
            raise
    outcome.seconds = time.monotonic() - started
    outcome.violations += errors
    return outcome


class _FaultRun:
    """The watcher, the clients, the faults, the outages and the reloads of one run."""

    def __init__(
        self, variant: Variant, server: MailServer, proxy: FaultProxy, outcome: Outcome
    ) -> None:
        self._server = server
        self._proxy = proxy
        self._outcome = outcome
        self._variant = variant
        names = (*FOLDERS[1:], RECREATED) if variant.recreates else FOLDERS[1:]
        folders = (FOLDERS[0], *map(server.full_name, names))
        self._listener = RestartingListener(
            _account(variant, server, proxy), folders, variant.options, self._rng("ha")
        )
        self._mailbox = Mailbox(
            server,
            folders,
            self._listener.fired,
            clients=CLIENTS,
            recreated=folders[-1] if variant.recreates else None,
        )
        self._is_over = asyncio.Event()

    async def run(self, faults: int) -> None:
        """Start without faults, inject faults, and compare after the last one."""
        self._proxy.is_faulty = False
        await self._mailbox.prepare()
        async with self._listener:
            await self._inject_faults(faults)
            await self._wait_for_all_mail()
            self._outcome.violations += self._wrong_states()
        await self._wait_until_disconnected()
        self._fill_outcome()

    async def _inject_faults(self, faults: int) -> None:
        """Run clients, outages, reloads and faults at the same time until there were enough faults."""
        self._proxy.is_faulty = True
        self._proxy.reset_all()
        async with asyncio.TaskGroup() as group:
            for number in range(CLIENTS):
                group.create_task(self._use_mailbox(f"client {number}"))
            if self._server.can_restart:
                group.create_task(self._break_server())
            group.create_task(self._reload())
            await self._wait_for_faults(faults)
            self._is_over.set()
        self._proxy.is_faulty = False
        if not set(self._variant.faults) <= set(SLOW):
            self._proxy.reset_all()

    async def _wait_for_faults(self, faults: int) -> None:
        """Wait until there were enough faults."""
        with suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS + SECONDS_PER_FAULT * faults):
                while self._proxy.counts.total() < faults:
                    await asyncio.sleep(0.02)
                return
        self._outcome.violations.append(
            "the watcher does not reconnect: too few faults happened"
        )

    async def _use_mailbox(self, client: str) -> None:
        """Act as another client of the mailbox."""
        rng = self._rng(client)
        while await self._pause(rng.uniform(0, MAX_CLIENT_PAUSE_SECONDS)):
            await self._mailbox.run_random_action(rng)

    async def _break_server(self) -> None:
        """Kill the server, or shut it down, and start it again."""
        rng = self._rng("server")
        while await self._pause(rng.uniform(0, MAX_OUTAGE_PAUSE_SECONDS)):
            end = rng.choice((self._server.kill, self._server.shut_down))
            await end()
            self._outcome.outages += 1
            await self._pause(rng.uniform(0, MAX_OUTAGE_SECONDS))
            await self._server.start()

    async def _reload(self) -> None:
        """Reload the entry at random intervals."""
        rng = self._rng("reload")
        while await self._pause(rng.uniform(0, MAX_RELOAD_PAUSE_SECONDS)):
            await self._listener.reload()

    async def _wait_for_all_mail(self) -> None:
        """Wait for the missing mail, then for one more mail per folder."""
        await self._catch_up()
        await self._mailbox.append_to_all()
        await self._catch_up()
        await asyncio.sleep(REPEAT_WAIT_SECONDS)

    async def _catch_up(self) -> None:
        """Wait until all mail has fired and all counts agree; `_violations` reports the rest."""
        await self._mailbox.record_contents()
        with suppress(TimeoutError):
            async with asyncio.timeout(CATCH_UP_SECONDS):
                while any(self._missing(folder) for folder in self._mailbox.ledgers):
                    await asyncio.sleep(0.01)
                while any(self._wrong_states()):
                    await asyncio.sleep(0.01)

    def _missing(self, folder: str) -> set[int]:
        ledger = self._mailbox.ledgers[folder]
        mails = self._listener.fired[folder]
        fired = {it.uid for it in mails if it.uid_validity == ledger.uid_validity}
        return ledger.expected - fired

    def _wrong_states(self) -> Iterator[str]:
        """Yield the folders with wrong counts, or which NOTIFY should cover and does not."""
        for folder, ledger in self._mailbox.ledgers.items():
            state = self._listener.state.folders[folder]
            found, right = (
                (state.messages, state.unread),
                (ledger.messages, ledger.unread),
            )
            if found != right:
                yield f"{folder}: (messages, unread) are {found} and not {right}"
            if PushMode.NOTIFY is self._variant.push is not state.push_mode:
                yield f"{folder}: watched by {state.push_mode}"

    async def _wait_until_disconnected(self) -> None:
        """Wait until the engine has closed its connections."""
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                while self._proxy.open_connections:
                    await asyncio.sleep(0.01)

    def _fill_outcome(self) -> None:
        outcome, listener = self._outcome, self._listener
        outcome.mails = sum(map(len, listener.fired.values()))
        outcome.faults = dict(self._proxy.counts)
        outcome.reloads = listener.reloads.total()
        outcome.pushes = dict(listener.pushes)
        outcome.actions = dict(self._mailbox.actions)
        outcome.violations += self._violations()

    def _violations(self) -> Iterator[str]:
        """Yield the violations."""
        for folder, ledgers in self._mailbox.histories.items():
            for violation in violations(ledgers, self._listener.fired[folder]):
                yield f"{folder}: {violation}"
        if not self._listener.pushes[self._variant.push]:
            yield f"nothing came by {self._variant.push}"
        if self._listener.refused:
            yield "faults were taken for a wrong password"
        if self._listener.has_ended:
            yield "the watcher ended by itself"
        if self._proxy.open_connections:
            yield "connections were left open"

    async def _pause(self, seconds: float) -> bool:
        """Pause; return whether the run goes on."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._is_over.wait()
        return not self._is_over.is_set()

    def _rng(self, who: str) -> Random:
        """Return a generator of its own for each task: the order of tasks must not change its numbers."""
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
def _engine_errors(expected: Sequence[str]) -> Iterator[list[str]]:
    """Collect warnings and errors that the engine logs, and exceptions that no task awaits.

    Every warning is a bug, except `expected` ones.
    """
    errors: Counter[str] = Counter()
    found: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if any(text in record.getMessage() for text in expected):
                return
            error = record.exc_info[1] if record.exc_info else None
            errors[f"in the log: {record.getMessage()} {error!r}"] += 1

    def handle(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, OSError):  # clients that leave pymap in its handshake
            errors[f"not handled: {context['message']} {error!r}"] += 1

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
        found += [f"{text} ({times} times)" for text, times in errors.items()]
