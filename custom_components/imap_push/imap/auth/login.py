"""Log in with a password or a token. A refused token is renewed and tried again."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from ..errors import (
    ConnectionLost,
    LoginDisabled,
    LoginUnsendable,
    StartTlsOffered,
    TokenNotRenewed,
    TokenRefused,
    TokenRenewed,
    TokenUnavailable,
    Unavailable,
)
from ..models import Account, Security, TokenSource
from ..quirks import COREMAIL, quirks_of
from ..wire.command import Command
from ..wire.connection import Connection
from .oauth import BearerLogin, is_renewable
from .password import authenticate, is_encrypted, log_in_with_password, scram_mechanism

_UNSENDABLE: Final = frozenset("\0\r\n")


async def open_logged_in(
    account: Account,
    on_alert: Callable[[str], None] | None = None,
    *,
    pipelines: bool = True,
    retry: bool = False,
) -> Connection:
    """Connect and log in; `on_alert` gets the text of each ALERT (RFC 3501 7.1).

    If the server refuses a token and then closes the connection, the renewed token is sent on a
    second connection.
    """
    try:
        return await _open(account, on_alert, pipelines=pipelines, retry=retry)
    except TokenRenewed:
        renewed = replace(account, token=account.token and _NotRenewing(account.token))
        return await _open(renewed, on_alert, pipelines=pipelines, retry=retry)


class _NotRenewing:
    """A token source that never renews: its token has just been renewed."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    async def token(self, *, renew: bool = False) -> str:
        return await self._source.token()


async def _open(
    account: Account,
    on_alert: Callable[[str], None] | None,
    *,
    pipelines: bool,
    retry: bool,
) -> Connection:
    connection = await Connection.open(
        account, on_alert, pipelines=pipelines, retry=retry
    )
    try:
        await log_in(connection, account)
        if quirks_of(account.host).wants_id or COREMAIL in connection.capabilities:
            await connection.run(Command("ID", '("name" "IMAP Push")'))
    except BaseException:
        connection.abort()
        raise
    return connection


async def log_in(connection: Connection, account: Account) -> None:
    """Log in with the account's token or password, then read the capabilities.

    After PREAUTH (RFC 3501 7.1.4), only the capabilities are read. Raises LoginUnsendable, before
    anything is sent, if a username, password or mailbox contains NUL, CR or LF; LoginRefused for wrong
    credentials; Unavailable for a temporary refusal; LoginDisabled if the server requires TLS or
    offers no supported mechanism; StartTlsOffered if the secret would be sent in plain text
    although the server offers STARTTLS, and the account does not have `opportunistic_tls`.
    """
    if connection.is_authenticated:
        await connection.ask_capabilities()
        return
    if not _UNSENDABLE.isdisjoint(
        account.username + account.password + account.mailbox
    ):
        raise LoginUnsendable("NUL, CR and LF cannot be sent in a login")
    if _would_expose_secret(account, connection.capabilities):
        if not account.opportunistic_tls:
            raise StartTlsOffered("the server offers STARTTLS")
        await connection.start_unverified_tls(account)
    if account.token is not None:
        await _log_in_with_token(connection, account, account.token)
    else:
        await log_in_with_password(connection, account)


def _would_expose_secret(account: Account, offered: frozenset[str]) -> bool:
    """Return True if login would send a secret in plain text to a server with STARTTLS."""
    return (
        account.security is Security.NONE
        and "STARTTLS" in offered
        and (account.token is not None or scram_mechanism(offered) is None)
    )


async def _log_in_with_token(
    connection: Connection, account: Account, source: TokenSource
) -> None:
    """Log in with a token; if the server refuses it, log in again with a renewed one."""
    offered = connection.capabilities
    if "LOGINDISABLED" in offered and not is_encrypted(connection, account):
        raise LoginDisabled("the server accepts tokens over TLS only")
    try:
        token = await source.token()
    except Unavailable as error:
        raise TokenUnavailable(str(error)) from error
    login = BearerLogin(account, token, offered)
    try:
        await authenticate(connection, login.command(), login.refusal)
    except TokenRefused as refusal:
        if not is_renewable(refusal):
            raise
        try:
            renewed = await source.token(renew=True)
        except Unavailable as error:
            raise TokenNotRenewed(str(error)) from error
        if renewed == token:
            raise
        login = BearerLogin(account, renewed, offered)
        try:
            await authenticate(connection, login.command(), login.refusal)
        except ConnectionLost as error:
            raise TokenRenewed(str(error)) from error
