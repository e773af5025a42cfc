"""Transports, plain and with TLS, that read at most one TLS record at a time.

TLS version and certificate are checked after the handshake, before anything else is sent.
"""

import asyncio
from collections.abc import Iterator
import contextlib
import functools
import hashlib
import hmac
import socket
import ssl
from typing import TYPE_CHECKING, Final, override

from ..errors import (
    CannotConnect,
    CertificateChanged,
    CertificateError,
    CertificateProblem,
    TlsError,
    TlsNotSpoken,
    TlsTooOld,
)

if TYPE_CHECKING:
    from asyncio.sslproto import SSLProtocol
else:
    try:
        from asyncio.sslproto import SSLProtocol
    except ImportError:
        # Not a public name. Without it TLS works with the public functions of asyncio.
        SSLProtocol = object

# Octets (RFC 8446 5.1). asyncio reads 256 KB at a time; small reads bound what is parsed before
# the event loop runs other tasks.
RECORD: Final = 16_384

_KEPT: Final = 512  # octets of the first read

_SAFE_VERSIONS: Final = frozenset({"TLSv1.2", "TLSv1.3"})

# OpenSSL's verification results (X509_V_ERR_*), as SSLCertVerificationError.verify_code.
_PROBLEMS: Final = {
    9: CertificateProblem.NOT_YET_VALID,
    10: CertificateProblem.EXPIRED,
    62: CertificateProblem.WRONG_HOST,
    64: CertificateProblem.WRONG_HOST,
}
# OpenSSL's reasons when the peer does not speak TLS at all.
_NOT_TLS: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST"}
)
# OpenSSL's reasons when the peer supports no TLS version that we allow.
_TOO_OLD: Final = frozenset(
    {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE"}
)


class SmallBufferSSLProtocol(SSLProtocol):
    """asyncio's TLS protocol with a read buffer of one record, only while it reads.

    asyncio keeps a buffer of 256 KB for each connection.
    """

    max_size = RECORD
    first_octets = b""  # that were received
    _view: memoryview | None = None

    @override
    def get_buffer(self, n: int) -> memoryview:
        """Return the buffer for the next read."""
        self._view = super().get_buffer(n)
        return self._view

    @override
    def buffer_updated(self, nbytes: int) -> None:
        """Process a read, then drop the buffer; keep the beginning of the first read."""
        if not self.first_octets and self._view is not None:
            self.first_octets = bytes(self._view[: min(nbytes, _KEPT)])
        super().buffer_updated(nbytes)
        self.drop_buffer()

    def drop_buffer(self) -> None:
        """Free the buffer; `get_buffer` allocates another one."""
        self._ssl_buffer = bytearray()
        self._ssl_buffer_view = memoryview(self._ssl_buffer)
        self._view = None


class _EarlyData(asyncio.Protocol):
    """Keeps what arrives after the handshake and before `loop.start_tls` returns."""

    def __init__(self) -> None:
        self.octets = b""
        self.is_lost = False

    @override
    def data_received(self, data: bytes) -> None:
        self.octets += data

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True


async def connect_plain(protocol: asyncio.Protocol, connected: socket.socket) -> None:
    """Give the protocol a transport without TLS."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_connection(lambda: protocol, sock=connected)
    if hasattr(transport, "max_size"):
        transport.max_size = RECORD


async def connect_tls(
    protocol: asyncio.Protocol,
    connected: socket.socket,
    context: ssl.SSLContext,
    host: str,
) -> None:
    """Do the handshake and give the protocol a transport; raise what asyncio's TLS raises."""
    loop = asyncio.get_running_loop()
    handshake = loop.create_future()
    tls = _small_buffer_protocol(protocol, context, host, handshake)
    if tls is None:
        await loop.create_connection(
            lambda: protocol, sock=connected, ssl=context, server_hostname=host
        )
        return
    transport, _ = await loop.create_connection(lambda: tls, sock=connected)
    await _wait_for_handshake(handshake, transport)


async def start_tls(
    protocol: asyncio.Protocol,
    transport: asyncio.Transport,
    context: ssl.SSLContext,
    host: str,
) -> None:
    """Do the handshake over a plain transport and give the protocol a new one, with TLS.

    Unlike `loop.start_tls`, this calls `connection_made` before the first data.
    """
    loop = asyncio.get_running_loop()
    handshake = loop.create_future()
    tls = _small_buffer_protocol(protocol, context, host, handshake)
    if tls is not None:
        transport.set_protocol(tls)
        tls.connection_made(transport)
        try:
            await _wait_for_handshake(handshake, transport)
        except ssl.SSLError as error:
            failure = _tls_error(error)
            if isinstance(failure, TlsNotSpoken):
                failure.plain_text = tls.first_octets
            raise failure from error
        return
    early = _EarlyData()
    encrypted = await loop.start_tls(transport, early, context, server_hostname=host)
    if encrypted is None or early.is_lost:
        raise ConnectionError("closed after the handshake")
    encrypted.set_protocol(protocol)
    protocol.connection_made(encrypted)
    if early.octets:
        protocol.data_received(early.octets)


def _small_buffer_protocol(
    protocol: asyncio.Protocol,
    context: ssl.SSLContext,
    host: str,
    handshake: asyncio.Future[None],
) -> SmallBufferSSLProtocol | None:
    """Return the TLS protocol for one connection, or None if asyncio.sslproto has changed.

    The caller then uses the public functions of asyncio, which need more memory. Nothing has been
    sent yet. If the arguments caused the error, these functions raise it again.
    """
    loop = asyncio.get_running_loop()
    try:
        tls = SmallBufferSSLProtocol(
            loop, protocol, context, handshake, server_hostname=host
        )
        # Otherwise the buffers of many connections that start together leave holes in the heap.
        tls.drop_buffer()
        # All that arrives while reading is paused is delivered in one piece afterwards.
        tls._app_transport.set_read_buffer_limits(2 * RECORD)  # noqa: SLF001
    except AttributeError, TypeError:
        return None
    return tls


async def _wait_for_handshake(
    handshake: asyncio.Future[None], transport: asyncio.Transport
) -> None:
    try:
        await handshake
    except BaseException:
        transport.abort()
        raise


@functools.cache
def unverified_context() -> ssl.SSLContext:
    """Return a context that accepts any certificate; it reads nothing from the disk."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def certificate_of(transport: asyncio.BaseTransport) -> bytes:
    """Return the server's certificate (DER); b"" without TLS."""
    tls = transport.get_extra_info("ssl_object")
    return (tls.getpeercert(binary_form=True) or b"") if tls else b""


def fingerprint_of(certificate: bytes) -> str:
    """Return the SHA-256 of a certificate (DER), in hex."""
    return hashlib.sha256(certificate).hexdigest()


def check_version_and_pin(
    transport: asyncio.BaseTransport, fingerprint: str | None
) -> None:
    """Raise TlsTooOld or CertificateChanged if the connection must not be used.

    The version is checked here because the account's context may allow any.
    """
    version = transport.get_extra_info("ssl_object").version()
    if version not in _SAFE_VERSIONS:
        raise TlsTooOld(f"the server speaks {version}")
    if fingerprint is None:
        return
    seen = fingerprint_of(certificate_of(transport))
    expected = fingerprint.replace(":", "").casefold()
    if not hmac.compare_digest(seen.encode(), expected.encode()):
        raise CertificateChanged(seen)


@contextlib.contextmanager
def map_tls_errors() -> Iterator[None]:
    """Convert the errors of `connect_plain`, `connect_tls` and `start_tls` into ImapErrors."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise _tls_error(error) from error


def _tls_error(error: Exception) -> CannotConnect:
    match error:
        case ssl.SSLCertVerificationError():
            problem = _PROBLEMS.get(error.verify_code, CertificateProblem.UNTRUSTED)
            return CertificateError(problem, error.verify_message)
        case ssl.SSLError() if error.reason in _NOT_TLS:
            return TlsNotSpoken("the server does not speak TLS at this port")
        case ssl.SSLError() if error.reason in _TOO_OLD:
            return TlsTooOld("the server supports no TLS version that is still safe")
        case ssl.SSLError():
            return TlsError(error.reason or str(error))
        case TimeoutError():
            # Not ConnectTimeout: a server that accepts connections is not retried as often
            # as one that cannot be reached.
            return TlsError("no handshake in time")
        case ConnectionError():
            return TlsError("the server closed the connection during the handshake")
        case _:
            return CannotConnect(str(error))
