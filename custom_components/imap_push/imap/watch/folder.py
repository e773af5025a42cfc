"""One watched folder: its mark, its state, and when it is to be synced."""

import asyncio
from collections.abc import Mapping
import dataclasses
import math
from typing import Final

from ..errors import CommandRefused, ImapError, ProtocolError
from ..limits import doubled
from ..mime.preview import TextRequest
from ..models import FolderState, Mail, PushMode
from ..session.select import SelectResult
from ..session.session import Session
from ..session.sync import BATCH, Outcome, SyncRequest, SyncResult, sync_request
from ..wire.receiver import SelectedFolder
from ..wire.response_codes import temporary_refusal
from ..wire.unsolicited import Unsolicited
from .context import Context, WatchedFolder
from .delivery import Delivery

# A server may announce a message before FETCH returns it, for example while it is being moved.
# The sync is repeated, by EXAMINE and a search, after these numbers of seconds.
UNSHOWN_PAUSES: Final = (0.0, 1.0, 2.0)
# A folder that the server refuses is tried again after this many seconds, doubling up to the limit.
REFUSED_PAUSE_SECONDS: Final = 10.0
MAX_PAUSE_SECONDS: Final = 300.0
# After temporary refusals of FETCH for this long, a message is treated as the cause.
MAX_REFUSED_SECONDS: Final = 3600.0
# Refusals are reported after this time: most end sooner.
REFUSED_GRACE_SECONDS: Final = 30.0
# How long a folder that does not exist is tried again by opening it, after 1 s, 2 s, 4 s, ...
MAX_MISSING_SECONDS: Final = 60.0

# Consecutive sessions that ended while the folder was opened. After these it is left out for
# LOST_PAUSE_SECONDS, doubling up to an hour, so that the other folders are watched.
MAX_OPEN_LOSSES: Final = 3
LOST_PAUSE_SECONDS: Final = 60.0
MAX_LOST_PAUSE_SECONDS: Final = 3600.0
# Consecutive sessions that ended during a FETCH of the folder. After these, messages are fetched
# one at a time, then with fewer items each time: see `SyncRequest`.
MAX_FETCH_LOSSES: Final = 2

# Messages that are fetched at a time while the rate is limited, so that other folders wait less.
LIMITED_BATCH: Final = 50


