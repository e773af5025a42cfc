"""Every mail fires exactly once, in order, whatever network, server and other clients do."""

import asyncio
from collections.abc import Callable
import contextlib
from imaplib import IMAP4
import os
from random import Random
import smtplib
import time

import pytest

from custom_components.imap_push.imap import (
    Account,
    Security,
    Watcher,
    WatchOptions,
    connection,
    logins,
    protocol,
    push,
)
from custom_components.imap_push.imap.backoff import Backoff

from tests.engine.recorder import Recorder
from tests.required import require
from tests.rig.certificate import make_certificate
from tests.rig.dovecot import PASSWORD, USER, Dovecot
from tests.rig.fault_proxy import FAULTS, FaultProxy
from tests.rig.lmtp import deliver
from tests.rig.mails import plain
from tests.rig.ports import LOOPBACK

pytestmark = [pytest.mark.dovecot, pytest.mark.usefixtures("socket_enabled", "hasty")]

ENOUGH_FAULTS = 300
ENOUGH_SECONDS = 150.0


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the engine wait for a hundredth of the usual time."""
    for module, name, seconds in (
        (protocol, "COMMAND_LIMIT", 3.0),
        (connection, "GREETING_DEADLINE", 0.3),
        (connection, "DONE_DEADLINE", 0.3),
        (connection, "LOGOUT_DEADLINE", 0.1),
        (push, "IDLE_FIRST", 0.1),
        (logins, "INTERVAL", 0.001),
    ):
        monkeypatch.setattr(module, name, seconds)
    defaults = protocol.Command.__init__.__defaults__
    assert defaults is not None
    hurried = tuple(
        0.3 if value == protocol.COMMAND_DEADLINE else value for value in defaults
    )
    monkeypatch.setattr(protocol.Command.__init__, "__defaults__", hurried)
    monkeypatch.setattr(Backoff, "delay", lambda *_: 0.01)


class Mailbox:
    """The server's side: others deliver, append, flag and delete; the oracle keeps the UIDs."""

    def __init__(
        self, server: Dovecot, dice: Random, fired: Callable[[], list[int]]
    ) -> None:
        """Use a server that runs; only mail that has fired is deleted."""
        self._server = server
        self._dice = dice
        self._fired = fired
        self._deleted: set[int] = set()

    async def act(self, number: int) -> None:
        """Do something to the mailbox; a server that is down is somebody else's affair."""
        action = self._dice.choice(
            (self.deliver, self.deliver, self.append, self.tamper)
        )
        with contextlib.suppress(OSError, smtplib.SMTPException, IMAP4.error):
            await action(number)

    async def deliver(self, number: int) -> None:
        """Deliver a mail by LMTP."""
        await deliver(self._server.lmtp_port, USER, plain(f"delivered {number}"))

    async def append(self, number: int) -> None:
        """Append a mail as another client does."""
        message = bytes(plain(f"appended {number}"))
        await asyncio.to_thread(
            self._with_client, lambda client: client.append("INBOX", "", "", message)
        )

    async def tamper(self, _number: int) -> None:
        """Flag a mail, and delete one that has fired."""
        uids = self._fired()
        if uids:
            await asyncio.to_thread(
                self._with_client, self._tamper, self._dice.choice(uids)
            )

    async def uids(self) -> list[int]:
        """Return every UID that the server ever assigned."""
        there: list[int] = await asyncio.to_thread(self._with_client, self._uids)
        return sorted({*there, *self._deleted})

    def _tamper(self, client: IMAP4, uid: int) -> None:
        client.select()
        client.uid("STORE", str(uid), "+FLAGS", r"(\Seen)")
        if uid % 3 == 0:
            client.uid("STORE", str(uid), "+FLAGS", r"(\Deleted)")
            self._deleted.add(uid)
            client.expunge()

    def _uids(self, client: IMAP4) -> list[int]:
        client.select(readonly=True)
        _, [found] = client.uid("SEARCH", "ALL")
        return [int(uid) for uid in found.split()]

    def _with_client[T](self, use: Callable[..., T], *arguments: object) -> T:
        with IMAP4(LOOPBACK, self._server.imap_port, timeout=5) as client:
            client.login(USER, PASSWORD)
            return use(client, *arguments)


async def test_faults(
    tmp_path_factory: pytest.TempPathFactory,
    record_property: Callable[[str, object], None],
) -> None:
    """Three hundred faults, a server killed again and again, and not one mail lost or twice."""
    require(Dovecot.available(), "Dovecot 2.3")
    seed = int(os.environ.get("FAULT_SEED") or time.time_ns() % 1_000_000)
    dice = Random(seed)
    recorder = Recorder()
    with Dovecot(make_certificate(tmp_path_factory.mktemp("certificate"))) as server:
        mailbox = Mailbox(server, dice, lambda: recorder.uids)
        async with FaultProxy(server.imap_port, Random(seed)) as proxy:
            proxy.is_faulty = False
            account = Account(
                host=LOOPBACK,
                port=proxy.port,
                username=USER,
                password=PASSWORD,
                security=Security.NONE,
            )
            watcher = Watcher(account, {"INBOX": None}, WatchOptions(), recorder)
            task = asyncio.create_task(watcher.run())
            await recorder.until(lambda: recorder.states)
            proxy.is_faulty = True
            proxy.reset_all()

            await _break_everything(server, proxy, mailbox)

            proxy.is_faulty = False
            proxy.reset_all()
            wanted = await mailbox.uids()
            with contextlib.suppress(TimeoutError):
                await recorder.until(lambda: len(recorder.uids) >= len(wanted), 20)
            task.cancel()
            await asyncio.wait([task])
    story = f"FAULT_SEED={seed}: {len(wanted)} mails, faults {dict(proxy.counts)}"
    record_property("story", story)
    assert recorder.uids == wanted, story
    assert set(proxy.counts) == set(FAULTS), story
    assert recorder.refused == 0, story


async def _break_everything(
    server: Dovecot, proxy: FaultProxy, mailbox: Mailbox
) -> None:
    """Go on until there were faults enough; kill the server now and then."""
    started = time.monotonic()
    number = 0
    while proxy.counts.total() < ENOUGH_FAULTS:
        assert time.monotonic() - started < ENOUGH_SECONDS
        number += 1
        await mailbox.act(number)
        if number % 60 == 0:
            server.kill()
            await asyncio.sleep(0.2)
            server.start()
        await asyncio.sleep(0.05)
