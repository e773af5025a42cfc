"""Log in with a password: choice of the mechanism, and the exchange of each.

| the server offers | with TLS | without TLS |
|---|---|---|
| SCRAM | SCRAM; if the server refuses it, one of the rows below | SCRAM only |
| LOGIN (no LOGINDISABLED) | LOGIN; PLAIN if the password is not ASCII | LOGIN |
| AUTH=PLAIN | PLAIN | not used if LOGINDISABLED |
| AUTH=LOGIN | AUTHENTICATE LOGIN | not used if LOGINDISABLED |

A mailbox that is not that of the login can be named only in PLAIN (RFC 4616: authzid).

A server that stores only a hash of the password offers SCRAM and then refuses it. With TLS the
password is sent after that. If the server offers STARTTLS, login.py has already started TLS.
"""

import asyncio
from base64 import b64decode, b64encode
import binascii
from collections.abc import Callable, Iterator
from typing import Any, Final

from ..errors import (
    AppPasswordNeeded,
    CommandRefused,
    ImapError,
    LoginDisabled,
    LoginRefused,
    MailboxNotSelectable,
    OAuthNeeded,
    PasswordsNotTaken,
    ServerNotAuthentic,
)
from ..models import Account, Security
from ..wire.command import Command
from ..wire.connection import Connection
from ..wire.mailbox_name import quote
from ..wire.response_codes import login_error
from .oauth import MECHANISMS as TOKEN_MECHANISMS, encode_base64
from .scram import MECHANISMS, ScramClient, ScramUnusable

# Size of the queue of challenges: a server sends three.
_MAX_CHALLENGES: Final = 8

# (host, port, username) of accounts whose server refused SCRAM and then accepted the password
# by another mechanism. A failed login each time would look like an attack to the server.
_without_scram: Final[set[tuple[str, int, str]]] = set()


def scram_mechanism(offered: frozenset[str]) -> str | None:
    """Return the SCRAM mechanism to use with a server that offers these capabilities."""
    return next((name for name in MECHANISMS if f"AUTH={name}" in offered), None)


def is_encrypted(connection: Connection, account: Account) -> bool:
    """Return True if the connection uses TLS."""
    return account.security is not Security.NONE or connection.is_encrypted


async def log_in_with_password(connection: Connection, account: Account) -> None:
    """Log in; raise LoginRefused, LoginDisabled, Unavailable or CommandRefused."""
    offered = connection.capabilities
    # Dovecot does not support an authzid in SCRAM.
    mechanism = None if account.mailbox else scram_mechanism(offered)
    key = (account.host, account.port, account.username)
    is_safe = is_encrypted(connection, account)
    if mechanism is None or (is_safe and key in _without_scram):
        command = _command(account, offered, is_safe=is_safe)
        await authenticate(connection, command, login_error)
        return
    try:
        await _log_in_with_scram(connection, account, mechanism, offered)
    except (CommandRefused, LoginRefused, ScramUnusable) as refusal:
        command = _second_try(account, offered, refusal, is_safe=is_safe)
        await authenticate(connection, command, login_error)
        _without_scram.add(key)


def _second_try(
    account: Account,
    offered: frozenset[str],
    refusal: CommandRefused | LoginRefused | ScramUnusable,
    *,
    is_safe: bool,
) -> Command:
    """Return the command that sends the password after SCRAM was refused.

    Raises the error for the refusal if sending the password is not safe or would fail too.
    """
    error: ImapError = (
        LoginDisabled(f"SCRAM cannot be used: {refusal}")
        if isinstance(refusal, ScramUnusable)
        else refusal
    )
    if not is_safe or isinstance(refusal, AppPasswordNeeded | OAuthNeeded):
        raise error from refusal
    try:
        return _command(account, offered, is_safe=is_safe)
    except (LoginDisabled, OAuthNeeded) as no_other_mechanism:
        raise error from no_other_mechanism


async def authenticate(
    connection: Connection,
    command: Command,
    error_for: Callable[[CommandRefused], ImapError | None],
) -> None:
    """Log in, then read the capabilities; `error_for` returns the error for a refusal."""
    connection.forget_capabilities()
    await connection.send(command)
    await _wait_for_ok(command, error_for)
    await _ask_capabilities(connection)


async def _log_in_with_scram(
    connection: Connection, account: Account, mechanism: str, offered: frozenset[str]
) -> None:
    client = ScramClient(mechanism, account.username, account.password)
    challenges: asyncio.Queue[bytes] = asyncio.Queue(_MAX_CHALLENGES)
    first = b64encode(client.first()).decode()
    has_initial_response = "SASL-IR" in offered
    command = Command(
        "AUTHENTICATE",
        f"{mechanism} {first}" if has_initial_response else mechanism,
        continuation=challenges.put_nowait,
        secrets=(first, account.password),
    )
    connection.forget_capabilities()
    connection.start(command)
    try:
        if not has_initial_response:
            await _challenge(challenges, command)
            connection.reply(first.encode())
        server_first = await _challenge(challenges, command)
        final = await asyncio.to_thread(client.final, server_first)
        connection.reply(b64encode(final))
        client.verify(await _challenge(challenges, command))
    except ScramUnusable:
        connection.reply(b"*")  # Cancel the exchange (RFC 3501 6.2.2).
        await command.wait_until_done()
        raise
    connection.reply(b"")
    await _wait_for_ok(command, login_error)
    await _ask_capabilities(connection)


