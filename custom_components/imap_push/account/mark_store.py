"""Stores on disk which mail of each folder was delivered: the marks (see `imap.Mark`)."""

from collections.abc import Iterable
from datetime import UTC, datetime
import logging
from typing import Final, NotRequired, TypedDict

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util

from ..const import DOMAIN
from ..imap import Mark

_LOGGER = logging.getLogger(__name__)

STORAGE_VERSION: Final = 1

# Mail that was delivered less than this time before a power failure is delivered again.
SAVE_DELAY_SECONDS: Final = 0.5

# Exceptions that a damaged file can cause.
_DAMAGE: Final = (
    AttributeError,
    HomeAssistantError,
    KeyError,
    OverflowError,
    TypeError,
    ValueError,
)


class _StoredMarks(TypedDict):
    """Content of the file: marks by folder name, and the username of the account.

    `backup_at` is when the backup began that contains this file; None except during a backup, or
    after a restore.
    """

    username: str
    backup_at: NotRequired[str | None]
    folders: dict[str, _StoredMark]


class _StoredMark(TypedDict):
    """The mark of a folder in the file; the fields are those of `imap.Mark`."""

    uid_validity: int
    next_uid: int
    last_received: str | None
    remembered: list[str]


def _mark_to_dict(mark: Mark) -> _StoredMark:
    received = mark.last_received
    return {
        "uid_validity": mark.uid_validity,
        "next_uid": mark.next_uid,
        "last_received": received.isoformat() if received else None,
        "remembered": list(mark.remembered),
    }


def _mark_from_dict(stored: _StoredMark) -> Mark:
    """Convert a stored mark, which has no `remembered` if version 0.1 wrote it.

    Raises one of _DAMAGE if the mark is invalid. UIDs have 32 bits (RFC 3501 2.3.1.1).
    """
    uid_validity, next_uid = int(stored["uid_validity"]), int(stored["next_uid"])
    if not (0 <= uid_validity < 2**32 and 0 < next_uid <= 2**32):
        raise ValueError("UIDVALIDITY or UIDNEXT out of range")
    remembered = stored.get("remembered", [])
    if not isinstance(remembered, list) or not all(
        isinstance(digest, str) for digest in remembered
    ):
        raise TypeError("not a list of digests")
    received = stored.get("last_received")
    return Mark(
        uid_validity,
        next_uid,
        datetime.fromisoformat(received).astimezone(UTC) if received else None,
        tuple(remembered),
    )


def _store(hass: HomeAssistant, entry_id: str) -> Store[_StoredMarks]:
    return Store(hass, STORAGE_VERSION, f"{DOMAIN}.{entry_id}", private=True)


async def async_remove_marks(hass: HomeAssistant, entry_id: str) -> None:
    """Delete the file with the marks of a config entry."""
    await _store(hass, entry_id).async_remove()


class MarkStore:
    """Stores the marks of one account, each change within a second.

    `restored_from` is the time of the backup from which the loaded marks were restored, or None.
    """

    def __init__(self, hass: HomeAssistant, entry_id: str, username: str) -> None:
        """Prepare the store. Stored marks of another username will be ignored."""
        self._store = _store(hass, entry_id)
        self._username = username
        self._marks: dict[str, Mark] = {}
        self._is_save_scheduled = False
        self._backup_at: str | None = None
        self.restored_from: datetime | None = None

    @property
    def marks(self) -> dict[str, Mark]:
        """Return a copy of the marks by folder."""
        return dict(self._marks)

    async def async_load(self, folders: Iterable[str]) -> dict[str, Mark | None]:
        """Load the mark of each of these folders, or None; drop all other marks.

        So if an unwatched folder is added again later, mail that arrived in between is not
        delivered as new.
        """
        stored = await self._async_load_all()
        found = {folder: stored.get(folder) for folder in folders}
        self._marks = {folder: mark for folder, mark in found.items() if mark}
        return found

    async def _async_load_all(self) -> dict[str, Mark]:
        """Return all valid marks on disk; log the invalid ones."""
        try:
            stored = await self._store.async_load()
            # Another username has other mailboxes, and UIDVALIDITY does not always show it:
            # on some servers it is the same for all mailboxes.
            if stored is None or stored["username"] != self._username:
                return {}
            self.restored_from = dt_util.parse_datetime(str(stored.get("backup_at")))
            folders = list(stored["folders"].items())
        except _DAMAGE as err:
            self._log_damage("this account", err)
            return {}
        marks = {}
        for folder, mark in folders:
            try:
                marks[folder] = _mark_from_dict(mark)
            except _DAMAGE as err:
                self._log_damage(f"the folder {folder}", err)
        return marks

    def _log_damage(self, what: str, err: Exception) -> None:
        _LOGGER.error(
            "Cannot read from %s which email of %s was delivered, so email that arrived while "
            "Home Assistant was not running triggers no events: %r",
            self._store.key,
            what,
            err,
        )

    @callback
    def async_set_mark(self, folder: str, mark: Mark) -> None:
        """Store a folder's new mark."""
        self._marks[folder] = mark
        self._async_schedule_save()

    @callback
    def async_drop_mark(self, folder: str) -> None:
        """Drop the mark of a folder that is no longer watched, for the reason in async_load()."""
        if self._marks.pop(folder, None) is not None:
            self._async_schedule_save()

    @callback
    def _async_schedule_save(self) -> None:
        """Save the marks after a delay, unless a save is scheduled already."""
        # async_delay_save restarts the delay: frequent calls would postpone the save forever.
        if not self._is_save_scheduled:
            self._is_save_scheduled = True
            self._store.async_delay_save(self._data_to_save, SAVE_DELAY_SECONDS)

    async def async_save(self, backup_at: str | None = None) -> None:
        """Save the marks now; with `backup_at` until the next call, because a backup begins."""
        self._backup_at = backup_at
        await self._store.async_save(self._data_to_save())

    @callback
    def _data_to_save(self) -> _StoredMarks:
        """Return the content of the file; called when the file is written."""
        self._is_save_scheduled = False
        return {
            "username": self._username,
            "backup_at": self._backup_at,
            "folders": {
                folder: _mark_to_dict(mark) for folder, mark in self._marks.items()
            },
        }
