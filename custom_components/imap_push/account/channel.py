"""A way on which something reaches all who want it."""

from collections.abc import Callable
import logging

from homeassistant.core import CALLBACK_TYPE, callback

_LOGGER = logging.getLogger(__name__)


class Channel[**P]:
    """Passes things on to its subscribers; one that fails does not harm the others."""

    def __init__(self, what: str) -> None:
        """Name what is passed on, for the log."""
        self._what = what
        self._subscribers: list[Callable[P, None]] = []

    @callback
    def async_subscribe(self, subscriber: Callable[P, None]) -> CALLBACK_TYPE:
        """Call the subscriber from now on; return how to end that."""
        self._subscribers.append(subscriber)

        @callback
        def unsubscribe() -> None:
            self._subscribers.remove(subscriber)

        return unsubscribe

    @callback
    def async_send(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Call all subscribers."""
        for subscriber in tuple(self._subscribers):
            try:
                subscriber(*args, **kwargs)
            except Exception:
                _LOGGER.exception("A subscriber to %s failed", self._what)
