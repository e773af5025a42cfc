"""No credentials are sent over a connection that is not safe."""

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
import ssl
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
import pytest

from custom_components.imap_push.imap import (
    CertificateChanged,
    CertificateError,
    CertificateProblem,
    CommandRefused,
    HostNotFound,
    ImapError,
    LoginDisabled,
    NotImap,
    PlainTextInjected,
    Security,
    StartTlsMissing,
    TlsError,
    TlsTooOld,
    check_account,
    fetch_certificate,
)
from custom_components.imap_push.imap.wire import certificate as certificate_module
from custom_components.imap_push.imap.wire.connection import Connection
from custom_components.imap_push.imap.wire.protocol import MAX_ALERTS

from ..conftest import account
from ..loop import EngineLoop
from ..scripted import CAPABILITIES, Peer, Script, ScriptedServer
from ..tokens import Tokens

from tests.rig.certificate import Certificate, make_certificate

SECRETS: Final = (b"secret", b"AUTHENTICATE", b64encode(b"\0user\0secret"), b"LOGIN")
CREDENTIALS: Final = [{"password": "secret"}, {"token": Tokens("secret")}]
ENCRYPTED: Final = [Security.TLS, Security.STARTTLS]
WITH_STARTTLS: Final = b"* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2 STARTTLS] ready"


@pytest.fixture(name="certificate", scope="module")
def certificate_fixture(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Return a good certificate for localhost."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


class Server(ScriptedServer):
    """A server with implicit TLS or STARTTLS."""

    def __init__(
        self,
        security: Security,
        context: ssl.SSLContext,
        script: Script | None = None,
    ) -> None:
        """Run the script for each of the first connections after the handshake."""
        play = script or _wait

        async def start_tls(peer: Peer) -> None:
            peer.say(WITH_STARTTLS)
            await peer.answer("STARTTLS")
            try:
                await peer.start_tls(context)
            except OSError:
                return
            await peer.answer("CAPABILITY", b"* CAPABILITY " + CAPABILITIES)
            await play(peer)

        async def greet(peer: Peer) -> None:
            peer.say(b"* OK [CAPABILITY %b] ready" % CAPABILITIES)
            await play(peer)

        is_tls = security is Security.TLS
        scripts = [greet if is_tls else start_tls] * 3
        super().__init__(*scripts, context=context if is_tls else None)

    @property
    def received(self) -> bytes:
        """Return everything that all clients sent."""
        return b"\n".join(line for peer in self.peers for line in peer.received)


async def _wait(peer: Peer) -> None:
    peer.received.append(await peer.until_closed())


async def _serve(peer: Peer) -> None:
    await peer.answer("LOGIN", ok=b"OK [CAPABILITY IMAP4rev1] in")
    await peer.examine()
    await peer.leave()


async def refused(port: int, **changes: object) -> ImapError:
    """Return the error of an account check at this port."""
    with pytest.raises(ImapError) as caught:
        await check_account(account(port, **{"host": "localhost"} | changes))
    return caught.value


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        ({"expired": True}, CertificateProblem.EXPIRED),
        ({"not_yet_valid": True}, CertificateProblem.NOT_YET_VALID),
        ({"host": "other.example"}, CertificateProblem.WRONG_HOST),
        ({"self_signed": True}, CertificateProblem.UNTRUSTED),
        (None, CertificateProblem.UNTRUSTED),
        ({}, CertificateProblem.CHANGED),
    ],
    ids=[
        *("expired", "not yet valid", "wrong host"),
        *("self-signed", "unknown authority", "changed"),
    ],
)
@pytest.mark.parametrize("security", ENCRYPTED)
@pytest.mark.parametrize("credentials", CREDENTIALS, ids=["password", "token"])
async def test_invalid_certificate(
    tmp_path: Path,
    certificate: Certificate,
    made: dict[str, object] | None,
    problem: CertificateProblem,
    security: Security,
    credentials: dict[str, object],
) -> None:
    """The error contains the problem of the certificate, and no password or token is sent."""
    shown = make_certificate(tmp_path, **made or {})  # type: ignore[arg-type]
    trusted = shown if made is not None else certificate
    is_pinned = problem is CertificateProblem.CHANGED
    async with Server(security, shown.server_context()) as server:
        error = await refused(
            server.port,
            security=security,
            ssl_context=trusted.client_context(),
            fingerprint=certificate.fingerprint if is_pinned else None,
            **credentials,
        )
    assert isinstance(error, CertificateError)
    assert error.problem is problem
    assert str(error)
    assert isinstance(error, CertificateChanged) == is_pinned
    if isinstance(error, CertificateChanged):
        assert error.fingerprint == shown.fingerprint
    assert not any(secret in server.received for secret in SECRETS)


