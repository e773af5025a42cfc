"""Free ports on the loopback interface."""

import asyncio
import socket
from typing import Final

LOOPBACK: Final = "127.0.0.1"


def free_port() -> int:
    """Return a TCP port that nothing listened on a moment ago."""
    with socket.create_server((LOOPBACK, 0)) as server:
        port: int = server.getsockname()[1]
        return port


def listening_port(server: asyncio.Server | None) -> int:
    """Return the port on which a server listens that was started."""
    assert server is not None, "not started"
    port: int = server.sockets[0].getsockname()[1]
    return port
