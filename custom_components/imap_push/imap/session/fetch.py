"""Reading mails: header fields, text, parts, each bounded (RFC 3501 6.4.5)."""

import asyncio
from collections.abc import Mapping, Sequence
import contextlib
from dataclasses import replace
from functools import partial
from itertools import batched
import re
from typing import Final

from ..errors import (
    CommandRefused,
    MailNotFound,
    PartNotFound,
    ProtocolError,
    ResponseTooLarge,
)
from ..mime.body_structure import find_part, is_encoding_unreliable, with_encoding
from ..mime.body_text import MAX_TEXT_OCTETS, Text, source_of_part, text_of_part
from ..mime.budget import Budget
from ..mime.header import MAX_HEADER, parse_headers
from ..mime.part import Part
from ..mime.preview import NO_TEXT, Preview, TextRequest, html_part, reduced_fetch_items
from ..models import Mail, MessageContent
from ..wire.command import Command
from ..wire.parser import MAX_DEPTH, Value
from ..wire.response_codes import passing_refusal
from .desk import Desk, fetch
from .fetch_items import MAX_UID, Fetched, fetch_carefully, fetched
from .message_reader import (
    complete_preview,
    in_thread_if_large,
    read_message,
    read_previews,
    read_text,
)

# Mails that one request reads at the most, and one command.
MAX_MAILS: Final = 500
_MAILS_AT_ONCE: Final = 100
# Characters of HTML source that are returned.
MAX_HTML: Final = 200_000
# Octets that one request for a piece of a part asks for.
PIECE: Final = 262_144

# No part is within more multiparts than are read of a structure.
_PART: Final = re.compile(rf"[1-9]\d{{0,3}}(?:\.[1-9]\d{{0,3}}){{0,{MAX_DEPTH}}}")
_HEADER: Final = f"BODY.PEEK[HEADER]<0.{MAX_HEADER}>"
# What is asked for, each time less, of a message that cannot be shown whole.
_MAIL: Final = reduced_fetch_items(NO_TEXT)


async def fetch_mails(
    desk: Desk, folder: str, uid_validity: int, uids: Sequence[int]
) -> list[Mail]:
    """Return the first MAX_MAILS of these mails, as far as they are there, in this order."""
    usable = list(dict.fromkeys(uid for uid in uids if 0 < uid <= MAX_UID))
    found: dict[int, Mail] = {}
    for asked in batched(usable[:MAX_MAILS], _MAILS_AT_ONCE, strict=False):
        ask = partial(_fetch, desk, folder, uid_validity)
        messages = await fetch_carefully(ask, asked, _MAIL, _concerns_message)
        previews = await read_previews(messages, NO_TEXT)
        for uid, items in messages.items():
            if uid in previews:
                items, _ = await _fetch_more(
                    desk, (folder, uid_validity, uid), items, previews[uid], NO_TEXT
                )
            mail = await read_message(folder, uid_validity, uid, items)
            # Only filters of new mail need all recipients; here they would fill the memory.
            found[uid] = replace(mail, recipients=())
            await asyncio.sleep(0)
    return [found[uid] for uid in usable if uid in found]


