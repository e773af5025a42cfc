"""How folders are watched, what connections share, and the listener they report to."""

from typing import NamedTuple, Protocol

from ..auth.login_limiter import LoginLimiter
from ..models import Account, AccountState, Arrival, Statistics, WatchOptions
from ..session.mark import Mark


class Listener(Protocol):
    """Receives the events of one account. Exceptions are logged and otherwise ignored."""

    def state_changed(self, state: AccountState) -> None:
        """Handle a new state of the account."""

    async def mail_arrived(self, arrival: Arrival) -> None:
        """Handle one new message. The mark moves past it when this returns."""

    def mark_moved(self, folder: str, mark: Mark) -> None:
        """Store the mark from which a later watcher of this folder starts."""

    def login_refused(self) -> None:
        """Request new credentials from the user.

        The watcher does not log in again, except with a token that was not revoked: it tries
        again after a long pause; see `LoginLimiter`.
        """

    def alerted(self, text: str) -> None:
        """Show the text of an ALERT response code to the user (RFC 3501 7.1)."""


class WatchedFolder(NamedTuple):
    """How a folder is watched.

    `mark` is where the watcher starts, None to start with the next message that arrives.
    `text_size` is the maximum number of characters of text in a delivered message, 0 for no
    text. `links` adds link targets and descriptions of images to the text.
    """

    mark: Mark | None = None
    text_size: int = 0
    links: bool = False


class Context(NamedTuple):
    """What the connections of one account share."""

    account: Account
    options: WatchOptions
    listener: Listener
    logins: LoginLimiter
    statistics: Statistics
