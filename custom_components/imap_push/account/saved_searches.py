"""Saved searches: count the mails that match, and report new mails that match."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
import contextlib
from dataclasses import dataclass, field, replace
import itertools
import logging
import math
from typing import Final, NamedTuple, Protocol

from homeassistant.config_entries import ConfigSubentry

from ..const import CONF_FOLDERS
from ..helpers import criteria_from_config
from ..imap import (
    Client,
    CommandRefused,
    Criteria,
    FolderNotFound,
    FolderState,
    ImapError,
    LoginRefused,
    SearchCount,
)
from ..mail.event_data import Delivery, NewMail
from ..mail.filter import attached_files

_LOGGER = logging.getLogger(__name__)

# The fields of a mail that stay when it is moved.
_IDENTITY: Final = ("message_id", "received", "size", "sender", "subject")

# Minimum time between two counts of a folder: many new mails must not cause as many counts.
MIN_COUNT_INTERVAL_SECONDS: Final = 0.5
# Delay of a count after a change, so that one request also checks the mail being fetched.
CHANGE_DELAY_SECONDS: Final = 0.1
# Delay before a failed count is repeated; doubled after each failure, up to the maximum.
RETRY_SECONDS: Final = 5.0
MAX_RETRY_SECONDS: Final = 300.0
# After this many refused logins in a row, counting stops until the entry is reloaded or the
# watcher reconnects: servers lock accounts after too many failed logins.
MAX_LOGIN_REFUSALS: Final = 3
# Time between two counts of an unchanged watched folder for a time-dependent search.
TIME_DEPENDENT_COUNT_SECONDS: Final = 3600.0
# New mails of a folder that wait for the next request; the oldest ones above this are dropped.
MAX_PENDING_MAILS: Final = 1000
# New mails in one request.
MAX_MAILS_PER_REQUEST: Final = 500
# Mails that matched a search, which are remembered to recognize them after a move.
MAX_REPORTED_MAILS: Final = 1000


class SavedSearch(NamedTuple):
    """A saved search: its folders and its criteria."""

    name: str
    folders: tuple[str, ...]
    criteria: Criteria

    @property
    def new_mail_criteria(self) -> Criteria:
        """Return the criteria for new mail: all except `has_attachment`.

        A server can only search the Content-Type for attachments. For a new mail the body
        structure is known, so matches_attachments() tests it instead.
        """
        return replace(self.criteria, has_attachment=None)

    @property
    def is_time_dependent(self) -> bool:
        """Return whether the count may change while the folder does not."""
        return self.criteria.newer_than is not None or self.criteria.raw is not None

    def matches_attachments(self, mail: NewMail) -> bool:
        """Return whether a mail meets the criterion `has_attachment`."""
        return self.criteria.has_attachment in {None, bool(attached_files(mail))}


def search_from_subentry(subentry: ConfigSubentry) -> SavedSearch:
    """Return the search that a subentry describes."""
    return SavedSearch(
        name=subentry.title,
        folders=tuple(dict.fromkeys(subentry.data[CONF_FOLDERS])),
        criteria=criteria_from_config(subentry.data),
    )


@dataclass(slots=True, kw_only=True)
class _Folder:
    """A folder with at least one search. Times are from loop.time().

    `due`: time of the next count, never before `not_before`. `retry_delay`: seconds to wait
    after the next failure. `changes`: last value of FolderState.changes. `counts`: by search ID.
    `pending`: new mail that no request has checked yet.
    """

    due: float = 0.0
    not_before: float = 0.0
    retry_delay: float = RETRY_SECONDS
    changes: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    pending: deque[Delivery] = field(
        default_factory=lambda: deque(maxlen=MAX_PENDING_MAILS)
    )

    def request_count(self, not_before: float = 0.0) -> None:
        """Request a count as early as possible, but not before the time `not_before`."""
        self.due = min(self.due, max(self.not_before, not_before))

    def set_counted(self, now: float, interval: float) -> None:
        """After a count, schedule the next one: after `interval`, or earlier if requested."""
        self.retry_delay = RETRY_SECONDS
        self.not_before = now + MIN_COUNT_INTERVAL_SECONDS
        self.due = max(min(self.due, now + interval), self.not_before)

    def set_failed(self, now: float, min_delay: float) -> None:
        """After a failure, clear the counts and retry after at least `min_delay` seconds."""
        self.counts.clear()
        self.not_before = self.due = now + max(self.retry_delay, min_delay)
        self.retry_delay = min(2 * self.retry_delay, MAX_RETRY_SECONDS)

    def reset(self) -> None:
        """Clear the counts, and request a count now, even while a retry is delayed."""
        self.counts.clear()
        self.retry_delay, self.not_before, self.due = RETRY_SECONDS, 0.0, 0.0

    def add_mail(self, delivery: Delivery) -> None:
        """Add a pending mail; first drop all others if UIDVALIDITY has changed."""
        uid_validity = delivery.mail["uid_validity"]
        if self.pending and self.pending[-1].mail["uid_validity"] != uid_validity:
            self.pending.clear()
        self.pending.append(delivery)
        self.request_count()

    def remove_mails(self, deliveries: Iterable[Delivery]) -> None:
        """Remove mails that a request has checked; request a count for the remaining ones."""
        done = {id(delivery) for delivery in deliveries}
        left = [delivery for delivery in self.pending if id(delivery) not in done]
        self.pending.clear()
        self.pending.extend(left)
        if left:
            self.request_count()


class SearchListener(Protocol):
    """Receives the results of the searches of an account."""

    def async_update_listeners(self) -> None:
        """Update the entities: counts have changed or become unknown."""

    def searches_matched(self, search_ids: Collection[str], delivery: Delivery) -> None:
        """Handle a new mail that matches searches. Called with the oldest mail first."""

    def login_refused(self) -> None:
        """Request new credentials from the user."""


class SavedSearches:
    """Keeps the counts of an account's searches up to date, one folder after another.

    One request counts all searches of a folder. If the folder changes during the request, it
    is counted again.
    """

    def __init__(
        self,
        client: Client,
        *,
        poll_interval: float,
        watched: Container[str],
        listener: SearchListener,
    ) -> None:
        """Prepare to count; folders not in `watched` are counted every `poll_interval` seconds."""
        self._client = client
        self._poll_interval = poll_interval
        self._watched = watched
        self._listener = listener
        self._searches: dict[str, SavedSearch] = {}
        self._folders: dict[str, _Folder] = {}
        self._refused: set[str] = set()
        # By identity of a mail: its last known folder, and the searches that have reported it.
        self._reported: OrderedDict[int, tuple[str, frozenset[str]]] = OrderedDict()
        self._login_refusals = 0  # in a row
        self._is_online = False
        self._wake = asyncio.Event()

    @property
    def has_any(self) -> bool:
        """Return whether there is a search."""
        return bool(self._searches)

    def put(self, search_id: str, search: SavedSearch) -> None:
        """Add or replace a search, and count it as soon as possible."""
        self._forget(search_id)
        self._searches[search_id] = search
        for name in search.folders:
            self._folders.setdefault(name, _Folder()).request_count()
        self._drop_folders()
        self._wake.set()

    def remove(self, search_id: str) -> None:
        """Remove a search."""
        self._forget(search_id)
        self._drop_folders()

    def _forget(self, search_id: str) -> None:
        self._searches.pop(search_id, None)
        self._refused.discard(search_id)
        for folder in self._folders.values():
            folder.counts.pop(search_id, None)

    def _drop_folders(self) -> None:
        needed = {name for search in self._searches.values() for name in search.folders}
        self._folders = {
            name: folder for name, folder in self._folders.items() if name in needed
        }

    def count(self, search_id: str) -> int | None:
        """Return the number of matching mails, None if it is unknown for any folder."""
        search = self._searches.get(search_id)
        if search is None or not self._is_online:
            return None
        counts = [self._folders[name].counts.get(search_id) for name in search.folders]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

    def add_mail(self, delivery: Delivery) -> None:
        """Schedule a check of which searches match a new mail."""
        if folder := self._folders.get(delivery.mail["folder"]):
            folder.add_mail(delivery)
            self._wake.set()

    def update_state(
        self, folders: Mapping[str, FolderState], *, is_online: bool
    ) -> None:
        """Request a count of each changed folder, or of all folders after an outage."""
        is_back = is_online and not self._is_online
        self._is_online = is_online
        not_before = asyncio.get_running_loop().time() + CHANGE_DELAY_SECONDS
        for name, folder in self._folders.items():
            state = folders.get(name)
            if state is not None and state.changes != folder.changes:
                folder.changes = state.changes
                folder.request_count(not_before)
                self._wake.set()
            if is_back:
                folder.reset()
                self._wake.set()

    async def run(self) -> None:
        """Count each folder when a count is due, until cancelled."""
        while True:
            name = await self._next_due()
            folder = self._folders[name]
            try:
                await self._count(name, folder)
            except ImapError as err:
                _LOGGER.debug("A folder was not counted: %s", type(err).__name__)
                self._handle_failure(folder, err)
            except Exception:
                _LOGGER.exception("Error while counting a folder")
                self._handle_failure(folder, None)

    async def finish(self) -> None:
        """Check the mail that still waits, for example before a reload. Call after `run`."""
        for name, folder in self._folders.items():
            while folder.pending and self._is_online:
                await self._count(name, folder)

    async def _next_due(self) -> str:
        """Wait until a count is due; return the folder with the earliest `due`."""
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            due, name = math.inf, ""
            if self._is_online and self._folders:
                due, name = min(
                    (folder.due, name) for name, folder in self._folders.items()
                )
            if due <= loop.time():
                return name
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(None if due == math.inf else due):
                    await self._wake.wait()

    async def _count(self, name: str, folder: _Folder) -> None:
        """Count all searches of a folder, and report its pending mails that match."""
        searches = {
            search_id: search
            for search_id, search in self._searches.items()
            if name in search.folders and search_id not in self._refused
        }
        deliveries = list(itertools.islice(folder.pending, MAX_MAILS_PER_REQUEST))
        folder.due = math.inf
        counts = await self._request(
            name, searches.values(), [delivery.mail["uid"] for delivery in deliveries]
        )
        self._login_refusals = 0
        folder.set_counted(
            asyncio.get_running_loop().time(),
            self._interval(name, searches.values()),
        )
        folder.remove_mails(deliveries)
        # Ignore the result for searches that were changed or removed during the request.
        searches = {
            search_id: search
            for search_id, search in searches.items()
            if self._searches.get(search_id) is search
        }
        self._store_counts(folder, searches, counts)
        for delivery in deliveries:
            mail = delivery.mail
            matching = [
                search_id
                for search_id, search in searches.items()
                if (count := counts.get(search.new_mail_criteria))
                and mail["uid"] in count.matching
                and search.matches_attachments(mail)
            ]
            if new := self._not_reported(matching, mail):
                self._listener.searches_matched(new, delivery)

    def _not_reported(self, search_ids: list[str], mail: NewMail) -> list[str]:
        """Return the searches that have not reported a mail yet, and remember them.

        A mail that is moved to another watched folder is new there, but a search reports it one
        time. A Message-ID alone does not identify it: the sender chooses it.
        """
        if not search_ids or mail["message_id"] is None:
            return search_ids
        identity = hash(tuple(mail[name] for name in _IDENTITY))
        folder, reported = self._reported.pop(identity, ("", frozenset()))
        if folder == mail["folder"]:  # Not moved: a second copy of the mail.
            reported = frozenset()
        new = [search_id for search_id in search_ids if search_id not in reported]
        self._reported[identity] = mail["folder"], reported.union(search_ids)
        if len(self._reported) > MAX_REPORTED_MAILS:
            self._reported.popitem(last=False)
        return new

    def _store_counts(
        self,
        folder: _Folder,
        searches: Mapping[str, SavedSearch],
        counts: Mapping[Criteria, SearchCount],
    ) -> None:
        """Store the counts of a folder. A search that the server refused is not tried again."""
        before = folder.counts.copy()
        for search_id, search in searches.items():
            if count := counts.get(search.criteria):
                folder.counts[search_id] = count.total
                continue
            self._refused.add(search_id)
            _LOGGER.warning("The server does not understand the search %s", search.name)
        if folder.counts != before:
            self._listener.async_update_listeners()

    async def _request(
        self, name: str, searches: Collection[SavedSearch], uids: Sequence[int]
    ) -> dict[Criteria, SearchCount]:
        """Return counts by criteria, without criteria that the server refused."""
        criteria = dict.fromkeys(search.criteria for search in searches)
        if uids:
            criteria |= dict.fromkeys(search.new_mail_criteria for search in searches)
        if not criteria:
            return {}
        results = await self._client.count(name, [*criteria], uids)
        return {
            key: result
            for key, result in zip(criteria, results, strict=True)
            if isinstance(result, SearchCount)
        }

    def _interval(self, name: str, searches: Iterable[SavedSearch]) -> float:
        """Return the seconds until an unchanged folder is counted again."""
        if name not in self._watched:
            return self._poll_interval
        if any(search.is_time_dependent for search in searches):
            return TIME_DEPENDENT_COUNT_SECONDS
        return math.inf

    def _handle_failure(self, folder: _Folder, error: ImapError | None) -> None:
        """Schedule a retry of all folders, or of this one if only it has a problem."""
        min_delay = (error and error.retry_after) or 0.0
        if isinstance(error, LoginRefused):
            self._login_refusals += 1
            min_delay = (
                MAX_RETRY_SECONDS
                if self._login_refusals < MAX_LOGIN_REFUSALS
                else math.inf
            )
            self._listener.login_refused()
        is_local = error is None or isinstance(error, FolderNotFound | CommandRefused)
        now = asyncio.get_running_loop().time()
        for failed in [folder] if is_local else self._folders.values():
            failed.set_failed(now, min_delay)
        self._listener.async_update_listeners()
