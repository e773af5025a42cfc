"""Servers that nobody told of, under the names and ports that are usual."""

import ssl
from typing import Final

from ..models import Account, Security
from ..wire.connection import Connection
from .address import MailAddress
from .models import Server
from .ranked import ask

DEADLINE: Final = 4.0  # seconds

_PREFIXES: Final = ("imap.", "mail.", "")
_PORTS: Final = ((993, Security.TLS), (143, Security.STARTTLS))


async def guess_server(
    address: MailAddress, ssl_context: ssl.SSLContext
) -> Server | None:
    """Return the best server that answers with a valid certificate; nobody logs in.

    A domain can name any address, so servers in the user's own network are not contacted.
    """
    servers = [
        Server(
            host=prefix + address.domain,
            port=port,
            security=security,
            username=str(address),
        )
        for port, security in _PORTS
        for prefix in _PREFIXES
    ]
    tries = [_try(server, ssl_context) for server in servers]
    return next(iter(await ask(tries, lambda _: True, DEADLINE)), None)


async def _try(server: Server, ssl_context: ssl.SSLContext) -> Server:
    """Connect, encrypt and take the greeting; raise an ImapError."""
    account = Account(
        host=server.host,
        port=server.port,
        security=server.security,
        username="",
        password="",
        ssl_context=ssl_context,
    )
    connection = await Connection.open(account, public_only=True)
    connection.abort()
    return server
