"""Applies the subentries of a config entry: the watched folders and the saved searches."""

from collections.abc import Iterable, Iterator, Mapping
import copy
from typing import Any, Final, NamedTuple, Self

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import CONF_TOKEN
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.util.signal_type import SignalType

from ..const import (
    CONF_FILTER,
    CONF_FOLDER,
    CONF_LINKS,
    CONF_TEXT,
    CONF_TEXT_SIZE,
    CONF_VALUE,
    DEFAULT_TEXT_SIZE,
    DOMAIN,
    MAX_TEXT_SIZE,
    SUBENTRY_TYPE_FOLDER,
)
from ..imap import AccountWatcher, Mark, WatchedFolder
from ..mail.content import Content
from ..mail.event_data import NewMail
from ..mail.filter import MailFilter
from .devices import async_register_account, async_register_subentry
from .mark_store import MarkStore
from .saved_searches import SavedSearches, search_from_subentry

# Changes of these require a reload: a value may need another sensor.
_RELOADING: Final = (CONF_FOLDER, CONF_VALUE)


class ConfiguredFolder(NamedTuple):
    """The options of a watched folder.

    `text_size` is in characters, 0 for no text. `event_size` is that of the event: a filter may
    need more text.
    """

    subentry_id: str
    device_id: str
    text_size: int
    event_size: int
    links: bool
    mail_filter: MailFilter

    async def passes(
        self, mail: NewMail, recipients: Iterable[str], content: Content
    ) -> bool:
        """Return whether a mail passes the filter. One that cannot be read passes."""
        if not self.mail_filter.matches(mail, recipients):
            return False
        if not self.mail_filter.needs_content(mail):
            return True
        found = await content.async_get()
        return found is None or self.mail_filter.matches_content(found)

    def without_text_for_filter(self, mail: NewMail) -> NewMail:
        """Return a mail with as much text as its event may have."""
        text, is_extended = mail["text"], self.text_size > self.event_size
        if text is None or not is_extended or len(text) <= self.event_size:
            return mail
        if not self.event_size:
            return mail | {"text": None}
        return mail | {"text": text[: self.event_size], "truncated": True}


class _Snapshot(NamedTuple):
    """A copy of the content of a config entry: Home Assistant changes subentries in place.

    The OAuth token is left out, as its renewal needs no reload. A new sign-in, which needs one,
    also changes `oauth_signed_in`.
    """

    title: str
    data: Mapping[str, Any]
    options: Mapping[str, Any]
    subentries: Mapping[str, ConfigSubentry]

    @classmethod
    def of(cls, entry: ConfigEntry) -> Self:
        """Return a snapshot of the current content of an entry."""
        return cls(
            title=entry.title,
            data={key: entry.data[key] for key in entry.data if key != CONF_TOKEN},
            options=entry.options,
            subentries={
                subentry.subentry_id: copy.copy(subentry)
                for subentry in entry.subentries.values()
            },
        )

    def needs_reload(self, after: _Snapshot) -> bool:
        """Return whether a change from this snapshot to `after` requires a reload."""
        return (self.title, self.data, self.options) != (
            after.title,
            after.data,
            after.options,
        ) or any(
            any(old.data.get(key) != new.data.get(key) for key in _RELOADING)
            for old, new in self.changed(after)
        )

    def missing_in(self, other: _Snapshot) -> Iterator[ConfigSubentry]:
        """Yield the subentries that are not in the `other` snapshot."""
        for subentry_id, subentry in self.subentries.items():
            if subentry_id not in other.subentries:
                yield subentry

    def changed(
        self, after: _Snapshot
    ) -> Iterator[tuple[ConfigSubentry, ConfigSubentry]]:
        """Yield the old and the new version of each subentry that was changed."""
        for subentry_id, old in self.subentries.items():
            new = after.subentries.get(subentry_id)
            if new is not None and new != old:
                yield old, new


