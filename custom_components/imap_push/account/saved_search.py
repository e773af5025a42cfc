"""What a saved search looks for."""

import dataclasses
from dataclasses import dataclass

from homeassistant.config_entries import ConfigSubentry

from ..const import CONF_FOLDERS
from ..helpers import criteria_from_config
from ..imap import Criteria
from ..mail.event_data import NewMail
from ..mail.filter import attached_files


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
        return self.criteria.has_attachment in {None, bool(attached_files(mail))}


def search_from_subentry(subentry: ConfigSubentry) -> Search:
    """Return the search that a subentry describes."""
    return Search(
        name=subentry.title,
        folders=tuple(dict.fromkeys(subentry.data[CONF_FOLDERS])),
        criteria=criteria_from_config(subentry.data),
    )
