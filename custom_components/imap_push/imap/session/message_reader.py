"""Parse FETCH items, large ones in a thread; a message that fails is returned as far as known."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
import contextlib
from functools import partial
import logging
from typing import Final

from ..errors import CommandRefused, ResponseTooLarge
from ..mime.body_text import Text
from ..mime.header import parse_mail
from ..mime.preview import (
    NO_TEXT,
    Preview,
    TextRequest,
    is_cut,
    preview_of,
    text_in,
    with_text,
)
from ..models import Mail
from ..wire.parser import Value, parse_number
from .fetch_items import SLICE
from .mark import Mark

_LOGGER = logging.getLogger(__name__)

# Parsing one value of a structure takes as long as parsing this many octets of text.
_OCTETS_PER_VALUE: Final = 10
# FETCH commands for missing text: if the plain text is blank, the HTML is fetched next.
_MAX_FETCHES: Final = 2


async def in_thread_if_large[T](values: Iterable[Value], read: Callable[[], T]) -> T:
    """Call `read`, in a thread if the values are so large that they would block the event loop."""
    return await asyncio.to_thread(read) if _is_large(values) else read()


async def read_message(
    folder: str,
    uid_validity: int,
    uid: int,
    items: Mapping[str, Value],
    request: TextRequest = NO_TEXT,
    preview: Preview | None = None,
) -> Mail:
    """Return a message with the requested text, which `preview` may already contain."""
    parsed = items
    if preview is not None or not request.size:
        parsed = {name: value for name, value in items.items() if name != "BODY[TEXT]"}
    read = partial(_read, folder, uid_validity, uid, items, request, preview)
    return await asyncio.to_thread(read) if _is_large(parsed.values()) else read()


async def pushed_message(
    folder: str, mark: Mark, items: Mapping[str, Value], request: TextRequest
) -> Mail | None:
    """Return the message that NOTIFY sent, None if it is not the next one or is incomplete."""
    uid = parse_number(items.get("UID"))
    if uid != mark.next_uid or "BODY" not in items:
        return None
    preview = (await read_previews({uid: items}, request)).get(uid)
    if preview and preview.more:
        return None
    return await read_message(folder, mark.uid_validity, uid, items, request, preview)


async def read_previews(
    messages: Mapping[int, Mapping[str, Value]], request: TextRequest
) -> dict[int, Preview]:
    """Return the text of each message that was not fetched completely."""
    previews: dict[int, Preview] = {}
    for uid, items in messages.items():
        if is_cut(items, request):
            read = partial(_preview, items, request)
            previews[uid] = await in_thread_if_large(items.values(), read)
            await asyncio.sleep(0)
    return previews


async def read_text(
    items: Mapping[str, Value], request: TextRequest, preview: Preview | None
) -> Text:
    """Return the text of a message, which `preview` may already contain."""
    if preview:
        return preview.text
    read = partial(_text, items, request)
    return await in_thread_if_large(items.values(), read)


async def complete_preview(
    items: Mapping[str, Value],
    preview: Preview,
    request: TextRequest,
    fetch: Callable[[str], Awaitable[Mapping[str, Value]]],
) -> tuple[dict[str, Value], Preview]:
    """Fetch what is missing of a message; return its items and its text.

    `fetch` sends a FETCH of this message. If the server refuses it, the text stays incomplete.
    The body is not returned: the bodies of many messages would take too much memory.
    """
    found = dict(items)
    for _ in range(_MAX_FETCHES):
        if preview.more is None:
            break
        more: Mapping[str, Value] = {}
        with contextlib.suppress(CommandRefused, ResponseTooLarge):
            more = await fetch(preview.more)
        if not more.keys() - {"UID", "FLAGS"}:
            break  # Repeating the FETCH would not help.
        found.update(more)
        read = partial(_preview, found, request)
        preview = await in_thread_if_large(found.values(), read)
    return {name: found[name] for name in items}, preview._replace(more=None)


def _read(
    folder: str,
    uid_validity: int,
    uid: int,
    items: Mapping[str, Value],
    request: TextRequest,
    preview: Preview | None,
) -> Mail:
    try:
        mail = parse_mail(folder, uid_validity, uid, items)
    except Exception:
        _LOGGER.exception(
            "A message cannot be read; it is delivered without its fields"
        )
        mail = Mail(folder=folder, uid_validity=uid_validity, uid=uid)
    if not request.size:
        return mail
    text = preview.text if preview else _text(items, request)
    return with_text(mail, text)


def _preview(items: Mapping[str, Value], request: TextRequest) -> Preview:
    try:
        return preview_of(items, request)
    except Exception:
        _LOGGER.exception("The text of a message cannot be read")
        return Preview(Text(is_cut=True))


def _text(items: Mapping[str, Value], request: TextRequest) -> Text:
    try:
        return text_in(items, request)
    except Exception:
        _LOGGER.exception("The text of a message cannot be read")
        return Text(is_cut=True)


def _is_large(values: Iterable[Value]) -> bool:
    """Return True if parsing the values would block the event loop."""
    left = SLICE
    pending = [tuple(values)]
    while pending and left >= 0:
        group = pending.pop()
        left -= _OCTETS_PER_VALUE * len(group) + sum(map(len, filter(None, group)))
        if tuple in map(type, group):
            pending += [value for value in group if isinstance(value, tuple)]
    return left < 0
