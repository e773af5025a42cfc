"""Limit the work and the memory that all fields, parameters and parts of one message cause."""

from collections.abc import Callable, Iterable
from json.encoder import encode_basestring
import re
from typing import Final

from .characters import one_line, visible
from .charset import codec_of, decode

# Limits for decoded octets, for different charsets, and for tags and attributes of HTML.
MAX_DECODED: Final = 98_304
MAX_CHARSETS: Final = 8
MAX_TAGS: Final = 100_000

_LAST_CHARACTER: Final = re.compile(rb"[\xc0-\xff][\x80-\xbf]*$")


class BudgetSpent(Exception):
    """The budget of the message is spent."""


class Budget:
    """Limits the work for one message and the size of its fields.

    Work is counted even if its result is empty. `truncated` is True if a limit was reached.
    """

    def __init__(self, octets: int = MAX_DECODED) -> None:
        """Allow this number of octets to be decoded."""
        self.truncated = False
        self._find_fallback: Callable[[], tuple[str, ...]] = tuple
        self._fallback: tuple[str, ...] | None = None
        self._octets = octets
        self._tags = MAX_TAGS
        self._codecs: set[str] = set()

    @property
    def is_spent(self) -> bool:
        """Return True if no more octets can be decoded."""
        return self._octets <= 0

    def set_fallback(self, find: Callable[[], tuple[str, ...]]) -> None:
        """Set the function that returns the codecs of `fallback_codecs`."""
        self._find_fallback = find
        self._fallback = None

    def fallback_codecs(self) -> tuple[str, ...]:
        """Return the codecs of the other charsets in the message, for text without a charset."""
        if self._fallback is None:
            self._fallback = self._find_fallback()
        return self._fallback

    def spend(self, octets: bytes) -> bytes:
        """Count the octets; return as many of them as may be processed."""
        if len(octets) > self._octets:
            self.truncated = True
            octets = octets[: self._octets]
        self._octets -= len(octets)
        return octets

    def spend_tag(self, attributes: int = 0) -> None:
        """Count a tag or text of HTML and its attributes; raise BudgetSpent above the limit."""
        self._tags -= 1 + attributes
        if self._tags < 0:
            self.truncated = True
            raise BudgetSpent

    def codec(self, label: str) -> str | None:
        """Return the codec of a charset label; None if unknown, or one too many in the message."""
        codec = codec_of(label)
        if codec is None or codec in self._codecs:
            return codec
        if len(self._codecs) >= MAX_CHARSETS:
            self.truncated = True
            return None
        self._codecs.add(codec)
        return codec

    def decode(self, octets: bytes, label: str = "") -> str:
        """Count octets and decode as many as allowed; see `charset.decode`."""
        return self.decode_counted(self.spend(octets), label)

    def decode_counted(self, octets: bytes, label: str = "") -> str:
        """Decode octets that `spend` has already counted; see `charset.decode`."""
        codec = self.codec(label) if label else None
        return decode(octets, codec, self.fallback_codecs)

    def line_counted(self, octets: bytes) -> str:
        """Decode octets without a label, which `spend` has already counted, as one line."""
        if octets.isascii() and (text := octets.decode()).isprintable():
            return " ".join(text.split())  # the common case, without the rules below
        return one_line(decode(octets, None, self.fallback_codecs))

    def cut(self, octets: bytes, limit: int, separator: bytes) -> bytes:
        """Return at most `limit` octets, up to the last separator, so that no value is partial."""
        if len(octets) <= limit:
            return octets
        self.truncated = True
        head, found, tail = octets[:limit].rpartition(separator)
        return head if found else _LAST_CHARACTER.sub(b"", tail)

    def text(self, text: str, limit: int) -> str:
        """Return a text without invisible characters, cut to `limit` octets of JSON."""
        if not (text.isascii() and text.isprintable()):
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
        """Return the first texts, as many as fit into `limit` octets of JSON."""
        if isinstance(texts, tuple):
            size = 4 * len(texts) + json_size("".join(texts)) - 2 if texts else 0
            if size <= limit:
                return texts  # the common case, without the loop below
        kept: list[str] = []
        for text in texts:
            limit -= json_size(text) + 2
            if limit < 0:
                self.truncated = True
                break
            kept.append(text)
        return tuple(kept)


def json_size(text: str) -> int:
    """Return the number of octets of a text in JSON."""
    return len(encode_basestring(text).encode())
