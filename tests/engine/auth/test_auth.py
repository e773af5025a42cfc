"""Logging in, and what a refusal means."""

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable
import logging
from typing import Any

import pytest

from custom_components.imap_push.imap import (
    AppPasswordNeeded,
    CommandRefused,
    ImapError,
    LoginDisabled,
    LoginRefused,
    LoginUnsendable,
    OAuthNeeded,
    Security,
    StartTlsOffered,
    Throttled,
    TooManyConnections,
    Unavailable,
    check_account,
)
from custom_components.imap_push.imap.auth.login import log_in
from custom_components.imap_push.imap.wire.connection import Connection

from ..conftest import account
from ..scripted import Peer, ScriptedServer
from ..tokens import Tokens


async def try_login(
    serve: Callable[[Peer], Awaitable[None]],
    capabilities: bytes = b"",
    **credentials: object,
) -> list[bytes]:
    """Log in and return the lines that the server received, without tags."""

    async def script(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1 %b] ready" % capabilities)
        await serve(peer)

    async with ScriptedServer(script) as server:
        connection = await Connection.open(account(server.port))
        try:
            await log_in(connection, account(server.port, **credentials))
        finally:
            connection.abort()
        return server.peers[0].received


OK = b"OK [CAPABILITY IMAP4rev1] in"


async def sent_in_vain(
    capabilities: bytes,
    error: type[ImapError],
    begin: Callable[[Peer], Awaitable[None]] | None = None,
    **credentials: object,
) -> bytes:
    """Return what is sent, after what `begin` takes, for a login that fails with an error."""
    sent: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def script(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1 %b] ready" % capabilities)
        if begin is not None:
            await begin(peer)
        sent.set_result(await peer.until_closed())

    async with ScriptedServer(script) as server:
        connection = await Connection.open(account(server.port))
        with pytest.raises(error):
            await log_in(connection, account(server.port, **credentials))
        connection.abort()
        return await sent


async def test_login() -> None:
    """See LOGIN with both strings quoted."""

    async def serve(peer: Peer) -> None:
        await peer.answer("LOGIN", ok=OK)

    [line] = await try_login(serve, username='a"b', password="c d")
    assert line.endswith(b'LOGIN "a\\"b" "c d"')


async def test_password_beyond_ascii_goes_by_plain() -> None:
    """See AUTHENTICATE PLAIN where the server has it."""

    async def serve(peer: Peer) -> None:
        tag = await peer.expect("AUTHENTICATE PLAIN$")
        peer.say(b"+ ")
        await peer.line()
        peer.say(tag + b" " + OK)

    lines = await try_login(serve, b"AUTH=PLAIN", password="pässwort")
    assert lines[-1] == b64encode("\0user\0pässwort".encode())


async def test_password_beyond_ascii_goes_at_once() -> None:
    """See no round trip more than LOGIN takes where the server has SASL-IR."""

    async def serve(peer: Peer) -> None:
        await peer.answer("AUTHENTICATE PLAIN .", ok=OK)

    lines = await try_login(serve, b"AUTH=PLAIN SASL-IR", password="pässwort")
    response = b64encode("\0user\0pässwort".encode())
    assert lines[-1].endswith(b"AUTHENTICATE PLAIN " + response)


async def test_password_beyond_ascii_goes_by_literals() -> None:
    """See LOGIN with literals where the server has no PLAIN."""

    async def serve(peer: Peer) -> None:
        tag = await peer.expect(r"LOGIN \{4}$")
        peer.say(b"+ go on")
        assert await peer.line() == b"user {9}"
        peer.say(b"+ go on")
        await peer.line()
        peer.say(tag + b" " + OK)

    lines = await try_login(serve, password="pässwort")
    assert lines[-1] == "pässwort".encode()


