"""Which messages are the items of a to-do list, and what completing an item does."""

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any, Final, NamedTuple

from homeassistant.config_entries import ConfigSubentry

from ..const import CONF_FILTER, CONF_FOLDER, CONF_TODO, SUBENTRY_TYPE_FOLDER
from ..imap import Criteria, Mail
from ..mail.filter import MailFilter
from ..server_text import NOTHING, escape_markdown, single_line
from .mail_list import MailSource, without_flags
from .saved_searches import search_from_subentry

# Characters of an item's text, before Markdown is escaped, and of its summary.
TEXT_SIZE: Final = 500
SUMMARY_SIZE: Final = 200


class TodoKind(StrEnum):
    """Which messages that pass the filter of a folder, or match a saved search, are items."""

    UNREAD = "unread"
    FLAGGED = "flagged"
    MATCHING = "matching"


class Completion(NamedTuple):
    """The flags that are added or removed when an item is completed."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


MARK_READ: Final = Completion(add=(r"\Seen",))
REMOVE_FLAG: Final = Completion(remove=(r"\Flagged",))


class TodoList(NamedTuple):
    """The items of a to-do list, and what completes one; None if items cannot be completed."""

    source: MailSource
    completion: Completion | None


def todo_list_of(subentry: ConfigSubentry) -> TodoList:
    """Return the to-do list of a folder or a saved search."""
    kind = _kind(subentry.data)
    if subentry.subentry_type == SUBENTRY_TYPE_FOLDER:
        folders: tuple[str, ...] = (subentry.data[CONF_FOLDER],)
        criteria, mail_filter = without_flags(
            MailFilter.from_config(subentry.data.get(CONF_FILTER, {}))
        )
    else:
        search = search_from_subentry(subentry)
        folders, criteria = search.folders, search.criteria
        mail_filter = MailFilter(has_attachment=criteria.has_attachment)
    criteria = _with_kind(criteria, kind)
    source = MailSource(folders, criteria, mail_filter, text_size=TEXT_SIZE)
    return TodoList(source, _completion(criteria, kind))


def _kind(config: Mapping[str, Any]) -> TodoKind:
    try:
        return TodoKind(config.get(CONF_TODO, TodoKind.UNREAD))
    except ValueError:
        return TodoKind.UNREAD


def _with_kind(criteria: Criteria, kind: TodoKind) -> Criteria:
    """Add the criterion of the kind, unless the opposite is required."""
    if kind is TodoKind.UNREAD and criteria.unread is None:
        return replace(criteria, unread=True)
    if kind is TodoKind.FLAGGED and criteria.flagged is None:
        return replace(criteria, flagged=True)
    return criteria


def _completion(criteria: Criteria, kind: TodoKind) -> Completion | None:
    """Return the change after which a message no longer matches."""
    if criteria.flagged and (kind is TodoKind.FLAGGED or not criteria.unread):
        return REMOVE_FLAG
    return MARK_READ if criteria.unread else None


def item_id(mail: Mail) -> str:
    """Return the ID of the item for a message."""
    return f"{mail.uid_validity}-{mail.uid}-{mail.folder}"


def summary_of(mail: Mail) -> str:
    """Return sender and subject in one line."""
    texts = (mail.sender_name or mail.sender, mail.subject)
    lines = [line for text in texts if (line := single_line(text, SUMMARY_SIZE))]
    return ": ".join(lines) or NOTHING


def description_of(mail: Mail) -> str | None:
    """Return the text in one line. The frontend renders it as Markdown, so it is escaped.

    Otherwise a sender could show links and images, and find out that a message was read.
    """
    return escape_markdown(mail.text or "") or None