class Folder:
    """A watched folder. The connection that has it calls its methods.

    `synced` is how many messages are below the mark, at most; None if that is not known.
    `mode` is how new mail becomes known. `verifies`: it is to be opened again, even if it is open,
    as another folder may have taken its place. `status_fails`: STATUS does not work.
    """

    def __init__(self, name: str, watched: WatchedFolder, context: Context) -> None:
        """Start from the mark of `watched`."""
        self.name = name
        self.text = TextRequest(watched.text_size, watched.links)
        self.delivery = Delivery(name, watched.mark, context)
        self.synced: int | None = None
        self.verifies = False
        self.status_fails = False
        # What is reported: see FolderState.
        self.mode = PushMode.OFF
        self._is_silent = False
        self._error: ImapError | None = None
        self._is_missing = False
        self._changes = 0
        self._last_mail: Mail | None = None
        # The last numbers from EXAMINE and STATUS, by the names of STATUS items.
        self._numbers: dict[str, int] = {}
        # The last STATUS, and the counts before it. None if the folder has gone missing since.
        self._last_status: tuple[dict[str, int] | int | None, ...] | None = None
        self._needs_newest = True  # The last message is not known.
        self._was_missing = False
        self._synced_uid_next: int | None = None  # UIDNEXT at the last complete sync
        # Times of the event loop.
        self._loop = asyncio.get_running_loop()
        self._due_at = -math.inf
        self._blocked_until = -math.inf
        self._retry_at = -math.inf  # for a message that is announced but not shown
        self._missing_since = -math.inf
        self._refused_since = math.inf
        self._refusals = 0
        self._open_losses = 0
        self._fetch_losses = 0
        self._needed_losses = 0  # of the last message that ended sessions
        self._retries = 0  # of that message

    @property
    def state(self) -> FolderState:
        """Return what is known about the folder."""
        is_watched = self._error is None and not self._is_missing
        mode = self.mode if is_watched else PushMode.OFF
        return FolderState(
            available=mode is not PushMode.OFF,
            missing=self._is_missing,
            error=self._error,
            push_mode=mode,
            push_is_silent=self._is_silent,
            rate_limited=self.delivery.is_limited,
            unread=self._numbers.get("UNSEEN"),
            messages=self._numbers.get("MESSAGES"),
            last_mail=self._last_mail,
            changes=self._changes,
        )

    # When to sync

    @property
    def due_at(self) -> float:
        """Return when the folder is to be synced, infinity if there is no reason."""
        return max(self._due_at, self._blocked_until, self._retry_at)

    @property
    def is_openable(self) -> bool:
        """Return whether the folder exists and the server does not refuse it, as far as known."""
        is_refused = self._refusals or self._blocked_until > self._loop.time()
        return not (self._is_missing or is_refused)

    @property
    def is_suspect(self) -> bool:
        """Return whether it may have ended the last session: sync it after the other folders."""
        return bool(self._open_losses or self.care)

    @property
    def care(self) -> int:
        """Return how carefully to FETCH: see SyncRequest."""
        return max(0, self._fetch_losses - MAX_FETCH_LOSSES + 1)

    @property
    def waits(self) -> bool:
        """Return whether to wait after a temporary refusal: see SyncRequest."""
        return self._loop.time() - self._refused_since < MAX_REFUSED_SECONDS

    @property
    def has_only_new_mail(self) -> bool:
        """Return whether all mail is new if UIDVALIDITY changes: there was no older mail.

        GNU mailutils gives an empty mbox another UIDVALIDITY when the first message arrives.
        """
        mark = self.delivery.mark
        if mark is None or mark.last_received is not None:
            return self._was_missing
        return self._was_missing or self.synced == 0 or mark.next_uid == 1

    def request(self, session: Session, *, examines: bool) -> SyncRequest:
        """Return the commands that sync the folder; `examines`: open it.

        A request for a sync from now on leads to another sync.
        """
        self._due_at = math.inf
        self.verifies &= not examines
        selected, care = session.connection.selected, self.care
        return sync_request(
            session,
            self.name,
            None if self.delivery.needs_start else self.delivery.mark,
            examines=examines,
            # If a FETCH of all new messages failed, they are searched.
            fetches=not (care or self._retries),
            newest=self._needs_newest and not care,
            growth=0 if examines else selected.growth,
            batch=LIMITED_BATCH if self.delivery.is_limited else BATCH,
            text=self.text,
            synced=self.synced if examines else selected.synced,
            waits=self.waits,
            care=care,
            accepts=self._retries >= len(UNSHOWN_PAUSES),
        )

    def request_sync(self) -> None:
        """Sync as soon as possible; while the folder is blocked, not before the end of that."""
        self._due_at = -math.inf

    def check_now(self) -> None:
        """Open the folder again and sync it now, even if it is blocked."""
        self._due_at = self._blocked_until = self._retry_at = -math.inf
        self.verifies = True

    def set_text(self, text: TextRequest) -> None:
        """Change how much text is delivered with mail."""
        self.text = text
        self.request_sync()

    # What the server reported

    def begin_session(self, capabilities: frozenset[str]) -> None:
        """Prepare for a new session: only opening the folder shows whether it still works."""
        if "CONDSTORE" not in capabilities:
            # Without HIGHESTMODSEQ, changes since the last session cannot be excluded.
            self.mark_changed()
        if not self._is_missing:
            self.request_sync()

    def on_status(
        self,
        numbers: dict[str, int],
        *,
        is_requested: bool = False,
        is_change: bool = False,
    ) -> None:
        """Process a STATUS response.

        `is_requested`: the response answers a STATUS command. Without UIDNEXT in that answer,
        only a sync can show whether there is new mail. `is_change`: NOTIFY reports a change, not
        the state when it begins.
        """
        # The same STATUS is news if a sync has found other counts. None opens a missing folder.
        names = () if self._is_missing else ("MESSAGES", "UNSEEN")
        status = numbers, *map(self._numbers.get, names)
        is_repeated = status == self._last_status
        self._last_status = status
        if is_repeated and not (is_requested or is_change or self._is_missing):
            return  # NOTIFY is set again after each sync: this is no reason for another.
        before = self._numbers.get("MESSAGES", 0)
        highest = self._numbers.get("HIGHESTMODSEQ")
        # Cyrus 3.12 reports an EXPUNGE without MESSAGES or UNSEEN.
        after = numbers.get("MESSAGES", 0 if is_requested or is_change else before)
        self._update_numbers(numbers)
        self._needs_newest |= after < before
        # Cyrus 3.12 also begins NOTIFY without UNSEEN: flags may have changed since the sync.
        is_newer = highest is not None and numbers.get("HIGHESTMODSEQ", 0) > highest
        if "UNSEEN" not in numbers and (is_change or is_newer):
            self.request_sync()
        # Even with the same UIDNEXT: some servers report an old one.
        if after != before and not is_repeated:
            self.request_sync()
        # Some servers report STATUS of a folder that cannot be selected.
        if self._is_missing and (is_requested or not is_repeated):
            self.request_sync()
        mark = self.delivery.mark
        if mark is None or not (is_requested or "UIDNEXT" in numbers):
            return
        is_other = numbers.get("UIDVALIDITY", mark.uid_validity) != mark.uid_validity
        if is_other or not self._is_known(numbers.get("UIDNEXT", 0)):
            self.request_sync()

    def mark_status_refused(self, refusal: CommandRefused) -> None:
        """Record that STATUS was refused: only EXAMINE can show the state of the folder."""
        self.status_fails = temporary_refusal(refusal) is None
        self.request_sync()

    def mark_changed(self) -> None:
        """Count a change: mail, flags or the order of messages may be different now."""
        for name in ("UIDNEXT", "HIGHESTMODSEQ"):
            # The next value will be different. That must not count as a second change.
            self._numbers.pop(name, None)
        self._changes += 1

    def update(self, result: SyncResult, mode: PushMode) -> None:
        """Store the counts of a sync, before its messages are delivered."""
        numbers: dict[str, int] = {}
        selected = result.selected
        if selected is not None and result.is_opened:
            self._open_losses = 0
            numbers |= selected.numbers
        if result.exists is not None:
            numbers["MESSAGES"] = result.exists
        if result.unread is not None:
            numbers["UNSEEN"] = result.unread
        self._update_numbers(numbers)
        if result.flags_changed:
            self.mark_changed()
        if result.newest is not None or result.exists == 0:
            self._set_newest(result.newest)
        if result.error is None:
            self._is_missing, self._error, self.mode = False, None, mode
        is_only_opened = result.outcome is Outcome.DONE and result.batch is None
        if is_only_opened and selected is not None and selected.uid_next is not None:
            if not self._is_known(selected.uid_next):
                self.request_sync()

    def on_unsolicited(self, changes: Unsolicited, selected: SelectedFolder) -> None:
        """Process changes of the folder, which is selected."""
        self.mark_changed()
        self._update_numbers({"MESSAGES": selected.exists})
        if self.synced is not None:
            self.synced = min(self.synced, selected.synced)
        self._needs_newest |= changes.newest_removed
        self.verifies |= changes.shrunk

    def on_pushed(self, mail: Mail, synced: int) -> None:
        """Process a message that NOTIFY sent, before it is delivered."""
        self.synced = synced
        if "UNSEEN" in self._numbers and "\\Seen" not in mail.flags:
            self._update_numbers({"UNSEEN": self._numbers["UNSEEN"] + 1})
        self._set_newest(mail)

    def set_mode(self, mode: PushMode, *, is_silent: bool | None = None) -> None:
        """Record how new mail is detected; OFF: there is no connection.

        `is_silent`: push is offered but failed, None if that has not changed.
        """
        self.mode = mode
        if is_silent is not None:
            self._is_silent = is_silent

    # Outcomes of a sync

    def mark_synced(self, result: SyncResult) -> None:
        """Record a sync whose messages were delivered."""
        if result.outcome is Outcome.NOT_SHOWN:
            # The server announced a message that it does not show.
            pause = UNSHOWN_PAUSES[min(self._retries, len(UNSHOWN_PAUSES) - 1)]
            self._retry_at = self._loop.time() + pause
            self._retries += 1
            self.verifies = True
            self.request_sync()
            return
        self.synced = result.synced
        self._refusals, self._refused_since = 0, math.inf
        self._retries = 0
        if result.outcome is Outcome.DONE and result.selected is not None:
            if self.care:
                # The last message may be the one that ended the sessions.
                self._needs_newest = False
            self._fetch_losses = self._needed_losses = 0
            self._synced_uid_next = result.selected.uid_next
        else:
            self._needed_losses = max(self._needed_losses, self._fetch_losses)
            self._fetch_losses = min(self._fetch_losses, MAX_FETCH_LOSSES)
            self.request_sync()

    def mark_missing(self) -> None:
        """Record that the folder does not exist at the moment.

        It may be created again at once. Later, STATUS finds it.
        """
        now = self._loop.time()
        if not self._is_missing:
            self._missing_since, self._last_status = now, None
        age = now - self._missing_since
        self._due_at = now + max(1.0, age) if age < MAX_MISSING_SECONDS else math.inf
        self._is_missing = self._was_missing = True
        self._error = None
        self.synced = None

    def mark_refused(self, error: ImapError) -> None:
        """Record that the server refused the folder, for now or permanently.

        It is tried again later, at the earliest after the time that the server requested.
        """
        pause = doubled(REFUSED_PAUSE_SECONDS, self._refusals, MAX_PAUSE_SECONDS)
        now = self._loop.time()
        self._due_at = -math.inf
        self._blocked_until = now + max(pause, error.retry_after or 0.0)
        self._refusals += 1
        self._refused_since = min(self._refused_since, now)
        lasts = self._blocked_until - self._refused_since
        if lasts >= REFUSED_GRACE_SECONDS or not self.state.available:
            self._report(error)

    def mark_lost(self, error: ImapError, command: str) -> None:
        """Record that the session ended while this command for the folder was unanswered."""
        self.request_sync()
        if command == "STATUS":
            self.status_fails = True
        if command in {"UID FETCH", "UID SEARCH"}:
            # Too much data at once, for example: one message at a time is less.
            least = self._needed_losses if self.care else 0
            more = 2 if isinstance(error, ProtocolError) else 1
            self._fetch_losses = max(self._fetch_losses + more, least)
            return
        self._open_losses += 1
        excess = self._open_losses - MAX_OPEN_LOSSES
        if excess >= 0:
            pause = doubled(LOST_PAUSE_SECONDS, excess, MAX_LOST_PAUSE_SECONDS)
            self._blocked_until = self._loop.time() + pause
            self._report(error)

    def mark_renumbered(self, selected: SelectResult) -> None:
        """Record that the mark was replaced for the folder that was selected."""
        mark = self.delivery.mark
        is_above = mark is not None and mark.next_uid == selected.uid_next
        self.synced = selected.numbers.get("MESSAGES") if is_above else None
        self._needs_newest = True
        self._was_missing = False
        self.request_sync()

    def _update_numbers(self, numbers: Mapping[str, int]) -> None:
        """Store numbers by the names of STATUS items. Different numbers count as a change."""
        known = self._numbers
        if any(known.get(name, value) != value for name, value in numbers.items()):
            self.mark_changed()
        known.update(numbers)

    def _set_newest(self, mail: Mail | None) -> None:
        """Store the last message, None if the folder is empty."""
        self._needs_newest = False
        self._last_mail = mail and dataclasses.replace(mail, text=None)

    def _is_known(self, uid_next: int) -> bool:
        """Return whether UIDNEXT shows no new mail.

        Above the mark, it may belong to a message that was expunged before the last sync.
        """
        mark = self.delivery.mark
        return uid_next in {mark and mark.next_uid, self._synced_uid_next}

    def _report(self, error: ImapError) -> None:
        """Report that the folder is not watched."""
        if self._error is None:
            self.delivery.warn("The folder cannot be watched: %s", error)
        self._error = error
