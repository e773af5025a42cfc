"""A token bucket: a burst at once, and so much per second from then on."""

from collections.abc import Callable


class TokenBucket:
    """Counts tokens that are taken; it may be in debt."""

    def __init__(
        self, capacity: float, per_second: float, clock: Callable[[], float]
    ) -> None:
        """Start full; `clock` returns seconds, such as the event loop's time."""
        self._capacity = capacity
        self._per_second = per_second
        self._clock = clock
        self._tokens = capacity
        self._filled_at = clock()

    def take(self, tokens: float) -> float:
        """Take tokens; return the seconds until there is no debt."""
        self._fill()
        self._tokens -= tokens
        return max(0.0, -self._tokens / self._per_second)

    def try_take(self) -> bool:
        """Take one token if there is one; return if there was."""
        self._fill()
        has_one = self._tokens >= 1
        self._tokens -= has_one
        return has_one

    def _fill(self) -> None:
        now = self._clock()
        gained = (now - self._filled_at) * self._per_second
        self._tokens = min(self._capacity, self._tokens + gained)
        self._filled_at = now
