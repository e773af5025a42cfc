"""Trying an account once, with the most telling error that can be had."""

import asyncio
from dataclasses import replace
from typing import Final

from .errors import (
    CertificateError,
    ImapError,
    NotImap,
    ServerSilent,
    TlsExpected,
    TlsNotSpoken,
)
from .models import Account, Security
from .session.session import Session
from .wire.connection import Connection

# Seconds: for all together, as somebody is waiting, and for a second look.
DEADLINE: Final = 60.0
SECOND_LOOK: Final = 5.0


async def check_account(account: Account, folder: str = "INBOX") -> frozenset[str]:
    """Connect, log in, open the folder and log out; return the server's capabilities.

    Raises what is wrong. Where the first failure explains little, it takes a second look at
    the port, without sending anything secret: another protocol, TLS where none was expected.
    """
    try:
        async with asyncio.timeout(DEADLINE):
            return await _check(account, folder)
    except TimeoutError as error:
        raise ServerSilent("too slow in all") from error


async def _check(account: Account, folder: str) -> frozenset[str]:
    try:
        # The user is there to choose STARTTLS, which checks the certificate.
        session = await Session.open(replace(account, opportunistic_tls=False))
    except TlsNotSpoken as error:
        raise await _without_tls(account) or error from error
    except ServerSilent as error:
        raise await _with_tls(account) or error from error
    try:
        await session.examine(folder)
    finally:
        await session.close()
    return session.capabilities


async def _without_tls(account: Account) -> ImapError | None:
    """Return an error that names the protocol that greets without TLS, if it is not IMAP."""
    error = await _open_error(account, Security.NONE)
    return error if isinstance(error, NotImap) else None


async def _with_tls(account: Account) -> ImapError | None:
    """Return an error if a server that was silent without TLS speaks it."""
    if account.security is Security.TLS or account.ssl_context is None:
        return None
    error = await _open_error(account, Security.TLS)
    if error is None or isinstance(error, CertificateError):
        return TlsExpected("the server speaks TLS at this port")
    return error if isinstance(error, NotImap) else None


async def _open_error(account: Account, security: Security) -> ImapError | None:
    """Return why no connection comes about with this security; None if one does."""
    try:
        async with asyncio.timeout(SECOND_LOOK):
            connection = await Connection.open(replace(account, security=security))
    except ImapError as error:
        return error
    except TimeoutError:
        return ServerSilent("no greeting")
    connection.abort()
    return None
