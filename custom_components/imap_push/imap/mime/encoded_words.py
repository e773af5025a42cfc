"""Decode header fields and parameters with RFC 2047 encoding (also RFC 2231 5)."""

import binascii
from itertools import batched, groupby
from operator import attrgetter
import re
from typing import Final, NamedTuple

from .budget import Budget
from .characters import one_line
from .charset import codec_of
from .transfer_encoding import NOT_BASE64, decode_base64

# A valid encoded-word. White space, another encoded-word or the end of the field follows it.
_COMMON_FORM: Final = re.compile(
    rb"(=\?([\w-]++)\?([bBqQ])\?([!->@-~]*+)\?=)(?=\s|=\?|\Z)", re.ASCII
)
# The start of any encoded-word: the charset, which may be quoted or have a language, and the
# encoding.
_START: Final = re.compile(
    rb'=\?[ "]*+([^?*\s"]++)(?:\*[^?\s"]*+)?+[ "]*+\?[ ]*+([bq])[ ]*+\?', re.IGNORECASE
)
# The end of an encoded-word, but not a raw "?" before an escape: "=?utf-8?Q?M=C3=BCller?=21?=".
_END: Final = re.compile(rb"\?=(?![0-9A-F]{2}[^\s?]{0,75}+\?=)")
_BLANK: Final = re.compile(rb"\s")
# Folding white space within a UTF-8 character.
_FOLD: Final = re.compile(rb"\s++(?==[89AB][0-9A-F])", re.IGNORECASE)
_INVALID: Final = "\ufffd"


class _EncodedWord(NamedTuple):
    """An encoded-word. `charset` is the codec of its label, or the label if it is unknown."""

    octets: bytes
    label: str
    charset: str
    encoding: bytes
    payload: bytes


def decode_encoded_words(octets: bytes, budget: Budget) -> str:
    """Return the decoded value of a field as one line.

    Each run of adjacent encoded-words with the same charset is decoded as a whole, and so is all
    raw text, which has no label (see `charset.decode`). An encoded-word whose Base64 decodes to
    no octet is not changed.
    """
    octets = budget.spend(octets)
    if b"=?" not in octets:
        return budget.line_counted(octets)
    runs = _split(octets.replace(b"\n", b" "))
    raw = b"\n".join([raw for raw, _ in runs])
    if not raw.strip():
        return one_line("".join([_decode_run(run, budget) for _, run in runs if run]))
    raw_texts = budget.decode_counted(raw).split("\n")
    if len(raw_texts) != len(runs):
        # Raw text with a byte order mark is decoded as UTF-16, where "\n" is not one octet.
        raw_texts = [budget.decode_counted(raw) for raw, _ in runs]
    return one_line(
        "".join(
            raw_text + (_decode_run(run, budget) if run else "")
            for raw_text, (_, run) in zip(raw_texts, runs, strict=True)
        )
    )


def _split(octets: bytes) -> list[tuple[bytes, list[_EncodedWord]]]:
    """Return pairs of raw text and the run of encoded-words of one charset after it.

    White space within a run is left out (RFC 2047 6.2).
    """
    runs: list[tuple[bytes, list[_EncodedWord]]] = []
    *pairs, (rest, _) = _split_common_form(octets) or _split_any_form(octets)
    for raw, word in pairs:
        assert word is not None
        if runs and not raw.strip():
            raw = b""
            if runs[-1][1][0].charset == word.charset:
                runs[-1][1].append(word)
                continue
        runs.append((raw, [word]))
    return [*runs, (rest, [])]


def _split_common_form(octets: bytes) -> list[tuple[bytes, _EncodedWord | None]]:
    """Return raw texts and the encoded-word after each; [] if one is not valid."""
    pieces = _COMMON_FORM.split(octets)
    if any(b"=?" in raw for raw in pieces[::5]):
        return []
    groups = batched(pieces[:-1], 5, strict=True)
    return [
        (raw, _word_of(word, label, encoding, payload))
        for raw, word, label, encoding, payload in groups
    ] + [(pieces[-1], None)]


def _split_any_form(octets: bytes) -> list[tuple[bytes, _EncodedWord | None]]:
    """Return raw texts and the encoded-word after each, in any form."""
    found: list[tuple[bytes, _EncodedWord | None]] = []
    starts = list(_START.finditer(octets))
    limits = [*(start.start() for start in starts[1:]), len(octets)]
    position = 0
    for start, limit in zip(starts, limits, strict=False):
        raw = octets[position : start.start()]
        word, position = _word(octets, start, limit)
        found.append((raw, word))
    return [*found, (octets[position:], None)]


def _word(
    octets: bytes, start: re.Match[bytes], limit: int
) -> tuple[_EncodedWord, int]:
    """Return the encoded-word at a match of _START, and its end, which is at most `limit`."""
    # Without "?=", it ends at the next white space.
    end = _END.search(octets, start.end(), limit)
    cut = None if end else _BLANK.search(octets, start.end(), limit)
    found = end or cut
    payload_end = found.start() if found else limit
    position = end.end() if end else payload_end
    word = octets[start.start() : position]
    payload = octets[start.end() : payload_end]
    return _word_of(word, start[1], start[2], payload), position


def _word_of(
    octets: bytes, label: bytes, encoding: bytes, payload: bytes
) -> _EncodedWord:
    text = label.decode("ascii", "replace")
    charset = codec_of(text) or text.lower()
    return _EncodedWord(octets, text, charset, encoding.lower(), payload)


def _decode_run(words: list[_EncodedWord], budget: Budget) -> str:
    """Decode a run with one charset; a character may be split across two encoded-words."""
    octets = b"".join(
        _base64_octets(list(group), budget)
        if encoding == b"b"
        else b"".join(map(_q_octets, group))
        for encoding, group in groupby(words, key=attrgetter("encoding"))
    )
    return budget.decode_counted(octets, words[0].label)


def _q_octets(word: _EncodedWord) -> bytes:
    is_utf8 = word.charset == "utf-8"
    payload = _FOLD.sub(b"", word.payload) if is_utf8 else word.payload
    return binascii.a2b_qp(payload, header=True)


def _base64_octets(words: list[_EncodedWord], budget: Budget) -> bytes:
    """Decode the payloads separately, or joined if the sender split the Base64 arbitrarily."""
    try:
        return b"".join(
            [binascii.a2b_base64(word.payload, strict_mode=True) for word in words]
        )
    except binascii.Error:
        pass  # The rules below are slow, and most fields do not need them.
    payloads = [word.payload.translate(None, NOT_BASE64) for word in words]
    decoded = list(map(decode_base64, payloads))
    separate = b"".join(
        octets or (word.octets if word.payload else b"")
        for octets, word in zip(decoded, words, strict=True)
    )
    open_ends = [
        (digits, octets)
        for digits, octets in zip(payloads[:-1], decoded, strict=False)
        if len(digits) % 4 and b"=" not in digits
    ]
    if not open_ends:
        return separate
    joined = decode_base64(b"".join(payloads))
    # If an encoder only omits the padding, the unused bits of the last digit are zero.
    if any(
        not binascii.b2a_base64(octets, newline=False).startswith(digits)
        for digits, octets in open_ends
    ):
        return joined
    is_valid = _INVALID not in budget.decode_counted(separate, words[0].label)
    return separate if is_valid else joined
