"""The newest messages of folders, for to-do lists and pictures, read again after each change."""

import asyncio
from collections.abc import Callable, Mapping
import contextlib
from dataclasses import replace
from datetime import UTC, datetime
from itertools import batched
import logging
from typing import Final, NamedTuple, Protocol
from weakref import WeakValueDictionary

from ..const import MAX_TEXT_SIZE
from ..imap import (
    Attachment,
    Client,
    CommandRefused,
    Criteria,
    FolderState,
    ImapError,
    LoginRefused,
    Mail,
    MailNotFound,
    ResponseTooLarge,
    doubled,
)
from ..mail.event_data import filter_fields
from ..mail.filter import MailFilter
from .saved_searches import (
    MAX_RETRY_SECONDS,
    RETRY_SECONDS,
    TIME_DEPENDENT_COUNT_SECONDS,
)

_LOGGER = logging.getLogger(__name__)

# Newest matches of the server's search that are fetched until enough of them pass the filter.
MAX_SEARCHED: Final = 500
# The same for a filter of the text or the header, which are fetched from each message.
MAX_READ: Final = 100
# Messages in one FETCH.
MAX_FETCHED: Final = 50
# Changes of a folder within this time cause one request.
CHANGE_DELAY_SECONDS: Final = 0.5
# A message that was removed stays hidden this long if the server still finds it. Some servers
# search an index that they update later, and Dovecot's Maildir can lose a flag for a moment if
# two processes read the directory.
HIDDEN_SECONDS: Final = 10.0

_NO_FILTER: Final = MailFilter()

# Folder, UIDVALIDITY and UID.
type MailKey = tuple[str, int, int]


def mail_key(mail: Mail) -> MailKey:
    """Return what identifies a message in an account."""
    return mail.folder, mail.uid_validity, mail.uid


class MailSource(NamedTuple):
    """Which messages are in a list: those that match the criteria, the filter and `accepts`.

    The filter is applied only once to each message, so it must not compare flags, which change.
    `size` is the number of messages, `text_size` the characters of text of each one.
    """

    folders: tuple[str, ...]
    criteria: Criteria
    mail_filter: MailFilter = _NO_FILTER
    accepts: Callable[[Mail], Attachment | None] | None = None
    size: int = 50
    text_size: int = 0


def without_flags(mail_filter: MailFilter) -> tuple[Criteria, MailFilter]:
    """Return criteria for the flags that a filter compares, and the rest of the filter."""
    criteria = Criteria(unread=mail_filter.unread, flagged=mail_filter.flagged)
    return criteria, mail_filter._replace(unread=None, flagged=None)


async def passes_filter(client: Client, mail: Mail, mail_filter: MailFilter) -> bool:
    """Return whether a message passes a filter. One that the server does not send passes.

    Raises ImapError.
    """
    fields = filter_fields(mail)
    if not mail_filter.matches(fields, mail.recipients):
        return False
    if not mail_filter.needs_content(fields):
        return True
    try:
        content = await client.content(
            mail.folder, mail.uid_validity, mail.uid, text_size=MAX_TEXT_SIZE
        )
    except MailNotFound:
        return False
    except CommandRefused, ResponseTooLarge:
        return True
    return mail_filter.matches_content(content)


class ListListener(Protocol):
    """Is called when the messages of a list have changed, or the server refused the login."""

    def mails_changed(self) -> None:
        """Show the messages, or that they are unknown."""

    def login_refused(self) -> None:
        """Request new credentials from the user."""


class SharedLists:
    """What the lists of an account share.

    `lock`: one list is read at a time, so that actions do not wait for many lists. `mails`: a
    message that one of them has is not fetched again for another one with the same text size.
    """

    def __init__(self) -> None:
        """Start without messages."""
        self.lock = asyncio.Lock()
        self.mails: WeakValueDictionary[tuple[MailKey, int], Mail] = (
            WeakValueDictionary()
        )


