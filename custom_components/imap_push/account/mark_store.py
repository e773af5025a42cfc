"""The marks of an account's folders, kept on disk."""

from collections.abc import Iterable
from datetime import UTC, datetime
import logging
from typing import Final, NotRequired, TypedDict

from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.storage import Store

from ..const import DOMAIN
from ..imap import Mark

_LOGGER = logging.getLogger(__name__)

STORAGE_VERSION: Final = 1

# Seconds. A power cut repeats at most what was delivered within this time.
SAVE_DELAY: Final = 0.5


# What reading a damaged file can raise.
_DAMAGE: Final = (
    AttributeError,
    HomeAssistantError,
    KeyError,
    OverflowError,
    TypeError,
    ValueError,
)


class _StoredMarks(TypedDict):
    """What the file holds: the marks by folder, and the login whose marks they are.

    `pipelining` is false where the server does not stand several commands in one write.
    """

    username: str
    pipelining: NotRequired[bool]
    folders: dict[str, _StoredMark]


class _StoredMark(TypedDict):
    """What the file holds of a folder's mark; see `imap.Mark`."""

    uid_validity: int
    next_uid: int
    last_received: str | None
    remembered: list[str]


def _mark_to_dict(mark: Mark) -> _StoredMark:
    """Return a mark as JSON knows it."""
    received = mark.last_received
    return {
        "uid_validity": mark.uid_validity,
        "next_uid": mark.next_uid,
        "last_received": received.isoformat() if received else None,
        "remembered": list(mark.remembered),
    }


def _mark_from_dict(stored: _StoredMark) -> Mark:
    """Return the mark that was stored; one of version 0.1 remembers nothing.

    Raises ValueError or TypeError for what no mark can be (RFC 3501 2.3.1.1: 32 bits).
    """
    uid_validity, next_uid = int(stored["uid_validity"]), int(stored["next_uid"])
    if not (0 <= uid_validity < 2**32 and 0 < next_uid <= 2**32):
        raise ValueError("a number that no server can have given")
    remembered = stored.get("remembered", [])
    if not isinstance(remembered, list) or not all(
        isinstance(digest, str) for digest in remembered
    ):
        raise TypeError("no list of digests")
    received = stored.get("last_received")
    return Mark(
        uid_validity,
        next_uid,
        datetime.fromisoformat(received).astimezone(UTC) if received else None,
        tuple(remembered),
    )


def _store(hass: HomeAssistant, entry_id: str) -> Store[_StoredMarks]:
    """Return the store of a config entry's marks."""
    return Store(hass, STORAGE_VERSION, f"{DOMAIN}.{entry_id}", private=True)


async def async_remove_marks(hass: HomeAssistant, entry_id: str) -> None:
    """Remove the marks of a config entry from disk."""
    await _store(hass, entry_id).async_remove()


class MarkStore:
    """Keeps the marks of one account; what it is told is on disk within a second."""

    def __init__(self, hass: HomeAssistant, entry_id: str, username: str) -> None:
        """Keep the marks of this login."""
        self._store = _store(hass, entry_id)
        self._username = username
        self._marks: dict[str, Mark] = {}
        self._save_is_due = False
        self.pipelining = True

    @property
    def marks(self) -> dict[str, Mark]:
        """Return a copy of the marks by folder."""
        return dict(self._marks)

    async def async_load(self, folders: Iterable[str]) -> dict[str, Mark | None]:
        """Return the mark of each of these folders, None without one; drop all others.

        A folder that is watched no more loses its mark: should it come back, what
        arrived in between is not new.
        """
        stored = await self._async_load_all()
        found = {folder: stored.get(folder) for folder in folders}
        self._marks = {folder: mark for folder, mark in found.items() if mark}
        return found

    async def _async_load_all(self) -> dict[str, Mark]:
        """Return all marks on disk that can be read."""
        try:
            stored = await self._store.async_load()
            # Another login has other mailboxes, and servers exist where all of them
            # have the same UIDVALIDITY.
            if stored is None or stored["username"] != self._username:
                return {}
            self.pipelining = stored.get("pipelining", True) is not False
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
            "What was delivered so far of %s cannot be read from %s, so that mail which "
            "arrived since Home Assistant was last running gives no event: %r",
            what,
            self._store.key,
            err,
        )

    @callback
    def async_move(self, folder: str, mark: Mark) -> None:
        """Take a folder's new mark."""
        self._marks[folder] = mark
        self._async_schedule_save()

    @callback
    def async_drop(self, folder: str) -> None:
        """Forget a folder that is watched no more; see `async_load`."""
        if self._marks.pop(folder, None) is not None:
            self._async_schedule_save()

    @callback
    def async_do_without_pipelining(self) -> None:
        """Remember that the server does not stand several commands in one write."""
        self.pipelining = False
        self._async_schedule_save()

    @callback
    def _async_schedule_save(self) -> None:
        """Write in a moment, unless that is about to happen anyway."""
        # Asking again would put the pending save off, a steady stream for ever.
        if not self._save_is_due:
            self._save_is_due = True
            self._store.async_delay_save(self._data_to_save, SAVE_DELAY)

    async def async_save(self) -> None:
        """Write the marks now."""
        await self._store.async_save(self._data_to_save())

    @callback
    def _data_to_save(self) -> _StoredMarks:
        """Return what the file is to hold; asked for at the moment of writing."""
        self._save_is_due = False
        return {
            "username": self._username,
            "pipelining": self.pipelining,
            "folders": {
                folder: _mark_to_dict(mark) for folder, mark in self._marks.items()
            },
        }
