"""What a saved search looks for."""

from collections.abc import Mapping
import dataclasses
from dataclasses import dataclass
from typing import Any, Final

from homeassistant.config_entries import ConfigSubentry

from .const import (
    CONF_FLAGGED,
    CONF_FOLDERS,
    CONF_HAS_ATTACHMENT,
    CONF_LARGER_THAN,
    CONF_NEWER_THAN,
    CONF_RAW,
    CONF_RECIPIENT,
    CONF_SENDER,
    CONF_SUBJECT,
    CONF_TEXT,
    CONF_UNREAD,
)
from .event_data import NewMail
from .imap import Criteria

_OCTETS_PER_KILOBYTE: Final = 1024


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
        return dataclasses.replace(self.criteria, has_attachment=None)

    @property
    def ages(self) -> bool:
        """Return whether time alone may change what matches."""
        return self.criteria.newer_than is not None or self.criteria.raw is not None

    def fits(self, mail: NewMail) -> bool:
        """Return whether a mail has attachments, or none, as the search says."""
        return self.criteria.has_attachment in {None, bool(mail["attachments"])}


def criteria_from_config(config: Mapping[str, Any]) -> Criteria:
    """Return the criteria of a search's form, where sizes are in kilobytes."""
    kilobytes = config.get(CONF_LARGER_THAN)
    return Criteria(
        sender=config.get(CONF_SENDER),
        recipient=config.get(CONF_RECIPIENT),
        subject=config.get(CONF_SUBJECT),
        text=config.get(CONF_TEXT),
        unread=config.get(CONF_UNREAD),
        flagged=config.get(CONF_FLAGGED),
        larger_than=None if kilobytes is None else kilobytes * _OCTETS_PER_KILOBYTE,
        has_attachment=config.get(CONF_HAS_ATTACHMENT),
        newer_than=config.get(CONF_NEWER_THAN),
        raw=config.get(CONF_RAW),
    )


def search_from_subentry(subentry: ConfigSubentry) -> Search:
    """Return the search that a subentry describes."""
    return Search(
        name=subentry.title,
        folders=tuple(dict.fromkeys(subentry.data[CONF_FOLDERS])),
        criteria=criteria_from_config(subentry.data),
    )