@pytest.mark.parametrize(
    "username", ["ann.lee@example.org", '"ann lee"@example.org'], ids=["atom", "quoted"]
)
async def test_no_address_in_any_log(
    username: str, caplog: pytest.LogCaptureFixture
) -> None:
    """See no name in the debug log, whether we send it or the server does."""
    caplog.set_level(logging.DEBUG)

    async def serve(peer: Peer) -> None:
        tag = await peer.expect("LOGIN")
        peer.say(b"* OK hello " + username.encode(), b"* OK " + b"a" * 9999)
        peer.say(tag + b" " + OK)

    await try_login(serve, username=username)
    assert "LOGIN ***" in caplog.text
    assert "ann" not in caplog.text


async def test_a_server_that_asks_again_and_again() -> None:
    """See the password sent once: a server could have our memory filled with it."""

    async def serve(peer: Peer) -> None:
        tag = await peer.expect("AUTHENTICATE PLAIN$")
        peer.say(b"+ ", b"+ ", b"+ ")
        assert await peer.line()
        assert await peer.line() == b""
        assert await peer.line() == b""
        peer.say(tag + b" " + OK)

    await try_login(serve, b"AUTH=PLAIN", password="pässwort")


@pytest.mark.parametrize("character", ["\0", "\r", "\n"], ids=ascii)
@pytest.mark.parametrize("field", ["username", "password"])
@pytest.mark.parametrize(
    "capabilities",
    [b"", b"AUTH=PLAIN SASL-IR LOGINDISABLED", b"AUTH=LOGIN", b"AUTH=SCRAM-SHA-256"],
    ids=["LOGIN", "PLAIN", "AUTH=LOGIN", "SCRAM"],
)
async def test_login_that_cannot_be_sent(
    capabilities: bytes, field: str, character: str
) -> None:
    """See a clear error before a byte is sent, whichever way the server offers."""
    credentials: dict[str, Any] = {field: f"a{character}ä", "security": Security.TLS}
    assert await sent_in_vain(capabilities, LoginUnsendable, **credentials) == b""


async def test_a_server_that_knows_only_its_own_login() -> None:
    """See AUTHENTICATE LOGIN answer two questions, and no more."""

    async def serve(peer: Peer) -> None:
        tag = await peer.expect("AUTHENTICATE LOGIN$")
        peer.say(b"+ " + b64encode(b"Username:"))
        assert await peer.line() == b64encode("jäne".encode())
        peer.say(b"+ " + b64encode(b"Password:"))
        assert await peer.line() == b64encode(b"secret")
        peer.say(b"+ " + b64encode(b"Again:"))
        assert await peer.line() == b""
        peer.say(tag + b" " + OK)

    await try_login(
        serve, b"LOGINDISABLED AUTH=LOGIN", username="jäne", security=Security.TLS
    )


@pytest.mark.parametrize(
    "offered",
    [b"", b"AUTH=PLAIN SASL-IR", b"AUTH=LOGIN", b"LOGINDISABLED", b"AUTH=XOAUTH2"],
    ids=["LOGIN", "PLAIN", "AUTH=LOGIN", "LOGINDISABLED", "XOAUTH2"],
)
@pytest.mark.parametrize("credentials", ["password", "token"])
@pytest.mark.parametrize("answer", [b"NO not now", b"BAD what", b"OK"])
async def test_nothing_secret_is_sent_in_plain_text_where_starttls_is_offered(
    answer: bytes, credentials: str, offered: bytes
) -> None:
    """See STARTTLS asked for, and the connection left if nothing comes of it."""

    async def begin(peer: Peer) -> None:
        tag = await peer.expect("STARTTLS$")
        peer.say(tag + b" " + answer)
        if answer == b"OK":
            peer.say(b"this is not TLS")

    token = Tokens("secret") if credentials == "token" else None
    sent = await sent_in_vain(b"STARTTLS " + offered, ImapError, begin, token=token)
    assert b"LOGIN" not in sent
    assert b"AUTHENTICATE" not in sent