@pytest.mark.parametrize(
    "made",
    [
        {"expired": True},
        {"host": "other.example"},
        {"self_signed": True},
    ],
    ids=["expired", "wrong host", "self-signed"],
)
@pytest.mark.parametrize("security", ENCRYPTED)
async def test_pinned_certificate(
    tmp_path: Path, made: dict[str, object], security: Security
) -> None:
    """A pinned certificate is accepted despite its problems; the fingerprint may contain colons."""
    shown = make_certificate(tmp_path, **made)  # type: ignore[arg-type]
    digits = shown.fingerprint.upper()
    pairs = ":".join(digits[place : place + 2] for place in range(0, 64, 2))
    async with Server(security, shown.server_context(), _serve) as server:
        await check_account(
            account(server.port, host="localhost", security=security, fingerprint=pairs)
        )


async def test_invalid_fingerprint(certificate: Certificate) -> None:
    """No certificate matches an invalid fingerprint."""
    async with Server(Security.TLS, certificate.server_context()) as server:
        error = await refused(server.port, security=Security.TLS, fingerprint="pâté")
    assert isinstance(error, CertificateChanged)
    error_without_digits = CertificateChanged("")
    assert error_without_digits.problem is CertificateProblem.CHANGED


def _old(context: ssl.SSLContext) -> ssl.SSLContext:
    """Return a context that supports TLS 1.1 at most."""
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def _lax(context: ssl.SSLContext) -> ssl.SSLContext:
    """Return a context that accepts any version."""
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    return context


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("security", ENCRYPTED)
async def test_old_tls_version(certificate: Certificate, security: Security) -> None:
    """An old TLS version is refused even if the account's context allows it."""
    async with Server(security, _old(certificate.server_context())) as server:
        error = await refused(
            server.port,
            security=security,
            ssl_context=_lax(certificate.client_context()),
        )
    assert type(error) is TlsTooOld
    assert not any(secret in server.received for secret in SECRETS)


async def test_refused_connection_frees_its_file_descriptor(
    certificate: Certificate, to_loopback: EngineLoop
) -> None:
    """The event loop no longer uses the file descriptor, which the next socket may get."""
    async with Server(Security.TLS, certificate.server_context()) as server:
        error = await refused(server.port, security=Security.TLS, fingerprint="another")
        assert type(error) is CertificateChanged
        # This raises if the event loop still has a transport with this file descriptor.
        [descriptor] = to_loopback.descriptors
        assert not to_loopback.remove_reader(descriptor)


@pytest.mark.parametrize("security", ENCRYPTED)
@pytest.mark.parametrize(
    ("host", "ascii_host"),
    [
        ("imap.straße.example", "imap.xn--strae-oqa.example"),
        ("imap.BÜCHER.example", "imap.xn--bcher-kva.example"),
        ("Imap.Example.org", "Imap.Example.org"),
    ],
)
async def test_internationalized_host_name(
    tmp_path: Path,
    to_loopback: EngineLoop,
    security: Security,
    host: str,
    ascii_host: str,
) -> None:
    """DNS and the certificate check use the ASCII form of the host name (IDNA 2008)."""
    shown = make_certificate(tmp_path, host=ascii_host.lower())
    async with Server(security, shown.server_context(), _serve) as server:
        await check_account(
            account(
                server.port,
                host=host,
                security=security,
                ssl_context=shown.client_context(),
            )
        )
    assert to_loopback.lookups == [(ascii_host, server.port)]


