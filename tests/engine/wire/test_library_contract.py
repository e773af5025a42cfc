"""What imap/wire/ relies on in aioimaplib and in private parts of asyncio.

It must be true for each supported version; a new version that changes it fails here.
"""

import asyncio
from asyncio.sslproto import SSLProtocol
import inspect
import socket
import ssl
from unittest.mock import Mock

import aioimaplib
from aioimaplib import LOGOUT, IMAP4ClientProtocol

from custom_components.imap_push.imap.wire import tls


async def test_aioimaplib() -> None:
    """The library's protocol has the parts that our subclass keeps."""
    protocol = IMAP4ClientProtocol(asyncio.get_running_loop())
    assert isinstance(protocol, asyncio.Protocol)
    assert protocol.capabilities == set()
    transport = Mock(spec=asyncio.Transport)
    protocol.connection_made(transport)
    assert protocol.transport is transport
    tags = {protocol.new_tag() for _ in range(1000)}
    assert len(tags) == 1000
    assert all(tag.isascii() and tag.isalnum() for tag in tags)
    assert protocol.state != LOGOUT
    assert aioimaplib.IMAP4ClientProtocol is IMAP4ClientProtocol


async def test_asyncio_sslproto() -> None:
    """The TLS protocol has the parts that SmallBufferSSLProtocol uses.

    Without them TLS still works, but each connection takes 240 KB more: see test_tls_fallback.
    """
    parameters = list(inspect.signature(SSLProtocol).parameters)
    assert parameters[:4] == ["loop", "app_protocol", "sslcontext", "waiter"]
    assert "server_hostname" in parameters
    assert SSLProtocol.max_size > tls.RECORD
    loop = asyncio.get_running_loop()
    context = ssl.create_default_context()
    for protocol_class in (SSLProtocol, tls.SmallBufferSSLProtocol):
        protocol = protocol_class(
            loop,
            asyncio.Protocol(),
            context,
            loop.create_future(),
            server_hostname="localhost",
        )
        assert len(protocol.get_buffer(-1)) == protocol_class.max_size
        transport = protocol._app_transport
        transport.set_read_buffer_limits(2 * tls.RECORD)
        assert max(transport.get_read_buffer_limits()) == 2 * tls.RECORD
    small = tls._small_buffer_protocol(
        asyncio.Protocol(), context, "localhost", loop.create_future()
    )
    assert isinstance(small, tls.SmallBufferSSLProtocol)
    for _ in range(2):
        assert len(small.get_buffer(-1)) == tls.RECORD
        small.buffer_updated(0)
        assert not small._ssl_buffer
        assert small._ssl_buffer_view.obj is small._ssl_buffer


async def test_asyncio_socket_transport() -> None:
    """The plain transport has the read size that `connect_plain` lowers."""
    ours, theirs = socket.socketpair()
    made = asyncio.get_running_loop().create_future()

    class Protocol(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            made.set_result(transport)

    with theirs:
        await tls.connect_plain(Protocol(), ours)
        transport = await made
        assert type(transport).max_size > transport.max_size == tls.RECORD
        transport.abort()
