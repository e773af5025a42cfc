"""The check of the config flow, which must predict whether the account can be watched."""

from collections.abc import Callable
import contextlib
from dataclasses import replace
import ssl
from typing import Final

import pytest

from custom_components.imap_push.imap import (
    Account,
    CertificateError,
    Client,
    FolderRole,
    LoginDisabled,
    LoginRefused,
    PushMode,
    Security,
    StartTlsOffered,
    TlsError,
    TlsNotSpoken,
    check_account,
)

from .mailbox import Mailbox, account
from .watching import all_arrive, watch_options, watching

from tests.rig.mails import plain
from tests.rig.servers import MailServer

AT_ONCE_SECONDS: Final = 5.0
NOTIFY: Final = {"dovecot-2.3", "dovecot-2.4", "cyrus-3.12"}


def over_tls(server: MailServer) -> Account:
    """Return the account with TLS from the first octet on."""
    return replace(account(server), port=server.imaps_port, security=Security.TLS)


async def test_setup(server: MailServer, note: Callable[[str, object], None]) -> None:
    """An account that passes the check is watched, by push."""
    secure = over_tls(server)
    capabilities = await check_account(secure)
    assert ("NOTIFY" in capabilities) == (server.name in NOTIFY)
    mode = PushMode.NOTIFY if server.name in NOTIFY else PushMode.IDLE
    mailbox = Mailbox(server, over_tls=True)
    mailbox.empty()
    async with watching(secure, ["INBOX"], watch_options(server)) as recorder:
        assert recorder.state.push_mode is mode
        message = plain("first")
        mailbox.append(message)
        await all_arrive(recorder, [message["Message-ID"]], AT_ONCE_SECONDS)
        assert recorder.alerts == []
    mailbox.close()
    note("push", mode)


async def test_folders_for_the_form(server: MailServer) -> None:
    """INBOX comes first."""
    client = Client(over_tls(server))
    folders = await client.folders()
    await client.close()
    assert folders[0].name == "INBOX"
    assert folders[0].role is FolderRole.INBOX


async def test_starttls(server: MailServer) -> None:
    """The plain port accepts STARTTLS with the same certificate."""
    await check_account(replace(account(server), security=Security.STARTTLS))


# What the form says if the user chooses no encryption. Dovecot 2.3 accepts SCRAM-SHA-256, which
# sends no readable password.
WITHOUT_TLS: Final = {"dovecot-2.3": None, "wildduck": LoginDisabled}


@pytest.mark.fails_on({"mailutils": "N1 offers SCRAM-SHA-256 and always refuses it"})
async def test_without_tls(server: MailServer) -> None:
    """A password that others could read is not sent."""
    unencrypted = replace(account(server), security=Security.NONE)
    error = WITHOUT_TLS.get(server.name, StartTlsOffered)
    with pytest.raises(error) if error else contextlib.nullcontext():
        await check_account(unencrypted)


async def test_errors_of_the_form(server: MailServer) -> None:
    """Each mistake has an error of its own."""
    secure = over_tls(server)
    with pytest.raises(LoginRefused):
        await check_account(replace(secure, password="wrong"))
    with pytest.raises(CertificateError):
        await check_account(replace(secure, ssl_context=ssl.create_default_context()))
    # WildDuck sends no greeting to a client that speaks first.
    with pytest.raises(TlsError if server.name == "wildduck" else TlsNotSpoken):
        await check_account(replace(secure, port=server.imap_port))
