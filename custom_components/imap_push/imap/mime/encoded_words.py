"""Decode the encoded words of header fields and parameters (RFC 2047, RFC 2231 5)."""

import binascii
from collections.abc import Iterator
from itertools import groupby
import re
import string
from typing import Final, NamedTuple

from .budget import Budget
from .characters import one_line
from .charset import codec_of

# The start of a word: its charset, perhaps quoted or with a language, and its encoding.
_START: Final = re.compile(
    rb'=\?[ "]*+([^?*\s"]++)(?:\*[^?\s"]*+)?+[ "]*+\?[ ]*+([bq])[ ]*+\?', re.IGNORECASE
)
# The end of a word, but no question mark that was not encoded: "=?utf-8?Q?M=C3=BCller?=21?=".
_END: Final = re.compile(rb"\?=(?![0-9A-F]{2}[^\s?]{0,75}+\?=)")
_BLANK: Final = re.compile(rb"\s")
_BASE64: Final = f"{string.ascii_letters}{string.digits}+/=".encode()
_NOT_BASE64: Final = bytes(set(range(256)) - set(_BASE64))
_INVALID: Final = "\ufffd"


class _Word(NamedTuple):
    """An encoded word: all of it, its label, its encoding, what it encodes."""

    whole: bytes
    label: str
    encoding: bytes
    payload: bytes

    @property
    def charset(self) -> str:
        """Return what the label means: labels of one charset have many spellings."""
        return codec_of(self.label) or self.label.lower()


def decode_words(octets: bytes, budget: Budget) -> str:
    """Return the value of a field as one line of text, its encoded words decoded.

    Adjacent words of one charset are decoded together. All text outside of words is decoded
    together, as text without a label (see `charset.decode`). A word without a valid octet stays.
    """
    parts = list(_split(budget.take(octets).replace(b"\n", b" ")))
    raw = b"".join(b"\n" + part for part in parts if isinstance(part, bytes))
    raw_texts = iter(budget.decode_counted(raw).split("\n")[1:])
    texts: list[str] = []
    for charset, group in groupby(parts, key=_charset):
        words = [part for part in group if isinstance(part, _Word)]
        if charset:
            texts.append(_decode_run(words, budget))
        else:
            texts.append(next(raw_texts))
    return one_line("".join(texts))


def decode_base64(octets: bytes) -> bytes:
    """Decode Base64 that may be padded piece by piece; skip what is no digit."""
    pieces = octets.translate(None, _NOT_BASE64).split(b"=")
    return b"".join(map(_decode_quanta, pieces))


def _decode_quanta(digits: bytes) -> bytes:
    # A digit alone is less than an octet.
    digits = digits[:-1] if len(digits) % 4 == 1 else digits
    return binascii.a2b_base64(digits + b"==")


def _charset(part: bytes | _Word) -> str:
    return part.charset if isinstance(part, _Word) else ""


def _split(octets: bytes) -> Iterator[bytes | _Word]:
    """Yield words and the raw text around them; white space between two words is left out."""
    starts = list(_START.finditer(octets))
    limits = [*(start.start() for start in starts[1:]), len(octets)]
    position = 0
    for start, limit in zip(starts, limits, strict=False):
        raw = octets[position : start.start()]
        if position == 0 or raw.strip():
            yield raw
        end = _END.search(octets, start.end(), limit)
        if end is None:
            # A field that was cut: such a word goes to the next white space.
            end = _BLANK.search(octets, start.end(), limit)
        payload = octets[start.end() : end.start() if end else limit]
        position = (end.end() if end[0] == b"?=" else end.start()) if end else limit
        yield _Word(
            octets[start.start() : position],
            start[1].decode("ascii", "replace"),
            start[2].lower(),
            payload,
        )
    yield octets[position:]


def _decode_run(words: list[_Word], budget: Budget) -> str:
    """Decode adjacent words of one charset: a character may begin in one and end in the next."""
    octets = b"".join(
        _base64_octets(list(group), budget)
        if encoding == b"b"
        else b"".join(map(_q_octets, group))
        for encoding, group in groupby(words, key=lambda word: word.encoding)
    )
    return budget.decode_counted(octets, words[0].label)


def _q_octets(word: _Word) -> bytes:
    return binascii.a2b_qp(word.payload, header=True)


def _base64_octets(words: list[_Word], budget: Budget) -> bytes:
    """Decode each word on its own, or together if the sender cut the Base64 at any digit."""
    payloads = [word.payload.translate(None, _NOT_BASE64) for word in words]
    decoded = list(map(decode_base64, payloads))
    apart = b"".join(
        octets or (word.whole if word.payload else b"")
        for octets, word in zip(decoded, words, strict=True)
    )
    open_ends = [
        (digits, octets)
        for digits, octets in zip(payloads[:-1], decoded, strict=False)
        if len(digits) % 4 and b"=" not in digits
    ]
    if not open_ends:
        return apart
    joined = decode_base64(b"".join(payloads))
    # An encoder that omits the padding leaves no bits over.
    if any(not _encode(octets).startswith(digits) for digits, octets in open_ends):
        return joined
    is_apart = _INVALID not in budget.decode_counted(apart, words[0].label)
    return apart if is_apart else joined


def _encode(octets: bytes) -> bytes:
    return binascii.b2a_base64(octets, newline=False)
