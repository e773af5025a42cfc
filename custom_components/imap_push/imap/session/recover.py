"""What a sync does when one FETCH from the mark on is not enough: search, or fetch the rest."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import batched
from typing import Final

from ..errors import ResponseTooLarge
from ..mime.preview import NO_TEXT, TextRequest, batch_size, reduced_fetch_items
from ..models import Mail
from ..wire.parser import MONTHS, Value, parse_internal_date
from .fetch_items import MAX_UID
from .mark import Mark
from .message_reader import complete_preview, read_message, read_previews
from .session import Session
from .sync import SyncBatch, messages_per_fetch

# If more messages may be new after UIDVALIDITY changed, all count as old.
RECOVERY: Final = 500

_DATE_ITEMS: Final = "(UID INTERNALDATE)"
# How many of these messages one FETCH requests.
_RECOVERY_BATCH: Final = 100


async def received_since(
    session: Session, moment: datetime, text: TextRequest = NO_TEXT
) -> AsyncIterator[Mail]:
    """Yield the messages in the open folder received since a moment, oldest first.

    Yields nothing if more than RECOVERY match: in a mailbox that was restored from a backup, all
    messages look new. Each message is read when it is yielded, to limit memory.
    """
    # SINCE compares dates, disregarding time and time zone (RFC 3501 6.4.4).
    day = moment - timedelta(days=1)
    since = f"{day.day}-{MONTHS[day.month - 1]}-{day.year}"
    try:
        uids = await session.search(f"SINCE {since}", 1, RECOVERY + 1)
    except ResponseTooLarge:
        return
    if not uids or len(uids) > RECOVERY or session.folder is None:
        return
    folder, validity = session.folder, session.selected.uid_validity
    found = await session.fetch_with_fallback(uids, [_DATE_ITEMS])
    dates = {
        uid: parse_internal_date(items.get("INTERNALDATE"))
        for uid, items in found.items()
    }
    received = sorted((date, uid) for uid, date in dates.items() if date)
    recent = [uid for date, uid in received if date >= moment]
    for batch in batched(recent, batch_size(text, _RECOVERY_BATCH), strict=False):
        messages = await session.fetch_with_fallback(batch, reduced_fetch_items(text))
        previews = await read_previews(messages, text)
        for uid in filter(messages.__contains__, batch):
            items, preview = messages[uid], previews.get(uid)
            if preview and preview.more:
                fetch = partial(_fetch_one, session, uid)
                items, preview = await complete_preview(items, preview, text, fetch)
            yield await read_message(folder, validity, uid, items, text, preview)
            await asyncio.sleep(0)


async def sync_by_search(
    session: Session,
    folder: str,
    mark: Mark,
    batch: int | None = None,
    text: TextRequest = NO_TEXT,
    *,
    waits: bool = True,
) -> SyncBatch:
    """Sync the open folder by a search: UIDs are far apart, or a FETCH of many failed.

    If the server cannot show all items of a message, the items that it can show are returned.
    If `batch` is 0, one message is fetched, without its header.
    """
    first = min(mark.next_uid, MAX_UID)
    most = messages_per_fetch(text, batch)
    uids = await session.search(f"UID {first}:*", mark.next_uid, most + 1)
    requested = uids[:most]
    items = reduced_fetch_items(text)
    messages = await session.fetch_with_fallback(
        requested, items[-1:] if batch == 0 else items, waits=waits
    )
    next_uid = max(requested, default=mark.next_uid - 1) + 1
    complete = len(uids) == len(requested)
    return SyncBatch(folder, mark, next_uid, complete, messages=messages, text=text)


async def complete_batch(
    session: Session, batch: SyncBatch, *, fetches_more: bool, waits: bool = True
) -> SyncBatch:
    """Fetch what is missing in a batch of the open folder.

    For a message that is too large, fetch fewer items. For any other message, if `fetches_more`,
    fetch the text or header fields that were not in the first FETCH.
    """
    less = reduced_fetch_items(batch.text)[1:]
    found = await session.fetch_with_fallback(batch.too_large, less, waits=waits)
    messages = dict(sorted({**batch.messages, **found}.items()))
    previews = dict(batch.previews)
    for uid, preview in batch.previews.items():
        if preview.more and fetches_more:
            fetch = partial(_fetch_one, session, uid)
            messages[uid], previews[uid] = await complete_preview(
                messages[uid], preview, batch.text, fetch
            )
    return replace(batch, messages=messages, previews=previews, too_large=())


async def _fetch_one(session: Session, uid: int, items: str) -> dict[str, Value]:
    return (await session.fetch([uid], items)).messages.get(uid, {})
