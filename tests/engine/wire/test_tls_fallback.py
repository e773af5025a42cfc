"""TLS when a new Python changes `asyncio.sslproto`, whose names are not public."""

import asyncio
import importlib.util
from pathlib import Path
import ssl
import sys
from types import ModuleType

import pytest

from custom_components.imap_push.imap import (
    CertificateError,
    PlainTextInjected,
    Security,
    TlsNotSpoken,
    check_account,
)
from custom_components.imap_push.imap.wire import tls as tls_module
from custom_components.imap_push.imap.wire.connection import Connection

from ..conftest import account
from ..scripted import CAPABILITIES, Peer, ScriptedServer

from tests.rig.certificate import Certificate, make_certificate

SECURITIES = [Security.TLS, Security.STARTTLS]
TLS_VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


class _OtherConstructor:
    """A TLS protocol with other constructor parameters."""

    def __init__(self, loop: object, *, ssl_context: ssl.SSLContext) -> None:
        raise AssertionError("must not be called")


class _OtherTransport:
    """A TLS protocol that creates its transport later."""

    def __init__(self, *_args: object, **_kwargs: object) -> None:
        """Accept the parameters of today."""


def _import_without_name(monkeypatch: pytest.MonkeyPatch) -> type:
    """Return the class of a copy of tls.py, imported where asyncio.sslproto has no SSLProtocol.

    asyncio itself keeps its own reference to the real module.
    """
    empty = ModuleType("asyncio.sslproto")
    monkeypatch.setitem(sys.modules, "asyncio.sslproto", empty)
    spec = importlib.util.spec_from_file_location(
        f"{tls_module.__name__}_copy", tls_module.__file__
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    changed: type = module.SmallBufferSSLProtocol
    assert changed.__base__ is object
    return changed


@pytest.fixture(
    name="_changed_python",
    params=["name removed", "other constructor", "other transport"],
)
def changed_python_fixture(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Change the private part of asyncio that tls.py uses."""
    changed: type = {
        "other constructor": _OtherConstructor,
        "other transport": _OtherTransport,
    }.get(request.param) or _import_without_name(monkeypatch)
    monkeypatch.setattr(tls_module, "SmallBufferSSLProtocol", changed)


@pytest.fixture(name="certificate", scope="module")
def certificate_fixture(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Return a good certificate for localhost."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.mark.usefixtures("_changed_python")
@pytest.mark.parametrize("version", TLS_VERSIONS)
@pytest.mark.parametrize("security", SECURITIES)
async def test_login_without_the_private_protocol(
    certificate: Certificate, security: Security, version: ssl.TLSVersion
) -> None:
    """Log in over TLS and STARTTLS, and check the account, as with the private protocol."""
    context = certificate.server_context()
    context.maximum_version = version
    is_tls = security is Security.TLS

    async def serve(peer: Peer) -> None:
        if is_tls:
            peer.say(b"* OK [CAPABILITY %b] ready" % CAPABILITIES)
        else:
            peer.say(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready")
            await peer.answer("STARTTLS")
            await peer.start_tls(context)
            await peer.answer("CAPABILITY", b"* CAPABILITY " + CAPABILITIES)
        await peer.answer("LOGIN", ok=b"OK [CAPABILITY %b] in" % CAPABILITIES)
        await peer.examine()
        await peer.leave()

    async with ScriptedServer(serve, context=context if is_tls else None) as server:
        capabilities = await check_account(
            account(
                server.port,
                host="localhost",
                security=security,
                ssl_context=certificate.client_context(),
            )
        )
    assert "IDLE" in capabilities


@pytest.mark.usefixtures("_changed_python")
@pytest.mark.parametrize("version", TLS_VERSIONS)
async def test_data_right_after_the_handshake_of_starttls(
    certificate: Certificate, version: ssl.TLSVersion
) -> None:
    """Process responses that arrive before `loop.start_tls` returns, and those only."""
    context = certificate.server_context()
    context.maximum_version = version
    alerts: list[str] = []

    async def serve(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready", b"* OK [ALERT] forged")
        await peer.answer("STARTTLS")
        await peer.start_tls(context)
        peer.say(b"* OK [ALERT] the disk is full")  # With TLS 1.2, in the same segment.
        await peer.answer("CAPABILITY", b"* CAPABILITY IMAP4rev1 IDLE")
        await peer.until_closed()

    async with ScriptedServer(serve) as server:
        connection = await Connection.open(
            account(
                server.port,
                host="localhost",
                security=Security.STARTTLS,
                ssl_context=certificate.client_context(),
            ),
            alerts.append,
        )
        assert connection.capabilities == {"IMAP4REV1", "IDLE"}
        assert connection.is_encrypted
        connection.abort()
    assert alerts == ["the disk is full"]


@pytest.mark.usefixtures("_changed_python")
@pytest.mark.parametrize("security", SECURITIES)
async def test_wrong_certificate_without_the_private_protocol(
    tmp_path: Path, security: Security
) -> None:
    """Refuse a certificate for another host with the same error."""
    bad = make_certificate(tmp_path, host="other.example")
    is_tls = security is Security.TLS

    async def serve(peer: Peer) -> None:
        if not is_tls:
            peer.say(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready")
            await peer.answer("STARTTLS")
            with pytest.raises((OSError, ssl.SSLError)):
                await peer.start_tls(bad.server_context())

    context = bad.server_context() if is_tls else None
    async with ScriptedServer(serve, context=context) as server:
        with pytest.raises(CertificateError):
            await Connection.open(
                account(
                    server.port,
                    host="localhost",
                    security=security,
                    ssl_context=bad.client_context(),
                )
            )


@pytest.mark.usefixtures("_changed_python")
@pytest.mark.parametrize("security", SECURITIES)
async def test_plain_text_instead_of_a_handshake_without_the_private_protocol(
    certificate: Certificate, security: Security
) -> None:
    """End the connection with the same error as with the private protocol."""

    async def serve(peer: Peer) -> None:
        peer.say(b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready")
        if security is Security.STARTTLS:
            await peer.answer("STARTTLS")
            await peer._reader.read(1)  # The client has started its handshake.
            peer.say(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN")
        await peer.until_closed()

    is_tls = security is Security.TLS
    async with ScriptedServer(serve) as server:
        with pytest.raises(TlsNotSpoken if is_tls else PlainTextInjected):
            await Connection.open(
                account(
                    server.port,
                    host="localhost",
                    security=security,
                    ssl_context=certificate.client_context(),
                )
            )


async def test_server_that_closes_right_after_the_handshake(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Raise an error if the connection is lost before `loop.start_tls` returns."""

    async def serve(peer: Peer) -> None:
        await peer._reader.readexactly(1)
        await peer.start_tls(certificate.server_context())
        await peer.until_closed()

    loop = asyncio.get_running_loop()
    start_tls = loop.start_tls

    async def start_tls_and_lose(*args: object, **kwargs: object) -> object:
        encrypted = await start_tls(*args, **kwargs)  # type: ignore[arg-type]
        assert encrypted is not None
        encrypted.abort()
        await asyncio.sleep(0.01)
        return encrypted

    monkeypatch.setattr(tls_module, "SmallBufferSSLProtocol", _OtherTransport)
    monkeypatch.setattr(loop, "start_tls", start_tls_and_lose)
    async with ScriptedServer(serve) as server:
        protocol = asyncio.Protocol()
        transport, _ = await loop.create_connection(
            lambda: protocol, "127.0.0.1", server.port
        )
        transport.write(b"x")
        with pytest.raises(ConnectionError):
            await tls_module.start_tls(
                protocol, transport, certificate.client_context(), "localhost"
            )
