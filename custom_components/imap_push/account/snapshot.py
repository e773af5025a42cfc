"""What an entry said at a moment, and what has changed since."""

from collections.abc import Iterator, Mapping
import copy
from dataclasses import dataclass
from typing import Any, Self

from homeassistant.config_entries import ConfigEntry, ConfigSubentry
from homeassistant.const import CONF_TOKEN

from ..const import CONF_FOLDER


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """An entry and copies of its subentries, which Home Assistant changes in place.

    The token is left out, which is renewed all the time; that of a new sign-in comes with
    another `oauth_signed_in`.
    """

    title: str
    data: Mapping[str, Any]
    options: Mapping[str, Any]
    subentries: Mapping[str, ConfigSubentry]

    @classmethod
    def of(cls, entry: ConfigEntry) -> Self:
        """Return what an entry says now."""
        return cls(
            title=entry.title,
            data={key: entry.data[key] for key in entry.data if key != CONF_TOKEN},
            options=entry.options,
            subentries={
                subentry.subentry_id: copy.copy(subentry)
                for subentry in entry.subentries.values()
            },
        )

    def needs_reload(self, after: Snapshot) -> bool:
        """Return whether more has changed than can be taken over in place."""
        return (self.title, self.data, self.options) != (
            after.title,
            after.data,
            after.options,
        ) or any(
            old.data.get(CONF_FOLDER) != new.data.get(CONF_FOLDER)
            for old, new in self.changed(after)
        )

    def missing_in(self, other: Snapshot) -> Iterator[ConfigSubentry]:
        """Yield the subentries that the other does not have."""
        for subentry_id, subentry in self.subentries.items():
            if subentry_id not in other.subentries:
                yield subentry

    def changed(
        self, after: Snapshot
    ) -> Iterator[tuple[ConfigSubentry, ConfigSubentry]]:
        """Yield the subentries that are not what they were: before and after."""
        for subentry_id, old in self.subentries.items():
            new = after.subentries.get(subentry_id)
            if new is not None and new != old:
                yield old, new
