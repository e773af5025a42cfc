"""Logging in, and what a refusal means."""

from base64 import b64encode
from collections.abc import Awaitable, Callable
import logging

import pytest

from custom_components.imap_push.imap import (
    AppPasswordNeeded,
    CommandRefused,
    ImapError,
    LoginDisabled,
    LoginRefused,
    OAuthNeeded,
    Security,
    Throttled,
    TooManyConnections,
    Unavailable,
)
from custom_components.imap_push.imap.auth import log_in
from custom_components.imap_push.imap.connection import Connection

from .conftest import account
from .scripted import Peer, ScriptedServer


async def try_login(
    serve: Callable[[Peer], Awaitable[None]],
    capabilities: bytes = b"",
    **credentials: str,
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


@pytest.mark.parametrize("password", ["line\r\nend", "nul\0"])
async def test_password_that_cannot_be_sent(password: str) -> None:
    """See a clear error before a byte is sent."""

    async def serve(peer: Peer) -> None:
        await peer.until_closed()

    with pytest.raises(ImapError, match="cannot be sent"):
        await try_login(serve, password=password)


async def test_login_is_not_tried_where_it_is_disabled() -> None:
    """See no password sent to a server that wants TLS first."""

    async def serve(peer: Peer) -> None:
        assert b"secret" not in await peer.until_closed()

    with pytest.raises(LoginDisabled):
        await try_login(serve, b"LOGINDISABLED")


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
