"""FETCH for actions: header fields, text and parts, each with a limit (RFC 3501 6.4.5)."""

import asyncio
from collections.abc import Mapping, Sequence
import contextlib
from dataclasses import replace
from functools import partial
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
from ..mime.preview import (
    NO_TEXT,
    TextRequest,
    batch_size,
    html_part,
    reduced_fetch_items,
)
from ..models import Mail, MessageContent
from ..wire.command import Command
from ..wire.parser import MAX_DEPTH, Value
from .fetch_items import MAX_UID, Fetched, chunks, fetch, fetch_with_fallback, fetched
from .message_reader import (
    complete_preview,
    in_thread_if_large,
    read_message,
    read_previews,
    read_text,
)
from .session import Session

# Maximum number of messages of one request, and of one FETCH.
MAX_MAILS: Final = 500
_MAILS_AT_ONCE: Final = 100
_REST: Final = 20  # octets of a command line other than UIDs and items
# Characters of HTML source that are returned.
MAX_HTML: Final = 200_000
# Octets in a piece of a part.
PIECE: Final = 262_144

# A section number; the parser drops parts that are nested deeper.
_PART: Final = re.compile(rf"[1-9]\d{{0,3}}(?:\.[1-9]\d{{0,3}}){{0,{MAX_DEPTH}}}")
_HEADER: Final = f"BODY.PEEK[HEADER]<0.{MAX_HEADER}>"


async def fetch_mails(
    session: Session,
    folder: str,
    uid_validity: int,
    uids: Sequence[int],
    request: TextRequest = NO_TEXT,
    *,
    recipients: bool = False,
) -> list[Mail]:
    """Return the first MAX_MAILS of these messages in this order, without those that are gone.

    `recipients` keeps all recipients, which take much memory: only filters need them.
    """
    usable = list(dict.fromkeys(uid for uid in uids if 0 < uid <= MAX_UID))
    found: dict[int, Mail] = {}
    # FETCH items, fewer in each attempt, for a message that the server cannot show.
    attempts = reduced_fetch_items(request)
    most = batch_size(request, _MAILS_AT_ONCE)
    for requested in chunks(usable[:MAX_MAILS], _REST + len(attempts[0]), most):
        ask = partial(_fetch, session, folder, uid_validity)
        messages = await fetch_with_fallback(ask, requested, attempts)
        # Gmail sometimes leaves out messages that it returns the next time (mailcore2#1256).
        if left_out := [uid for uid in requested if uid not in messages]:
            again = await fetch_with_fallback(ask, left_out, attempts)
            messages = dict(sorted({**messages, **again}.items()))
        previews = await read_previews(messages, request)
        for uid, items in messages.items():
            if preview := previews.get(uid):
                fetch_rest = partial(_fetch_one, session, folder, uid_validity, uid)
                items, preview = await complete_preview(
                    items, preview, request, fetch_rest
                )
            mail = await read_message(
                folder, uid_validity, uid, items, request, preview
            )
            found[uid] = mail if recipients else replace(mail, recipients=())
            await asyncio.sleep(0)
    return [found[uid] for uid in usable if uid in found]


async def fetch_content(
    session: Session,
    folder: str,
    uid_validity: int,
    uid: int,
    request: TextRequest,
    *,
    html: bool = False,
    number: str | None = None,
) -> MessageContent:
    """Return a message with its header and its text, or with the text of part `number`.

    `html` adds the source of the HTML, at most MAX_HTML characters. Raises PartNotFound.
    """
    place = folder, uid_validity, uid
    wanted = NO_TEXT if number else request
    requested = (f"{items[:-1]} {_HEADER})" for items in reduced_fetch_items(wanted))
    items = await _fetch_one(session, *place, *requested)
    header = items.pop("BODY[HEADER]", None)
    header = header if isinstance(header, bytes) else b""
    preview = (await read_previews({uid: items}, wanted)).get(uid)
    if preview and preview.more:
        fetch_rest = partial(_fetch_one, session, *place)
        items, preview = await complete_preview(items, preview, wanted, fetch_rest)
    mail = await read_message(*place, items)
    part: Part | None = None
    if number:
        structure = items.get("BODYSTRUCTURE")
        part = _found(find_part(structure, number))
        part = await _with_encoding(session, place, part, structure)
        part = await _with_octets(session, place, part)
        read = partial(text_of_part, part, request.size, Budget(), links=request.links)
        text = await in_thread_if_large((part.octets,), read)
    else:
        text = await read_text(items, wanted, preview)
    source: Text | None = None
    if html and not number:
        part = html_part(items, request)
    if html and part and part.is_html:
        part = await _with_octets(session, place, part)
        read = partial(source_of_part, part, MAX_HTML, Budget())
        source = await in_thread_if_large((part.octets,), read)
    return MessageContent(
        mail=mail,
        headers=await in_thread_if_large((header,), partial(parse_headers, header)),
        text=text.text,
        html=source.text if source else None,
        truncated=text.is_cut or bool(source and source.is_cut),
    )