async def test_an_account_is_not_tried_in_plain_text_where_starttls_is_offered() -> (
    None
):
    """See the user told to choose STARTTLS, before anything is sent."""
    sent: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def script(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready")
        sent.set_result(await peer.until_closed())

    async with ScriptedServer(script) as server:
        with pytest.raises(StartTlsOffered):
            await check_account(account(server.port))
        assert await sent == b""


async def test_login_without_tls_where_nothing_better_is_offered() -> None:
    """See the user's choice kept: the server knows neither STARTTLS nor SCRAM."""

    async def serve(peer: Peer) -> None:
        await peer.answer("LOGIN", ok=OK)

    [line] = await try_login(serve, b"AUTH=PLAIN")
    assert line.endswith(b'LOGIN "user" "secret"')


async def test_login_name_is_not_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """See neither a login name without a domain nor the password in the debug log."""
    caplog.set_level(logging.DEBUG)

    async def serve(peer: Peer) -> None:
        await peer.answer("LOGIN", ok=OK)

    await try_login(serve, username="jane")
    assert "LOGIN ***" in caplog.text
    assert "jane" not in caplog.text


async def test_login_is_not_tried_where_it_is_disabled() -> None:
    """See no password sent to a server that wants TLS first."""

    async def serve(peer: Peer) -> None:
        assert b"secret" not in await peer.until_closed()

    with pytest.raises(LoginDisabled):
        await try_login(serve, b"LOGINDISABLED")


@pytest.mark.parametrize("offered", [b"", b"AUTH=GSSAPI AUTH=CRAM-MD5"])
async def test_a_server_that_takes_passwords_in_no_way_that_is_known(
    offered: bytes,
) -> None:
    """See no password sent, though it would be encrypted."""
    sent = await sent_in_vain(
        b"LOGINDISABLED " + offered, LoginDisabled, security=Security.TLS
    )
    assert sent == b""


async def test_a_server_that_takes_only_tokens() -> None:
    """See that no password helps, however well it is encrypted."""

    async def serve(peer: Peer) -> None:
        assert b"secret" not in await peer.until_closed()

    with pytest.raises(OAuthNeeded):
        await try_login(serve, b"LOGINDISABLED AUTH=XOAUTH2", security=Security.TLS)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)", LoginRefused),
        (b"NO LOGIN failed.", LoginRefused),
        (b"NO [AUTHORIZATIONFAILED] not allowed", LoginRefused),
        (b"NO [UNAVAILABLE] Temporary authentication failure", Unavailable),
        (b"NO [INUSE] locked", Unavailable),
        (b"NO [LIMIT] enough", TooManyConnections),
        (
            b"NO [ALERT] Too many simultaneous connections. (Failure)",
            TooManyConnections,
        ),
        (
            b"NO [AUTHENTICATIONFAILED] Too many simultaneous connections",
            TooManyConnections,
        ),
        (b"NO Request is throttled. Try again later", Throttled),
        (b"NO System error", Unavailable),
        (b"NO Internal login failure. Refer to server log.", Unavailable),
        (b"NO [AUTHENTICATIONFAILED] System error", LoginRefused),
        (b"BAD what", CommandRefused),
        (
            b"NO [ALERT] Application-specific password required: https://x (Failure)",
            AppPasswordNeeded,
        ),
        (b"NO [WEBALERT https://x] Web login required.", AppPasswordNeeded),
        (
            b"NO [ALERT] Please log in via your web browser: https://x (Failure)",
            AppPasswordNeeded,
        ),
        (
            b"NO [AUTHENTICATIONFAILED] Application password is REQUIRED",
            AppPasswordNeeded,
        ),
        (b"NO please generate an app password and try again", AppPasswordNeeded),
        (b"NO Login fail. Using authorized code to login.", AppPasswordNeeded),
        (b"NO Basic authentication is disabled.", OAuthNeeded),
        (b"NO LogonDenied-BasicAuthBlocked-Anonymous", OAuthNeeded),
        (b"NO AADSTS50076: use multi-factor authentication", OAuthNeeded),
        (b"BAD this server speaks XOAUTH2 only", OAuthNeeded),
    ],
)
async def test_what_a_refusal_means(answer: bytes, error: type[ImapError]) -> None:
    """See wrong credentials told apart from what passes by itself."""

    async def serve(peer: Peer) -> None:
        await peer.answer("LOGIN", ok=answer)

    with pytest.raises(ImapError) as caught:
        await try_login(serve)
    assert type(caught.value) is error
