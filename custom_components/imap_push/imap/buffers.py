"""Small read buffers, so that a hundred quiet connections cost little."""

import asyncio
from typing import Any, Final

# Octets that are read at a time: a TLS record is no larger (RFC 8446 5.1).
PIECE: Final = 16_384


def use_small_buffers(transport: asyncio.BaseTransport) -> None:
    """Read pieces of 16 KB in place of 256 KB, and keep no larger buffer for that.

    asyncio gives each TLS connection a buffer of 256 KB for ever, and has no setting for it;
    small pieces also keep the event loop free between them. Where asyncio's inside is not that
    of Python 3.14 any more, nothing happens.
    """
    tls: Any = getattr(transport, "_ssl_protocol", None)
    if tls is None:
        if hasattr(transport, "max_size"):
            transport.max_size = PIECE
    elif hasattr(tls, "max_size") and hasattr(tls, "_ssl_buffer_view"):
        tls.max_size = PIECE
        tls._ssl_buffer = bytearray(PIECE)  # noqa: SLF001
        tls._ssl_buffer_view = memoryview(tls._ssl_buffer)  # noqa: SLF001
