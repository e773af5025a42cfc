"""One watched folder: its mark, its state, and the delivery of its mail."""

import asyncio
from collections.abc import Mapping
import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
import logging
import math
from typing import Final

from ..errors import ConnectionLost, ImapError, ProtocolError, Unavailable
from ..limits import TokenBucket
from ..mime.preview import TextRequest
from ..models import Arrival, CatchUp, FolderState, Mail, PushMode
from ..session.fetch_items import MAX_UID, read_fetch
from ..session.mark import Mark
from ..session.message_reader import pushed_message
from ..session.recover import RECOVERY, received_since
from ..session.select import SelectResult
from ..session.session import Session
from ..session.sync import BATCH, SyncBatch
from ..wire.parser import Data
from .context import Context

_LOGGER = logging.getLogger(__name__)

# A server may announce a message before FETCH returns it, for example while it is being moved.
# The FETCH is repeated up to MAX_RETRIES times: at once, then with a pause that grows by
# RETRY_PAUSE_SECONDS each time.
MAX_RETRIES: Final = 3
RETRY_PAUSE_SECONDS: Final = 1.0

# Consecutive sessions that ended during a FETCH of the folder: after the first number, text that
# needs another FETCH is not fetched; after the second number, or a ProtocolError, fewer messages
# are fetched at a time.
_FAILURES_WITHOUT_MORE: Final = 2
MAX_FETCH_FAILURES: Final = 3
# How long fewer messages are fetched at a time.
REDUCED_BATCH_SECONDS: Final = 3600.0
# After temporary refusals of FETCH for this long, a message is treated as the cause.
MAX_REFUSED_SECONDS: Final = 3600.0

# New messages of a folder that are delivered without delay, and the rate after these. Only a
# faulty server or the import of a mailbox exceeds them.
MAX_BURST: Final = 5_000
DELIVERIES_PER_SECOND: Final = 10.0
# Messages that are fetched at a time while the rate is limited, so that other folders wait less.
LIMITED_BATCH: Final = 50
MAX_WARNINGS_PER_HOUR: Final = 10

_ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedFolder:
    """How a folder is watched.

    `mark` is where the watcher starts, None to start with the next message that arrives.
    `text_size` is the maximum number of characters of text in a delivered message, 0 for no
    text. `links` adds link targets and descriptions of images to the text.
    """

    mark: Mark | None = None
    text_size: int = 0
    links: bool = False