async def _with_octets(
    session: Session, place: tuple[str, int, int], part: Part
) -> Part:
    """Return a part with its content, of which only the beginning is fetched if it is long."""
    if part.is_whole:
        return part
    section = f"BODY[{part.number}]"
    requested = f"(UID BODY.PEEK[{part.number}]<0.{MAX_TEXT_OCTETS}>)"
    octets = (await _fetch_one(session, *place, requested)).get(section)
    octets = octets if isinstance(octets, bytes) else b""
    return part._replace(octets=octets, is_whole=len(octets) < MAX_TEXT_OCTETS)


async def fetch_part(
    session: Session, folder: str, uid_validity: int, uid: int, number: str
) -> Part:
    """Return a part without its content; raise PartNotFound."""
    if not _PART.fullmatch(number):
        raise PartNotFound("not a part number")
    part, _ = await _part(session, (folder, uid_validity, uid), number)
    return part


async def fetch_part_to_decode(
    session: Session, folder: str, uid_validity: int, uid: int, number: str
) -> Part:
    """Return a part without its content, with the right encoding; raise PartNotFound."""
    place = folder, uid_validity, uid
    part, structure = await _part(session, place, number)
    return await _with_encoding(session, place, part, structure)


async def _part(
    session: Session, place: tuple[str, int, int], number: str
) -> tuple[Part, Value]:
    items = await _fetch_one(session, *place, "(UID BODYSTRUCTURE)")
    structure = items.get("BODYSTRUCTURE")
    return _found(find_part(structure, number)), structure


async def _with_encoding(
    session: Session, place: tuple[str, int, int], part: Part, structure: Value
) -> Part:
    """Return a part with the encoding of its own header if BODYSTRUCTURE may be wrong."""
    if not is_encoding_unreliable(part):
        return part
    is_multipart = isinstance(structure, tuple) and isinstance(structure[0], tuple)
    section = f"{part.number}.MIME" if is_multipart else "HEADER"
    items: Mapping[str, Value] = {}
    with contextlib.suppress(CommandRefused, ResponseTooLarge):
        requested = f"(UID BODY.PEEK[{section}]<0.{MAX_HEADER}>)"
        items = await _fetch_one(session, *place, requested)
    return with_encoding(part, items.get(f"BODY[{section}]"))


def _found(part: Part | None) -> Part:
    if part is None:
        raise PartNotFound("the message does not have this part")
    return part


async def fetch_piece(
    session: Session, folder: str, uid_validity: int, uid: int, number: str, start: int
) -> bytes:
    """Return PIECE encoded octets of a part, fewer at its end."""
    command = fetch([uid], f"(UID BODY.PEEK[{number}]<{start}.{PIECE}>)")
    await session.read_on(folder, uid_validity, command)
    found = await _fetched_one(command, uid)
    piece = (found or {}).get(f"BODY[{number}]", b"")
    if found is None or not isinstance(piece, bytes) or len(piece) > PIECE:
        raise ProtocolError("the server sent more of a part than requested, or nothing")
    if len(piece) < PIECE:
        await session.read(folder, uid_validity)
    return piece


async def _fetch(
    session: Session, folder: str, uid_validity: int, uids: Sequence[int], items: str
) -> Fetched:
    """Return items of messages; a message that has been expunged is missing."""
    command = fetch(uids, items)
    await session.read(folder, uid_validity, command)
    try:
        return await fetched(command)
    except CommandRefused as error:
        if error.code == "EXPUNGEISSUED" and len(uids) == 1:
            return Fetched()
        raise


async def _fetch_one(
    session: Session, folder: str, uid_validity: int, uid: int, *items: str
) -> dict[str, Value]:
    """Return a message with the first of `items` for which the response is not too large.

    Raises MailNotFound, and ResponseTooLarge if all are too large.
    """
    if not 0 < uid <= MAX_UID:
        raise MailNotFound("not a UID")
    for requested in items:
        command = fetch([uid], requested)
        await session.read(folder, uid_validity, command)
        if (found := await _fetched_one(command, uid)) is not None:
            return found
    raise ResponseTooLarge("the message is larger than the limit")


async def _fetched_one(command: Command, uid: int) -> dict[str, Value] | None:
    """Return the items of a message, None if they are too large; raise MailNotFound."""
    try:
        found = await fetched(command)
    except CommandRefused as error:
        if error.code != "EXPUNGEISSUED":
            raise
        found = Fetched()
    items = found.messages.get(uid)
    # A response with only flags is unsolicited.
    if items is not None and items.keys() - {"UID", "FLAGS"}:
        return items
    if not found.is_whole:
        return None
    raise MailNotFound("the message is no longer in the folder")
