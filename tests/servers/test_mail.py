"""Mail in INBOX: once, complete, at once, also in a burst and on connections that are cut."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from email.message import EmailMessage
from random import Random
import statistics
import time
from typing import Final, override

import pytest

from custom_components.imap_push.imap import PushMode, Quirks, Security, quirks

from .mailbox import Mailbox, account, arrive
from .watching import SILENT, all_arrive, happens, message_ids, watch_options, watching

from tests.rig.mails import plain
from tests.rig.ports import LOOPBACK
from tests.rig.proxy import Proxy
from tests.rig.servers import MailServer

SUBJECT: Final = "Grüße & „mehr“"
SENDER: Final = "Jürgen Ä <j@example.com>"
AT_ONCE_SECONDS: Final = 3.0  # IDLE of Courier looks for mail every second
ROUND_TRIP_SECONDS: Final = 0.2
CATCH_UP_SECONDS: Final = 15.0
BURST: Final = 60
REFRESH_SECONDS: Final = 3.0  # Waits of less than two seconds do not count.
INBOX: Final = ("INBOX",)
CUTS: Final = 2  # three logins are allowed at once


class ListeningProxy(Proxy):
    """The end of TLS, which records when the server announced a message."""

    def __init__(self, server: MailServer) -> None:
        """Forward to the port without TLS."""
        context = server.certificate.server_context()
        super().__init__(
            server.imap_port, context=context, delay=ROUND_TRIP_SECONDS / 2
        )
        self.announced: list[float] = []

    @override
    def _note_down(self, chunk: bytes) -> None:
        super()._note_down(chunk)
        if b" EXISTS" in chunk:
            self.announced.append(time.monotonic())


@pytest.fixture
async def line(server: MailServer) -> AsyncIterator[Proxy]:
    """Yield a connection to the server that can be cut."""
    async with Proxy(server.imap_port) as proxy:
        yield proxy


async def test_delivery(
    server: MailServer,
    mailbox: Mailbox,
    line: Proxy,
    note: Callable[[str, object], None],
) -> None:
    """Each message is delivered at once, one time, with all its fields; INBOX was empty."""
    mailbox.empty()
    # imap4d announces nothing, and waits for seconds for the lock of a session that crashed.
    seconds = CATCH_UP_SECONDS if server.name in SILENT else AT_ONCE_SECONDS
    sent: list[EmailMessage] = []
    delays = []
    async with watching(
        account(server, line.port), INBOX, watch_options(server)
    ) as recorder:
        for number in range(6):
            message = plain(f"{SUBJECT} {number}", sender=SENDER)
            sent.append(message)
            await asyncio.sleep(0.3 * (number % 2))
            began = time.monotonic()
            if number % 2:
                mailbox.append(message)
            else:
                await arrive(mailbox, message)
            wanted = [message["Message-ID"] for message in sent]
            await all_arrive(recorder, wanted, seconds)
            delays.append(time.monotonic() - began)
        mails = [arrival.mail for arrival in recorder.arrivals]
    assert [mail.subject for mail in mails] == [message["Subject"] for message in sent]
    assert {mail.sender_name for mail in mails} == {"Jürgen Ä"}
    assert {mail.sender for mail in mails} == {"j@example.com"}
    assert all(mail.size and mail.received for mail in mails)
    there = mailbox.messages()
    assert [mail.uid for mail in mails] == [message.uid for message in there]
    assert not any("\\Seen" in message.flags for message in there)
    note("median", f"{statistics.median(delays) * 1000:.0f} ms")


async def test_round_trips(
    server: MailServer, mailbox: Mailbox, note: Callable[[str, object], None]
) -> None:
    """From the announcement to the event: none with NOTIFY, one with IDLE."""
    if server.name == "wildduck":
        pytest.skip("it accepts no login if TLS ends before it")
    if server.name in SILENT:
        pytest.skip("it announces nothing")
    trips = []
    sent: list[str] = []
    async with ListeningProxy(server) as line:
        secure = replace(account(server), port=line.port, security=Security.TLS)
        async with watching(secure, INBOX, watch_options(server)) as recorder:
            for number in range(5):
                # Not at the end of an IDLE of two seconds, which would be a sync of its own.
                await asyncio.sleep(0.5)
                message = plain(f"trip {number}")
                sent.append(message["Message-ID"])
                line.announced.clear()
                await asyncio.to_thread(mailbox.append, message)
                await all_arrive(recorder, sent, AT_ONCE_SECONDS)
                trips.append(
                    (time.monotonic() - line.announced[0]) / ROUND_TRIP_SECONDS
                )
    median = statistics.median(trips)
    assert median < 1.6
    note("round trips", f"{median:.1f}")


async def test_burst(
    server: MailServer, mailbox: Mailbox, note: Callable[[str, object], None]
) -> None:
    """All mail that stays is delivered while another client flags and removes messages."""
    sent = [plain(f"burst {number}") for number in range(BURST)]
    async with watching(account(server), INBOX, watch_options(server)) as recorder:
        meddling = asyncio.create_task(asyncio.to_thread(_meddle, server))
        for number, message in enumerate(sent):
            if number % 4:
                await asyncio.to_thread(mailbox.append, message)
            else:
                await arrive(mailbox, message)
        removed = await meddling
        new = {message["Message-ID"] for message in sent}
        there = [message.message_id for message in mailbox.messages()]
        left = [message_id for message_id in there if message_id in new]
        note("after", f"{await all_arrive(recorder, left, CATCH_UP_SECONDS):.1f} s")
        uids = recorder.uids
        unread = mailbox.status("UNSEEN")

        def agrees() -> bool:
            return recorder.state.folders["INBOX"].unread == unread

        assert await happens(recorder, agrees, CATCH_UP_SECONDS)
    assert removed
    assert uids == sorted(uids)
    assert set(message_ids(recorder)) - {None} <= new


def _meddle(server: MailServer) -> int:
    """Flag and expunge some of the messages that arrive; return how many were expunged."""
    other = Mailbox(server)
    random = Random(7)
    removed = 0
    end = time.monotonic() + 3
    while time.monotonic() < end:
        count = other.select()
        if count > 3:
            other.store(random.randint(1, count), "+", "\\Seen \\Flagged")
            other.expunge(random.randint(1, count))
            removed += 1
        time.sleep(0.1)
    other.close()
    return removed


async def test_cuts(
    server: MailServer,
    mailbox: Mailbox,
    line: Proxy,
    note: Callable[[str, object], None],
) -> None:
    """All connections are cut several times while mail arrives: nothing is lost or repeated."""
    sent = []
    async with watching(
        account(server, line.port), INBOX, watch_options(server)
    ) as recorder:
        for number in range(CUTS * 10):
            message = plain(f"cut {number}")
            await asyncio.to_thread(mailbox.append, message)
            sent.append(message["Message-ID"])
            await asyncio.sleep(0.1)
            if number % 10 == 5:
                line.reset_all()
        took = await all_arrive(recorder, sent, CATCH_UP_SECONDS)
    assert recorder.uids == sorted(recorder.uids)
    note("caught up in", f"{took:.1f} s")


ON_MAILUTILS: Final = pytest.param(
    "mailutils", id="mailutils", marks=pytest.mark.xdist_group("mailutils")
)


@pytest.mark.parametrize("server", [ON_MAILUTILS], indirect=True)
async def test_silent_idle(
    server: MailServer, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mail that is not announced is found when IDLE is renewed, and then by polling."""
    known = Quirks(idle_refresh=REFRESH_SECONDS)
    monkeypatch.setitem(quirks._BY_DOMAIN, LOOPBACK, known)
    modes = []
    sent: list[str] = []
    async with watching(account(server), INBOX, watch_options(server)) as recorder:
        for number in range(4):
            modes.append(recorder.state.push_mode)
            await asyncio.sleep(1)  # The end of IDLE announced the last message.
            message = plain(f"silent {number}")
            sent.append(message["Message-ID"])
            mailbox.append(message)
            await all_arrive(recorder, sent, REFRESH_SECONDS + 2)
        assert await happens(
            recorder, lambda: recorder.state.push_mode is PushMode.POLL, 1
        )
    # The fourth wait begins in the write that finds the third message.
    assert modes == [PushMode.IDLE] * 4
