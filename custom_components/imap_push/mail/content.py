"""The text and the header of a new mail, for filters that need more than its event has."""

import asyncio
from collections.abc import Callable, Mapping
import logging
from typing import Any, Final

from ..const import MAX_TEXT_SIZE
from ..imap import Client, FolderRenumbered, ImapError, MailNotFound, MessageContent

_LOGGER = logging.getLogger(__name__)

# Seconds before each attempt to fetch the content.
ATTEMPTS: Final = (0.0, 5.0, 30.0)


class Content:
    """The content of a mail. It is fetched when the first filter needs it, for all of them."""

    def __init__(
        self, start: Callable[[], asyncio.Task[MessageContent | None]]
    ) -> None:
        """Fetch nothing yet. `start` starts a task that fetches the content."""
        self._start = start
        self._task: asyncio.Task[MessageContent | None] | None = None

    async def async_get(self) -> MessageContent | None:
        """Return the content, None if the mail is gone or cannot be read."""
        if self._task is None:
            self._task = self._start()
        # A filter that no longer waits must not cancel the fetch of the others.
        return await asyncio.shield(self._task)


async def async_fetch_content(
    client: Client, mail: Mapping[str, Any]
) -> MessageContent | None:
    """Fetch the content of a mail; return None if the mail is gone or cannot be read."""
    for seconds in ATTEMPTS:
        await asyncio.sleep(seconds)
        try:
            return await client.content(
                mail["folder"],
                mail["uid_validity"],
                mail["uid"],
                text_size=MAX_TEXT_SIZE,
            )
        except FolderRenumbered, MailNotFound:
            return None
        except ImapError as err:
            reason = type(err).__name__
    _LOGGER.warning("A filter cannot read the text or header of a mail (%s)", reason)
    return None
