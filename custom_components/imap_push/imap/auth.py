"""Logging in: with a password (RFC 3501 6.2, RFC 4616), or with a token, renewed if refused."""

from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace

from .bearer import MECHANISMS, BearerLogin, is_renewable
from .command import Command
from .connection import Connection
from .errors import (
    CommandRefused,
    ConnectionLost,
    ImapError,
    LoginDisabled,
    OAuthNeeded,
    TokenNotRenewed,
    TokenRefused,
    TokenRenewed,
    TokenUnavailable,
    Unavailable,
)
from .models import Account, Security
from .names import quote
from .pipelining import Pipelining
from .quirks import COREMAIL, quirks_of
from .refusals import login_refusal
from .token_source import TokenSource


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

    Raises LoginRefused for wrong credentials, LoginDisabled where TLS is wanted first, and
    Unavailable for every refusal that passes by itself. A server that knows us already
    (PREAUTH, RFC 3501 7.1.4) takes no login.
    """
    if connection.is_authenticated:
        await connection.ask_capabilities()
    elif account.token is not None:
        await _log_in_with_token(connection, account, account.token)
    else:
        command = _login_command(connection, account)
        await _authenticate(connection, command, login_refusal)


def _login_command(connection: Connection, account: Account) -> Command:
    login_disabled = "LOGINDISABLED" in connection.capabilities
    plain_offered = "AUTH=PLAIN" in connection.capabilities
    if login_disabled and (account.security is Security.NONE or not plain_offered):
        if account.security is not Security.NONE and _takes_tokens(connection):
            raise OAuthNeeded("the server takes no passwords")
        raise LoginDisabled("the server takes passwords over TLS only")
    is_ascii = f"{account.username}{account.password}".isascii()
    if is_ascii and not login_disabled:
        return _login(account)
    if not plain_offered:
        return _login_with_literals(account)
    return _plain(account, at_once="SASL-IR" in connection.capabilities)


async def _log_in_with_token(
    connection: Connection, account: Account, source: TokenSource
) -> None:
    """Log in with a token, and once more with a renewed one if the server does not take it."""
    offered = connection.capabilities
    if "LOGINDISABLED" in offered and account.security is Security.NONE:
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
    await _authenticate(connection, login.command(), login.refusal)


async def _authenticate(
    connection: Connection,
    command: Command,
    meaning: Callable[[CommandRefused], ImapError | None],
) -> None:
    """Log in; `meaning` tells what a refusal means."""
    connection.forget_capabilities()
    try:
        await connection.run(command)
    except CommandRefused as error:
        if meant := meaning(error):
            raise meant from error
        raise
    await connection.ask_capabilities()


def _takes_tokens(connection: Connection) -> bool:
    return any(f"AUTH={it}" in connection.capabilities for it in MECHANISMS)


def _login(account: Account) -> Command:
    password = quote(account.password)
    return Command(
        "LOGIN",
        f"{quote(account.username)} {password}",
        secrets=(password, password[1:-1], account.password),
    )


def _plain(account: Account, *, at_once: bool) -> Command:
    """Return AUTHENTICATE PLAIN; `at_once` saves a round trip (SASL-IR, RFC 4959)."""
    response = _base64(f"\0{account.username}\0{account.password}")
    # Only once, however often a server asks: nothing would bound what waits to be sent.
    pieces = iter((response.encode(),))
    return Command(
        "AUTHENTICATE",
        f"PLAIN {response}" if at_once else "PLAIN",
        continuation=lambda _: next(pieces, b""),
        secrets=(response, account.password),
    )


def _login_with_literals(account: Account) -> Command:
    """Return LOGIN with strings that are not ASCII, each sent when the server asks for it."""
    username, password = account.username.encode(), account.password.encode()
    pieces: Iterator[bytes] = iter((b"%b {%d}" % (username, len(password)), password))
    return Command(
        "LOGIN",
        f"{{{len(username)}}}",
        continuation=lambda _: next(pieces, b""),
        secrets=(account.password,),
    )


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()
