"""One watched folder: what is known of it, its mark, and the delivery of its mail."""

import asyncio
from collections.abc import Mapping
import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
import logging
from typing import Final

from ..errors import ConnectionLost, ProtocolError
from ..limits import TokenBucket
from ..mime.preview import TextRequest
from ..models import Arrival, CatchUp, FolderState, Mail, PushMode
from ..session.fetch_items import MAX_UID
from ..session.mark import Mark
from ..session.recover import RECOVERY, received_since
from ..session.select import SelectResult
from ..session.session import Session
from ..session.sync import BATCH, SyncBatch
from .context import Context

_LOGGER = logging.getLogger(__name__)

# Times that a mail which is announced and not there yet is asked for again, and the seconds
# more each time: a server may take a moment to bring it from where it was delivered.
MAX_RETRIES: Final = 3
RETRY_PAUSE: Final = 1.0

# Times in a row that a session may end while mail is fetched, until mail is delivered without
# the text that would need another FETCH, or until fewer messages are asked for at a time, and the
# seconds for which the latter holds.
_STUMBLES_WITHOUT_MORE: Final = 2
MAX_STUMBLES: Final = 3
CARE: Final = 3600.0

# New messages of a folder that are delivered at once, and per second from then on. Only a server
# that always has more, or the import of a mailbox, brings so many.
MAX_BURST: Final = 5_000
PER_SECOND: Final = 10.0
# Warnings about a folder in an hour.
MAX_WARNINGS: Final = 10
# Messages that are asked for at a time then, so that other folders do not wait long.
LIMITED_BATCH: Final = 50

_A_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedFolder:
    """How a folder is watched: from a mark on, None is from what comes next.

    `text_size`: how many characters of a mail's text are delivered with it, 0 is none. `links`
    adds link targets and descriptions of images to that text.
    """

    mark: Mark | None = None
    text_size: int = 0
    links: bool = False