class Subentries:
    """Applies the subentries of an entry, and later changes, to watcher and saved searches.

    `folders` has the watched folders by name, `search_devices` the device IDs of the saved
    searches by subentry ID. `added_signal` is a dispatcher signal, sent when a
    subentry is added while the account is loaded. Home Assistant itself removes the devices and
    entities of a removed subentry.
    """

    def __init__(
        self, hass: HomeAssistant, entry: ConfigEntry, mark_store: MarkStore
    ) -> None:
        """Take a snapshot of the entry."""
        self._hass = hass
        self._entry = entry
        self._mark_store = mark_store
        self._snapshot = _Snapshot.of(entry)
        self._watcher: AccountWatcher | None = None
        self.folders: dict[str, ConfiguredFolder] = {}
        self.search_devices: dict[str, str] = {}
        self.added_signal = SignalType[ConfigSubentry](
            f"{DOMAIN}_{entry.entry_id}_subentry_added"
        )

    @property
    def applied(self) -> Iterable[ConfigSubentry]:
        """Return the subentries of the entry as of the last applied change."""
        return self._snapshot.subentries.values()

    @callback
    def async_load(self, searches: SavedSearches) -> None:
        """Register all devices; fill `folders` and `searches` from the subentries."""
        self._searches = searches
        async_register_account(self._hass, self._entry)
        for subentry in self.applied:
            self._async_put(subentry)

    def watched_folders(
        self, marks: Mapping[str, Mark | None]
    ) -> dict[str, WatchedFolder]:
        """Return the initial folders of the watcher, each with its mark from `marks`."""
        return {
            name: _watched_folder(folder, marks.get(name))
            for name, folder in self.folders.items()
        }

    @callback
    def async_start(self, watcher: AccountWatcher) -> None:
        """Apply changes to the watcher from now on."""
        self._watcher = watcher

    @callback
    def async_stop(self) -> None:
        """Apply no more changes to the watcher."""
        self._watcher = None

    @callback
    def async_apply(self) -> bool:
        """Apply changes of the entry without a reload; return False if that is impossible."""
        before, after = self._snapshot, _Snapshot.of(self._entry)
        if (watcher := self._watcher) is None or before.needs_reload(after):
            return False
        self._snapshot = after
        for subentry in before.missing_in(after):
            self._async_remove(watcher, subentry)
        for old, new in before.changed(after):
            self._async_change(watcher, old, new)
        for subentry in after.missing_in(before):
            self._async_add(watcher, subentry)
        return True

    @callback
    def _async_put(self, subentry: ConfigSubentry) -> None:
        """Add or replace a folder or a search, and register its device."""
        device_id = async_register_subentry(self._hass, self._entry, subentry)
        if subentry.subentry_type != SUBENTRY_TYPE_FOLDER:
            self._searches.put(subentry.subentry_id, search_from_subentry(subentry))
            self.search_devices[subentry.subentry_id] = device_id
            return
        text_size, links = _text_options(subentry)
        self.folders[subentry.data[CONF_FOLDER]] = ConfiguredFolder(
            subentry_id=subentry.subentry_id,
            device_id=device_id,
            text_size=text_size,
            event_size=subentry.data.get(CONF_TEXT_SIZE, DEFAULT_TEXT_SIZE),
            links=links,
            mail_filter=MailFilter.from_config(subentry.data.get(CONF_FILTER, {})),
        )

    @callback
    def _async_add(self, watcher: AccountWatcher, subentry: ConfigSubentry) -> None:
        """Watch a new folder or count a new search."""
        self._async_put(subentry)
        if subentry.subentry_type == SUBENTRY_TYPE_FOLDER:
            name = subentry.data[CONF_FOLDER]
            mark = self._mark_store.marks.get(name)
            watcher.add(name, _watched_folder(self.folders[name], mark))
        async_dispatcher_send(self._hass, self.added_signal, subentry)

    @callback
    def _async_change(
        self, watcher: AccountWatcher, old: ConfigSubentry, new: ConfigSubentry
    ) -> None:
        """Apply the changes of a folder or a search."""
        self._async_put(new)
        # The watcher needs only the text options: the filter is applied by the coordinator.
        if _text_options(old) != (options := _text_options(new)):
            text_size, links = options
            watcher.set_text(new.data[CONF_FOLDER], text_size, links=links)

    @callback
    def _async_remove(self, watcher: AccountWatcher, subentry: ConfigSubentry) -> None:
        """Stop watching a folder or counting a search."""
        if subentry.subentry_type != SUBENTRY_TYPE_FOLDER:
            self._searches.remove(subentry.subentry_id)
            del self.search_devices[subentry.subentry_id]
            return
        name = subentry.data[CONF_FOLDER]
        del self.folders[name]
        watcher.remove(name)
        self._mark_store.async_drop_mark(name)


def _text_options(subentry: ConfigSubentry) -> tuple[int, bool]:
    """Return the text size to fetch in characters, and whether the text includes link targets.

    Folders added during account setup have neither option, and old ones have no `links`.
    """
    data = subentry.data
    text_size = data.get(CONF_TEXT_SIZE, DEFAULT_TEXT_SIZE)
    if data.get(CONF_FILTER, {}).get(CONF_TEXT):
        text_size = MAX_TEXT_SIZE
    return text_size, data.get(CONF_LINKS, False)


def _watched_folder(folder: ConfiguredFolder, mark: Mark | None) -> WatchedFolder:
    return WatchedFolder(mark=mark, text_size=folder.text_size, links=folder.links)
