"""What makes a distant server out of a near one."""

import asyncio
from collections.abc import Awaitable, Callable
import time
from typing import Final

# Bounds what waits where a client is slower than its server.
MOST_CHUNKS: Final = 1024


class DelayLine:
    """Hands chunks on in order, each so many seconds after it came.

    Chunks wait side by side, as they travel on a wire: one that comes while another one
    waits is not held back for both. An empty chunk is the end.
    """

    def __init__(
        self,
        delay: Callable[[], float],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Ask for the delay whenever a chunk comes: it may change."""
        self._delay = delay
        self._clock = clock
        self._sleep = sleep
        self._chunks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(MOST_CHUNKS)

    async def put(self, chunk: bytes) -> None:
        """Take a chunk that came now."""
        await self._chunks.put((self._clock() + self._delay(), chunk))

    async def get(self) -> bytes:
        """Return the next chunk when it is due."""
        due, chunk = await self._chunks.get()
        if (seconds := due - self._clock()) > 0:
            await self._sleep(seconds)
        return chunk
