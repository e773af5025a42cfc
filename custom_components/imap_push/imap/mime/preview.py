"""The beginning of a mail's text: how it is asked for, and how it gets into the mail."""

from collections.abc import Mapping
from dataclasses import asdict, replace
import json
from typing import Final

from ..models import Mail
from ..responses import Value
from .body_text import text_of
from .budget import Budget
from .header import BARE_ITEMS, FETCH_ITEMS, HEADER_FIELDS

# Octets of text that one FETCH asks for at the most: they must not fill the memory.
_MAX_BATCH_OCTETS: Final = 4 * 1024 * 1024

# Octets of text that are asked for: characters take up to four, and parts have headers.
_OCTETS_PER_CHARACTER: Final = 4
_OVERHEAD: Final = 8_192
_MAX_OCTETS: Final = 256 * 1024

# Octets of JSON that a mail takes at the most; what an event has beside is little.
_MAX_MAIL: Final = 28_000

_FIELDS_FOR_TEXT: Final = f"{HEADER_FIELDS} CONTENT-TYPE CONTENT-TRANSFER-ENCODING"


def fetch_items(text_size: int) -> str:
    """Return what FETCH asks for if so many characters of the text are wanted."""
    if not text_size:
        return FETCH_ITEMS
    items = FETCH_ITEMS.replace(HEADER_FIELDS, _FIELDS_FOR_TEXT)
    return items.replace(
        " BODYSTRUCTURE", f" BODY.PEEK[TEXT]<0.{_octets(text_size)}> BODYSTRUCTURE"
    )


def reduced_fetch_items(text_size: int) -> tuple[str, ...]:
    """Return what FETCH asks for, each time less, of a message that cannot be shown whole."""
    items = fetch_items(text_size)
    return items, items.replace(" BODYSTRUCTURE", ""), BARE_ITEMS


def batch_size(text_size: int, most: int) -> int:
    """Return how many mails one FETCH may ask for, `most` at the most."""
    if not text_size:
        return most
    return min(most, _MAX_BATCH_OCTETS // _octets(text_size))


def with_text(mail: Mail, items: Mapping[str, Value], text_size: int) -> Mail:
    """Return the mail with its text, cut to what an event has room for."""
    body = items.get("BODY[TEXT]")
    if not isinstance(body, bytes):
        return replace(mail, text="")
    header = items.get("BODY")
    header = header if isinstance(header, bytes) else b""
    whole = len(body) < _octets(text_size)
    text, more = text_of(header, body, text_size, whole=whole)
    # Recipients are for filters, not for the event.
    shown = asdict(replace(mail, recipients=()))
    spent = json.dumps(shown, default=str, ensure_ascii=False).encode()
    budget = Budget()
    text = budget.text(text, max(0, _MAX_MAIL - len(spent)))
    truncated = mail.truncated or more or budget.truncated
    return replace(mail, text=text, truncated=truncated)


def _octets(text_size: int) -> int:
    return min(text_size * _OCTETS_PER_CHARACTER + _OVERHEAD, _MAX_OCTETS)
