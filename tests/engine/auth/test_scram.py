"""SCRAM: the examples of the RFCs, and servers that violate them."""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
import hashlib
import hmac
import logging
import threading

import pytest

from custom_components.imap_push.imap import (
    Account,
    AppPasswordNeeded,
    CommandRefused,
    ImapError,
    LoginDisabled,
    LoginRefused,
    Security,
    ServerNotAuthentic,
    Unavailable,
)
from custom_components.imap_push.imap.auth.login import log_in
from custom_components.imap_push.imap.auth.scram import ScramClient, ScramUnusable
from custom_components.imap_push.imap.wire.connection import Connection

from ..calls import observed
from ..conftest import account
from ..scripted import Peer, ScriptedServer

NONCE = "rOprNGfwEbeRWgbNEkqO"
SERVER_NONCE = f"{NONCE}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
SALT = "W22ZaJ0SNY7soEsUEjb6gQ=="
FIRST = f"r={SERVER_NONCE},s={SALT},i=4096"
SCRAM = b"AUTH=SCRAM-SHA-256 SASL-IR"
OK = b"OK [CAPABILITY IMAP4rev1] in"

type Serve = Callable[[Peer], Awaitable[None]]


@pytest.mark.parametrize(
    ("mechanism", "nonce", "server_first", "final", "server_final"),
    [
        pytest.param(
            "SCRAM-SHA-1",
            "fyko+d2lbbFgONRv9qkxdawL",
            "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
            "p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
            id="RFC 5802 5",
        ),
        pytest.param(
            "SCRAM-SHA-256",
            NONCE,
            FIRST,
            f"c=biws,r={SERVER_NONCE},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            id="RFC 7677 3",
        ),
    ],
)
def test_example_of_the_rfc(
    mechanism: str, nonce: str, server_first: str, final: str, server_final: str
) -> None:
    """User name "user", password "pencil"."""
    client = ScramClient(mechanism, "user", "pencil", nonce)
    assert client.first() == f"n,,n=user,r={nonce}".encode()
    assert client.final(server_first.encode()) == final.encode()
    client.verify(server_final.encode())


@pytest.mark.parametrize(
    ("username", "sent"),
    [
        ("user=x,y", "user=3Dx=2Cy"),
        ("Jos\u00e9", "Jos\u00e9"),
        ("Jose\u0301", "Jos\u00e9"),
        ("I\u00adX", "IX"),
        ("a\u00a0b", "a b"),
        ("\u2168", "IX"),
        ("\U0001f511", "\U0001f511"),
    ],
    ids=["escaped", "NFC", "NFD", "mapped to nothing", "space", "NFKC", "emoji"],
)
def test_username_is_prepared(username: str, sent: str) -> None:
    """SASLprep (RFC 4013) is applied; prohibited characters are kept."""
    client = ScramClient("SCRAM-SHA-256", username, "pencil", NONCE)
    assert client.first() == f"n,,n={sent},r={NONCE}".encode()


def test_nonces_are_different() -> None:
    """Nonces are not repeated: otherwise an exchange could be replayed."""
    firsts = {ScramClient("SCRAM-SHA-256", "u", "p").first() for _ in range(100)}
    assert len(firsts) == 100