class Folder:
    """A watched folder; whoever has it open makes it deliver.

    `is_due`: something in it is not known yet. `has_more`: the last sweep left new mail behind.
    `is_removed`: it is watched no more; whoever has it in hand lets go of it when it can, and
    nobody hears of it meanwhile.
    """

    def __init__(self, name: str, watched: WatchedFolder, shared: Context) -> None:
        """Watch a folder as the user wants it."""
        self.name = name
        self.text = TextRequest(watched.text_size, watched.links)
        self.mark = watched.mark
        self.state = FolderState()
        self.is_due = True
        self.has_more = False
        self.is_removed = False
        self._options = shared.options
        self._listener = shared.listener
        self._statistics = shared.statistics
        # What the server last said of it, by the names that STATUS has for it.
        self._numbers: dict[str, int] = {}
        # Mail above a mark of an earlier life came while nobody watched.
        self._catch_up = self.mark is not None
        # Below this UID mail may have been delivered under another number, or the same one.
        self._doubtful_below = 0
        self._was_missing = False
        # What STATUS told while EXAMINE knew of no such folder.
        self._told: dict[str, int] | None = None
        self._seen_next: int | None = None  # UIDNEXT when all was seen
        self._stumbles = 0
        self._batch = BATCH
        self._careful_until = 0.0  # the loop's time
        clock = asyncio.get_running_loop().time
        self._pace = TokenBucket(MAX_BURST, PER_SECOND, clock)
        self._warnings = TokenBucket(MAX_WARNINGS, MAX_WARNINGS / 3600, clock)
        self._held_back = 0  # UID of a mail that is announced and not there yet
        self._retries = 0

    @property
    def needs_settling(self) -> bool:
        """Return if there is no mark yet, or the user wants none of what is above it."""
        return self.mark is None or self._passes_over

    @property
    def _passes_over(self) -> bool:
        return self._catch_up and self._options.catch_up is CatchUp.NONE

    def is_continued_by(self, opened: SelectResult) -> bool:
        """Return if the mark's UIDs still mean what they meant."""
        return self.mark is not None and opened.continues(self.mark)

    def told(self, numbers: dict[str, int], *, asked: bool) -> None:
        """Take what a STATUS tells: how many are unread, and if there is something new.

        `asked`: it answers a question, so that what it leaves out has to be looked up.
        """
        self.learn(numbers)
        if self.state.missing:
            # Some know a folder that they cannot open: it must not be tried at every word.
            self.is_due |= asked or numbers != self._told
            self._told = numbers
        if self.mark is None or not (asked or "UIDNEXT" in numbers):
            return
        uid_validity = numbers.get("UIDVALIDITY", self.mark.uid_validity)
        if uid_validity != self.mark.uid_validity:
            self.is_due = True
        # A UIDNEXT above the mark may be of mail that was gone when we looked.
        if numbers.get("UIDNEXT", 0) not in {self.mark.next_uid, self._seen_next}:
            self.is_due = True

    def learn(self, numbers: Mapping[str, int]) -> None:
        """Take numbers as STATUS names them; others than before mean that something changed."""
        known = self._numbers
        if any(known.get(name, it) != it for name, it in numbers.items()):
            self.changed()
        known.update(numbers)
        unread, messages = known.get("UNSEEN"), known.get("MESSAGES")
        self.state = dataclasses.replace(self.state, unread=unread, messages=messages)

    def changed(self) -> None:
        """Note that something in the folder may have changed."""
        for name in ("UIDNEXT", "HIGHESTMODSEQ"):
            self._numbers.pop(name, None)  # It is another now, and no more news.
        changes = self.state.changes + 1
        self.state = dataclasses.replace(self.state, changes=changes)

    @property
    def batch(self) -> int | None:
        """Return how many mails may be asked for at a time, None if as many as usual."""
        is_careful = asyncio.get_running_loop().time() < self._careful_until
        return self._batch if is_careful else None

    @property
    def is_more_fetched(self) -> bool:
        """Return if text that is not in the first FETCH of a message is fetched."""
        return self._stumbles < _STUMBLES_WITHOUT_MORE

    @property
    def usual_batch(self) -> int:
        """Return how many mails are asked for at a time as long as nothing goes wrong."""
        return LIMITED_BATCH if self.state.rate_limited else BATCH

    def stumbled(self, error: ConnectionLost) -> None:
        """Learn that the session ended while the folder's mail was fetched.

        One mail may be to blame, or too many of them: less is asked for at a time, for a while.
        """
        self._stumbles += 1
        if isinstance(error, ProtocolError) or self._stumbles >= MAX_STUMBLES:
            self._batch //= 2
            self._careful_until = asyncio.get_running_loop().time() + CARE

    def is_seen(self, opened: SelectResult) -> bool:
        """Return if a folder that was just opened has nothing that is not known."""
        if self.mark is None or not opened.continues(self.mark):
            return False
        return opened.uid_next in {None, self.mark.next_uid, self._seen_next}

    def knows(self, last_uid: int) -> bool:
        """Return if the folder's last message is the one that is known as the newest."""
        newest = self.state.last_mail
        return last_uid == (newest.uid if newest else 0)

    async def settle(self, session: Session, mode: PushMode) -> None:
        """Take a new mark for the folder, which is open, where ours does not serve."""
        mark = self.mark
        first = await session.first_mark()
        if mark is None:
            is_young = self._was_missing and first.next_uid <= RECOVERY
            # All that is in a folder which was not there before is new.
            self._move(first.at(1) if is_young else first)
            return
        if not self._passes_over:
            mark = await self._recover(session, mark, first, mode)
        self._move(mark.renumbered(first))
        # What is above the mark from here on, nobody was asked about before.
        self._catch_up = self._catch_up and not self._passes_over

    def exists(self) -> None:
        """Note that there is such a folder."""
        if self.state.missing:
            self.state = dataclasses.replace(self.state, missing=False)

    def vanished(self) -> None:
        """Note that there is no such folder, for now."""
        self.state = dataclasses.replace(self.state, missing=True)
        self.is_due = False
        self._was_missing = True

    def counted(self, unread: int | None) -> None:
        """Take how many are unread; None says nothing."""
        if unread is not None:
            self.learn({"UNSEEN": unread})

    async def take(self, sweep: SyncBatch, mode: PushMode, opened: SelectResult) -> int:
        """Deliver all that a sweep found; return how many mails were new."""
        self._stumbles = 0
        self._batch = min(BATCH, max(1, self._batch * 2))
        mark, found = sweep.start, 0
        newest = await sweep.newest_mail()
        async for mail in sweep.mails():
            if "BODY" not in sweep.messages[mail.uid]:
                self._warn(
                    "Message %d cannot be read: delivering it without its header",
                    mail.uid,
                )
            if newest is None or mail.uid >= newest.uid:
                newest = dataclasses.replace(mail, text=None)
            if mail.uid >= self._doubtful_below or not mark.knows(mail):
                await self._deliver(mail, mode)
                found += 1
            mark = self._move(mark.passed(mail))
            await asyncio.sleep(0)  # A burst must not hold up the event loop.
        mark = self._move(mark.at(sweep.next_uid))
        if sweep.pending_uid is not None and await self._give_up(sweep.pending_uid):
            await self._deliver(await sweep.mail(sweep.pending_uid), mode)
            mark = self._move(mark.at(sweep.pending_uid + 1))
        self._move(mark.seeing(newest))
        # Above a mail that was held back there may be others.
        self.has_more = not sweep.complete or sweep.pending_uid is not None
        self.is_due = self.has_more
        if not self.is_due:
            self.state = dataclasses.replace(self.state, rate_limited=False)
            self._catch_up = False
            self._seen_next = opened.uid_next
            if mark.next_uid >= self._doubtful_below or self._doubtful_below > MAX_UID:
                self._doubtful_below = 0
            if newest is not None or sweep.newest is not None:
                self.state = dataclasses.replace(self.state, last_mail=newest)
        return found

    async def take_pushed(self, mail: Mail) -> bool:
        """Deliver a mail that was pushed, if it is the next one; a sweep has to bring others.

        As UIDs only grow, nothing can be missing below the next one: the mark moves at once.
        """
        mark = self.mark
        is_next = mark is not None and mail.uid == mark.next_uid
        if mark is None or not is_next or self.is_due or self._doubtful_below:
            return False
        if self.state.rate_limited:
            return False  # A sweep brings few at a time, and leaves time for other folders.
        await self._deliver(mail, PushMode.NOTIFY)
        self._move(mark.passed(mail))
        if self.state.unread is not None and "\\Seen" not in mail.flags:
            self.counted(self.state.unread + 1)
        newest = dataclasses.replace(mail, text=None)
        self.state = dataclasses.replace(self.state, last_mail=newest)
        return True

    async def _give_up(self, uid: int) -> bool:
        """Return if a mail that is held back has to do as it is; wait a little longer if not."""
        if uid != self._held_back:
            self._held_back, self._retries = uid, 0
        self._retries += 1
        if self._retries <= MAX_RETRIES:
            # The first time it may only have come a moment too late for this sweep.
            await asyncio.sleep((self._retries - 1) * RETRY_PAUSE)
            return False
        self._warn(
            "Message %d was announced but is not shown: delivering it as it is", uid
        )
        return True

    async def _recover(
        self, session: Session, mark: Mark, first: Mark, mode: PushMode
    ) -> Mark:
        """Deliver what is new in a folder whose UIDs mean nothing any more.

        That is what arrived after the last delivered mail and is none of those remembered.
        """
        self._warn(
            "UIDVALIDITY changed or UIDs went back: finding new messages by date"
        )
        if mark.last_received is None:
            return mark
        # A server may lag behind itself, and bring the same UIDs once more.
        is_same = mark.uid_validity == first.uid_validity
        self._doubtful_below = mark.next_uid if is_same else MAX_UID + 1
        received = received_since(session, mark.last_received, self.text)
        async for mail in received:
            if mail.uid < first.next_uid and not mark.knows(mail):
                await self._deliver(mail, mode)
                mark = self._move(mark.remembering(mail))
                await asyncio.sleep(0)
        return mark

    async def _deliver(self, mail: Mail, mode: PushMode) -> None:
        """Hand a mail over; a listener's error is its own."""
        if self._catch_up and self._is_too_old(mail):
            return
        if not self.is_removed:
            await self._keep_pace()
        if self.is_removed:
            return
        self._statistics.mails += 1
        arrival = Arrival(mail=mail, push=mode, catch_up=self._catch_up)
        try:
            await self._listener.mail_arrived(arrival)
        except Exception:
            _LOGGER.exception("Error while handing a mail over")

    async def _keep_pace(self) -> None:
        """Wait before a delivery if a server has more new mail than anyone gets."""
        if not (pause := self._pace.take(1)):
            return
        if not self.state.rate_limited:
            self._warn(
                "More than %d new messages at once; delivering %d per second from now on",
                MAX_BURST,
                PER_SECOND,
            )
            self.state = dataclasses.replace(self.state, rate_limited=True)
        await asyncio.sleep(pause)

    def _warn(self, message: str, *args: object) -> None:
        """Log a warning, but not as many as a broken server can cause."""
        if self._warnings.try_take():
            _LOGGER.warning("%s: %s", self.name, message % args)

    def _is_too_old(self, mail: Mail) -> bool:
        """Return if the user does not want to hear of it any more."""
        if self._options.catch_up is not CatchUp.LAST_DAY or mail.received is None:
            return False
        return mail.received < datetime.now(UTC) - _A_DAY

    def _move(self, mark: Mark) -> Mark:
        """Take a mark and have it kept."""
        if mark != self.mark:
            self.mark = mark
            if not self.is_removed:
                self._listener.mark_moved(self.name, mark)
        return mark
