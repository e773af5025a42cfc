"""Login with a token: what is sent, the errors for refusals, and the state of the account."""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Iterable
import json
import logging

import pytest

from custom_components.imap_push.imap import (
    Account,
    CommandRefused,
    ImapError,
    LoginDisabled,
    Mark,
    Throttled,
    TokenRefused,
    TokenRevoked,
    TokensNotTaken,
    TokenUnavailable,
    Unavailable,
)
from custom_components.imap_push.imap.auth import login_limiter as logins
from custom_components.imap_push.imap.auth.login import log_in, open_logged_in
from custom_components.imap_push.imap.wire.command import Command
from custom_components.imap_push.imap.wire.connection import Connection

from ..conftest import account
from ..light import HOUR, IDLE, MINUTE, served
from ..scripted import Peer, Script, ScriptedServer
from ..tokens import Tokens
from ..virtual import VirtualLoop, run, watched

from tests.rig.light_folder import UID_VALIDITY

OK = b"OK [CAPABILITY IMAP4rev1] in"
XOAUTH2 = b"AUTH=XOAUTH2"
OAUTHBEARER = b"AUTH=OAUTHBEARER"
EXPIRED = {"status": "invalid_token", "scope": "mail"}


async def try_tokens(
    serve: Callable[[Peer], Awaitable[None]],
    capabilities: bytes,
    *tokens: str | Exception,
    **changes: object,
) -> list[bytes]:
    """Log in and return the lines that the server received."""

    async def script(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1 %b] ready" % capabilities)
        await serve(peer)

    source = Tokens(*tokens)
    async with ScriptedServer(script) as server:
        connection = await Connection.open(account(server.port))
        wanted = account(server.port, token=source, host="mail.example", **changes)
        try:
            await log_in(connection, wanted)
        finally:
            connection.abort()
        return server.peers[0].received


def encoded(text: str) -> bytes:
    """Return the base64 of a text."""
    return b64encode(text.encode())


async def refuse(peer: Peer, reason: object, answer: bytes = b"NO refused") -> None:
    """Refuse a token in an initial response, and expect an answer to the challenge."""
    tag = await peer.expect("AUTHENTICATE")
    is_standard = b" OAUTHBEARER " in peer.received[-1]
    peer.say(b"+ " + encoded(json.dumps(reason)))
    assert await peer.line() == (b"AQ==" if is_standard else b"")
    peer.say(tag + b" " + answer)


@pytest.mark.parametrize(
    ("offered", "mechanism", "response"),
    [
        (XOAUTH2, b"XOAUTH2", "user=a=b,c\1auth=Bearer t0\1\1"),
        (
            OAUTHBEARER,
            b"OAUTHBEARER",
            "n,a=a=3Db=2Cc,\1host=mail.example\1port={port}\1auth=Bearer t0\1\1",
        ),
        (
            OAUTHBEARER + b" " + XOAUTH2,
            b"XOAUTH2",
            "user=a=b,c\1auth=Bearer t0\1\1",
        ),
    ],
    ids=["XOAUTH2", "OAUTHBEARER", "both"],
)
@pytest.mark.parametrize("with_sasl_ir", [True, False], ids=["SASL-IR", "no SASL-IR"])
async def test_login_with_a_token(
    offered: bytes, mechanism: bytes, response: str, with_sasl_ir: bool
) -> None:
    """User name and token are sent in the form of the mechanism, with SASL-IR immediately."""
    sent: list[bytes] = []

    async def serve(peer: Peer) -> None:
        tag = await peer.expect("AUTHENTICATE")
        words = peer.received[-1].split(b" ")
        assert words[2] == mechanism
        if not with_sasl_ir:
            peer.say(b"+ ")
            words.append(await peer.line())
        sent.append(b64decode(words[3]))
        peer.say(tag + b" " + OK)

    capabilities = offered + (b" SASL-IR" if with_sasl_ir else b"")
    await try_tokens(serve, capabilities, "t0", username="a=b,c")
    [octets] = sent
    start, _, rest = response.partition("{port}")
    assert octets.startswith(start.encode())
    assert octets.endswith(rest.encode())


