"""Who is told what a watcher sees."""

from typing import Protocol

from ..models import AccountState, Arrival
from ..session.mark import Mark


class Listener(Protocol):
    """Who is told what a watcher sees."""

    def state_changed(self, state: AccountState) -> None:
        """Take the account's new state."""

    async def mail_arrived(self, arrival: Arrival) -> None:
        """Take one new mail; the mark moves past it when this returns."""

    def mark_moved(self, folder: str, mark: Mark) -> None:
        """Keep the mark: a later watcher is to start from it."""

    def login_refused(self) -> None:
        """Ask for new credentials; the watcher tries no further login."""

    def alerted(self, text: str) -> None:
        """Tell the user what the server wants them to know (RFC 3501 ALERT)."""

    def pipelining_failed(self) -> None:
        """Keep that the server does not stand several commands in one write."""
