"""Transports, plain and with TLS, that read no more at a time than a TLS record holds.

What TLS agreed upon is looked at before anything is sent.
"""

import asyncio
from asyncio.sslproto import SSLProtocol
import functools
import hashlib
import hmac
import socket
import ssl
from typing import Final

from ..errors import CertificateChanged, TlsTooOld

# Octets (RFC 8446 5.1). asyncio reads 256 KB at a time and keeps a buffer of that size for each
# TLS connection; small reads also bound what is parsed before the event loop gets its turn.
RECORD: Final = 16_384


_SAFE: Final = frozenset({"TLSv1.2", "TLSv1.3"})


class _SmallSslProtocol(SSLProtocol):
    """asyncio's TLS with small buffers."""

    max_size = RECORD


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
    """Shake hands and give the protocol a transport; raises what asyncio's TLS raises."""
    loop = asyncio.get_running_loop()
    tls, shaken = _tls(protocol, context, host)
    transport, _ = await loop.create_connection(lambda: tls, sock=connected)
    await _shaken(shaken, transport)


async def start_tls(
    protocol: asyncio.Protocol,
    transport: asyncio.Transport,
    context: ssl.SSLContext,
    host: str,
) -> None:
    """Shake hands on a plain transport and give the protocol another one, as `loop.start_tls`."""
    tls, shaken = _tls(protocol, context, host)
    transport.set_protocol(tls)
    tls.connection_made(transport)
    await _shaken(shaken, transport)


@functools.cache
def unverified_context() -> ssl.SSLContext:
    """Return a context that takes any certificate; making it reads nothing from the disk."""
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


def check_agreed(transport: asyncio.BaseTransport, fingerprint: str | None) -> None:
    """Raise TlsTooOld or CertificateChanged if this is not what may be used.

    The version is looked at here because a context that we are given may allow any.
    """
    version = transport.get_extra_info("ssl_object").version()
    if version not in _SAFE:
        raise TlsTooOld(f"the server speaks {version}")
    if fingerprint is None:
        return
    seen = fingerprint_of(certificate_of(transport))
    wanted = fingerprint.replace(":", "").casefold()
    if not hmac.compare_digest(seen.encode(), wanted.encode()):
        raise CertificateChanged(seen)


def _tls(
    protocol: asyncio.Protocol, context: ssl.SSLContext, host: str
) -> tuple[SSLProtocol, asyncio.Future[None]]:
    """Return the layer between a transport and a protocol, and its handshake."""
    loop = asyncio.get_running_loop()
    shaken = loop.create_future()
    tls = _SmallSslProtocol(loop, protocol, context, shaken, server_hostname=host)
    # All that comes while reading is paused is handed over at once afterwards.
    tls._app_transport.set_read_buffer_limits(2 * RECORD)  # noqa: SLF001
    return tls, shaken


async def _shaken(shaken: asyncio.Future[None], transport: asyncio.Transport) -> None:
    try:
        await shaken
    except BaseException:
        transport.abort()
        raise