@pytest.mark.parametrize(
    ("offered", "response"),
    [
        (XOAUTH2, b"user=info@example.org\1auth="),
        (OAUTHBEARER, b"n,a=info@example.org,\1host="),
    ],
    ids=["XOAUTH2", "OAUTHBEARER"],
)
async def test_shared_mailbox_by_token(offered: bytes, response: bytes) -> None:
    """The mailbox is named, and the token says who signs in."""

    async def serve(peer: Peer) -> None:
        await peer.answer("AUTHENTICATE", ok=OK)

    lines = await try_tokens(
        serve, offered + b" SASL-IR", "t0", username="jane", mailbox="info@example.org"
    )
    sent = b64decode(lines[0].split(b" ")[3])
    assert sent.startswith(response)
    assert b"jane" not in sent


@pytest.mark.parametrize("offered", [XOAUTH2, OAUTHBEARER])
async def test_expired_token_is_renewed(offered: bytes) -> None:
    """The challenge is answered, and the renewed token is sent on the same connection."""

    async def serve(peer: Peer) -> None:
        await refuse(peer, EXPIRED)
        await peer.answer("AUTHENTICATE", ok=OK)

    lines = await try_tokens(serve, offered + b" SASL-IR", "old", "new")
    assert b"Bearer new" in b64decode(lines[-1].split(b" ")[-1])


async def test_refusal_without_a_challenge_renews_the_token() -> None:
    """A NO without a challenge, as from Outlook, renews the token."""

    async def serve(peer: Peer) -> None:
        await peer.answer("AUTHENTICATE", ok=b"NO AUTHENTICATE failed.")
        await peer.answer("AUTHENTICATE", ok=OK)

    await try_tokens(serve, XOAUTH2 + b" SASL-IR", "old", "new")


@pytest.mark.parametrize(
    ("reason", "renews", "text"),
    [
        (EXPIRED, True, "refused (status invalid_token, scope mail)"),
        ({"status": "401", "schemes": "Bearer"}, True, "refused (status 401)"),
        ({"status": 400}, True, "refused (status 400)"),
        ({"status": "invalid_request"}, False, "refused (status invalid_request)"),
        (
            {"status": "insufficient_scope", "scope": "imap"},
            False,
            "refused (status insufficient_scope, scope imap)",
        ),
        ({"status": "not t0\n\x1b[31m" + "x" * 99}, True, None),
        ({"status": "new and t0"}, True, "refused (status *** and t0)"),
        ({"status": "NEW and t0"}, True, "refused (status *** and t0)"),
        (["status"], True, "refused"),
        ("status", True, "refused"),
        (None, True, "refused"),
        ([[]] * 9999, True, "refused"),
    ],
    ids=str,
)
async def test_reason_of_a_refused_token(
    reason: object, renews: bool, text: str | None
) -> None:
    """The error contains the server's reason without the token; useless renewals are skipped."""

    async def serve(peer: Peer) -> None:
        await refuse(peer, reason)
        if renews:
            await refuse(peer, reason)

    with pytest.raises(TokenRefused) as caught:
        await try_tokens(serve, XOAUTH2 + b" SASL-IR", "old", "new")
    if text is not None:
        assert str(caught.value) == text
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("challenge", [b"", b"bm90IGpzb24=", b"!", b"W10=", b"/w=="])
async def test_malformed_challenge(challenge: bytes) -> None:
    """A malformed challenge raises TokenRefused without a reason."""

    async def serve(peer: Peer) -> None:
        tag = await peer.expect("AUTHENTICATE XOAUTH2 ")
        peer.say(b"+ " + challenge)
        await peer.line()
        peer.say(tag + b" NO refused")

    with pytest.raises(TokenRefused, match="^refused$"):
        await try_tokens(serve, XOAUTH2 + b" SASL-IR", "t0")


