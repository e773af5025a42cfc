"""Saved searches: how many mails match, and which of the new ones do."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
import contextlib
from dataclasses import dataclass, field, replace
import itertools
import logging
import math
from typing import Final

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
from ..mail.event_data import NewMail
from ..mail.filter import attached_files

_LOGGER = logging.getLogger(__name__)

# Seconds between two counts of a folder, so that a burst of mail is no burst of counts.
REST: Final = 0.5
# Seconds that a change waits to be counted: servers tell of a mail before we have it.
SETTLE: Final = 0.1
# Seconds until a count that failed is tried again, doubled each time up to the maximum.
RETRY: Final = 5.0
MAX_RETRY: Final = 300.0
# Refused logins in a row, after which only a reload helps: servers lock out who goes on.
MAX_REFUSALS: Final = 3
# Seconds between two counts where time alone changes what matches.
AGING: Final = 3600.0
# Mails of a folder that wait to be asked about; of more, the oldest are not asked about.
MAX_WAITING: Final = 1000
# Of them, those that are asked about at a time.
MAX_ASKED: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A saved search: the folders it is about, and what it looks for there.

    The server knows of attachments only what the Content-Type hints at; of a new mail we
    know its structure. `of_new_mail` therefore leaves attachments out.
    """

    name: str
    folders: tuple[str, ...]
    criteria: Criteria

    @property
    def of_new_mail(self) -> Criteria:
        """Return what the server is asked about new mail."""
        return replace(self.criteria, has_attachment=None)

    @property
    def ages(self) -> bool:
        """Return whether time alone may change what matches."""
        return self.criteria.newer_than is not None or self.criteria.raw is not None

    def fits(self, mail: NewMail) -> bool:
        """Return whether a mail has attachments, or none, as the search says."""
        return self.criteria.has_attachment in {None, bool(attached_files(mail))}


def search_from_subentry(subentry: ConfigSubentry) -> Search:
    """Return the search that a subentry describes."""
    return Search(
        name=subentry.title,
        folders=tuple(dict.fromkeys(subentry.data[CONF_FOLDERS])),
        criteria=criteria_from_config(subentry.data),
    )


@dataclass(slots=True, kw_only=True)
class _Folder:
    """A folder that is searched. Times are the loop's.

    `due`: when it is to be counted. `rests_until`: it is not counted before. `pause`: seconds
    that it rests after the next failure. `changes`: see `imap.FolderState`. `counts`: by search.
    `waiting`: new mail that was not asked about yet.
    """

    due: float = 0.0
    rests_until: float = 0.0
    pause: float = RETRY
    changes: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    waiting: deque[NewMail] = field(default_factory=lambda: deque(maxlen=MAX_WAITING))

    def request(self, not_before: float = 0.0) -> None:
        """Have the folder counted as soon as it has rested."""
        self.due = min(self.due, max(self.rests_until, not_before))

    def counted(self, now: float, interval: float) -> None:
        """Rest for a moment; count again after the interval, or earlier if that was asked."""
        self.pause, self.rests_until = RETRY, now + REST
        self.due = max(min(self.due, now + interval), self.rests_until)

    def failed(self, now: float, at_least: float) -> None:
        """Know nothing, and rest longer each time: at least so many seconds."""
        self.counts.clear()
        self.rests_until = self.due = now + max(self.pause, at_least)
        self.pause = min(2 * self.pause, MAX_RETRY)

    def recovered(self) -> None:
        """Know nothing any more, and have that changed at once."""
        self.counts.clear()
        self.pause, self.rests_until, self.due = RETRY, 0.0, 0.0

    def add(self, mail: NewMail) -> None:
        """Let a mail wait; with another numbering, the UIDs of the others mean nothing."""
        if self.waiting and self.waiting[-1]["uid_validity"] != mail["uid_validity"]:
            self.waiting.clear()
        self.waiting.append(mail)
        self.request()

    def asked(self, mails: Iterable[NewMail]) -> None:
        """Note about which mails was asked."""
        done = {id(mail) for mail in mails}
        left = [mail for mail in self.waiting if id(mail) not in done]
        self.waiting.clear()
        self.waiting.extend(left)
        if left:
            self.request()


