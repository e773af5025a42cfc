"""A proxy that also remembers who spoke first, and when the client heard of news."""

import time
from typing import override

from tests.rig.proxy import Proxy


class MeteredProxy(Proxy):
    """Knows whether the server told the client of news, or the client asked."""

    heard: float | None = None
    has_asked = False

    def forget(self) -> None:
        """Wait for news from now on."""
        self.heard = None
        self.has_asked = False

    @override
    def _note_up(self, chunk: bytes) -> None:
        super()._note_up(chunk)
        if self.heard is None:
            self.has_asked = True

    @override
    def _note_down(self, chunk: bytes) -> None:
        super()._note_down(chunk)
        if self.heard is None:
            self.heard = time.monotonic()