@pytest.mark.parametrize(
    ("answer", "reason", "error"),
    [
        (b"NO Request is throttled. Try again later", EXPIRED, Throttled),
        (b"NO [UNAVAILABLE] Temporary failure", EXPIRED, Unavailable),
        (b"NO internal server error", EXPIRED, Unavailable),
        (b"NO failed", {"status": "500"}, Unavailable),
        (b"NO failed", {"status": "temporarily_unavailable"}, Unavailable),
        (b"NO [PRIVACYREQUIRED] TLS required", EXPIRED, LoginDisabled),
        (b"BAD Invalid SASL argument", EXPIRED, CommandRefused),
        (b"NO invalid OAUTH token AADSTS1", EXPIRED, TokenRefused),
        (b"NO [AUTHENTICATIONFAILED] try again", EXPIRED, TokenRefused),
    ],
    ids=str,
)
async def test_temporary_refusal_of_a_token(
    answer: bytes, reason: object, error: type[ImapError]
) -> None:
    """A temporary refusal is not confused with an invalid token."""

    async def serve(peer: Peer) -> None:
        await refuse(peer, reason, answer)

    with pytest.raises(ImapError) as caught:
        await try_tokens(serve, XOAUTH2 + b" SASL-IR", "t0")
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("capabilities", "tokens", "error"),
    [
        (b"AUTH=PLAIN", ["t0"], TokensNotTaken),
        (XOAUTH2 + b" LOGINDISABLED", ["t0"], LoginDisabled),
        (XOAUTH2, [TokenRevoked("invalid_grant")], TokenRevoked),
        (XOAUTH2, [Unavailable("503")], TokenUnavailable),
    ],
    ids=["no mechanism", "TLS required", "revoked", "no token available"],
)
async def test_no_login_without_a_usable_token(
    capabilities: bytes, tokens: list[str | Exception], error: type[ImapError]
) -> None:
    """No AUTHENTICATE is sent if it cannot succeed."""

    async def serve(peer: Peer) -> None:
        assert b"AUTHENTICATE" not in await peer.until_closed()

    with pytest.raises(ImapError) as caught:
        await try_tokens(serve, capabilities, *tokens)
    assert type(caught.value) is error


async def hang_up(peer: Peer) -> None:
    """Refuse a token and close the connection."""
    peer.say(b"* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2 SASL-IR] ready")
    await refuse(peer, EXPIRED)
    peer.close()


async def admit(peer: Peer) -> None:
    """Accept a token."""
    peer.say(b"* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2 SASL-IR] ready")
    await peer.answer("AUTHENTICATE", ok=OK)
    await peer.until_closed()


@pytest.mark.parametrize(
    ("scripts", "error"),
    [([hang_up, admit], None), ([hang_up, hang_up], TokenRefused)],
    ids=["once", "always"],
)
async def test_server_that_closes_after_a_refusal(
    scripts: list[Script], error: type[ImapError] | None
) -> None:
    """The renewed token is sent on a second connection; a refusal there is final."""
    async with ScriptedServer(*scripts) as server:
        source = Tokens("old", "new", "newer")
        wanted = account(server.port, token=source)
        if error is None:
            (await open_logged_in(wanted)).abort()
        else:
            with pytest.raises(error):
                await open_logged_in(wanted)
        assert len(server.peers) == 2
        assert source.renewals == 1


async def test_token_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Neither the token nor its base64 is in the debug log or in the account's repr."""
    caplog.set_level(logging.DEBUG)

    async def serve(peer: Peer) -> None:
        await refuse(peer, {"status": "old-token"}, b"NO old-token is no good")
        tag = await peer.expect("AUTHENTICATE")
        sent = peer.received[-1].split(b" ")[-1]
        peer.say(b"* OK you said %b" % sent, tag + b" " + OK)

    lines = await try_tokens(serve, XOAUTH2 + b" SASL-IR", "old-token", "new-token")
    assert "AUTHENTICATE XOAUTH2 ***" in caplog.text
    responses = [line.split(b" ")[-1].decode() for line in lines if b"XOAUTH2" in line]
    for secret in ("old-token", "new-token", *responses):
        assert secret not in caplog.text
    assert "Tokens" not in repr(account(0, token=Tokens("x")))


