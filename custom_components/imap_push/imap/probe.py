"""Validate an account with one login, and find the cause of a failure."""

import asyncio
from dataclasses import replace
from typing import Final

from .errors import (
    CertificateError,
    CommandRefused,
    ImapError,
    NotImap,
    ServerSilent,
    TlsExpected,
    TlsNotSpoken,
)
from .models import Account, Security
from .session.mark import Mark
from .session.recover import sync_by_search
from .session.session import Session
from .session.sync import sync_request
from .wire.connection import Connection
from .wire.response_codes import fetch_error

# For the whole check, as the user waits for it, and for the diagnostic connection after a failure.
DEADLINE_SECONDS: Final = 60.0
DIAGNOSIS_SECONDS: Final = 5.0


async def check_account(account: Account, folder: str = "INBOX") -> frozenset[str]:
    """Connect, log in, fetch the newest message like the watcher; return the capabilities.

    Raises an ImapError: CommandRefused if the server does not let a watcher read the folder. If
    the error may have a more specific cause, a second connection without credentials finds it:
    another protocol, or TLS where plain text was expected.
    """
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            try:
                # The user can choose STARTTLS, which verifies the certificate.
                session = await Session.open(replace(account, opportunistic_tls=False))
            except TlsNotSpoken as error:
                raise await _error_without_tls(account) or error from error
            except ServerSilent as error:
                raise await _error_with_tls(account) or error from error
            try:
                await session.examine(folder)
                await _try_sync(session, folder)
            finally:
                await session.close()
            return session.capabilities
    except TimeoutError as error:
        raise ServerSilent("too slow in all") from error


async def _try_sync(session: Session, folder: str) -> None:
    """Sync the open folder from its newest message on, as the watcher does."""
    above = await session.first_mark(session.selected)
    mark = Mark(above.uid_validity, max(1, above.next_uid - 1))
    request = sync_request(session, folder, mark, examines=False)
    assert request.fetch is not None
    try:
        await session.run(request.fetch)
    except CommandRefused as refusal:
        if error := fetch_error(refusal):
            raise error from refusal
        # One message may be the cause, which the watcher delivers with what the server shows.
        found = await sync_by_search(session, request)
        messages = found.batch.messages if found.batch else {}
        if messages and not any(messages.values()):
            raise


async def _error_without_tls(account: Account) -> ImapError | None:
    """Return NotImap if the greeting without TLS is that of another protocol."""
    error = await _try_to_connect(account, Security.NONE)
    return error if isinstance(error, NotImap) else None


async def _error_with_tls(account: Account) -> ImapError | None:
    """Return an error if a server that sent no greeting without TLS speaks TLS."""
    if account.security is Security.TLS or account.ssl_context is None:
        return None
    error = await _try_to_connect(account, Security.TLS)
    if error is None or isinstance(error, CertificateError):
        return TlsExpected("the server speaks TLS at this port")
    return error if isinstance(error, NotImap) else None


async def _try_to_connect(account: Account, security: Security) -> ImapError | None:
    """Return the error of a connection with this security, None if it succeeds."""
    try:
        async with asyncio.timeout(DIAGNOSIS_SECONDS):
            connection = await Connection.open(replace(account, security=security))
    except ImapError as error:
        return error
    except TimeoutError:
        return ServerSilent("no greeting")
    connection.abort()
    return None
