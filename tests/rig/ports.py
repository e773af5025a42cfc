"""Free ports on the loopback interface."""

import asyncio
import itertools
import os
import socket
from typing import Final

LOOPBACK: Final = "127.0.0.1"

# Below the ports of outgoing connections, so that none of these gets a port between our choice
# and the start of a server. Test processes that run at the same time have neighboring process
# IDs and so choose from different ports.
_FIRST: Final = 20_000
_PORTS_PER_PROCESS: Final = 100
_PROCESSES: Final = 120
_first = _FIRST + os.getpid() % _PROCESSES * _PORTS_PER_PROCESS
_candidates: Final = itertools.cycle(range(_first, _first + _PORTS_PER_PROCESS))


def free_port() -> int:
    """Return a free TCP port that was not returned recently."""
    return next(port for port in _candidates if _is_free(port))


def listening_port(server: asyncio.Server | None) -> int:
    """Return the port on which a started server listens."""
    assert server is not None, "not started"
    port: int = server.sockets[0].getsockname()[1]
    return port


def _is_free(port: int) -> bool:
    """Return whether a server could listen on a port."""
    try:
        with socket.create_server((LOOPBACK, port)):
            return True
    except OSError:
        return False