@pytest.mark.parametrize(
    "server_first",
    [
        "",
        "e=other-error",
        f"r={NONCE},s={SALT},i=4096",
        f"r=another,s={SALT},i=4096",
        f"r={SERVER_NONCE},s=no base64!,i=4096",
        f"r={SERVER_NONCE},s={SALT}",
        f"s={SALT},r={SERVER_NONCE},i=4096",
        f"m=extension,r={SERVER_NONCE},s={SALT},i=4096",
        f"r={SERVER_NONCE},s={SALT},i=",
        f"r={SERVER_NONCE},s={SALT},i=x",
        f"r={SERVER_NONCE},s={SALT},i=-4096",
        f"r={SERVER_NONCE},s={SALT},i=٤٠٩٦",
        f"r={SERVER_NONCE},s={SALT},i=1",
        f"r={SERVER_NONCE},s={SALT},i=4095",
        f"r={SERVER_NONCE},s={SALT},i=1000001",
        f"r={SERVER_NONCE},s={SALT},i=2147483648",
        f"r={SERVER_NONCE},s={SALT},i={'9' * 4000}",
        f"r={SERVER_NONCE}{'x' * 5000},s={SALT},i=4096",
    ],
    ids=lambda text: text.replace(NONCE, "ours")[:60] or "empty",
)
def test_invalid_server_first_message(
    server_first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is rejected before the hash is computed."""
    hashed: list[object] = []
    monkeypatch.setattr(hashlib, "pbkdf2_hmac", lambda *args: hashed.append(args))
    client = ScramClient("SCRAM-SHA-256", "user", "pencil", NONCE)
    with pytest.raises(ScramUnusable):
        client.final(server_first.encode())
    assert hashed == []


@pytest.mark.parametrize(
    ("server_final", "error"),
    [
        ("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=", ServerNotAuthentic),
        ("v=", ServerNotAuthentic),
        ("", ServerNotAuthentic),
        ("v=\xff", ServerNotAuthentic),
        ("v=" + "A" * 9999, ServerNotAuthentic),
        ("e=invalid-proof", ScramUnusable),
    ],
)
def test_invalid_server_final_message(
    server_final: str, error: type[Exception]
) -> None:
    """A server that does not prove that it knows the password is rejected."""
    client = ScramClient("SCRAM-SHA-256", "user", "pencil", NONCE)
    client.final(FIRST.encode())
    with pytest.raises(error):
        client.verify(server_final.encode())


def test_proof_before_the_client_proof() -> None:
    """A server proof before the client's proof is rejected."""
    with pytest.raises(ServerNotAuthentic):
        ScramClient("SCRAM-SHA-256", "user", "pencil").verify(b"v=")


class ScramServer:
    """The server side of one login with the password "secret"."""

    def __init__(self, peer: Peer, knows: str = "secret") -> None:
        """Talk to this client."""
        self._peer = peer
        self._salted = hashlib.pbkdf2_hmac("sha256", knows.encode(), b"salt", 4096)
        self.tag = b""
        self._exchange = b""

    async def begin(self, *, with_sasl_ir: bool = True) -> None:
        """Read the client-first-message and answer it."""
        self.tag = await self._peer.expect("AUTHENTICATE SCRAM-SHA-256")
        if with_sasl_ir:
            words = self._peer.received[-1].split(b" ")
            first = b64decode(words[-1])
        else:
            self._peer.say(b"+ ")
            first = b64decode(await self._peer.line())
        bare = first.removeprefix(b"n,,")
        nonce = bare.partition(b",r=")[2] + b"more"
        answer = b"r=%b,s=%b,i=4096" % (nonce, b64encode(b"salt"))
        self._exchange = b"%b,%b,c=biws,r=%b" % (bare, answer, nonce)
        self.challenge(answer)

    def challenge(self, text: bytes) -> None:
        """Send a challenge."""
        self._peer.say(b"+ " + b64encode(text))

    async def proof_is_right(self) -> bool:
        """Return whether the client's proof is valid."""
        final = b64decode(await self._peer.line())
        proof = b64decode(final.partition(b",p=")[2])
        key = hmac.digest(self._salted, b"Client Key", "sha256")
        stored = hashlib.sha256(key).digest()
        signature = hmac.digest(stored, self._exchange, "sha256")
        return bytes(a ^ b for a, b in zip(proof, signature, strict=True)) == key

    def prove(self) -> None:
        """Send the server's proof."""
        key = hmac.digest(self._salted, b"Server Key", "sha256")
        self.challenge(b"v=" + b64encode(hmac.digest(key, self._exchange, "sha256")))

    async def finish(self, answer: bytes = OK) -> None:
        """Wait for the client to accept the proof, and end the login."""
        assert await self._peer.line() == b""
        self._peer.say(self.tag + b" " + answer)


async def try_login(
    serve: Serve,
    capabilities: bytes = SCRAM,
    *,
    pipelines: bool = True,
    **changes: object,
) -> list[bytes]:
    """Log in; return the lines that the server received, without tags."""

    async def script(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1 %b] ready" % capabilities)
        await serve(peer)

    async with ScriptedServer(script) as server:
        wanted = account(server.port, **changes)
        connection = await Connection.open(account(server.port), pipelines=pipelines)
        try:
            await log_in(connection, wanted)
        finally:
            connection.abort()
        return server.peers[0].received


@pytest.mark.parametrize("with_sasl_ir", [True, False], ids=["SASL-IR", "no SASL-IR"])
@pytest.mark.parametrize("pipelines", [True, False], ids=["pipelined", "serial"])
async def test_login_without_sending_the_password(
    pipelines: bool, with_sasl_ir: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Both sides prove that they know the password; the log contains nothing to guess it from."""
    caplog.set_level(logging.DEBUG)

    async def serve(peer: Peer) -> None:
        server = ScramServer(peer)
        await server.begin(with_sasl_ir=with_sasl_ir)
        assert await server.proof_is_right()
        server.prove()
        await server.finish()

    offered = SCRAM if with_sasl_ir else b"AUTH=SCRAM-SHA-256"
    lines = await try_login(serve, offered, pipelines=pipelines)
    assert not any(b"secret" in line for line in lines)
    assert b64encode(b"r=")[:3].decode() not in caplog.text
    assert b64encode(b"v=")[:3].decode() not in caplog.text


async def wrong_proof(peer: Peer) -> bytes:
    """Send a wrong proof."""
    server = ScramServer(peer, "guessed")
    await server.begin()
    assert not await server.proof_is_right()
    server.prove()
    return await peer.until_closed()


async def ok_without_proof(peer: Peer) -> bytes:
    """Accept the login without a proof of the server."""
    server = ScramServer(peer)
    await server.begin()
    await peer.line()
    peer.say(server.tag + b" " + OK)
    return await peer.until_closed()


async def ok_without_exchange(peer: Peer) -> bytes:
    """Accept the login without an exchange."""
    tag = await peer.expect("AUTHENTICATE")
    peer.say(tag + b" " + OK)
    return await peer.until_closed()


async def endless_challenges(peer: Peer) -> bytes:
    """Send challenges without an end."""
    await peer.expect("AUTHENTICATE")
    peer.say(*[b"+ cj0x"] * 100)
    return await peer.until_closed()


@pytest.mark.parametrize(
    ("serve", "error"),
    [
        (wrong_proof, ServerNotAuthentic),
        (ok_without_proof, ServerNotAuthentic),
        (ok_without_exchange, ServerNotAuthentic),
        (endless_challenges, ImapError),
    ],
)
@pytest.mark.parametrize("security", [Security.NONE, Security.TLS])
async def test_server_that_does_not_know_the_password(
    serve: Callable[[Peer], Awaitable[bytes]],
    error: type[ImapError],
    security: Security,
) -> None:
    """The password is never sent to the server, with TLS or without."""
    sent: asyncio.Future[list[bytes]] = asyncio.get_running_loop().create_future()

    async def script(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1 %b] ready" % SCRAM)
        rest = await serve(peer)
        sent.set_result([*peer.received, rest])

    async with ScriptedServer(script) as server:
        connection = await Connection.open(account(server.port))
        with pytest.raises(error):
            await log_in(connection, account(server.port, security=security))
        connection.abort()
        lines = await sent
    assert lines[0].split(b" ")[1:3] == [b"AUTHENTICATE", b"SCRAM-SHA-256"]
    assert not any(b"secret" in line or b"LOGIN" in line for line in lines)


def refuse_scram(refusal: bytes, then: bytes | None) -> Serve:
    """Return a script that refuses SCRAM and answers `then` to LOGIN."""

    async def serve(peer: Peer) -> None:
        server = ScramServer(peer)
        await server.begin()
        await peer.line()
        peer.say(server.tag + b" " + refusal)
        if then is not None:
            await peer.answer("LOGIN", ok=then)
        else:
            await peer.until_closed()

    return serve


NO = b"NO [AUTHENTICATIONFAILED] Authentication failed."


@pytest.mark.parametrize(
    ("security", "refusal", "then", "error"),
    [
        pytest.param(Security.TLS, NO, OK, None, id="only a hash is kept"),
        pytest.param(Security.TLS, b"BAD no", OK, None, id="SCRAM is broken"),
        pytest.param(Security.TLS, NO, NO, LoginRefused, id="wrong password"),
        pytest.param(Security.NONE, NO, None, LoginRefused, id="without TLS"),
        pytest.param(Security.NONE, b"BAD no", None, CommandRefused, id="BAD, no TLS"),
        pytest.param(
            Security.TLS,
            b"NO [UNAVAILABLE] Temporary failure",
            None,
            Unavailable,
            id="an outage",
        ),
        pytest.param(
            Security.TLS,
            b"NO Application-specific password required",
            None,
            AppPasswordNeeded,
            id="another password",
        ),
    ],
)
async def test_refused_scram(
    security: Security,
    refusal: bytes,
    then: bytes | None,
    error: type[ImapError] | None,
) -> None:
    """With TLS the password is sent after that; without TLS it never is."""
    serve = refuse_scram(refusal, then)
    if error is None:
        lines = await try_login(serve, security=security)
        assert lines[-1].endswith(b'LOGIN "user" "secret"')
        return
    with pytest.raises(ImapError) as caught:
        await try_login(serve, security=security)
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("security", "then", "error"),
    [(Security.TLS, OK, None), (Security.NONE, None, LoginDisabled)],
    ids=["with TLS", "without TLS"],
)
@pytest.mark.parametrize(
    "challenge",
    [b"no base64", b64encode(b"r=x,s=c2FsdA==,i=4096"), b64encode(b"e=other-error")],
    ids=["no base64", "wrong nonce", "error"],
)
async def test_invalid_exchange_is_canceled(
    challenge: bytes,
    security: Security,
    then: bytes | None,
    error: type[ImapError] | None,
) -> None:
    """An asterisk cancels the exchange; with TLS the password is sent after that."""

    async def serve(peer: Peer) -> None:
        tag = await peer.expect("AUTHENTICATE SCRAM-SHA-256")
        peer.say(b"+ " + challenge)
        assert await peer.line() == b"*"
        peer.say(tag + b" BAD canceled")
        if then is not None:
            await peer.answer("LOGIN", ok=then)
        else:
            await peer.until_closed()

    if error is None:
        await try_login(serve, security=security)
    else:
        with pytest.raises(error):
            await try_login(serve, security=security)


async def test_refused_scram_without_another_mechanism() -> None:
    """The error is the server's refusal, not a missing mechanism."""
    with pytest.raises(LoginRefused):
        await try_login(
            refuse_scram(NO, None), SCRAM + b" LOGINDISABLED", security=Security.TLS
        )


async def test_scram_is_not_repeated_after_a_refusal() -> None:
    """A failed login each time would look like an attack."""

    async def second(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1 %b] ready" % SCRAM)
        await peer.answer("LOGIN", ok=OK)

    async def first(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1 %b] ready" % SCRAM)
        await refuse_scram(NO, OK)(peer)

    async with ScriptedServer(first, second) as server:
        wanted: Account = account(server.port, security=Security.TLS)
        for _ in range(2):
            connection = await Connection.open(account(server.port))
            await log_in(connection, wanted)
            connection.abort()
        assert len(server.peers) == 2


async def test_hash_is_not_computed_on_the_event_loop() -> None:
    """The hash is computed in a thread: a server may require a million iterations."""
    threads: list[str] = []

    async def serve(peer: Peer) -> None:
        server = ScramServer(peer)
        await server.begin()
        await server.proof_is_right()
        server.prove()
        await server.finish()

    def note_thread(_given: object) -> None:
        threads.append(threading.current_thread().name)

    with observed({ScramClient.final: note_thread}):
        await try_login(serve)
    assert threads
    assert "MainThread" not in threads
