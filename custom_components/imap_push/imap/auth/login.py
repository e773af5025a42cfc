"""Logging in: with a password, or with a token, which is renewed if it is refused."""

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
from ..wire.pipelining import Pipelining
from .oauth import BearerLogin, is_renewable
from .password import authenticate, is_encrypted, log_in_with_password, scram_mechanism

_UNSENDABLE: Final = frozenset("\0\r\n")


async def open_logged_in(
    account: Account,
    on_alert: Callable[[str], None] | None = None,
    pipelining: Pipelining | None = None,
    *,
    patiently: bool = False,
) -> Connection:
    """Connect and log in; `on_alert` gets what the user has to be told."""
    try:
        return await _open(account, on_alert, pipelining, patiently=patiently)
    except TokenRenewed:
        again = replace(account, token=account.token and _Renewed(account.token))
        return await _open(again, on_alert, pipelining, patiently=patiently)


class _Renewed:
    """A source whose token was renewed just now: no other one is to be had so soon."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    async def token(self, *, renew: bool = False) -> str:
        """Return the token of before."""
        return await self._source.token()


async def _open(
    account: Account,
    on_alert: Callable[[str], None] | None,
    pipelining: Pipelining | None,
    *,
    patiently: bool,
) -> Connection:
    connection = await Connection.open(
        account, on_alert, pipelining, patiently=patiently
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
    """Log in with the account's token or password and learn what the server offers then.

    Raises LoginRefused for wrong credentials, LoginDisabled where TLS is wanted first,
    StartTlsOffered for an account without `opportunistic_tls`, LoginUnsendable before a byte
    is sent, and Unavailable for every refusal that passes by itself. A server that knows us
    already (PREAUTH, RFC 3501 7.1.4) takes no login.
    """
    if connection.is_authenticated:
        await connection.ask_capabilities()
        return
    if not _UNSENDABLE.isdisjoint(account.username + account.password):
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
    """Return if a login without TLS would send a secret though the server offers STARTTLS."""
    return (
        account.security is Security.NONE
        and "STARTTLS" in offered
        and (account.token is not None or scram_mechanism(offered) is None)
    )


async def _log_in_with_token(
    connection: Connection, account: Account, source: TokenSource
) -> None:
    """Log in with a token, and once more with a renewed one if the server does not take it."""
    offered = connection.capabilities
    if "LOGINDISABLED" in offered and not is_encrypted(connection, account):
        raise LoginDisabled("the server takes tokens over TLS only")
    try:
        token = await source.token()
    except Unavailable as error:
        raise TokenUnavailable(str(error)) from error
    try:
        await _present(connection, BearerLogin(account, token, offered))
    except TokenRefused as refusal:
        if not is_renewable(refusal):
            raise
        renewed = await _renewed(source)
        if renewed == token:
            raise
        await _present_renewed(connection, BearerLogin(account, renewed, offered))


async def _renewed(source: TokenSource) -> str:
    try:
        return await source.token(renew=True)
    except Unavailable as error:
        raise TokenNotRenewed(str(error)) from error


async def _present_renewed(connection: Connection, login: BearerLogin) -> None:
    try:
        await _present(connection, login)
    except ConnectionLost as error:
        raise TokenRenewed(str(error)) from error


async def _present(connection: Connection, login: BearerLogin) -> None:
    """Show a token to the server; raise TokenRefused."""
    await authenticate(connection, login.command(), login.refusal)