class MailList:
    """Keeps the newest messages of a source current while run() runs.

    `mails` has the newest message first, and is None while the messages are unknown. Messages
    do not change, so each one is fetched only once; a request after a change is one SEARCH, and
    one FETCH if there are new messages.
    """

    def __init__(
        self,
        client: Client,
        shared: SharedLists,
        listener: ListListener,
        *,
        watched: Mapping[str, object],
        poll_interval: float,
    ) -> None:
        """Prepare a list.

        Folders that are not `watched` are read every `poll_interval` seconds.
        """
        self.mails: tuple[Mail, ...] | None = None
        self._client = client
        self._shared = shared
        self._listener = listener
        self._watched = watched
        self._poll_interval = poll_interval
        self._source = MailSource((), Criteria())
        self._is_online = False
        self._is_login_refused = False
        self._seen_changes: object = None
        self._failures = 0  # in a row
        self._wake = asyncio.Event()
        # UIDVALIDITY and messages by folder; None for a message that is not in the list.
        self._known: dict[str, tuple[int, dict[int, Mail | None]]] = {}
        # Messages that were removed, and until when (loop.time()) they are hidden.
        self._removed: dict[MailKey, float] = {}

    def update(
        self,
        source: MailSource,
        folders: Mapping[str, FolderState],
        *,
        is_online: bool,
    ) -> None:
        """Read the messages soon if source or folders have changed, or after an outage."""
        if source != self._source:
            self._source = source
            self._known.clear()
        if is_online and not self._is_online:
            self._is_login_refused = False
        self._is_online = is_online
        states = [folders.get(name, FolderState()) for name in source.folders]
        changes = (
            source,
            is_online,
            [(state.available, state.changes) for state in states],
        )
        if changes != self._seen_changes:
            self._seen_changes = changes
            self._wake.set()

    def refresh(self) -> None:
        """Read the messages soon."""
        self._wake.set()

    def remove(self, keys: set[MailKey]) -> None:
        """Remove messages that were changed so that they are no longer in the list."""
        hidden_until = asyncio.get_running_loop().time() + HIDDEN_SECONDS
        self._removed |= dict.fromkeys(keys, hidden_until)
        self._set(self.mails)

    async def run(self) -> None:
        """Read the messages after each change, until cancelled."""
        pause: float | None = None
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            await asyncio.sleep(CHANGE_DELAY_SECONDS)
            self._wake.clear()
            if self._is_online and not self._is_login_refused:
                pause = await self._refresh()

    async def _refresh(self) -> float | None:
        """Read the messages; return the seconds until they are read again without a change."""
        try:
            async with self._shared.lock:
                mails = await self._read()
        except ImapError as err:
            _LOGGER.debug("A list was not read: %s", type(err).__name__)
            return self._fail(err)
        except Exception:
            _LOGGER.exception("Error while reading a list of messages")
            return self._fail(None)
        self._failures = 0
        hidden_seconds = self._forget_removed(mails)
        self._set(mails)
        return min(filter(None, (hidden_seconds, self._interval)), default=None)

    def _forget_removed(self, mails: tuple[Mail, ...]) -> float | None:
        """Forget removed messages that the server no longer finds, or that are due.

        Return the seconds until the next one is due.
        """
        if not self._removed:
            return None
        now = asyncio.get_running_loop().time()
        found = {mail_key(mail) for mail in mails}
        for folder, (uid_validity, known) in self._known.items():
            found |= {(folder, uid_validity, uid) for uid in known}
        self._removed = {
            key: hidden_until
            for key, hidden_until in self._removed.items()
            if key in found and hidden_until > now
        }
        return min(self._removed.values(), default=now) - now or None

    def _set(self, mails: tuple[Mail, ...] | None) -> None:
        """Set the messages, without those that are hidden."""
        if mails is not None:
            mails = tuple(mail for mail in mails if mail_key(mail) not in self._removed)
        self.mails = mails
        self._listener.mails_changed()

    def _fail(self, error: ImapError | None) -> float | None:
        """Return the seconds until the next attempt; after it, the messages are unknown."""
        if self._failures or isinstance(error, LoginRefused):
            self._set(None)
        if isinstance(error, LoginRefused):
            # Servers lock accounts after too many attempts: wait until the account is connected.
            self._is_login_refused = True
            self._listener.login_refused()
            return None
        pause = doubled(RETRY_SECONDS, self._failures, MAX_RETRY_SECONDS)
        self._failures += 1
        return max(pause, (error and error.retry_after) or 0.0)

    @property
    def _interval(self) -> float | None:
        """Return the seconds after which messages may have changed without a report."""
        if not all(name in self._watched for name in self._source.folders):
            return self._poll_interval
        criteria = self._source.criteria
        if criteria.newer_than is not None or criteria.raw is not None:
            return TIME_DEPENDENT_COUNT_SECONDS
        return None

    async def _read(self) -> tuple[Mail, ...]:
        """Return the newest messages of all folders of the source, newest first."""
        source = self._source
        found = [
            mail
            for folder in source.folders
            for mail in await self._read_folder(source, folder)
        ]
        found.sort(key=_arrival, reverse=True)
        return tuple(found[: source.size])

    async def _read_folder(self, source: MailSource, folder: str) -> list[Mail]:
        limit = MAX_READ if source.mail_filter.reads_content else MAX_SEARCHED
        result = await self._client.search(folder, source.criteria, limit=limit)
        uid_validity, known = self._known.get(folder, (0, {}))
        if uid_validity != result.uid_validity:
            known = {}
        if source == self._source:  # After a failure, what was read is not read again.
            self._known[folder] = (result.uid_validity, known)
        found: list[Mail] = []
        for uids in batched(result.uids, MAX_FETCHED, strict=False):
            if unknown := [uid for uid in uids if uid not in known]:
                await self._get(source, folder, result.uid_validity, unknown, known)
            found += [mail for uid in uids if (mail := known.get(uid)) is not None]
            if len(found) >= source.size:
                break
        if source == self._source:
            matching = {uid: known[uid] for uid in result.uids if uid in known}
            self._known[folder] = (result.uid_validity, matching)
        return found

    async def _get(
        self,
        source: MailSource,
        folder: str,
        uid_validity: int,
        uids: list[int],
        known: dict[int, Mail | None],
    ) -> None:
        """Add messages to `known`, None for those that are not in the list."""
        shared = self._shared.mails
        if source.mail_filter == _NO_FILTER:  # Others compare what is not kept.
            for uid in uids:
                if mail := shared.get(((folder, uid_validity, uid), source.text_size)):
                    known[uid] = mail if await self._has(source, mail) else None
        if not (rest := [uid for uid in uids if uid not in known]):
            return
        for mail in await self._client.mails(
            folder,
            uid_validity,
            rest,
            text_size=source.text_size,
            recipients=source.mail_filter.recipient is not None,
        ):
            if await self._has(source, mail):
                kept = replace(mail, to=(), cc=(), reply_to=(), recipients=())
                known[mail.uid] = shared[mail_key(kept), source.text_size] = kept
            else:
                known[mail.uid] = None

    async def _has(self, source: MailSource, mail: Mail) -> bool:
        """Return whether a message that matches the criteria is in the list."""
        if source.accepts is not None and not source.accepts(mail):
            return False
        mail_filter = source.mail_filter
        return mail_filter == _NO_FILTER or await passes_filter(
            self._client, mail, mail_filter
        )


def _arrival(mail: Mail) -> datetime:
    return mail.received or mail.date or datetime.min.replace(tzinfo=UTC)
