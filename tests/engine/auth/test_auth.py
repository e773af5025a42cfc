"""Login with a password, and the errors for refusals."""

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
    PasswordsNotTaken,
    Security,
    ServerLeft,
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


async def sent_in_failed_login(
    capabilities: bytes,
    error: type[ImapError],
    begin: Callable[[Peer], Awaitable[None]] | None = None,
    **credentials: object,
) -> bytes:
    """Return what the client sends, after `begin`, in a login that fails with this error."""
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


async def test_login_quotes_both_strings() -> None:
    """LOGIN contains both strings quoted."""

    async def serve(peer: Peer) -> None:
        await peer.answer("LOGIN", ok=OK)

    [line] = await try_login(serve, username='a"b', password="c d")
    assert line.endswith(b'LOGIN "a\\"b" "c d"')


async def test_non_ascii_password_uses_plain() -> None:
    """A password that is not ASCII is sent with AUTHENTICATE PLAIN."""

    async def serve(peer: Peer) -> None:
        tag = await peer.expect("AUTHENTICATE PLAIN$")
        peer.say(b"+ ")
        await peer.line()
        peer.say(tag + b" " + OK)

    lines = await try_login(serve, b"AUTH=PLAIN", password="pässwort")
    assert lines[-1] == b64encode("\0user\0pässwort".encode())


async def test_non_ascii_password_uses_sasl_ir() -> None:
    """With SASL-IR, PLAIN takes one round trip."""

    async def serve(peer: Peer) -> None:
        await peer.answer("AUTHENTICATE PLAIN .", ok=OK)

    lines = await try_login(serve, b"AUTH=PLAIN SASL-IR", password="pässwort")
    response = b64encode("\0user\0pässwort".encode())
    assert lines[-1].endswith(b"AUTHENTICATE PLAIN " + response)


