"""Limit the work and the memory that one message takes: fields, parameters and parts together."""

from collections.abc import Callable, Iterable
from json.encoder import encode_basestring
import re
from typing import Final

from .characters import visible
from .charset import codec_of, decode

# Octets that are decoded, different charsets, and tags and attributes of HTML.
MAX_DECODED: Final = 98_304
MAX_CHARSETS: Final = 8
MAX_TAGS: Final = 100_000

_LAST_CHARACTER: Final = re.compile(rb"[\xc0-\xff][\x80-\xbf]*$")


class BudgetSpent(Exception):
    """No more work may be done for this message."""


class Budget:
    """Limits the work on one message and the size of its fields.

    Work is counted even if its result is empty. `truncated` is True if something was left out.
    """

    def __init__(self, octets: int = MAX_DECODED) -> None:
        """Allow so many octets to be decoded."""
        self.truncated = False
        # Returns the codecs of the message's labels, for text without a label.
        self.others: Callable[[], tuple[str, ...]] = tuple
        self._octets = octets
        self._tags = MAX_TAGS
        self._codecs: set[str] = set()

    @property
    def is_spent(self) -> bool:
        """Return if no octet more can be decoded."""
        return self._octets <= 0

    def take(self, octets: bytes) -> bytes:
        """Return as many of the octets as may be worked on, and count them."""
        if len(octets) > self._octets:
            self.truncated = True
            octets = octets[: self._octets]
        self._octets -= len(octets)
        return octets

    def take_tag(self, attributes: int = 0) -> None:
        """Count a piece of HTML and its attributes; raise BudgetSpent if it is one too many."""
        self._tags -= 1 + attributes
        if self._tags < 0:
            self.truncated = True
            raise BudgetSpent

    def codec(self, label: str) -> str | None:
        """Return the codec that a label means; None if it is not known, or one too many."""
        codec = codec_of(label)
        if codec is None or codec in self._codecs:
            return codec
        if len(self._codecs) >= MAX_CHARSETS:
            self.truncated = True
            return None
        self._codecs.add(codec)
        return codec

    def decode(self, octets: bytes, label: str = "") -> str:
        """Return octets as text, as far as they may be decoded; see `charset.decode`."""
        return self.decode_counted(self.take(octets), label)

    def decode_counted(self, octets: bytes, label: str = "") -> str:
        """Return octets that `take` has counted as text; see `charset.decode`."""
        return decode(octets, self.codec(label) if label else None, self.others)

    def cut(self, octets: bytes, limit: int, separator: bytes) -> bytes:
        """Return as much as fits, up to a separator: half an address is worse than none."""
        if len(octets) <= limit:
            return octets
        self.truncated = True
        head, found, tail = octets[:limit].rpartition(separator)
        return head if found else _LAST_CHARACTER.sub(b"", tail)

    def text(self, text: str, limit: int) -> str:
        """Return as much of a text as fits into so many octets of JSON, without what is hidden."""
        text = visible(text)
        # A character takes up to six octets.
        if len(text) <= limit // 6 or json_size(text) <= limit:
            return text
        self.truncated = True
        text = text[:limit]
        while json_size(text) > limit:
            text = text[: len(text) * 3 // 4]
        return text

    def items(self, texts: Iterable[str], limit: int) -> tuple[str, ...]:
        """Return as many of the texts, from the first on, as fit into so many octets of JSON."""
        kept: list[str] = []
        for text in texts:
            limit -= json_size(text) + 2
            if limit < 0:
                self.truncated = True
                break
            kept.append(text)
        return tuple(kept)


def json_size(text: str) -> int:
    """Return how many octets of JSON a text takes."""
    return len(encode_basestring(text).encode())
