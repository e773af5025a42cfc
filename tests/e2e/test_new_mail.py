"""Each new mail fires one event, in order, after fetching only a few octets."""

import asyncio
from collections.abc import Callable
from email.message import EmailMessage
from imaplib import IMAP4_SSL
from typing import Any, Final

import pytest

from .home import Account, Home
from .mailbox import Mailbox
from .waiting import next_events

from tests.rig.certificate import Certificate
from tests.rig.inbox import list_inbox
from tests.rig.mails import plain, with_attachment
from tests.rig.ports import LOOPBACK
from tests.rig.proxy import Proxy
from tests.rig.pymap_server import PASSWORD, USER, PymapServer

BURST: Final = [f"Mail {number}" for number in range(1, 51)]
ATTACHMENT_OCTETS: Final = 18 * 1024 * 1024
MAX_FETCHED_OCTETS: Final = 20_000


async def test_a_burst_of_mail_is_one_event_each(
    account: Account, mailbox: Mailbox
) -> None:
    """50 mails as fast as the server accepts them: in UID order, none twice, with the right UIDs."""
    arrivals = await account.home.new_mail()
    await mailbox.deliver_all(BURST)
    mails = await next_events(arrivals, len(BURST))
    assert {mail["subject"] for mail in mails} == {*BURST}
    assert {mail["catch_up"] for mail in mails} == {False}
    await account.until_state("unread", "50")

    # This mail is fetched after any sync that could repeat a mail.
    await mailbox.deliver("The last one")
    mails += await next_events(arrivals)
    assert _identities(mails) == await mailbox.listing()


@pytest.mark.pymap
async def test_a_burst_of_mail_is_one_event_each_with_pymap(
    home: Home, certificate: Certificate
) -> None:
    """The events are the same on another server."""
    async with PymapServer(certificate) as server:
        account = await home.add_account(USER, server.tls_port, password=PASSWORD)
        arrivals = await home.new_mail()
        for subject in BURST:
            await server.append(plain(subject))
        mails = await next_events(arrivals, len(BURST))
        assert [mail["subject"] for mail in mails] == BURST
        await account.until_state("unread", "50")

        await server.append(plain("The last one"))
        mails += await next_events(arrivals)
        listing = await asyncio.to_thread(_pymap_listing, server, certificate)
        assert _identities(mails) == listing
        await account.remove()


async def test_an_event_describes_the_mail(account: Account, mailbox: Mailbox) -> None:
    """The event has all data for automations, with names in any language."""
    arrivals = await account.home.new_mail()
    message = plain(
        "Grüße aus Köln ☃",
        sender='"Jürgen, Post" <juergen@example.com>',
        headers={"Cc": "Eve <eve@example.com>", "List-Id": "<news.example.com>"},
    )
    await mailbox.deliver(message)
    [mail] = await next_events(arrivals)
    expected = {
        "entry_id": account.entry_id,
        "account": account.title,
        "folder": "INBOX",
        "sender": "juergen@example.com",
        "sender_name": "Jürgen, Post",
        "to": ["user@example.org"],
        "cc": ["eve@example.com"],
        "subject": "Grüße aus Köln ☃",
        "message_id": message["Message-ID"],
        "attachments": [],
        "bulk": True,
        "push": "notify",
        "catch_up": False,
    }
    assert {key: mail[key] for key in expected} == expected


async def test_a_big_attachment_is_not_downloaded(
    account: Account,
    mailbox: Mailbox,
    proxy: Proxy,
    record_property: Callable[[str, object], None],
) -> None:
    """The event describes the attachment, of which only the structure was fetched."""
    arrivals = await account.home.new_mail()
    message = with_attachment("Big", ATTACHMENT_OCTETS, filename="Bericht für 2026.pdf")
    before = proxy.bytes_down
    await mailbox.deliver(message)
    [mail] = await next_events(arrivals)
    # The number of unread mails comes in the same response.
    await account.until_state("unread", "1")
    fetched = proxy.bytes_down - before
    record_property("fetched octets", fetched)
    assert fetched < MAX_FETCHED_OCTETS
    assert mail["size"] > ATTACHMENT_OCTETS
    assert mail["attachments"] == [
        {
            "part": "2",
            "filename": "Bericht für 2026.pdf",
            "content_type": "application/pdf",
            "size": _encoded_size(message),
            "encoding": "base64",
            "disposition": "attachment",
            "content_id": None,
            "inline": False,
        }
    ]


async def test_mail_deleted_by_another_client_is_no_event(
    account: Account, mailbox: Mailbox
) -> None:
    """The number of unread mails changes; the next event is for the next mail."""
    arrivals = await account.home.new_mail()
    await mailbox.deliver_all(["One", "Two", "Three"])
    await next_events(arrivals, 3)
    await account.until_state("unread", "3")

    await mailbox.delete_newest()
    await account.until_state("unread", "2")

    await mailbox.deliver("Four")
    [mail] = await next_events(arrivals)
    assert (mail["uid"], mail["subject"]) == (4, "Four")
    await account.until_state("unread", "3")


def _identities(mails: list[dict[str, Any]]) -> list[tuple[int, str]]:
    """Return UID and subject of each event."""
    return [(mail["uid"], mail["subject"]) for mail in mails]


def _encoded_size(message: EmailMessage) -> int:
    """Return the encoded size of the attachment in octets."""
    [attachment] = message.iter_attachments()
    payload = attachment.get_payload()
    assert isinstance(payload, str)
    return len(payload.replace("\n", "\r\n"))


def _pymap_listing(
    server: PymapServer, certificate: Certificate
) -> list[tuple[int, str]]:
    """Return UID and subject of every mail on pymap, read by another client."""
    context = certificate.client_context()
    with IMAP4_SSL(LOOPBACK, server.tls_port, ssl_context=context) as client:
        client.login(USER, PASSWORD)
        return list_inbox(client)
