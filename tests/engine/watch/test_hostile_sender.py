"""A message with a BODYSTRUCTURE of megabytes does not affect other messages.

The BODYSTRUCTURE response of Dovecot repeats the header fields of each part. It can be many
times larger than the message, and larger than the limit of a response.
"""

from collections.abc import AsyncIterator

import pytest

from custom_components.imap_push.imap import (
    Arrival,
    Client,
    Criteria,
    Mark,
    ResponseTooLarge,
    WatchedFolder,
    WatchOptions,
)

from ..conftest import account
from .test_folders_on_dovecot import watching

from tests.rig.dovecot import PASSWORD, USER, Dovecot
from tests.rig.lmtp import LmtpSender

pytestmark = pytest.mark.dovecot

MODES = {
    "notify": WatchOptions(),
    "idle": WatchOptions(notify=False),
    "poll": WatchOptions(push=False, poll_interval=1),
}
ORDINARY = (
    b"From: boss@example.com\r\nSubject: urgent\r\nDate: Mon, 30 Nov 2026 09:00:00 +0000\r\n"
    b"\r\nNow.\r\n"
)
BEGINNING = (
    b"From: Eve <eve@example.com>\r\nSubject: bomb\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
)
DEADLINE = 30.0  # seconds, on a busy machine


def parameters(megabytes: int) -> bytes:
    """Return a message whose parts have long parameters."""
    value = b"\r\n ".join([b"a" * 900] * 7)
    part = b'--b\r\nContent-Type: text/plain; x="' + value + b'"\r\n\r\nx\r\n'
    return BEGINNING + part * (megabytes * 1_000_000 // len(part)) + b"--b--\r\n"


def envelopes() -> bytes:
    """Return a message of 8.7 MB. ENVELOPE repeats the many senders of its attached messages."""
    senders = b"\r\n ".join([b"a," * 400] * 3)
    attached = (
        b"--b\r\nContent-Type:message/rfc822\r\n\r\nFrom:" + senders + b"\r\n\r\n\r\n"
    )
    part = b"--b\r\nContent-Type:a/b;x=" + b"a" * 6_300 + b"\r\n\r\n\r\n"
    return BEGINNING + attached * 210 + part * 1_300 + b"--b--\r\n"


@pytest.fixture
async def sender(server: Dovecot) -> AsyncIterator[LmtpSender]:
    """Return the sender of messages."""
    async with LmtpSender(server.lmtp_port) as sender:
        yield sender


def check(arrivals: list[Arrival]) -> None:
    """Check that both messages arrived, and that the first is marked as truncated."""
    bomb, ordinary = (arrival.mail for arrival in arrivals)
    assert (bomb.sender, bomb.subject) == ("eve@example.com", "bomb")
    assert bomb.truncated
    assert bomb.attachments == ()
    assert bomb.received is not None
    assert bomb.size > 8_000_000
    assert ordinary.subject == "urgent"
    assert not ordinary.truncated


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "bomb",
    [
        pytest.param(envelopes(), id="8.7 MB of envelopes"),
        pytest.param(parameters(19), id="19 MB of parameters"),
        pytest.param(parameters(60), id="60 MB of parameters"),
    ],
)
async def test_while_watching(
    server: Dovecot,
    sender: LmtpSender,
    bomb: bytes,
    mode: str,
) -> None:
    """The message and the next one are delivered in one session."""
    async with watching(server, {"INBOX": WatchedFolder()}, MODES[mode]) as recorder:
        await recorder.until(lambda: recorder.states, DEADLINE)
        for message in (bomb, ORDINARY):
            await sender.send(USER, message)
        await recorder.until(lambda: len(recorder.arrivals) == 2, DEADLINE)
        check(recorder.arrivals)
        await sender.send(USER, ORDINARY)
        await recorder.until(lambda: len(recorder.arrivals) == 3, DEADLINE)
        assert recorder.uids == [1, 2, 3]
        assert recorder.watcher.statistics.sessions == 1
        assert not recorder.watcher.statistics.losses


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("before", [0, 1], ids=["the first", "behind another"])
async def test_after_a_restart(
    server: Dovecot,
    sender: LmtpSender,
    mode: str,
    before: int,
) -> None:
    """All messages are delivered in one session, with their text if they have one."""
    for message in (*[ORDINARY] * before, envelopes(), ORDINARY):
        await sender.send(USER, message)
    client = Client(account(server.imap_port, username=USER, password=PASSWORD))
    found = await client.search("INBOX", Criteria(), limit=1)
    await client.close()
    folder = WatchedFolder(mark=Mark(found.uid_validity, 1), text_size=100)
    async with watching(server, {"INBOX": folder}, MODES[mode]) as recorder:
        await recorder.until(lambda: len(recorder.arrivals) == before + 2, DEADLINE)
        check(recorder.arrivals[before:])
        assert recorder.arrivals[-1].mail.text == "Now."
        assert recorder.watcher.statistics.sessions == 1
        assert not recorder.watcher.statistics.losses


async def test_requests_of_users(server: Dovecot, sender: LmtpSender) -> None:
    """Requests for the folder work, and requests for the message as far as possible."""
    for message in (ORDINARY, envelopes(), ORDINARY):
        await sender.send(USER, message)
    client = Client(account(server.imap_port, username=USER, password=PASSWORD))
    found = await client.search("INBOX", Criteria(), limit=5)
    assert found.uids == (3, 2, 1)
    mails = await client.mails("INBOX", found.uid_validity, found.uids)
    assert [mail.subject for mail in mails] == ["urgent", "bomb", "urgent"]
    assert [mail.truncated for mail in mails] == [False, True, False]
    content = await client.content("INBOX", found.uid_validity, 2, text_size=100)
    assert content.mail.subject == "bomb"
    assert ("Subject", "bomb") in content.headers
    with pytest.raises(ResponseTooLarge):
        await client.attachment("INBOX", found.uid_validity, 2, "1")
    done = await client.set_flags("INBOX", found.uid_validity, [2], add=["\\Seen"])
    assert done.uids == (2,)
    await client.close()
