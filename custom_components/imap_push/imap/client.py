"""The account's command connection: does what a user asks, and never disturbs the push."""

from collections.abc import AsyncIterator, Callable, Sequence

from .errors import CriteriaRefused
from .models import (
    Account,
    Attachment,
    Content,
    Counted,
    Criteria,
    Done,
    FolderInfo,
    Found,
    Mail,
)


class Client:
    """Does one request after another on a connection that is kept while it is used.

    Every request raises an ImapError. Those about mails name them by UID, and raise
    FolderRenumbered if the folder has another UIDVALIDITY than the one that comes with them,
    MailNotFound if none of them is there any more.
    """

    def __init__(
        self, account: Account, on_alert: Callable[[str], None] | None = None
    ) -> None:
        """Connect only when something is asked."""
        self._account = account
        self._on_alert = on_alert

    async def close(self) -> None:
        """Log out; nothing may be asked any more."""

    async def folders(self) -> list[FolderInfo]:
        """Return the folders that can be opened, INBOX first, then by name."""
        raise NotImplementedError

    async def search(self, folder: str, criteria: Criteria, *, limit: int) -> Found:
        """Return the newest mails of a folder that match; raise CriteriaRefused."""
        raise NotImplementedError

    async def count(
        self,
        folder: str,
        searches: Sequence[Criteria],
        among: Sequence[int] = (),
    ) -> list[Counted | CriteriaRefused]:
        """Return for each search how many mails match, and which of the UIDs `among` do.

        All goes out in one write. Of a search that is refused the refusal is returned, so that
        it does the others no harm. Of more than 500 `among` the highest are looked at.
        """
        raise NotImplementedError

    async def mails(
        self, folder: str, uid_validity: int, uids: Sequence[int]
    ) -> list[Mail]:
        """Return the mails of these UIDs that are there, in the order in which they are asked for."""
        raise NotImplementedError

    async def content(
        self, folder: str, uid_validity: int, uid: int, *, text_size: int
    ) -> Content:
        """Return a mail, its header and at most so many characters of its text."""
        raise NotImplementedError

    async def attachment(
        self, folder: str, uid_validity: int, uid: int, part: str
    ) -> Attachment:
        """Return what is known of a part of a mail; raise PartNotFound."""
        raise NotImplementedError

    def read_part(
        self, folder: str, uid_validity: int, uid: int, part: str
    ) -> AsyncIterator[bytes]:
        """Yield the decoded content of a part piece by piece, each a request of its own."""
        raise NotImplementedError

    async def set_flags(
        self,
        folder: str,
        uid_validity: int,
        uids: Sequence[int],
        *,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
    ) -> Done:
        """Add and remove flags and keywords (RFC 3501 2.3.2)."""
        raise NotImplementedError

    async def move(
        self, folder: str, uid_validity: int, uids: Sequence[int], to: str
    ) -> Done:
        """Move mails to another folder; raise Unsupported if other mail could be hit."""
        raise NotImplementedError

    async def delete(
        self,
        folder: str,
        uid_validity: int,
        uids: Sequence[int],
        *,
        permanently: bool = False,
    ) -> Done:
        """Move mails to Trash, or remove them for ever if asked; raise Unsupported without Trash."""
        raise NotImplementedError