async def _ask_capabilities(connection: Connection) -> None:
    """Read the capabilities; a NO means that the login failed in spite of its OK.

    Interia accepts the password of an account without IMAP, and then refuses all commands with
    "Please enable IMAP access in your account settings first." (MailKit#860).
    """
    try:
        await connection.ask_capabilities()
    except CommandRefused as refusal:
        raise login_error(refusal) or refusal from None


async def _challenge(challenges: asyncio.Queue[bytes], command: Command) -> bytes:
    """Return the server's next challenge; raise an error if the command ends without one."""
    waiting = asyncio.ensure_future(challenges.get())
    ends: list[asyncio.Future[Any]] = [waiting, command.completed]
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return b64decode(waiting.result(), validate=True)
    except binascii.Error as error:
        raise ScramUnusable("not base64") from error
    finally:
        waiting.cancel()
    await _wait_for_ok(command, login_error)
    raise ServerNotAuthentic("the server accepts the login without a proof")


def _command(account: Account, offered: frozenset[str], *, is_safe: bool) -> Command:
    """Return the command that sends the password; raise LoginDisabled or OAuthNeeded."""
    if account.mailbox:
        return _plain_for_mailbox(account, offered, is_safe=is_safe)
    is_ascii = f"{account.username}{account.password}".isascii()
    if "LOGINDISABLED" not in offered:
        if is_ascii:
            return _login(account)
        if "AUTH=PLAIN" not in offered:
            return _login_with_literals(account)
    elif not is_safe:
        raise LoginDisabled("the server accepts passwords over TLS only")
    if "AUTH=PLAIN" in offered:
        return _plain(account, has_initial_response="SASL-IR" in offered)
    if "AUTH=LOGIN" in offered:
        return _authenticate_login(account)
    if any(f"AUTH={name}" in offered for name in TOKEN_MECHANISMS):
        raise OAuthNeeded("the server accepts no passwords")
    raise PasswordsNotTaken("the server offers no supported mechanism for passwords")


def _plain_for_mailbox(
    account: Account, offered: frozenset[str], *, is_safe: bool
) -> Command:
    if "LOGINDISABLED" in offered and not is_safe:
        raise LoginDisabled("the server accepts passwords over TLS only")
    if "AUTH=PLAIN" not in offered:
        raise MailboxNotSelectable("the server does not offer AUTH=PLAIN")
    return _plain(account, has_initial_response="SASL-IR" in offered)


async def _wait_for_ok(
    command: Command, error_for: Callable[[CommandRefused], ImapError | None]
) -> None:
    """Wait for the tagged OK; raise the error for a refusal."""
    try:
        await command.wait()
    except CommandRefused as error:
        if specific := error_for(error):
            raise specific from error
        raise


def _login(account: Account) -> Command:
    username, password = quote(account.username), quote(account.password)
    return Command(
        "LOGIN",
        f"{username} {password}",
        secrets=(password, password[1:-1], account.password),
    )


def _plain(account: Account, *, has_initial_response: bool) -> Command:
    """Return AUTHENTICATE PLAIN (RFC 4616), with an initial response if the server allows it."""
    identity = f"{account.mailbox}\0{account.username}"
    response = encode_base64(f"{identity}\0{account.password}")
    # Answer further challenges with an empty line: a server that sends challenges without an
    # end would fill the write buffer.
    pieces = iter((response.encode(),))
    return Command(
        "AUTHENTICATE",
        f"PLAIN {response}" if has_initial_response else "PLAIN",
        continuation=lambda _: next(pieces, b""),
        secrets=(response, account.password),
    )


def _authenticate_login(account: Account) -> Command:
    """Return AUTHENTICATE LOGIN: username, then password, one for each challenge."""
    username, password = (
        encode_base64(account.username),
        encode_base64(account.password),
    )
    pieces = iter((username.encode(), password.encode()))
    return Command(
        "AUTHENTICATE",
        "LOGIN",
        continuation=lambda _: next(pieces, b""),
        secrets=(password, account.password),
    )


def _login_with_literals(account: Account) -> Command:
    """Return LOGIN with literals (RFC 3501 4.3), for strings that are not ASCII."""
    username, password = account.username.encode(), account.password.encode()
    pieces: Iterator[bytes] = iter((b"%b {%d}" % (username, len(password)), password))
    return Command(
        "LOGIN",
        f"{{{len(username)}}}",
        continuation=lambda _: next(pieces, b""),
        secrets=(account.password,),
    )