async def test_non_ascii_password_uses_literals() -> None:
    """Without PLAIN, LOGIN with literals is used."""

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
async def test_mail_address_is_not_logged(
    username: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither our LOGIN nor a server that repeats the address puts it into the debug log."""
    caplog.set_level(logging.DEBUG)

    async def serve(peer: Peer) -> None:
        tag = await peer.expect("LOGIN")
        peer.say(b"* OK hello " + username.encode(), b"* OK " + b"a" * 9999)
        peer.say(tag + b" " + OK)

    await try_login(serve, username=username)
    assert "LOGIN ***" in caplog.text
    assert "ann" not in caplog.text


async def test_password_is_sent_for_the_first_challenge_only() -> None:
    """Further challenges get an empty line: a server could fill our write buffer."""

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
async def test_nul_or_line_break_in_credentials(
    capabilities: bytes, field: str, character: str
) -> None:
    """NUL, CR and LF raise an error before anything is sent, with each mechanism."""
    credentials: dict[str, Any] = {field: f"a{character}ä", "security": Security.TLS}
    assert (
        await sent_in_failed_login(capabilities, LoginUnsendable, **credentials) == b""
    )


async def test_authenticate_login() -> None:
    """AUTHENTICATE LOGIN answers two challenges and no more."""

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
async def test_no_credentials_in_plain_text_if_starttls_is_offered(
    answer: bytes, credentials: str, offered: bytes
) -> None:
    """STARTTLS is requested; if it fails, the connection ends without a login."""

    async def begin(peer: Peer) -> None:
        tag = await peer.expect("STARTTLS$")
        peer.say(tag + b" " + answer)
        if answer == b"OK":
            peer.say(b"this is not TLS")

    token = Tokens("secret") if credentials == "token" else None
    sent = await sent_in_failed_login(
        b"STARTTLS " + offered, ImapError, begin, token=token
    )
    assert b"LOGIN" not in sent
    assert b"AUTHENTICATE" not in sent


async def test_check_requires_starttls_if_it_is_offered() -> None:
    """The check fails with StartTlsOffered before anything is sent."""
    sent: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def script(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready")
        sent.set_result(await peer.until_closed())

    async with ScriptedServer(script) as server:
        with pytest.raises(StartTlsOffered):
            await check_account(account(server.port))
        assert await sent == b""


async def test_login_in_plain_text_without_starttls_and_scram() -> None:
    """The password is sent in plain text if the user chose it and there is no alternative."""

    async def serve(peer: Peer) -> None:
        await peer.answer("LOGIN", ok=OK)

    [line] = await try_login(serve, b"AUTH=PLAIN")
    assert line.endswith(b'LOGIN "user" "secret"')


async def test_user_name_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A user name without a domain and the password are not in the debug log."""
    caplog.set_level(logging.DEBUG)

    async def serve(peer: Peer) -> None:
        await peer.answer("LOGIN", ok=OK)

    await try_login(serve, username="jane")
    assert "LOGIN ***" in caplog.text
    assert "jane" not in caplog.text


async def test_logindisabled() -> None:
    """No password is sent to a server that requires TLS."""

    async def serve(peer: Peer) -> None:
        assert b"secret" not in await peer.until_closed()

    with pytest.raises(LoginDisabled):
        await try_login(serve, b"LOGINDISABLED")


@pytest.mark.parametrize("offered", [b"", b"AUTH=GSSAPI AUTH=CRAM-MD5"])
async def test_no_supported_mechanism(
    offered: bytes,
) -> None:
    """No password is sent without a supported mechanism, even over TLS."""
    sent = await sent_in_failed_login(
        b"LOGINDISABLED " + offered, PasswordsNotTaken, security=Security.TLS
    )
    assert sent == b""


async def test_server_that_accepts_only_tokens() -> None:
    """A server that offers only tokens raises OAuthNeeded."""

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
        (b"NO [PRIVACYREQUIRED] TLS required", LoginDisabled),
        (b"BAD [PRIVACYREQUIRED] TLS required", LoginDisabled),
        (
            b"NO [AUTHENTICATIONFAILED] Too many login failures, your IP is blocked",
            LoginRefused,
        ),
        (b"NO Too many login attempts. Account locked for 5 minutes.", Throttled),
        (
            b"BAD Request is throttled. Suggested Backoff Time: 89117 milliseconds",
            Throttled,
        ),
        (b"NO [LIMIT] LOGIN Rate limit hit.", Throttled),
        (
            b"NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded",
            TooManyConnections,
        ),
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
async def test_refused_login(answer: bytes, error: type[ImapError]) -> None:
    """Wrong credentials, temporary refusals and required app passwords raise different errors."""

    async def serve(peer: Peer) -> None:
        await peer.answer("LOGIN", ok=answer)

    with pytest.raises(ImapError) as caught:
        await try_login(serve)
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (
            b"Your IP Address is blocked from further use* BYE IMAP4rev1 Server logging out",
            ServerLeft,
            "Your IP Address is blocked from further use* BYE IMAP4rev1 Server logging out",
        ),
        (b"no mail for secret here", ServerLeft, "no mail for *** here"),
        (b"NO LOGOUT Intrusion prevention active", ServerLeft, "NO LOGOUT Intrusion prevention active"),
        (b"Too many login failures. Wait 60 seconds", Throttled, "Too many login failures. Wait 60 seconds"),
        (b"x" * 9_999, ServerLeft, "x" * 500),
        (b"\xff\0", ServerLeft, "\ufffd\0"),
    ],
    ids=["NioImapClient#94", "password", "MailKit#1073", "throttled", "long", "binary"],
)  # fmt: skip
@pytest.mark.parametrize(
    ("capabilities", "command"),
    [(b"", "LOGIN"), (b"LOGINDISABLED AUTH=PLAIN SASL-IR", "AUTHENTICATE")],
    ids=["LOGIN", "PLAIN"],
)
async def test_text_in_answer_to_a_login(
    capabilities: bytes, command: str, answer: bytes, error: type[ImapError], text: str
) -> None:
    """The reason of a server that answers without IMAP is kept, without the password."""

    async def serve(peer: Peer) -> None:
        await peer.expect(command)
        peer.say(answer)

    with pytest.raises(error) as caught:
        await try_login(serve, capabilities, security=Security.TLS)
    assert str(caught.value).endswith(text)
    if isinstance(caught.value, ServerLeft):
        assert caught.value.text == text


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (b"NO [ALERT] Please enable IMAP access in your account settings first.", LoginRefused),
        (b"NO [UNAVAILABLE] later", Unavailable),
        (b"BAD what", CommandRefused),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "capabilities", [b"", b"LOGINDISABLED AUTH=PLAIN SASL-IR"], ids=["LOGIN", "PLAIN"]
)
async def test_refusal_after_ok(
    capabilities: bytes, refusal: bytes, error: type[ImapError]
) -> None:
    """A server that accepts a login and refuses the first command did not accept it."""

    async def serve(peer: Peer) -> None:
        await peer.answer("LOGIN|AUTHENTICATE", ok=b"OK [ALERT] Please enable IMAP")
        await peer.answer("CAPABILITY", ok=refusal)

    with pytest.raises(error) as caught:
        await try_login(serve, capabilities, security=Security.TLS)
    assert type(caught.value) is error