class Issuer:
    """Issues tokens with a limited lifetime and validates them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, lifetime: float) -> None:
        """Issue tokens that live so many seconds."""
        self._loop = loop
        self.lifetime = lifetime
        self._expires: dict[str, float] = {}
        self._current = ""
        self.error: Exception | None = None
        self.requests = 0

    @property
    def issued(self) -> int:
        """Return the number of issued tokens."""
        return len(self._expires)

    async def token(self, *, renew: bool = False) -> str:
        """Return the current token, or another one if it expires soon."""
        self.requests += 1
        if self.error is not None:
            raise self.error
        if renew or not self.is_good(self._current, for_seconds=5):
            self._current = f"token-{self.issued}"
            self._expires[self._current] = self._loop.time() + self.lifetime
        return self._current

    def revoke_all(self) -> None:
        """Make all tokens invalid."""
        self._expires = dict.fromkeys(self._expires, 0.0)

    def is_good(self, token: str, for_seconds: float = 0) -> bool:
        """Return True if a token is valid."""
        return self._expires.get(token, 0.0) > self._loop.time() + for_seconds

    def twist(self, line: bytes) -> Iterable[bytes] | None:
        """Refuse a login with an invalid token."""
        tag, _, command = line.partition(b" ")
        if not command.startswith(b"AUTHENTICATE XOAUTH2 "):
            return None
        response = b64decode(command.split(b" ")[-1]).decode()
        token = response.partition("Bearer ")[2].rstrip("\1")
        if self.is_good(token):
            return None
        return [tag + b" NO AUTHENTICATE failed."]


TOKENS = IDLE + b" " + XOAUTH2


def test_tokens_with_a_short_lifetime_for_a_day() -> None:
    """Each mail is reported one time, in order, over many tokens and connections."""

    async def main(loop: VirtualLoop) -> None:
        issuer = Issuer(loop, 20.0)
        server = served(loop, capabilities=TOKENS, twist=issuer.twist)
        async with watched({"INBOX": Mark(UID_VALIDITY, 1)}, token=issuer) as recorder:
            delivered = 0
            started = loop.time()
            while loop.time() < started + 24 * HOUR:
                # Long enough for Backoff to reconnect without a delay.
                await asyncio.sleep(305.0)
                server.deliver(1)
                server.reset_all()
                server.slip_in(1)
                delivered += 2
            await asyncio.sleep(MINUTE)
            assert recorder.uids == list(range(1, delivered + 1))
        assert issuer.issued == server.logins > 200
        assert all(state.connected for state in recorder.states)
        assert all(state.error is None for state in recorder.states)
        assert not recorder.refused

    run(main)


def test_session_continues_after_its_token_expires() -> None:
    """No token is requested and no login sent as long as the session lasts."""

    async def main(loop: VirtualLoop) -> None:
        issuer = Issuer(loop, 20.0)
        server = served(loop, capabilities=TOKENS, twist=issuer.twist)
        async with watched({"INBOX": Mark(UID_VALIDITY, 1)}, token=issuer) as recorder:
            await asyncio.sleep(HOUR)
            server.deliver(1)
            await asyncio.sleep(1)
            assert recorder.uids == [1]
        assert (issuer.requests, server.logins) == (1, 1)

    run(main)


def test_renewal_of_a_refused_token_is_no_outage() -> None:
    """A refused token is renewed without an error state."""

    async def main(loop: VirtualLoop) -> None:
        issuer = Issuer(loop, HOUR)
        server = served(loop, capabilities=TOKENS, twist=issuer.twist)
        async with watched({"INBOX": Mark(UID_VALIDITY, 1)}, token=issuer) as recorder:
            await asyncio.sleep(1)
            issuer.revoke_all()
            server.close_all()
            server.slip_in(1)
            await asyncio.sleep(1)
            assert recorder.uids == [1]
            assert recorder.state.connected
        assert all(state.connected for state in recorder.states)
        assert all(state.error is None for state in recorder.states)
        assert not recorder.refused

    run(main)


def test_unavailable_token_server_is_an_outage() -> None:
    """There is no reauthentication and no login, and mail is reported after the outage."""

    async def main(loop: VirtualLoop) -> None:
        issuer = Issuer(loop, 20.0)
        server = served(loop, capabilities=TOKENS, twist=issuer.twist)
        async with watched({"INBOX": Mark(UID_VALIDITY, 1)}, token=issuer) as recorder:
            await asyncio.sleep(1)
            issuer.error = Unavailable("503")
            server.close_all()
            server.slip_in(1)
            await asyncio.sleep(12 * HOUR)
            assert type(recorder.state.error) is TokenUnavailable
            assert not recorder.state.connected
            assert server.logins == 1
            assert issuer.requests < 12 * 16  # At most every five minutes.
            issuer.error = None
            await asyncio.sleep(5 * MINUTE)
            assert recorder.uids == [1]
        assert not recorder.refused

    run(main)


def test_unavailable_token_server_after_a_refusal() -> None:
    """A login that may lock the account is sent one time per minute at most."""

    async def main(loop: VirtualLoop) -> None:
        class Stale:
            """Returns a token that has become invalid."""

            async def token(self, *, renew: bool = False) -> str:
                return await Tokens("bad", TokenUnavailable("503")).token(renew=renew)

        server = served(loop, capabilities=TOKENS, twist=Issuer(loop, 1.0).twist)
        async with watched({"INBOX": Mark(UID_VALIDITY, 1)}, token=Stale()) as recorder:
            for _ in range(5 * 60):
                recorder.watcher.check_now()
                await asyncio.sleep(1)
            assert server.logins <= logins.BURST + 5
        assert isinstance(recorder.state.error, TokenUnavailable)
        assert not recorder.refused

    run(main)


def test_revoked_tokens_ask_for_reauthentication() -> None:
    """Reauthentication is requested without another login."""

    async def main(loop: VirtualLoop) -> None:
        issuer = Issuer(loop, 20.0)
        server = served(loop, capabilities=TOKENS, twist=issuer.twist)
        async with watched({"INBOX": Mark(UID_VALIDITY, 1)}, token=issuer) as recorder:
            await asyncio.sleep(1)
            issuer.error = TokenRevoked("invalid_grant")
            server.close_all()
            await asyncio.sleep(1)
            assert recorder.refused == 1
            assert type(recorder.state.error) is TokenRevoked
            await asyncio.sleep(HOUR)
        assert (recorder.refused, server.logins, issuer.requests) == (1, 1, 2)

    run(main)


def test_revoked_tokens_while_another_connection_is_open() -> None:
    """Reauthentication is requested, and the open connection serves both folders."""

    async def main(loop: VirtualLoop) -> None:
        issuer = Issuer(loop, 20.0)
        server = served(loop, "INBOX", "Work", capabilities=TOKENS, twist=issuer.twist)
        marks = {"INBOX": Mark(UID_VALIDITY, 1), "Work": Mark(UID_VALIDITY, 1)}
        async with watched(marks, token=issuer) as recorder:
            await asyncio.sleep(10)
            assert recorder.state.connections == 2
            issuer.error = TokenRevoked("invalid_grant")
            next(
                client
                for client in tuple(server._clients)
                if not client.has_open(server.folder())
            ).close()
            await asyncio.sleep(1)
            assert recorder.refused == 1
            server.slip_in(1, "Work")
            server.deliver(1)
            await asyncio.sleep(2 * MINUTE)
            assert recorder.uids_by_folder == {"INBOX": [1], "Work": [1]}

    run(main)


def test_repeated_refusals_ask_for_reauthentication() -> None:
    """After three logins, each with a renewed token, there is one login every 15 minutes."""

    async def main(loop: VirtualLoop) -> None:
        issuer = Issuer(loop, 0.0)
        server = served(loop, capabilities=TOKENS, twist=issuer.twist)
        async with watched({"INBOX": None}, token=issuer) as recorder:
            await asyncio.sleep(10 * MINUTE)
            assert server.logins == 2 * logins.MAX_REFUSALS
            await asyncio.sleep(10 * HOUR)
        assert recorder.refused == 1
        assert type(recorder.state.error) is TokenRefused
        assert server.logins <= 2 * (logins.MAX_REFUSALS + 10 * 4)


def test_server_that_refuses_valid_tokens_for_a_while() -> None:
    """The account recovers without the user, and no mail is lost."""

    async def main(loop: VirtualLoop) -> None:
        issuer = Issuer(loop, 20.0)
        server = served(loop, capabilities=TOKENS, twist=issuer.twist)
        async with watched({"INBOX": Mark(UID_VALIDITY, 1)}, token=issuer) as recorder:
            await asyncio.sleep(1)
            issuer.lifetime = 0.0
            issuer.revoke_all()
            server.close_all()
            await asyncio.sleep(HOUR)
            assert recorder.refused == 1
            server.slip_in(1)
            issuer.lifetime = 20.0
            await asyncio.sleep(20 * MINUTE)
            assert recorder.uids == [1]
            assert recorder.state.connected

    run(main)


def test_repr_of_an_account_has_no_secrets() -> None:
    """The repr of an account contains neither password nor token."""
    shown = repr(
        Account(host="h", port=1, username="u", password="pw", token=Tokens("tk"))
    )
    assert "pw" not in shown
    assert "Tokens" not in shown


async def test_repr_of_a_command_has_no_secrets() -> None:
    """The repr of a command contains neither arguments nor secrets."""
    command = Command("LOGIN", '"user" "pw"', more=b"pw", secrets=("pw",))
    assert "LOGIN" in repr(command)
    assert "pw" not in repr(command)
