"""What is watched and searched: what the subentries of an entry say, at any moment."""

from collections.abc import Iterable, Iterator, Mapping
import copy
from dataclasses import dataclass
from typing import Any, Self

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import CONF_TOKEN
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.util.signal_type import SignalType

from ..const import (
    CONF_FILTER,
    CONF_FOLDER,
    CONF_LINKS,
    CONF_TEXT_SIZE,
    DEFAULT_TEXT_SIZE,
    DOMAIN,
    SUBENTRY_TYPE_FOLDER,
)
from ..imap import AccountWatcher, Mark, WatchedFolder
from ..mail.filter import MailFilter
from .devices import async_register_account, async_register_subentry
from .mark_store import MarkStore
from .saved_searches import Searches, search_from_subentry


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredFolder:
    """A watched folder as its subentry says; `text_size` is in characters."""

    subentry_id: str
    device_id: str
    text_size: int
    links: bool
    mail_filter: MailFilter


@dataclass(frozen=True, slots=True, kw_only=True)
class _Snapshot:
    """A config entry, and copies of its subentries: Home Assistant changes them in place.

    The OAuth token is left out because each renewal changes it; a new sign-in also changes
    `oauth_signed_in`.
    """

    title: str
    data: Mapping[str, Any]
    options: Mapping[str, Any]
    subentries: Mapping[str, ConfigSubentry]

    @classmethod
    def of(cls, entry: ConfigEntry) -> Self:
        """Return the present content of an entry."""
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
        """Return whether a change needs a reload of the entry."""
        return (self.title, self.data, self.options) != (
            after.title,
            after.data,
            after.options,
        ) or any(
            old.data.get(CONF_FOLDER) != new.data.get(CONF_FOLDER)
            for old, new in self.changed(after)
        )

    def missing_in(self, other: _Snapshot) -> Iterator[ConfigSubentry]:
        """Yield the subentries that the other snapshot does not have."""
        for subentry_id, subentry in self.subentries.items():
            if subentry_id not in other.subentries:
                yield subentry

    def changed(
        self, after: _Snapshot
    ) -> Iterator[tuple[ConfigSubentry, ConfigSubentry]]:
        """Yield the subentries that differ: the old and the new one of each."""
        for subentry_id, old in self.subentries.items():
            new = after.subentries.get(subentry_id)
            if new is not None and new != old:
                yield old, new


class Subentries:
    """Keeps watcher and searches of an account to what is configured.

    `folders` are those that are watched, by name. `signal_added` is sent for each subentry that comes
    while the account is watched; those that go take their devices and entities along.
    """

    def __init__(
        self, hass: HomeAssistant, entry: ConfigEntry, mark_store: MarkStore
    ) -> None:
        """Take what the entry says now."""
        self._hass = hass
        self._entry = entry
        self._mark_store = mark_store
        self._snapshot = _Snapshot.of(entry)
        self._watcher: AccountWatcher | None = None
        self.folders: dict[str, ConfiguredFolder] = {}
        self.signal_added = SignalType[ConfigSubentry](
            f"{DOMAIN}_{entry.entry_id}_subentry_added"
        )

    @property
    def subentries(self) -> Iterable[ConfigSubentry]:
        """Return the folders and searches that were taken over so far."""
        return self._snapshot.subentries.values()

    @callback
    def async_load(self, searches: Searches) -> None:
        """Register all devices, and take over all folders and searches."""
        self._searches = searches
        async_register_account(self._hass, self._entry)
        for subentry in self.subentries:
            self._async_take(subentry)

    def watched(self, marks: Mapping[str, Mark | None]) -> dict[str, WatchedFolder]:
        """Return how the folders are to be watched from these marks on."""
        return {
            name: _watched(folder, marks.get(name))
            for name, folder in self.folders.items()
        }

    @callback
    def async_start(self, watcher: AccountWatcher) -> None:
        """Tell the watcher of changes from now on."""
        self._watcher = watcher

    @callback
    def async_stop(self) -> None:
        """Tell the watcher of changes no more."""
        self._watcher = None

    @callback
    def async_apply(self) -> bool:
        """Take over what was changed since; return false if that takes a reload."""
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
    def _async_take(self, subentry: ConfigSubentry) -> None:
        """Take over what a subentry says, and name its device."""
        device_id = async_register_subentry(self._hass, self._entry, subentry)
        if subentry.subentry_type != SUBENTRY_TYPE_FOLDER:
            self._searches.put(subentry.subentry_id, search_from_subentry(subentry))
            return
        text_size, links = _text_options(subentry)
        self.folders[subentry.data[CONF_FOLDER]] = ConfiguredFolder(
            subentry_id=subentry.subentry_id,
            device_id=device_id,
            text_size=text_size,
            links=links,
            mail_filter=MailFilter.from_config(subentry.data.get(CONF_FILTER, {})),
        )

    @callback
    def _async_add(self, watcher: AccountWatcher, subentry: ConfigSubentry) -> None:
        """Watch a new folder or count a new search, beside all the others."""
        self._async_take(subentry)
        if subentry.subentry_type == SUBENTRY_TYPE_FOLDER:
            self._async_watch(watcher, subentry.data[CONF_FOLDER])
        async_dispatcher_send(self._hass, self.signal_added, subentry)

    @callback
    def _async_change(
        self, watcher: AccountWatcher, old: ConfigSubentry, new: ConfigSubentry
    ) -> None:
        """Take over what was changed of a folder or a search."""
        self._async_take(new)
        # The engine fetches the text; everything else is done here.
        if _text_options(old) != (options := _text_options(new)):
            text_size, links = options
            watcher.set_text(new.data[CONF_FOLDER], text_size, links=links)

    @callback
    def _async_watch(self, watcher: AccountWatcher, name: str) -> None:
        """Watch a folder from its mark on; a new one has none."""
        mark = self._mark_store.marks.get(name)
        watcher.add(name, _watched(self.folders[name], mark))

    @callback
    def _async_remove(self, watcher: AccountWatcher, subentry: ConfigSubentry) -> None:
        """Forget a folder or a search."""
        if subentry.subentry_type != SUBENTRY_TYPE_FOLDER:
            self._searches.remove(subentry.subentry_id)
            return
        name = subentry.data[CONF_FOLDER]
        del self.folders[name]
        watcher.remove(name)
        self._mark_store.async_drop(name)


def _text_options(subentry: ConfigSubentry) -> tuple[int, bool]:
    """Return the text size in characters and whether links are added.

    Folders of set-up have neither option, and those of older versions have no `links`.
    """
    data = subentry.data
    return data.get(CONF_TEXT_SIZE, DEFAULT_TEXT_SIZE), data.get(CONF_LINKS, False)


def _watched(folder: ConfiguredFolder, mark: Mark | None) -> WatchedFolder:
    """Return how the engine is to watch a folder."""
    return WatchedFolder(mark=mark, text_size=folder.text_size, links=folder.links)
