"""Requests of the user on a separate connection, so that they do not delay new mail."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Concatenate

from ..errors import CriteriaRefused, ImapError
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
from ..session.session import Session
from ..session.store import delete, move, set_flags
from .persistent_session import PersistentSession


class Client:
    """Runs one request at a time on a connection that is closed when it is idle.

    Every request can raise ImapError. Requests with UIDs raise FolderRenumbered if the folder
    has another UIDVALIDITY, and MailNotFound if none of the messages exists.
    """

    def __init__(
        self, account: Account, on_alert: Callable[[str], None] | None = None
    ) -> None:
        """Connect at the first request."""
        self._session = PersistentSession(account, on_alert)

    async def close(self) -> None:
        """Log out. Later requests raise ConnectionLost."""
        await self._session.close()

    async def folders(self) -> list[FolderInfo]:
        """Return the folders that can be opened, INBOX first, then by name."""
        return await self._session.run(list_folders)

    async def search(
        self, folder: str, criteria: Criteria, *, limit: int
    ) -> SearchResult:
        """Return the newest matching messages of a folder; raise CriteriaRefused."""
        return await self._in_folder(search, folder, criteria, limit)

    async def count(
        self,
        folder: str,
        searches: Sequence[Criteria],
        among: Sequence[int] = (),
    ) -> list[SearchCount | CriteriaRefused]:
        """Return for each search the number of matches, and which of the UIDs in `among` match.

        All searches are sent in one write. A refused search returns its refusal, so that the
        other searches succeed. Only the highest 500 of `among` are tested.
        """
        return await self._in_folder(count, folder, searches, among)

    async def mails(
        self,
        folder: str,
        uid_validity: int,
        uids: Sequence[int],
        *,
        text_size: int = 0,
        recipients: bool = False,
    ) -> list[Mail]:
        """Return the messages with these UIDs that exist, in this order, at most 500.

        With at most `text_size` characters of text. `recipients` keeps `Mail.recipients`, which
        takes much memory.
        """
        return await self._in_folder(
            fetch_mails,
            folder,
            uid_validity,
            uids,
            TextRequest(text_size),
            recipients=recipients,
        )

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
        """Return a message, its header and at most `text_size` characters of its text.

        `links` adds link targets and descriptions of images to the text. `html` adds the source
        of the HTML. With `part`, the text is that of this part; raises PartNotFound.
        """
        request = TextRequest(text_size, links, ACTION_OCTETS)
        return await self._in_folder(
            fetch_content, folder, uid_validity, uid, request, html=html, number=part
        )

    async def attachment(
        self, folder: str, uid_validity: int, uid: int, part: str
    ) -> Attachment:
        """Return a part of a message without its content; raise PartNotFound."""
        found = await self._in_folder(fetch_part, folder, uid_validity, uid, part)
        return describe(found, Budget())

    async def read_part(
        self, folder: str, uid_validity: int, uid: int, part: str
    ) -> AsyncGenerator[bytes]:
        """Yield the decoded content of a part in pieces, each fetched by its own request."""
        found = await self._in_folder(
            fetch_part_to_decode, folder, uid_validity, uid, part
        )
        decoder = decoder_for(found.encoding)
        start = 0
        piece = b""
        while not start or len(piece) == PIECE:
            piece = await self._in_folder(
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
        return await self._in_folder(set_flags, folder, uid_validity, uids, add, remove)

    async def move(
        self, folder: str, uid_validity: int, uids: Sequence[int], to: str
    ) -> StoreResult:
        """Move messages to another folder; raise Unsupported if that could affect other mail."""
        return await self._in_folder(move, folder, uid_validity, uids, to)

    async def delete(
        self,
        folder: str,
        uid_validity: int,
        uids: Sequence[int],
        *,
        permanently: bool = False,
    ) -> StoreResult:
        """Move messages to Trash, or expunge them; raise Unsupported without Trash."""
        return await self._in_folder(
            delete, folder, uid_validity, uids, permanently=permanently
        )

    async def _in_folder[**P, T](
        self,
        task: Callable[Concatenate[Session, str, P], Awaitable[T]],
        folder: str,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run a task; an error names the folder, unless another one is the reason."""
        try:
            return await self._session.run(task, folder, *args, **kwargs)
        except ImapError as error:
            error.folder = error.folder or folder
            raise


async def _decode(decoder: Decoder, piece: bytes) -> bytes:
    """Decode a piece of a part; other tasks of the event loop run in between."""
    decoded: list[bytes] = []
    for start in range(0, len(piece), SLICE):
        decoded.append(decoder.decode(piece[start : start + SLICE]))
        await asyncio.sleep(0)
    return b"".join(decoded)
