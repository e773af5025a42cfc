"""All fields of a header, decoded and bounded."""

from typing import Final

from .message import FOLD, MAX_FIELD, SPACES, decode_words, to_text

# Fields that are returned.
MAX_FIELDS: Final = 500


def parse_headers(header: bytes) -> tuple[tuple[str, str], ...]:
    """Return name and text of each field in order (RFC 5322 2.2); total on any bytes."""
    fields: list[tuple[str, str]] = []
    for line in FOLD.sub(b" ", header).split(b"\n"):
        name, colon, value = line[:MAX_FIELD].partition(b":")
        if colon and len(fields) < MAX_FIELDS:
            fields.append((_line(to_text(name)), decode_words(_line(to_text(value)))))
    return tuple((_writable(name), _writable(text)) for name, text in fields if name)


def _line(text: str) -> str:
    return SPACES.sub(" ", text).strip()


def _writable(text: str) -> str:
    """Return a text without what charsets such as UTF-7 can smuggle in."""
    return text.encode("utf-8", "replace").decode()
