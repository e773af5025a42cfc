"""All fields of a header, decoded and bounded."""

from typing import Final

from .budget import Budget
from .characters import one_line
from .encoded_words import decode_words
from .parameters import MAX_FIELD, unfold

# Fields that are returned.
MAX_FIELDS: Final = 500
# Octets that are decoded: the header, of up to 64 KiB, and encoded words once more.
_MAX_DECODED: Final = 131_072


def parse_headers(header: bytes) -> tuple[tuple[str, str], ...]:
    """Return name and text of each field in order (RFC 5322 2.2); total on any bytes."""
    budget = Budget(_MAX_DECODED)
    fields: list[tuple[str, str]] = []
    for line in unfold(header).split(b"\n"):
        name, colon, value = line[:MAX_FIELD].partition(b":")
        if colon and len(fields) < MAX_FIELDS:
            text = decode_words(value, budget)
            fields.append((one_line(budget.decode(name)), text))
    return tuple((name, text) for name, text in fields if name)
