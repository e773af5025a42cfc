"""Which of the newest mails a filter or a search would have matched, as rows of a table."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, NamedTuple

from ..account.mail_list import passes_filter
from ..account.saved_searches import SavedSearch
from ..helpers import format_time
from ..imap import Client, Criteria, CriteriaRefused, Mail
from ..mail.event_data import filter_fields
from ..mail.filter import MailFilter
from ..server_text import NOTHING, escape_markdown, single_line

# Mails in a preview, folders of a search that it reads, and seconds that it may take.
MAX_MAILS: Final = 20
MAX_FOLDERS: Final = 5
MAX_SECONDS: Final = 20
_MAX_CELL: Final = 60  # characters
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


class Candidate(NamedTuple):
    """A mail, and whether it would have matched."""

    mail: Mail
    is_match: bool


async def preview_filter(
    client: Client, folders: list[str], mail_filter: MailFilter
) -> list[Candidate]:
    """Return the newest mails of the first folders, and whether they pass a filter."""
    mails: list[Mail] = []
    for folder in folders[:MAX_FOLDERS]:
        mails += await _newest(client, folder)
    mails.sort(key=lambda mail: mail.received or _LONG_AGO, reverse=True)
    return [
        Candidate(mail, await passes_filter(client, mail, mail_filter))
        for mail in mails[:MAX_MAILS]
    ]


async def preview_search(client: Client, search: SavedSearch) -> list[Candidate]:
    """Return the newest mails of the first folders of a search, and whether they match."""
    found: list[Candidate] = []
    for folder in search.folders[:MAX_FOLDERS]:
        mails = await _newest(client, folder)
        uids = [mail.uid for mail in mails]
        [count] = await client.count(folder, [search.new_mail_criteria], uids)
        if isinstance(count, CriteriaRefused):
            raise count
        found += (
            Candidate(
                mail,
                mail.uid in count.matching
                and search.matches_attachments(filter_fields(mail)),
            )
            for mail in mails
        )
    found.sort(key=lambda item: item.mail.received or _LONG_AGO, reverse=True)
    return found[:MAX_MAILS]


def table_rows(candidates: Iterable[Candidate]) -> str:
    """Return rows of a Markdown table: match, time, sender and subject, all escaped."""
    return "\n".join(
        f"| {'✔' if is_match else NOTHING}"
        f" | {format_time(mail.received) if mail.received else NOTHING}"
        f" | {_cell(mail.sender_name or mail.sender)}"
        f" | {_cell(mail.subject)} |"
        for mail, is_match in candidates
    )


def _cell(text: str) -> str:
    return escape_markdown(single_line(text, _MAX_CELL)) or NOTHING


async def _newest(client: Client, folder: str) -> list[Mail]:
    found = await client.search(folder, Criteria(), limit=MAX_MAILS)
    return await client.mails(
        folder, found.uid_validity, found.uids[:MAX_MAILS], recipients=True
    )
