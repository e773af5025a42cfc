"""Reset connections, as a broken network does."""

from asyncio import StreamWriter, WriteTransport
import socket
import struct
from typing import Final

# With a linger time of zero, closing sends RST instead of FIN.
NO_LINGER: Final = struct.pack("ii", 1, 0)


def reset(writer: StreamWriter) -> None:
    """Send RST; unsent data is lost."""
    reset_transport(writer.transport)


def reset_transport(transport: WriteTransport) -> None:
    """Send RST on a transport."""
    # None if TLS has closed the connection.
    connection: socket.socket | None = transport.get_extra_info("socket")
    if connection is not None and connection.fileno() != -1:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    transport.abort()
