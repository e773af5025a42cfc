"""How long to stay away from a server that did not keep us."""

import random
from typing import Final

# Seconds
BASE: Final = 1.0
LIMIT: Final = 300.0
STABLE_LIFE: Final = 300.0
# Above this limit the wait is at least three quarters of it: luck must not make a storm.
CALM: Final = 60.0


class Backoff:
    """How long to stay away: 0, then up to 1 s, doubling to 5 minutes, with jitter.

    Only a connection that survived resets it: a server that takes logins and drops them at
    once would otherwise be stormed.
    """

    def __init__(self) -> None:
        """Start as if all had been well."""
        self._failures = 0

    def delay(self, lived: float) -> float:
        """Return the seconds to wait after a connection that lived so many seconds."""
        if lived >= STABLE_LIFE:
            self._failures = 0
        self._failures += 1
        if self._failures == 1:
            return 0.0
        limit = min(LIMIT, BASE * 2 ** min(self._failures - 2, 16))
        return random.uniform(limit * 0.75 if limit > CALM else 0, limit)