class Folder:
    """A watched folder. The session that has it selected calls its methods.

    `needs_sync`: it may have mail that is not delivered yet. `has_more`: the last sync did not
    reach the end of the folder. `is_unsubscribed`: the user has removed it. Its connection drops
    it after the current sync cycle; until then nothing is delivered and no mark is stored.
    """

    def __init__(self, name: str, watched: WatchedFolder, context: Context) -> None:
        """Start from the mark of `watched`."""
        self.name = name
        self.text = TextRequest(watched.text_size, watched.links)
        self.mark = watched.mark
        self.state = FolderState()
        self.needs_sync = True
        self.has_more = False
        self.is_unsubscribed = False
        self._options = context.options
        self._listener = context.listener
        self._statistics = context.statistics
        # The last numbers from EXAMINE and STATUS, by the names of STATUS items.
        self._numbers: dict[str, int] = {}
        # Mail above a stored mark arrived while the account was not watched.
        self._catch_up = self.mark is not None
        # After a UIDVALIDITY change: below this UID, deduplicate by digest.
        self._dedupe_below = 0
        self._was_missing = False
        # The last STATUS while EXAMINE reported that the folder does not exist.
        self._status_while_missing: dict[str, int] | None = None
        self._synced_uid_next: int | None = None  # UIDNEXT at the last complete sync
        self._fetch_failures = 0
        self._batch = BATCH
        # Times of the event loop.
        self._reduced_until = 0.0
        self._refused_since = math.inf
        clock = asyncio.get_running_loop().time
        self._deliveries = TokenBucket(MAX_BURST, DELIVERIES_PER_SECOND, clock)
        per_second = MAX_WARNINGS_PER_HOUR / 3600
        self._warnings = TokenBucket(MAX_WARNINGS_PER_HOUR, per_second, clock)
        # The announced message that FETCH does not return yet, and how often it was requested.
        self._pending_uid = 0
        self._retries = 0

    @property
    def needs_resync(self) -> bool:
        """Return whether there is no mark yet, or mail above the mark is to be skipped."""
        return self.mark is None or self._skips_old_mail

    @property
    def _skips_old_mail(self) -> bool:
        return self._catch_up and self._options.catch_up is CatchUp.NONE

    @property
    def reduced_batch(self) -> int | None:
        """Return how many messages to fetch at a time after failures; None: no reduction."""
        is_reduced = asyncio.get_running_loop().time() < self._reduced_until
        return self._batch if is_reduced else None

    @property
    def normal_batch(self) -> int:
        """Return how many messages to fetch at a time if that is not reduced."""
        return LIMITED_BATCH if self.state.rate_limited else BATCH

    @property
    def fetches_more(self) -> bool:
        """Return whether to FETCH what the first FETCH left out; False after repeated failures."""
        return self._fetch_failures < _FAILURES_WITHOUT_MORE

    @property
    def waits_for_refusals(self) -> bool:
        """Return False if FETCH has been refused temporarily for too long."""
        now = asyncio.get_running_loop().time()
        return now - self._refused_since < MAX_REFUSED_SECONDS

    def is_continued_by(self, examined: SelectResult) -> bool:
        """Return whether the mark is valid for the folder that was selected."""
        return self.mark is not None and examined.continues(self.mark)

    def has_no_new_mail(self, examined: SelectResult) -> bool:
        """Return whether the mark is valid and UIDNEXT, if it is reported, shows no new mail."""
        if self.mark is None or not examined.continues(self.mark):
            return False
        return examined.uid_next in {None, self.mark.next_uid, self._synced_uid_next}

    def is_newest(self, last_uid: int) -> bool:
        """Return whether `state.last_mail` is the last message in the folder.

        `last_uid` is the UID of that message, 0 if the folder is empty.
        """
        newest = self.state.last_mail
        return last_uid == (newest.uid if newest else 0)

    def on_status(self, numbers: dict[str, int], *, is_requested: bool) -> None:
        """Process a STATUS response.

        `is_requested`: the response answers a STATUS command. Without UIDNEXT in that answer,
        only a sync can show whether there is new mail.
        """
        self.update_counts(numbers)
        if self.state.missing:
            # Some servers report STATUS of a folder that cannot be selected. An unsolicited
            # response that repeats the same numbers is no reason to try again.
            self.needs_sync |= is_requested or numbers != self._status_while_missing
            self._status_while_missing = numbers
        if self.mark is None or not (is_requested or "UIDNEXT" in numbers):
            return
        uid_validity = numbers.get("UIDVALIDITY", self.mark.uid_validity)
        if uid_validity != self.mark.uid_validity:
            self.needs_sync = True
        # A UIDNEXT above the mark may belong to a message that was expunged before the sync.
        if numbers.get("UIDNEXT", 0) not in {self.mark.next_uid, self._synced_uid_next}:
            self.needs_sync = True

    def update_counts(self, numbers: Mapping[str, int]) -> None:
        """Store numbers by the names of STATUS items. Different numbers count as a change."""
        known = self._numbers
        if any(known.get(name, value) != value for name, value in numbers.items()):
            self.mark_changed()
        known.update(numbers)
        unread, messages = known.get("UNSEEN"), known.get("MESSAGES")
        self.state = dataclasses.replace(self.state, unread=unread, messages=messages)

    def update_unread(self, unread: int | None) -> None:
        """Store the number of unread messages, if it is not None."""
        if unread is not None:
            self.update_counts({"UNSEEN": unread})

    def mark_changed(self) -> None:
        """Count a change: mail, flags or the order of messages may be different now."""
        for name in ("UIDNEXT", "HIGHESTMODSEQ"):
            # The next value will be different. That must not count as a second change.
            self._numbers.pop(name, None)
        changes = self.state.changes + 1
        self.state = dataclasses.replace(self.state, changes=changes)

    def mark_present(self) -> None:
        """Record that the folder exists."""
        if self.state.missing:
            self.state = dataclasses.replace(self.state, missing=False)

    def mark_missing(self) -> None:
        """Record that the folder does not exist at the moment."""
        self.state = dataclasses.replace(self.state, missing=True)
        self.needs_sync = False
        self._was_missing = True

    def mark_fetch_failed(self, error: ImapError) -> None:
        """Record the error that ended the session while the folder's mail was fetched.

        After ConnectionLost, one message or the amount may be the cause: see MAX_FETCH_FAILURES.
        """
        now = asyncio.get_running_loop().time()
        if isinstance(error, Unavailable):
            self._refused_since = min(self._refused_since, now)
        if not isinstance(error, ConnectionLost):
            return
        self._fetch_failures += 1
        is_repeated = self._fetch_failures >= MAX_FETCH_FAILURES
        if is_repeated or isinstance(error, ProtocolError):
            self._batch //= 2
            self._reduced_until = now + REDUCED_BATCH_SECONDS

    async def resync(self, session: Session, mode: PushMode) -> None:
        """Replace the mark of the selected folder; see `needs_resync` and `is_continued_by`."""
        mark = self.mark
        first = await session.first_mark()
        if mark is None:
            # All mail is new in a folder that did not exist when the watcher started.
            is_young = self._was_missing and first.next_uid <= RECOVERY
            self._set_mark(first.at(1) if is_young else first)
            return
        if not self._skips_old_mail:
            mark = await self._recover_by_date(session, mark, first, mode)
        self._set_mark(mark.renumbered(first))
        # With CatchUp.NONE, all mail from here on arrives while the account is watched.
        self._catch_up = self._catch_up and not self._skips_old_mail

    async def deliver(
        self, batch: SyncBatch, mode: PushMode, examined: SelectResult
    ) -> int:
        """Deliver the new messages of a batch; return their number without `batch.pending_uid`."""
        self._fetch_failures, self._refused_since = 0, math.inf
        self._batch = min(BATCH, max(1, self._batch * 2))
        mark, found = batch.start, 0
        newest = await batch.newest_mail()
        async for mail in batch.mails():
            if "BODY" not in batch.messages[mail.uid]:
                self._warn(
                    "Message %d cannot be read: delivering it without its header",
                    mail.uid,
                )
            if newest is None or mail.uid >= newest.uid:
                newest = dataclasses.replace(mail, text=None)
            if mail.uid >= self._dedupe_below or not mark.is_known(mail):
                await self._deliver(mail, mode)
                found += 1
            mark = self._set_mark(mark.after_delivery(mail))
            await asyncio.sleep(0)  # A burst must not block the event loop.
        mark = self._set_mark(mark.at(batch.next_uid))
        pending = batch.pending_uid
        if pending is not None and await self._accept_incomplete(pending):
            await self._deliver(await batch.mail(pending), mode)
            mark = self._set_mark(mark.at(pending + 1))
        self._set_mark(mark.with_date(newest))
        # There may be other messages above one that FETCH does not return yet.
        self.has_more = not batch.complete or pending is not None
        self.needs_sync = self.has_more
        if not self.needs_sync:
            self.state = dataclasses.replace(self.state, rate_limited=False)
            self._catch_up = False
            self._synced_uid_next = examined.uid_next
            if mark.next_uid >= self._dedupe_below or self._dedupe_below > MAX_UID:
                self._dedupe_below = 0
            if newest is not None or batch.newest is not None:
                self.state = dataclasses.replace(self.state, last_mail=newest)
        return found

    async def deliver_pushed(self, data: Data) -> bool:
        """Deliver a message that NOTIFY sent; return False if it is left to the next sync.

        Only a complete message with the next UID is delivered: UIDs only increase (RFC 3501
        2.3.1.1), so no message below it can be missing, and the mark can move.
        """
        mark = self.mark
        if mark is None:
            return False
        fetched = await read_fetch(data)
        if fetched.cut is not None:
            return False
        mail = await pushed_message(self.name, mark, fetched.items, self.text)
        if mail is None or self.needs_sync or self._dedupe_below:
            return False
        if self.state.rate_limited:
            return False  # A sync fetches few messages at a time, so other folders wait less.
        await self._deliver(mail, PushMode.NOTIFY)
        self._set_mark(mark.after_delivery(mail))
        if self.state.unread is not None and "\\Seen" not in mail.flags:
            self.update_unread(self.state.unread + 1)
        newest = dataclasses.replace(mail, text=None)
        self.state = dataclasses.replace(self.state, last_mail=newest)
        return True

    async def _accept_incomplete(self, uid: int) -> bool:
        """Return whether to deliver an announced message although FETCH does not return it.

        Otherwise pauses, except the first time: the caller then repeats the FETCH.
        """
        if uid != self._pending_uid:
            self._pending_uid, self._retries = uid, 0
        self._retries += 1
        if self._retries <= MAX_RETRIES:
            # No pause before the first retry: the FETCH may have been a moment too early.
            await asyncio.sleep((self._retries - 1) * RETRY_PAUSE_SECONDS)
            return False
        self._warn(
            "Message %d was announced but is not shown: delivering it as it is", uid
        )
        return True

    async def _recover_by_date(
        self, session: Session, mark: Mark, first: Mark, mode: PushMode
    ) -> Mark:
        """Deliver the new messages of a folder whose UIDs are no longer valid.

        A message is new if its digest is not known and its INTERNALDATE is not before
        `mark.last_received`.
        """
        self._warn(
            "UIDVALIDITY changed or UIDs went back: finding new messages by date"
        )
        if mark.last_received is None:
            return mark
        # With the same UIDVALIDITY, the state may be that of an outdated replica, and the
        # delivered UIDs may appear again.
        is_same = mark.uid_validity == first.uid_validity
        self._dedupe_below = mark.next_uid if is_same else MAX_UID + 1
        received = received_since(session, mark.last_received, self.text)
        async for mail in received:
            if mail.uid < first.next_uid and not mark.is_known(mail):
                await self._deliver(mail, mode)
                mark = self._set_mark(mark.with_digest(mail))
                await asyncio.sleep(0)
        return mark

    async def _deliver(self, mail: Mail, mode: PushMode) -> None:
        """Pass one message to the listener, unless it is too old or the folder is removed."""
        if self._catch_up and self._is_too_old(mail):
            return
        if not self.is_unsubscribed and (pause := self._deliveries.take(1)):
            self._mark_rate_limited()
            await asyncio.sleep(pause)
        if self.is_unsubscribed:
            return
        self._statistics.mails += 1
        arrival = Arrival(mail=mail, push=mode, catch_up=self._catch_up)
        try:
            await self._listener.mail_arrived(arrival)
        except Exception:
            _LOGGER.exception("Error in the listener for new mail")

    def _mark_rate_limited(self) -> None:
        if not self.state.rate_limited:
            self._warn(
                "More than %d new messages at once; delivering %d per second from now on",
                MAX_BURST,
                DELIVERIES_PER_SECOND,
            )
            self.state = dataclasses.replace(self.state, rate_limited=True)

    def _warn(self, message: str, *args: object) -> None:
        """Log a warning, unless there were too many in the last hour."""
        if self._warnings.try_take():
            _LOGGER.warning("%s: %s", self.name, message % args)

    def _is_too_old(self, mail: Mail) -> bool:
        """Return whether CatchUp.LAST_DAY excludes a message."""
        if self._options.catch_up is not CatchUp.LAST_DAY or mail.received is None:
            return False
        return mail.received < datetime.now(UTC) - _ONE_DAY

    def _set_mark(self, mark: Mark) -> Mark:
        """Replace the mark and report it; return it."""
        if mark != self.mark:
            self.mark = mark
            if not self.is_unsubscribed:
                self._listener.mark_moved(self.name, mark)
        return mark
