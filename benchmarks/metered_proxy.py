"""A proxy that records whether client or server sent first, and when."""

import time
from typing import override

from tests.rig.proxy import Proxy


class MeteredProxy(Proxy):
    """Records when the server announced new mail, and whether the client sent a command first."""

    sent_at: float | None = None
    has_polled = False

    def forget(self) -> None:
        """Record the next data from here on."""
        self.sent_at = None
        self.has_polled = False

    @override
    def _note_up(self, chunk: bytes) -> None:
        super()._note_up(chunk)
        if self.sent_at is None:
            self.has_polled = True

    @override
    def _note_down(self, chunk: bytes) -> None:
        super()._note_down(chunk)
        if self.sent_at is None:
            self.sent_at = time.monotonic()