async def test_invalid_host_name() -> None:
    """An invalid host name raises HostNotFound."""
    assert type(await refused(1, host="imap..bücher.example")) is HostNotFound


@pytest.mark.parametrize("leave", [Peer.close, Peer.reset], ids=["closed", "reset"])
async def test_connection_closed_during_the_handshake(
    certificate: Certificate, leave: Callable[[Peer], None]
) -> None:
    """A connection that ends during the handshake raises TlsError."""

    async def script(peer: Peer) -> None:
        await peer._reader.read(1)
        leave(peer)

    async with ScriptedServer(script) as server:
        error = await refused(
            server.port,
            security=Security.TLS,
            ssl_context=certificate.client_context(),
        )
    assert type(error) is TlsError


async def test_alert_protocol_version(certificate: Certificate) -> None:
    """The TLS alert `protocol_version` raises TlsTooOld."""

    async def alert(peer: Peer) -> None:
        await peer._reader.read(1)
        peer.say_raw(b"\x15\x03\x01\x00\x02\x02\x46")  # protocol_version
        await peer.until_closed()

    async with ScriptedServer(alert) as server:
        error = await refused(
            server.port,
            security=Security.TLS,
            ssl_context=certificate.client_context(),
        )
    assert type(error) is TlsTooOld


async def _answer_starttls(peer: Peer, *glued: bytes) -> None:
    peer.say(WITH_STARTTLS)
    tag = await peer.expect("STARTTLS")
    peer.say_raw(tag + b" OK begin\r\n" + b"".join(glued))


def injecting(octets: bytes) -> Script:
    """Return a script that sends octets in the same segment as the answer to STARTTLS."""

    async def script(peer: Peer) -> None:
        await _answer_starttls(peer, octets)
        peer.received.append(await peer.until_closed())

    return script


