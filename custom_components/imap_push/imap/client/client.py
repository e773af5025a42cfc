"""The account's command connection: does what a user asks, and never disturbs the push."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from ..errors import CriteriaRefused
from ..mime.attachments import describe
from ..mime.budget import Budget
from ..mime.preview import ACTION_OCTETS, TextRequest
from ..mime.transfer_encoding import Decoder, decoder_for
from ..models import (
    Account,
    Attachment,
    Criteria,
    FolderInfo,
    Mail,
    MessageContent,
    SearchCount,
    SearchResult,
    StoreResult,
)
from ..session.fetch import (
    PIECE,
    fetch_content,
    fetch_mails,
    fetch_part,
    fetch_part_to_decode,
    fetch_piece,
)
from ..session.fetch_items import SLICE
from ..session.list import list_folders
from ..session.search import count, search
from ..session.store import delete, move, set_flags
from .persistent_session import PersistentSession


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
        self._kept = PersistentSession(account, on_alert)

    def do_without_pipelining(self) -> None:
        """Send one command at a time on new connections: the server stands no more."""
        self._kept.do_without_pipelining()

    async def close(self) -> None:
        """Log out; nothing may be asked any more."""
        await self._kept.close()

    async def folders(self) -> list[FolderInfo]:
        """Return the folders that can be opened, INBOX first, then by name."""
        return await self._kept.do(list_folders)

    async def search(
        self, folder: str, criteria: Criteria, *, limit: int
    ) -> SearchResult:
        """Return the newest mails of a folder that match; raise CriteriaRefused."""
        return await self._kept.do(search, folder, criteria, limit)

    async def count(
        self,
        folder: str,
        searches: Sequence[Criteria],
        among: Sequence[int] = (),
    ) -> list[SearchCount | CriteriaRefused]:
        """Return for each search how many mails match, and which of the UIDs `among` do.

        All goes out together. Of a search that is refused the refusal is returned, so that it
        does the others no harm. Of more than 500 `among` the highest are looked at.
        """
        return await self._kept.do(count, folder, searches, among)

    async def mails(
        self, folder: str, uid_validity: int, uids: Sequence[int]
    ) -> list[Mail]:
        """Return the mails of these UIDs that are there, in the order in which they are asked for.

        Only the first 500 are looked at.
        """
        return await self._kept.do(fetch_mails, folder, uid_validity, uids)

    async def content(
        self,
        folder: str,
        uid_validity: int,
        uid: int,
        *,
        text_size: int,
        links: bool = False,
        html: bool = False,
        part: str | None = None,
    ) -> MessageContent:
        """Return a mail, its header and at most so many characters of its text.

        `links` adds link targets and descriptions of images to the text. `html`: with the source
        of its HTML. `part`: with the text of this part instead; raise PartNotFound.
        """
        request = TextRequest(text_size, links, ACTION_OCTETS)
        return await self._kept.do(
            fetch_content, folder, uid_validity, uid, request, html=html, number=part
        )

    async def attachment(
        self, folder: str, uid_validity: int, uid: int, part: str
    ) -> Attachment:
        """Return what is known of a part of a mail; raise PartNotFound."""
        found = await self._kept.do(fetch_part, folder, uid_validity, uid, part)
        return describe(found, Budget())

    async def read_part(
        self, folder: str, uid_validity: int, uid: int, part: str
    ) -> AsyncIterator[bytes]:
        """Yield the decoded content of a part piece by piece, each a request of its own."""
        found = await self._kept.do(
            fetch_part_to_decode, folder, uid_validity, uid, part
        )
        decoder = decoder_for(found.encoding)
        start = 0
        piece = b""
        while not start or len(piece) == PIECE:
            piece = await self._kept.do(
                fetch_piece, folder, uid_validity, uid, part, start
            )
            start += PIECE
            if decoded := await _decode(decoder, piece):
                yield decoded
        if rest := decoder.end():
            yield rest

    async def set_flags(
        self,
        folder: str,
        uid_validity: int,
        uids: Sequence[int],
        *,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
    ) -> StoreResult:
        """Add and remove flags and keywords (RFC 3501 2.3.2); raise FlagRefused."""
        return await self._kept.do(set_flags, folder, uid_validity, uids, add, remove)

    async def move(
        self, folder: str, uid_validity: int, uids: Sequence[int], to: str
    ) -> StoreResult:
        """Move mails to another folder; raise Unsupported if other mail could be hit."""
        return await self._kept.do(move, folder, uid_validity, uids, to)

    async def delete(
        self,
        folder: str,
        uid_validity: int,
        uids: Sequence[int],
        *,
        permanently: bool = False,
    ) -> StoreResult:
        """Move mails to Trash, or remove them for ever if asked; raise Unsupported without Trash."""
        return await self._kept.do(
            delete, folder, uid_validity, uids, permanently=permanently
        )


async def _decode(decoder: Decoder, piece: bytes) -> bytes:
    """Decode a piece of a part with pauses for the event loop."""
    decoded: list[bytes] = []
    for start in range(0, len(piece), SLICE):
        decoded.append(decoder.decode(piece[start : start + SLICE]))
        await asyncio.sleep(0)
    return b"".join(decoded)
