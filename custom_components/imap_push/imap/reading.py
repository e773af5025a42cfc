"""Reading mails: header fields, text, parts, each bounded (RFC 3501 6.4.5)."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from itertools import batched
import re
from typing import Final

from .command import Command
from .desk import Desk, fetch
from .errors import CommandRefused, MailNotFound, PartNotFound, ProtocolError
from .fetching import MAX_UID, SLICE, fetched
from .headers import parse_headers
from .message import FETCH_ITEMS, MAX_HEADER
from .models import Content, Mail
from .refusals import passing_refusal
from .responses import Value
from .structure import Part, find_part, text_parts
from .sweep import read_with_text
from .text import octets_for, readable, text_of

# Mails that one request reads at the most, and one command.
MAX_MAILS: Final = 500
_MAILS_AT_ONCE: Final = 100
# Octets that one request for a piece of a part asks for.
PIECE: Final = 262_144

_PART: Final = re.compile(r"[1-9]\d{0,3}(?:\.[1-9]\d{0,3}){0,20}")
_WHOLE_HEADER: Final = (
    "(UID FLAGS INTERNALDATE RFC822.SIZE"
    f" BODY.PEEK[HEADER]<0.{MAX_HEADER}> BODYSTRUCTURE)"
)


async def fetch_mails(
    desk: Desk, folder: str, uid_validity: int, uids: Sequence[int]
) -> list[Mail]:
    """Return the first MAX_MAILS of these mails, as far as they are there, in this order."""
    usable = list(dict.fromkeys(uid for uid in uids if 0 < uid <= MAX_UID))
    found: dict[int, Mail] = {}
    for asked in batched(usable[:MAX_MAILS], _MAILS_AT_ONCE, strict=False):
        items = await _fetch_carefully(desk, folder, uid_validity, asked)
        for uid in asked:
            if uid in items:
                found[uid] = await read_with_text(folder, uid_validity, uid, items[uid])
                await asyncio.sleep(0)
    return [found[uid] for uid in usable if uid in found]


async def fetch_content(
    desk: Desk, folder: str, uid_validity: int, uid: int, text_size: int
) -> Content:
    """Return a mail, its header and so many characters of its text."""
    items = await _fetch_one(desk, folder, uid_validity, uid, _WHOLE_HEADER)
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
    piece = _body(await _fetched_one(command, uid))
    if len(piece) > PIECE:
        raise ProtocolError("more of a part than was asked for")
    if len(piece) < PIECE:
        await desk.read(folder, uid_validity)
    return piece


async def _fetch_carefully(
    desk: Desk, folder: str, uid_validity: int, uids: Sequence[int]
) -> dict[int, dict[str, Value]]:
    """Fetch mails; one that the server refuses to show is told of without its fields."""
    command = fetch(uids, FETCH_ITEMS)
    await desk.read(folder, uid_validity, command)
    try:
        return await fetched(command)
    except CommandRefused as error:
        # Dovecot calls it its own bug when it cannot read a mail.
        is_broken = error.code == "SERVERBUG" or not passing_refusal(error)
        if error.status != "NO" or not is_broken:
            raise
        if len(uids) == 1:
            return {} if error.code == "EXPUNGEISSUED" else {uids[0]: {}}
    found: dict[int, dict[str, Value]] = {}
    for half in batched(uids, (len(uids) + 1) // 2, strict=False):
        found |= await _fetch_carefully(desk, folder, uid_validity, half)
    return found


async def _fetch_one(
    desk: Desk, folder: str, uid_validity: int, uid: int, items: str
) -> dict[str, Value]:
    """Return what is asked of one mail; raise MailNotFound."""
    if not 0 < uid <= MAX_UID:
        raise MailNotFound("not a mail's number")
    command = fetch([uid], items)
    await desk.read(folder, uid_validity, command)
    return await _fetched_one(command, uid)


async def _fetched_one(command: Command, uid: int) -> dict[str, Value]:
    try:
        found = (await fetched(command)).get(uid)
    except CommandRefused as error:
        if error.code != "EXPUNGEISSUED":
            raise
        found = None
    # Changed flags come without being asked for.
    if found is None or not found.keys() - {"UID", "FLAGS"}:
        raise MailNotFound("the mail is not in the folder any more")
    return found


def _body(items: dict[str, Value]) -> bytes:
    """Return the section that was fetched."""
    for name, value in items.items():
        if name.startswith("BODY") and name != "BODYSTRUCTURE":
            return value if isinstance(value, bytes) else b""
    return b""
