"""Determine the FETCH items for the header fields and the beginning of the text of a message.

Most messages need one FETCH. A second one is necessary if the header is longer than the requested
octets, or if the text starts after them, for example after an image or a style sheet of 40 KB.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Final, NamedTuple

from ..models import Authentication, Mail
from ..wire.parser import Value
from .body_structure import is_encoding_unreliable, parse_structure, with_encoding
from .body_text import MAX_TEXT_OCTETS, Text, preferred_parts, text_of, text_parts
from .budget import Budget, json_size
from .header import BARE_ITEMS, FETCH_ITEMS, HEADER_FIELDS, MAX_HEADER
from .multipart import parse_message
from .parameters import MAX_FIELD
from .part import Part, roles

# Maximum number of octets of text in one FETCH, to limit memory.
_MAX_BATCH_OCTETS: Final = 4 * 1024 * 1024

# Octets of text that are fetched first: up to four for a character, and the headers of parts.
_OCTETS_PER_CHARACTER: Final = 4
_OVERHEAD: Final = 8_192
# Octets of text that are fetched of a message for an event, and for an action.
EVENT_OCTETS: Final = 262_144
ACTION_OCTETS: Final = MAX_TEXT_OCTETS
# Maximum number of text parts that are fetched individually.
_MAX_PARTS: Final = 8
# The fields of a header that is too long are fetched individually. A little more than the parsed
# octets is fetched, so that the parser detects a truncated field and drops an incomplete address.
_LONG_FIELDS: Final = frozenset({"TO", "CC"})
_FIELD_OCTETS: Final = MAX_FIELD + 100
_LONG_FIELD_OCTETS: Final = 65_536 + 100
# Octets of the MIME header of a text part that is fetched individually.
_MIME_OCTETS: Final = 8_192
# Octets of MIME fields that are decoded to find the text.
_MAX_DECODED: Final = 65_536

# Maximum number of octets of JSON for a message; the other fields of an event are short.
_MAX_MAIL: Final = 28_000

_FIELDS_FOR_TEXT: Final = (
    f"{HEADER_FIELDS} CONTENT-TYPE CONTENT-TRANSFER-ENCODING CONTENT-DISPOSITION"
)

# Maximum number of octets of JSON for the field names and the values that are not text: of a
# message, and of each attachment.
_OVERHEAD_OF_MAIL: Final = 700
_OVERHEAD_OF_ATTACHMENT: Final = 200
_NO_RESULT: Final = Authentication(server="")


class TextRequest(NamedTuple):
    """How much text of a message to fetch and return.

    `size` is in characters, 0 for no text. `links` adds link targets and descriptions of
    images. `limit` is the maximum number of octets to fetch.
    """

    size: int = 0
    links: bool = False
    limit: int = EVENT_OCTETS

    @property
    def octets(self) -> int:
        """Return the number of octets of the body in the first FETCH."""
        return min(self.size * _OCTETS_PER_CHARACTER + _OVERHEAD, self.limit)


NO_TEXT: Final = TextRequest()


def fetch_items(request: TextRequest) -> str:
    """Return the items of the first FETCH."""
    if not request.size:
        return FETCH_ITEMS
    items = FETCH_ITEMS.replace(HEADER_FIELDS, _FIELDS_FOR_TEXT)
    return items.replace(
        " BODYSTRUCTURE", f" BODY.PEEK[TEXT]<0.{request.octets}> BODYSTRUCTURE"
    )


def reduced_fetch_items(request: TextRequest) -> tuple[str, ...]:
    """Return the items of up to three FETCH attempts, fewer each time, for large messages."""
    items = fetch_items(request)
    return items, items.replace(" BODYSTRUCTURE", ""), BARE_ITEMS


def batch_size(request: TextRequest, most: int) -> int:
    """Return the number of messages for one FETCH, at most `most`."""
    if not request.size:
        return most
    return min(most, _MAX_BATCH_OCTETS // request.octets)


class Preview(NamedTuple):
    """The text in the fetched items of a message, and the items to FETCH for the rest of it.

    `more` is None if nothing is missing. Otherwise FETCH it, merge the response into the items,
    and call `preview_of` again.
    """

    text: Text
    more: str | None = None


def is_cut(items: Mapping[str, Value], request: TextRequest) -> bool:
    """Return True if the fetched header or body is not complete."""
    return _is_header_cut(items) or _is_body_cut(items, request)


def preview_of(items: Mapping[str, Value], request: TextRequest) -> Preview:
    """Return the text in the items, and what is missing. Use a thread for large messages."""
    if sections := [*_missing_fields(items, request)]:
        # Without Content-Type, the text cannot be decoded yet.
        return Preview(Text(is_cut=True), _more(sections))
    message = _Message(items, request)
    text = message.text()
    if not message.is_cut or len(text.text) >= request.size:
        return Preview(text)
    if not text.text and message.has_no_text:
        return Preview(Text())
    if sections := [*message.missing_sections(text)]:
        return Preview(text._replace(is_cut=True), _more(sections))
    return Preview(text)


def text_in(items: Mapping[str, Value], request: TextRequest) -> Text:
    """Return the text in the fetched items of a message."""
    return _Message(items, request).text()


def html_part(items: Mapping[str, Value], request: TextRequest) -> Part | None:
    """Return the first HTML text part, with its content if that was fetched completely."""
    return _Message(items, request).html_part()


def with_text(mail: Mail, found: Text) -> Mail:
    """Return the mail with its text, limited to the size of an event."""
    budget = Budget()
    text = budget.text(found.text, max(0, _MAX_MAIL - size_in_event(mail)))
    truncated = mail.truncated or found.is_cut or budget.truncated
    return replace(mail, text=text, truncated=truncated)


def size_in_event(mail: Mail) -> int:
    """Return the maximum number of octets of a mail without its text in JSON."""
    result = mail.authentication or _NO_RESULT
    # Without `recipients`, which are not part of an event.
    texts = [mail.folder, mail.message_id or "", mail.sender, mail.sender_name]
    texts += (mail.subject, *mail.to, *mail.cc, *mail.reply_to, *mail.flags)
    texts += (result.server, result.spf or "", result.dkim or "", result.dmarc or "")
    texts.append(result.domain)
    for file in mail.attachments:
        texts += (file.part, file.filename, file.content_type, file.encoding or "")
        texts += (file.disposition or "", file.content_id or "")
    overhead = _OVERHEAD_OF_MAIL + _OVERHEAD_OF_ATTACHMENT * len(mail.attachments)
    # Each text has two quotes, a comma and a space.
    return json_size("".join(texts)) + 4 * len(texts) + overhead


def _more(sections: Iterable[str]) -> str:
    return f"(UID {' '.join(sections)})"


def _is_header_cut(items: Mapping[str, Value]) -> bool:
    header = items.get("BODY")
    return isinstance(header, bytes) and len(header) == MAX_HEADER


def _is_body_cut(items: Mapping[str, Value], request: TextRequest) -> bool:
    body = items.get("BODY[TEXT]")
    if not request.size or not isinstance(body, bytes):
        return False
    # A second FETCH returns more than the octets of the first one, up to the limit.
    return len(body) == request.octets or len(body) >= request.limit


def _missing_fields(items: Mapping[str, Value], request: TextRequest) -> Iterator[str]:
    if _is_header_cut(items):
        names = _FIELDS_FOR_TEXT if request.size else HEADER_FIELDS
        # Only the beginning of the header is parsed for the text: MIME fields come first, lists of
        # addresses come last.
        for name in sorted(names.split(), key=_fetch_order):
            size = _LONG_FIELD_OCTETS if name in _LONG_FIELDS else _FIELD_OCTETS
            yield f"BODY.PEEK[HEADER.FIELDS ({name})]<0.{size}>"


def _fetch_order(name: str) -> int:
    return 0 if name.startswith("CONTENT-") else 2 if name in _LONG_FIELDS else 1


class _Message:
    """The fetched items of a message: the beginning of its body, and individual parts."""

    def __init__(self, items: Mapping[str, Value], request: TextRequest) -> None:
        self._items = items
        self._request = request
        self._budget = Budget(_MAX_DECODED)
        self.is_cut = _is_body_cut(items, request)
        header, body = items.get("BODY"), items.get("BODY[TEXT]")
        self._start = parse_message(
            header if isinstance(header, bytes) else b"",
            body if isinstance(body, bytes) else b"",
            self._budget,
            is_whole=not self.is_cut,
        )

    @cached_property
    def _structure(self) -> Part | None:
        return parse_structure(self._items.get("BODYSTRUCTURE"), self._budget)

    @cached_property
    def _parts_of_start(self) -> dict[tuple[str, str], Part]:
        return {_key(part): part for part, _ in roles(self._start, self._budget)}

    @cached_property
    def _texts(self) -> list[Part]:
        budget = Budget(_MAX_DECODED)
        return text_parts(self._structure, budget) if self._structure else []

    @property
    def has_no_text(self) -> bool:
        """Return True if the structure is known and has no text part."""
        return self._structure is not None and not self._texts

    def text(self) -> Text:
        """Return the plain text of the message, as far as the fetched items contain it."""
        if not isinstance(self._items.get("BODY[TEXT]"), bytes):
            return Text(is_cut=True)
        size, links = self._request.size, self._request.links
        has_parts = any(
            name.startswith("BODY[") and name[5].isdigit() for name in self._items
        )
        if has_parts and self._structure is not None:
            message = self._with_octets(self._structure)
            found = text_of(message, size, self._budget, links=links)
            if found.text:
                return found
        return text_of(self._start, size, self._budget, links=links)

    def html_part(self) -> Part | None:
        """Return the first HTML text part, with its content if that was fetched completely."""
        structure = self._structure
        message = self._start if structure is None else self._with_octets(structure)
        parts = text_parts(message, self._budget)
        return next((part for part in parts if part.is_html), None)

    def missing_sections(self, found: Text) -> Iterator[str]:
        """Yield the sections to FETCH for the rest of the text."""
        request = self._request
        if self._structure is None or not self._texts:
            if found.is_cut and request.octets < request.limit:
                yield f"BODY.PEEK[TEXT]<0.{request.limit}>"
            return
        remaining = request.limit
        for part in self._missing_parts(self._structure, found)[:_MAX_PARTS]:
            if remaining > 0:
                if self._structure.children and is_encoding_unreliable(part):
                    yield f"BODY.PEEK[{part.number}.MIME]<0.{_MIME_OCTETS}>"
                yield f"BODY.PEEK[{part.number}]<0.{request.limit}>"
            remaining -= part.size

    def _missing_parts(self, structure: Part, found: Text) -> list[Part]:
        fetched = {key for key, part in self._parts_of_start.items() if part.is_whole}
        fetched |= {
            _key(part) for part in self._texts if f"BODY[{part.number}]" in self._items
        }
        preferred = preferred_parts(structure, Budget(_MAX_DECODED))
        missing = [part for part in preferred if _key(part) not in fetched]
        if not missing and (found.is_cut or not found.text):
            # The preferred alternatives are blank, but others may have text.
            missing = [part for part in self._texts if _key(part) not in fetched]
        return missing

    def _with_octets(self, part: Part) -> Part:
        """Return a part of the structure with the fetched content of it and its children."""
        if part.children:
            return part._replace(children=tuple(map(self._with_octets, part.children)))
        found = self._parts_of_start.get(_key(part))
        part = with_encoding(part, self._items.get(f"BODY[{part.number}.MIME]"))
        if found and found.encoding:
            part = part._replace(encoding=found.encoding)
        section = self._items.get(f"BODY[{part.number}]")
        if isinstance(section, bytes):
            is_whole = len(section) < self._request.limit
            return part._replace(octets=section, is_whole=is_whole)
        if found and found.is_whole:
            return part._replace(octets=found.octets, is_whole=True)
        return part


def _key(part: Part) -> tuple[str, str]:
    """Return the key by which a part is matched with a part of BODYSTRUCTURE.

    The content type is part of the key: a server may number the parts differently, and an image
    must not be decoded as text.
    """
    return part.number, part.content_type
