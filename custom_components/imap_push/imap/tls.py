"""TLS over a connected socket, with buffers no larger than a TLS record."""

import asyncio
from asyncio.sslproto import SSLProtocol
import socket
import ssl

from .models import Account


class _SmallSslProtocol(SSLProtocol):
    """asyncio's TLS, which takes a buffer of 256 KB for each connection, with a small one.

    A TLS record has 16 KB at the most (RFC 8446 5.1). Less is parsed in one go, too.
    """

    max_size = 16_384


async def connect_tls(
    protocol: asyncio.Protocol,
    connected: socket.socket,
    account: Account,
    context: ssl.SSLContext,
) -> None:
    """Shake hands; then the protocol has its transport. Raises what asyncio's TLS raises."""
    loop = asyncio.get_running_loop()
    shaken = loop.create_future()
    tls = _SmallSslProtocol(
        loop, protocol, context, shaken, server_hostname=account.host
    )
    transport, _ = await loop.create_connection(lambda: tls, sock=connected)
    try:
        await shaken
    except BaseException:
        transport.abort()
        raise