async def inject_later(peer: Peer) -> None:
    """Send plain text instead of a handshake."""
    await _answer_starttls(peer)
    await peer._reader.read(1)  # The client has started its handshake.
    peer.say(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN")
    peer.received.append(await peer.until_closed())


async def fail_later(peer: Peer) -> None:
    """Refuse STARTTLS after its OK, as Courier does if it cannot start TLS."""
    await _answer_starttls(peer)
    await peer._reader.read(1)  # The client has started its handshake.
    tag = peer.received[-1].partition(b" ")[0]
    peer.say(tag + b" NO STARTTLS failed: Permission denied")
    peer.received.append(await peer.until_closed())


async def fail_at_once(peer: Peer) -> None:
    """Refuse STARTTLS in the same segment as its OK."""
    peer.say(WITH_STARTTLS)
    tag = await peer.expect("STARTTLS")
    peer.say(tag + b" OK begin", tag + b" NO STARTTLS failed: Permission denied")
    peer.received.append(await peer.until_closed())


async def strip_starttls(peer: Peer) -> None:
    """Offer login without STARTTLS, as an attacker in the middle does."""
    peer.say(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR] ready")
    peer.received.append(await peer.until_closed())


async def preauth(peer: Peer) -> None:
    """Greet with PREAUTH, after which STARTTLS is not allowed."""
    peer.say(b"* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] welcome")
    peer.received.append(await peer.until_closed())


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (injecting(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"), PlainTextInjected),
        (injecting(b"* OK [CAPABILITY IMAP4rev1"), PlainTextInjected),
        (injecting(b"* 1 FETCH (X {5}\r\n"), PlainTextInjected),
        (injecting(b"\r\n"), PlainTextInjected),
        (injecting(b"\0"), PlainTextInjected),
        (injecting(b"B1 OK in\r\n"), PlainTextInjected),
        (inject_later, PlainTextInjected),
        (fail_later, CommandRefused),
        (fail_at_once, CommandRefused),
        (strip_starttls, StartTlsMissing),
        (preauth, StartTlsMissing),
    ],
    ids=[
        "a response",
        "half a response",
        "the beginning of a literal",
        "an empty line",
        "an octet",
        "an answer",
        "instead of a handshake",
        "NO instead of a handshake",
        "NO after OK",
        "STARTTLS stripped",
        "PREAUTH",
    ],
)
@pytest.mark.parametrize("credentials", CREDENTIALS, ids=["password", "token"])
async def test_attacker_at_starttls(
    certificate: Certificate,
    script: Callable[[Peer], Awaitable[None]],
    error: type[ImapError],
    credentials: dict[str, object],
) -> None:
    """The connection ends with the right error, and no credentials are sent."""
    async with ScriptedServer(script) as server:
        result = await refused(
            server.port,
            security=Security.STARTTLS,
            ssl_context=certificate.client_context(),
            **credentials,
        )
        received = b"\n".join(server.peers[0].received)
    assert type(result) is error
    assert not any(secret in received for secret in SECRETS)
    if isinstance(result, CommandRefused):
        assert str(result) == "STARTTLS: NO STARTTLS failed: Permission denied"


@pytest.mark.parametrize("credentials", CREDENTIALS, ids=["password", "token"])
async def test_logindisabled_without_tls(
    credentials: dict[str, object],
) -> None:
    """LOGINDISABLED is respected even if the user chose no TLS."""
    capabilities = b"IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 LOGINDISABLED"

    async def script(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY %b] ready" % capabilities)
        peer.received.append(await peer.until_closed())

    async with ScriptedServer(script) as server:
        assert type(await refused(server.port, **credentials)) is LoginDisabled
        received = b"\n".join(server.peers[0].received)
    assert not any(secret in received for secret in SECRETS)


async def test_data_before_tls_is_discarded(certificate: Certificate) -> None:
    """Alerts, unsolicited data and capabilities from before TLS are discarded."""
    alerts: list[str] = []

    async def script(peer: Peer) -> None:
        peer.say(
            *(b"* OK [ALERT] call %d" % number for number in range(MAX_ALERTS)),
            b"* 7 EXISTS",
            b"* CAPABILITY IMAP4rev1 STARTTLS AUTH=FAKE",
        )
        await peer.answer("STARTTLS")
        await peer.start_tls(certificate.server_context())
        peer.say(b"* OK [ALERT] the disk is full")
        await peer.answer("CAPABILITY", b"* CAPABILITY IMAP4rev1")
        await peer.until_closed()

    async with ScriptedServer(script) as server:
        connection = await Connection.open(
            account(
                server.port,
                host="localhost",
                security=Security.STARTTLS,
                ssl_context=certificate.client_context(),
            ),
            alerts.append,
        )
        assert connection.capabilities == {"IMAP4REV1"}
        assert not connection.selected.exists
        connection.abort()
    assert alerts == ["the disk is full"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("is_trusted", [True, False], ids=["trusted", "changed"])
async def test_alert_in_the_greeting(
    certificate: Certificate, version: ssl.TLSVersion, is_trusted: bool
) -> None:
    """An alert that arrives with the handshake is delivered if the certificate is accepted."""
    alerts: list[str] = []
    writers: list[asyncio.StreamWriter] = []

    def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # This is sent together with the end of the handshake.
        writer.write(b"* OK [ALERT] the disk is full\r\n")
        writer.write(b"* CAPABILITY IMAP4rev1\r\n")
        writers.append(writer)

    context = certificate.server_context()
    context.maximum_version = version
    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=context)
    opening = Connection.open(
        account(
            server.sockets[0].getsockname()[1],
            security=Security.TLS,
            fingerprint=certificate.fingerprint if is_trusted else "another",
        ),
        alerts.append,
    )
    if is_trusted:
        (await opening).abort()
    else:
        with pytest.raises(CertificateChanged):
            await opening
    for writer in writers:
        writer.transport.abort()
    server.close()
    assert len(alerts) == is_trusted


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        ({}, None),
        ({"expired": True}, CertificateProblem.EXPIRED),
        ({"host": "other.example"}, CertificateProblem.WRONG_HOST),
        ({"self_signed": True}, CertificateProblem.UNTRUSTED),
    ],
    ids=["good", "expired", "wrong host", "self-signed"],
)
@pytest.mark.parametrize("security", ENCRYPTED)
async def test_fetch_certificate(
    tmp_path: Path,
    made: dict[str, object],
    problem: CertificateProblem | None,
    security: Security,
) -> None:
    """The certificate and its problem are returned, and no credentials are sent."""
    shown = make_certificate(tmp_path, **made)  # type: ignore[arg-type]
    async with Server(security, shown.server_context()) as server:
        fetched = await fetch_certificate(
            account(
                server.port,
                host="localhost",
                security=security,
                ssl_context=shown.client_context(),
                fingerprint="of another one",
            )
        )
    host = made.get("host", "localhost")
    assert fetched.fingerprint == shown.fingerprint
    assert fetched.problem is problem
    assert fetched.subject == host
    assert fetched.issuer == (host if "self_signed" in made else "IMAP Push test CA")
    assert fetched.not_after is not None
    assert (fetched.not_after < datetime.now(UTC)) == ("expired" in made)
    assert not any(secret in server.received for secret in SECRETS)


