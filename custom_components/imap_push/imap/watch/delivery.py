"""Delivers the messages of one folder: each one time, oldest first, at a limited rate."""

import asyncio
from datetime import UTC, datetime, timedelta
import logging
from typing import Final

from ..limits import TokenBucket
from ..mime.preview import TextRequest
from ..models import Arrival, CatchUp, Mail, PushMode
from ..session.fetch_items import MAX_UID, read_fetch
from ..session.mark import Mark
from ..session.message_reader import pushed_message
from ..session.recover import RECOVERY, received_since
from ..session.select import SelectResult
from ..session.session import Session
from ..session.sync import Outcome, SyncBatch, SyncRequest, SyncResult
from ..wire.parser import Data
from .context import Context

_LOGGER = logging.getLogger(__name__)

# New messages of a folder that are delivered without delay, and the rate after these. Only a
# faulty server or the import of a mailbox exceeds them.
MAX_BURST: Final = 5_000
DELIVERIES_PER_SECOND: Final = 10.0
MAX_WARNINGS_PER_HOUR: Final = 10


class Delivery:
    """The mark of a folder, and the delivery of the messages above it.

    `is_limited`: so much mail arrives that it is delivered at a limited rate.
    """

    def __init__(self, folder: str, mark: Mark | None, context: Context) -> None:
        """Start from this mark, None to start with the next message that arrives."""
        self.mark = mark
        self._is_stopped = False
        self.is_limited = False
        self._folder = folder
        self._options = context.options
        self._listener = context.listener
        self._statistics = context.statistics
        # Mail above a stored mark arrived while the account was not watched.
        self._is_catch_up = mark is not None
        # After a UIDVALIDITY change: below this UID, deduplicate by digest.
        self._dedupe_below = 0
        # UIDVALIDITY and UIDs of the messages that an unfinished recovery has processed.
        self._recovered: tuple[int, set[int]] = (0, set())
        clock = asyncio.get_running_loop().time
        self._deliveries = TokenBucket(MAX_BURST, DELIVERIES_PER_SECOND, clock)
        per_second = MAX_WARNINGS_PER_HOUR / 3600
        self._warnings = TokenBucket(MAX_WARNINGS_PER_HOUR, per_second, clock)

    @property
    def needs_start(self) -> bool:
        """Return whether there is no mark yet, or mail above it is to be skipped."""
        skips = self._is_catch_up and self._options.catch_up is CatchUp.NONE
        return self.mark is None or skips

    def stop(self) -> None:
        """Deliver nothing and store no mark from now on: the user has removed the folder."""
        self._is_stopped = True

    async def start(
        self,
        session: Session,
        selected: SelectResult,
        request: SyncRequest,
        mode: PushMode,
        *,
        all_new: bool,
    ) -> None:
        """Replace a mark that is not valid for a folder that was selected.

        If UIDNEXT is not known, or `needs_start` is False, the folder must be open.
        `all_new`: the folder was empty, or did not exist for a while: all its mail may be new.
        `request` says how to fetch the new ones.
        """
        mark, first = self.mark, await session.first_mark(selected)
        if mark is None:
            is_young = all_new and first.next_uid <= RECOVERY
            self._set_mark(first.at(1) if is_young else first)
            return
        if self.needs_start:
            # With CatchUp.NONE, all mail from here on arrives while the account is watched.
            self._is_catch_up = False
        else:
            mark = await self._recover(session, mark, first, request, mode, all_new)
        self._set_mark(mark.renumbered(first))

    async def deliver(
        self, result: SyncResult, batch: SyncBatch, mode: PushMode
    ) -> int:
        """Deliver the messages of a sync and move the mark; return the number of messages."""
        mark, newest, count = batch.start, result.newest, 0
        for uid in batch.uids:
            is_parsed = newest is not None and newest.uid == uid
            mail = newest if newest and is_parsed else await batch.mail(uid)
            if "BODY" not in batch.messages[uid]:
                self.warn("Message %d is delivered without its header", uid)
            if uid >= self._dedupe_below or not mark.is_known(mail):
                await self._deliver(mail, mode)
                count += 1
            mark = self._set_mark(mark.after_delivery(mail))
            await asyncio.sleep(0)  # A burst must not block the event loop.
        if newest and newest.uid < batch.start.next_uid and not mark.has_digest(newest):
            # No later message may have another date: the date alone does not show that it is old.
            mark = mark.with_digest(newest)
        self._set_mark(mark.at(batch.next_uid).with_date(newest))
        if result.outcome is Outcome.DONE:
            self.is_limited = self._is_catch_up = False
            if batch.next_uid >= self._dedupe_below or self._dedupe_below > MAX_UID:
                self._dedupe_below = 0
        return count

    async def read_pushed(self, data: Data, text: TextRequest) -> Mail | None:
        """Return a message that NOTIFY sent, None if it is left to the next sync.

        Only a complete message with the next UID is returned: UIDs only increase (RFC 3501
        2.3.1.1), so no message below it can be missing, and the mark can move.
        """
        # A sync fetches few messages at a time, so that other folders wait less.
        if self.mark is None or self._dedupe_below or self.is_limited:
            return None
        fetched = await read_fetch(data)
        if fetched.cut is not None:
            return None
        return await pushed_message(self._folder, self.mark, fetched.items, text)

    async def deliver_pushed(self, mail: Mail) -> None:
        """Deliver a message that NOTIFY sent."""
        assert self.mark is not None
        await self._deliver(mail, PushMode.NOTIFY)
        self._set_mark(self.mark.after_delivery(mail))

    def warn(self, message: str, *args: object) -> None:
        """Log a warning, unless there were too many in the last hour."""
        if self._warnings.try_take():
            _LOGGER.warning("%s: %s", self._folder, message % args)

    async def _recover(
        self,
        session: Session,
        mark: Mark,
        first: Mark,
        request: SyncRequest,
        mode: PushMode,
        all_new: bool,
    ) -> Mark:
        """Deliver the new messages of a folder whose UIDs are no longer valid.

        A message is new if its digest is not known and its INTERNALDATE is not before
        `mark.last_received`. In a folder that was deleted and created again, the date does not
        matter, nor in a folder that was empty.
        """
        self.warn("UIDVALIDITY changed or UIDs went back: finding new messages by date")
        if mark.last_received is None and not all_new:
            return mark
        # With the same UIDVALIDITY, the state may be that of an outdated replica, and the
        # delivered UIDs may appear again.
        is_same = mark.uid_validity == first.uid_validity
        if is_same or mark.last_received is not None:
            # Without a date, mail that arrives from now on must not count as known.
            self._dedupe_below = mark.next_uid if is_same else MAX_UID + 1
        is_new = all_new and not is_same
        since = None if is_new else mark.last_received
        if self._recovered[0] != first.uid_validity:
            self._recovered = (first.uid_validity, set())
        done = self._recovered[1]
        async for mail in received_since(session, since, request, skipped=done):
            is_known = mark.has_digest(mail) if is_new else mark.is_known(mail)
            if mail.uid < first.next_uid and not is_known:
                await self._deliver(mail, mode)
                mark = self._set_mark(mark.with_digest(mail))
                await asyncio.sleep(0)
            done.add(mail.uid)
        done.clear()
        return mark

    async def _deliver(self, mail: Mail, mode: PushMode) -> None:
        """Pass one message to the listener, unless it is too old or the folder is removed."""
        if self._is_catch_up and self._options.catch_up is CatchUp.LAST_DAY:
            yesterday = datetime.now(UTC) - timedelta(days=1)
            if mail.received is not None and mail.received < yesterday:
                return
        if not self._is_stopped and (pause := self._deliveries.take(1)):
            if not self.is_limited:
                self.warn(
                    "More than %d new messages at once; delivering %d per second from now on",
                    MAX_BURST,
                    DELIVERIES_PER_SECOND,
                )
            self.is_limited = True
            await asyncio.sleep(pause)
        if self._is_stopped:
            return
        self._statistics.mails += 1
        arrival = Arrival(mail=mail, push=mode, catch_up=self._is_catch_up)
        try:
            await self._listener.mail_arrived(arrival)
        except Exception:
            _LOGGER.exception("Error in the listener for new mail")

    def _set_mark(self, mark: Mark) -> Mark:
        """Replace the mark and report it; return it."""
        if mark != self.mark:
            self.mark = mark
            if not self._is_stopped:
                self._listener.mark_moved(self._folder, mark)
        return mark
