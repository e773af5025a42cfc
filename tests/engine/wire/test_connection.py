"""How a connection is opened, which errors it survives, and how it ends."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
import contextlib
from pathlib import Path
import socket
import ssl
from typing import NoReturn

import pytest

from custom_components.imap_push.imap import (
    CertificateError,
    CertificateProblem,
    CommandRefused,
    ConnectionLost,
    ConnectTimeout,
    HostNotFound,
    ImapError,
    NotImap,
    PortRefused,
    ProtocolError,
    Security,
    ServerLeft,
    ServerSilent,
    StartTlsMissing,
    TlsError,
    TlsExpected,
    TlsNotSpoken,
    TooManyConnections,
    Unavailable,
    Unreachable,
    check_account,
)
from custom_components.imap_push.imap.limits import MAX_COLLECTED
from custom_components.imap_push.imap.wire import protocol
from custom_components.imap_push.imap.wire.command import Command
from custom_components.imap_push.imap.wire.connection import Connection

from ..conftest import account
from ..loop import Address, EngineLoop
from ..scripted import Peer, ScriptedServer

from tests.rig.certificate import Certificate, make_certificate


@pytest.fixture(name="certificate", scope="session")
def certificate_fixture(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Return a good certificate for localhost."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


async def greet(peer: Peer) -> None:
    """Greet and wait until the client closes the connection."""
    peer.say(b"* OK [CAPABILITY IMAP4rev1 IDLE] ready")
    await peer.until_closed()


async def refused(port: int, **changes: object) -> ImapError:
    """Return the error of an account check at this port."""
    with pytest.raises(ImapError) as caught:
        await check_account(account(port, **changes))
    return caught.value


@pytest.mark.parametrize(
    ("greeting", "error", "text"),
    [
        (b"+OK POP3 ready", NotImap, "POP3"),
        (b"220 mail ESMTP", NotImap, "SMTP"),
        (b"HTTP/1.1 400 Bad Request", NotImap, "HTTP"),
        (b"SSH-2.0-OpenSSH_9", NotImap, "not IMAP"),
        (b"* BYE too many connections", TooManyConnections, "too many connections"),
        (b"* BYE see you", CommandRefused, "greeting: BYE see you"),
        (b"* BYE", ConnectionLost, "greeted with BYE"),
        (b"* BYE [UNAVAILABLE] see you", Unavailable, "see you"),
        (b"* NO [UNAVAILABLE] see you", Unavailable, "see you"),
        (b"* NO not from there", CommandRefused, "greeting: NO not from there"),
        (b"* BAD [ALERT] what", CommandRefused, "greeting: BAD what"),
        (b"* 3 EXISTS", NotImap, "not IMAP"),
    ],
    ids=lambda value: value.decode() if isinstance(value, bytes) else "",
)
async def test_greeting_that_is_no_ready_imap_server(
    greeting: bytes, error: type[ImapError], text: str
) -> None:
    """The error names the protocol of the server or contains its refusal."""

    async def serve(peer: Peer) -> None:
        peer.say(greeting)
        await peer.until_closed()

    async with ScriptedServer(serve) as server:
        result = await refused(server.port)
    assert type(result) is error
    assert text in str(result)


@pytest.mark.parametrize("greeting", [b"* BYE", b"* NO"])
async def test_only_the_start_of_a_long_text_is_used(greeting: bytes) -> None:
    """The text of a refusal is cut before it is searched: the patterns take quadratic time."""

    async def serve(peer: Peer) -> None:
        peer.say(greeting + b" too many connections" * 2500)
        await peer.until_closed()

    async with ScriptedServer(serve) as server:
        result = await refused(server.port)
    assert type(result) is TooManyConnections
    assert len(str(result)) == protocol.MAX_TEXT


async def test_alerts_are_limited() -> None:
    """Only the first alerts of a connection are delivered: each one is shown to the user."""
    alerts: list[str] = []

    async def serve(peer: Peer) -> None:
        peer.say(b"* OK ready")
        tag = await peer.expect("CAPABILITY")
        peer.say(*(b"* OK [ALERT] %d" % number for number in range(999)))
        peer.say(tag + b" OK done")
        await peer.until_closed()

    async with ScriptedServer(serve) as server:
        connection = await Connection.open(account(server.port), alerts.append)
        connection.abort()
    assert alerts == [str(number) for number in range(protocol.MAX_ALERTS)]


async def test_bye_is_classified_by_its_code() -> None:
    """A BYE with a temporary response code raises Unavailable even if its text does not say so."""

    async def serve(peer: Peer) -> None:
        await peer.log_in()
        await peer.expect("EXAMINE")
        peer.say(b"* BYE [UNAVAILABLE] so long")
        await peer.until_closed()

    async with ScriptedServer(serve) as server:
        assert type(await refused(server.port)) is Unavailable


async def test_bye_instead_of_an_answer_to_the_login() -> None:
    """A BYE in reply to LOGIN keeps its text for the form, without the password that it repeats."""

    async def serve(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1] ready")
        await peer.expect("LOGIN")
        peer.say(b"* BYE no guests like %b" % account(0).password.encode())
        await peer.until_closed()

    async with ScriptedServer(serve) as server:
        error = await refused(server.port)
    assert isinstance(error, ServerLeft)
    assert error.text == "no guests like ***"


async def test_list_of_capabilities_is_cut() -> None:
    """Only the first octets of the capabilities are read."""
    words = b" ".join(b"X%d" % number for number in range(9_000))

    async def serve(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1 IDLE %b] ready" % words)
        await peer.until_closed()

    async with ScriptedServer(serve) as server:
        connection = await Connection.open(account(server.port))
        connection.abort()
    assert "IDLE" in connection.capabilities
    assert len(connection.capabilities) < 4_000


@pytest.mark.usefixtures("_skips_time")
async def test_errors_of_dns_and_tcp(engine_loop: EngineLoop) -> None:
    """Unknown name, closed port, timeout and network failure raise different errors."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert isinstance(await refused(unused.getsockname()[1]), PortRefused)

    async def unknown(*_address: object) -> NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def no_resolver(*_address: object) -> NoReturn:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    async def not_a_name(*_address: object) -> Iterable[Address]:
        "a..b".encode("idna")
        return ()

    async def hangs(*_address: object) -> Iterable[Address]:
        await asyncio.sleep(60)
        return ()

    async def unreachable(*_address: object) -> NoReturn:
        raise OSError(113, "No route to host")

    for connects, error in (
        (unknown, HostNotFound),
        (not_a_name, HostNotFound),
        (hangs, ConnectTimeout),
        (no_resolver, Unreachable),
        (unreachable, Unreachable),
    ):
        engine_loop.resolve = connects
        assert type(await refused(993)) is error


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        ({"expired": True}, CertificateProblem.EXPIRED),
        ({"host": "other.example"}, CertificateProblem.WRONG_HOST),
        ({}, CertificateProblem.UNTRUSTED),
    ],
    ids=["expired", "wrong host", "unknown authority"],
)
@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
async def test_invalid_certificate(
    tmp_path: Path,
    made: dict[str, object],
    problem: CertificateProblem,
    security: Security,
) -> None:
    """The error contains the problem of the certificate, and no password is sent."""
    bad = make_certificate(tmp_path, **made)  # type: ignore[arg-type]
    context = ssl.create_default_context() if not made else bad.client_context()

    async def serve_starttls(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready")
        await peer.answer("STARTTLS")
        with pytest.raises((OSError, ssl.SSLError)):
            await peer.start_tls(bad.server_context())

    tls = security is Security.TLS
    script = greet if tls else serve_starttls
    async with ScriptedServer(
        script, context=bad.server_context() if tls else None
    ) as server:
        error = await refused(
            server.port, host="localhost", security=security, ssl_context=context
        )
        received = [line for peer in server.peers for line in peer.received]
    assert isinstance(error, CertificateError)
    assert error.problem is problem
    assert not [line for line in received if b"LOGIN" in line]


@pytest.mark.usefixtures("_skips_time")
async def test_check_has_an_overall_deadline() -> None:
    """The check of an account ends even if no deadline of a command passes."""

    async def drip(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1] ready")
        await peer.expect("LOGIN")
        while True:
            peer.say(b"* OK Still thinking")
            await asyncio.sleep(20)

    async with ScriptedServer(drip) as server:
        assert isinstance(await refused(server.port), ServerSilent)


async def test_login_after_starttls(certificate: Certificate) -> None:
    """The login is sent over TLS only, after the capabilities are requested again."""

    async def serve(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready")
        await peer.answer("STARTTLS")
        await peer.start_tls(certificate.server_context())
        await peer.answer("CAPABILITY", b"* CAPABILITY IMAP4rev1 IDLE")
        await peer.answer("LOGIN", ok=b"OK [CAPABILITY IMAP4rev1 IDLE] in")
        await peer.examine()
        await peer.leave()

    async with ScriptedServer(serve) as server:
        capabilities = await check_account(
            account(
                server.port,
                host="localhost",
                security=Security.STARTTLS,
                ssl_context=certificate.client_context(),
            )
        )
    assert capabilities == {"IMAP4REV1", "IDLE"}


async def inject(peer: Peer) -> None:
    """Send plain text in the same segment as the answer to STARTTLS."""
    peer.say(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready")
    tag = await peer.expect("STARTTLS")
    peer.say(tag + b" OK begin", b"* CAPABILITY IMAP4rev1 INJECTED")
    await peer.until_closed()


async def no_starttls(peer: Peer) -> None:
    """Do not offer STARTTLS."""
    await greet(peer)


async def refuse_starttls(peer: Peer) -> None:
    """Offer STARTTLS and refuse it."""
    peer.say(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready")
    await peer.answer("STARTTLS", ok=b"NO not today")
    await peer.until_closed()


async def close_before_handshake(peer: Peer) -> None:
    """Close the connection instead of doing the handshake."""
    peer.say(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready")
    await peer.answer("STARTTLS")
    peer.close()


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (inject, ProtocolError),
        (no_starttls, StartTlsMissing),
        (refuse_starttls, CommandRefused),
        (close_before_handshake, ImapError),
    ],
    ids=["injected plain text", "not offered", "refused", "closed"],
)
async def test_no_login_after_failed_starttls(
    certificate: Certificate,
    script: Callable[[Peer], Awaitable[None]],
    error: type[ImapError],
) -> None:
    """No credentials are sent after STARTTLS failed."""
    async with ScriptedServer(script) as server:
        result = await refused(
            server.port,
            host="localhost",
            security=Security.STARTTLS,
            ssl_context=certificate.client_context(),
        )
        assert isinstance(result, error)
        assert not [line for line in server.peers[0].received if b"LOGIN" in line]


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
async def test_tls_without_a_context(security: Security) -> None:
    """A missing TLS context never leads to a connection without TLS."""

    async def serve(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready")
        assert b"LOGIN" not in await peer.until_closed()

    async with ScriptedServer(serve) as server:
        assert isinstance(await refused(server.port, security=security), TlsError)


async def silent(peer: Peer) -> None:
    """Send nothing."""
    await peer.until_closed()


async def pop3(peer: Peer) -> None:
    """Greet as a POP3 server."""
    peer.say(b"+OK ready")
    await peer.until_closed()


@pytest.mark.parametrize(
    ("scripts", "security", "server_tls", "error"),
    [
        ([greet, greet], Security.TLS, False, TlsNotSpoken),
        ([pop3, pop3], Security.TLS, False, NotImap),
        ([silent, greet], Security.NONE, True, TlsExpected),
        ([silent, greet], Security.STARTTLS, True, TlsExpected),
        ([silent, pop3], Security.NONE, True, NotImap),
        ([silent, silent], Security.NONE, False, ServerSilent),
        ([silent], Security.TLS, True, ServerSilent),
    ],
    ids=[
        "TLS at a plain port",
        "TLS at a POP3 port",
        "no TLS at a TLS port",
        "STARTTLS at a TLS port",
        "no TLS at a POP3S port",
        "silent without TLS",
        "silent with TLS",
    ],
)
@pytest.mark.usefixtures("_skips_time")
async def test_wrong_security_for_the_port(
    certificate: Certificate,
    scripts: list[Callable[[Peer], Awaitable[None]]],
    security: Security,
    server_tls: bool,
    error: type[ImapError],
) -> None:
    """The second connection attempt finds out which protocol the port speaks."""
    context = certificate.server_context() if server_tls else None
    scripts = scripts[1:] if server_tls and security is not Security.TLS else scripts
    async with ScriptedServer(*scripts, context=context) as server:
        result = await refused(
            server.port,
            host="localhost",
            security=security,
            ssl_context=certificate.client_context(),
        )
    assert type(result) is error


async def never_answer(peer: Peer) -> None:
    """Read commands and answer none."""
    peer.say(b"* OK [CAPABILITY IMAP4rev1 IDLE] ready")
    await peer.until_closed()


async def drip(peer: Peer) -> None:
    """Send single bytes and never an answer."""
    peer.say(b"* OK [CAPABILITY IMAP4rev1 IDLE] ready")
    while True:
        peer.say_raw(b"*")
        await asyncio.sleep(20)


@pytest.mark.parametrize(
    "script", [never_answer, drip], ids=["silence", "dripping bytes"]
)
@pytest.mark.usefixtures("_skips_time")
async def test_unanswered_command_ends_the_connection(
    script: Callable[[Peer], Awaitable[None]],
) -> None:
    """All running commands fail with one error, and the next one fails immediately."""
    async with ScriptedServer(script) as server:
        connection = await Connection.open(account(server.port))
        first = asyncio.ensure_future(connection.run(Command("NOOP")))
        second = asyncio.ensure_future(connection.run(Command("CHECK")))
        results = await asyncio.gather(first, second, return_exceptions=True)
        assert [type(result) for result in results] == [ServerSilent, ServerSilent]
        with pytest.raises(ServerSilent):
            await connection.run(Command("NOOP"))


@pytest.mark.usefixtures("_skips_time")
async def test_unanswered_done_times_out() -> None:
    """DONE has a deadline of its own."""

    async def serve(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1 IDLE] ready")
        await peer.idle()
        await peer.until_closed()

    async with ScriptedServer(serve) as server:
        connection = await Connection.open(account(server.port))
        await connection.send(idle=True)
        await connection.wait_for_unsolicited(0.05)
        with pytest.raises(ServerSilent, match="IDLE"):
            await connection.run(Command("NOOP"))


async def idle_refused(peer: Peer) -> None:
    """Refuse IDLE."""
    await peer.answer("IDLE", ok=b"NO cannot idle")


async def idle_ended_by_the_server(peer: Peer) -> None:
    """End IDLE without DONE, as some servers do at their time limit."""
    tag = await peer.idle()
    peer.say(tag + b" NO idle timed out")


@pytest.mark.parametrize(
    ("script", "refused"),
    [(idle_refused, True), (idle_ended_by_the_server, False)],
    ids=["refused", "ended by the server"],
)
async def test_idle_ended_by_the_server(
    script: Callable[[Peer], Awaitable[None]], refused: bool
) -> None:
    """A refused or ended IDLE wakes the waiting task, and no DONE is sent."""

    async def serve(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1 IDLE] ready")
        await script(peer)
        await peer.answer("NOOP")

    async with ScriptedServer(serve) as server:
        connection = await Connection.open(account(server.port))
        await connection.send(idle=True)
        await asyncio.wait_for(connection.wait_for_unsolicited(60), 1)
        assert connection.idle_is_over
        assert connection.idle_is_refused is refused
        await connection.run(Command("NOOP"))
        connection.abort()


async def before_plus(peer: Peer) -> bytes:
    """Send EXISTS before `+`, as the example in RFC 2177 does."""
    tag = await peer.expect("IDLE")
    peer.say(b"* 3 EXISTS", b"+ idling")
    return tag


async def after_plus(peer: Peer) -> bytes:
    """Send EXISTS during IDLE."""
    tag = await peer.idle()
    await asyncio.sleep(0.02)
    peer.say(b"* 3 EXISTS")
    return tag


async def after_done(peer: Peer) -> bytes:
    """Send EXPUNGE during IDLE, so that EXISTS comes between DONE and its answer."""
    tag = await peer.idle()
    peer.say(b"* 1 EXPUNGE")
    return tag


@pytest.mark.parametrize("pipelines", [True, False], ids=["pipelined", "serial"])
@pytest.mark.parametrize("announce", [before_plus, after_plus, after_done])
async def test_idle_wakes(
    announce: Callable[[Peer], Awaitable[bytes]], pipelines: bool
) -> None:
    """Unsolicited data at any time wakes the waiting task; DONE is sent one time, after `+`."""

    async def serve(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1 IDLE] ready")
        tag = await announce(peer)
        assert await peer.line() == b"DONE"
        if pipelines:
            assert b"NOOP" in await peer.line()
        peer.say(b"* 4 EXISTS", tag + b" OK over")
        noop = peer.received[-1] if pipelines else await peer.line()
        peer.say(noop.partition(b" ")[0] + b" OK")

    async with ScriptedServer(serve) as server:
        connection = await Connection.open(account(server.port), pipelines=pipelines)
        await connection.send(idle=True)
        await asyncio.wait_for(connection.wait_for_unsolicited(60), 1)
        assert connection.unsolicited.take().changed
        await connection.run(Command("NOOP"))
        # Data between DONE and its answer is queued too.
        assert connection.unsolicited.take().changed
        assert connection.selected.exists == 4
        connection.abort()


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\r\n\x00\xff\xfe\r\n",
        b"A1 OK what\r\n",
        b"* 1 FETCH (UID 1\r\n* BYE\r\n",
        b"{}\r\n",
    ],
    ids=["binary", "answer to nothing", "broken data, bye", "braces"],
)
async def test_nonsense_ends_the_connection_with_one_typed_error(
    nonsense: bytes,
) -> None:
    """Any bytes are either valid responses or raise ConnectionLost."""

    async def serve(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1] ready")
        await peer.expect("NOOP")
        peer.say_raw(nonsense)
        await peer.until_closed()

    async with ScriptedServer(serve) as server:
        connection = await Connection.open(account(server.port))
        with pytest.raises(ConnectionLost):
            await asyncio.wait_for(connection.run(Command("NOOP")), 1)


async def test_exception_in_the_receive_path() -> None:
    """An unexpected exception in the receive path ends the connection with a ProtocolError."""

    def broken(_text: bytes) -> None:
        raise KeyError("ours")

    async def serve(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1 IDLE] ready")
        await peer.idle()
        await peer.until_closed()

    async with ScriptedServer(serve) as server:
        connection = await Connection.open(account(server.port))
        with pytest.raises(ProtocolError, match="KeyError"):
            await connection.run(Command("IDLE", continuation=broken))


async def test_command_that_collects_too_much() -> None:
    """A command that collects more than the limit ends the connection."""
    response = b"* SEARCH" + b" 1" * 750_000
    assert 3 * len(response) < MAX_COLLECTED < 5 * len(response)

    async def serve(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1] ready")
        await peer.expect("UID SEARCH")
        peer.say(*[response] * 5)
        await peer.until_closed()

    async with ScriptedServer(serve) as server:
        connection = await Connection.open(account(server.port))
        with pytest.raises(ProtocolError, match="too much"):
            await connection.run(Command("UID SEARCH", "ALL", frozenset({"SEARCH"})))


async def test_line_break_in_a_command() -> None:
    """A command that contains a line break is rejected before anything is sent."""
    async with ScriptedServer(greet) as server:
        connection = await Connection.open(account(server.port))
        with pytest.raises(ValueError, match="LF"):
            await connection.run(Command("EXAMINE", "x\r\nA1 DELETE INBOX"))
        connection.abort()
        assert server.peers[0].received == []


@pytest.mark.usefixtures("_skips_time")
@pytest.mark.parametrize("answers", [True, False], ids=["answered", "not answered"])
async def test_close_logs_out(answers: bool) -> None:
    """LOGOUT is sent, and a server that does not answer it causes no long wait."""
    left = asyncio.Event()

    async def serve(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1] ready")
        tag = await peer.expect("LOGOUT")
        if answers:
            peer.say(b"* BYE see you", tag + b" OK bye")
        await peer.until_closed()
        left.set()

    async with ScriptedServer(serve) as server:
        connection = await Connection.open(account(server.port))
        await connection.close()
        await connection.close()
        await asyncio.wait_for(left.wait(), 1)


@pytest.mark.usefixtures("_skips_time")
async def test_no_command_before_idle_is_answered() -> None:
    """Neither a command nor LOGOUT is sent before the server's `+`: it may already expect DONE."""
    sent: list[bytes] = []

    async def serve(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1 IDLE] ready")
        await peer.expect("IDLE")
        sent.append(await peer.until_closed())

    async with ScriptedServer(serve) as server:
        connection = await Connection.open(account(server.port))
        await connection.send(idle=True)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await connection.send(Command("NOOP"))
        await connection.close()
        async with asyncio.timeout(1):
            while not sent:
                await asyncio.sleep(0.005)
    assert sent == [b""]


@pytest.mark.parametrize(
    ("answers", "ends", "failed"),
    [
        ([b"OK", b"OK", b"OK"], True, False),
        ([b"OK", b"NO", b"BAD"], True, False),
        ([b"OK", b"OK"], True, True),
        ([], True, True),
        ([b"OK", b"BAD", b"BAD"], False, True),
        ([b"BAD", b"BAD", b"BAD"], False, True),
        ([b"OK", b"BAD", b"NO"], False, False),
        ([b"OK", b"OK", b"BAD"], False, False),
        ([b"BAD", b"OK", b"OK"], False, False),
        ([b"OK", b"BAD"], False, False),
        ([b"BAD"], False, False),
    ],
    ids=[
        "all answered, then lost",
        "refused, then lost",
        "one missing, then lost",
        "all missing, then lost",
        "all but the first BAD",
        "all BAD",
        "BAD and NO",
        "only the last BAD",
        "only the first BAD",
        "BAD to one of two",
        "BAD to a single command",
    ],
)
@pytest.mark.parametrize("pipelines", [True, False], ids=["pipelined", "serial"])
async def test_pipelining_failed(
    answers: list[bytes], ends: bool, failed: bool, pipelines: bool
) -> None:
    """A write fails if the connection ends within it, or if all but its first command are BAD.

    If commands are sent one at a time, the reason is another one.
    """

    async def serve(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1] ready")
        for answer in answers:
            await peer.answer("NOOP", ok=answer + b" so")
        if ends:
            peer.close()

    async with ScriptedServer(serve) as server:
        connection = await Connection.open(account(server.port), pipelines=pipelines)
        commands = [Command("NOOP") for _ in range(3 if ends else len(answers))]
        assert not connection.pipelining_failed
        with contextlib.suppress(ConnectionLost):
            await connection.send(*commands)
            for command in commands:
                await command.wait_until_done()
            if ends:
                await connection.wait_for_unsolicited(1)
        assert connection.is_open is not ends
        assert connection.pipelining_failed is (failed and pipelines)
        connection.stop_pipelining()
        assert not connection.pipelining_failed
        await connection.close()


@pytest.mark.parametrize(
    ("accepts", "failed"),
    [(True, False), (False, True)],
    ids=["waiting in IDLE", "no answer to IDLE"],
)
async def test_connection_that_ends_during_idle(accepts: bool, failed: bool) -> None:
    """Only an IDLE without `+` may have failed because another command preceded it."""

    async def serve(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1 IDLE] ready")
        await peer.answer("NOOP")
        await peer.expect("IDLE")
        peer.say(*([b"+ idling"] if accepts else []))
        peer.close()

    async with ScriptedServer(serve) as server:
        connection = await Connection.open(account(server.port))
        await connection.send(Command("NOOP"), idle=True)
        with pytest.raises(ConnectionLost):
            await connection.wait_for_unsolicited(5)
        assert connection.pipelining_failed is failed
        assert connection.idle_is_unanswered is False
        connection.abort()
