"""A queue that simulates network latency."""

import asyncio
from collections.abc import Awaitable, Callable
import time
from typing import Final

# Limit for a client that is slower than its server.
MAX_CHUNKS: Final = 1024


class DelayLine:
    """Returns chunks in order, each `delay` seconds after it was put in.

    The delays overlap, as on a network: a chunk does not wait longer because of the chunks
    before it. An empty chunk marks the end.
    """

    def __init__(
        self,
        delay: Callable[[], float],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Call `delay` for each chunk, so that it can change."""
        self._delay = delay
        self._clock = clock
        self._sleep = sleep
        self._chunks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(MAX_CHUNKS)

    async def put(self, chunk: bytes) -> None:
        """Add a chunk that arrives now."""
        await self._chunks.put((self._clock() + self._delay(), chunk))

    async def get(self) -> bytes:
        """Return the next chunk when it is due."""
        due, chunk = await self._chunks.get()
        if (seconds := due - self._clock()) > 0:
            await self._sleep(seconds)
        return chunk
