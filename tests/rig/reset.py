"""End a connection as a broken network does."""

from asyncio import StreamWriter
import socket
import struct
from typing import Final

# With a linger time of zero, closing sends RST where it would have sent FIN.
NO_LINGER: Final = struct.pack("ii", 1, 0)


def reset(writer: StreamWriter) -> None:
    """Send RST at once; what was not yet sent is lost."""
    connection: socket.socket = writer.get_extra_info("socket")
    if connection.fileno() != -1:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    writer.transport.abort()
