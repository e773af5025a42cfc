"""Reading mails: header fields, text, parts, each bounded (RFC 3501 6.4.5)."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import batched
import re
from typing import Final

from .command import Command
from .desk import Desk, fetch
from .errors import (
    CommandRefused,
    MailNotFound,
    PartNotFound,
    ProtocolError,
    ResponseTooLarge,
)
from .fetching import MAX_UID, SLICE, Fetched, fetch_carefully, fetched
from .mime.body_structure import Part, find_part, text_parts
from .mime.body_text import octets_for, readable, text_of
from .mime.header import MAX_HEADER
from .mime.header_fields import parse_headers
from .mime.preview import reduced_fetch_items
from .models import Content, Mail
from .refusals import passing_refusal
from .responses import MAX_DEPTH, Value
from .sweep import read_with_text

# Mails that one request reads at the most, and one command.
MAX_MAILS: Final = 500
_MAILS_AT_ONCE: Final = 100
# Octets that one request for a piece of a part asks for.
PIECE: Final = 262_144

# No part is within more multiparts than are read of a structure.
_PART: Final = re.compile(rf"[1-9]\d{{0,3}}(?:\.[1-9]\d{{0,3}}){{0,{MAX_DEPTH}}}")
_WHOLE_HEADER: Final = (
    f"(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER]<0.{MAX_HEADER}>)"
)
# What is asked for, each time less, of a message that cannot be shown whole.
_MAIL: Final = reduced_fetch_items(0)
_CONTENT: Final = (f"{_WHOLE_HEADER[:-1]} BODYSTRUCTURE)", _WHOLE_HEADER)


async def fetch_mails(
    desk: Desk, folder: str, uid_validity: int, uids: Sequence[int]
) -> list[Mail]:
    """Return the first MAX_MAILS of these mails, as far as they are there, in this order."""
    usable = list(dict.fromkeys(uid for uid in uids if 0 < uid <= MAX_UID))
    found: dict[int, Mail] = {}
    for asked in batched(usable[:MAX_MAILS], _MAILS_AT_ONCE, strict=False):
        ask = partial(_fetch, desk, folder, uid_validity)
        items = await fetch_carefully(ask, asked, _MAIL, _concerns_message)
        for uid in asked:
            if uid in items:
                mail = await read_with_text(folder, uid_validity, uid, items[uid])
                # Only filters of new mail need all recipients; here they would fill the memory.
                found[uid] = replace(mail, recipients=())
                await asyncio.sleep(0)
    return [found[uid] for uid in usable if uid in found]


async def fetch_content(
    desk: Desk, folder: str, uid_validity: int, uid: int, text_size: int
) -> Content:
    """Return a mail, its header and so many characters of its text."""
    items = await _fetch_one(desk, folder, uid_validity, uid, *_CONTENT)
    header = _body(items)
    items["BODY"] = header
    mail = await read_with_text(folder, uid_validity, uid, items)
    text, truncated = "", True
    if text_size > 0:
        # Some mail has a plain text with nothing in it beside its HTML.
        parts: list[Part | None] = [*text_parts(items.get("BODYSTRUCTURE"))]
        for part in parts or [None]:
            text, truncated = await _fetch_text(
                desk, folder, uid_validity, uid, header, part, text_size
            )
            if text:
                break
    return Content(
        mail=mail,
        headers=await _beside(header, partial(parse_headers, header)),
        text=text,
        truncated=truncated,
    )


async def _fetch_text(
    desk: Desk,
    folder: str,
    uid_validity: int,
    uid: int,
    header: bytes,
    part: Part | None,
    size: int,
) -> tuple[str, bool]:
    """Return so many characters of a part's text, or of what the header says; and if it is cut."""
    limit = octets_for(size)
    section = f"BODY.PEEK[{part.number if part else 'TEXT'}]<0.{limit}>"
    body = await _fetch_one(desk, folder, uid_validity, uid, f"(UID {section})")
    octets = _body(body)[:limit]
    whole = len(octets) < limit
    if part is not None:
        read = partial(readable, part.kind, octets, size, whole=whole)
    else:
        read = partial(text_of, header, octets, size, whole=whole)
    return await _beside(octets, read)


async def _beside[T](octets: bytes, read: Callable[[], T]) -> T:
    """Read octets; many of them beside the event loop."""
    return await asyncio.to_thread(read) if len(octets) > SLICE else read()


async def fetch_part(
    desk: Desk, folder: str, uid_validity: int, uid: int, number: str
) -> Part:
    """Return what is known of a part; raise PartNotFound."""
    if not _PART.fullmatch(number):
        raise PartNotFound("not a part's number")
    items = await _fetch_one(desk, folder, uid_validity, uid, "(UID BODYSTRUCTURE)")
    part = find_part(items.get("BODYSTRUCTURE"), number)
    if part is None:
        raise PartNotFound("the mail has no such part")
    return part


async def fetch_piece(
    desk: Desk, folder: str, uid_validity: int, uid: int, number: str, start: int
) -> bytes:
    """Return PIECE octets of a part as they are, fewer at its end."""
    command = fetch([uid], f"(UID BODY.PEEK[{number}]<{start}.{PIECE}>)")
    await desk.read_on(folder, uid_validity, command)
    found = await _fetched_one(command, uid)
    if found is None or len(piece := _body(found)) > PIECE:
        raise ProtocolError("more of a part than was asked for")
    if len(piece) < PIECE:
        await desk.read(folder, uid_validity)
    return piece


async def _fetch(
    desk: Desk, folder: str, uid_validity: int, uids: Sequence[int], items: str
) -> Fetched:
    """Return what is asked of some mails; of one that was removed meanwhile, nothing."""
    command = fetch(uids, items)
    await desk.read(folder, uid_validity, command)
    try:
        return await fetched(command)
    except CommandRefused as error:
        if error.code == "EXPUNGEISSUED" and len(uids) == 1:
            return Fetched()
        raise


def _concerns_message(error: CommandRefused) -> bool:
    """Return if the server may be unable to show one of the mails that were asked for."""
    # Dovecot calls it its own bug when it cannot read a mail.
    is_broken = error.code == "SERVERBUG" or not passing_refusal(error)
    return error.status == "NO" and is_broken


async def _fetch_one(
    desk: Desk, folder: str, uid_validity: int, uid: int, *items: str
) -> dict[str, Value]:
    """Return the first of what is asked of a mail that is not too large.

    Raises MailNotFound, and ResponseTooLarge if everything is.
    """
    if not 0 < uid <= MAX_UID:
        raise MailNotFound("not a mail's number")
    for asked in items:
        command = fetch([uid], asked)
        await desk.read(folder, uid_validity, command)
        if (found := await _fetched_one(command, uid)) is not None:
            return found
    raise ResponseTooLarge("more of a mail than is read at a time")


async def _fetched_one(command: Command, uid: int) -> dict[str, Value] | None:
    """Return the items of a mail, None if they are too large; raise MailNotFound."""
    try:
        found = await fetched(command)
    except CommandRefused as error:
        if error.code != "EXPUNGEISSUED":
            raise
        found = Fetched()
    items = found.messages.get(uid)
    # Changed flags come without being asked for.
    if items is not None and items.keys() - {"UID", "FLAGS"}:
        return items
    if not found.is_whole:
        return None
    raise MailNotFound("the mail is not in the folder any more")


def _body(items: dict[str, Value]) -> bytes:
    """Return the section that was fetched."""
    for name, value in items.items():
        if name.startswith("BODY") and name != "BODYSTRUCTURE":
            return value if isinstance(value, bytes) else b""
    return b""
