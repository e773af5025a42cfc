"""Free ports on the loopback interface."""

import asyncio
import itertools
import os
import socket
from typing import Final

LOOPBACK: Final = "127.0.0.1"

# Below the ports that systems give to outgoing connections, so that none of these takes
# a port between our choice and the start of a server. Processes that test at the same
# time have numbers close to each other, and so choose from other ports.
_FIRST: Final = 20_000
_PORTS_PER_PROCESS: Final = 100
_PROCESSES: Final = 120
_first = _FIRST + os.getpid() % _PROCESSES * _PORTS_PER_PROCESS
_candidates: Final = itertools.cycle(range(_first, _first + _PORTS_PER_PROCESS))


def free_port() -> int:
    """Return a TCP port that nothing listens on, and that was not returned lately."""
    return next(port for port in _candidates if _is_free(port))


def listening_port(server: asyncio.Server | None) -> int:
    """Return the port on which a server listens that was started."""
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
