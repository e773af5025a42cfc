"""What a sync does when one FETCH from the mark on is not enough: search, or fetch the rest."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
import contextlib
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import batched
from typing import Final

from ..errors import CommandRefused, ResponseTooLarge
from ..mime.preview import batch_size, reduced_fetch_items
from ..models import Mail
from ..wire.command import Command
from ..wire.parser import MONTHS, Value, parse_internal_date
from ..wire.response_codes import temporary_refusal
from .fetch_items import MAX_UID, by_uid, fetch_command
from .mark import FIRST_YEAR
from .message_reader import complete_preview, read_message, read_previews
from .session import Session
from .sync import BATCH, Outcome, SyncBatch, SyncRequest, SyncResult

# If more messages may be new after UIDVALIDITY changed, all count as old.
RECOVERY: Final = 500

_NO_DATE: Final = datetime.min.replace(tzinfo=UTC)
_DATE_ITEMS: Final = "(UID INTERNALDATE)"
# How many of these messages one FETCH requests.
_RECOVERY_BATCH: Final = 100


async def received_since(
    session: Session,
    moment: datetime | None,
    request: SyncRequest,
    *,
    skipped: Collection[int] = (),
) -> AsyncIterator[Mail]:
    """Yield the messages in the open folder received since a moment, oldest first; None: all.

    Yields nothing if more than RECOVERY match: in a mailbox that was restored from a backup, all
    messages look new. Each message is read when it is yielded, to limit memory. `request` says
    how to fetch them, and `skipped` are UIDs to leave out.
    """
    text, waits, care = request.text, request.waits, request.care
    uids = await _search_since(session, moment, waits=waits)
    if not uids or len(uids) > RECOVERY or session.folder is None:
        return
    folder, validity = session.folder, session.selected.uid_validity
    found = await session.fetch_with_fallback(uids, [_DATE_ITEMS], waits=waits)
    dates = {
        uid: parse_internal_date(items.get("INTERNALDATE"))
        for uid, items in found.items()
    }
    received = sorted((date or _NO_DATE, uid) for uid, date in dates.items())
    recent = [
        uid
        for date, uid in received
        if date >= (moment or _NO_DATE) and uid not in skipped
    ]
    size = 1 if care else batch_size(text, _RECOVERY_BATCH)
    for batch in batched(recent, size, strict=False):
        messages: dict[int, dict[str, Value]] = {}
        if less := reduced_fetch_items(text)[max(0, care - 1) :]:
            messages = await session.fetch_with_fallback(batch, less, waits=waits)
            left_out = [uid for uid in batch if uid not in messages]
            messages |= await session.fetch_with_fallback(left_out, less, waits=waits)
        care = min(care, 1)  # Only the first message may have ended the last session.
        # Of a message that cannot be fetched, the date shows that it is new.
        messages = {uid: found[uid] | messages.get(uid, {}) for uid in batch}
        previews = await read_previews(messages, text)
        for uid in batch:
            items, preview = messages[uid], previews.get(uid)
            if preview and preview.more:
                fetch = partial(_fetch_one, session, uid)
                items, preview = await complete_preview(items, preview, text, fetch)
            yield await read_message(folder, validity, uid, items, text, preview)
            await asyncio.sleep(0)


async def _search_since(
    session: Session, moment: datetime | None, *, waits: bool
) -> list[int]:
    """Return the UIDs of messages that may have been received since a moment; None: of all.

    Returns more than RECOVERY if there are too many.
    """
    criteria, last = "ALL", 0
    if moment is not None and moment.year >= FIRST_YEAR:
        # SINCE compares dates, disregarding time and time zone (RFC 3501 6.4.4).
        day = moment - timedelta(days=1)
        criteria = f"SINCE {day.day}-{MONTHS[day.month - 1]}-{day.year}"
        last = RECOVERY
    with contextlib.suppress(ResponseTooLarge):
        most = RECOVERY + 1
        return await _search(session, criteria, 1, most, waits=waits, last=last)
    return []


async def complete(
    session: Session, request: SyncRequest, result: SyncResult
) -> SyncResult:
    """Complete a sync for which one FETCH was not enough; raise what opening a folder raises.

    Raises CommandRefused, Unavailable or ResponseTooLarge.
    """
    assert request.mark is not None
    if session.folder != request.folder:
        selected = await session.examine(request.folder)
        if not selected.continues(request.mark):
            return SyncResult(Outcome.RENUMBERED, selected)
    batch = result.batch
    if result.outcome is Outcome.BY_SEARCH:
        known = None if batch is None else batch.messages
        found = await sync_by_search(session, request, known=known)
        result, batch = found._replace(unread=result.unread), found.batch
    if batch is not None and batch.is_partial:
        batch = await _complete_batch(session, request, batch)
        result = result._replace(batch=batch, newest=await batch.newest_mail())
    return result


async def sync_by_search(
    session: Session,
    request: SyncRequest,
    *,
    known: Mapping[int, dict[str, Value]] | None = None,
) -> SyncResult:
    """Sync the open folder by a search: UIDs are far apart, or a FETCH left out messages.

    If the server cannot show all items of a message, the items that it can show are returned.
    `known` are the items of a FETCH: those of complete messages are not fetched again. Raises
    CommandRefused or Unavailable.
    """
    mark, text, care = request.mark, request.text, request.care
    assert mark is not None
    most = 1 if care else batch_size(text, BATCH)
    first = mark.next_uid
    criteria = f"UID {min(first, MAX_UID)}:*"
    uids = await _search(session, criteria, first, most + 1, waits=request.waits)
    exists = session.connection.selected.exists
    if request.accepts and len(uids) < min(exists - (request.synced or 0), most + 1):
        # The index of a search may be older than the folder.
        command = fetch_command(f"{min(first, MAX_UID)}:*", "(UID)")
        uids = sorted({*uids, *await _fetch_uids(session, command, first)})[: most + 1]
    requested, items = uids[:most], reduced_fetch_items(text)[max(0, care - 1) :]
    messages = {
        uid: known[uid] for uid in requested if known and "BODY" in known.get(uid, ())
    }
    missing = [uid for uid in requested if uid not in messages]
    if items:
        messages |= await session.fetch_with_fallback(
            missing, items, waits=request.waits
        )
    else:
        messages |= {uid: {} for uid in missing}
    messages = dict(sorted(messages.items()))
    end = max(requested, default=mark.next_uid - 1) + 1
    is_complete = len(uids) == len(requested)
    unshown = 0
    if request.synced is not None and is_complete:
        unshown = max(0, exists - request.synced - len(uids))
    hidden = [uid for uid in requested if _is_hidden(messages.get(uid))]
    if request.accepts:
        messages |= {uid: messages.get(uid, {}) for uid in hidden}
        messages = dict(sorted(messages.items()))
    elif unshown or hidden:
        end = mark.next_uid if unshown else hidden[0]
    is_hidden = (unshown or hidden) and not request.accepts
    outcome = Outcome.DONE if is_complete else Outcome.MORE
    new = {uid: items for uid, items in messages.items() if uid < end}
    previews = await read_previews(new, text)
    batch = SyncBatch(
        request.folder, mark, end, messages=messages, previews=previews, text=text
    )
    return SyncResult(
        Outcome.NOT_SHOWN if is_hidden else outcome,
        session.selected,
        batch,
        await batch.newest_mail(),
        exists,
        synced=exists if is_complete and not is_hidden else None,
        unshown=unshown,
    )


async def _search(
    session: Session,
    criteria: str,
    first: int,
    most: int,
    *,
    waits: bool,
    last: int = 0,
) -> list[int]:
    """Return the lowest `most` UIDs from `first` on that match.

    If the server refuses to search, all messages match, or the last ones if `last` is not 0.
    Raises CommandRefused or, if `waits`, Unavailable.
    """
    # Grommunio answers BAD to the search key UID (nextcloud/mail#13117).
    for words in (criteria,) if last else (criteria, "ALL"):
        try:
            return await session.search(words, first, most)
        except CommandRefused as refusal:
            if waits and (error := temporary_refusal(refusal)):
                raise error from refusal
    command = fetch_command(f"{min(first, MAX_UID)}:*", "(UID)")
    if last:
        start = max(1, session.connection.selected.exists - last + 1)
        command = Command("FETCH", f"{start}:* (UID)", frozenset({"FETCH"}))
    return (await _fetch_uids(session, command, first))[:most]


async def _fetch_uids(session: Session, command: Command, first: int) -> list[int]:
    """Return the UIDs from `first` on that a FETCH returns; raise CommandRefused."""
    [found] = await session.run(command)
    return [uid for uid in (await by_uid(found.data)).messages if uid >= first]


def _is_hidden(items: Mapping[str, Value] | None) -> bool:
    """Return whether FETCH returned no message: {} is that of a message that it refused."""
    return items is None or (bool(items) and items.keys() <= {"UID", "FLAGS"})


async def _complete_batch(
    session: Session, request: SyncRequest, batch: SyncBatch
) -> SyncBatch:
    """Fetch what is missing in a batch of the open folder.

    For a message that is too large, fetch fewer items. For any other message, fetch the text or
    header fields that were not in the first FETCH, unless a FETCH ended the session.
    """
    less = reduced_fetch_items(batch.text)[1:]
    large, waits = batch.too_large, request.waits
    found = await session.fetch_with_fallback(large, less, waits=waits)
    messages = dict(sorted({**batch.messages, **found}.items()))
    previews = dict(batch.previews)
    for uid, preview in batch.previews.items():
        if preview.more and not request.care:
            fetch = partial(_fetch_one, session, uid)
            messages[uid], previews[uid] = await complete_preview(
                messages[uid], preview, batch.text, fetch
            )
    return batch._replace(messages=messages, previews=previews, too_large=())


async def _fetch_one(session: Session, uid: int, items: str) -> dict[str, Value]:
    return (await session.fetch([uid], items)).messages.get(uid, {})
