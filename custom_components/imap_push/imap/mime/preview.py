"""What to FETCH of a message to read its fields and the beginning of its text.

Most messages need one FETCH. More is fetched if a long field hides others, or if the text comes
later: after a picture, or after a style sheet of 40 KB.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from ..models import Authentication, Mail
from ..wire.parser import Value
from .body_structure import is_encoding_in_doubt, parse_structure, with_encoding
from .body_text import MAX_TEXT_OCTETS, Text, preferred_parts, text_of, text_parts
from .budget import Budget, json_size
from .header import BARE_ITEMS, FETCH_ITEMS, HEADER_FIELDS, MAX_HEADER
from .multipart import parse_message
from .parameters import MAX_FIELD
from .part import Part, roles

# Octets of text that one FETCH returns at the most, to limit memory.
_MAX_BATCH_OCTETS: Final = 4 * 1024 * 1024

# Octets of text that are fetched first: a character takes up to four, and parts have headers.
_OCTETS_PER_CHARACTER: Final = 4
_OVERHEAD: Final = 8_192
# Octets of text that are read of a message for an event, and for an action.
EVENT_OCTETS: Final = 262_144
ACTION_OCTETS: Final = MAX_TEXT_OCTETS
# Text parts that are fetched by themselves.
_MAX_PARTS: Final = 8
# Fields of a header that is too long are fetched one by one: more of each than is read of it,
# so that the reader notices a cut and drops half an address.
_LONG_FIELDS: Final = frozenset({"TO", "CC"})
_FIELD_OCTETS: Final = MAX_FIELD + 100
_LONG_FIELD_OCTETS: Final = 65_536 + 100
# Octets of the MIME header of a text part that is fetched by itself.
_MIME_OCTETS: Final = 8_192
# Octets of MIME fields that are decoded to read a text.
_MAX_DECODED: Final = 65_536

# Octets of JSON that a mail takes at the most; the other fields of an event are short.
_MAX_MAIL: Final = 28_000

_FIELDS_FOR_TEXT: Final = (
    f"{HEADER_FIELDS} CONTENT-TYPE CONTENT-TRANSFER-ENCODING CONTENT-DISPOSITION"
)


# Octets of JSON that the names of the fields, and the values that are no text, take at the most:
# of a mail, and of each attachment.
_NAMES: Final = 700
_ATTACHMENT_NAMES: Final = 200
_NO_RESULT: Final = Authentication(server="")


@dataclass(frozen=True, slots=True)
class TextRequest:
    """How much text of a message to fetch and return.

    `size` is in characters, 0 for no text. `links` adds link targets and descriptions of
    images. `limit` is the number of octets that may be fetched.
    """

    size: int = 0
    links: bool = False
    limit: int = EVENT_OCTETS

    @property
    def octets(self) -> int:
        """Return how many octets of the body to fetch first."""
        return min(self.size * _OCTETS_PER_CHARACTER + _OVERHEAD, self.limit)


NO_TEXT: Final = TextRequest()
_NOTHING: Final = Text()


def fetch_items(request: TextRequest) -> str:
    """Return the items of the first FETCH."""
    if not request.size:
        return FETCH_ITEMS
    items = FETCH_ITEMS.replace(HEADER_FIELDS, _FIELDS_FOR_TEXT)
    return items.replace(
        " BODYSTRUCTURE", f" BODY.PEEK[TEXT]<0.{request.octets}> BODYSTRUCTURE"
    )


def reduced_fetch_items(request: TextRequest) -> tuple[str, ...]:
    """Return items for FETCH, each time fewer, for messages that are too large."""
    items = fetch_items(request)
    return items, items.replace(" BODYSTRUCTURE", ""), BARE_ITEMS


def batch_size(request: TextRequest, most: int) -> int:
    """Return how many messages one FETCH may ask for, `most` at the most."""
    if not request.size:
        return most
    return min(most, _MAX_BATCH_OCTETS // request.octets)


@dataclass(frozen=True, slots=True)
class Preview:
    """The text of a message as far as it was fetched, and what to FETCH to get more of it.

    `more` is None if nothing is missing. Merge the response into the items.
    """

    text: Text = _NOTHING
    more: str | None = None


def is_cut(items: Mapping[str, Value], request: TextRequest) -> bool:
    """Return if there is more of the header or of the body than was fetched."""
    return _is_header_cut(items) or _is_body_cut(items, request)


def preview_of(items: Mapping[str, Value], request: TextRequest) -> Preview:
    """Return the text of a message. Call this in a thread for large messages."""
    if sections := [*_missing_fields(items, request)]:
        # Without Content-Type, the text cannot be read yet.
        return Preview(Text(is_cut=True), _more(sections))
    message = _Message(items, request)
    text = message.text()
    if not message.is_cut or len(text.text) >= request.size:
        return Preview(text)
    if not text.text and message.has_no_text:
        return Preview()
    if sections := [*message.missing_sections(text)]:
        return Preview(replace(text, is_cut=True), _more(sections))
    return Preview(text)


def text_in(items: Mapping[str, Value], request: TextRequest) -> Text:
    """Return the text of a message as far as it was fetched."""
    return _Message(items, request).text()


def html_part(items: Mapping[str, Value], request: TextRequest) -> Part | None:
    """Return the first HTML text part, with its content if all of it was fetched."""
    return _Message(items, request).html_part()


def with_text(mail: Mail, found: Text) -> Mail:
    """Return the mail with its text, cut to what an event has room for."""
    budget = Budget()
    text = budget.text(found.text, max(0, _MAX_MAIL - size_in_event(mail)))
    truncated = mail.truncated or found.is_cut or budget.truncated
    return replace(mail, text=text, truncated=truncated)


def size_in_event(mail: Mail) -> int:
    """Return how many octets of JSON the fields of a mail take at the most, without its text."""
    result = mail.authentication or _NO_RESULT
    # Recipients are for filters, not for the event.
    texts = [
        *(
            mail.folder,
            mail.message_id or "",
            mail.sender,
            mail.sender_name,
            mail.subject,
        ),
        *(*mail.to, *mail.cc, *mail.reply_to, *mail.flags),
        *(
            result.server,
            result.spf or "",
            result.dkim or "",
            result.dmarc or "",
            result.domain,
        ),
    ]
    for it in mail.attachments:
        texts += (it.part, it.filename, it.content_type, it.encoding or "")
        texts += (it.disposition or "", it.content_id or "")
    names = _NAMES + _ATTACHMENT_NAMES * len(mail.attachments)
    # Each text has two quotes, a comma and a space.
    return json_size("".join(texts)) + 4 * len(texts) + names


def _more(sections: Iterable[str]) -> str:
    return f"(UID {' '.join(sections)})"


def _is_header_cut(items: Mapping[str, Value]) -> bool:
    header = items.get("BODY")
    return isinstance(header, bytes) and len(header) == MAX_HEADER


def _is_body_cut(items: Mapping[str, Value], request: TextRequest) -> bool:
    body = items.get("BODY[TEXT]")
    if not request.size or not isinstance(body, bytes):
        return False
    # It is longer than what was asked for first if it was asked for again.
    return len(body) == request.octets or len(body) >= request.limit


def _missing_fields(items: Mapping[str, Value], request: TextRequest) -> Iterator[str]:
    if _is_header_cut(items):
        names = _FIELDS_FOR_TEXT if request.size else HEADER_FIELDS
        # The first octets are read for the text: what it needs comes first, lists come last.
        for name in sorted(names.split(), key=_order):
            size = _LONG_FIELD_OCTETS if name in _LONG_FIELDS else _FIELD_OCTETS
            yield f"BODY.PEEK[HEADER.FIELDS ({name})]<0.{size}>"


def _order(name: str) -> int:
    return 0 if name.startswith("CONTENT-") else 2 if name in _LONG_FIELDS else 1


class _Message:
    """A message as far as it was fetched: its body from the start, and parts by their numbers."""

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
            whole=not self.is_cut,
        )

    @cached_property
    def _structure(self) -> Part | None:
        return parse_structure(self._items.get("BODYSTRUCTURE"), self._budget)

    @cached_property
    def _known(self) -> dict[tuple[str, str], Part]:
        return {_key(part): part for part, _ in roles(self._start, self._budget)}

    @cached_property
    def _texts(self) -> list[Part]:
        """The text parts of the structure."""
        budget = Budget(_MAX_DECODED)
        return text_parts(self._structure, budget) if self._structure else []

    @property
    def has_no_text(self) -> bool:
        """Return if the structure is known and has no text part."""
        return self._structure is not None and not self._texts

    def text(self) -> Text:
        """Return the text that is there."""
        if not isinstance(self._items.get("BODY[TEXT]"), bytes):
            return Text(is_cut=True)
        size, links = self._request.size, self._request.links
        found = Text()
        are_parts_fetched = any(
            name.startswith("BODY[") and name[5].isdigit() for name in self._items
        )
        if are_parts_fetched and self._structure is not None:
            whole = self._with_octets(self._structure)
            found = text_of(whole, size, self._budget, links=links)
        return (
            found
            if found.text
            else text_of(self._start, size, self._budget, links=links)
        )

    def html_part(self) -> Part | None:
        """Return the first HTML text part, with its content if all of it was fetched."""
        structure = self._structure
        whole = self._start if structure is None else self._with_octets(structure)
        parts = text_parts(whole, self._budget)
        return next((part for part in parts if part.is_html), None)

    def missing_sections(self, found: Text) -> Iterator[str]:
        """Yield the sections that hold the rest of the text."""
        request = self._request
        if self._structure is None or not self._texts:
            if found.is_cut and request.octets < request.limit:
                yield f"BODY.PEEK[TEXT]<0.{request.limit}>"
            return
        left = request.limit
        for part in self._missing_parts(self._structure, found)[:_MAX_PARTS]:
            if left > 0:
                if self._structure.children and is_encoding_in_doubt(part):
                    yield f"BODY.PEEK[{part.number}.MIME]<0.{_MIME_OCTETS}>"
                yield f"BODY.PEEK[{part.number}]<0.{request.limit}>"
            left -= part.size

    def _missing_parts(self, structure: Part, found: Text) -> list[Part]:
        known = {key for key, part in self._known.items() if part.is_whole}
        known |= {
            _key(part) for part in self._texts if f"BODY[{part.number}]" in self._items
        }
        preferred = preferred_parts(structure, Budget(_MAX_DECODED))
        missing = [part for part in preferred if _key(part) not in known]
        if not missing and (found.is_cut or not found.text):
            # They are blank: other forms of the text may not be.
            missing = [part for part in self._texts if _key(part) not in known]
        return missing

    def _with_octets(self, part: Part) -> Part:
        """Return a part of the structure with the contents that were fetched."""
        if part.children:
            return part._replace(children=tuple(map(self._with_octets, part.children)))
        found = self._known.get(_key(part))
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
    """Return what a part has in common with the same part of BODYSTRUCTURE.

    A server may number parts in another way, and an image must not be read as text.
    """
    return part.number, part.content_type