def _odd_certificate(
    folder: Path, certificate: Certificate, *names: str
) -> Certificate:
    """Write a self-signed certificate with these common names."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text) for text in names])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2026, 1, 1))
        .not_valid_after(datetime(2076, 1, 1))
        .sign(key, hashes.SHA256())
    )
    cert, private = folder / "odd.pem", folder / "odd-key.pem"
    pem = serialization.Encoding.PEM
    cert.write_bytes(signed.public_bytes(pem))
    private.write_bytes(
        key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return Certificate(certificate.ca, cert, private)


@pytest.mark.parametrize(
    ("names", "shown"),
    [((), ""), (("<b>a\n\x1b[1m|{x}", "second"), "ba1mx"), (("ü" * 32,), "ü" * 32)],
    ids=["none", "hostile", "not ASCII"],
)
async def test_unusual_common_name(
    tmp_path: Path, certificate: Certificate, names: tuple[str, ...], shown: str
) -> None:
    """Characters that could be markup or control codes are removed."""
    odd = _odd_certificate(tmp_path, certificate, *names)
    async with Server(Security.TLS, odd.server_context()) as server:
        fetched = await fetch_certificate(
            account(
                server.port,
                host="localhost",
                security=Security.TLS,
                ssl_context=certificate.client_context(),
            )
        )
    assert (fetched.subject, fetched.issuer) == (shown, shown)
    assert fetched.problem is CertificateProblem.UNTRUSTED


@pytest.mark.parametrize("kind", ["no DER", "a name that is no string"])
def test_malformed_certificate(certificate: Certificate, kind: str) -> None:
    """A certificate that cannot be parsed still has a fingerprint."""
    octets = ssl.PEM_cert_to_DER_cert(certificate.cert.read_text())
    utf8, bits = b"\x0c\x09localhost", b"\x03\x09localhost"
    assert utf8 in octets
    octets = b"no DER" if kind == "no DER" else octets.replace(utf8, bits)
    described = certificate_module._describe(octets, None)
    assert (described.subject, described.issuer, described.not_after) == ("", "", None)
    assert len(described.fingerprint) == 64


async def test_no_certificate_to_fetch(certificate: Certificate) -> None:
    """Fetching a certificate raises the error of the port."""

    async def pop3(peer: Peer) -> None:
        peer.say(b"+OK POP3 ready")
        await peer.until_closed()

    with pytest.raises(TlsError):
        await fetch_certificate(account(1))
    context = certificate.server_context()
    async with ScriptedServer(pop3, context=context) as server:
        with pytest.raises(NotImap):
            await fetch_certificate(
                account(
                    server.port,
                    host="localhost",
                    security=Security.TLS,
                    ssl_context=certificate.client_context(),
                )
            )
