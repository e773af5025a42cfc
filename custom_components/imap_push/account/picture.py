"""The newest attached picture of a folder or a saved search."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from enum import StrEnum
from typing import Any, Final, NamedTuple

from homeassistant.config_entries import ConfigSubentry

from ..const import CONF_FILTER, CONF_FOLDER, CONF_PICTURE, SUBENTRY_TYPE_FOLDER
from ..imap import Attachment, Client, Mail
from ..mail.filter import MailFilter
from .mail_list import MailKey, MailSource, mail_key, without_flags
from .saved_searches import search_from_subentry

# Octets of a picture, and as they are transferred: base64 and its line breaks add 37 %.
MAX_PICTURE: Final = 10_000_000
MAX_TRANSFERRED: Final = MAX_PICTURE * 14 // 10
# Octets and number of the pictures that are kept for an account.
MAX_KEPT: Final = 20_000_000
MAX_NUMBER: Final = 200

# Types that browsers show, without SVG, which can contain scripts.
PICTURE_TYPES: Final = frozenset({"image/gif", "image/jpeg", "image/png", "image/webp"})
_SIGNATURES: Final = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
_SIGNATURE_SIZE: Final = 12


class PictureFetch(StrEnum):
    """When the picture is fetched from the server."""

    ON_DEMAND = "on_demand"
    ON_ARRIVAL = "on_arrival"


class Picture(NamedTuple):
    """A picture, with the type that its first octets show."""

    content_type: str
    content: bytes


def picture_fetch(config: Mapping[str, Any]) -> PictureFetch:
    """Return the option `picture` of a folder or a search."""
    try:
        return PictureFetch(config.get(CONF_PICTURE, PictureFetch.ON_DEMAND))
    except ValueError:
        return PictureFetch.ON_DEMAND


def picture_source(subentry: ConfigSubentry) -> MailSource:
    """Return the newest message of a folder or a saved search that has a picture."""
    if subentry.subentry_type != SUBENTRY_TYPE_FOLDER:
        search = search_from_subentry(subentry)
        criteria = search.criteria
        if criteria.has_attachment is None:
            criteria = replace(criteria, has_attachment=True)
        return MailSource(search.folders, criteria, accepts=attached_picture, size=1)
    criteria, mail_filter = without_flags(
        MailFilter.from_config(subentry.data.get(CONF_FILTER, {}))
    )
    inline = mail_filter.inline_images
    return MailSource(
        (subentry.data[CONF_FOLDER],),
        # SEARCH finds no attachments that are inline images of HTML.
        criteria if inline else replace(criteria, has_attachment=True),
        mail_filter,
        accepts=attached_or_inline_picture if inline else attached_picture,
        size=1,
    )


def attached_picture(mail: Mail) -> Attachment | None:
    """Return the first picture that is not too large and not shown by the HTML text."""
    return next((file for file in mail.files if _is_picture(file)), None)


def attached_or_inline_picture(mail: Mail) -> Attachment | None:
    """Return the first picture, preferably one that the HTML text does not show."""
    inline = (file for file in mail.attachments if _is_picture(file))
    return attached_picture(mail) or next(inline, None)


def _is_picture(file: Attachment) -> bool:
    return file.content_type in PICTURE_TYPES and file.size <= MAX_TRANSFERRED


def type_of_content(content: bytes | bytearray) -> str | None:
    """Return the type of a picture by its first octets, None for anything else."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next(
        (kind for start, kind in _SIGNATURES.items() if content.startswith(start)), None
    )


class Pictures:
    """Fetches the pictures of an account, one at a time, and keeps the last ones."""

    def __init__(self, client: Client) -> None:
        """Start without pictures."""
        self._client = client
        self._lock = asyncio.Lock()
        # None for an attachment that is no picture, or is too large.
        self._kept: dict[tuple[MailKey, str], Picture | None] = {}

    async def fetch(self, mail: Mail, file: Attachment) -> Picture | None:
        """Return a picture, None if its content is no picture or is too large.

        Raises ImapError.
        """
        key = mail_key(mail), file.part
        async with self._lock:
            if key not in self._kept:
                self._keep(key, await self._read(mail, file))
            return self._kept[key]

    async def _read(self, mail: Mail, file: Attachment) -> Picture | None:
        content = bytearray()
        reading = self._client.read_part(*mail_key(mail), file.part)
        async with aclosing(reading):
            async for piece in reading:
                content += piece
                is_too_large = len(content) > MAX_PICTURE
                is_known = len(content) >= _SIGNATURE_SIZE
                if is_too_large or (is_known and not type_of_content(content)):
                    return None
        content_type = type_of_content(content)
        return Picture(content_type, bytes(content)) if content_type else None

    def _keep(self, key: tuple[MailKey, str], picture: Picture | None) -> None:
        """Keep a picture; drop the oldest ones above the limit."""
        self._kept[key] = picture
        size = sum(len(kept.content) for kept in self._kept.values() if kept)
        while size > MAX_KEPT or len(self._kept) > MAX_NUMBER:
            dropped = self._kept.pop(next(iter(self._kept)))
            size -= len(dropped.content) if dropped else 0