async def fetch_content(
    desk: Desk,
    folder: str,
    uid_validity: int,
    uid: int,
    request: TextRequest,
    *,
    html: bool = False,
    number: str | None = None,
) -> MessageContent:
    """Return a message with its header and its text, or the text of the part with a number.

    `html`: with the source of its HTML, too, of at most MAX_HTML characters. Raises PartNotFound.
    """
    place = folder, uid_validity, uid
    wanted = NO_TEXT if number else request
    asked = (f"{items[:-1]} {_HEADER})" for items in reduced_fetch_items(wanted))
    items = await _fetch_one(desk, *place, *asked)
    header = items.pop("BODY[HEADER]", None)
    header = header if isinstance(header, bytes) else b""
    preview = (await read_previews({uid: items}, wanted)).get(uid)
    if preview and preview.more:
        items, preview = await _fetch_more(desk, place, items, preview, wanted)
    mail = await read_message(*place, items)
    part: Part | None = None
    if number:
        structure = items.get("BODYSTRUCTURE")
        part = _found(find_part(structure, number))
        part = await _with_encoding(desk, place, part, structure)
        part = await _with_octets(desk, place, part)
        read = partial(text_of_part, part, request.size, Budget(), links=request.links)
        text = await in_thread_if_large((part.octets,), read)
    else:
        text = await read_text(items, wanted, preview)
    source: Text | None = None
    if html and not number:
        part = html_part(items, request)
    if html and part and part.is_html:
        part = await _with_octets(desk, place, part)
        read = partial(source_of_part, part, MAX_HTML, Budget())
        source = await in_thread_if_large((part.octets,), read)
    return MessageContent(
        mail=mail,
        headers=await in_thread_if_large((header,), partial(parse_headers, header)),
        text=text.text,
        html=source.text if source else None,
        truncated=text.is_cut or bool(source and source.is_cut),
    )


async def _with_octets(desk: Desk, place: tuple[str, int, int], part: Part) -> Part:
    """Return a part with the beginning of its content."""
    if part.is_whole:
        return part
    section = f"BODY[{part.number}]"
    asked = f"(UID BODY.PEEK[{part.number}]<0.{MAX_TEXT_OCTETS}>)"
    octets = (await _fetch_one(desk, *place, asked)).get(section)
    octets = octets if isinstance(octets, bytes) else b""
    return part._replace(octets=octets, is_whole=len(octets) < MAX_TEXT_OCTETS)


async def _fetch_more(
    desk: Desk,
    place: tuple[str, int, int],
    items: Mapping[str, Value],
    preview: Preview,
    request: TextRequest,
) -> tuple[dict[str, Value], Preview]:
    """Return a message and its text with what is missing, as far as the server shows it."""

    async def fetch_items(more: str) -> Mapping[str, Value]:
        with contextlib.suppress(CommandRefused, ResponseTooLarge):
            return await _fetch_one(desk, *place, more)
        return {}

    return await complete_preview(items, preview, request, fetch_items)


async def fetch_part(
    desk: Desk, folder: str, uid_validity: int, uid: int, number: str
) -> Part:
    """Return what is known of a part; raise PartNotFound."""
    if not _PART.fullmatch(number):
        raise PartNotFound("not a part's number")
    part, _ = await _part(desk, (folder, uid_validity, uid), number)
    return part


async def fetch_part_to_decode(
    desk: Desk, folder: str, uid_validity: int, uid: int, number: str
) -> Part:
    """Return what is known of a part, with the encoding of its content; raise PartNotFound."""
    place = folder, uid_validity, uid
    part, structure = await _part(desk, place, number)
    return await _with_encoding(desk, place, part, structure)


async def _part(
    desk: Desk, place: tuple[str, int, int], number: str
) -> tuple[Part, Value]:
    items = await _fetch_one(desk, *place, "(UID BODYSTRUCTURE)")
    structure = items.get("BODYSTRUCTURE")
    return _found(find_part(structure, number)), structure


async def _with_encoding(
    desk: Desk, place: tuple[str, int, int], part: Part, structure: Value
) -> Part:
    """Return a part with the encoding that its own header names, where that is in doubt."""
    if not is_encoding_unreliable(part):
        return part
    is_multipart = isinstance(structure, tuple) and isinstance(structure[0], tuple)
    section = f"{part.number}.MIME" if is_multipart else "HEADER"
    items: Mapping[str, Value] = {}
    with contextlib.suppress(CommandRefused, ResponseTooLarge):
        asked = f"(UID BODY.PEEK[{section}]<0.{MAX_HEADER}>)"
        items = await _fetch_one(desk, *place, asked)
    return with_encoding(part, items.get(f"BODY[{section}]"))


def _found(part: Part | None) -> Part:
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
    piece = (found or {}).get(f"BODY[{number}]", b"")
    if found is None or not isinstance(piece, bytes) or len(piece) > PIECE:
        raise ProtocolError("more of a part than was asked for, or nothing")
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