class Searches:
    """Keeps the counts of an account's searches, one folder after another.

    All searches of a folder are one request, and only one request is under way at a time: what
    changes meanwhile makes the folder due again. `on_count` is called when a count changed,
    `on_match` for each new mail that matches a search, oldest first.
    """

    def __init__(
        self,
        client: Client,
        *,
        poll_interval: float,
        watched: Container[str],
        on_count: Callable[[], None],
        on_match: Callable[[str, NewMail], None],
        on_login_refused: Callable[[], None],
    ) -> None:
        """Count by a client; folders that are not `watched` every `poll_interval` seconds."""
        self._client = client
        self._poll_interval = poll_interval
        self._watched = watched
        self._on_count = on_count
        self._on_match = on_match
        self._on_login_refused = on_login_refused
        self._searches: dict[str, Search] = {}
        self._folders: dict[str, _Folder] = {}
        self._refused: set[str] = set()
        self._refusals = 0  # of the login, in a row
        self._is_online = False
        self._wake = asyncio.Event()

    def put(self, search_id: str, search: Search) -> None:
        """Count a search from now on, or anew with what it looks for now."""
        self._forget(search_id)
        self._searches[search_id] = search
        for name in search.folders:
            self._folders.setdefault(name, _Folder()).request()
        self._drop_folders()
        self._wake.set()

    def remove(self, search_id: str) -> None:
        """Count a search no more."""
        self._forget(search_id)
        self._drop_folders()

    def _forget(self, search_id: str) -> None:
        self._searches.pop(search_id, None)
        self._refused.discard(search_id)
        for folder in self._folders.values():
            folder.counts.pop(search_id, None)

    def _drop_folders(self) -> None:
        """Drop the folders of which no search is left."""
        needed = {name for it in self._searches.values() for name in it.folders}
        self._folders = {
            name: folder for name, folder in self._folders.items() if name in needed
        }

    def count(self, search_id: str) -> int | None:
        """Return how many mails match; None while that is not known."""
        search = self._searches.get(search_id)
        if search is None or not self._is_online:
            return None
        counts = [self._folders[name].counts.get(search_id) for name in search.folders]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

    def mail_arrived(self, mail: NewMail) -> None:
        """Ask at once, or as soon as possible, which searches a new mail matches."""
        if folder := self._folders.get(mail["folder"]):
            folder.add(mail)
            self._wake.set()

    def state_changed(
        self, folders: Mapping[str, FolderState], *, is_online: bool
    ) -> None:
        """Count anew where something changed, and everything after an outage."""
        is_back = is_online and not self._is_online
        self._is_online = is_online
        settled = asyncio.get_running_loop().time() + SETTLE
        for name, folder in self._folders.items():
            told = folders.get(name)
            if told is not None and told.changes != folder.changes:
                folder.changes = told.changes
                folder.request(settled)
                self._wake.set()
            if is_back:
                folder.recovered()
                self._wake.set()

    async def run(self) -> None:
        """Count what is due, until cancelled."""
        while True:
            name = await self._next_due()
            folder = self._folders[name]
            try:
                await self._count(name, folder)
            except ImapError as err:
                _LOGGER.debug("A folder was not counted: %s", type(err).__name__)
                self._failed(folder, err)
            except Exception:
                _LOGGER.exception("Error while counting a folder")
                self._failed(folder, None)

    async def _next_due(self) -> str:
        """Wait until a folder is due; return the one that has been due longest."""
        loop = asyncio.get_running_loop()
        while True:
            self._wake.clear()
            due, name = math.inf, ""
            if self._is_online and self._folders:
                due, name = min((it.due, name) for name, it in self._folders.items())
            if due <= loop.time():
                return name
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(None if due == math.inf else due):
                    await self._wake.wait()

    async def _count(self, name: str, folder: _Folder) -> None:
        """Count a folder for all its searches, and ask about its new mail."""
        searches = {
            search_id: search
            for search_id, search in self._searches.items()
            if name in search.folders and search_id not in self._refused
        }
        waiting = list(itertools.islice(folder.waiting, MAX_ASKED))
        folder.due = math.inf
        found = await self._ask(name, searches.values(), [it["uid"] for it in waiting])
        self._refusals = 0
        folder.counted(
            asyncio.get_running_loop().time(),
            self._interval(name, searches.values()),
        )
        folder.asked(waiting)
        # A search that was changed or removed meanwhile is not told what it was before.
        searches = {
            search_id: search
            for search_id, search in searches.items()
            if self._searches.get(search_id) is search
        }
        self._take_counts(folder, searches, found)
        for mail in waiting:
            for search_id, search in searches.items():
                counted = found.get(search.of_new_mail)
                if counted and mail["uid"] in counted.matching and search.fits(mail):
                    self._on_match(search_id, mail)

    def _take_counts(
        self,
        folder: _Folder,
        searches: Mapping[str, Search],
        found: Mapping[Criteria, SearchCount],
    ) -> None:
        """Keep what was counted in a folder; a search that was refused is asked no more."""
        before = folder.counts.copy()
        for search_id, search in searches.items():
            if counted := found.get(search.criteria):
                folder.counts[search_id] = counted.total
                continue
            self._refused.add(search_id)
            _LOGGER.warning("The server does not understand the search %s", search.name)
        if folder.counts != before:
            self._on_count()

    async def _ask(
        self, name: str, searches: Collection[Search], uids: Sequence[int]
    ) -> dict[Criteria, SearchCount]:
        """Return what was counted for all criteria that the server understands."""
        wanted = dict.fromkeys(search.criteria for search in searches)
        if uids:
            wanted |= dict.fromkeys(search.of_new_mail for search in searches)
        if not wanted:
            return {}
        answers = await self._client.count(name, [*wanted], uids)
        return {
            criteria: answer
            for criteria, answer in zip(wanted, answers, strict=True)
            if isinstance(answer, SearchCount)
        }

    def _interval(self, name: str, searches: Iterable[Search]) -> float:
        """Return the seconds after which a folder is counted even if nothing is told."""
        if name not in self._watched:
            return self._poll_interval
        if any(search.ages for search in searches):
            return AGING
        return math.inf

    def _failed(self, folder: _Folder, error: ImapError | None) -> None:
        """Try again later: all folders, if the failure is not about this one alone."""
        at_least = (error and error.retry_after) or 0.0
        if isinstance(error, LoginRefused):
            self._refusals += 1
            at_least = MAX_RETRY if self._refusals < MAX_REFUSALS else math.inf
            self._on_login_refused()
        is_alone = error is None or isinstance(error, FolderNotFound | CommandRefused)
        now = asyncio.get_running_loop().time()
        for it in [folder] if is_alone else self._folders.values():
            it.failed(now, at_least)
        self._on_count()
