"""Logging in: LOGIN, PLAIN and XOAUTH2, with challenges answered (RFC 3501 6.2, RFC 4616)."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
import json

from .connection import Connection
from .errors import CommandRefused, LoginDisabled, LoginRefused
from .models import Account, Security
from .names import quote
from .pipelining import Pipelining
from .protocol import Command
from .quirks import quirks_of
from .refusals import passing_refusal


async def open_logged_in(
    account: Account,
    on_alert: Callable[[str], None] | None = None,
    pipelining: Pipelining | None = None,
    *,
    patiently: bool = False,
) -> Connection:
    """Connect and log in; `on_alert` gets what the user has to be told."""
    connection = await Connection.open(
        account, on_alert, pipelining, patiently=patiently
    )
    try:
        await log_in(connection, account)
        if quirks_of(account.host).wants_id:
            await connection.run(Command("ID", '("name" "IMAP Push")'))
    except BaseException:
        connection.abort()
        raise
    return connection


async def log_in(connection: Connection, account: Account) -> None:
    """Log in with the account's password and learn what the server offers then.

    Raises LoginRefused for wrong credentials, LoginDisabled where TLS is wanted first, and
    Unavailable for every refusal that passes by itself. A server that knows us already
    (PREAUTH, RFC 3501 7.1.4) takes no login.
    """
    if connection.is_authenticated:
        await connection.ask_capabilities()
        return
    await _authenticate(connection, _login_command(connection, account))


def _login_command(connection: Connection, account: Account) -> Command:
    login_disabled = "LOGINDISABLED" in connection.capabilities
    plain_offered = "AUTH=PLAIN" in connection.capabilities
    if login_disabled and (account.security is Security.NONE or not plain_offered):
        raise LoginDisabled("the server takes passwords over TLS only")
    is_ascii = f"{account.username}{account.password}".isascii()
    if is_ascii and not login_disabled:
        return _login(account)
    if not plain_offered:
        return _login_with_literals(account)
    return _plain(account, at_once="SASL-IR" in connection.capabilities)


async def log_in_with_token(connection: Connection, username: str, token: str) -> None:
    """Log in with an access token by XOAUTH2; raises as `log_in` does.

    LoginRefused carries the server's reason out of its challenge.
    """
    response = _base64(f"user={username}\1auth=Bearer {token}\1\1")
    challenges: list[bytes] = []

    def answer(challenge: bytes) -> bytes:
        challenges.append(challenge)
        return b""

    command = Command(
        "AUTHENTICATE",
        f"XOAUTH2 {response}",
        continuation=answer,
        secrets=(token, response),
    )
    try:
        await _authenticate(connection, command)
    except LoginRefused as error:
        raise LoginRefused(f"{error} {_reason(challenges)}".rstrip()) from error


async def _authenticate(connection: Connection, command: Command) -> None:
    connection.forget_capabilities()
    try:
        await connection.run(command)
    except CommandRefused as error:
        if passing := passing_refusal(error):
            raise passing from error
        if error.status == "NO":
            raise LoginRefused(error.text) from error
        raise
    await connection.ask_capabilities()


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
    return Command(
        "AUTHENTICATE",
        f"PLAIN {response}" if at_once else "PLAIN",
        continuation=lambda _: response.encode(),
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


def _reason(challenges: list[bytes]) -> str:
    """Return the status in an XOAUTH2 error challenge, base64 of JSON."""
    try:
        status = json.loads(b64decode(challenges[-1]))["status"]
    except IndexError, KeyError, TypeError, ValueError:
        return ""
    return f"(status {str(status)[:40]})"
