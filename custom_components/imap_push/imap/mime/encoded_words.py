"""Decode the encoded words of header fields and parameters (RFC 2047, RFC 2231 5)."""

import binascii
from itertools import batched, groupby
import re
from typing import Final, NamedTuple

from .budget import Budget
from .characters import one_line
from .charset import codec_of
from .transfer_encoding import NOT_BASE64, decode_base64

# A valid word. It ends before white space, another word or the end of the field.
_ORDINARY: Final = re.compile(
    rb"(=\?([\w-]++)\?([bBqQ])\?([!->@-~]*+)\?=)(?=\s|=\?|\Z)", re.ASCII
)
# The start of any word: charset, which may be quoted or have a language, and encoding.
_START: Final = re.compile(
    rb'=\?[ "]*+([^?*\s"]++)(?:\*[^?\s"]*+)?+[ "]*+\?[ ]*+([bq])[ ]*+\?', re.IGNORECASE
)
# The end of a word. The first "?=" of "=?utf-8?Q?M=C3=BCller?=21?=" is a raw "?" and "=21".
_END: Final = re.compile(rb"\?=(?![0-9A-F]{2}[^\s?]{0,75}+\?=)")
_BLANK: Final = re.compile(rb"\s")
# A fold within a character of UTF-8.
_FOLD: Final = re.compile(rb"\s++(?==[89AB][0-9A-F])", re.IGNORECASE)
_INVALID: Final = "\ufffd"


class _Word(NamedTuple):
    """An encoded word. `charset` is the codec of its label, or the label if it is unknown."""

    octets: bytes
    label: str
    charset: str
    encoding: bytes
    payload: bytes


def decode_words(octets: bytes, budget: Budget) -> str:
    """Return the value of a field as one line of text, its encoded words decoded.

    Adjacent words of one charset are decoded together, and so is all raw text, as text without
    a label (see `charset.decode`). A word that contains no octet is left as it is.
    """
    octets = budget.take(octets)
    if b"=?" not in octets:
        return one_line(budget.decode_counted(octets))
    runs = _split(octets.replace(b"\n", b" "))
    raw_texts = budget.decode_counted(b"\n".join([raw for raw, _ in runs])).split("\n")
    return one_line(
        "".join(
            raw_text + _decode_run(words, budget)
            for raw_text, (_, words) in zip(raw_texts, runs, strict=True)
        )
    )


def _split(octets: bytes) -> list[tuple[bytes, list[_Word]]]:
    """Return pairs of raw text and the adjacent words of one charset after it.

    White space between words is left out (RFC 2047 6.2).
    """
    runs: list[tuple[bytes, list[_Word]]] = []
    *pairs, (rest, _) = _ordinary(octets) or _unusual(octets)
    for raw, word in pairs:
        assert word is not None
        if runs and not raw.strip():
            raw = b""
            if runs[-1][1][0].charset == word.charset:
                runs[-1][1].append(word)
                continue
        runs.append((raw, [word]))
    return [*runs, (rest, [])]


def _ordinary(octets: bytes) -> list[tuple[bytes, _Word | None]]:
    """Return raw texts and the word after each; [] if a word is not valid."""
    pieces = _ORDINARY.split(octets)
    if any(b"=?" in raw for raw in pieces[::5]):
        return []
    groups = batched(pieces[:-1], 5, strict=True)
    return [
        (raw, _word_of(word, label, encoding, payload))
        for raw, word, label, encoding, payload in groups
    ] + [(pieces[-1], None)]


def _unusual(octets: bytes) -> list[tuple[bytes, _Word | None]]:
    """Return raw texts and the word after each, for words of any form."""
    found: list[tuple[bytes, _Word | None]] = []
    starts = list(_START.finditer(octets))
    limits = [*(start.start() for start in starts[1:]), len(octets)]
    position = 0
    for start, limit in zip(starts, limits, strict=False):
        raw = octets[position : start.start()]
        word, position = _word(octets, start, limit)
        found.append((raw, word))
    return [*found, (octets[position:], None)]


def _word(octets: bytes, start: re.Match[bytes], limit: int) -> tuple[_Word, int]:
    """Return the word that starts here and its end, which is before `limit`."""
    # A word without an end goes to the next white space.
    end = _END.search(octets, start.end(), limit)
    cut = None if end else _BLANK.search(octets, start.end(), limit)
    found = end or cut
    payload_end = found.start() if found else limit
    position = end.end() if end else payload_end
    word = octets[start.start() : position]
    payload = octets[start.end() : payload_end]
    return _word_of(word, start[1], start[2], payload), position


def _word_of(octets: bytes, label: bytes, encoding: bytes, payload: bytes) -> _Word:
    text = label.decode("ascii", "replace")
    charset = codec_of(text) or text.lower()
    return _Word(octets, text, charset, encoding.lower(), payload)


def _decode_run(words: list[_Word], budget: Budget) -> str:
    """Decode adjacent words of one charset: a character may begin in one and end in the next."""
    octets = b"".join(
        _base64_octets(list(group), budget)
        if encoding == b"b"
        else b"".join(map(_q_octets, group))
        for encoding, group in groupby(words, key=lambda word: word.encoding)
    )
    return budget.decode_counted(octets, words[0].label) if words else ""


def _q_octets(word: _Word) -> bytes:
    is_utf8 = word.charset == "utf-8"
    payload = _FOLD.sub(b"", word.payload) if is_utf8 else word.payload
    return binascii.a2b_qp(payload, header=True)


def _base64_octets(words: list[_Word], budget: Budget) -> bytes:
    """Decode each word on its own, or together if the sender cut the Base64 at any digit."""
    try:
        return b"".join(
            [binascii.a2b_base64(word.payload, strict_mode=True) for word in words]
        )
    except binascii.Error:
        pass  # The rules below are slow, and most words do without.
    payloads = [word.payload.translate(None, NOT_BASE64) for word in words]
    decoded = list(map(decode_base64, payloads))
    apart = b"".join(
        octets or (word.octets if word.payload else b"")
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
