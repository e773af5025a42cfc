"""What to FETCH of a message to read its fields and the beginning of its text.

Most messages need one FETCH. More is fetched if a long field hides others, or if the text comes
later: after a picture, or after a style sheet of 40 KB.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
import json
from typing import Final

from ..models import Mail
from ..wire.parser import Value
from .body_structure import is_encoding_in_doubt, parse_structure, with_encoding
from .body_text import MAX_TEXT_OCTETS, Text, preferred_parts, text_of, text_parts
from .budget import Budget
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
    text = text_in(items, request)
    if not _is_body_cut(items, request) or len(text.text) >= request.size:
        return Preview(text)
    structure = parse_structure(items.get("BODYSTRUCTURE"), Budget(_MAX_DECODED))
    if structure and not text.text and not text_parts(structure, Budget()):
        return Preview()
    if sections := [*_missing_text(items, request, text)]:
        return Preview(replace(text, is_cut=True), _more(sections))
    return Preview(text)


def _more(sections: Iterable[str]) -> str:
    return f"(UID {' '.join(sections)})"


def text_in(items: Mapping[str, Value], request: TextRequest) -> Text:
    """Return the text of a message as far as it was fetched."""
    if not isinstance(items.get("BODY[TEXT]"), bytes):
        return Text(is_cut=True)
    budget = Budget(_MAX_DECODED)
    message = _message(items, request, budget)
    found = Text()
    if any(name.startswith("BODY[") and name[5].isdigit() for name in items):
        structure = parse_structure(items.get("BODYSTRUCTURE"), budget)
        if structure is not None:
            known = _by_key(message, budget)
            whole = _with_octets(structure, items, known, request)
            found = text_of(whole, request.size, budget, links=request.links)
    if found.text:
        return found
    return text_of(message, request.size, budget, links=request.links)


def html_part(items: Mapping[str, Value], request: TextRequest) -> Part | None:
    """Return the first HTML text part, with its content if all of it was fetched."""
    budget = Budget(_MAX_DECODED)
    message = _message(items, request, budget)
    known = _by_key(message, budget)
    structure = parse_structure(items.get("BODYSTRUCTURE"), budget)
    if structure is not None:
        message = _with_octets(structure, items, known, request)
    return next((part for part in text_parts(message, budget) if part.is_html), None)


def with_text(mail: Mail, found: Text) -> Mail:
    """Return the mail with its text, cut to what an event has room for."""
    # Recipients are for filters, not for the event.
    shown = asdict(replace(mail, recipients=()))
    spent = json.dumps(shown, default=str, ensure_ascii=False).encode()
    budget = Budget()
    text = budget.text(found.text, max(0, _MAX_MAIL - len(spent)))
    truncated = mail.truncated or found.is_cut or budget.truncated
    return replace(mail, text=text, truncated=truncated)


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


def _missing_text(
    items: Mapping[str, Value], request: TextRequest, found: Text
) -> Iterator[str]:
    """Yield the sections that hold the rest of the text."""
    budget = Budget(_MAX_DECODED)
    structure = parse_structure(items.get("BODYSTRUCTURE"), budget)
    parts = text_parts(structure, budget) if structure else []
    if structure is None or not parts:
        if found.is_cut and request.octets < request.limit:
            yield f"BODY.PEEK[TEXT]<0.{request.limit}>"
        return
    message = _message(items, request, budget)
    known = {key for key, part in _by_key(message, budget).items() if part.is_whole}
    known |= {_key(part) for part in parts if f"BODY[{part.number}]" in items}
    preferred = preferred_parts(structure, budget)
    missing = [part for part in preferred if _key(part) not in known]
    if not missing and (found.is_cut or not found.text):
        # They are blank: other forms of the text may not be.
        missing = [part for part in parts if _key(part) not in known]
    left = request.limit
    for part in missing[:_MAX_PARTS]:
        if left > 0:
            if structure.children and is_encoding_in_doubt(part):
                yield f"BODY.PEEK[{part.number}.MIME]<0.{_MIME_OCTETS}>"
            yield f"BODY.PEEK[{part.number}]<0.{request.limit}>"
        left -= part.size


def _message(items: Mapping[str, Value], request: TextRequest, budget: Budget) -> Part:
    """Return the message as far as its body was fetched from the start."""
    header, body = items.get("BODY"), items.get("BODY[TEXT]")
    return parse_message(
        header if isinstance(header, bytes) else b"",
        body if isinstance(body, bytes) else b"",
        budget,
        whole=not _is_body_cut(items, request),
    )


def _key(part: Part) -> tuple[str, str]:
    """Return what a part has in common with the same part of BODYSTRUCTURE.

    A server may number parts in another way, and an image must not be read as text.
    """
    return part.number, part.content_type


def _by_key(message: Part, budget: Budget) -> dict[tuple[str, str], Part]:
    return {_key(part): part for part, _ in roles(message, budget)}


def _with_octets(
    part: Part,
    items: Mapping[str, Value],
    known: Mapping[tuple[str, str], Part],
    request: TextRequest,
) -> Part:
    """Return a part of a structure with the contents that were fetched."""
    if part.children:
        children = (_with_octets(it, items, known, request) for it in part.children)
        return part._replace(children=tuple(children))
    found = known.get(_key(part))
    part = with_encoding(part, items.get(f"BODY[{part.number}.MIME]"))
    if found and found.encoding:
        part = part._replace(encoding=found.encoding)
    section = items.get(f"BODY[{part.number}]")
    if isinstance(section, bytes):
        return part._replace(octets=section, is_whole=len(section) < request.limit)
    if found and found.is_whole:
        return part._replace(octets=found.octets, is_whole=True)
    return part
