"""Try the usual names and ports of IMAP servers."""

import ssl
from typing import Final

from ..models import Account, Security
from ..wire.connection import Connection
from .address import MailAddress
from .first_answer import gather_until
from .models import Server

DEADLINE_SECONDS: Final = 4.0

_PREFIXES: Final = ("imap.", "mail.", "")
_PORTS: Final = ((993, Security.TLS), (143, Security.STARTTLS))


async def guess_server(
    address: MailAddress, ssl_context: ssl.SSLContext
) -> Server | None:
    """Return the best server that answers with a valid certificate, without a login.

    The names of a domain can have any address. Only public addresses are contacted, so that a
    domain cannot direct connections into the local network.
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
    attempts = [_try_server(server, ssl_context) for server in servers]
    found = await gather_until(attempts, lambda _: True, DEADLINE_SECONDS)
    return found[0] if found else None


async def _try_server(server: Server, ssl_context: ssl.SSLContext) -> Server:
    """Connect, start TLS and read the greeting; return the server or raise an ImapError."""
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
